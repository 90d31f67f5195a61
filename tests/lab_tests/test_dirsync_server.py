# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The simulated DirSync server: fire and forget, the flag for a full one, two services."""

from __future__ import annotations

import base64
import time

import pytest
from fim_servers import ADMINISTRATOR, FIM, NAMESPACE, OPERATOR, OUTSIDER, SCHEDULER, MakeServer, details, refused, runs
from patience import wait_until

from lab.dirsync.server import STATE_KEY


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
    wait_until(lambda: len(server.cycles) == cycles and not server.engine.in_progress)
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
    server = make("dirsync", cycle_seconds=60.0)
    server.start_cycle()
    wait_until(lambda: server.engine.busy)
    server.call(ADMINISTRATOR, "Stop-Service", {"Name": FIM, "Force": True})
    assert server.wait_idle(30), "long before the cycle would have ended"
    server.call(ADMINISTRATOR, "Start-Service", {"Name": FIM})
    assert [run["RunStatus"] for run in runs(server)] == ["stopped-service-shutdown"]


def test_dirsync_full_password_sync_happens_with_the_restart(make: MakeServer) -> None:
    server = make("dirsync")
    server.call(ADMINISTRATOR, "Set-FullPasswordSync", {})
    question = {"ProviderName": "Directory Synchronization", "Id": [617, 623]}
    refused(server, ADMINISTRATOR, "Get-WinEvent", question)
    server.call(ADMINISTRATOR, "Restart-Service", {"Name": FIM, "Force": True})
    wait_until(lambda: len(server.events.read(("Directory Synchronization",), (617, 623), None, 0)) == 2)


def test_dirsync_interval_counts_after_a_restart_of_the_scheduler(make: MakeServer) -> None:
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
    wait_until(lambda: [cycle.origin for cycle in server.cycles] == ["scheduled"])


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
