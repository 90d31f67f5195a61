# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The server of AAD Sync and Azure AD Connect 1.0: DirectorySyncClientCmd.exe orders the runs, a task starts it every three hours."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from lab.clock import Clock
from lab.connect import Caller
from lab.connect.errors import refusal
from lab.fim.event_log import CONNECTOR, ENGINE
from lab.fim.processes import Process
from lab.fim.profiles import AZURE_DELTA, AZURE_FULL
from lab.fim.server import FimServer
from lab.fim.services import Service
from lab.fim.tasks import LOGON_PASSWORD, LOGON_SERVICE, Task
from lab.fim.windows import StandIn
from lab.passwords.cmdlets import PasswordCmdlets
from lab.synchronisation import SourceDirectory, SyncTarget

from .options import AadSyncOptions

TASK = "\\Azure AD Sync Scheduler"
EXE = "DirectorySyncClientCmd.exe"
_WIZARD = "C:\\Program Files\\Microsoft Azure Active Directory Connect\\AzureADConnect.exe"
#: the module exists, without the cmdlets of the scheduler (field reports, version history of 1.1.105)
_PASSWORDS = (
    "Get-ADSyncConnector",
    "Add-ADSyncConnector",
    "Get-ADSyncAADPasswordSyncConfiguration",
    "Set-ADSyncAADPasswordSyncConfiguration",
    "Get-ADSyncAADCompanyFeature",
    "Get-ADSyncCSObject",
)
# assumption: exit codes of the executable
_DONE, _FAILED = 0, 1


