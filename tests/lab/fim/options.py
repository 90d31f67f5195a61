# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""How a server of the FIM family is set up, and the faults that can be switched on by name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lab.connect import ConnectOptions

#: fault -> what it does; arm one with FimServer.arm(name, times=..., **details)
FIM_FAULTS = {
    "accepted_but_nothing_starts": "the start is taken without a word, and no cycle begins",
    "slow_start": "the cycle begins `seconds` after the start was taken",
    "run_result": "the runs of `profile` (on connectors of `kind` directory or cloud) end with `result`",
    "export_error": "the object with `source_anchor` is refused by the cloud with `error`",
    "directory_unreachable": "imports from the directory end with no-start-connection",
    "credentials": "imports from the directory end with no-start-credentials",
    "cloud_sign_in": "runs on the cloud connector end with stopped-extension-dll-exception and event 115",
    "start_refused": "the start is refused with an error of the engine",
    "starter_dies": "the process that runs the cycle's steps ends after the step under way; the engine lives on",
    "foreign_cycle": "another cycle begins just before the start that is asked for",
}


@dataclass
class FimOptions(ConnectOptions):
    """The set-up of a server of the FIM family; may be changed while it runs. Times are in seconds.

    wmi: readable, denied (no caller may read), empty (no run is shown) or absent (no such namespace).
    plan: product, or unknown (profiles with names of somebody's own, and no step types in the run details).
    running_end_time: what RunEndTime holds while a run is under way: empty or minimum.
    stopped_services: names of services that do not run, beside what service_running says of the engine's own.
    failing_services: names of services that do not start any more once they have been stopped. unstoppable_services: that take no stop.
    powershell_version: what $PSVersionTable claims; os_version: 6.1.7601 is Windows Server 2008 R2.
    """

    product_version: str = "1.0.0.0"
    interval: timedelta = timedelta(hours=3)
    powershell_version: str = "3.0"
    os_version: str = "6.1.7601"
    install_folder: str = ""
    operators: tuple[str, ...] = ()
    browsers: tuple[str, ...] = ()
    run_account: str = ""
    wmi: str = "readable"
    plan: str = "product"
    running_end_time: str = "empty"
    registry_writable: bool = True
    service_seconds: float = 0.0
    stopped_services: tuple[str, ...] = ()
    failing_services: tuple[str, ...] = ()
    unstoppable_services: tuple[str, ...] = ()
    dependent_comes_back: bool = False

    @property
    def has_task_cmdlets(self) -> bool:
        """The module ScheduledTasks came with Windows Server 2012 (6.2)."""
        return tuple(int(part) for part in self.os_version.split(".")[:2]) >= (6, 2)
