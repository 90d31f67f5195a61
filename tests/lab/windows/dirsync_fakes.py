# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Fakes of the scripts of DirSync. They decide nothing that a script does not decide."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

from ansible_collections.hybrid.identity.plugins.module_utils._engines import _dirsync_scripts
from lab.clock import Clock
from lab.connect import CmdletError

from .envelope import error_object
from .fim_fakes import Cmdlet
from .older_fakes import OlderFakes

_KEY = r"HKLM:\SOFTWARE\Microsoft\MSOLCoExistence"


class DirSyncFakes(OlderFakes):
    """The fakes of the scripts of both DirSync engines."""

    providers = ("FIMSynchronizationService", "Directory Synchronization")

    def __init__(self, cmdlet: Cmdlet, clock: Clock, user: str) -> None:
        super().__init__(cmdlet, clock, user)
        self.by_script = {
            _dirsync_scripts.PROBE: self.probe,
            _dirsync_scripts.START: self.start,
            _dirsync_scripts.FOLLOW: self.follow,
            _dirsync_scripts.READ_RUNS: self.read_runs,
        }

    def state(self) -> dict[str, Any]:
        """Read-State."""
        return {"in_progress": None, **self._busy(), "at": self.now()}

    def probe(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of PROBE."""
        import base64

        state, problems, interval = self.state(), {}, None
        if state["problem"] is not None:
            problems["status"] = state["problem"]
        try:
            content = self._cmdlet("file_read", path=p["folder"] + r"\Microsoft.Online.DirSync.Scheduler.exe.config")
            setting = ElementTree.fromstring(base64.b64decode(content)).find("appSettings/add[@key='SyncTimeInterval']")
            interval = None if setting is None else setting.get("value")
        except CmdletError as error:
            problems["interval"] = error_object(error)
        history = self.wmi_history(self._clock.now() - timedelta(seconds=p["history_seconds"]))
        return {"state": state, "problems": problems, "history": history, "interval": interval}

    def _import(self, p: dict[str, Any]) -> tuple[str, Any]:
        module = p["folder"] + r"\dirsync\DirSync.psd1"
        if self._cmdlet("path_exists", path=module):
            return "module", self._cmdlet("module_stand_in", path=module)
        try:
            return "snap_in", self._cmdlet("snap_in", name="Coexistence-Configuration")
        except CmdletError:
            console = p["folder"] + r"\DirSyncConfigShell.psc1"
            if self._cmdlet("path_exists", path=console):
                return "console_file", self._cmdlet("console_file", path=console)
            raise

    def _restore(self, before: int | None) -> None:
        if before is None:
            self._cmdlet("registry_remove", path=_KEY, name="FullSyncNeeded")
        else:
            self._cmdlet("registry_set", path=_KEY, name="FullSyncNeeded", value=before, kind="DWord")

    def _begin(self, how: str, full: bool) -> None:
        try:
            self._cmdlet("Start-OnlineCoexistenceSync", **({"FullSync": True} if full else {}))
        except CmdletError as error:
            if how != "console_file":
                raise
            kind = "System.Management.Automation.RuntimeException"
            raise CmdletError(kind, -2146233087, error.message, "OperationStopped", error.message, True) from error

    def start(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of START."""
        began = time.monotonic()
        names = ("before", "requested", "how", "refusal", "flag", "flag_left", "watch", "trouble")
        started: dict[str, Any] = {"sent": False, "locked": False, **dict.fromkeys(names), "flag_written": False, "appeared": False}
        with self.lock(p["lock_seconds"]) as started["locked"]:
            try:
                started["before"] = self.state()
                if not started["before"]["busy"] and not self.at_rest(p["quiet_seconds"]):
                    started["before"]["in_progress"] = True
                if started["before"]["in_progress"] or started["before"]["busy"]:
                    return started
                started["how"], found = self._import(p)
                parameter = started["how"] != "console_file" and "WithoutFullSync" not in found["file"]
                flag = self._cmdlet("registry_values", path=_KEY).get("FullSyncNeeded")
                started["flag"] = int(flag or 0)
                numbers = self._numbers_before()
                if p["full"] and not parameter and started["flag"] != 1:
                    self._cmdlet("registry_set", path=_KEY, name="FullSyncNeeded", value=1, kind="DWord")
                    started["flag_written"] = True
                started["sent"], started["requested"] = True, self.now()
                try:
                    self._begin(started["how"], p["full"] and parameter)
                except CmdletError as error:
                    self._refused(started, flag, error)
                    return started
                started["appeared"] = self._wait_new_run(numbers, p)
            except CmdletError as error:
                started["trouble"] = error_object(error)
                return started
        self._follow_start(started, p, began)
        return started

    def _refused(self, started: dict[str, Any], flag: int | None, error: CmdletError) -> None:
        started["refusal"] = error_object(error)
        if started["flag_written"]:
            try:
                self._restore(flag)
            except CmdletError as left:
                started["flag_left"] = error_object(left)
        started["watch"] = {"state": self.state(), "active": False, "first_active": None, "idle_since": None, "history": None}
