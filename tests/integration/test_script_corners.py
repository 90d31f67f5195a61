# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Corners of the shipped scripts: what Windows answers is set by the test, question by question, and no connection lies between.

Each runs with the fakes and with PowerShell, and both have to say the same.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from estates import COVERAGE, POWERSHELL
from patience import wait_until

from ansible_collections.hybrid.identity.plugins.module_utils._engines import _aadsync_scripts, _connect_scripts, _dirsync_scripts
from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import BOOTSTRAP, read_envelope, request_line
from lab.clock import Clock
from lab.engines import make_server
from lab.fim.texts import fim_refusal
from lab.windows.host import WindowsHost

Told = Callable[[dict[str, Any], Callable[[], Any]], Any]
_GROUPS = frozenset({"ADSyncOperators", "MIISOperators", "EventLogReaders", "Administrators"})
_CLOUD = "{B891884F-051E-4A83-95AF-2544101C9083}"
_MARKER = "#0123456789abcdef#"
_FOLDERS = {
    "dirsync": "C:\\Program Files\\Windows Azure Active Directory Sync",
    "dirsync_legacy": "C:\\Program Files\\Microsoft Online Directory Sync",
}
_EXE = "C:\\Program Files\\Microsoft Azure AD Sync\\Bin\\DirectorySyncClientCmd.exe"
_LIMITS = {"seconds": 0.3, "step_ms": 50, "confirm_seconds": 0.2, "idle_seconds": 0, "quiet_seconds": 0.1, "stop_when_active": False}
_ERROR = '<export-error dn="CN=Amy"><error-type>odd</error-type></export-error>'
_DETAILS = (
    '<?xml version="1.0" encoding="utf-16"?>\r\n<run-history><run-details><security-id>LAB\\amy</security-id>'
    '<step-details step-number="1"><step-description><partition>default</partition></step-description>'
    f"<synchronization-errors>{_ERROR}</synchronization-errors><ma-discovery-errors></ma-discovery-errors>"
    '<export-counters><export-add detail="true">3</export-add><export-update detail="true">0</export-update></export-counters>'
    "</step-details></run-details></run-history>"
)


class Server:
    """A simulated server on which single questions are answered by `told`: a function of the question and of what the server would say."""

    def __init__(self, engine: str, powershell: str | None) -> None:
        clock = Clock()
        self.engine = engine
        self.sync = make_server(engine, clock, None, None, {"cycle_seconds": 0.3})
        self.told: dict[str, Told] = {}
        ask = self.sync.call

        def call(caller: Any, name: str, parameters: dict[str, Any]) -> Any:
            if name in self.told:
                return self.told[name](parameters, lambda: ask(caller, name, parameters))
            return ask(caller, name, parameters)

        self.sync.call = call  # type: ignore[method-assign]
        self.host = WindowsHost(self.sync, clock, {"svc-sync": _GROUPS}, powershell=powershell, coverage=COVERAGE)
        self.host.start()

    def run(self, script: str, **parameters: Any) -> Any:
        """What a script returns."""
        caller = self.host.caller("LAB\\svc-sync", network_logon=True)
        finished = self.host._run(caller, BOOTSTRAP, request_line(script, parameters, _MARKER))
        envelope = read_envelope(finished.stdout, _MARKER)
        assert envelope is not None, finished.stderr
        assert envelope["ok"], envelope["error"]
        return envelope["data"]

    def stop(self) -> None:
        self.sync.stop()
        self.host.stop()


@pytest.fixture
def make_server_of(scripts_with: str) -> Iterator[Callable[[str], Server]]:
    servers: list[Server] = []

    def make(engine: str) -> Server:
        servers.append(Server(engine, POWERSHELL if scripts_with == "powershell" else None))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


MakeServer = Callable[[str], Server]


def _refuse(reason: str) -> Told:
    def refuse(question: dict[str, Any], ask: Callable[[], Any]) -> Any:
        raise fim_refusal(reason, "en", "it")

    return refuse


def _refuse_after(times: int, reason: str) -> Told:
    """The server answers so many times, and not any more."""
    asked: list[int] = []

    def answer(question: dict[str, Any], ask: Callable[[], Any]) -> Any:
        asked.append(1)
        return ask() if len(asked) <= times else _refuse(reason)(question, ask)

    return answer


