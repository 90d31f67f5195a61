# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What results, events and counters mean."""

from __future__ import annotations

import time

import pytest
from sync_cases import NOON, cycle, run

from ansible_collections.hybrid.identity.plugins.module_utils._engines._contract import Events
from ansible_collections.hybrid.identity.plugins.module_utils._engines._run_details import object_errors, step_counts
from ansible_collections.hybrid.identity.plugins.module_utils._sync._run_results import change_report, judge_events, judge_runs, severity


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
    assert judge_runs(runs, None, "stopped").reason == "cloud_sign_in_blocked"
    assert judge_runs(runs, None, "never").reason is None


def test_object_errors_are_named_when_they_count() -> None:
    faulty = run(
        0, "export", False, result="completed-export-errors", errors=[{"dn": f"CN={n}", "type": "x", "message": ""} for n in range(5)]
    )
    assert judge_runs([faulty], None, "stopped").reason is None
    verdict = judge_runs([faulty], None, "errors")
    assert verdict.reason == "object_errors"
    assert "CN=0; CN=1; CN=2 and others" in verdict.sentence
    three = run(0, "export", False, result="completed-export-errors", errors=faulty.errors[:3])
    assert judge_runs([three], None, "errors").sentence.endswith("CN=0; CN=1; CN=2.")
    assert judge_runs(cycle(0), None, "errors").reason is None
    assert judge_runs([run(0, result="stopped-server")], None, "stopped").reason == "cycle_failed"


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
    assert judge_events(Events(counts, {}, []), fail_on).reason == reason


def test_counters_become_changes() -> None:
    counts = step_counts([{"ExportAdd": 2, "ExportRename": 1}, {"ExportDeleteAdd": 1, "ExportFailure": 3}], ["export"])
    assert counts == {"add": 3, "update": 1, "delete": 1, "failed": 3}
    assert step_counts([{"StageAdd": 1, "ExportAdd": 9}], ["import"])["add"] == 1
    dashed = [{"stage-add": 1, "stage-delete-add": 2, "flow-failure": 3, "export-add": 9}]
    assert step_counts(dashed, ["import", "synchronization"]) == {"add": 3, "update": 0, "delete": 2, "failed": 3}
    report = change_report([run(0, "export", False, counts=counts), run(1, counts={"add": 1, "update": 0, "delete": 0, "failed": 0})])
    assert report == {"import": {"add": 1, "update": 0, "delete": 0, "failed": 0}, "export": counts}


def test_error_lists_are_read_whatever_they_are() -> None:
    text = '<e xmlns="urn:x"><export-error dn="CN=1"><error-type>A</error-type><error-literal>words</error-literal></export-error><o dn="CN=2"/></e>'
    assert object_errors(text) == [{"dn": "CN=1", "type": "A", "message": "words"}, {"dn": "CN=2", "type": "o", "message": ""}]
    assert object_errors("  ") == []
    assert object_errors("<broken")[0]["type"] == "unreadable"
    assert len(object_errors("<e>" + '<x dn="1"/>' * 99 + "</e>")) == 50


def test_a_long_and_nested_list_is_read_in_one_pass() -> None:
    """164 KiB of nested objects took 14 seconds."""
    depth = 164 * 1024 // 24
    text = "".join(f'<a dn="CN={n % 10}">' for n in range(depth)) + "</a>" * depth
    began = time.process_time()
    assert len(object_errors(text)) == 50
    assert time.process_time() - began < 0.5
    assert object_errors("<a>" * 50_000 + '<x dn="CN=deep"/>')[0]["dn"] == "CN=deep"


def test_entities_do_not_unfold() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><e dn="&b;"/>'
    assert object_errors(bomb)[0]["type"] == "unreadable"


def test_words_of_a_list_do_not_reach_a_terminal() -> None:
    (error,) = object_errors('<e><x dn="CN=a&#x9;b\u202e"><error-literal>one\ntwo\u2066</error-literal></x></e>')
    assert (error["dn"], error["message"]) == ("CN=a b\\u202e", "one two\\u2066")


def _events(*errors: tuple[str, int, str]) -> Events:
    counts = {f"{provider}/{number}": 1 for provider, number, _words in errors}
    found = [{"provider": provider, "id": number, "at": NOON, "message": words} for provider, number, words in errors]
    return Events(counts, {}, found)


@pytest.mark.parametrize(
    ("words", "pending", "limit"),
    [
        ("(612 pending deletes) has exceeded the current threshold of 500 objects", 612, 500),
        ("Die Anzahl der Löschungen (1.612) überschreitet den Schwellenwert 1.500.", 1612, 1500),
        ("1\u00a0612 suppressions en attente, seuil de 500", 1612, 500),
    ],
)
def test_the_deletions_that_were_held_back_are_counted(words: str, pending: int, limit: int) -> None:
    events = _events(("Directory Synchronization", 116, words))
    stopped = run(0, "export", False, result="stopped-deletion-threshold-exceeded")
    for verdict in (judge_runs([stopped], events, "stopped"), judge_events(events, "stopped")):
        assert verdict.reason == "deletion_threshold"
        assert f"{pending} deletions are pending, the limit is {limit}." in verdict.sentence


def test_event_116_may_be_information_on_the_limit() -> None:
    assert judge_events(_events(("Directory Synchronization", 116, "0 pending deletes, threshold 500")), "stopped").reason is None


def test_the_extension_may_stop_for_other_reasons_than_the_sign_in() -> None:
    cloud = run(0, directory=False, result="stopped-extension-dll-exception")
    assert judge_runs([cloud], _events(("Directory Synchronization", 115, "denied")), "stopped").reason == "cloud_sign_in_blocked"
    unknown = judge_runs([cloud], None, "stopped")
    assert unknown.reason == "cloud_sign_in_blocked"
    assert "else" in (unknown.remedy or "")
    assert judge_runs([cloud], _events(), "stopped").reason == "cycle_failed"
    assert judge_runs([run(0, result="stopped-extension-dll-exception")], None, "stopped").reason == "cycle_failed"


def test_the_cloud_connector_has_no_domain_controllers() -> None:
    cloud = judge_runs([run(0, directory=False, result="no-start-connection")], None, "stopped")
    assert cloud.reason == "connector_unreachable"
    assert "proxy" in (cloud.remedy or "")
    assert judge_runs([run(0, result="no-start-connection")], None, "stopped").remedy is None
