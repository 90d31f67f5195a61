# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The simulated sync server is as unkind as a real one, and its record knows what really happened."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from patience import wait_until

from lab.clock import Clock, LocalTime, UnspecifiedTime, last_digit, ticks
from lab.connect import FAULTS, Caller, CmdletError, ConnectOptions, ConnectServer
from lab.connect.happenings import Happenings
from lab.powershell.bridge import encode
from lab.windows.envelope import parse_round_trip, round_trip

ADMIN = Caller("LAB\\svc-sync", False, frozenset({"ADSyncAdmins", "EventLogReaders", "Administrators"}))


@pytest.fixture
def make_server() -> Iterator[Callable[..., ConnectServer]]:
    servers: list[ConnectServer] = []

    def make(**options: Any) -> ConnectServer:
        chosen = {"cycle_seconds": 0.3, **options}
        servers.append(ConnectServer(Clock(), options=ConnectOptions(**chosen)))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


def call(server: ConnectServer, name: str, **parameters: Any) -> Any:
    return server.call(ADMIN, name, parameters)


def results(server: ConnectServer) -> list[tuple[str, str]]:
    """(profile, result) of the history, oldest first."""
    return [(run["RunProfileName"], run["Result"]) for run in reversed(call(server, "Get-ADSyncRunProfileResult"))]


# -- times


def test_times_have_seven_digits_that_do_not_end_in_zero() -> None:
    times = [datetime(2026, 11, 24, 12, 0, second, micro, timezone.utc) for second in range(3) for micro in (0, 1, 10, 123456, 999999)]
    assert all(last_digit(one) != 0 for one in times)
    assert [ticks(one) for one in times] == sorted(ticks(one) for one in times)
    for one in times:
        text = round_trip(one)
        assert len(text) == 28
        assert text[-2] != "0"
        assert round_trip(parse_round_trip(text)) == text, "the same stored time has the same text each time"
        assert encode(one)["#datetime"] % 10 == int(text[-2]), "PowerShell sees the same digits as the fakes"
    assert ticks(datetime(1, 1, 1, tzinfo=timezone.utc)) == 0


def test_a_time_cut_to_six_digits_is_another_time() -> None:
    text = round_trip(datetime(2026, 11, 24, 12, 0, 0, 265086, timezone.utc))
    assert text != text[:26] + "0Z"


@pytest.mark.parametrize(("kind", "type"), [("utc", datetime), ("unspecified", UnspecifiedTime), ("local", LocalTime)])
def test_times_of_the_engine_have_a_kind(kind: str, type: type[datetime], make_server: Callable[..., ConnectServer]) -> None:
    server = make_server(date_kind=kind, running_has_end_date=False)
    server.engine.run_profile(server.engine.connector(True), "Delta Import", 0)
    run = call(server, "Get-ADSyncRunProfileResult")[0]
    assert run["StartDate"].__class__ is run["EndDate"].__class__ is type
    assert encode(run["StartDate"])["#kind"] == "~" + kind.capitalize()
    assert run["StartDate"] == server.engine.history[0].started
    assert call(server, "Get-ADSyncScheduler")["NextSyncCycleStartTimeInUTC"].__class__ is type


@pytest.mark.parametrize("end_date", [True, False])
def test_a_running_run_has_a_minimum_date_or_none(end_date: bool, make_server: Callable[..., ConnectServer]) -> None:
    server = make_server(running_has_end_date=end_date)
    server.start_cycle()
    wait_until(lambda: server.engine.busy)
    run = call(server, "Get-ADSyncRunProfileResult", NumberRequested=1)[0]
    assert run["Result"] == "in-progress"
    assert run["EndDate"] == (datetime(1, 1, 1, tzinfo=timezone.utc) if end_date else None)


# -- the cycle


