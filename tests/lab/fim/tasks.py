# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The task scheduler, as the COM object Schedule.Service and as the module ScheduledTasks show it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from lab.clock import Clock
from lab.connect import Caller

from .options import FimOptions
from .texts import fim_refusal

#: TASK_STATE_DISABLED, _READY, _RUNNING; SCHED_S_TASK_HAS_NOT_RUN, SCHED_S_TASK_RUNNING (Microsoft)
DISABLED, READY, RUNNING, NOT_RUN_YET, STILL_RUNNING = 1, 3, 4, 267011, 267009
#: TASK_CREATE, TASK_UPDATE; TASK_LOGON_PASSWORD, _S4U, _SERVICE_ACCOUNT
CREATE, UPDATE, LOGON_PASSWORD, LOGON_S4U, LOGON_SERVICE = 2, 4, 1, 2, 5
_NO_BATCH_RIGHT = 0x80070569

#: starts a task's action as an account; returns its exit code when it has ended
RunAction = Callable[[Caller, str, str], int]


@dataclass
class Task:
    """A registered task. interval: ISO 8601, as in Repetition.Interval; visible: everyone, or administrators; due: by its own trigger."""

    folder: str
    name: str
    execute: str
    arguments: str
    user: str = ""
    logon_type: int = LOGON_S4U
    enabled: bool = True
    interval: str = ""
    visible: str = "everyone"
    registered_by: str = ""
    run_level: int = 0
    description: str = ""
    running: int = 0
    last_result: int = NOT_RUN_YET
    last_run: datetime | None = None
    next_run: datetime | None = None
    changes: list[str] = field(default_factory=list)
    due: datetime | None = None
    owner: Caller | None = None

    @property
    def path(self) -> str:
        """Folder and name."""
        return (self.folder.rstrip("\\") or "") + "\\" + self.name

    @property
    def state(self) -> int:
        """TASK_STATE."""
        return RUNNING if self.running else (READY if self.enabled else DISABLED)