class AadSyncServer(FimServer[AadSyncOptions]):
    """A server of this generation. assumption: a run bears the account that the executable runs as."""

    engine_service = ENGINE
    event_provider = ENGINE

    def __init__(
        self,
        clock: Clock,
        *,
        directory: SourceDirectory | None = None,
        tenant: SyncTarget | None = None,
        options: AadSyncOptions | None = None,
    ) -> None:
        super().__init__(clock, options or AadSyncOptions(), directory=directory, tenant=tenant)
        self._verbs["Get-ADSyncGlobalSettings"] = self._get_global_settings
        self.passwords = PasswordCmdlets(self.channels, self._get_connectors)
        table = self.passwords.table()
        self._verbs.update({name: self._guarded(name, table[name]) for name in _PASSWORDS})
        self.events.write(ENGINE, 2001)

    @property
    def bin_folder(self) -> str:
        """Where miiserver.exe and the executable lie."""
        return self.options.install_folder + "\\Bin"

    def names(self) -> tuple[str, str]:
        """The forest, and the tenant with its suffix."""
        return self.options.directory_connector, f"{self.options.initial_domain} - AAD"

    def export_done(self) -> None:
        """assumption: the events of 1.1 are those of 1.0."""
        self.events.write(CONNECTOR, 104, 1)
        self.events.write(CONNECTOR, 114)

    # -- what is installed

    def install(self) -> None:
        """Service, registry, files, task and module."""
        windows = self.windows
        miis = self.bin_folder + "\\miiserver.exe"
        service = Service(ENGINE, "Microsoft Azure AD Sync", f'"{miis}"', self.options.run_account)
        service.hooks = {"stopped": self._service_stopped, "started": self._service_started}
        service.status = "Running" if self.options.service_running else "Stopped"
        windows.install_service(service)
        windows.files.add(miis, version=lambda: self.options.product_version)  # assumption: the engine bears the product's version
        psd1 = self.bin_folder + "\\ADSync\\ADSync.psd1"
        windows.files.add(psd1, b"@{ ModuleVersion = '1.0.0.0' }\r\n")
        windows.modules[psd1.lower()] = windows.modules["adsync"] = StandIn("ADSync.psm1", (*_PASSWORDS, "Get-ADSyncGlobalSettings"))
        if self.options.wizard_registered:
            windows.registry.set("HKLM:\\SOFTWARE\\Microsoft\\Azure AD Connect", "WizardPath", _WIZARD)
            # DirSync's key exists on servers of Azure AD Connect too (Microsoft's migration script).
            windows.registry.set(
                "HKLM:\\SOFTWARE\\Microsoft\\MSOLCoExistence\\CurrentVersion", "InstallationPath", self.options.install_folder
            )
            windows.files.add(_WIZARD, version=lambda: self.options.product_version)
        self._install_exe()
        self._install_task()
        self._set_process_creation()

    def applied(self, names: set[str]) -> None:
        """See FimServer."""
        if "exe_present" in names:
            self._install_exe()
        if names & {"task", "task_interval", "task_visible", "task_logon", "hidden_task_answer"}:
            self._install_task()
        if "process_creation" in names:
            self._set_process_creation()

    def _install_exe(self) -> None:
        path = f"{self.bin_folder}\\{EXE}"
        self.windows.files.remove(path)
        self.windows.processes.uninstall(path)
        if self.options.exe_present:
            self.windows.files.add(path, version=lambda: self.options.product_version)
            self.windows.processes.install(path, self._run_exe)

    def _install_task(self) -> None:
        tasks, options = self.windows.tasks, self.options
        tasks.drop(TASK)
        tasks.hidden_answer = options.hidden_task_answer
        if options.task == "missing":
            return
        task = Task("\\", TASK[1:], f"{self.bin_folder}\\{EXE}", "", user=options.run_account, interval=options.task_interval)
        task.logon_type = LOGON_PASSWORD if options.task_logon == "password" else LOGON_SERVICE
        task.enabled, task.visible, task.next_run = options.task == "enabled", options.task_visible, self.next_start
        tasks.add(task)

    def _set_process_creation(self) -> None:
        allowed = self.options.process_creation
        self.windows.processes.may_create = lambda caller: (
            allowed == "everybody" or (allowed == "administrators" and caller.is_in("Administrators"))
        )

    # -- cycles

    def start_cycle(self, full: bool = False, origin: str = "scheduled") -> bool:
        """A cycle by the executable under the service's account, as the task starts it; False when one runs."""
        account = Caller(self.options.run_account, False, frozenset({"Administrators", *self.options.operators}))
        if self.engine.in_progress or self.engine.busy is not None:
            return False
        line = f'"{self.bin_folder}\\{EXE}"' + (" initial" if full else "")
        before = len(self.engine.cycles)
        process = self.windows.processes.start(account, line)
        while process is not None and process.exit_code is None and len(self.engine.cycles) == before:
            time.sleep(0.005)
        return len(self.engine.cycles) > before

    def due(self) -> None:
        """The task's time has come."""
        self.next_start = self.clock.now() + timedelta(seconds=self.interval_seconds())
        task = self.windows.tasks.find(TASK)
        if task is not None:
            task.next_run = self.next_start
            if task.enabled:
                self.windows.tasks.start(task)

    def interval_seconds(self) -> float:
        """The repetition interval of the task (PT3H), as far as hours, minutes and seconds go."""
        task = self.windows.tasks.find(TASK)
        seconds, number = 0.0, ""
        for letter in task.interval[2:] if task is not None else "":
            if letter.isdigit():
                number += letter
            else:
                seconds += int(number or 0) * {"H": 3600, "M": 60, "S": 1}[letter]
                number = ""
        return seconds or self.options.interval.total_seconds()

    def _run_exe(self, process: Process, arguments: list[str]) -> int:
        """What the executable does: [delta|initial] [staging]; no word means delta, `?` lists the options (field articles)."""
        words = [word.lower().lstrip("/-") for word in arguments]
        if "?" in words:
            return _DONE
        if any(word not in ("delta", "initial", "staging") for word in words):
            return _FAILED
        if not process.owner.is_in(*self.options.operators) or not self.windows.services.is_running(ENGINE):
            return _FAILED
        if self.faults.take("start_refused") or self.faults.take("accepted_but_nothing_starts"):
            return _FAILED
        if self.faults.take("foreign_cycle"):
            self.start_cycle()
        late = self.faults.take("slow_start")
        if late is not None and process.killed.wait(float(late.get("seconds", 3))):
            return _FAILED
        while not self.engine.claim():
            if self.options.second_start == "exits" or process.killed.wait(0.05) or self.engine.stopping.is_set():
                return _FAILED
        if self.faults.take("starter_dies"):
            self.later(0.3 * self.options.cycle_seconds, process.killed.set)
        full = "initial" in words
        origin = "scheduled" if process.owner.user == self.options.run_account else "manual"
        staging = self.options.staging or "staging" in words
        self.engine.run_cycle(
            AZURE_FULL if full else AZURE_DELTA, full, origin, process.owner.user, staging=staging, abandoned=process.killed
        )
        return _DONE

    def _service_stopped(self) -> None:
        self.options.service_running = False
        self.engine.halt("stopped-service-shutdown")
        self.channels.service_stopped()
        self.events.write(ENGINE, 2002)

    def _service_started(self) -> None:
        self.options.service_running = True
        self.engine.cancelled.clear()
        self.events.write(ENGINE, 2001)
        self.channels.service_started()

    # -- the module

    def _guarded(self, name: str, answer: Callable[[Caller, dict[str, Any]], Any]) -> Callable[[Caller, dict[str, Any]], Any]:
        """A cmdlet, behind the rights on the engine and its named pipe."""

        def call(caller: Caller, p: dict[str, Any]) -> Any:
            self._require(caller, self.passwords.refuse_network_logon(caller, name))
            return answer(caller, p)

        return call

    def _require(self, caller: Caller, pipe: bool) -> None:
        if not self.windows.services.is_running(ENGINE):
            raise refusal("stopped", self.options.language)
        if not caller.is_in(*self.options.operators, *self.options.browsers):
            raise refusal("denied", self.options.language, self.options.computer)
        if pipe and caller.network_logon and self.options.history_refuses_network_logon:
            raise refusal("pipe", self.options.language)  # assumption: as on later builds

    def _get_connectors(self, caller: Caller, p: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {
                "Name": one.name,
                "Identifier": one.identifier,
                "Type": one.type,
                "Subtype": "" if one.is_directory else "Windows Azure Active Directory (Microsoft)",
            }
            for one in self.engine.connectors
        ]

    def _get_global_settings(self, caller: Caller, p: dict[str, Any]) -> dict[str, Any]:
        """Staging mode is a global parameter, and shown nowhere else in 1.0."""
        self._require(caller, True)
        parameters = {"Microsoft.Synchronize.ServerConfigurationVersion": self.options.product_version}
        if self.options.wizard_registered:  # Azure AD Connect 1.0.8641 brought staging mode
            parameters["Microsoft.Synchronize.StagingMode"] = str(self.options.staging)
        return {"Version": 1, "Parameters": [{"Name": name, "Value": value} for name, value in parameters.items()]}
