# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The simulated server of AAD Sync and Azure AD Connect 1.0: the executable and the scheduled task."""

from __future__ import annotations

import pytest
from fim_servers import ADMINISTRATOR, EXE, OPERATOR, OUTSIDER, TASK, MakeServer, details, exe, profiles, refused, runs
from patience import wait_until

from lab.connect import Caller


@pytest.mark.parametrize(("word", "first"), [("", "Delta Import"), ("delta", "Delta Import"), ("initial", "Full Import")])
def test_aadsync_exe_runs_a_cycle_as_its_caller(word: str, first: str, make: MakeServer) -> None:
    server = make("aadsync-exe")
    assert exe(server, word) == 0
    assert server.call(OPERATOR, "Get-Process", {"Name": "DirectorySyncClientCmd"})
    wait_until(lambda: not server.windows.processes.as_wmi(ADMINISTRATOR))
    assert profiles(server)[0] == first
    assert details(server, runs(server)[0]).findtext(".//security-id") == ADMINISTRATOR.user
    assert refused(server, OPERATOR, "Get-Process", {"Name": "DirectorySyncClientCmd"}).error_id.startswith("NoProcessFoundForGivenName")


def test_aadsync_exe_refuses_in_its_ways(make: MakeServer) -> None:
    server = make("aadsync")
    assert exe(server, "delta", OPERATOR) == 2, "Win32_Process.Create takes an administrator here"
    server.configure(process_creation="everybody")
    assert exe(server, "delta", OUTSIDER) == 0
    wait_until(lambda: not server.windows.processes.as_wmi(ADMINISTRATOR))
    assert not server.cycles, "started, and not let in by the engine"
    server.configure(exe_present=False)
    assert exe(server, "delta") == 9
    assert not server.call(OPERATOR, "path_exists", {"path": EXE.strip('"')})


def test_aadsync_second_exe_ends_in_silence(make: MakeServer) -> None:
    server = make("aadsync")
    server.start_cycle()
    assert exe(server) == 0
    wait_until(lambda: not server.windows.processes.as_wmi(ADMINISTRATOR))
    assert server.wait_idle()
    assert len(server.cycles) == 1
    server.configure(second_start="waits")
    server.start_cycle()
    assert exe(server) == 0
    wait_until(lambda: len(server.cycles) == 3)


def test_aadsync_child_of_the_shell_dies_with_it(make: MakeServer) -> None:
    server = make("aadsync", cycle_seconds=3.0)
    shell = Caller("LAB\\svc-sync", True, frozenset({"ADSyncOperators"}))
    server.call(shell, "process_child", {"line": EXE + " delta"})
    wait_until(lambda: server.engine.busy)
    server.shell_ended(shell)
    assert server.wait_idle()
    assert len(runs(server)) == 1, "the run under way ends, no other follows"
    exe(server)
    wait_until(lambda: server.engine.busy)
    server.shell_ended(ADMINISTRATOR)
    assert server.wait_idle()
    assert len(runs(server)) == 7, "what WMI started lives on"


def test_aadsync_task_runs_disabled_missing_hidden(make: MakeServer) -> None:
    server = make("aadsync")
    assert refused(server, OPERATOR, "task_run", {"path": TASK}).hresult == -2147024891
    server.call(ADMINISTRATOR, "task_run", {"path": TASK})
    wait_until(lambda: server.cycles)
    assert server.call(OPERATOR, "task_get", {"path": TASK})["State"] == 4
    server.call(ADMINISTRATOR, "task_run", {"path": TASK})
    server.wait_idle()
    wait_until(lambda: server.call(OPERATOR, "task_get", {"path": TASK})["LastTaskResult"] == 0)
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
    wait_until(lambda: server.cycles)
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
    wait_until(lambda: server.cycles)
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
