# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The DirSync server: a scheduler service that starts cycles of the FIM service, every three hours or when it is told."""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from typing import Any

from lab.clock import Clock
from lab.connect import Caller
from lab.fim.event_log import CONNECTOR, FIM
from lab.fim.profiles import DIRSYNC_DELTA, DIRSYNC_FULL
from lab.fim.server import FimServer
from lab.fim.services import Service
from lab.fim.texts import fim_refusal
from lab.fim.windows import StandIn
from lab.synchronisation import SourceDirectory, SyncTarget

from .options import DirSyncOptions

SCHEDULER = "MSOnlineSyncScheduler"
STATE_KEY = "HKLM:\\SOFTWARE\\Microsoft\\MSOLCoExistence"
_UNINSTALL = "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\Microsoft Online Directory Sync"
_CONFIG = (
    '<?xml version="1.0" encoding="utf-8"?>\r\n<configuration>\r\n  <appSettings>\r\n    <!-- hours:minutes:seconds -->\r\n'
    '    <add key="SyncTimeInterval" value="3:0:0" />\r\n  </appSettings>\r\n</configuration>\r\n'
)
_PSC1 = (
    '<?xml version="1.0" encoding="utf-8"?>\r\n<PSConsoleFile ConsoleSchemaVersion="1.0">\r\n  <PSVersion>2.0</PSVersion>\r\n  <PSSnapIns>\r\n'
    '    <PSSnapIn Name="Coexistence-Configuration" />\r\n  </PSSnapIns>\r\n</PSConsoleFile>\r\n'
)


