# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Running run profiles: single ones, and cycles of them with gaps between the runs in which everything looks idle."""

from __future__ import annotations

import threading
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any

from lab.clock import Clock
from lab.connect.cycle import CLOUD_CONNECTOR, CycleRecord
from lab.connect.identity import IdentityStore
from lab.connect.run_history import Connector
from lab.synchronisation import SourceDirectory, SyncTarget

from .event_log import CONNECTOR, FimEventLog
from .faults import FimFaults
from .options import FimOptions
from .profiles import Phase, Plan, StepKind, kinds_of
from .runs import Run, Step

_STAGED = {
    "StageAdd": "stage-add",
    "StageUpdate": "stage-update",
    "StageRename": "stage-rename",
    "StageDelete": "stage-delete",
    "StageDeleteAdd": "stage-delete-add",
}


class FimEngine:
    """The part of the server that runs profiles. All state is guarded by `lock`; waiting happens outside it.

    Args:
        names: of the AD connector and of the cloud connector.
        export_done: writes the event by which this product tells that an export has ended.
    """

    def __init__(
        self,
        clock: Clock,
        options: FimOptions,
        events: FimEventLog,
        faults: FimFaults,
        directory: SourceDirectory | None,
        tenant: SyncTarget | None,
        names: tuple[str, str],
        export_done: Callable[[], None],
    ) -> None:
        self.lock = threading.RLock()
        self.clock, self.options, self.events, self.faults = clock, options, events, faults
        self.directory, self.tenant = directory, tenant
        self.connectors = (
            *(Connector(name, uuid.uuid5(uuid.NAMESPACE_DNS, name), "AD") for name in (names[0], *options.more_directories)),
            Connector(names[1], CLOUD_CONNECTOR, "Extensible2"),
        )
        self.store = IdentityStore(options)
        self.history: deque[Run] = deque(maxlen=400)  # newest first
        self.cycles: list[CycleRecord] = []
        self.in_progress = False
        self.busy: Connector | None = None
        self.stopping = threading.Event()  # the lab ends
        self.cancelled = threading.Event()  # the service stops, or somebody ends the run
        self._halted_by = "stopped-user-termination-from-wmi-or-ui"
        self._export_done = export_done
        self._cookie: bytes | None = None
        self._numbers: dict[uuid.UUID, int] = {}

    def connector(self, directory: bool) -> Connector:
        """The AD connector or the cloud connector."""
        return next(one for one in self.connectors if one.is_directory == directory)

    def claim(self) -> bool:
        """Take the engine for a cycle; False when something runs."""
        with self.lock:
            if self.in_progress or self.busy is not None:
                return False
            self.in_progress = True
            self.cancelled.clear()
            return True

    def halt(self, result: str = "stopped-user-termination-from-wmi-or-ui") -> None:
        """End what runs; the run under way ends with this result."""
        self._halted_by = result
        self.cancelled.set()

    def run_cycle(
        self, plan: Plan, full: bool, origin: str, account: str, *, staging: bool = False, abandoned: threading.Event | None = None
    ) -> CycleRecord:
        """One cycle, from its first run to its last; `claim` has been called.

        Args:
            staging: leave the exports out.
            abandoned: set when the process that orders the runs has died; the run under way goes on, no other follows.
        """
        record = CycleRecord(len(self.cycles) + 1, full, origin, self.clock.now())
        with self.lock:
            self.cycles.append(record)
        gap = 0.1 / len(plan) * self.options.cycle_seconds
        for phase in plan:
            if staging and any(kind.exports for kind in phase.steps):
                continue
            if self._pause(gap) or (abandoned is not None and abandoned.is_set()):
                break
            if phase.directory and any(kind.imports for kind in phase.steps):
                record.import_began = self.clock.now()
            self.run_phase(phase, account)
        with self.lock:
            record.finished = self.clock.now()
            self.in_progress = False
        return record

    def run_phase(self, phase: Phase, account: str) -> str:
        """The run of a phase; where the plan is somebody's own, under a name that no product has."""
        profile = phase.profile if self.options.plan == "product" else "Lauf " + str(1 + sum(map(ord, phase.profile)) % 97)
        return self.run_profile(self.connector(phase.directory), profile, phase.share * self.options.cycle_seconds, account, phase.steps)

    def run_profile(self, connector: Connector, profile: str, seconds: float, account: str, steps: tuple[StepKind, ...] = ()) -> str:
        """One run: what a step does happens at its beginning, its time passes afterwards. Returns the result."""
        kinds = steps or kinds_of(profile)
        with self.lock:
            number = self._numbers[connector.identifier] = self._numbers.get(connector.identifier, 0) + 1
            run = Run(connector, profile, number, self.clock.now(), account)
            self.history.appendleft(run)
            self.busy = connector
        for position, kind in enumerate(kinds, 1):
            step = Step(position, kind, self.clock.now())
            run.steps.append(step)
            result = self._prevented(run, kind) or self._work(run, step)
            interrupted = self._pause(seconds / len(kinds))
            step.ended = self.clock.now()
            step.result = self._halted_by if interrupted and result == "success" else result
            if step.result != "success" and not step.result.startswith("completed-"):
                break  # before 1.1.484 a failing step ends the run
        with self.lock:
            run.refused = "" if run.steps else "no-start-no-steps-in-profile"
            run.ended = self.clock.now()
            self.busy = None
        return run.result

    def _pause(self, seconds: float) -> bool:
        """Let time pass; True when somebody ends the cycle."""
        waited = 0.0
        while waited < seconds and not self.stopping.is_set() and not self.cancelled.is_set():
            step = min(seconds - waited, 0.05)
            self.cancelled.wait(step)
            waited += step
        return self.stopping.is_set() or self.cancelled.is_set()

    def _prevented(self, run: Run, kind: StepKind) -> str | None:
        """The result of a step that an armed fault keeps from its work."""
        directory = run.connector.is_directory
        fault = self.faults.take(
            "run_result",
            lambda one: one.get("profile") in (None, run.profile) and one.get("kind") in (None, "directory" if directory else "cloud"),
        )
        if fault:
            return str(fault["result"])
        if directory and kind.imports:
            if self.faults.take("directory_unreachable"):
                return "no-start-connection"
            if self.faults.take("credentials"):
                return "no-start-credentials"
        if not directory and self.faults.take("cloud_sign_in"):
            self.events.write(CONNECTOR, 115)
            return "stopped-extension-dll-exception"
        return None

    def _work(self, run: Run, step: Step) -> str:
        kind, directory = step.kind, run.connector.is_directory
        assert kind is not None
        if kind.exports:
            return "success" if directory else self._export(run, step)
        result = "success"
        if kind.imports and directory:
            result = self._import(step)
        if kind.synchronises and directory and result == "success":
            with self.lock:
                self.store.synchronise(kind.full)
        return result

    def _import(self, step: Step) -> str:
        if self.directory is None:
            return "success"
        try:
            changes = self.directory.read_changes(self._cookie, step.kind is not None and step.kind.full)
        except ConnectionError:
            return "no-start-connection"
        with self.lock:
            self._cookie = changes.cookie
            for change in changes.objects:
                counter = self.store.stage(change)
                if counter:
                    step.count(_STAGED[counter])
        return "success"

    def _export(self, run: Run, step: Step) -> str:
        with self.lock:
            pending = list(self.store.pending.items())
        deletions = sum(1 for _guid, change in pending if change.operation == "delete")
        if self.options.deletion_threshold and deletions > self.options.deletion_threshold:
            self.events.write(CONNECTOR, 116, deletions, self.options.deletion_threshold, level=3)
            return "stopped-deletion-threshold-exceeded"
        for guid, change in pending:
            error = self._refused_by_fault(change.source_anchor)
            if error is None and self.tenant is not None:
                error = self.tenant.apply(change)
            if error is None:
                step.count("export-" + change.operation)
                with self.lock:
                    self.store.exported(guid)
                continue
            step.count("export-failure")
            step.errors.append({"dn": "CN={" + change.source_anchor.encode().hex() + "}", "type": error, "message": ""})
        self._export_done()
        if step.errors:
            self.events.write(CONNECTOR, 0, run.connector.name, level=2)
            return "completed-export-errors"
        return "success"

    def _refused_by_fault(self, anchor: str) -> str | None:
        fault: dict[str, Any] | None = self.faults.take("export_error", lambda one: one.get("source_anchor") in (None, anchor))
        return str(fault.get("error", "AttributeValueMustBeUnique")) if fault else None