def _row(number: int, ended: str, started: datetime) -> dict[str, Any]:
    row = {"Key": f"{_CLOUD}{number}", "MaName": "cloud", "MaGuid": _CLOUD, "RunNumber": str(number), "RunProfile": "Export"}
    return {**row, "RunStartTime": f"{started:%Y-%m-%d %H:%M:%S.%f}"[:-3], "RunEndTime": ended, "RunStatus": "in-progress"}


def _odd_history(server: Server) -> None:
    """A run that says nothing of its end, with a step without a type, an error of an object and a long event."""
    row = _row(7, "0001-01-01 00:00:00.000", datetime.now(timezone.utc) - timedelta(seconds=30))

    def query(question: dict[str, Any], ask: Callable[[], Any]) -> Any:
        return [{**row, "#class": "MIIS_RunHistory", "#namespace": ""}] if question.get("ClassName") == "MIIS_RunHistory" else ask()

    server.told["cim_query"] = query
    server.told["cim_invoke"] = lambda question, ask: {"ReturnValue": _DETAILS} if question["MethodName"] == "RunDetails" else ask()
    event = {"Id": 6100, "Level": 2, "TimeCreated": datetime.now(timezone.utc), "Message": "x" * 500}
    server.told["Get-WinEvent"] = lambda question, ask: [{**event, "ProviderName": question["ProviderName"]}]


