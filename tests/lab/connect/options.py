# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""How the simulated server is set up, and the faults that can be switched on by name."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

#: fault -> what it does; arm one with ConnectServer.arm(name, times=..., **details)
FAULTS = {
    "accepted_but_nothing_starts": "Start-ADSyncSyncCycle answers Success, and no cycle begins",
    "slow_start": "the cycle begins `seconds` after Start-ADSyncSyncCycle has answered",
    "run_result": "the runs of `profile` (on connectors of `kind` directory or cloud) end with `result`",
    "export_error": "the object with `source_anchor` is refused by the cloud with `error`",
    "directory_unreachable": "imports from the directory end with no-start-connection",
    "credentials": "imports from the directory end with no-start-credentials",
    "cloud_sign_in": "runs on the Entra connector end with stopped-extension-dll-exception and event 115",
}


@dataclass
class ConnectOptions:
    """The set-up of the server; may be changed while it runs. Times are in seconds."""

    product_version: str = "2.6.92.0"
    cycle_seconds: float = 20.0
    synchronised_ous: tuple[str, ...] = ("OU=Staff,DC=lab,DC=test",)
    directory_connector: str = "lab.test"
    initial_domain: str = "lab.onmicrosoft.com"
    verified_domains: tuple[str, ...] = ("lab.example", "lab.onmicrosoft.com")
    staging: bool = False
    enabled: bool = True
    suspended: bool = False
    service_running: bool = True
    installed: bool = True
    module_present: bool = True
    has_scheduler: bool = True  # False: AAD Sync, before 1.1.105
    other_services: tuple[str, ...] = ()
    services_readable: bool = True
    language: str = "en"
    interval: timedelta = timedelta(minutes=30)
    scheduler_running: bool = True
    history_refuses_network_logon: bool = True
    connectors_refuse_network_logon: bool = False  # field reports contradict each other
    next_start_known: bool = True
    running_has_end_date: bool = True  # a minimum date, as field reports infer; else null
    wizard_registered: bool = True
    tasks_run: bool = True
    tasks_hang: bool = False  # they start, and run until somebody stops them
    folders_are_taken: bool = False  # whoever wants to make a folder finds that somebody else was faster
    deletion_threshold: int = 500
    computer: str = "SYNC1"

    def change(self, **changes: Any) -> None:
        """Set several at once. Raises AttributeError for a name that does not exist."""
        known = {field.name for field in fields(self)}
        for name, value in changes.items():
            if name not in known:
                raise AttributeError(f"the sync server has no option {name!r}; there are: {', '.join(sorted(known))}")
            setattr(self, name, tuple(value) if isinstance(getattr(self, name), tuple) else value)
