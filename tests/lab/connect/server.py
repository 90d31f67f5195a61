# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The server: scheduler, cmdlets and their rights, one state."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from lab.clock import Clock
from lab.lifetime import require_alive
from lab.passwords.channels import Channels
from lab.passwords.cmdlets import PasswordCmdlets
from lab.synchronisation import SourceDirectory, SyncTarget

from .cycle import Engine
from .errors import Caller, CmdletError, com_error, refusal
from .event_log import CONNECTOR, ENGINE, EventLog
from .faults import ArmedFaults
from .happenings import Happenings
from .looking import Looking
from .options import ConnectOptions
from .phases import CycleRecord
from .record import ServerRecord, StartRequest
from .single_objects import SingleObjects
from .task_service import TaskService
from .windows import RunTask, Windows

_OPERATORS = ("ADSyncAdmins", "ADSyncOperators")


class ConnectServer:
    """An Entra Connect Sync 2.6 server.

    Args:
        clock: the server's own clock.
        directory: what AD imports read; None imports nothing.
        tenant: what exports go to; None takes everything.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        directory: SourceDirectory | None = None,
        tenant: SyncTarget | None = None,
        options: ConnectOptions | None = None,
    ) -> None:
        self.clock = clock
        self.options = options or ConnectOptions()
        self.events = EventLog(clock)
        self.events.language = self.options.language
        self.faults = ArmedFaults()
        self.record = ServerRecord()
        self.windows = Windows(self.options, self.record)
        self.engine = Engine(clock, self.options, self.events, self.faults, self.record, directory, tenant)
        self._looking = Looking(self.engine, self.options, self.events)
        self._happenings = Happenings(self, self.faults)
        self.engine.at_phase = self._happenings.at_phase
        #: breaks the connection of the callers (fault `connection`): (name of the fault, its details); the estate sets it
        self.break_connection: Callable[[str, dict[str, Any]], None] = lambda name, details: None
        self._next_start = clock.now() + self.options.interval
        self._next_type = "Delta"
        self._threads: list[threading.Thread] = []
        self._cmdlets: dict[str, Callable[[Caller, dict[str, Any]], Any]] = {
            "Get-ADSyncScheduler": self._get_scheduler,
            "Set-ADSyncScheduler": self._set_scheduler,
            "Start-ADSyncSyncCycle": self._start_cycle,
            "Stop-ADSyncSyncCycle": self._stop_cycle,
            "Get-ADSyncConnector": self._looking.connectors,
            "Get-ADSyncConnectorRunStatus": self._looking.run_status,
            "Get-ADSyncRunProfileResult": self._looking.runs,
            "Invoke-ADSyncRunProfile": self._invoke_profile,
            "Invoke-ADSyncSingleObjectSync": SingleObjects(self.engine, self.record).synchronise,
            "Get-WinEvent": self._looking.events,
            "Get-Service": self.windows.get_service,
            "path_exists": self.windows.path_exists,
            "registry_value": self.windows.registry_value,
            "file_version": self.windows.file_version,
            "Register-ScheduledTask": self.windows.register_task,
            "Start-ScheduledTask": self.windows.start_task,
            "Get-ScheduledTask": self.windows.get_tasks,
            "Get-ScheduledTaskInfo": self.windows.get_task_info,
            "Stop-ScheduledTask": self.windows.stop_task,
            "Unregister-ScheduledTask": self.windows.unregister_task,
            "count_task_folder": self.windows.task_folder,
            "delete_task_folder": self.windows.delete_task_folder,
            "create_folder": self.windows.create_folder,
            "folder_owner": self.windows.folder_owner,
            "cim_query": self._no_provider,  # the WMI provider is gone since 1.4.18
            **TaskService(self.call).verbs(),
        }
        self._cmdlets.update(self.windows.com_verbs())
        self._cmdlets["missing_cmdlets"] = lambda caller, p: list(self.options.missing_cmdlets)
        self._cmdlets["Get-ADSyncGlobalSettings"] = self._get_global_settings
        self.events.write(ENGINE, 2001)
        self.events.write(CONNECTOR, 654)
        self.spawn(self._schedule, "scheduler")
        forests = [(one.name, one.identifier) for one in self.engine.connectors if one.is_directory]
        self.channels = Channels(clock, self.options, self.events, self.spawn, self.engine.stopping, forests)
        self.engine.at_arrival = self.channels.arrive
        self.passwords = PasswordCmdlets(self.channels, self._looking.connectors)
        self._cmdlets.update(self.passwords.table())

    # -- for the lab and its tests

    @property
    def cycles(self) -> list[CycleRecord]:
        """Every cycle so far, oldest first."""
        return list(self.engine.cycles)

    @property
    def run_task(self) -> RunTask:
        """What runs the action of a scheduled task."""
        return self.windows.run_task

    @run_task.setter
    def run_task(self, hook: RunTask) -> None:
        self.windows.run_task = hook

    def configure(self, **changes: Any) -> None:
        """Change options while the server runs. Raises AttributeError for a name that does not exist."""
        with self.engine.lock:
            self.options.change(**changes)
            self.events.language = self.options.language

    def arm(self, name: str, times: int = 1, **details: Any) -> None:
        """Arm a fault (see FAULTS)."""
        self.faults.arm(name, times, **details)

    def start_cycle(self, full: bool = False, origin: str = "scheduled", by: str = "scheduler") -> bool:
        """Start a cycle as the scheduler does, or somebody else; False when something runs or the service is away."""
        return self._begin_cycle(full, origin, by, None)

    def _begin_cycle(self, full: bool, origin: str, by: str, request: StartRequest | None) -> bool:
        with self.engine.lock:
            if self.engine.active or not self.options.service_running:
                return False
            life = self.engine.claim()
        self.spawn(lambda: self.engine.run_cycle(full, origin, self._cycle_finished, by, life, request), "cycle")
        return True

    def end_service(self, *, graceful: bool = True) -> None:
        """The service ADSync ends, with grace or without: what runs is over, and every cmdlet of the engine fails."""
        with self.engine.lock:
            self.options.service_running = False
            self.engine.die(graceful)
        self.record.note("the service is away")
        self.events.write(ENGINE, 2002)

    def begin_service_in(self, seconds: float, *, moves_next_start: bool = False) -> None:
        """The service comes back after a while. moves_next_start: its scheduler plans anew, so the next start moves without a cycle."""

        def begin() -> None:
            if self.engine.stopping.wait(seconds):
                return
            with self.engine.lock:
                self.options.service_running = True
                if moves_next_start:
                    self._plan()
            self.record.note("the service is back")
            self.events.write(ENGINE, 2001)

        self.spawn(begin, "service")

    def change_interval(self, interval: timedelta) -> None:
        """Set-ADSyncScheduler -CustomizedSyncCycleInterval: effective at once since 1.1.281, so the next start moves without a cycle."""
        with self.engine.lock:
            self.options.interval = interval
            self._plan()
        self.events.write(ENGINE, 904, "settings changed")

    def _plan(self) -> None:
        self._next_start = self.clock.now() + max(self.options.interval, timedelta(minutes=30))

    def wait_idle(self, timeout: float = 30.0) -> bool:
        """Wait until nothing runs; False when the time is over first."""
        deadline = time.monotonic() + timeout
        while self.engine.active:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def stop(self) -> None:
        """End every thread."""
        self.engine.stopping.set()
        for thread in self._threads:
            thread.join(2)

    def call(self, caller: Caller, name: str, parameters: dict[str, Any]) -> Any:
        """Call a cmdlet as a caller; plain Python values come back.

        Raises:
            CmdletError: the error record that the cmdlet writes.
            Killed: the script that calls has been killed meanwhile (see lab.lifetime).
        """
        require_alive()
        too_old = not self.options.has_scheduler and name in ("Get-ADSyncScheduler", "Start-ADSyncSyncCycle")
        if name not in self._cmdlets or too_old:
            raise refusal("unknown", self.options.language, name)
        self._happenings.at_call(name, "before")
        if "-ADSync" in name:
            self._require(caller, name)
        value = self._cmdlets[name](caller, parameters)
        self._happenings.at_call(name, "after")
        require_alive()
        return value

    def _no_provider(self, caller: Caller, p: dict[str, Any]) -> None:
        raise refusal("no_namespace", self.options.language)

    # -- rights and transports

    def _require(self, caller: Caller, name: str) -> None:
        """The engine's own rights: Operators and Admins run it, Browse looks (by analogy with the FIM groups: assumption)."""
        looks = name.startswith("Get-")
        if not self.options.service_running:
            if name == "Get-ADSyncRunProfileResult":
                raise refusal("pipe", self.options.language)
            raise com_error(self.options.stopped_hresult, self.options.language, self.options.computer)
        if not caller.is_in(*_OPERATORS) and not (looks and caller.is_in("ADSyncBrowse")):
            raise refusal("denied", self.options.language, self.options.computer)
        refused = {
            "Get-ADSyncRunProfileResult": self.options.history_refuses_network_logon,
            "Get-ADSyncConnector": self.options.connectors_refuse_network_logon,
            "Set-ADSyncScheduler": self.options.settings_refuse_network_logon,
        }
        if (caller.network_logon and refused.get(name)) or self.passwords.refuse_network_logon(caller, name):
            raise refusal("pipe", self.options.language)

    # -- the scheduler

    def _get_scheduler(self, caller: Caller, p: dict[str, Any]) -> dict[str, Any]:
        allowed = timedelta(minutes=30)
        customized = None if self.options.interval == allowed else self.options.interval
        with self.engine.lock:
            return {
                "AllowedSyncCycleInterval": allowed,
                "CurrentlyEffectiveSyncCycleInterval": max(self.options.interval, allowed),
                "CustomizedSyncCycleInterval": customized,
                "NextSyncCyclePolicyType": self._next_type,
                "NextSyncCycleStartTimeInUTC": self._looking.dated(self._next_start) if self.options.next_start_known else None,
                "PurgeRunHistoryInterval": timedelta(days=7),
                "SyncCycleEnabled": self.options.enabled,
                "MaintenanceEnabled": True,
                "StagingModeEnabled": self.options.staging,
                "SchedulerSuspended": self.options.suspended,
                "SyncCycleInProgress": self.engine.flag,
            }

    def _get_global_settings(self, caller: Caller, p: dict[str, Any]) -> dict[str, Any]:
        """Get-ADSyncGlobalSettings: where staging stands on builds without a scheduler."""
        return {"Parameters": [{"Name": "Microsoft.Synchronize.StagingMode", "Value": str(self.options.staging)}]}

    def _set_scheduler(self, caller: Caller, p: dict[str, Any]) -> None:
        """Set-ADSyncScheduler. An interval below the allowed one is taken without a word, and ignored (field reports); null takes it away."""
        if not caller.is_in("ADSyncAdmins") and not self.options.operators_may_set:
            raise refusal("denied", self.options.language, self.options.computer)
        if "CustomizedSyncCycleInterval" in p and p["CustomizedSyncCycleInterval"] is None and not self.options.interval_takes_null:
            raise refusal("no_null", self.options.language)
        self.record.settings.append(dict(p))
        if self.options.settings_ignored:
            return
        with self.engine.lock:
            if "SyncCycleEnabled" in p:
                self.options.enabled = bool(p["SyncCycleEnabled"])
                self.record.switches.append((time.time(), self.options.enabled))
            if "NextSyncCyclePolicyType" in p:
                self._next_type = str(p["NextSyncCyclePolicyType"])
            if "CustomizedSyncCycleInterval" in p:
                self.take_interval(p["CustomizedSyncCycleInterval"] or timedelta(minutes=30))
        self.events.write(ENGINE, 904, "settings changed")

    def take_interval(self, interval: timedelta) -> None:
        """Another interval was set: it counts at once since 1.1.281."""
        self.change_interval(interval)

    def _start_cycle(self, caller: Caller, p: dict[str, Any]) -> dict[str, Any]:
        full = p.get("PolicyType") == "Initial"
        request = StartRequest(time.time(), caller.user, full, "refused")
        with self.engine.lock:
            self.record.starts.append(request)
            if self.options.suspended:
                raise refusal("suspended", self.options.language)
            if self.engine.in_progress:
                raise refusal("running", self.options.language)
            if self.engine.busy is not None:
                raise refusal("busy", self.options.language, self.engine.busy.name)
            request.outcome = "accepted"
            if self.faults.take("accepted_but_nothing_starts"):
                return {"Result": "Success"}
            late = self.faults.take("slow_start")
            if late is None:
                self._begin_cycle(full, "manual", caller.user, request)
                return {"Result": "Success"}
        self.spawn(lambda: self._start_late(float(late.get("seconds", 3)), full, request), "late-start")
        return {"Result": "Success"}

    def _start_late(self, seconds: float, full: bool, request: StartRequest) -> None:
        if not self.engine.stopping.wait(seconds):
            self._begin_cycle(full, "manual", request.user, request)

    def _stop_cycle(self, caller: Caller, p: dict[str, Any]) -> None:
        self.engine.cancelled.set()

    def _cycle_finished(self) -> None:
        """The next start moves when a cycle ends, and not before."""
        self._plan()
        self._next_type = "Delta"

    def _schedule(self) -> None:
        while not self.engine.stopping.wait(0.1):
            if isinstance(self.windows, Windows):
                self.windows.start_due(self.clock.now())
            due = self.options.scheduler_running and self.options.service_running and self.clock.now() >= self._next_start
            if due and self.options.enabled and not self.options.suspended:
                self.start_cycle(self._next_type == "Initial")

    def _invoke_profile(self, caller: Caller, p: dict[str, Any]) -> dict[str, Any]:
        """A run by hand; synchronous, and no cycle: the scheduler's flag stays down."""
        connector = next(one for one in self.engine.connectors if one.name == p["ConnectorName"])
        with self.engine.lock:
            if self.engine.busy is not None or self.engine.in_progress:
                return {"Result": "no-start-ma-already-running"}
        return {"Result": self.engine.run_profile(connector, str(p["RunProfileName"]), float(p.get("Seconds", 0.2)))}

    def spawn(self, work: Callable[[], None], name: str) -> None:
        """Do something in a thread that ends with the server."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=work, name=f"engine-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()


__all__ = ["CmdletError", "ConnectServer"]