def test_a_whole_cycle_carries_and_its_record_says_so(make_server: Callable[..., ConnectServer]) -> None:
    server = make_server(more_directories=("forest2.test",))
    since = time.time()
    assert call(server, "Start-ADSyncSyncCycle", PolicyType="Delta") == {"Result": "Success"}
    assert not server.record.carried_since(since)
    assert server.wait_idle()
    assert len(results(server)) == 9
    assert server.record.carried_since(since)
    assert not server.record.carried_since(time.time())
    assert not server.record.carried_since(since, full=True)
    (start,), (cycle,) = server.record.starts, server.record.cycles
    assert (start.user, start.outcome, start.cycle) == ("LAB\\svc-sync", "accepted", 1)
    assert (cycle.by, cycle.whole, cycle.over is not None) == ("LAB\\svc-sync", True, True)
    assert server.record.cycles_of("svc-sync") == [cycle]
    assert any("Export on lab.onmicrosoft.com" in line for line in server.record.as_lines(since))


def test_the_second_forest_counts(make_server: Callable[..., ConnectServer]) -> None:
    server = make_server(more_directories=("forest2.test",))
    server.arm("run_result", profile="Delta Import", connector="forest2.test", result="no-start-connection")
    since = time.time()
    server.start_cycle()
    server.wait_idle()
    assert not server.record.carried_since(since)


def test_profiles_by_hand_carry_only_with_the_export(make_server: Callable[..., ConnectServer]) -> None:
    server = make_server()
    since = time.time()
    directory, cloud = server.engine.connector(True), server.engine.connector(False)
    for profile in ("Delta Import", "Delta Synchronization"):
        server.engine.run_profile(directory, profile, 0)
    assert not server.record.carried_since(since)
    server.engine.run_profile(cloud, "Export", 0)
    assert server.record.carried_since(since)
    assert server.record.carried_since(since, export=False)
    assert server.record.cycles == []


@pytest.mark.parametrize("moment", ["before", "within", "after"])
def test_a_cycle_is_stopped_at_a_phase(moment: str, make_server: Callable[..., ConnectServer]) -> None:
    server = make_server()
    server.arm("cycle_stopped", phase=2, moment=moment)
    since = time.time()
    server.start_cycle()
    assert server.wait_idle()
    runs = results(server)
    assert len(runs) == {"before": 2, "within": 3, "after": 3}[moment]
    assert (runs[-1][1] == "stopped-user-termination-from-wmi-or-ui") == (moment == "within")
    assert not server.record.cycles[0].whole
    assert not server.record.carried_since(since)


def test_somebody_stops_a_cycle_and_starts_another(make_server: Callable[..., ConnectServer]) -> None:
    server = make_server()
    server.arm("cycle_stopped", phase=1, then_starts=True)
    call(server, "Start-ADSyncSyncCycle", PolicyType="Delta")
    wait_until(lambda: len(server.record.cycles) == 2 and server.record.cycles[1].over)
    assert [(cycle.by, cycle.whole) for cycle in server.record.cycles] == [("LAB\\svc-sync", False), ("scheduler", True)]


@pytest.mark.parametrize("graceful", [True, False])
def test_the_service_dies_at_a_phase_and_comes_back(graceful: bool, make_server: Callable[..., ConnectServer]) -> None:
    server = make_server(stopped_hresult=0x80070426)
    server.arm("service_dies", phase=2, moment="within", graceful=graceful, seconds=0.3)
    before = call(server, "Get-ADSyncScheduler")["NextSyncCycleStartTimeInUTC"]
    server.start_cycle()
    wait_until(lambda: not server.options.service_running)
    assert call(server, "Get-Service", Name="ADSync")[0]["Status"] == "Stopped"
    with pytest.raises(CmdletError) as caught:
        call(server, "Get-ADSyncScheduler")
    assert caught.value.hresult & 0xFFFFFFFF == 0x80070426
    wait_until(lambda: server.options.service_running)
    state = call(server, "Get-ADSyncScheduler")
    assert state["SyncCycleInProgress"] is False
    assert state["NextSyncCycleStartTimeInUTC"] == before
    assert results(server)[-1] == ("Delta Synchronization", "stopped-service-shutdown" if graceful else "in-progress")
    assert call(server, "Get-ADSyncConnectorRunStatus") == []
    time.sleep(0.3)
    assert len(results(server)) == 3, "the cycle does not go on"
    assert server.record.cycles[0].over is not None
    assert server.record.runs[-1].over is not None


