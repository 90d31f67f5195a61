# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Short Python fakes of the scripts that set an engine's scheduler, for machines without PowerShell (see fakes)."""

from __future__ import annotations

import contextlib
import time
from datetime import timedelta
from typing import Any, Callable

from ansible_collections.hybrid.identity.plugins.module_utils._engines import (
    _aadsync_scheduler_scripts,
    _connect_scheduler_scripts,
    _dirsync_scheduler_scripts,
)
from lab.clock import Clock
from lab.connect import CmdletError

from .envelope import error_object
from .fakes import ConnectFakes
from .fim_fakes import Cmdlet
from .older_fakes import find_new_runs, lock_of

_TASK = "\\Azure AD Sync Scheduler"
_SERVICE = "MSOnlineSyncScheduler"
_STATUS = {"Stopped": 1, "StartPending": 2, "StopPending": 3, "Running": 4}


class SchedulerFakes(ConnectFakes):
    """The fakes of every engine's scheduler."""

    def __init__(self, cmdlet: Cmdlet, clock: Clock) -> None:
        super().__init__(cmdlet, clock, lambda errand, parameters: {})  # the scheduler's scripts carry nothing along
        self.by_script: dict[str, Callable[[dict[str, Any]], Any]] = {
            _connect_scheduler_scripts.LOOK: self.connect_look,
            _connect_scheduler_scripts.SET: self.connect_set,
            _aadsync_scheduler_scripts.LOOK: lambda p: self.read_task(),
            _aadsync_scheduler_scripts.SET: self.task_set,
            _dirsync_scheduler_scripts.LOOK: self.dirsync_look,
            _dirsync_scheduler_scripts.SET: self.dirsync_set,
        }

    # -- connect

    def read_schedule(self) -> dict[str, Any]:
        """Read-Schedule."""
        scheduler = self._cmdlet("Get-ADSyncScheduler")
        customized = scheduler["CustomizedSyncCycleInterval"]
        return {
            "enabled": scheduler["SyncCycleEnabled"],
            "suspended": scheduler["SchedulerSuspended"],
            "staging": scheduler["StagingModeEnabled"],
            "next_type": scheduler["NextSyncCyclePolicyType"],
            "allowed_interval": scheduler["AllowedSyncCycleInterval"].total_seconds(),
            "effective_interval": scheduler["CurrentlyEffectiveSyncCycleInterval"].total_seconds(),
            "customized_interval": None if customized is None else customized.total_seconds(),
        }

    def connect_look(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of LOOK."""
        self._import_engine()
        return self.read_schedule()

    def connect_set(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of SET."""
        self._import_engine()
        settings: dict[str, Any] = {}
        if p["enabled"] is not None:
            settings["SyncCycleEnabled"] = p["enabled"]
        if p["policy"] is not None:
            settings["NextSyncCyclePolicyType"] = p["policy"]
        if p["seconds"] is not None:
            settings["CustomizedSyncCycleInterval"] = timedelta(seconds=p["seconds"])
        if p["standard"]:
            try:
                self._cmdlet("Set-ADSyncScheduler", CustomizedSyncCycleInterval=None)
            except CmdletError as error:
                if error.type != "System.Management.Automation.ParameterBindingException":
                    raise
                settings["CustomizedSyncCycleInterval"] = self._cmdlet("Get-ADSyncScheduler")["AllowedSyncCycleInterval"]
        if settings:
            self._cmdlet("Set-ADSyncScheduler", **settings)
        return self.read_schedule()

    # -- aadsync

    def read_task(self) -> dict[str, Any]:
        """Fake of LOOK."""
        found: dict[str, Any] = {**dict.fromkeys(("enabled", "interval", "logon_type", "problem")), "trigger": 0}
        found["administrator"] = "S-1-5-32-544" in self._cmdlet("own_groups")
        try:
            task = self._cmdlet("task_get", path=_TASK)
        except CmdletError as error:
            return {**found, "problem": error_object(error)}
        interval = task["Interval"] or None
        return {**found, "enabled": task["Enabled"], "interval": interval, "trigger": int(bool(interval)), "logon_type": task["LogonType"]}

    def task_set(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of SET."""
        task = self._cmdlet("task_get", path=_TASK)
        if p["interval"] is not None:
            kept = {"execute": task["Execute"], "arguments": task["Arguments"], "user": task["UserId"], "logon_type": task["LogonType"]}
            kept.update(run_level=task["RunLevel"], description=task["Description"], enabled=task["Enabled"], password=None)
            self._cmdlet("task_register", path=_TASK, flags=4, interval=p["interval"], **kept)
        if p["enabled"] is not None:
            self._cmdlet("task_enable", path=_TASK, enabled=p["enabled"])
        return {"done": True}

    # -- DirSync

    @staticmethod
    def _path(p: dict[str, Any]) -> str:
        return str(p["folder"]) + r"\Microsoft.Online.DirSync.Scheduler.exe.config"

    def dirsync_look(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of LOOK."""
        look: dict[str, Any] = {"config": None, "problem": None, "busy": [], "unrest": None}
        try:
            look["config"] = self._cmdlet("file_read", path=self._path(p))
        except CmdletError as error:
            look["problem"] = error_object(error)
        try:
            look["busy"] = self.wmi_busy()
        except CmdletError as error:
            look["unrest"] = error_object(error)
        return look

    def dirsync_set(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of SET."""
        outcome: dict[str, Any] = dict.fromkeys(("busy", "differs", "written", "restarted"), False)
        outcome.update(service=None, error=None)
        with lock_of(self._clock, p["lock_seconds"]):
            try:
                self._set_at_rest(p, outcome)
            except CmdletError as error:
                outcome["error"] = error_object(error)
                if outcome["written"]:
                    with contextlib.suppress(CmdletError):
                        self._cmdlet("Start-Service", Name=_SERVICE)
                        outcome["service"] = self._service_status()
        return outcome

    def _service_status(self) -> int:
        return _STATUS[self._cmdlet("Get-Service", Name=_SERVICE)[0]["Status"]]

    def _set_at_rest(self, p: dict[str, Any], outcome: dict[str, Any]) -> None:
        since = self._clock.now() - timedelta(days=30)
        numbers, began, looks = self.wmi_numbers(since), time.monotonic(), 0
        while looks < 3 or time.monotonic() - began < p["quiet_seconds"]:
            outcome["busy"] = bool([*find_new_runs(numbers, self.wmi_numbers(since)), *self.wmi_busy()])
            if outcome["busy"]:
                return
            looks += 1
            time.sleep(p["step_ms"] / 1000)
        outcome["differs"] = self._cmdlet("file_read", path=self._path(p)) != p["before"]
        if outcome["differs"]:
            return
        self._cmdlet("file_write", path=self._path(p), bytes=p["after"])
        outcome["written"] = True
        self._cmdlet("Restart-Service", Name=_SERVICE)
        outcome["restarted"] = True
        outcome["service"] = self._service_status()
