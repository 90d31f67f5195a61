# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""No verdict is better than its proof: what was started, exported and left behind on the server is held against what the task says."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta, timezone
from typing import Any

import procedures
import pytest
from estates import WITH_FAKES, MakeEstate
from patience import FOR_EVER, ends, wait_until

from lab.connect.errors import CmdletError

CASE = "ansible_collections.hybrid.identity.plugins.module_utils._sync._case"
DIRECT = {"history_refuses_network_logon": False}


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has to show itself does so at once in the lab."""
    monkeypatch.setattr(f"{CASE}.CONFIRM", 1.0)
    monkeypatch.setattr(f"{CASE}.IDLE_FOR_CERTAIN", 1.0)
    monkeypatch.setattr(f"{CASE}.IDLE_FOR_LEFTOVERS", 2.0)
    monkeypatch.setattr(procedures.RemoteShell, "RETRY_PAUSES", (0.1, 0.2))


def _now() -> str:
    return datetime.now(timezone.utc).isoformat()


def _carried(estate: Any) -> list[str]:
    """The profiles that did their work, in the engine's own history, oldest first."""
    return [f"{run.profile} {run.connector.type}" for run in reversed(estate.sync.engine.history) if run.result == "success"]


# -- a start that was lost


@pytest.mark.parametrize("history", ["local", "direct", "closed"])
def test_a_lost_start_is_no_success_where_nothing_was_started(history: str, make_estate: MakeEstate) -> None:
    """Times have seven digits on a server; six of them are another time, which is no sign of a cycle."""
    estate = make_estate(connect=DIRECT if history == "direct" else {})
    next_start = procedures.inform(estate)["scheduler"]["next_start"]
    assert next_start is not None
    for _again in range(3):
        estate.faults.arm("close_connection", verb="Command", skip=1)
        result = procedures.trigger(estate, "svc-limited" if history == "closed" else "svc-sync")
        assert result["failure_reason"] == "not_confirmed"
        assert result["sync"]["ownership"] == "unconfirmed"
        assert result["sync"]["state"] is None
        assert result["changed"] is True, "it may have been carried out"
        assert result["msg"].startswith("A start was sent, and its answer was lost")
    assert estate.sync.cycles == []


# -- the next start is no proof


@WITH_FAKES
def test_a_changed_interval_is_no_cycle(make_estate: MakeEstate) -> None:
    estate = make_estate()
    estate.sync.arm("accepted_but_nothing_starts")
    estate.sync.arm("interval_changed", cmdlet="Get-ADSyncConnectorRunStatus", skip=3, moment="after")
    result = procedures.trigger(estate)
    assert (result["failure_reason"], result["sync"]["state"]) == ("not_confirmed", "started")
    assert estate.sync.cycles == []


def test_a_changed_interval_is_weak_where_the_runs_cannot_be_read(make_estate: MakeEstate) -> None:
    estate = make_estate()
    estate.sync.arm("accepted_but_nothing_starts")
    estate.sync.arm("interval_changed", cmdlet="Get-ADSyncConnectorRunStatus", skip=2, moment="after")
    result = procedures.trigger(estate, "svc-limited")
    assert result["sync"]["state"] in ("confirmed", "started")
    assert result["sync"]["state"] == "started" or any("moves for other reasons" in warning for warning in result["warnings"])


def test_a_cycle_that_runs_on_is_followed_further(make_estate: MakeEstate) -> None:
    """The interval is changed while the cycle runs, and the flag lags: neither is an end."""
    estate = make_estate(cycle_seconds=2.0, connect={"flag_lag": 1.0})
    estate.sync.arm("interval_changed", phase=2)
    result = procedures.trigger(estate)
    assert (result["failure_reason"], result["sync"]["state"]) == (None, "verified")
    (cycle,) = estate.sync.cycles
    assert cycle.finished is not None
    assert len(result["runs"]) == 6


# -- a cycle without its parts


@WITH_FAKES
@pytest.mark.parametrize("history", ["local", "direct"])
@pytest.mark.parametrize(("phase", "lacks"), [(1, "synchronisation"), (3, "export")])
def test_our_cycle_that_somebody_stopped(history: str, phase: int, lacks: str, make_estate: MakeEstate) -> None:
    estate = make_estate(connect=DIRECT if history == "direct" else {})
    estate.sync.arm("cycle_stopped", phase=phase, moment="after")
    since = _now()
    result = procedures.trigger(estate, since=since)
    assert result["failure_reason"] == "cycle_failed"
    assert lacks in result["msg"]
    assert (result["changed"], result["sync"]["ownership"]) == (True, "own")
    assert "Export Extensible2" not in _carried(estate)
    again = procedures.trigger(estate, since=since)
    assert (again["changed"], again["sync"]["state"]) == (True, "verified"), "what was cut short does not cover"
    assert len(estate.sync.cycles) == 2


