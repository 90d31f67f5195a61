# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What every server of the FIM family has: one state, and the public face that hosts and tests use."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, TypeVar

from lab.clock import Clock
from lab.connect import Caller
from lab.connect.cycle import CycleRecord
from lab.connect.looking import Looking
from lab.connect.record import ServerRecord
from lab.connect.run_history import Connector
from lab.connect.windows import RunTask
from lab.lifetime import require_alive
from lab.passwords.channels import Channels
from lab.synchronisation import SourceDirectory, SyncTarget

from .engine import FimEngine
from .event_log import FimEventLog
from .faults import FimFaults
from .options import FimOptions
from .profiles import Plan, kinds_of
from .runs import Run, text_of
from .texts import fim_refusal
from .windows import FimWindows

Options = TypeVar("Options", bound=FimOptions)


class _View:
    """The engine as the WMI provider sees it."""

    def __init__(self, server: FimServer[Any]) -> None:
        self._server = server

    def connectors(self) -> list[Connector]:
        return list(self._server.engine.connectors)

    def runs(self) -> list[Run]:
        with self._server.engine.lock:
            return list(self._server.engine.history)

    def execute(self, caller: Caller, connector: Connector, profile: str) -> str:
        engine = self._server.engine
        with engine.lock:
            if engine.busy is not None and engine.busy.identifier == connector.identifier:
                return "no-start-ma-already-running"
        if not kinds_of(profile):
            return "no-start-unknown-profile-name"
        engine.cancelled.clear()
        return engine.run_profile(connector, profile, 0.1 * engine.options.cycle_seconds, caller.user)

    def end_run(self) -> None:
        self._server.engine.halt()

    def clear_runs(self, before: str) -> None:
        engine = self._server.engine
        with engine.lock:
            kept = [run for run in engine.history if run.ended is None or text_of(run.ended) >= before]
            engine.history.clear()
            engine.history.extend(kept)

    def pending_exports(self, operation: str) -> int:
        return sum(1 for change in self._server.engine.store.pending.values() if change.operation == operation)