class Tasks:
    """The registered tasks. assumption: registering with the highest run level, and every change, takes an administrator."""

    def __init__(self, clock: Clock, options: FimOptions) -> None:
        self._clock, self._options = clock, options
        self._lock = threading.RLock()
        self._folders = {"\\"}
        self._tasks: dict[str, Task] = {}
        self.run_action: RunAction = lambda caller, execute, arguments: 1
        #: ends the processes of a program that a task has started
        self.end_action: Callable[[str], object] = lambda execute: None
        #: what somebody gets who asks for a task that he may not see: task_missing or task_denied. assumption: either happens
        self.hidden_answer = "task_missing"

    def add(self, task: Task) -> None:
        """Register a task as the product's set-up does."""
        self._folders.add(task.folder.lower())
        self._tasks[task.path.lower()] = task

    def find(self, path: str) -> Task | None:
        """For the lab: a task by its path."""
        return self._tasks.get(path.lower())

    def drop(self, path: str) -> None:
        """For the lab: it is gone."""
        self._tasks.pop(path.lower(), None)

    def folder_names(self) -> list[str]:
        """The folders below the root."""
        return sorted(folder.strip("\\") for folder in self._folders if folder.strip("\\"))

    def count_folder(self, caller: Caller, p: dict[str, Any]) -> dict[str, Any] | None:
        """How many tasks lie in a folder; None where there is none."""
        wanted = str(p["path"]).lower().rstrip("\\")
        if wanted not in {folder.rstrip("\\") for folder in self._folders}:
            return None
        return {"tasks": sum(1 for task in self._tasks.values() if task.folder.lower().rstrip("\\") == wanted), "folders": 0}

    def names(self) -> list[str]:
        """The names of what is registered at the moment."""
        with self._lock:
            return [task.name for task in self._tasks.values()]

    # -- Schedule.Service

    def folder(self, caller: Caller, p: dict[str, Any]) -> bool:
        """GetFolder: whether it is there, else an error."""
        if str(p["path"]).lower().rstrip("\\") not in {folder.rstrip("\\") for folder in self._folders}:
            raise self._refusal("task_folder_missing")
        return True

    def make_folder(self, caller: Caller, p: dict[str, Any]) -> None:
        """CreateFolder."""
        self._require_administrator(caller)
        if str(p["path"]).lower() in self._folders:
            raise self._refusal("task_exists")
        self._folders.add(str(p["path"]).lower())

    def remove_folder(self, caller: Caller, p: dict[str, Any]) -> None:
        """DeleteFolder; only an empty one."""
        self._require_administrator(caller)
        path = str(p["path"]).lower()
        if any(task.folder.lower() == path for task in self._tasks.values()):
            raise self._refusal("task_denied")
        self._folders.discard(path)

    def get(self, caller: Caller, p: dict[str, Any]) -> dict[str, Any]:
        """GetTask."""
        return self._shown(self._visible(caller, str(p["path"])))

    def list_folder(self, caller: Caller, p: dict[str, Any]) -> list[dict[str, Any]]:
        """GetTasks: what the caller may see in a folder, and nothing about the rest."""
        folder = str(p["path"]).lower().rstrip("\\")
        with self._lock:
            return [
                self._shown(task)
                for task in self._tasks.values()
                if task.folder.lower().rstrip("\\") == folder and self._may_see(caller, task)
            ]

    def run(self, caller: Caller, p: dict[str, Any]) -> None:
        """Run: asynchronous. A disabled task is refused; while an instance runs, another start is ignored (the default policy)."""
        task = self._visible(caller, str(p["path"]))
        if not caller.is_in("Administrators") and task.registered_by.lower() != caller.user.lower():
            raise self._refusal("task_denied")
        if not task.enabled:
            raise self._refusal("task_disabled")
        self.start(task, caller)

    def start(self, task: Task, caller: Caller | None = None) -> bool:
        """Start a task's action under its own account (else the caller's); False while an instance runs."""
        with self._lock:
            if task.running:
                return False
            task.running, task.last_run, task.last_result = 1, self._clock.now(), STILL_RUNNING
        account = self._account(task, caller)

        def action() -> None:
            # For example without the right to log on as a batch job.
            result = self.run_action(account, task.execute, task.arguments) if self._options.tasks_run else _NO_BATCH_RIGHT
            with self._lock:
                task.running, task.last_result = 0, result

        threading.Thread(target=action, name="scheduled-task", daemon=True).start()
        return True

    def start_due(self, now: datetime) -> None:
        """Start what was registered with a time of its own, once that has come, and again at its interval (minutes)."""
        with self._lock:
            due = [task for task in self._tasks.values() if task.due is not None and task.due <= now]
        for task in due:
            task.due = now + timedelta(minutes=int(task.interval[2:-1])) if task.interval else None
            self.start(task, task.owner)

    def _account(self, task: Task, starter: Caller | None) -> Caller:
        """Who the action runs as. A task of the product has an account of its own; one for a SID stands for who registered it."""
        if task.logon_type in (LOGON_PASSWORD, LOGON_SERVICE) or starter is None:
            return Caller(task.user, False, frozenset({"Administrators", *self._options.operators}))
        return Caller(starter.user, False, starter.groups)

    def set_enabled(self, caller: Caller, p: dict[str, Any]) -> None:
        """put_Enabled, Enable-ScheduledTask, Disable-ScheduledTask: no password is asked for."""
        task = self._visible(caller, str(p["path"]))
        self._require_administrator(caller)
        task.enabled = bool(p["enabled"])
        task.changes.append("enabled")

    def register(self, caller: Caller, p: dict[str, Any]) -> dict[str, Any]:
        """RegisterTaskDefinition: {path, flags, execute, arguments, interval, user, password, logon_type, run_level, enabled}."""
        self._require_administrator(caller)
        path, flags = str(p["path"]), int(p.get("flags") or 6)
        folder, name = path.rsplit("\\", 1)
        with self._lock:
            known = self._tasks.get(path.lower())
            if known is None and not flags & CREATE:
                raise self._refusal("task_missing")
            if known is not None and not flags & UPDATE:
                raise self._refusal("task_exists")
            logon_type = int(p.get("logon_type") or (known.logon_type if known else LOGON_S4U))
            if logon_type == LOGON_PASSWORD and not p.get("password"):
                raise self._refusal("task_password")  # a task with a stored password is changed only by who knows it
            task = known or Task(folder or "\\", name, "", "", registered_by=caller.user)
            task.execute, task.arguments = str(p.get("execute") or task.execute), str(p.get("arguments") or "")
            task.user, task.logon_type = str(p.get("user") or task.user), logon_type
            task.interval, task.run_level = str(p.get("interval") or ""), int(p.get("run_level") or 0)
            task.description = str(p.get("description") or "")
            task.enabled, task.owner = bool(p.get("enabled", True)), caller
            task.due = datetime.fromisoformat(str(p["start"])).astimezone(timezone.utc) if p.get("start") else None
            task.changes.append("definition")
            self.add(task)
        return self._shown(task)

    def delete(self, caller: Caller, p: dict[str, Any]) -> None:
        """DeleteTask. assumption: what the task has started lives on."""
        task = self._visible(caller, str(p["path"]))
        self._require_administrator(caller)
        with self._lock:
            self._tasks.pop(task.path.lower(), None)

    # -- the module ScheduledTasks, and what the tests of the newest engine call

    def register_task(self, caller: Caller, p: dict[str, Any]) -> dict[str, Any]:
        """Register-ScheduledTask."""
        if not caller.is_in("Administrators"):
            raise fim_refusal("no_task_right", self._options.language)
        path = str(p["TaskPath"]).rstrip("\\") + "\\" + str(p["TaskName"])
        task = Task(path.rsplit("\\", 1)[0] or "\\", str(p["TaskName"]), str(p["Execute"]), str(p["Argument"]), registered_by=caller.user)
        task.description = str(p.get("Description") or "")
        self.add(task)
        return self._as_cmdlet(task)

    def start_task(self, caller: Caller, p: dict[str, Any]) -> None:
        """Start-ScheduledTask."""
        self.start(self._by_cmdlet(caller, p), caller)

    def get_tasks(self, caller: Caller, p: dict[str, Any]) -> list[dict[str, Any]]:
        """Get-ScheduledTask, by path or by path and name."""
        if p.get("TaskName"):
            return [self._as_cmdlet(self._by_cmdlet(caller, p))]
        folder = str(p["TaskPath"]).rstrip("\\").lower()
        with self._lock:
            found = [
                self._as_cmdlet(task)
                for task in self._tasks.values()
                if task.folder.lower().rstrip("\\") == folder and self._may_see(caller, task)
            ]
        if not found:
            raise fim_refusal("no_task", self._options.language)
        return found

    def get_task_info(self, caller: Caller, p: dict[str, Any]) -> dict[str, Any]:
        """Get-ScheduledTaskInfo."""
        task = self._by_cmdlet(caller, p)
        return {"TaskName": task.name, "LastTaskResult": task.last_result, "LastRunTime": task.last_run, "NextRunTime": task.next_run}

    def stop_task(self, caller: Caller, p: dict[str, Any]) -> None:
        """Stop-ScheduledTask."""
        self._halt(self._by_cmdlet(caller, p))

    def stop(self, caller: Caller, p: dict[str, Any]) -> None:
        """Stop: the process of the running action ends."""
        self._halt(self._visible(caller, str(p["path"])))

    def _halt(self, task: Task) -> None:
        if task.running:
            self.end_action(task.execute)

    def unregister_task(self, caller: Caller, p: dict[str, Any]) -> None:
        """Unregister-ScheduledTask."""
        with self._lock:
            if self._cmdlet_path(p) not in self._tasks:
                raise fim_refusal("no_task", self._options.language)
            self._tasks.pop(self._cmdlet_path(p), None)

    # -- shared

    def _cmdlet_path(self, p: dict[str, Any]) -> str:
        return (str(p.get("TaskPath") or "\\").rstrip("\\") + "\\" + str(p["TaskName"])).lower()

    def _by_cmdlet(self, caller: Caller, p: dict[str, Any]) -> Task:
        task = self._tasks.get(self._cmdlet_path(p))
        if task is None or not self._may_see(caller, task):
            raise fim_refusal("no_task", self._options.language)
        return task

    def _visible(self, caller: Caller, path: str) -> Task:
        with self._lock:
            task = self._tasks.get(path.lower())
        if task is None:
            raise self._refusal("task_missing")
        if not self._may_see(caller, task):
            raise self._refusal(self.hidden_answer)
        return task

    @staticmethod
    def _may_see(caller: Caller, task: Task) -> bool:
        return task.visible == "everyone" or caller.is_in("Administrators")

    def _require_administrator(self, caller: Caller) -> None:
        if not caller.is_in("Administrators"):
            raise self._refusal("task_denied")

    def _refusal(self, name: str) -> Exception:
        return fim_refusal(name, self._options.language)

    @staticmethod
    def _as_cmdlet(task: Task) -> dict[str, Any]:
        return {"TaskPath": task.folder.rstrip("\\") + "\\", "TaskName": task.name, "State": task.state, "Description": task.description}

    @staticmethod
    def _shown(task: Task) -> dict[str, Any]:
        return {
            "Name": task.name,
            "Path": task.path,
            "State": task.state,
            "Enabled": task.enabled,
            "Description": task.description,
            "LastRunTime": task.last_run,
            "LastTaskResult": task.last_result,
            "NextRunTime": task.next_run if task.enabled else None,
            "Execute": task.execute,
            "Arguments": task.arguments,
            "Interval": task.interval,
            "UserId": task.user,
            "LogonType": task.logon_type,
            "RunLevel": task.run_level,
        }
