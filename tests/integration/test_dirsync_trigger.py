# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""dirsync_trigger against the simulated sync server, over real pywinrm (NTLM, encrypted messages).

What people meet there by number and name is in test_situations.py.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta, timezone
from typing import Any

import procedures
import pytest
from estates import WITH_FAKES, MakeEstate
from patience import wait_until

from lab.estate import Estate
from lab.powershell.runner import Finished

KEYS = {
    "changed", "server", "engine", "version", "support", "sync", "runs", "changes", "evidence", "clock_skew", "clock_uncertainty", "ticket",
    "skip_reason", "failure_reason", "msg",
}  # fmt: skip


def _now() -> str:
    return datetime.now(timezone.utc).isoformat()


def test_own_cycle_is_started_followed_and_verified(make_estate: MakeEstate) -> None:
    estate = make_estate()
    seen: list[str] = []
    result = procedures.trigger(estate, progress=seen.append)
    assert result["changed"] is True
    assert set(result) >= KEYS
    assert result["sync"]["ownership"] == "own"
    assert result["sync"]["state"] == "verified"
    assert [run["profile"] for run in result["runs"]] == [
        "Delta Import", "Delta Import", "Delta Synchronization", "Delta Synchronization", "Export", "Export",
    ]  # fmt: skip
    assert set(result["evidence"]) == {"scheduler", "events", "run_history"}
    assert len(estate.sync.cycles) == 1
    assert estate.sync.cycles[0].origin == "manual"
    assert result["msg"] == "The delta cycle was started and has finished, and its results are verified."
    assert result["diff"]["before"] == {"carried_since": None}
    assert set(result["diff"]["after"]) == {"carried_since", "ownership", "state", "changes"}
    assert any("starting" in line for line in seen)
    assert estate.sync.windows.task_names() == []
    log = estate.wsman.log
    assert log.shells_opened == log.shells_closed == 1


def test_second_run_with_the_same_since_changes_nothing(make_estate: MakeEstate) -> None:
    estate = make_estate()
    since = procedures.lately()
    assert procedures.trigger(estate, since=since)["changed"] is True
    again = procedures.trigger(estate, since=since)
    assert again["changed"] is False
    assert again["sync"]["ownership"] == "foreign"
    assert again["sync"]["state"] == "verified"
    assert again["diff"]["before"] == again["diff"]["after"] == {"carried_since": again["sync"]["since"]}
    assert again["sync"]["finished_at"] >= again["sync"]["started_at"]
    assert again["sync"]["duration"] > 0
    assert len(estate.sync.cycles) == 1
    assert procedures.trigger(estate, max_age=60)["changed"] is False
    assert procedures.trigger(estate, max_age=0)["changed"] is True


def test_check_mode_reads_and_predicts(make_estate: MakeEstate) -> None:
    estate = make_estate()
    since = procedures.lately()
    predicted = procedures.trigger(estate, check_mode=True, since=since)
    assert predicted["changed"] is True
    assert estate.sync.cycles == []
    procedures.trigger(estate, since=since)
    predicted = procedures.trigger(estate, check_mode=True, since=since)
    assert predicted["changed"] is False
    assert len(estate.sync.cycles) == 1


def test_full_cycle_and_a_delta_does_not_stand_in_for_it(make_estate: MakeEstate) -> None:
    estate = make_estate()
    since = procedures.lately()
    procedures.trigger(estate, since=since)
    result = procedures.trigger(estate, since=since, type="full")
    assert result["changed"] is True
    assert result["runs"][0]["profile"] == "Full Import"
    assert procedures.trigger(estate, since=since, type="full")["changed"] is False
    assert procedures.trigger(estate, since=since)["changed"] is False


def test_without_waiting_it_ends_when_the_cycle_is_seen(make_estate: MakeEstate) -> None:
    estate = make_estate(cycle_seconds=3)
    result = procedures.trigger(estate, wait=False)
    assert result["sync"]["state"] == "confirmed"
    assert result["changed"] is True
    assert estate.sync.engine.in_progress


@WITH_FAKES
def test_foreign_cycle_past_its_import_does_not_count(make_estate: MakeEstate) -> None:
    estate = make_estate(cycle_seconds=1.5)
    estate.sync.start_cycle()
    wait_until(lambda: estate.sync.cycles and estate.sync.cycles[0].import_began and len(estate.sync.engine.history) > 1)
    result = procedures.trigger(estate)
    assert result["changed"] is True
    assert result["sync"]["ownership"] == "own"
    assert len(estate.sync.cycles) == 2
    assert estate.sync.cycles[1].origin == "manual"
    assert estate.sync.cycles[1].started >= (estate.sync.cycles[0].finished or estate.sync.cycles[1].started)