def test_the_service_dies_at_a_call(make_server: Callable[..., ConnectServer]) -> None:
    server = make_server(cycle_seconds=3)
    server.arm("service_dies", cmdlet="Start-ADSyncSyncCycle", moment="after", seconds=0.1, moves_next_start=True)
    before = call(server, "Get-ADSyncScheduler")["NextSyncCycleStartTimeInUTC"]
    with pytest.raises(CmdletError) as caught:
        call(server, "Start-ADSyncSyncCycle", PolicyType="Delta")
    assert caught.value.hresult & 0xFFFFFFFF == 0x800706BE
    wait_until(lambda: server.options.service_running)
    assert server.record.starts[0].outcome == "accepted"
    assert call(server, "Get-ADSyncScheduler")["NextSyncCycleStartTimeInUTC"] > before
    assert not server.engine.active


@pytest.mark.parametrize("hresult", [0x80080005, 0x80070422, 0x80070426, 0x8007045B, 0x800706BA, 0x800706BE, 0x80010108])
def test_com_errors_at_any_cmdlet(hresult: int, make_server: Callable[..., ConnectServer]) -> None:
    server = make_server()
    server.arm("com_error", cmdlet="*", hresult=hresult, skip=1)
    call(server, "Get-ADSyncScheduler")
    with pytest.raises(CmdletError) as caught:
        call(server, "Get-ADSyncConnector")
    assert caught.value.type == "System.Runtime.InteropServices.COMException"
    assert caught.value.hresult & 0xFFFFFFFF == hresult
    assert f"{hresult:08x}" in caught.value.message.lower()
    server.arm("com_error", cmdlet="Start-ADSyncSyncCycle", hresult=hresult, moment="after")
    with pytest.raises(CmdletError):
        call(server, "Start-ADSyncSyncCycle", PolicyType="Delta")
    wait_until(lambda: server.record.cycles)


def test_the_flag_lags_the_start(make_server: Callable[..., ConnectServer]) -> None:
    server = make_server(flag_lag=0.2, cycle_seconds=0.5)
    server.start_cycle()
    assert call(server, "Get-ADSyncScheduler")["SyncCycleInProgress"] is False
    with pytest.raises(CmdletError, match="already running"):
        call(server, "Start-ADSyncSyncCycle", PolicyType="Delta")
    wait_until(lambda: call(server, "Get-ADSyncScheduler")["SyncCycleInProgress"])
    assert server.record.starts[0].outcome == "refused"


def test_the_interval_moves_the_next_start_without_a_cycle(make_server: Callable[..., ConnectServer]) -> None:
    server = make_server()
    before = call(server, "Get-ADSyncScheduler")["NextSyncCycleStartTimeInUTC"]
    server.arm("interval_changed", cmdlet="Get-ADSyncConnectorRunStatus", minutes=90)
    call(server, "Get-ADSyncConnectorRunStatus")
    assert call(server, "Get-ADSyncScheduler")["NextSyncCycleStartTimeInUTC"] > before + timedelta(minutes=50)
    assert server.record.cycles == []


def test_the_history_is_purged_and_the_record_is_not(make_server: Callable[..., ConnectServer]) -> None:
    server = make_server()
    since = time.time()
    server.start_cycle()
    server.wait_idle()
    server.arm("history_purged", cmdlet="Get-ADSyncRunProfileResult", keep=2)
    assert len(results(server)) == 2
    assert server.record.carried_since(since)


def test_somebody_else_acts_at_a_place(make_server: Callable[..., ConnectServer]) -> None:
    server = make_server()
    server.arm("foreign_cycle", phase="end")
    server.arm("profiles_by_hand", phase="end", profiles=["Export"], each=0.05, origin="scheduled")
    call(server, "Start-ADSyncSyncCycle", PolicyType="Delta")
    wait_until(lambda: len(server.record.runs) == 13 and not server.engine.active)
    assert [cycle.by for cycle in server.record.cycles] == ["LAB\\svc-sync", "scheduler"]
    assert server.record.runs[-1].cycle is None


def test_the_clock_jumps_and_the_record_does_not(make_server: Callable[..., ConnectServer]) -> None:
    server = make_server()
    server.arm("clock_jumps", cmdlet="Start-ADSyncSyncCycle", seconds=-600)
    since = time.time()
    call(server, "Start-ADSyncSyncCycle", PolicyType="Delta")
    server.wait_idle()
    assert server.cycles[0].started < datetime.now(timezone.utc) - timedelta(minutes=9)
    assert server.record.carried_since(since)


