# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The pure decisions: cycles in a history, what covers a moment, what results mean, who may start."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hybrid.identity.plugins.module_utils._engines._contract import EngineState, Events, History, Probe, Run
from ansible_collections.hybrid.identity.plugins.module_utils._engines._run_details import object_errors, step_counts
from ansible_collections.hybrid.identity.plugins.module_utils._engines.connect import retirement
from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._sync._cycles import covering_cycle, cycle_begun_at, group_cycles
from ansible_collections.hybrid.identity.plugins.module_utils._sync._ensure_sync import Wanted, history_seconds
from ansible_collections.hybrid.identity.plugins.module_utils._sync._preflight import choose_active, require_ready
from ansible_collections.hybrid.identity.plugins.module_utils._sync._run_results import change_report, judge_events, judge_runs, severity
from ansible_collections.hybrid.identity.plugins.module_utils._timestamps import format_utc, parse_utc

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
    return Run(**{**values, "result": result, "started": begun, "ended": ended, **more})


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


def begun(runs: list[Run], at: float) -> float | None:
    """Seconds after noon at which the cycle that was started then began."""
    found = cycle_begun_at(runs, NOON + timedelta(seconds=at), timedelta(seconds=2))
    return None if found is None else (found.started - NOON).total_seconds()


def test_the_cycle_of_a_start_is_neither_the_one_before_nor_the_next() -> None:
    assert begun(cycle(101), 100) == 101
    assert begun(cycle(99), 100) == 99, "its times may lie a little before"
    assert begun(cycle(97), 100) is None
    assert begun([run(98.5, seconds=1)], 100) is None, "it had ended before"
    assert begun([run(98.5, "export", seconds=1), *cycle(100)], 100) == 100
    assert begun([*cycle(101), *cycle(200)], 100) == 101
    assert begun([run(100.5, result="in-progress")], 100) == 100.5


def test_a_failed_import_does_not_cover_even_while_the_cycle_runs() -> None:
    assert not covers([run(0, result="no-start-credentials"), run(10, directory=False)], 0, in_progress=True)


def test_only_the_newest_cycle_can_be_the_running_one() -> None:
    found = covering_cycle([*cycle(0, steps=2), *cycle(100, steps=1)], NOON, ["ad"], full=False, in_progress=True)
    assert found is not None
    assert found.started == NOON + timedelta(seconds=100), "the first one went no further than its imports"


def test_a_run_without_an_end_keeps_a_cycle_from_counting() -> None:
    unended = cycle(0)
    unended[4] = run(40, "export", False, result="in-progress")
    assert not covers(unended, 0)


def test_without_the_list_of_connectors_those_that_imported_count() -> None:
    def found(runs: list[Run]) -> bool:
        return covering_cycle(runs, NOON, [], full=False, in_progress=False) is not None

    assert found(cycle(0))
    assert not found(cycle(0)[1:]), "only the cloud was imported"
    assert not found(cycle(0)[2:]), "nothing was imported"


def test_full_is_what_the_imports_of_directories_are() -> None:
    mixed = [run(0, full=True), *cycle(0)[1:]]
    assert covers(mixed, 0, full=True), "what the cloud's connector imports does not matter"
    assert not covers([run(0, full=True), run(1, connector="ad2", connector_id="ad2"), *cycle(0)[1:]], 0, full=True)
    assert not covering_cycle(cycle(0, full=True)[2:], NOON, [], full=True, in_progress=False)


def test_an_import_after_an_export_begins_a_cycle() -> None:
    later = run(200, connector="ad2", connector_id="ad2")
    assert [len(group.runs) for group in group_cycles([*cycle(0), later])] == [6, 1]


@pytest.mark.parametrize(
    ("result", "meaning"),
    [
        ("success", "success"), ("completed-warnings", "success"), ("completed-sync-warnings", "success"), ("completed-no-objects", "success"),
        ("completed-export-errors", "errors"), ("completed-sync-errors", "errors"), ("completed-discovery-errors", "errors"),
        ("stopped-error-limit", "stopped"), ("no-start-ma", "stopped"), ("stopped-deletion-threshold-exceeded", "stopped"), ("", "stopped"),
        ("something-new", "stopped"), ("stopped-with-warnings", "stopped"),
        ("in-progress", "running"), ("completing-obsoletion", "running"),
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
    three = run(0, "export", False, result="completed-export-errors", errors=faulty.errors[:3])
    assert judge_runs([three], "errors").sentence.endswith("CN=0; CN=1; CN=2.")
    assert judge_runs(cycle(0), "errors").reason is None
    assert judge_runs([run(0, result="stopped-server")], "stopped").reason == "cycle_failed"


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
    assert choose_active([("a", "a", probe(staging=True)), ("b", "b", probe())], {}) == "b"
    with pytest.raises(HybridIdentityError, match="a, b"):
        choose_active([("a", "a", probe(staging=True)), ("b", "b", probe(staging=True))], {})
    with pytest.raises(HybridIdentityError, match="a, b") as caught:
        choose_active([("a", "a", probe()), ("b", "b", probe())], {})
    assert caught.value.reason == "two_active_servers"


def test_a_server_that_is_down_does_not_keep_the_active_one_from_being_used() -> None:
    unseen = {"c": HybridIdentityError("unreachable", "It is down.")}
    assert choose_active([("a", "a", replace(probe(), state=None)), ("b", "b", probe())], unseen) == "b"
    with pytest.raises(HybridIdentityError) as caught:
        choose_active([("b", "b", probe(staging=True))], unseen)
    assert caught.value.reason == "unreachable"


def test_proceeding_on_purpose() -> None:
    both = probe(staging=True, enabled=False)
    assert require_ready(both, on_staging="proceed", on_disabled="proceed").staging
    for choice in ({"on_staging": "proceed", "on_disabled": "refuse"}, {"on_staging": "refuse", "on_disabled": "proceed"}):
        with pytest.raises(HybridIdentityError):
            require_ready(both, **choice)


def test_the_first_look_reaches_back_far_enough() -> None:
    since = NOON - timedelta(seconds=600)
    assert history_seconds(Wanted(since), NOON) > 600
    assert history_seconds(Wanted(since, min_interval=1800), NOON) > 1800
    assert history_seconds(Wanted(NOON + timedelta(seconds=4)), NOON) > 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-24T12:00:00Z", "2026-11-24T12:00:00.000Z"), ("2026-11-24T12:00:00.1234567Z", "2026-11-24T12:00:00.123Z"),
        ("2026-11-24 12:00:00", "2026-11-24T12:00:00.000Z"), ("2026-11-24T12:00:00+02:00", "2026-11-24T10:00:00.000Z"),
        ("2026-11-24T12:00:00.5-0130", "2026-11-24T13:30:00.500Z"),
    ],
)  # fmt: skip
def test_timestamps(text: str, expected: str) -> None:
    assert format_utc(parse_utc(text)) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "24.11.2026", "2026-11-24"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        parse_utc(text)
