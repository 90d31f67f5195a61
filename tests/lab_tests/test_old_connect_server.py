# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The simulated server of Azure AD Connect 1.1 to 1.4: what its build has, and what it has not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fim_servers import ADMINISTRATOR, NAMESPACE, OPERATOR, MakeServer, refused, runs


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
    for name, at_once in (("connect-1.1.105", False), ("connect-1.1.281", True)):
        server = make(name)
        server.call(ADMINISTRATOR, "Set-ADSyncScheduler", {"CustomizedSyncCycleInterval": timedelta(hours=2)})
        assert server.call(ADMINISTRATOR, "Get-ADSyncScheduler", {})["CustomizedSyncCycleInterval"] == timedelta(hours=2)
        effective = server.call(ADMINISTRATOR, "Get-ADSyncScheduler", {})["CurrentlyEffectiveSyncCycleInterval"]
        assert (effective == timedelta(hours=2)) is at_once
        server.start_cycle()
        server.wait_idle()
        assert server.call(ADMINISTRATOR, "Get-ADSyncScheduler", {})["CurrentlyEffectiveSyncCycleInterval"] == timedelta(hours=2)
