# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The simulated servers of the older engines, asked directly."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

from lab.clock import Clock
from lab.connect import Caller, CmdletError
from lab.dirsync.server import STATE_KEY
from lab.engines import ENGINES, make_server
from lab.synchronisation import Changes, DirectoryObject, ExportedUser

FIM, SCHEDULER = "FIMSynchronizationService", "MSOnlineSyncScheduler"
ADMINISTRATOR = Caller("LAB\\svc-sync", True, frozenset({"Administrators", "ADSyncOperators", "MIISOperators"}))
OPERATOR = Caller("LAB\\svc-limited", True, frozenset({"ADSyncOperators", "MIISOperators"}))
OUTSIDER = Caller("LAB\\svc-outsider", True, frozenset())
NAMESPACE = "root\\MicrosoftIdentityIntegrationServer"
EXE = '"C:\\Program Files\\Microsoft Azure AD Sync\\Bin\\DirectorySyncClientCmd.exe"'
TASK = "\\Azure AD Sync Scheduler"
MakeServer = Callable[..., Any]


class OneUser:
    """A directory that always has the same user."""

    def __init__(self) -> None:
        self.full_readings = 0

    def read_changes(self, cookie: bytes | None, full: bool) -> Changes:
        self.full_readings += full
        attributes = {
            "objectClass": [b"user"],
            "sAMAccountName": [b"amy"],
            "userPrincipalName": [b"amy@lab.example"],
            "displayName": [b"Amy"],
        }
        guid = uuid.UUID("f7cc07d7-7c15-447d-876d-c01b0e5a9e38")
        return Changes(b"1", [DirectoryObject(guid, "CN=Amy,OU=Staff,DC=lab,DC=test", False, attributes)] if cookie is None or full else [])


class Tenant:
    """Takes everything, and remembers it."""

    def __init__(self) -> None:
        self.changes: list[ExportedUser] = []

    def apply(self, change: ExportedUser) -> str | None:
        self.changes.append(change)
        return None


@pytest.fixture
def make() -> Iterator[MakeServer]:
    servers: list[Any] = []

    def start(name: str, **settings: Any) -> Any:
        server = make_server(name, Clock(), OneUser(), Tenant(), {"cycle_seconds": 0.4, **settings})
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()


def runs(server: Any, caller: Caller = ADMINISTRATOR, condition: str = "") -> list[dict[str, Any]]:
    return list(server.call(caller, "cim_query", {"Namespace": NAMESPACE, "ClassName": "MIIS_RunHistory", "Filter": condition}))


def details(server: Any, run: dict[str, Any]) -> ElementTree.Element:
    question = {"Namespace": NAMESPACE, "ClassName": "MIIS_RunHistory", "MethodName": "RunDetails", "Key": {"Key": run["Key"]}}
    text = server.call(ADMINISTRATOR, "cim_invoke", question)["ReturnValue"]
    assert text.startswith('<?xml version="1.0" encoding="utf-16"?>')
    return ElementTree.fromstring(text)


def profiles(server: Any) -> list[str]:
    """Oldest first."""
    return [run["RunProfile"] for run in reversed(runs(server))]