def test_a_foreign_cycle_that_was_stopped_does_not_cover(make_estate: MakeEstate) -> None:
    estate = make_estate()
    since = _now()
    time.sleep(0.05)
    estate.sync.arm("cycle_stopped", phase=1, moment="after")
    estate.sync.start_cycle()
    assert estate.sync.wait_idle()
    result = procedures.trigger(estate, since=since)
    assert (result["changed"], result["sync"]["ownership"], result["sync"]["state"]) == (True, "own", "verified")
    assert len(estate.sync.cycles) == 2


@WITH_FAKES
def test_a_foreign_cycle_that_is_stopped_while_it_is_awaited(make_estate: MakeEstate) -> None:
    estate = make_estate(cycle_seconds=8.0)
    since = (datetime.now(timezone.utc) - timedelta(seconds=6)).isoformat()
    estate.sync.arm("cycle_stopped", phase=1, moment="after")
    estate.sync.start_cycle()
    wait_until(lambda: estate.sync.engine.history)
    result = procedures.trigger(estate, since=since)
    assert result["failure_reason"] == "cycle_failed"
    assert (result["changed"], result["sync"]["ownership"]) == (False, "foreign")
    assert "export" in result["msg"]


@WITH_FAKES
@pytest.mark.parametrize("profiles", [("Delta Import", "Delta Synchronization"), ("Delta Import",), ("Export",)])
def test_profiles_by_hand_without_an_export_carry_nothing(profiles: tuple[str, ...], make_estate: MakeEstate) -> None:
    estate = make_estate()
    since = _now()
    time.sleep(0.05)
    for profile in profiles:
        estate.sync.engine.run_profile(estate.sync.engine.connector(True), profile, 0.05)
    result = procedures.trigger(estate, since=since)
    assert (result["changed"], result["sync"]["ownership"]) == (True, "own")
    assert len(estate.sync.cycles) == 1


def test_the_service_that_restarts_between_two_steps(make_estate: MakeEstate) -> None:
    estate = make_estate()
    estate.sync.arm("service_dies", phase=1, moment="after", seconds=0.5)
    result = procedures.trigger(estate)
    assert result["failure_reason"] in ("cycle_failed", "service_stopped")
    assert (result["changed"], result["sync"]["ownership"]) == (True, "own")
    assert "Export Extensible2" not in _carried(estate)


# -- what comes after an accepted start does not undo it


@WITH_FAKES
@pytest.mark.parametrize("code", [0x80080005, 0x80070426, 0x800706BE, 0x80010108])
def test_an_accepted_start_is_not_forgotten_when_looks_fail(code: int, make_estate: MakeEstate) -> None:
    estate = make_estate()
    estate.sync.arm("com_error", cmdlet="Get-ADSyncScheduler", skip=2, hresult=code)
    result = procedures.trigger(estate)
    assert (result["changed"], result["sync"]["ownership"], result["sync"]["state"]) == (True, "own", "verified")
    assert len(estate.sync.cycles) == 1, "it was not started again"


