# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The COM object Schedule.Service of the newest engine's server: the same tasks as the module ScheduledTasks shows, asked in another way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .errors import Caller, CmdletError

Verb = Callable[[Caller, dict[str, Any]], Any]
_MISSING = -2147024894
_DENIED = -2147024891
_S4U, _HIGHEST = 2, 1


class TaskService:
    """Answers the verbs of the stand-in for Schedule.Service by those of the cmdlets. call: asks the server as a caller."""

    def __init__(self, call: Callable[[Caller, str, dict[str, Any]], Any]) -> None:
        self._call = call

    def verbs(self) -> dict[str, Verb]:
        """Everything that the stand-in asks, by name."""
        return {
            "task_folder": self._folder,
            "task_folder_make": lambda caller, p: None,  # registering a task makes its folder
            "task_folder_remove": lambda caller, p: self._ask(caller, "delete_task_folder", {"name": str(p["path"]).strip("\\")}),
            "task_get": lambda caller, p: self._shown(self._ask(caller, "Get-ScheduledTask", _split(p))[0], caller, p),
            "task_list": self._list,
            "task_run": lambda caller, p: self._ask(caller, "Start-ScheduledTask", _split(p)),
            "task_stop": lambda caller, p: self._ask(caller, "Stop-ScheduledTask", _split(p)),
            "task_delete": lambda caller, p: self._ask(caller, "Unregister-ScheduledTask", _split(p)),
            "task_register": self._register,
        }

    def _folder(self, caller: Caller, p: dict[str, Any]) -> dict[str, Any]:
        found = self._call(caller, "count_task_folder", p)
        if found is None:
            raise _com("System.IO.FileNotFoundException", _MISSING, "The system cannot find the file specified.")
        return dict(found)

    def _list(self, caller: Caller, p: dict[str, Any]) -> list[dict[str, Any]]:
        path = str(p["path"]).rstrip("\\") + "\\"
        try:
            found = self._call(caller, "Get-ScheduledTask", {"TaskPath": path})
        except CmdletError:
            return []  # an empty folder, and no error as the cmdlet has it
        return [self._shown(task, caller, {"path": path + task["TaskName"]}, result=False) for task in found]

    def _register(self, caller: Caller, p: dict[str, Any]) -> dict[str, Any]:
        details = {
            "Execute": p["execute"],
            "Argument": p["arguments"],
            "UserId": p["user"],
            "LogonType": "S4U" if p["logon_type"] == _S4U else str(p["logon_type"]),
            "RunLevel": "Highest" if p["run_level"] == _HIGHEST else "Limited",
            "Description": p["description"],
            "ExecutionTimeLimit": float(str(p["limit"]).strip("PTS")),
        }
        return self._shown(self._ask(caller, "Register-ScheduledTask", {**_split(p), **details}), caller, p, result=False)

    def _shown(self, task: dict[str, Any], caller: Caller, p: dict[str, Any], *, result: bool = True) -> dict[str, Any]:
        shown = {
            "Name": task["TaskName"],
            "Path": str(p["path"]),
            "State": task["State"],
            "Enabled": True,
            "Description": task["Description"],
            "LastRunTime": None,
            "NextRunTime": None,
            "LastTaskResult": 0,
            "Execute": "",
            "Arguments": "",
            "Interval": "",
            "UserId": "",
            "LogonType": _S4U,
            "RunLevel": _HIGHEST,
        }
        if result:
            shown["LastTaskResult"] = self._call(caller, "Get-ScheduledTaskInfo", _split(p))["LastTaskResult"]
        return shown

    def _ask(self, caller: Caller, name: str, p: dict[str, Any]) -> Any:
        """Ask as the cmdlet asks. COM methods throw what .NET makes of their HRESULT, and know no CimException."""
        try:
            return self._call(caller, name, p)
        except CmdletError as error:
            types = {_MISSING: "System.IO.FileNotFoundException", _DENIED: "System.UnauthorizedAccessException"}
            raise _com(types.get(error.hresult, "System.Runtime.InteropServices.COMException"), error.hresult, error.message) from error


def _split(p: dict[str, Any]) -> dict[str, Any]:
    folder, name = str(p["path"]).rsplit("\\", 1)
    return {"TaskPath": folder + "\\", "TaskName": name}


def _com(type_name: str, hresult: int, message: str) -> CmdletError:
    return CmdletError(type_name, hresult, type_name, "OperationStopped", message, True)