def wait_for(condition: Callable[[], Any], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def refused(server: Any, caller: Caller, name: str, parameters: dict[str, Any]) -> CmdletError:
    with pytest.raises(CmdletError) as caught:
        server.call(caller, name, parameters)
    return caught.value


def exe(server: Any, word: str = "", caller: Caller = ADMINISTRATOR) -> int:
    question = {"ClassName": "Win32_Process", "MethodName": "Create", "Arguments": {"CommandLine": f"{EXE} {word}".strip()}}
    return int(server.call(caller, "cim_invoke", question)["ReturnValue"])


# -- every generation


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_starts_runs_and_stops(name: str, make: MakeServer) -> None:
    server = make(name)
    assert server.start_cycle()
    assert not server.start_cycle(), "one cycle at a time"
    assert server.wait_idle()
    assert [cycle.full for cycle in server.cycles] == [False]
    assert [change.operation for change in server.engine.tenant.changes] == ["add"]


@pytest.mark.parametrize("name", ["dirsync_legacy", "dirsync", "aadsync", "connect-1.1.105", "connect-1.3"])
def test_run_history_by_wmi_has_counters_and_step_types(name: str, make: MakeServer) -> None:
    server = make(name)
    server.start_cycle(full=True)
    server.wait_idle()
    found = runs(server)
    assert all(run["RunStatus"] == "success" and len(run["RunStartTime"]) == len("2026-01-01 00:00:00.000") for run in found)
    exported = runs(server, condition=f"RunProfile = 'Export' AND MaGuid = '{{{'b891884f-051e-4a83-95af-2544101c9083'.upper()}}}'")
    assert len(exported) == 1
    document = details(server, exported[0])
    assert document.findtext(".//export-add") == "1"
    assert document.find(".//step-type").get("type") == "export"  # type: ignore[union-attr]
    imported = next(run for run in reversed(found) if run["MaName"] == server.engine.connectors[0].name)
    assert details(server, imported).findtext(".//stage-add") == "1"
    assert details(server, imported).find(".//step-type").get("type", "").startswith("full-import")  # type: ignore[union-attr]
    assert details(server, imported).findtext(".//security-id") == server.options.run_account


@pytest.mark.parametrize("name", ["dirsync", "aadsync", "connect-1.1.380"])
def test_wmi_denied_absent_empty(name: str, make: MakeServer) -> None:
    server = make(name)
    assert "0x80041003" in refused(server, OUTSIDER, "cim_query", {"Namespace": NAMESPACE, "ClassName": "MIIS_RunHistory"}).error_id
    server.start_cycle()
    server.wait_idle()
    server.configure(wmi="empty")
    assert runs(server) == []
    server.configure(wmi="absent")
    assert "0x8004100e" in refused(server, ADMINISTRATOR, "cim_query", {"Namespace": NAMESPACE, "ClassName": "MIIS_RunHistory"}).error_id


def test_between_two_runs_everything_looks_idle(make: MakeServer) -> None:
    server = make("dirsync", cycle_seconds=4.0)
    server.start_cycle()
    seen: set[tuple[str, bool]] = set()
    while server.engine.in_progress:
        statuses = [run["RunStatus"] for run in runs(server)]
        seen.add(("in-progress" if "in-progress" in statuses else "idle", bool(statuses)))
        time.sleep(0.01)
    assert ("idle", True) in seen, "after the first run and before the last"
    assert ("in-progress", True) in seen


def test_a_running_step_has_no_end_date(make: MakeServer) -> None:
    server = make("aadsync", cycle_seconds=4.0)
    server.start_cycle()
    wait_for(lambda: runs(server))
    run = runs(server)[0]
    assert (run["RunStatus"], run["RunEndTime"]) == ("in-progress", "")
    assert details(server, run).find(".//end-date") is None
    server.configure(running_end_time="minimum")
    assert runs(server)[0]["RunEndTime"] == "0001-01-01 00:00:00.000"


def test_a_plan_that_nobody_knows(make: MakeServer) -> None:
    server = make("aadsync", plan="unknown")
    server.start_cycle()
    server.wait_idle()
    assert all(name.startswith("Lauf ") for name in profiles(server))
    assert details(server, runs(server)[0]).find(".//step-type") is None


@pytest.mark.parametrize(
    ("fault", "result"),
    [
        ("credentials", "no-start-credentials"),
        ("directory_unreachable", "no-start-connection"),
        ("cloud_sign_in", "stopped-extension-dll-exception"),
    ],
)
def test_faults_show_in_the_run_history(fault: str, result: str, make: MakeServer) -> None:
    server = make("dirsync")
    server.arm(fault)
    server.start_cycle()
    server.wait_idle()
    assert result in [run["RunStatus"] for run in runs(server)]


def test_an_object_error_is_in_the_details(make: MakeServer) -> None:
    server = make("aadsync")
    server.arm("export_error", error="AttributeValueMustBeUnique")
    server.start_cycle()
    server.wait_idle()
    run = runs(server, condition="RunStatus = 'completed-export-errors'")[0]
    document = details(server, run)
    assert document.findtext(".//export-error/error-type") == "AttributeValueMustBeUnique"
    assert document.findtext(".//export-failure") == "1"
    assert server.engine.tenant.changes == []


def test_execute_is_synchronous_and_one_at_a_time(make: MakeServer) -> None:
    server = make("dirsync", cycle_seconds=3.0)
    agent = server.call(ADMINISTRATOR, "cim_query", {"Namespace": NAMESPACE, "ClassName": "MIIS_ManagementAgent"})[1]
    question = {
        "Namespace": NAMESPACE,
        "ClassName": "MIIS_ManagementAgent",
        "Key": {"Guid": agent["Guid"]},
        "Arguments": {"RunProfileName": "Export"},
    }
    results: list[str] = []

    def execute() -> None:
        results.append(server.call(ADMINISTRATOR, "cim_invoke", {**question, "MethodName": "Execute"})["ReturnValue"])

    first = threading.Thread(target=execute)
    first.start()
    wait_for(lambda: server.engine.busy)
    execute()
    first.join()
    assert results == ["no-start-ma-already-running", "success"]
    unknown = {**question, "MethodName": "Execute", "Arguments": {"RunProfileName": "Nothing"}}
    assert server.call(ADMINISTRATOR, "cim_invoke", unknown)["ReturnValue"] == "no-start-unknown-profile-name"
    assert server.call(ADMINISTRATOR, "cim_invoke", {**question, "MethodName": "RunStatus"})["ReturnValue"] == "success"


def test_a_purged_history_is_empty(make: MakeServer) -> None:
    server = make("aadsync")
    server.start_cycle()
    server.wait_idle()
    question = {
        "Namespace": NAMESPACE,
        "ClassName": "MIIS_Server",
        "MethodName": "ClearRuns",
        "Arguments": {"ClearRunsBeforeDate": "2999-01-01"},
    }
    assert server.call(ADMINISTRATOR, "cim_invoke", question)["ReturnValue"] == "success"
    assert runs(server) == []


def test_german_servers_speak_german_with_the_same_marks(make: MakeServer) -> None:
    english, german = make("dirsync"), make("dirsync", language="de")
    for name, parameters in (
        ("Get-Service", {"Name": "x"}),
        ("task_get", {"path": "\\x"}),
        ("registry_values", {"path": "HKLM:\\SOFTWARE\\x"}),
    ):
        one, other = (refused(server, ADMINISTRATOR, name, parameters) for server in (english, german))
        assert (one.type, one.hresult, one.error_id) == (other.type, other.hresult, other.error_id)
        assert one.message != other.message


# -- DirSync


def test_dirsync_start_is_fire_and_forget_and_bears_the_service(make: MakeServer) -> None:
    server = make("dirsync")
    assert server.call(OPERATOR, "Start-OnlineCoexistenceSync", {}) is None
    assert server.engine.in_progress
    server.wait_idle()
    assert details(server, runs(server)[0]).findtext(".//security-id") == server.options.run_account
    events = server.call(ADMINISTRATOR, "Get-WinEvent", {"ProviderName": "Directory Synchronization", "Id": 4})
    assert len(events) == 1


def test_dirsync_full_by_parameter_and_by_flag(make: MakeServer) -> None:
    server = make("dirsync")
    server.call(OPERATOR, "Start-OnlineCoexistenceSync", {"FullSync": True})
    server.wait_idle()
    server.call(ADMINISTRATOR, "registry_set", {"path": STATE_KEY, "name": "FullSyncNeeded", "value": 1})
    server.call(OPERATOR, "Start-OnlineCoexistenceSync", {})
    server.wait_idle()
    server.call(OPERATOR, "Start-OnlineCoexistenceSync", {})
    server.wait_idle()
    assert [cycle.full for cycle in server.cycles] == [True, True, False], "the flag is good for one cycle"
    assert server.windows.registry.read(STATE_KEY, "FullSyncNeeded") == 0


def test_dirsync_flag_survives_a_refused_start_and_needs_an_administrator(make: MakeServer) -> None:
    server = make("dirsync")
    assert (
        refused(server, OPERATOR, "registry_set", {"path": STATE_KEY, "name": "FullSyncNeeded", "value": 1}).category == "PermissionDenied"
    )
    server.call(ADMINISTRATOR, "registry_set", {"path": STATE_KEY, "name": "FullSyncNeeded", "value": 1})
    server.arm("start_refused")
    refused(server, ADMINISTRATOR, "Start-OnlineCoexistenceSync", {})
    assert server.windows.registry.read(STATE_KEY, "FullSyncNeeded") == 1
    server.arm("accepted_but_nothing_starts")
    server.call(ADMINISTRATOR, "Start-OnlineCoexistenceSync", {})
    assert not server.cycles
    assert server.windows.registry.read(STATE_KEY, "FullSyncNeeded") == 1


@pytest.mark.parametrize(("busy_start", "cycles"), [("ignored", 1), ("error", 1), ("queued", 2)])
def test_dirsync_start_while_busy(busy_start: str, cycles: int, make: MakeServer) -> None:
    server = make("dirsync", busy_start=busy_start)
    server.start_cycle()
    if busy_start == "error":
        refused(server, OPERATOR, "Start-OnlineCoexistenceSync", {})
    else:
        assert server.call(OPERATOR, "Start-OnlineCoexistenceSync", {}) is None
    wait_for(lambda: len(server.cycles) == cycles and not server.engine.in_progress)
    time.sleep(0.2)
    assert len(server.cycles) == cycles


def test_dirsync_another_cycle_slips_in_before_the_start(make: MakeServer) -> None:
    server = make("dirsync")
    server.arm("foreign_cycle")
    server.call(OPERATOR, "Start-OnlineCoexistenceSync", {"FullSync": True})
    server.wait_idle()
    assert [(cycle.origin, cycle.full) for cycle in server.cycles] == [("scheduled", False)]


def test_dirsync_services_depend_on_each_other(make: MakeServer) -> None:
    server = make("dirsync")
    assert refused(server, ADMINISTRATOR, "Restart-Service", {"Name": FIM}).error_id.startswith("ServiceHasDependentServices")
    assert refused(server, OPERATOR, "Restart-Service", {"Name": FIM, "Force": True}).error_id.startswith("CouldNotStopService")
    server.call(ADMINISTRATOR, "Restart-Service", {"Name": FIM, "Force": True})
    status = {name: server.call(ADMINISTRATOR, "Get-Service", {"Name": name})[0]["Status"] for name in (FIM, SCHEDULER)}
    assert status == {FIM: "Running", SCHEDULER: "Stopped"}
    refused(server, OPERATOR, "Start-OnlineCoexistenceSync", {})
    server.call(ADMINISTRATOR, "Start-Service", {"Name": SCHEDULER})
    server.configure(dependent_comes_back=True)
    server.call(ADMINISTRATOR, "Restart-Service", {"Name": FIM, "Force": True})
    assert server.call(ADMINISTRATOR, "Get-Service", {"Name": SCHEDULER})[0]["Status"] == "Running"


def test_dirsync_service_stop_ends_the_run(make: MakeServer) -> None:
    server = make("dirsync", cycle_seconds=5.0)
    server.start_cycle()
    wait_for(lambda: server.engine.busy)
    server.call(ADMINISTRATOR, "Stop-Service", {"Name": FIM, "Force": True})
    assert server.wait_idle(2)
    server.call(ADMINISTRATOR, "Start-Service", {"Name": FIM})
    assert [run["RunStatus"] for run in runs(server)] == ["stopped-service-shutdown"]


def test_dirsync_full_password_sync_happens_with_the_restart(make: MakeServer) -> None:
    server = make("dirsync")
    server.call(ADMINISTRATOR, "Set-FullPasswordSync", {})
    question = {"ProviderName": "Directory Synchronization", "Id": [617, 623]}
    refused(server, ADMINISTRATOR, "Get-WinEvent", question)
    server.call(ADMINISTRATOR, "Restart-Service", {"Name": FIM, "Force": True})
    wait_for(lambda: len(server.events.read(("Directory Synchronization",), (617, 623), None, 0)) == 2)


def test_dirsync_interval_counts_after_a_restart_of_the_scheduler(make: MakeServer) -> None:
    import base64

    server = make("dirsync")
    text = server.windows.files.content(server.config_path).replace(b"3:0:0", b"0:30:0")
    server.call(ADMINISTRATOR, "file_write", {"path": server.config_path, "bytes": base64.b64encode(text).decode()})
    assert server.interval_seconds() == 3 * 3600
    server.call(ADMINISTRATOR, "Restart-Service", {"Name": SCHEDULER})
    assert server.interval_seconds() == 1800
    assert server.windows.files.content(server.config_path).startswith(b"\xef\xbb\xbf")


def test_dirsync_starts_by_itself_when_the_interval_is_over(make: MakeServer) -> None:
    server = make("dirsync")
    server.next_start = server.clock.now()
    wait_for(lambda: [cycle.origin for cycle in server.cycles] == ["scheduled"])


def test_dirsync_installations(make: MakeServer) -> None:
    old, new = make("dirsync_legacy"), make("dirsync")
    psc1, psd1 = "\\DirSyncConfigShell.psc1", "\\dirsync\\DirSync.psd1"
    for server, has, lacks in ((old, psc1, psd1), (new, psd1, psc1)):
        folder = server.options.install_folder
        assert server.call(OUTSIDER, "path_exists", {"path": folder + has})
        assert not server.call(OUTSIDER, "path_exists", {"path": folder + lacks})
        scheduler = folder + "\\Microsoft.Online.DirSync.Scheduler.exe"
        assert server.call(OUTSIDER, "file_version", {"path": scheduler}) == server.options.product_version
    assert "Microsoft Online Directory Sync" in old.options.install_folder
    assert old.call(OPERATOR, "snap_in", {"name": "Coexistence-Configuration"})["file"] == "DirSyncWithoutFullSync.psm1"
    assert refused(new, OPERATOR, "snap_in", {"name": "Coexistence-Configuration"}).error_id.startswith("AddPSSnapInRead")
    old.configure(snap_in="console_only")
    refused(old, OPERATOR, "snap_in", {"name": "Coexistence-Configuration"})
    assert old.call(OPERATOR, "console_file", {"path": old.options.install_folder + psc1}) is not None
    new.configure(path_registered="none")
    assert refused(new, OUTSIDER, "registry_value", {"path": STATE_KEY, "name": "InstallPath"}).type.endswith("PSArgumentException")


def test_dirsync_either_service_can_be_down_and_the_flag_missing(make: MakeServer) -> None:
    server = make("dirsync", stopped_services=[SCHEDULER], full_flag=False)
    assert server.call(ADMINISTRATOR, "Get-Service", {"Name": FIM})[0]["Status"] == "Running"
    assert refused(server, ADMINISTRATOR, "Start-OnlineCoexistenceSync", {}).type == "System.InvalidOperationException"
    assert refused(server, ADMINISTRATOR, "registry_values", {"path": STATE_KEY, "name": "FullSyncNeeded"}).category == "InvalidArgument"
    server.call(ADMINISTRATOR, "Start-Service", {"Name": SCHEDULER})
    server.configure(stopped_services=[FIM])
    assert server.call(ADMINISTRATOR, "Start-OnlineCoexistenceSync", {}) is None, "taken, and nothing can run"
    assert not server.cycles
    assert "0x80041001" in refused(server, ADMINISTRATOR, "cim_query", {"Namespace": NAMESPACE, "ClassName": "MIIS_RunHistory"}).error_id


def test_servers_without_the_engine(make: MakeServer) -> None:
    for other in ((), (FIM,), ("AADConnectProvisioningAgent",)):
        server = make("dirsync", installed=False, other_services=other)
        services = "HKLM:\\SYSTEM\\CurrentControlSet\\Services\\"
        known = [
            name
            for name in (FIM, SCHEDULER, "ADSync", "AADConnectProvisioningAgent")
            if server.call(OUTSIDER, "path_exists", {"path": services + name})
        ]
        assert known == list(other)


# -- AAD Sync and Azure AD Connect 1.0


@pytest.mark.parametrize(("word", "first"), [("", "Delta Import"), ("delta", "Delta Import"), ("initial", "Full Import")])
def test_aadsync_exe_runs_a_cycle_as_its_caller(word: str, first: str, make: MakeServer) -> None:
    server = make("aadsync-exe")
    assert exe(server, word) == 0
    assert server.call(OPERATOR, "Get-Process", {"Name": "DirectorySyncClientCmd"})
    wait_for(lambda: not server.windows.processes.as_wmi(ADMINISTRATOR))
    assert profiles(server)[0] == first
    assert details(server, runs(server)[0]).findtext(".//security-id") == ADMINISTRATOR.user
    assert refused(server, OPERATOR, "Get-Process", {"Name": "DirectorySyncClientCmd"}).error_id.startswith("NoProcessFoundForGivenName")


def test_aadsync_exe_refuses_in_its_ways(make: MakeServer) -> None:
    server = make("aadsync")
    assert exe(server, "delta", OPERATOR) == 2, "Win32_Process.Create takes an administrator here"
    server.configure(process_creation="everybody")
    assert exe(server, "delta", OUTSIDER) == 0
    wait_for(lambda: not server.windows.processes.as_wmi(ADMINISTRATOR))
    assert not server.cycles, "started, and not let in by the engine"
    server.configure(exe_present=False)
    assert exe(server, "delta") == 9
    assert not server.call(OPERATOR, "path_exists", {"path": EXE.strip('"')})


def test_aadsync_second_exe_ends_in_silence(make: MakeServer) -> None:
    server = make("aadsync")
    server.start_cycle()
    assert exe(server) == 0
    server.wait_idle()
    time.sleep(0.1)
    assert len(server.cycles) == 1
    server.configure(second_start="waits")
    server.start_cycle()
    assert exe(server) == 0
    wait_for(lambda: len(server.cycles) == 3)


def test_aadsync_child_of_the_shell_dies_with_it(make: MakeServer) -> None:
    server = make("aadsync", cycle_seconds=3.0)
    shell = Caller("LAB\\svc-sync", True, frozenset({"ADSyncOperators"}))
    server.call(shell, "process_child", {"line": EXE + " delta"})
    wait_for(lambda: server.engine.busy)
    server.shell_ended(shell)
    assert server.wait_idle()
    assert len(runs(server)) == 1, "the run under way ends, no other follows"
    exe(server)
    wait_for(lambda: server.engine.busy)
    server.shell_ended(ADMINISTRATOR)
    assert server.wait_idle()
    assert len(runs(server)) == 7, "what WMI started lives on"


def test_aadsync_task_runs_disabled_missing_hidden(make: MakeServer) -> None:
    server = make("aadsync")
    assert refused(server, OPERATOR, "task_run", {"path": TASK}).hresult == -2147024891
    server.call(ADMINISTRATOR, "task_run", {"path": TASK})
    wait_for(lambda: server.cycles)
    assert server.call(OPERATOR, "task_get", {"path": TASK})["State"] == 4
    server.call(ADMINISTRATOR, "task_run", {"path": TASK})
    server.wait_idle()
    wait_for(lambda: server.call(OPERATOR, "task_get", {"path": TASK})["LastTaskResult"] == 0)
    assert len(server.cycles) == 1, "an instance that runs lets no other begin"
    assert details(server, runs(server)[0]).findtext(".//security-id") == server.options.run_account
    server.configure(task="disabled")
    assert server.call(OPERATOR, "task_get", {"path": TASK})["Enabled"] is False
    assert refused(server, ADMINISTRATOR, "task_run", {"path": TASK}).hresult == 0x80041326 - 2**32
    server.configure(task="enabled", task_visible="administrators")
    assert refused(server, OPERATOR, "task_get", {"path": TASK}).hresult == -2147024894
    assert server.call(OPERATOR, "task_list", {"path": "\\"}) == []
    server.configure(hidden_task_answer="task_denied")
    assert refused(server, OPERATOR, "task_get", {"path": TASK}).hresult == -2147024891
    assert server.call(ADMINISTRATOR, "task_get", {"path": TASK})["Interval"] == "PT3H"
    server.configure(task="missing")
    assert refused(server, ADMINISTRATOR, "task_get", {"path": TASK}).hresult == -2147024894


def test_aadsync_task_with_a_password_keeps_its_definition(make: MakeServer) -> None:
    server = make("aadsync")
    change = {"path": TASK, "flags": 4, "interval": "PT1H", "logon_type": 1, "user": server.options.run_account}
    assert refused(server, ADMINISTRATOR, "task_register", change).hresult == -2147023570
    server.call(ADMINISTRATOR, "task_enable", {"path": TASK, "enabled": False})
    assert server.windows.tasks.find(TASK).changes == ["enabled"]
    server.configure(task_logon="service")
    server.call(ADMINISTRATOR, "task_register", {**change, "logon_type": 5})
    assert server.interval_seconds() == 3600


def test_aadsync_one_shot_task_runs_the_exe(make: MakeServer) -> None:
    server = make("aadsync-exe")
    server.call(ADMINISTRATOR, "task_folder_make", {"path": "\\hybrid.identity"})
    definition = {"path": "\\hybrid.identity\\one", "flags": 2, "execute": EXE.strip('"'), "arguments": "initial", "logon_type": 2}
    server.call(ADMINISTRATOR, "task_register", definition)
    server.call(ADMINISTRATOR, "task_run", {"path": "\\hybrid.identity\\one"})
    wait_for(lambda: server.cycles)
    server.shell_ended(ADMINISTRATOR)
    server.wait_idle()
    assert [cycle.full for cycle in server.cycles] == [True]
    assert len(runs(server)) == 6
    server.call(ADMINISTRATOR, "task_delete", {"path": "\\hybrid.identity\\one"})
    server.call(ADMINISTRATOR, "task_folder_remove", {"path": "\\hybrid.identity"})
    assert server.windows.task_names() == []


def test_aad_connect_1_0_staging_has_no_export_and_hides_itself(make: MakeServer) -> None:
    server = make("aad-connect-1.0", staging=True)
    exe(server)
    wait_for(lambda: server.cycles)
    server.wait_idle()
    assert "Export" not in profiles(server)
    pipe = refused(server, ADMINISTRATOR, "Get-ADSyncGlobalSettings", {})
    assert pipe.type == "System.ServiceModel.EndpointNotFoundException"
    local = Caller(ADMINISTRATOR.user, False, ADMINISTRATOR.groups)
    settings = {one["Name"]: one["Value"] for one in server.call(local, "Get-ADSyncGlobalSettings", {})["Parameters"]}
    assert settings["Microsoft.Synchronize.StagingMode"] == "True"
    for name in ("Get-ADSyncScheduler", "Start-ADSyncSyncCycle", "Get-ADSyncConnectorRunStatus"):
        assert refused(server, ADMINISTRATOR, name, {}).type.endswith("CommandNotFoundException")


def test_aadsync_wizard_and_drives(make: MakeServer) -> None:
    wizard = {"path": "HKLM:\\SOFTWARE\\Microsoft\\Azure AD Connect", "name": "WizardPath"}
    path = make("aad-connect-1.0").call(OUTSIDER, "registry_value", wizard)
    assert path.endswith("AzureADConnect.exe")
    server = make("aadsync", install_folder="D:\\Programme\\AAD Sync")
    assert refused(server, OUTSIDER, "registry_value", wizard).category == "ObjectNotFound"
    image = server.call(OUTSIDER, "registry_value", {"path": "HKLM:\\SYSTEM\\CurrentControlSet\\Services\\ADSync", "name": "ImagePath"})
    assert image == '"D:\\Programme\\AAD Sync\\Bin\\miiserver.exe"'
    assert server.start_cycle()


# -- Azure AD Connect by build


@pytest.mark.parametrize(
    ("name", "flag", "status", "result", "wmi"),
    [
        ("connect-1.1.105", False, False, False, True),
        ("connect-1.1.281", False, True, True, True),
        ("connect-1.1.380", False, True, True, True),
        ("connect-1.3", True, True, True, True),
        ("connect-1.4.18", True, True, True, False),
    ],
)
def test_old_connect_has_what_its_build_has(name: str, flag: bool, status: bool, result: bool, wmi: bool, make: MakeServer) -> None:
    server = make(name)
    assert ("SyncCycleInProgress" in server.call(OPERATOR, "Get-ADSyncScheduler", {})) is flag
    if status:
        assert server.call(OPERATOR, "Get-ADSyncConnectorRunStatus", {}) == []
    else:
        assert refused(server, OPERATOR, "Get-ADSyncConnectorRunStatus", {}).type.endswith("CommandNotFoundException")
    assert server.call(OPERATOR, "Start-ADSyncSyncCycle", {"PolicyType": "Delta"}) == ({"Result": "Success"} if result else None)
    if result:
        refused(server, OPERATOR, "Start-ADSyncSyncCycle", {"PolicyType": "Delta"})
    else:
        assert server.call(OPERATOR, "Start-ADSyncSyncCycle", {"PolicyType": "Delta"}) is None
    server.wait_idle()
    assert len(server.cycles) == 1
    if wmi:
        assert len(runs(server)) == 6
    else:
        assert (
            "0x8004100e" in refused(server, ADMINISTRATOR, "cim_query", {"Namespace": NAMESPACE, "ClassName": "MIIS_RunHistory"}).error_id
        )


def test_old_connect_interval_counts_after_the_next_cycle(make: MakeServer) -> None:
    from datetime import timedelta

    for name, at_once in (("connect-1.1.105", False), ("connect-1.1.281", True)):
        server = make(name)
        server.call(ADMINISTRATOR, "Set-ADSyncScheduler", {"CustomizedSyncCycleInterval": timedelta(hours=2)})
        effective = server.call(ADMINISTRATOR, "Get-ADSyncScheduler", {})["CurrentlyEffectiveSyncCycleInterval"]
        assert (effective == timedelta(hours=2)) is at_once
        server.start_cycle()
        server.wait_idle()
        assert server.call(ADMINISTRATOR, "Get-ADSyncScheduler", {})["CurrentlyEffectiveSyncCycleInterval"] == timedelta(hours=2)
