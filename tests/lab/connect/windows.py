# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What Windows knows of itself on the sync server: services, registry, files, scheduled tasks."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from lab.lifetime import Killed, Lifetime, current, living, require_alive

from .errors import Caller, refusal
from .options import ConnectOptions
from .record import ServerRecord, TaskTruth

_BIN = r"C:\Program Files\Microsoft Azure AD Sync\Bin"
_WIZARD = r"C:\Program Files\Microsoft Azure Active Directory Connect\AzureADConnect.exe"
_SERVICES = r"hklm:\system\currentcontrolset\services" + "\\"

_FOR_EVER = 3600.0
_TERMINATED = 0x41306  # SCHED_S_TASK_TERMINATED
#: owner of what nobody is known to have made on this host
_STRANGER = "S-1-5-21-1004336348-1177238915-682003330-9999"

RunTask = Callable[[Caller, str, str], int]


class Windows:
    """Answers questions about the machine; starts scheduled tasks through `run_task`."""

    def __init__(self, options: ConnectOptions, record: ServerRecord) -> None:
        self._options, self._record = options, record
        self._tasks: dict[tuple[str, str], dict[str, Any]] = {}
        self._task_folders: set[str] = set()
        #: every task that was ever registered, as it was asked for
        self.registered: list[dict[str, Any]] = []
        #: tasks that were unregistered while they ran: their processes go on
        self.orphans: list[str] = []
        #: security descriptors (SDDL) of folders that were made with one
        self.folders: dict[str, str] = {}
        self._lock = threading.Lock()
        self.run_task: RunTask = lambda caller, execute, argument: 1

    def _service_names(self) -> set[str]:
        return {name.lower() for name in self._options.other_services} | ({"adsync"} if self._options.installed else set())

    def get_service(self, caller: Caller, p: dict[str, Any]) -> list[dict[str, Any]]:
        """Get-Service -Name; a network logon without administrator rights may be kept from the service manager."""
        name = str(p["Name"])
        if name.lower() not in self._service_names():
            raise refusal("no_service", self._options.language, name)
        if not self._options.services_readable and not caller.is_in("Administrators"):
            raise refusal("no_task_right", self._options.language)
        running = self._options.service_running or name.lower() != "adsync"
        return [{"Name": name, "Status": "Running" if running else "Stopped", "StartType": "Automatic"}]

    def path_exists(self, caller: Caller, p: dict[str, Any]) -> bool:
        """Test-Path for what the lab knows: service keys, and the engine's module."""
        path = str(p["path"]).lower()
        if path.startswith(_SERVICES):
            return path[len(_SERVICES) :] in self._service_names()
        if path == (_BIN + r"\ADSync\ADSync.psd1").lower():
            return self._options.installed and self._options.module_present
        if path == (_BIN + r"\ADSyncDiagnostics\ADSyncDiagnostics.psm1").lower():
            return self._options.installed and tuple(int(one) for one in self._options.product_version.split(".")) >= (1, 6, 4, 0)
        return False

    def registry_value(self, caller: Caller, p: dict[str, Any]) -> str:
        """Get-ItemProperty -LiteralPath -Name."""
        values = {
            (_SERVICES + "adsync", "imagepath"): f'"{_BIN}\\miiserver.exe"',
            (r"hklm:\software\microsoft\azure ad connect", "wizardpath"): _WIZARD,
        }
        key = (str(p["path"]).lower(), str(p["name"]).lower())
        if not self._options.wizard_registered:
            del values[r"hklm:\software\microsoft\azure ad connect", "wizardpath"]
        if not self._options.installed or key not in values:
            raise refusal("no_value" if self._options.installed else "no_path", self._options.language, str(p["path"]), str(p["name"]))
        return values[key]

    def file_version(self, caller: Caller, p: dict[str, Any]) -> str:
        """(Get-Item).VersionInfo.FileVersion."""
        if not self._options.installed or str(p["path"]).lower() != _WIZARD.lower():
            raise refusal("no_path", self._options.language, str(p["path"]))
        return self._options.product_version

    # -- scheduled tasks. assumption: registering a task with the highest run level takes an administrator.

    def register_task(self, caller: Caller, p: dict[str, Any]) -> dict[str, Any]:
        """Register-ScheduledTask."""
        if not caller.is_in("Administrators"):
            raise refusal("no_task_right", self._options.language)
        task = {
            "TaskPath": p["TaskPath"],
            "TaskName": p["TaskName"],
            "State": 3,
            "LastTaskResult": 267011,
            "Execute": p["Execute"],
            "Argument": p["Argument"],
            "Description": p.get("Description") or "",
        }
        task["truth"] = TaskTruth(str(p["TaskPath"]), str(p["TaskName"]), caller.user, time.time())
        with self._lock:
            self.registered.append(dict(p))
            self._task_folders.add(str(p["TaskPath"]).strip("\\"))
            self._tasks[str(p["TaskPath"]), str(p["TaskName"])] = task
        with self._record.lock:
            self._record.tasks.append(task["truth"])
        return self._shown(task)

    def start_task(self, caller: Caller, p: dict[str, Any]) -> None:
        """Start-ScheduledTask: the action runs in a batch logon, which is no network logon."""
        task = self._find(p)

        lifetime = task["lifetime"] = Lifetime()
        hangs = self._options.tasks_hang

        def action() -> None:
            if not self._options.tasks_run:  # for example without the right to log on as a batch job
                task.update(State=3, LastTaskResult=0x80070569)
                return
            try:
                with living(lifetime):
                    if hangs:
                        lifetime.wait(_FOR_EVER)
                        require_alive()
                    result = self.run_task(Caller(caller.user, False, caller.groups), str(task["Execute"]), str(task["Argument"]))
                if lifetime.killed:
                    result = _TERMINATED
            except Killed:
                result = _TERMINATED
            except Exception:  # what its action needs has been taken away meanwhile
                result = 1
            task.update(State=3, LastTaskResult=result)
            task["truth"].ended = time.time()

        task["State"] = 4
        task["truth"].started = time.time()
        threading.Thread(target=action, name="scheduled-task", daemon=True).start()

    def get_tasks(self, caller: Caller, p: dict[str, Any]) -> list[dict[str, Any]]:
        """Get-ScheduledTask, by path or by path and name."""
        if p.get("TaskName"):
            return [self._shown(self._find(p))]
        with self._lock:
            found = [self._shown(task) for (path, _name), task in self._tasks.items() if path == p["TaskPath"]]
        if not found:
            raise refusal("no_task", self._options.language)
        return found

    def get_task_info(self, caller: Caller, p: dict[str, Any]) -> dict[str, Any]:
        """Get-ScheduledTaskInfo."""
        return {"TaskName": p["TaskName"], "LastTaskResult": self._find(p)["LastTaskResult"]}

    def stop_task(self, caller: Caller, p: dict[str, Any]) -> None:
        """Stop-ScheduledTask: the process of a running action is killed, without its `finally`."""
        task = self._find(p)
        lifetime = task.get("lifetime")
        if lifetime is not None:
            lifetime.kill()
        task["State"] = 3

    def unregister_task(self, caller: Caller, p: dict[str, Any]) -> None:
        """Unregister-ScheduledTask; a running process is not ended by it (assumption), and an empty folder stays."""
        task = self._find(p)
        with self._lock:
            if task["State"] == 4 and current() is not task.get("lifetime"):  # a task may remove itself
                self.orphans.append(str(p["TaskName"]))
            self._tasks.pop((str(p["TaskPath"]), str(p["TaskName"])), None)
            task["truth"].removed = time.time()

    def task_folder(self, caller: Caller, p: dict[str, Any]) -> dict[str, Any] | None:
        """ITaskService.GetFolder: what is in it; None where there is none."""
        name = str(p["path"]).strip("\\")
        with self._lock:
            if name and name not in self._task_folders:
                return None
            return {"tasks": sum(1 for path, _name in self._tasks if path.strip("\\") == name), "folders": 0}

    def delete_task_folder(self, caller: Caller, p: dict[str, Any]) -> None:
        """ITaskFolder.DeleteFolder; a folder that is not empty stays."""
        with self._lock:
            if any(path.strip("\\") == str(p["name"]) for path, _name in self._tasks):
                raise refusal("task_folder_not_empty", self._options.language)
            self._task_folders.discard(str(p["name"]))

    def task_folders(self) -> list[str]:
        """The folders in the library of the Task Scheduler."""
        with self._lock:
            return sorted(self._task_folders)

    # -- folders with an access list

    def create_folder(self, caller: Caller, p: dict[str, Any]) -> None:
        """DirectoryInfo.Create(security), as .NET Framework has it: where the folder exists already nothing happens at all."""
        path = str(p["path"])
        if self._options.folders_are_taken:
            os.mkdir(path)
        if not os.path.lexists(path):
            os.mkdir(path, 0o700)
            self.folders[path] = str(p["sddl"])

    def folder_owner(self, caller: Caller, p: dict[str, Any]) -> str:
        """The owner in the security descriptor of a folder."""
        sddl = self.folders.get(str(p["path"]), "O:" + _STRANGER)
        return sddl[2:].split("D:", 1)[0]

    def task_names(self) -> list[str]:
        """What is registered at the moment."""
        with self._lock:
            return [name for _path, name in self._tasks]

    # -- the Task Scheduler through COM: the same tasks

    def com_verbs(self) -> dict[str, Callable[[Caller, dict[str, Any]], Any]]:
        """What the stand-in of Schedule.Service asks (lab/powershell/schedule_service.ps1)."""
        return {
            "task_get": lambda caller, p: self._shown_by_com(self._find(_split(p))),
            "task_list": self._com_list,
            "task_register": self._com_register,
            "task_run": lambda caller, p: self.start_task(caller, _split(p)),
            "task_delete": lambda caller, p: self.unregister_task(caller, _split(p)),
            "task_folder_make": self._com_make_folder,
            "task_folder_remove": lambda caller, p: self.delete_task_folder(caller, {"name": str(p["path"]).strip("\\")}),
        }

    def _com_list(self, caller: Caller, p: dict[str, Any]) -> list[dict[str, Any]]:
        folder = str(p["path"]).strip("\\")
        with self._lock:
            return [self._shown_by_com(task) for (path, _name), task in self._tasks.items() if path.strip("\\") == folder]

    def _com_make_folder(self, caller: Caller, p: dict[str, Any]) -> None:
        if not caller.is_in("Administrators"):
            raise refusal("no_task_right", self._options.language)
        with self._lock:
            self._task_folders.add(str(p["path"]).strip("\\"))

    def _com_register(self, caller: Caller, p: dict[str, Any]) -> dict[str, Any]:
        """RegisterTaskDefinition; with a start the task runs by itself, and again at its interval."""
        names = {"Execute": p["execute"], "Argument": p["arguments"], "Description": p.get("description")}
        details = {"UserId": p["user"], "LogonType": {2: "S4U"}.get(p["logon_type"]), "RunLevel": {1: "Highest"}.get(p["run_level"])}
        self.register_task(caller, {**_split(p), **names, **details, "ExecutionTimeLimit": p.get("limit"), "Start": p.get("start")})
        task = self._find(_split(p))
        task["caller"] = Caller(caller.user, False, caller.groups)
        if p.get("start"):
            task["due"] = datetime.fromisoformat(str(p["start"])).astimezone(timezone.utc)
            task["interval"] = timedelta(minutes=int(str(p["interval"])[2:-1])) if p.get("interval") else None
        return self._shown_by_com(task)

    def start_due(self, now: datetime) -> None:
        """Start the tasks whose time has come on the server's clock."""
        with self._lock:
            due = [task for task in self._tasks.values() if task.get("due") is not None and task["due"] <= now]
        for task in due:
            task["due"] = now + task["interval"] if task["interval"] else None
            if task["State"] != 4:
                self.start_task(task["caller"], {"TaskPath": task["TaskPath"], "TaskName": task["TaskName"]})

    @staticmethod
    def _shown_by_com(task: dict[str, Any]) -> dict[str, Any]:
        path = str(task["TaskPath"]).rstrip("\\") + "\\" + str(task["TaskName"])
        shown = {"Name": task["TaskName"], "Path": path, "State": task["State"], "Enabled": True, "LastTaskResult": task["LastTaskResult"]}
        return {
            **shown,
            "LastRunTime": None,
            "NextRunTime": None,
            "Execute": task["Execute"],
            "Arguments": task["Argument"],
            "Interval": "",
            "UserId": "",
            "LogonType": 2,
            "RunLevel": 1,
            "Description": task["Description"],
        }

    def _find(self, p: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            task = self._tasks.get((str(p["TaskPath"]), str(p["TaskName"])))
        if task is None:
            raise refusal("no_task", self._options.language)
        return task

    @staticmethod
    def _shown(task: dict[str, Any]) -> dict[str, Any]:
        return {name: task[name] for name in ("TaskPath", "TaskName", "State", "Description")}


def _split(p: dict[str, Any]) -> dict[str, Any]:
    """A path of COM as the cmdlets name it."""
    folder, _slash, name = str(p["path"]).rpartition("\\")
    return {"TaskPath": folder + "\\", "TaskName": name}