class DirSyncServer(FimServer[DirSyncOptions]):
    """A DirSync server. Every run bears the service's account, whoever asked for it."""

    engine_service = FIM
    event_provider = FIM

    def __init__(
        self,
        clock: Clock,
        *,
        directory: SourceDirectory | None = None,
        tenant: SyncTarget | None = None,
        options: DirSyncOptions | None = None,
    ) -> None:
        self._scheduler_stopped = threading.Event()
        self._queued = False
        self.password_sync_armed = False
        #: who armed a full password synchronisation, oldest first
        self.armings: list[str] = []
        super().__init__(clock, options or DirSyncOptions(), directory=directory, tenant=tenant)
        self._verbs["Start-OnlineCoexistenceSync"] = self._start
        self._verbs["Set-FullPasswordSync"] = self._arm_password_sync
        self.events.write(FIM, 2001)

    @property
    def config_path(self) -> str:
        """The scheduler's configuration file."""
        return self.options.install_folder + "\\Microsoft.Online.DirSync.Scheduler.exe.config"

    def names(self) -> tuple[str, str]:
        """Older builds: SourceAD and TargetWebService (field articles)."""
        directory, cloud = self.options.connector_names
        return directory, cloud

    def forest(self) -> str:
        """DirSync knows one forest, and its connector bears a name of the product."""
        return self.options.directory_connector

    def export_done(self) -> None:
        """Event 4, "The export has completed" (archived Microsoft article)."""
        self.events.write(CONNECTOR, 4)

    # -- what is installed

    def install(self) -> None:
        """Services, registry, files and commands."""
        windows, folder = self.windows, self.options.install_folder
        miis = folder + "\\SYNCBUS\\Synchronization Service\\Bin\\miiserver.exe"
        scheduler = folder + "\\Microsoft.Online.DirSync.Scheduler.exe"
        fim = Service(FIM, "Forefront Identity Manager Synchronization Service", f'"{miis}"', self.options.run_account)
        online = Service(SCHEDULER, "Windows Azure Active Directory Sync Service", f'"{scheduler}"', self.options.run_account, (FIM,))
        fim.hooks = {"stopped": self._fim_stopped, "started": self._fim_started}
        online.hooks = {"stopped": self._scheduler_stopped.set, "started": self._scheduler_started}
        if not self.options.service_running:
            fim.status = online.status = "Stopped"
        windows.install_service(fim)
        windows.install_service(online)
        windows.registry.add_key(STATE_KEY)
        if self.options.full_flag:
            windows.registry.set(STATE_KEY, "FullSyncNeeded", 0, "DWord")
        windows.registry.set(_UNINSTALL, "DisplayVersion", self.options.product_version)
        windows.files.add(miis, version=lambda: "4.1.3496.0")  # assumption: FIM's own version, which is not the product's
        windows.files.add(scheduler, version=lambda: self.options.product_version)
        windows.files.add(
            self.config_path,
            _CONFIG.replace("utf-8", self.options.config_encoding.removesuffix("-sig"), 1).encode(self.options.config_encoding),
        )
        self._register_paths()
        self._register_commands()

    def applied(self, names: set[str]) -> None:
        """See FimServer."""
        if names & {"path_registered"}:
            self._register_paths()
        if names & {"snap_in", "full_parameter", "full_password_cmdlet", "legacy"}:
            self._register_commands()

    def _register_paths(self) -> None:
        # InstallPath: a field script of 2013 against DirSync 6385, with its closing backslash. InstallationPath: seen on a later product.
        registry, folder, which = self.windows.registry, self.options.install_folder, self.options.path_registered
        registry.remove(STATE_KEY, "InstallPath")
        registry.remove(STATE_KEY + "\\CurrentVersion")
        if which in ("both", "install_path"):
            registry.set(STATE_KEY, "InstallPath", folder + "\\")
        if which in ("both", "current_version"):
            registry.set(STATE_KEY + "\\CurrentVersion", "InstallationPath", folder)

    def _register_commands(self) -> None:
        windows, options, folder = self.windows, self.options, self.options.install_folder
        commands = ("Start-OnlineCoexistenceSync",) + (("Set-FullPasswordSync",) if options.full_password_cmdlet else ())
        stand_in = StandIn("DirSync.psm1" if options.full_parameter else "DirSyncWithoutFullSync.psm1", commands)
        psc1, psd1 = folder + "\\DirSyncConfigShell.psc1", folder + "\\dirsync\\DirSync.psd1"
        windows.modules.clear()
        windows.snap_ins.clear()
        windows.console_files.clear()
        windows.files.remove(psc1)
        windows.files.remove(psd1)
        if options.legacy:
            windows.files.add(psc1, _PSC1.encode())
            if options.snap_in == "registered":
                windows.snap_ins["coexistence-configuration"] = stand_in
            if options.snap_in != "absent":
                windows.console_files[psc1.lower()] = stand_in
            return
        windows.files.add(psd1, b"@{ ModuleVersion = '1.0' }\r\n")
        windows.files.add(folder + "\\dirsync\\ImportModules.ps1", b"Import-Module DirSync\r\n")
        windows.modules[psd1.lower()] = windows.modules["dirsync"] = stand_in

    # -- starting

    def start_cycle(self, full: bool = False, origin: str = "scheduled") -> bool:
        """A cycle by the scheduler service; a set FullSyncNeeded makes it a full one, and is taken back."""
        if not self.windows.services.is_running(SCHEDULER) or not self.windows.services.is_running(FIM):
            return False
        if not self.engine.claim():
            return False
        registry = self.windows.registry
        if registry.read(STATE_KEY, "FullSyncNeeded"):
            full = True
            registry.set(STATE_KEY, "FullSyncNeeded", 0, "DWord")  # assumption: taken back as the cycle begins
        self._scheduler_stopped.clear()
        plan = DIRSYNC_FULL if full else DIRSYNC_DELTA
        self.run_cycle(plan, full, origin, self.options.run_account, abandoned=self._scheduler_stopped)
        return True

    def _cycle(self, plan: Any, full: bool, origin: str, account: str, details: dict[str, Any]) -> None:
        if self.faults.take("starter_dies"):
            self.later(0.3 * self.options.cycle_seconds, self._scheduler_stopped.set)
        super()._cycle(plan, full, origin, account, details)
        self.next_start = self.clock.now() + timedelta(seconds=self.interval_seconds())
        if self._queued:
            self._queued = False
            self.start_cycle(origin="queued")

    def due(self) -> None:
        """The interval is over."""
        self.next_start = self.clock.now() + timedelta(seconds=self.interval_seconds())
        self.start_cycle()

    def _start(self, caller: Caller, p: dict[str, Any]) -> None:
        """Start-OnlineCoexistenceSync: fire and forget (scripts follow it with fixed sleeps), no output. assumption: rights and refusals."""
        language = self.options.language
        if not caller.is_in(*self.options.operators):
            raise fim_refusal("dirsync_denied", language)
        if not self.windows.services.is_running(SCHEDULER):
            raise fim_refusal("dirsync_stopped", language)
        if self.faults.take("start_refused"):
            raise fim_refusal("dirsync_refused", language)
        if self.faults.take("accepted_but_nothing_starts"):
            return
        if self.faults.take("foreign_cycle"):
            self.start_cycle(origin="scheduled")
        full = bool(p.get("FullSync"))
        late = self.faults.take("slow_start")
        if late is not None:
            self.later(float(late.get("seconds", 3)), lambda: self.start_cycle(full, "manual"))
        elif not self.windows.services.is_running(FIM):
            self.events.write(CONNECTOR, 0, self.names()[0], level=2)  # assumption: taken, and nothing can run
        elif not self.start_cycle(full, "manual"):
            if self.options.busy_start == "error":
                raise fim_refusal("dirsync_busy", language)
            self._queued = self.options.busy_start == "queued"

    # -- services and passwords

    def _fim_stopped(self) -> None:
        self.options.service_running = False
        self.engine.halt("stopped-service-shutdown")
        self.channels.service_stopped()
        self.events.write(FIM, 2002)

    def _fim_started(self) -> None:
        """The password synchronisation starts with the service; an armed full one begins then (Microsoft)."""
        self.engine.cancelled.clear()
        self.options.service_running = True
        self.events.write(FIM, 2001)
        armed, self.password_sync_armed = self.password_sync_armed, False
        self.channels.service_started(armed)

    def _scheduler_started(self) -> None:
        """The configuration file is read when the service starts, and not before. assumption: the first cycle comes after the interval."""
        self._scheduler_stopped.clear()
        self.options.interval = timedelta(seconds=self._configured_seconds())
        self.next_start = self.clock.now() + self.options.interval

    def _configured_seconds(self) -> float:
        text = self.windows.files.content(self.config_path).decode(self.options.config_encoding)
        match = re.search(r'key="SyncTimeInterval"\s+value="(\d+):(\d+):(\d+)"', text)
        if match is None:
            return 3 * 3600.0  # assumption: an unreadable value means the default
        hours, minutes, seconds = (int(part) for part in match.groups())
        return hours * 3600.0 + minutes * 60 + seconds

    def _arm_password_sync(self, caller: Caller, p: dict[str, Any]) -> None:
        """Set-FullPasswordSync only arms the flag; the restart of the service makes it happen (Microsoft)."""
        if not caller.is_in("MIISAdmins", "Administrators"):
            raise fim_refusal("dirsync_denied", self.options.language)
        self.password_sync_armed = True
        self.armings.append(caller.user)