@pytest.mark.parametrize(
    ("provider", "number"),
    [("Directory Synchronization", 109), ("Directory Synchronization", 0), ("ADSync", 6000), ("ADSync", 6100), ("ADSync", 6900)],
)
def test_events_of_failure_have_words(provider: str, number: int, make_server: Callable[..., ConnectServer]) -> None:
    server = make_server()
    server.arm("event", phase=0, provider=provider, id=number, words=["particulars"])
    server.start_cycle()
    server.wait_idle()
    events = call(server, "Get-WinEvent", ProviderName=provider, Id=[number])
    assert [(event["Level"], "particulars" in event["Message"]) for event in events] == [(2, True)]


def test_a_cmdlet_hangs_for_a_while(make_server: Callable[..., ConnectServer]) -> None:
    server = make_server()
    server.arm("cmdlet_hangs", cmdlet="Get-ADSyncScheduler", seconds=0.2)
    began = time.monotonic()
    call(server, "Get-ADSyncScheduler")
    assert time.monotonic() - began > 0.15


def test_every_fault_of_a_place_is_described(make_server: Callable[..., ConnectServer]) -> None:
    server = make_server()
    assert set(Happenings(server, server.faults)._acts) <= set(FAULTS)
    with pytest.raises(KeyError):
        server.arm("no such fault")


# -- scheduled tasks


def test_the_record_knows_every_scheduled_task_and_its_folder(make_server: Callable[..., ConnectServer]) -> None:
    server = make_server()
    task = {"TaskPath": "\\hybrid.identity\\", "TaskName": "one"}
    server.run_task = lambda caller, execute, argument: 0
    call(server, "Register-ScheduledTask", Execute="x", Argument="y", **task)
    call(server, "Start-ScheduledTask", **task)
    wait_until(lambda: server.record.tasks[0].ended)
    with pytest.raises(CmdletError):
        server.call(ADMIN, "delete_task_folder", {"name": "hybrid.identity"})
    call(server, "Unregister-ScheduledTask", **task)
    assert server.windows.task_folders() == ["hybrid.identity"], "removing the last task leaves the folder"
    server.call(ADMIN, "delete_task_folder", {"name": "hybrid.identity"})
    assert server.windows.task_folders() == []
    (truth,) = server.record.tasks
    assert truth.registered <= (truth.started or 0) <= (truth.ended or 0) <= (truth.removed or 0)


def test_a_scheduled_task_is_stopped(make_server: Callable[..., ConnectServer]) -> None:
    server = make_server()
    server.arm("cmdlet_hangs", cmdlet="Get-ADSyncScheduler", seconds=20)
    server.run_task = lambda caller, execute, argument: call(server, "Get-ADSyncScheduler") and 0
    task = {"TaskPath": "\\hybrid.identity\\", "TaskName": "one"}
    call(server, "Register-ScheduledTask", Execute="x", Argument="y", **task)
    call(server, "Start-ScheduledTask", **task)
    wait_until(lambda: server.faults.armed() == [])
    call(server, "Stop-ScheduledTask", **task)
    wait_until(lambda: server.record.tasks[0].ended)
    assert call(server, "Get-ScheduledTaskInfo", **task)["LastTaskResult"] == 0x41306


def test_an_interval_below_the_allowed_one_is_taken_and_ignored(make_server: Callable[..., ConnectServer]) -> None:
    server = make_server()
    call(server, "Set-ADSyncScheduler", CustomizedSyncCycleInterval=timedelta(minutes=10))
    shown = call(server, "Get-ADSyncScheduler")
    assert shown["CustomizedSyncCycleInterval"] == timedelta(minutes=10)
    assert shown["CurrentlyEffectiveSyncCycleInterval"] == timedelta(minutes=30)
    call(server, "Set-ADSyncScheduler", CustomizedSyncCycleInterval=None)
    assert call(server, "Get-ADSyncScheduler")["CustomizedSyncCycleInterval"] is None
    server.configure(interval_takes_null=False)
    with pytest.raises(CmdletError, match="null"):
        call(server, "Set-ADSyncScheduler", CustomizedSyncCycleInterval=None)
    assert len(server.record.settings) == 2
