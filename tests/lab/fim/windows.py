# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Windows around an engine of the FIM family: services, registry, files, processes, tasks, WMI, and what can be imported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.clock import Clock
from lab.connect import Caller
from lab.connect.record import ServerRecord
from lab.connect.windows import RunTask, Windows

from .options import FimOptions
from .processes import Process, Processes
from .services import Service, Services
from .storage import Files, Registry
from .tasks import Tasks
from .texts import fim_refusal
from .wmi import EngineView, Wmi

SERVICES = "HKLM:\\SYSTEM\\CurrentControlSet\\Services\\"
POWERSHELL = "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe"

Verb = Callable[[Caller, dict[str, Any]], Any]


@dataclass(frozen=True)
class StandIn:
    """What an import loads: a file below tests/lab/powershell/modules, and those of its commands that this build has."""

    file: str
    commands: tuple[str, ...]

    def shown(self) -> dict[str, Any]:
        """As the bridge carries it."""
        return {"file": self.file, "commands": list(self.commands)}


class FimWindows:
    """Answers questions about the machine, and changes it for those who may."""

    def __init__(self, clock: Clock, options: FimOptions, view: EngineView, engine_service: str) -> None:
        self._options = options
        self.services = Services(options)
        self.registry = Registry(options)
        self.files = Files(options)
        self.processes = Processes(clock, options)
        self.tasks = Tasks(clock, options)
        self.wmi = Wmi(
            options,
            view,
            lambda: self.services.is_running(engine_service),
            {
                "win32_process": self.processes.as_wmi,
                "win32_service": self._services,
                "win32_operatingsystem": lambda caller: [{"Version": options.os_version, "OSArchitecture": "64-bit"}],
            },
            self.processes.create,
        )
        #: modules by full path or bare name, snap-ins by name, console files by path to their snap-in; all in lower case
        self.modules: dict[str, StandIn] = {}
        self.snap_ins: dict[str, StandIn] = {}
        self.console_files: dict[str, StandIn] = {}
        self.run_task: RunTask = lambda caller, execute, argument: 1
        self.tasks.run_action = self._run_action
        self.tasks.end_action = lambda execute: self.processes.kill_all(execute.strip('"').rsplit("\\", 1)[-1])
        self.owned = Windows(options, ServerRecord())  # folders with an access list, as on the newest engine's server
        self.orphans: list[str] = []
        for path in ("powershell.exe", "powershell", POWERSHELL):
            self.processes.install(path, self._powershell)

    def verbs(self) -> dict[str, Verb]:
        """Everything that can be asked, by the name that stand-ins use."""
        return {
            "Get-Service": self.services.get_service,
            "Start-Service": self.services.start_service,
            "Stop-Service": self.services.stop_service,
            "Restart-Service": self.services.restart_service,
            "path_exists": self.path_exists,
            "registry_value": self.registry.registry_value,
            "registry_values": self.registry.get_values,
            "registry_set": self.registry.set_value,
            "registry_remove": self.registry.remove_value,
            "file_version": self.files.file_version,
            "file_read": self.files.read,
            "file_write": self.files.write,
            "module_stand_in": self._module,
            "snap_in": self._snap_in,
            "console_file": self._console_file,
            "cim_query": self.wmi.query,
            "cim_invoke": self.wmi.invoke,
            "own_groups": self.own_groups,
            "Get-Process": self.processes.get_process,
            "process_child": self.processes.start_child,
            "task_folder": self.tasks.folder,
            "task_folder_make": self.tasks.make_folder,
            "task_folder_remove": self.tasks.remove_folder,
            "task_get": self.tasks.get,
            "task_list": self.tasks.list_folder,
            "task_run": self.tasks.run,
            "task_enable": self.tasks.set_enabled,
            "task_stop": self.tasks.stop,
            "task_register": self.tasks.register,
            "task_delete": self.tasks.delete,
            "count_task_folder": self.tasks.count_folder,
            "delete_task_folder": lambda caller, p: self.tasks.remove_folder(caller, {"path": "\\" + str(p["name"])}),
            "create_folder": self.owned.create_folder,
            "folder_owner": self.owned.folder_owner,
            "Register-ScheduledTask": self.tasks.register_task,
            "Start-ScheduledTask": self.tasks.start_task,
            "Get-ScheduledTask": self.tasks.get_tasks,
            "Get-ScheduledTaskInfo": self.tasks.get_task_info,
            "Stop-ScheduledTask": self.tasks.stop_task,
            "Unregister-ScheduledTask": self.tasks.unregister_task,
        }

    def install_service(self, service: Service) -> None:
        """A service, with its key in the registry."""
        self.services.add(service)
        self.registry.set(SERVICES + service.name, "ImagePath", service.image)
        self.registry.set(SERVICES + service.name, "DisplayName", service.display)

    def path_exists(self, caller: Caller, p: dict[str, Any]) -> bool:
        """Test-Path for registry keys and files."""
        path = str(p["path"])
        if path.lower().startswith(SERVICES.lower()):
            return path[len(SERVICES) :].split("\\", maxsplit=1)[0].lower() in {name.lower() for name in self.services.names()}
        return self.registry.has_key(path) if path.lower().startswith("hklm:") else self.files.exists(path)

    def own_groups(self, caller: Caller, p: dict[str, Any]) -> list[str]:
        """The SIDs that `whoami /groups` shows: the logon, the built-in groups, and groups of this server behind a prefix of its own."""
        known = {"Administrators": "S-1-5-32-544", "EventLogReaders": "S-1-5-32-573"}
        return ["S-1-1-0", "S-1-5-2" if caller.network_logon else "S-1-5-3"] + [
            known.get(name, "S-1-5-21-" + name) for name in sorted(caller.groups)
        ]

    def task_folders(self) -> list[str]:
        """The folders in the library of the Task Scheduler."""
        return self.tasks.folder_names()

    @property
    def folders(self) -> dict[str, str]:
        """Security descriptors (SDDL) of folders that were made with one."""
        return self.owned.folders

    def task_names(self) -> list[str]:
        """What is registered at the moment."""
        return self.tasks.names()

    def _module(self, caller: Caller, p: dict[str, Any]) -> dict[str, Any] | None:
        found = self.modules.get(str(p["path"]).lower()) if self._options.module_present else None
        return None if found is None else found.shown()

    def _snap_in(self, caller: Caller, p: dict[str, Any]) -> dict[str, Any]:
        found = self.snap_ins.get(str(p["name"]).lower())
        if found is None:
            raise fim_refusal("no_snapin", self._options.language, str(p["name"]))
        return found.shown()

    def _console_file(self, caller: Caller, p: dict[str, Any]) -> dict[str, Any] | None:
        path = str(p["path"]).lower()
        return self.console_files[path].shown() if path in self.console_files and self.files.exists(path) else None

    def _services(self, caller: Caller) -> list[dict[str, Any]]:
        if not self._options.services_readable and not caller.is_in("Administrators"):
            raise fim_refusal("wmi_denied", self._options.language)
        return self.services.as_wmi()

    def _run_action(self, caller: Caller, execute: str, arguments: str) -> int:
        """A task's action; it ends when its process ends."""
        process = self.processes.start(caller, f'"{execute.strip(chr(34))}" {arguments}')
        if process is None:
            return 0x80070002
        while process.exit_code is None and not process.killed.wait(0.02):
            pass
        return process.exit_code or 0

    def _powershell(self, process: Process, arguments: list[str]) -> int:
        return self.run_task(process.owner, "powershell.exe", process.command_line.split(" ", 1)[-1] if arguments else "")
