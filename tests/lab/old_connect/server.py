# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Azure AD Connect by build: which cmdlets, properties and WMI classes it has (Microsoft, version history)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lab.clock import Clock
from lab.connect import Caller, ConnectServer
from lab.connect.event_log import ENGINE
from lab.connect.run_history import NOT_ENDED, Connector, RunRecord
from lab.fim.options import FimOptions
from lab.fim.profiles import kinds_of
from lab.fim.runs import Run, Step, text_of
from lab.fim.services import Service
from lab.fim.texts import fim_refusal
from lab.fim.windows import FimWindows, StandIn
from lab.synchronisation import SourceDirectory, SyncTarget

_WIZARD = "C:\\Program Files\\Microsoft Azure Active Directory Connect\\AzureADConnect.exe"
#: cmdlet -> the build that brought it
_SINCE = {
    "Get-ADSyncScheduler": "1.1.105",
    "Set-ADSyncScheduler": "1.1.105",
    "Start-ADSyncSyncCycle": "1.1.105",
    "Get-ADSyncConnector": "1.0",
    "Get-ADSyncRunProfileResult": "1.1.105",  # assumption: the version history does not name its build
    "Get-ADSyncConnectorRunStatus": "1.1.130",
    "Invoke-ADSyncRunProfile": "1.1.130",
    "Stop-ADSyncSyncCycle": "1.1.281",
}


@dataclass
class OldConnectOptions(FimOptions):
    """product_version decides what exists. history_cmdlet: whether Get-ADSyncRunProfileResult exists. old_exe: a leftover of 1.0."""

    product_version: str = "1.1.105.0"
    interval: timedelta = timedelta(minutes=30)
    install_folder: str = "C:\\Program Files\\Microsoft Azure AD Sync"
    operators: tuple[str, ...] = ("ADSyncAdmins", "ADSyncOperators")
    browsers: tuple[str, ...] = ("ADSyncBrowse",)
    run_account: str = "NT SERVICE\\ADSync"
    history_cmdlet: bool = True
    old_exe: bool = False


