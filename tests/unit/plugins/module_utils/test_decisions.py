# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The pure decisions: cycles in a history, what covers a moment, what results mean, who may start."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hybrid.identity.plugins.module_utils._cycle import covering_cycle, group_cycles
from ansible_collections.hybrid.identity.plugins.module_utils._engines._contract import EngineState, Events, History, Probe, Run
from ansible_collections.hybrid.identity.plugins.module_utils._engines._run_details import object_errors, step_counts
from ansible_collections.hybrid.identity.plugins.module_utils._engines.connect import retirement
from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._moments import format_utc, parse_utc
from ansible_collections.hybrid.identity.plugins.module_utils._preflight import choose_active, require_ready
from ansible_collections.hybrid.identity.plugins.module_utils._run_results import change_report, judge_events, judge_runs, severity

NOON = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
ORDER = [("import", True), ("import", False), ("synchronization", True), ("synchronization", False), ("export", False), ("export", True)]
WORDS = {"import": "Import", "synchronization": "Synchronization"}


def run(
    at: float, kind: str = "import", directory: bool = True, result: str = "success", seconds: float = 5, full: bool = False, **more: Any
) -> Run:
    profile = "Export" if kind == "export" else f"{'Full' if full else 'Delta'} {WORDS[kind]}"
    begun = NOON + timedelta(seconds=at)
    ended = None if result == "in-progress" else begun + timedelta(seconds=seconds)
    identifier = "ad" if directory else "cloud"
    values = {"connector": identifier, "connector_id": identifier, "on_directory": directory, "profile": profile, "kind": kind, "number": 1}
    return Run(**{**values, "result": result, "complete": ended is not None, "started": begun, "ended": ended, **more})


def cycle(at: float, steps: int = 6, full: bool = False) -> list[Run]:
    return [run(at + 10 * n, kind, directory, full=full) for n, (kind, directory) in enumerate(ORDER[:steps])]


def covers(runs: list[Run], at: float, **options: Any) -> bool:
    return covering_cycle(runs, NOON + timedelta(seconds=at), ["AD"], **{"full": False, "in_progress": False, **options}) is not None


def test_history_is_cut_into_cycles() -> None:
    groups = group_cycles(reversed([*cycle(0), *cycle(100), *cycle(200, steps=1)]))
    assert [len(group.runs) for group in groups] == [6, 6, 1]
    assert groups[0].started == NOON
    assert groups[0].finished == NOON + timedelta(seconds=55)


def test_an_import_by_hand_does_not_join_the_next_cycle() -> None:
    assert [len(group.runs) for group in group_cycles([run(0), *cycle(20)])] == [1, 6]


@given(st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(ORDER)), max_size=30))
def test_no_run_is_lost_or_counted_twice(items: list[tuple[int, tuple[str, bool]]]) -> None:
    runs = [run(at, kind, directory) for at, (kind, directory) in items]
    grouped = [one for group in group_cycles(runs) for one in group.runs]
    assert sorted(map(id, grouped)) == sorted(map(id, runs))


def test_a_cycle_covers_what_its_import_saw() -> None:
    assert covers(cycle(10), 10)
    assert covers(cycle(10), 5)
    assert not covers(cycle(10), 11)
    assert covers([*cycle(0), *cycle(100)], 50)


def test_what_does_not_cover() -> None:
    assert not covers(cycle(0, steps=2), 0), "imports alone carry nothing"
    assert not covers([run(0, result="no-start-credentials"), *cycle(1)[1:]], 0), "the directory was not read"
    failed = cycle(0)
    failed[4] = run(40, "export", False, result="stopped-deletion-threshold-exceeded")
    assert not covers(failed, 0), "the export did nothing"
    assert not covers(cycle(0), 0, full=True)
    assert covers(cycle(0, full=True), 0, full=True)
    assert not covering_cycle(cycle(0), NOON, ["ad", "second-forest"], full=False, in_progress=False)


def test_a_running_cycle_covers_once_its_import_has_begun() -> None:
    assert covers([run(0, result="in-progress")], 0, in_progress=True)
    assert covers(cycle(0, steps=2), 0, in_progress=True), "between two phases nothing runs"
    assert not covers(cycle(0, steps=2), 1, in_progress=True)


@pytest.mark.parametrize(
    ("result", "meaning"),
    [
        ("success", "success"), ("completed-warnings", "success"), ("completed-sync-warnings", "success"), ("completed-no-objects", "success"),
        ("completed-export-errors", "errors"), ("completed-sync-errors", "errors"), ("completed-discovery-errors", "errors"),
        ("stopped-error-limit", "stopped"), ("no-start-ma", "stopped"), ("stopped-deletion-threshold-exceeded", "stopped"), ("", "stopped"),
        ("something-new", "stopped"), ("in-progress", "running"), ("completing-obsoletion", "running"),
    ],
)  # fmt: skip
def test_severity(result: str, meaning: str) -> None:
    assert severity(result) == meaning


def test_the_most_telling_result_names_the_reason() -> None:
    runs = [run(0, result="stopped-server"), run(1, "export", False, result="stopped-extension-dll-exception")]
    assert judge_runs(runs, "stopped").reason == "cloud_sign_in_blocked"
    assert judge_runs(runs, "never").reason is None