@WITH_FAKES
def test_foreign_cycle_that_covers_it_is_awaited_and_counts(make_estate: MakeEstate) -> None:
    estate = make_estate(cycle_seconds=8)
    since = (datetime.now(timezone.utc) - timedelta(seconds=6)).isoformat()
    estate.sync.start_cycle()
    wait_until(lambda: estate.sync.cycles and estate.sync.cycles[0].import_began)
    assert procedures.trigger(estate, since=since, check_mode=True)["sync"]["ownership"] == "foreign"
    result = procedures.trigger(estate, since=since)
    assert result["changed"] is False
    assert result["sync"]["ownership"] == "foreign"
    assert result["sync"]["state"] == "verified"
    assert len(result["runs"]) == 6, "it was followed to its end"
    assert len(estate.sync.cycles) == 1


def test_connector_running_by_hand_is_waited_for(make_estate: MakeEstate) -> None:
    estate = make_estate()
    connector = estate.sync.engine.connectors[1]
    threading.Thread(target=estate.sync.engine.run_profile, args=(connector, "Export", 1.5)).start()
    wait_until(lambda: estate.sync.engine.busy is not None)
    result = procedures.trigger(estate)
    assert result["sync"]["ownership"] == "own"
    assert result["sync"]["state"] == "verified"


def test_two_tasks_at_once(make_estate: MakeEstate) -> None:
    estate = make_estate(cycle_seconds=1.5)
    results: list[dict[str, Any]] = []
    began = datetime.now(timezone.utc)
    threads = [threading.Thread(target=lambda: results.append(procedures.trigger(estate))) for _unused in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result["failure_reason"] for result in results] == [None, None]
    assert 1 <= len(estate.sync.cycles) <= 2
    owners = sorted(result["sync"]["ownership"] for result in results)
    assert owners == (["foreign", "own"] if len(estate.sync.cycles) == 1 else ["own", "own"])
    assert sum(result["changed"] for result in results) == len(estate.sync.cycles)
    for result in results:
        assert datetime.fromisoformat(result["sync"]["started_at"].replace("Z", "+00:00")) >= began - timedelta(seconds=1)