class OldConnectServer(ConnectServer):
    """A ConnectServer of an older build. It has the WMI provider until 1.4.17, and Windows as the FIM family's lab has it."""

    stand_ins = "fim"
    options: OldConnectOptions

    def __init__(
        self,
        clock: Clock,
        *,
        directory: SourceDirectory | None = None,
        tenant: SyncTarget | None = None,
        options: OldConnectOptions | None = None,
    ) -> None:
        chosen = options or OldConnectOptions()
        self._late_interval: timedelta | None = None
        super().__init__(clock, directory=directory, tenant=tenant, options=chosen)
        self.options = chosen
        if not self.since("1.4.18"):
            pass
        elif chosen.wmi == "readable":
            chosen.wmi = "absent"
        self.machine = FimWindows(clock, chosen, _View(self), ENGINE)
        self.windows = self.machine  # type: ignore[assignment]  # the same questions, and more
        self._cmdlets.update(self.machine.verbs())
        if chosen.installed:
            self._install()

    @property
    def powershell_version(self) -> str:
        """What PowerShell on this server claims to be."""
        return self.options.powershell_version

    def since(self, build: str) -> bool:
        """Whether this server's build is that one or a later one."""
        return _numbers(self.options.product_version) >= _numbers(build)

    def configure(self, **changes: Any) -> None:
        """Change options while the server runs."""
        super().configure(**changes)
        if "service_running" in changes:
            self.machine.services.set_status(ENGINE, "Running" if changes["service_running"] else "Stopped")

    def shell_ended(self, caller: Caller) -> None:
        """The shell of a caller is gone, and with it its children."""
        self.machine.processes.shell_ended(caller)

    def call(self, caller: Caller, name: str, parameters: dict[str, Any]) -> Any:
        """Call a cmdlet, if this build has it."""
        if "-ADSync" in name and name not in self._commands():
            raise fim_refusal("unknown", self.options.language, name)
        if name == "Start-ADSyncSyncCycle":
            return self._start(caller, parameters)
        answer = super().call(caller, name, parameters)
        return self._scheduler_of_the_build(answer) if name == "Get-ADSyncScheduler" else answer

    def take_interval(self, interval: timedelta) -> None:
        """Before 1.1.281 another interval counts after the next cycle (Microsoft, version history)."""
        if self.since("1.1.281"):
            super().take_interval(interval)
        else:
            self._late_interval = interval

    def _commands(self) -> tuple[str, ...]:
        return tuple(
            name
            for name, build in _SINCE.items()
            if self.since(build) and (name != "Get-ADSyncRunProfileResult" or self.options.history_cmdlet)
        )

    def _start(self, caller: Caller, parameters: dict[str, Any]) -> Any:
        """Only since 1.1.281 it says whether a cycle could be started; before, a start while busy is lost without a word (assumption)."""
        if self.since("1.1.281"):
            return super().call(caller, "Start-ADSyncSyncCycle", parameters)
        self._require(caller, "Start-ADSyncSyncCycle")
        with self.engine.lock:
            if not (self.engine.in_progress or self.engine.busy is not None or self.options.suspended):
                super().call(caller, "Start-ADSyncSyncCycle", parameters)
        return None

    def _scheduler_of_the_build(self, answer: dict[str, Any]) -> dict[str, Any]:
        answer = dict(answer)
        if not self.since("1.1.443"):
            del answer["SyncCycleInProgress"]
        if self._late_interval is not None:  # assumption: what was set is shown at once, beside what is in force until then
            answer["CustomizedSyncCycleInterval"] = None if self._late_interval == timedelta(minutes=30) else self._late_interval
        start: datetime | None = answer["NextSyncCycleStartTimeInUTC"]
        if not self.since("1.1.110") and self.options.language != "en" and start is not None and start.day <= 12:
            # "times wrong on non-US date formats" (version history of 1.1.110). assumption: day and month change places.
            answer["NextSyncCycleStartTimeInUTC"] = start.replace(day=start.month, month=start.day)
        return answer

    def _cycle_finished(self) -> None:
        if self._late_interval is not None:
            self.options.interval, self._late_interval = self._late_interval, None
        super()._cycle_finished()

    def _install(self) -> None:
        machine, options = self.machine, self.options
        folder = options.install_folder + "\\Bin"
        service = Service(ENGINE, "Microsoft Azure AD Sync", f'"{folder}\\miiserver.exe"', options.run_account)
        service.status = "Running" if options.service_running else "Stopped"
        service.hooks = {
            "stopped": lambda: setattr(options, "service_running", False),
            "started": lambda: setattr(options, "service_running", True),
        }
        machine.install_service(service)
        machine.files.add(folder + "\\miiserver.exe", version=lambda: options.product_version)
        psd1 = folder + "\\ADSync\\ADSync.psd1"
        machine.files.add(psd1, b"@{ ModuleVersion = '1.0.0.0' }\r\n")
        machine.modules[psd1.lower()] = StandIn("ADSyncOld.psm1", self._commands())
        if options.wizard_registered:
            machine.registry.set("HKLM:\\SOFTWARE\\Microsoft\\Azure AD Connect", "WizardPath", _WIZARD)
            # DirSync's key exists on servers of Azure AD Connect too (Microsoft's migration script).
            machine.registry.set("HKLM:\\SOFTWARE\\Microsoft\\MSOLCoExistence\\CurrentVersion", "InstallationPath", options.install_folder)
            machine.files.add(_WIZARD, version=lambda: options.product_version)
        if options.old_exe:
            machine.files.add(folder + "\\DirectorySyncClientCmd.exe")


class _View:
    """The engine as the WMI provider sees it."""

    def __init__(self, server: OldConnectServer) -> None:
        self._server = server

    def connectors(self) -> list[Connector]:
        return list(self._server.engine.connectors)

    def runs(self) -> list[Run]:
        with self._server.engine.lock:
            return [_as_run(record) for record in self._server.engine.history]

    def execute(self, caller: Caller, connector: Connector, profile: str) -> str:
        engine = self._server.engine
        with engine.lock:
            if engine.busy is not None and engine.busy.identifier == connector.identifier:
                return "no-start-ma-already-running"
        return str(engine.run_profile(connector, profile, 0.1 * self._server.options.cycle_seconds))

    def end_run(self) -> None:
        self._server.engine.cancelled.set()

    def clear_runs(self, before: str) -> None:
        engine = self._server.engine
        with engine.lock:
            kept = [record for record in engine.history if record.ended == NOT_ENDED or text_of(record.ended) >= before]
            engine.history.clear()
            engine.history.extend(kept)

    def pending_exports(self, operation: str) -> int:
        return sum(1 for change in self._server.engine.store.pending.values() if change.operation == operation)


def _as_run(record: RunRecord) -> Run:
    """A run of the newest engine in the shape of the FIM family's XML."""
    ended = None if record.ended == NOT_ENDED else record.ended
    kinds = kinds_of(record.profile)
    counters = {_dashed(name): count for name, count in record.counters.items()}
    step = Step(1, kinds[0] if kinds else None, record.started, ended, record.result, counters, list(record.errors))
    return Run(record.connector, record.profile, record.number, record.started, record.user, ended, [step])


def _dashed(name: str) -> str:
    """StageAdd -> stage-add."""
    return "".join("-" + letter.lower() if letter.isupper() else letter for letter in name).lstrip("-")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