def test_object_errors_are_named_when_they_count() -> None:
    faulty = run(
        0, "export", False, result="completed-export-errors", errors=[{"dn": f"CN={n}", "type": "x", "message": ""} for n in range(5)]
    )
    assert judge_runs([faulty], "stopped").reason is None
    verdict = judge_runs([faulty], "errors")
    assert verdict.reason == "object_errors"
    assert "CN=0; CN=1; CN=2 and others" in verdict.sentence


@pytest.mark.parametrize(
    ("counts", "fail_on", "reason"),
    [
        ({"Directory Synchronization/116": 1}, "stopped", "deletion_threshold"),
        ({"Directory Synchronization/115": 1}, "stopped", "cloud_sign_in_blocked"),
        ({"ADSync/6941": 2}, "stopped", None),
        ({"ADSync/6941": 2}, "errors", "object_errors"),
        ({"Directory Synchronization/116": 1}, "never", None),
        ({"ADSync/904": 2}, "errors", None),
    ],
)
def test_events_when_there_is_nothing_better(counts: dict[str, int], fail_on: str, reason: str | None) -> None:
    assert judge_events(Events(counts, {}, None, []), fail_on).reason == reason


def test_counters_become_changes() -> None:
    counts = step_counts([{"ExportAdd": 2, "ExportRename": 1}, {"ExportDeleteAdd": 1, "ExportFailure": 3}], "export")
    assert counts == {"add": 3, "update": 1, "delete": 1, "failed": 3}
    assert step_counts([{"StageAdd": 1, "ExportAdd": 9}], "import")["add"] == 1
    report = change_report([run(0, "export", False, counts=counts), run(1, counts={"add": 1, "update": 0, "delete": 0, "failed": 0})])
    assert report == {"import": {"add": 1, "update": 0, "delete": 0, "failed": 0}, "export": counts}


def test_error_lists_are_read_whatever_they_are() -> None:
    text = '<e xmlns="urn:x"><export-error dn="CN=1"><error-type>A</error-type><error-literal>words</error-literal></export-error><o dn="CN=2"/></e>'
    assert object_errors(text) == [{"dn": "CN=1", "type": "A", "message": "words"}, {"dn": "CN=2", "type": "o", "message": ""}]
    assert object_errors("  ") == []
    assert object_errors("<broken")[0]["type"] == "unreadable"
    assert len(object_errors("<e>" + '<x dn="1"/>' * 99 + "</e>")) == 50


@pytest.mark.parametrize(
    ("version", "day", "support"),
    [
        ("2.5.78.0", date(2026, 9, 30), "supported"), ("2.5.78.0", date(2026, 10, 1), "refused"), ("2.5.79.0", date(2027, 1, 1), "supported"),
        ("2.6.92.0", date(2026, 11, 24), "supported"), (None, date(2026, 11, 24), "unknown"), ("garbage", date(2026, 11, 24), "unknown"),
        ("1.6.16", date(2026, 11, 24), "refused"),
    ],
)  # fmt: skip
def test_retirement(version: str | None, day: date, support: str) -> None:
    assert retirement(version, day)[0] == support


def probe(**changes: Any) -> Probe:
    state = EngineState(NOON, False, (), True, False, False, None, "Delta", 1800, 1800)
    blank = History(None, None, False, None, None)
    values: dict[str, Any] = {
        "at": NOON,
        "server_lead": 0.0,
        "version": "2.6.92.0",
        "support": "supported",
        "support_note": "",
        "service_running": True,
    }
    values.update(services={}, state=state, connectors=[], history=blank, problems={}, blocker=None)
    engine = {name: changes.pop(name) for name in list(changes) if name in ("enabled", "suspended", "staging")}
    values["state"] = EngineState(**{**state.__dict__, **engine})
    return Probe(**{**values, **changes})


def test_unknown_version_does_not_refuse() -> None:
    assert require_ready(probe(version=None, support="unknown"), on_staging="refuse", on_disabled="refuse").enabled


def test_what_is_refused_comes_in_a_fixed_order() -> None:
    everything = {"staging": True, "suspended": True, "enabled": False, "support": "refused"}
    reasons = []
    for change in ("support", "suspended", "staging", "enabled"):
        with pytest.raises(HybridIdentityError) as caught:
            require_ready(probe(**everything), on_staging="refuse", on_disabled="refuse")
        reasons.append(caught.value.reason)
        del everything[change]
    assert reasons == ["engine_unsupported", "scheduler_suspended", "staging", "scheduler_disabled"]


def test_the_active_one_is_chosen() -> None:
    assert choose_active([("a", "a", probe(staging=True)), ("b", "b", probe())]) == "b"
    with pytest.raises(HybridIdentityError, match="a, b"):
        choose_active([("a", "a", probe(staging=True)), ("b", "b", probe(staging=True))])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-24T12:00:00Z", "2026-11-24T12:00:00.000Z"), ("2026-11-24T12:00:00.1234567Z", "2026-11-24T12:00:00.123Z"),
        ("2026-11-24 12:00:00", "2026-11-24T12:00:00.000Z"), ("2026-11-24T12:00:00+02:00", "2026-11-24T10:00:00.000Z"),
        ("2026-11-24T12:00:00.5-0130", "2026-11-24T13:30:00.500Z"),
    ],
)  # fmt: skip
def test_moments(text: str, expected: str) -> None:
    assert format_utc(parse_utc(text)) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "24.11.2026", "2026-11-24"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        parse_utc(text)