def test_accepted_but_nothing_starts(make_estate: MakeEstate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.hybrid.identity.plugins.module_utils._sync._case.CONFIRM", 1.0)
    estate = make_estate()
    estate.sync.arm("accepted_but_nothing_starts")
    result = procedures.trigger(estate)
    assert result["failure_reason"] == "not_confirmed"
    assert result["failed"] is True
    assert result["sync"]["state"] == "started"
    assert estate.sync.cycles == []


def test_slow_start_is_waited_for(make_estate: MakeEstate) -> None:
    estate = make_estate()
    estate.sync.arm("slow_start", seconds=1.5)
    result = procedures.trigger(estate)
    assert result["sync"]["state"] == "verified"
    assert len(estate.sync.cycles) == 1


def _break_the_start(estate: Estate) -> None:
    """Drop the connection as soon as the start has been carried out, while its answer is awaited."""
    estate.sync.arm("connection", fault="cut", cmdlet="Start-ADSyncSyncCycle", moment="after")


def test_start_lost_with_the_connection_after_it_was_carried_out(make_estate: MakeEstate) -> None:
    estate = make_estate(cycle_seconds=3)
    _break_the_start(estate)
    result = procedures.trigger(estate)
    assert result["failure_reason"] is None
    assert result["sync"]["ownership"] == "unconfirmed"
    assert result["sync"]["state"] == "verified"
    assert result["changed"] is True
    assert len(estate.sync.cycles) == 1


def test_start_lost_and_nothing_began(make_estate: MakeEstate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.hybrid.identity.plugins.module_utils._sync._case.CONFIRM", 1.0)
    estate = make_estate()
    estate.faults.arm("close_connection", verb="Command", skip=1)
    result = procedures.trigger(estate)
    assert result["failure_reason"] == "not_confirmed"
    assert estate.sync.cycles == []


@WITH_FAKES
def test_start_lost_and_the_cycle_outlasts_the_look(make_estate: MakeEstate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.hybrid.identity.plugins.module_utils._sync._case.START_SLICE", 0.5)
    estate = make_estate(cycle_seconds=3)
    _break_the_start(estate)
    result = procedures.trigger(estate)
    assert (result["sync"]["ownership"], result["sync"]["state"]) == ("unconfirmed", "verified")
    assert len(result["runs"]) == 6


@WITH_FAKES
def test_start_lost_without_waiting(make_estate: MakeEstate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.hybrid.identity.plugins.module_utils._sync._case.START_SLICE", 0.5)
    estate = make_estate(cycle_seconds=4)
    _break_the_start(estate)
    result = procedures.trigger(estate, wait=False)
    assert (result["sync"]["ownership"], result["sync"]["state"]) == ("unconfirmed", "confirmed")
    assert len(estate.sync.cycles) == 1


def _end_before_the_answer(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cycle is over before the start has answered, and the time of the next one does not tell."""
    cmdlets = estate.sync._cmdlets
    start = cmdlets["Start-ADSyncSyncCycle"]

    def start_and_end(*arguments: Any) -> Any:
        answer = start(*arguments)
        estate.sync.wait_idle()
        return answer

    monkeypatch.setitem(cmdlets, "Start-ADSyncSyncCycle", start_and_end)
    monkeypatch.setattr("ansible_collections.hybrid.identity.plugins.module_utils._sync._case.CONFIRM", 1.0)


def test_a_cycle_too_short_to_be_seen_is_proven_by_its_runs(make_estate: MakeEstate, monkeypatch: pytest.MonkeyPatch) -> None:
    estate = make_estate(cycle_seconds=0.3, connect={"next_start_known": False})
    _end_before_the_answer(estate, monkeypatch)
    result = procedures.trigger(estate)
    assert (result["changed"], result["sync"]["ownership"], result["sync"]["state"]) == (True, "own", "verified")
    assert len(result["runs"]) == 6
    estate.sync.arm("directory_unreachable")
    assert procedures.trigger(estate)["failure_reason"] == "connector_unreachable"
    assert len(estate.sync.cycles) == 2
    estate.sync.arm("accepted_but_nothing_starts")
    assert procedures.trigger(estate)["failure_reason"] == "not_confirmed", "the cycle before is no trace of this start"


@WITH_FAKES
def test_broken_polls_are_repeated(make_estate: MakeEstate) -> None:
    estate = make_estate(cycle_seconds=1.0)
    estate.faults.arm("close_connection", verb="Receive")  # strikes the probe
    result = procedures.trigger(estate)
    assert result["sync"]["state"] == "verified"
    assert len(estate.sync.cycles) == 1


@WITH_FAKES
def test_a_broken_long_poll_is_repeated(make_estate: MakeEstate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.hybrid.identity.plugins.module_utils._sync._case.START_SLICE", 0.3)
    monkeypatch.setattr(procedures.RemoteShell, "RETRY_PAUSES", (0.1, 0.1, 0.1))
    estate = make_estate(cycle_seconds=3)
    estate.faults.arm("close_connection", verb="Receive", skip=2, after=False)
    result = procedures.trigger(estate)
    assert estate.faults.active() == []
    assert (result["sync"]["ownership"], result["sync"]["state"]) == ("own", "verified")
    assert len(estate.sync.cycles) == 1


@WITH_FAKES
def test_time_is_over_while_our_cycle_runs(make_estate: MakeEstate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.hybrid.identity.plugins.module_utils._sync._case.START_SLICE", 0.5)
    estate = make_estate(cycle_seconds=5)
    result = procedures.trigger(estate, wait_timeout=1)
    assert result["failure_reason"] == "wait_timeout"
    assert result["sync"]["state"] == "confirmed"
    assert result["changed"] is True


@WITH_FAKES
def test_time_is_over_while_somebody_else_runs(make_estate: MakeEstate) -> None:
    estate = make_estate(cycle_seconds=5)
    estate.sync.start_cycle()
    wait_until(lambda: estate.sync.cycles)
    result = procedures.trigger(estate, wait_timeout=1)
    assert result["failure_reason"] == "busy_timeout"
    assert result["changed"] is False


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"installed": False}, "not_a_sync_server"),
        ({"installed": False, "other_services": ("FIMSynchronizationService",)}, "not_a_sync_server"),
        ({"product_version": "2.4.129.0"}, "engine_unsupported"),
    ],
)
def test_refusals(make_estate: MakeEstate, changes: dict[str, Any], reason: str) -> None:
    estate = make_estate(connect=changes)
    result = procedures.trigger(estate, on_retired="refuse")
    assert result["failure_reason"] == reason
    assert set(result) >= KEYS
    assert "\n" not in result["msg"]
    assert estate.sync.cycles == []


def test_proceeding_on_purpose(make_estate: MakeEstate) -> None:
    estate = make_estate(connect={"staging": True, "enabled": False})
    result = procedures.trigger(estate, on_staging="proceed", on_disabled="proceed")
    assert result["sync"]["state"] == "verified"
    assert [run["profile"] for run in result["runs"]].count("Export") == 0


@pytest.mark.parametrize(
    ("user", "changes", "reason"),
    [
        ("svc-sync", {"password": "wrong-Passw0rd"}, "authentication_failed"),
        ("svc-sync", {"port": 9}, "unreachable"),
        ("svc-sync", {"server": "no-such-host.invalid"}, "unreachable"),
    ],
)
def test_no_way_in(make_estate: MakeEstate, user: str, changes: dict[str, Any], reason: str) -> None:
    estate = make_estate()
    result = procedures.trigger(estate, user, connect=changes)
    assert result["failure_reason"] == reason
    assert "\n" not in result["msg"]
    assert "wrong-Passw0rd" not in str(result)


def test_a_run_that_could_not_do_its_work(make_estate: MakeEstate) -> None:
    estate = make_estate()
    estate.sync.arm("run_result", kind="directory", profile="Delta Synchronization", result="stopped-server")
    result = procedures.trigger(estate)
    assert (result["failure_reason"], result["sync"]["state"], result["changed"]) == ("cycle_failed", "verified", True)
    assert result["runs"]


@WITH_FAKES
def test_covering_cycle_that_failed_does_not_count(make_estate: MakeEstate) -> None:
    estate = make_estate()
    since = _now()
    estate.sync.arm("directory_unreachable")
    procedures.trigger(estate, since=since)
    assert procedures.trigger(estate, since=since)["changed"] is True


@WITH_FAKES
def test_minimum_interval(make_estate: MakeEstate) -> None:
    estate = make_estate()
    procedures.trigger(estate)
    assert procedures.trigger(estate, min_interval=60)["failure_reason"] == "too_soon"
    assert procedures.trigger(estate, min_interval=60, check_mode=True)["failure_reason"] == "too_soon"
    assert len(estate.sync.cycles) == 1
    time.sleep(2)
    assert procedures.trigger(estate, min_interval=1)["sync"]["state"] == "verified"


@WITH_FAKES
def test_a_moment_just_ahead_is_waited_for(make_estate: MakeEstate) -> None:
    estate = make_estate()
    since = datetime.now(timezone.utc) + timedelta(seconds=3)
    result = procedures.trigger(estate, since=since.isoformat())
    assert result["sync"]["state"] == "verified"
    assert estate.sync.cycles[0].import_began is not None
    assert estate.sync.cycles[0].import_began >= since


@pytest.mark.parametrize(
    "estate_options",
    [
        {"language": "de", "culture": "de-DE"},
        {"language": "de", "culture": "fr-FR", "codepage": 850},
        {"codepage": 437},
        {"clock_offset": 900.0},
        {"clock_offset": -900.0},
    ],
    ids=["german", "cp850", "cp437", "ahead", "behind"],
)
def test_same_verdicts_elsewhere(make_estate: MakeEstate, estate_options: dict[str, Any]) -> None:
    estate = make_estate(**estate_options)
    began = datetime.now(timezone.utc)
    since = procedures.lately()
    result = procedures.trigger(estate, since=since)
    assert (result["changed"], result["sync"]["ownership"], result["sync"]["state"]) == (True, "own", "verified")
    started = datetime.fromisoformat(result["sync"]["started_at"].replace("Z", "+00:00"))
    assert timedelta(seconds=-2) < started - began < timedelta(seconds=20), "the report is on this machine's clock"
    assert abs(result["clock_skew"] - estate_options.get("clock_offset", 0)) < 5
    assert procedures.trigger(estate, since=since)["changed"] is False
    estate.sync.start_cycle()
    wait_until(lambda: len(estate.sync.cycles) == 2 and len(estate.sync.engine.history) > 7)
    assert procedures.trigger(estate)["sync"]["ownership"] == "own"
    for changes, reason in (
        ({"suspended": True}, "scheduler_suspended"),
        ({"suspended": False, "service_running": False}, "service_stopped"),
    ):
        estate.sync.configure(**changes)
        assert procedures.trigger(estate)["failure_reason"] == reason


def test_caller_without_rights_on_events_and_tasks(make_estate: MakeEstate) -> None:
    estate = make_estate()
    result = procedures.trigger(estate, "svc-limited")
    assert (result["changed"], result["sync"]["ownership"], result["sync"]["state"]) == (True, "own", "finished")
    assert result["evidence"] == ["scheduler"]
    assert result["msg"] == "The delta cycle was started and has finished."
    assert result["runs"] == []
    assert any("scheduled task" in warning for warning in result["warnings"])
    assert any("events" in warning for warning in result["warnings"])


def test_history_that_answers_directly(make_estate: MakeEstate) -> None:
    estate = make_estate(connect={"history_refuses_network_logon": False})
    before = estate.host.processes_started
    assert procedures.trigger(estate)["sync"]["state"] == "verified"
    assert estate.host.processes_started - before == 2


@WITH_FAKES
def test_two_servers_and_the_active_one_is_chosen(make_estate: MakeEstate) -> None:
    active, passive = make_estate(), make_estate(connect={"staging": True})

    def shells() -> list[Any]:
        return [("passive", procedures.open_shell(passive)), ("active", procedures.open_shell(active))]

    result = procedures.trigger_over(shells())
    assert (result["server"], result["sync"]["state"]) == ("active", "verified")
    assert passive.sync.cycles == []
    passive.sync.configure(staging=False)
    assert procedures.trigger_over(shells())["failure_reason"] == "two_active_servers"
    active.sync.configure(staging=True)
    passive.sync.configure(staging=True)
    assert procedures.trigger_over(shells())["failure_reason"] == "no_active_server"


@pytest.mark.parametrize(("changes", "word"), [({"port": 9}, "refused the connection"), ({}, "does not run")], ids=["down", "stopped"])
@WITH_FAKES
def test_of_two_servers_one_cannot_be_looked_at(make_estate: MakeEstate, changes: dict[str, Any], word: str) -> None:
    active, other = make_estate(), make_estate(connect={"service_running": False})

    def shells() -> list[Any]:
        return [("other", procedures.open_shell(other, **changes)), ("active", procedures.open_shell(active))]

    result = procedures.trigger_over(shells())
    assert (result["server"], result["sync"]["state"]) == ("active", "verified")
    assert [word in warning and "other" in warning for warning in result["warnings"]] == [True]
    active.sync.configure(staging=True)
    assert procedures.trigger_over(shells())["failure_reason"] == ("unreachable" if changes else "service_stopped")


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"since": "yesterday"}, "yesterday"),
        ({"since": "2999-01-01T00:00:00Z"}, "future"),
        ({"wait_timeout": 0}, "wait_timeout"),
        ({"max_age": -1}, "max_age"),
    ],
)
@WITH_FAKES
def test_bad_options(make_estate: MakeEstate, params: dict[str, Any], words: str) -> None:
    result = procedures.trigger(make_estate(), **params)
    assert result["failure_reason"] == "invalid_input"
    assert words in result["msg"]


def test_info_tells_what_it_can(make_estate: MakeEstate) -> None:
    estate = make_estate()
    procedures.trigger(estate)
    told = procedures.inform(estate)
    assert told["engine"] == "connect"
    assert told["version"] == "2.6.92.0"
    assert told["support"] == "supported"
    assert told["services"] == {"ADSync": "running"}
    assert told["scheduler"]["staging"] is False
    assert told["access"] == {"scheduler": True, "history": "local", "events": True, "services": True}
    assert {run["profile"] for run in told["last_runs"]} == {"Delta Import", "Delta Synchronization", "Export"}
    assert told["password_sync"]["heartbeat"] is not None
    assert told["problems"] == {} or set(told["problems"]) == set()


def test_info_with_half_of_it_forbidden(make_estate: MakeEstate) -> None:
    estate = make_estate(connect={"services_readable": False})
    told = procedures.inform(estate, "svc-limited")
    assert told["services"] == {"ADSync": None}
    assert told["scheduler"]["enabled"] is True
    assert set(told["problems"]) == {"services", "history", "events"}
    outsider = procedures.inform(estate, "svc-outsider")
    assert outsider["blocked_by"] == "engine_access_denied"
    assert outsider["scheduler"] is None
    assert outsider["version"] == "2.6.92.0"


def test_info_of_a_stopped_service(make_estate: MakeEstate) -> None:
    told = procedures.inform(make_estate(connect={"service_running": False}))
    assert told["blocked_by"] == "service_stopped"
    assert told["services"] == {"ADSync": "stopped"}


def test_a_server_whose_powershell_does_not_run_scripts(make_estate: MakeEstate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(procedures.RemoteShell, "RETRY_PAUSES", ())
    estate = make_estate()
    monkeypatch.setattr(estate.host, "_run", lambda *_arguments: Finished(1, b"", b"sh: PowerShell: not found"))
    result = procedures.trigger(estate)
    assert result["failure_reason"] == "not_a_sync_server"
    assert "did not run the script" in result["msg"]