def _since() -> str:
    return (datetime.now(timezone.utc) - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


def _start(server: Server, **changes: Any) -> Any:
    parameters = {**_LIMITS, "full": False, "lock_seconds": 0, **changes}
    if server.engine.startswith("dirsync"):
        return server.run(_dirsync_scripts.START, folder=_FOLDERS[server.engine], **parameters)
    if server.engine.startswith("connect"):
        return server.run(_connect_scripts.START, policy="Delta", wmi=True, **parameters)
    return server.run(_aadsync_scripts.START, exe=_EXE, name="0123456789ab", **parameters)


def _watch(server: Server, **changes: Any) -> Any:
    parameters = {**_LIMITS, "active": False, "since": _since(), "next_start": None, "wmi": True, **changes}
    scripts = {"dirsync": _dirsync_scripts.FOLLOW, "aadsync": _aadsync_scripts.FOLLOW}
    return server.run(scripts.get(server.engine, _connect_scripts.WATCH), **parameters)


def _probe(server: Server) -> Any:
    scripts = {"dirsync": _dirsync_scripts.PROBE, "aadsync": _aadsync_scripts.PROBE}
    return server.run(scripts.get(server.engine, _connect_scripts.PROBE), history_seconds=600, folder=_FOLDERS["dirsync"])


def _is_odd(history: dict[str, Any]) -> None:
    (run,) = history["runs"]
    assert (run["connector_id"], run["number"], run["ended"], run["account"]) == (_CLOUD.strip("{}").lower(), 7, None, "LAB\\amy")
    (step,) = run["steps"]
    assert (step["type"], step["counts"], step["discovery"]) == ("", {"export-add": 3}, "")
    assert step["errors"] == f"<synchronization-errors>{_ERROR}</synchronization-errors>"
    if "events" in history:
        assert {one["message"] for one in history["events"]["errors"]} == {"x" * 400}


@pytest.mark.parametrize("engine", ["dirsync", "aadsync", "connect-1.1.105"])
def test_an_odd_history_is_told_as_it_is(engine: str, make_server_of: MakeServer) -> None:
    server = make_server_of(engine)
    _odd_history(server)
    server.told["Start-OnlineCoexistenceSync"] = server.told["task_run"] = lambda question, ask: None
    server.told["Start-ADSyncSyncCycle"] = lambda question, ask: None
    _is_odd(_probe(server)["history"])
    _is_odd(_watch(server)["history"])
    started = _start(server)
    assert (started["sent"], started["trouble"]) == (True, None)
    _is_odd(started["watch"]["history"])
    if not engine.startswith("connect"):
        _is_odd(server.run(_dirsync_scripts.READ_RUNS, since=_since()))


def test_runs_are_told_where_the_connectors_cannot_be_read(make_server_of: MakeServer) -> None:
    server = make_server_of("dirsync")
    agents = _refuse("wmi_denied")
    server.told["cim_query"] = lambda question, ask: agents(question, ask) if question["ClassName"] == "MIIS_ManagementAgent" else ask()
    answer = server.run(_dirsync_scripts.READ_RUNS, since=_since())
    assert (answer["runs"], answer["connectors"]) == ([], [])
    assert answer["problem"]["category"] == "PermissionDenied"


# -- starts


def test_a_start_goes_on_without_the_lock_that_somebody_keeps(powershell: str) -> None:
    """Nobody holds it for longer than a start takes: who cannot get it within that time is kept out by rights."""
    for engine in ("dirsync", "aadsync"):
        server = Server(engine, powershell)
        with (Path(server.host.temp) / "hybrid.identity.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            started = _start(server, lock_seconds=0.3)  # asked for more than once
        assert (started["locked"], started["sent"], started["trouble"]) == (False, True, None)
        server.stop()


def test_nothing_is_started_while_something_runs(make_server_of: MakeServer) -> None:
    for engine in ("aadsync", "dirsync"):
        server = make_server_of(engine)
        server.told["cim_invoke"] = lambda question, ask: {"ReturnValue": "in-progress"} if question["MethodName"] == "RunStatus" else ask()
        started = _start(server)
        assert (started["sent"], len(started["before"]["busy"]), started["watch"]) == (False, 2, None), engine


@pytest.mark.parametrize("engine", ["dirsync", "aadsync"])
def test_what_breaks_the_wait_behind_a_start_is_told_with_the_start(engine: str, make_server_of: MakeServer) -> None:
    server = make_server_of(engine)
    asked: list[str] = []

    def query(question: dict[str, Any], ask: Callable[[], Any]) -> Any:
        asked.append(str(question.get("ClassName")))
        return _refuse("wmi_failed")(question, ask) if asked.count("MIIS_RunHistory") > (2 if engine == "dirsync" else 1) else ask()

    server.told["cim_query"] = query
    started = _start(server)
    assert (started["sent"], started["requested"] is not None, started["watch"]) == (True, True, None)
    assert started["trouble"]["message"] == "Generic failure "


@pytest.mark.parametrize("engine", ["dirsync", "aadsync"])
def test_what_breaks_the_watch_behind_a_start_is_told_with_the_start(engine: str, powershell: str) -> None:
    server = Server(engine, powershell)
    server.told["cim_query"] = _refuse("wmi_no_namespace")  # then nothing is waited for but by the watch
    started = _start(server, step_ms=-1)
    assert (started["sent"], started["watch"], started["appeared"]) == (True, None, False)
    assert started["trouble"]["type"] == "System.Management.Automation.ParameterBindingValidationException"
    server.stop()


def test_a_flag_that_cannot_be_put_back_is_told(make_server_of: MakeServer) -> None:
    server = make_server_of("dirsync_legacy")
    server.told["Start-OnlineCoexistenceSync"] = _refuse("dirsync_refused")
    server.told["registry_set"] = _refuse_after(1, "no_registry_right")
    started = _start(server, full=True)
    assert (started["sent"], started["flag_written"], started["appeared"]) == (True, True, False)
    assert started["refusal"]["type"] == "System.InvalidOperationException"
    assert started["flag_left"]["type"] == "System.Security.SecurityException"


def test_events_that_may_not_be_read_are_told_with_the_start(make_server_of: MakeServer) -> None:
    server = make_server_of("dirsync")
    server.told["Start-OnlineCoexistenceSync"] = lambda question, ask: None
    server.told["Get-WinEvent"] = _refuse("no_event_access")
    history = _start(server)["watch"]["history"]
    assert (history["runs"], history["events"]) == ([], None)
    assert history["events_error"]["type"] == "System.UnauthorizedAccessException"


def test_a_scheduler_whose_configuration_cannot_be_read(make_server_of: MakeServer) -> None:
    server = make_server_of("dirsync")
    server.told["file_read"] = _refuse("no_file_right")
    probe = _probe(server)
    assert probe["interval"] is None
    assert probe["problems"]["interval"]["type"] == "System.UnauthorizedAccessException"


def _between_steps(server: Server) -> None:
    """Something runs, and every question after what runs falls between two of its steps."""
    server.told["cim_invoke"] = lambda question, ask: {"ReturnValue": "success"} if question["MethodName"] == "RunStatus" else ask()
    assert server.sync.start_cycle()
    wait_until(lambda: server.sync.engine.history)


@pytest.mark.parametrize("engine", ["dirsync", "connect-1.1.105"])
def test_between_two_steps_of_a_cycle_nothing_is_started(engine: str, make_server_of: MakeServer) -> None:
    """A start is lost there without a word, and the rest of that cycle would pass for its own."""
    server = make_server_of(engine)
    server.sync.configure(cycle_seconds=20.0)
    _between_steps(server)
    server.told["Start-OnlineCoexistenceSync"] = server.told["Start-ADSyncSyncCycle"] = _refuse("dirsync_denied")
    started = _start(server, quiet_seconds=30)
    assert (started["sent"], started["watch"], started["trouble"]) == (False, None, None)
    assert (started["before"]["busy"], started["before"]["in_progress"]) == ([], True)
    del server.told["Start-OnlineCoexistenceSync"], server.told["Start-ADSyncSyncCycle"]
    assert _start(server, quiet_seconds=0.0)["sent"], "what lies further back than that is no sign of anything"


# -- builds of Azure AD Connect without a flag


def test_a_build_without_a_flag_is_not_asked_while_something_runs(make_server_of: MakeServer) -> None:
    server = make_server_of("connect-1.1.105")
    server.told["cim_invoke"] = lambda question, ask: {"ReturnValue": "in-progress"} if question["MethodName"] == "RunStatus" else ask()
    started = _start(server)
    assert (started["sent"], len(started["before"]["busy"]), started["before"]["in_progress"]) == (False, 2, None)
    watched = _watch(server)
    assert (len(watched["state"]["busy"]), watched["active"], watched["history"]) == (2, True, None)


def test_a_slice_that_ends_in_a_rest_brings_its_history(make_server_of: MakeServer) -> None:
    server = make_server_of("connect-1.1.105")
    server.told["Start-ADSyncSyncCycle"] = lambda question, ask: None
    assert _start(server, quiet_seconds=9.0, seconds=0.1)["watch"]["history"]["runs"] == []
    assert _watch(server, quiet_seconds=9.0, seconds=0.1)["history"]["runs"] == []


def test_without_wmi_nothing_is_known_to_run(make_server_of: MakeServer) -> None:
    server = make_server_of("connect-1.1.105")
    server.told["cim_query"] = _refuse("wmi_denied")
    server.told["Start-ADSyncSyncCycle"] = lambda question, ask: None
    started = _start(server)
    assert (started["sent"], started["before"]["busy"], started["watch"]["history"]["source"]) == (True, [], "run_history")
    watched = _watch(server)
    assert (watched["state"]["busy"], watched["history"]["wmi_error"]["category"]) == ([], "PermissionDenied")


def test_a_look_that_fails_behind_another_ends_the_watch_with_what_was_seen(make_server_of: MakeServer) -> None:
    server = make_server_of("connect")
    server.told["Get-ADSyncScheduler"] = _refuse_after(1, "pipe")
    watched = _watch(server, idle_seconds=9, seconds=9)
    assert (watched["state"]["in_progress"], watched["history"]) == (False, None)
    assert watched["trouble"]["type"] == "System.ServiceModel.EndpointNotFoundException"


def test_a_path_of_the_service_without_quotes(make_server_of: MakeServer) -> None:
    server = make_server_of("connect-1.1.105")
    server.sync.windows.registry.set(
        "HKLM:\\SYSTEM\\CurrentControlSet\\Services\\ADSync", "ImagePath", _EXE.rsplit("\\", 1)[0] + "\\miiserver.exe"
    )
    probe = _probe(server)
    assert (probe["survey"]["bin_folder"], probe["problems"]) == (_EXE.rsplit("\\", 1)[0], {})
    assert probe["state"]["in_progress"] is None