def test_an_accepted_start_is_told_first_when_the_server_stays_away(make_estate: MakeEstate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.hybrid.identity.plugins.module_utils._sync._pending.TROUBLE", 1.0)
    estate = make_estate()
    estate.sync.arm("service_dies", cmdlet="Start-ADSyncSyncCycle", moment="after")
    result = procedures.trigger(estate)
    assert result["failure_reason"] == "service_stopped"
    assert result["changed"] is True
    assert result["sync"]["requested_at"] is not None
    assert result["msg"].startswith(("The engine accepted the start. ", "A start was sent, and its answer was lost"))


def test_an_error_of_the_start_that_is_no_refusal_may_have_been_carried_out(make_estate: MakeEstate) -> None:
    estate = make_estate()
    estate.sync.arm("com_error", cmdlet="Start-ADSyncSyncCycle", hresult=0x800706BE, moment="after")
    result = procedures.trigger(estate)
    assert (result["changed"], result["sync"]["ownership"], result["sync"]["state"]) == (True, "unconfirmed", "verified")
    assert len(estate.sync.cycles) == 1


@WITH_FAKES
@pytest.mark.parametrize("fault", ["garbage", "truncated"])
def test_an_answer_to_the_start_that_makes_no_sense(fault: str, make_estate: MakeEstate) -> None:
    estate = make_estate()
    estate.faults.arm(fault, verb="Receive", skip=1)
    result = procedures.trigger(estate)
    assert result["changed"] is True
    assert len(estate.sync.cycles) <= 1
    assert result["sync"]["state"] == ("verified" if estate.sync.cycles else None)


# -- a service that is away


@WITH_FAKES
@pytest.mark.parametrize("services", [True, False], ids=["services listed", "services closed"])
@pytest.mark.parametrize("code", [0x80080005, 0x80070422, 0x80070426, 0x8007045B, 0x800706BA])
def test_a_service_that_goes_down_is_told_as_such(code: int, services: bool, make_estate: MakeEstate) -> None:
    estate = make_estate(connect={"services_readable": services})
    estate.sync.arm("com_error", cmdlet="Get-ADSyncScheduler", times=9, hresult=code)
    result = procedures.trigger(estate, "svc-limited")
    assert result["failure_reason"] == "service_stopped"
    assert "installation" not in result["msg"]


def test_an_error_that_nobody_knows_is_told_as_what_it_is(make_estate: MakeEstate) -> None:
    estate = make_estate()

    def fail(*_arguments: Any) -> Any:
        raise CmdletError("Vendor.StrangeException", -2146233000, "Strange", "NotSpecified", "Etwas Seltsames.")

    estate.sync._cmdlets["Get-ADSyncScheduler"] = fail
    result = procedures.trigger(estate)
    assert result["failure_reason"] == "engine_error"
    assert "Vendor.StrangeException, 0x80131558" in result["msg"]


# -- time


def test_every_call_ends_with_the_task(make_estate: MakeEstate) -> None:
    estate = make_estate(cycle_seconds=0.3)
    for fault in (
        {"cmdlet": "Get-ADSyncScheduler", "skip": 0},
        {"cmdlet": "Get-ADSyncScheduler", "skip": 3},
        {"cmdlet": "Start-ADSyncSyncCycle"},
    ):
        estate.sync.arm("cmdlet_hangs", seconds=FOR_EVER, **fault)
        with ends():
            result = procedures.trigger(estate, wait_timeout=3)
        assert result["failed"]
        estate.sync.wait_idle()
        estate.sync.faults.clear()


def test_the_start_of_powershell_is_no_difference_of_clocks(make_estate: MakeEstate) -> None:
    estate = make_estate(process_start=1.5)
    since = _now()
    result = procedures.trigger(estate, since=since)
    assert abs(result["clock_skew"]) < 1.0
    assert abs(result["clock_skew"]) <= result["clock_uncertainty"] + 0.2
    assert result["sync"]["started_at"] >= result["sync"]["since"]
    assert procedures.trigger(estate, since=since)["changed"] is False
    assert len(estate.sync.cycles) == 1


def test_the_end_is_told_by_the_history_after_an_outage(make_estate: MakeEstate) -> None:
    estate = make_estate(cycle_seconds=1.0)
    estate.sync.arm("connection", phase=2, fault="cut", refuse=2.5)
    result = procedures.trigger(estate)
    assert result["sync"]["state"] == "verified"
    finished = estate.sync.cycles[0].finished
    assert finished is not None
    told = datetime.fromisoformat(result["sync"]["finished_at"].replace("Z", "+00:00"))
    assert abs((told - finished).total_seconds()) < 0.5 + result["clock_uncertainty"]


# -- events where the history is closed


@WITH_FAKES
@pytest.mark.parametrize("number", [109, 6000, 6100, 6900, 0])
def test_events_that_tell_of_a_failure_are_told(number: int, make_estate: MakeEstate) -> None:
    estate = make_estate(connect={"tasks_run": False})
    provider = "Directory Synchronization" if number in (109, 0) else "ADSync"
    estate.sync.arm("event", phase=2, provider=provider, id=number, level=3, words=["Etwas ist schiefgegangen."])
    result = procedures.trigger(estate)
    assert result["sync"]["state"] == "finished"
    assert any(f"Event {number} of {provider}" in warning for warning in result["warnings"])


def test_two_tasks_and_a_foreign_cycle_are_three_cycles_at_most(make_estate: MakeEstate) -> None:
    estate = make_estate()
    results: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: results.append(procedures.trigger(estate))) for _unused in range(2)]
    for thread in threads:
        thread.start()
    estate.sync.start_cycle()
    for thread in threads:
        thread.join()
    assert [result["failure_reason"] for result in results] == [None, None]
    assert len(estate.sync.cycles) <= 3
    assert sum(result["changed"] for result in results) == sum(cycle.origin == "manual" for cycle in estate.sync.cycles)