class FimServer(Generic[Options]):
    """A sync server of the FIM family. Subclasses install the product and say how a cycle is started.

    Args:
        clock: the server's own clock.
        directory: what AD imports read; None imports nothing.
        tenant: what exports go to; None takes everything.
        options: how it is set up.
    """

    #: what stands in for Windows in PowerShell; see tests/lab/powershell/prelude_fim.ps1
    stand_ins = "fim"
    engine_service = ""
    connector_names = ("", "")
    event_provider = ""

    def __init__(
        self, clock: Clock, options: Options, *, directory: SourceDirectory | None = None, tenant: SyncTarget | None = None
    ) -> None:
        self.clock, self.options = clock, options
        self.events = FimEventLog(clock, self.event_provider)
        self.events.language = options.language
        self.faults = FimFaults()
        self.engine = FimEngine(clock, options, self.events, self.faults, directory, tenant, self.names(), self.export_done)
        self.windows = FimWindows(clock, options, _View(self), self.engine_service)
        self.record = ServerRecord()
        self.break_connection: Callable[[str, dict[str, Any]], None] = lambda name, details: None
        self._threads: list[threading.Thread] = []
        looking = Looking(self.engine, options, self.events)  # type: ignore[arg-type]  # its events are asked for alone
        self._verbs: dict[str, Callable[[Caller, dict[str, Any]], Any]] = {**self.windows.verbs(), "Get-WinEvent": looking.events}
        self.next_start: datetime = clock.now() + options.interval
        forests = [(one.name, one.identifier) for one in self.engine.connectors if one.is_directory]
        #: the password channels of the AD connectors
        self.channels = Channels(clock, options, self.events, self._spawn, self.engine.stopping, forests, self.forest())
        if options.installed:
            self.install()
            self._stop_services()
        self._spawn(self._schedule, "scheduler")

    # -- what a product says

    def names(self) -> tuple[str, str]:
        """The names of the AD connector and of the cloud connector."""
        return self.connector_names

    def forest(self) -> str:
        """The forest of the AD connector, where that does not bear its name."""
        return ""

    def export_done(self) -> None:
        """Write the event by which the product tells that an export has ended."""

    def install(self) -> None:
        """Put services, registry values, files, tasks and commands in place."""

    def applied(self, names: set[str]) -> None:
        """Options of these names were changed while the server runs."""

    def due(self) -> None:
        """The scheduled start has come."""

    def start_cycle(self, full: bool = False, origin: str = "scheduled") -> bool:
        """Start a cycle as the product's own scheduler does; False when one runs."""
        raise NotImplementedError

    # -- for the lab and its tests

    @property
    def powershell_version(self) -> str:
        """What PowerShell on this server claims to be."""
        return self.options.powershell_version

    @property
    def cycles(self) -> list[CycleRecord]:
        """Every cycle so far, oldest first."""
        return list(self.engine.cycles)

    @property
    def run_task(self) -> RunTask:
        """What runs PowerShell for a scheduled task or a process."""
        return self.windows.run_task

    @run_task.setter
    def run_task(self, hook: RunTask) -> None:
        self.windows.run_task = hook

    def configure(self, **changes: Any) -> None:
        """Change options while the server runs. Raises AttributeError for a name that does not exist."""
        with self.engine.lock:
            self.options.change(**changes)
            self.events.language = self.options.language
        if "service_running" in changes:
            self.windows.services.set_status(self.engine_service, "Running" if changes["service_running"] else "Stopped")
        if "stopped_services" in changes:
            self._stop_services()
        self.applied(set(changes))

    def arm(self, name: str, times: int = 1, **details: Any) -> None:
        """Arm a fault (see FIM_FAULTS)."""
        self.faults.arm(name, times, **details)

    def wait_idle(self, timeout: float = 30.0) -> bool:
        """Wait until nothing runs; False when the time is over first."""
        deadline = time.monotonic() + timeout
        while self.engine.in_progress or self.engine.busy is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def stop(self) -> None:
        """End every thread."""
        self.engine.stopping.set()
        self.engine.cancelled.set()
        for thread in self._threads:
            thread.join(2)

    def shell_ended(self, caller: Caller) -> None:
        """The shell of a caller is gone, and with it its children."""
        self.windows.processes.shell_ended(caller)

    def call(self, caller: Caller, name: str, parameters: dict[str, Any]) -> Any:
        """Call a cmdlet as a caller; plain Python values come back.

        Raises:
            CmdletError: the error record that the cmdlet writes. Killed: the script that calls has been killed meanwhile (see lab.lifetime).
        """
        require_alive()
        if name not in self._verbs:
            raise fim_refusal("unknown", self.options.language, name)
        value = self._verbs[name](caller, parameters)
        require_alive()
        return value

    # -- shared by the products

    def run_cycle(self, plan: Plan, full: bool, origin: str, account: str, **details: Any) -> None:
        """A cycle in a thread of its own; the engine has been claimed."""
        self._spawn(lambda: self._cycle(plan, full, origin, account, details), "cycle")

    def _cycle(self, plan: Plan, full: bool, origin: str, account: str, details: dict[str, Any]) -> None:
        self.engine.run_cycle(plan, full, origin, account, **details)

    def later(self, seconds: float, work: Callable[[], object]) -> None:
        """Do something after a while, unless the lab ends."""
        self._spawn(lambda: None if self.engine.stopping.wait(seconds) else work(), "later")

    def interval_seconds(self) -> float:
        """The interval of the product's own scheduler."""
        return self.options.interval.total_seconds()

    def _stop_services(self) -> None:
        for name in self.options.stopped_services:
            self.windows.services.set_status(name, "Stopped")

    def _schedule(self) -> None:
        while not self.engine.stopping.wait(0.2):
            self.windows.tasks.start_due(self.clock.now())
            if self.options.scheduler_running and self.clock.now() >= self.next_start:
                self.due()

    def _spawn(self, work: Callable[[], object], name: str) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=work, name=f"engine-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()
