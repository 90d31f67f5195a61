# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Fakes of the scripts of password synchronisation on DirSync. They decide nothing that a script does not decide."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from ansible_collections.hybrid.identity.plugins.module_utils._engines import _dirsync_password_scripts as scripts
from lab.clock import Clock
from lab.connect import CmdletError

from .dirsync_fakes import DirSyncFakes
from .envelope import error_object
from .fim_fakes import Cmdlet
from .password_fakes import Tasks

_ARM = "Set-FullPasswordSync"


class DirSyncPasswordFakes(DirSyncFakes):
    """The fakes. tasks: see PasswordFakes."""

    def __init__(self, cmdlet: Cmdlet, clock: Clock, user: str, options: Any, tasks: Tasks) -> None:
        super().__init__(cmdlet, clock, user)
        self._options, self._tasks = options, tasks
        self.by_script = {scripts.LOOK: self.look, scripts.FORCE: self.force, scripts.REPAIR: self.repair}

    def _runs(self, name: str) -> bool:
        try:
            return bool(self._cmdlet("Get-Service", Name=name)[0]["Status"] == "Running")
        except CmdletError:
            return False

    def _services(self, names: list[str]) -> list[dict[str, Any]]:
        rows = {row["Name"]: row for row in self._cmdlet("cim_query", ClassName="Win32_Service")}
        return [
            {"name": name, "running": self._runs(name), "mode": rows[name]["StartMode"], "stops": rows[name]["AcceptStop"]}
            for name in names
        ]

    def _find_command(self, p: dict[str, Any]) -> None:
        _how, found = self._import(p)
        if found is None:
            words = "Cannot load Windows PowerShell console file."
            raise CmdletError("System.Management.Automation.RuntimeException", -2146233087, words, "OperationStopped", words, True)
        if _ARM not in found["commands"]:
            kind = "System.Management.Automation.CommandNotFoundException"
            raise CmdletError(
                kind, -2146233087, "CommandNotFoundException", "ObjectNotFound", f"The term '{_ARM}' is not recognized.", True
            )

    def look(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of LOOK."""
        look: dict[str, Any] = {"connectors": [], "busy": [], "command": None, "tasks": [], "problems": {}}
        look["services"] = self._services(p["services"])
        try:
            look["connectors"] = self.wmi_connectors()
            look["busy"] = self.wmi_busy()
        except CmdletError as error:
            look["problems"]["connectors"] = error_object(error)
        try:
            if self._import(p) == ("module", None):
                words = "The specified module was not loaded because no valid module file was found in any module directory."
                where = "Modules_ModuleNotFound,Microsoft.PowerShell.Commands.ImportModuleCommand"
                raise CmdletError("System.IO.FileNotFoundException", -2147024894, where, "ResourceUnavailable", words, True)
        except CmdletError as error:
            look["problems"]["module"] = error_object(error)
        else:
            try:
                self._find_command(p)
                look["command"] = True
            except CmdletError as error:
                look["command"] = False
                if "CommandNotFoundException" not in error.error_id:
                    look["problems"]["module"] = error_object(error)
        look["admin"] = None if self._options.custom_groups else "S-1-5-21-" + p["group"] in self._cmdlet("own_groups")
        for task in self._cmdlet("task_list", path="\\hybrid.identity"):
            look["tasks"].append({"name": task["Name"], "running": task["State"] == 4})
        look["at"] = self.now()
        return look

    def force(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of FORCE."""
        outcome: dict[str, Any] = {"requested": self.now(), "at": None, "busy": [], "services": [], "armed": False, "restarted": False}
        outcome.update(guarded=False, stopped=[], started=[], error=None, trouble=None)
        with self.lock(p["lock_seconds"]) as locked:
            if not locked:
                outcome["busy"] = ["another task of this collection"]
                return outcome
            self._force(p, outcome)
        return outcome

    def _force(self, p: dict[str, Any], outcome: dict[str, Any]) -> None:
        since = self._clock.now() - timedelta(days=30)
        before = self.wmi_numbers(since)
        deadline = time.monotonic() + p["quiet_seconds"]
        while True:
            outcome["busy"] = self.wmi_busy()
            if self.wmi_numbers(since) != before:
                outcome["busy"].append("a cycle")
            if outcome["busy"]:
                return
            if time.monotonic() >= deadline:
                break
            time.sleep(p["step_ms"] / 1000)
        self._find_command(p)
        outcome["services"] = self._services(p["services"])
        if any(not one["running"] or not one["stops"] or one["mode"] == "Disabled" for one in outcome["services"]):
            return
        name = "guardian-" + p["stamp"]

        def guard(cmdlet: Cmdlet, tasks: Tasks) -> None:
            DirSyncPasswordFakes(cmdlet, self._clock, "", self._options, tasks).guardian("work-" + p["stamp"], name, p["services"])

        self._tasks.write(name, guard, p["delay"])
        outcome.update(guarded=True, at=self.now())
        try:
            self._cmdlet(_ARM)
            outcome["armed"] = True
            self._cmdlet("Restart-Service", Name=p["services"][0], Force=True)
            outcome["restarted"] = True
        except CmdletError as error:
            outcome["error"] = error_object(error)
        self._start_stopped(p, outcome)
        if p["services"][0] in [*outcome["started"], *outcome["stopped"]]:
            outcome["restarted"] = True
        if not outcome["stopped"]:
            self._tasks.remove(name)
            outcome["guarded"] = False

    def _start_stopped(self, p: dict[str, Any], outcome: dict[str, Any]) -> None:
        deadline = time.monotonic() + p["back_seconds"]
        while True:
            outcome["stopped"] = []
            for name in p["services"]:
                if self._runs(name):
                    continue
                try:
                    self._cmdlet("Start-Service", Name=name)
                    outcome["started"].append(name)
                except CmdletError as error:
                    outcome["trouble"] = error_object(error)
                if not self._runs(name):
                    outcome["stopped"].append(name)
            if not outcome["stopped"] or time.monotonic() >= deadline:
                return
            time.sleep(0.5)

    def repair(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of REPAIR."""
        outcome: dict[str, Any] = {"stopped": [], "started": [], "trouble": None}
        self._start_stopped(p, outcome)
        if not outcome["stopped"] and p["earlier"]:
            self._tasks.remove("guardian-" + p["earlier"])
            self._tasks.remove("work-" + p["earlier"])
        return {**outcome, "at": self.now()}

    def guardian(self, work: str, name: str, services: list[str]) -> None:
        """Fake of GUARDIAN."""
        try:
            if self._cmdlet("task_get", path="\\hybrid.identity\\" + work)["State"] == 4:
                return
        except CmdletError:
            pass
        for service in services:
            if not self._runs(service):
                try:
                    self._cmdlet("Start-Service", Name=service)
                except CmdletError:
                    pass
        if all(self._runs(service) for service in services):
            self._tasks.remove(work)
            self._tasks.remove(name)
