# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Running run profiles: single ones, and cycles of them in the product's order with gaps between the phases."""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any

from lab.clock import Clock
from lab.synchronisation import ExportedUser, SourceDirectory, SyncTarget

from .event_log import CONNECTOR, ENGINE, EventLog
from .faults import ArmedFaults
from .identity import IdentityStore, StagedObject
from .options import ConnectOptions
from .phases import GAP, ORDER, PROFILES, AtPhase, CycleRecord
from .record import CycleTruth, ServerRecord, StartRequest
from .run_history import Connector, RunRecord

#: the fixed identifier of the Entra connector (Microsoft, ADSync reference)
CLOUD_CONNECTOR = uuid.UUID("b891884f-051e-4a83-95af-2544101c9083")


class Engine:
    """The part of the server that runs profiles. All state is guarded by `lock`; waiting happens outside it."""

    def __init__(
        self,
        clock: Clock,
        options: ConnectOptions,
        events: EventLog,
        faults: ArmedFaults,
        record: ServerRecord,
        directory: SourceDirectory | None,
        tenant: SyncTarget | None,
    ) -> None:
        self.lock = threading.RLock()
        self.clock, self.options, self.events, self.faults, self.record = clock, options, events, faults, record
        self.directory, self.tenant = directory, tenant
        names = (options.directory_connector, *options.more_directories)
        forests = [Connector(name, uuid.uuid5(uuid.NAMESPACE_DNS, name), "AD") for name in names]
        self.connectors = (forests[0], Connector(f"{options.initial_domain} - AAD", CLOUD_CONNECTOR, "Extensible2"), *forests[1:])
        record.directories.update(forest.identifier for forest in forests)
        self.store = IdentityStore(options)
        self.history: deque[RunRecord] = deque(maxlen=400)  # newest first
        self.cycles: list[CycleRecord] = []
        self.in_progress = False
        self.flagged_from = 0.0  # SyncCycleInProgress says so from then on (monotonic)
        self.busy: Connector | None = None
        self.stopping = threading.Event()  # the lab ends
        self.cancelled = threading.Event()  # Stop-ADSyncSyncCycle
        self.at_phase: AtPhase = lambda cycle, phase, moment: None
        #: told of everybody new in the cloud: what was exported, and the object that it comes from
        self.at_arrival: Callable[[ExportedUser, StagedObject], None] = lambda change, staged: None
        self._life = 0  # counts the lives of the service; what was begun in an earlier one is over
        self._truth: CycleTruth | None = None
        self._cookie: bytes | None = None
        self._numbers: dict[uuid.UUID, int] = {}

    def connector(self, directory: bool) -> Connector:
        """The (first) AD connector or the Entra connector."""
        return next(one for one in self.connectors if one.is_directory == directory)

    @property
    def active(self) -> bool:
        """Whether a cycle or a single run is under way."""
        return self.in_progress or self.busy is not None

    @property
    def flag(self) -> bool:
        """What SyncCycleInProgress says."""
        return self.in_progress and time.monotonic() >= self.flagged_from

    def claim(self) -> int:
        """A cycle begins now: nothing else does until it has ended. Returns the life of the service in which it does."""
        self.in_progress = True
        self.flagged_from = time.monotonic() + self.options.flag_lag
        self.cancelled.clear()
        return self._life

    def die(self, graceful: bool) -> None:
        """The service ends: what runs is over. Without grace its run stays `in-progress` in the history, as if it ran on."""
        with self.lock:
            self._life += 1
            self.in_progress, self.busy = False, None
            for run in self.record.runs:
                if run.over is None:
                    run.over = time.time()
                    if graceful:
                        run.result, run.ended = "stopped-service-shutdown", self.clock.now()
            if self._truth is not None and self._truth.over is None:
                self._truth.over = time.time()

    def purge(self, keep: int) -> None:
        """Clear the run history but for the newest runs."""
        with self.lock:
            self.history = deque(list(self.history)[:keep], maxlen=400)

    def phases(self, full: bool) -> list[tuple[str, Connector, float]]:
        """(profile, connector, share of the cycle's time) of every phase, in order."""
        found = []
        for kind, directory, share in ORDER:
            if self.options.staging and kind == "export":
                continue
            connectors = [one for one in self.connectors if one.is_directory == directory]
            found += [(PROFILES[kind, full], one, share / len(connectors)) for one in connectors]
        return found

    def run_cycle(
        self,
        full: bool,
        origin: str,
        finished: Callable[[], None],
        by: str = "scheduler",
        life: int | None = None,
        request: StartRequest | None = None,
    ) -> None:
        """One cycle, from its first phase to its last; `claim` has been called by whoever starts the thread.

        Args:
            finished: called when it has ended by itself or by Stop-ADSyncSyncCycle, with the lock held.
            by: whose request it is. life: in which life of the service it was begun. request: told the number of the cycle.
        """
        life = self._life if life is None else life
        with self.lock:
            if life != self._life:  # the service ended between the request and now
                return
            record = CycleRecord(len(self.cycles) + 1, full, origin, self.clock.now(), by=by)
            truth = self._truth = CycleTruth(record.number, by, full, time.time())
            self.cycles.append(record)
            self.record.cycles.append(truth)
            if request is not None:
                request.cycle = record.number
            phases = self.phases(full)
        self.events.write(ENGINE, 904, f"cycle {record.number} started")
        whole = self._run_phases(record, phases, life)
        with self.lock:
            if life != self._life:
                return
            record.finished = self.clock.now()
            self.in_progress = False
            truth.over, truth.whole = time.time(), whole
            finished()
        self.events.write(ENGINE, 904, f"cycle {record.number} finished")
        self.at_phase(record, "end", "after")

    def _run_phases(self, record: CycleRecord, phases: list[tuple[str, Connector, float]], life: int) -> bool:
        """The phases of a cycle; False when it has been stopped."""
        for number, (profile, connector, share) in enumerate(phases):
            self.at_phase(record, number, "before")
            if self._pause(GAP * self.options.cycle_seconds, life):
                return False
            if record.import_began is None and "Import" in profile and connector.is_directory:
                record.import_began = self.clock.now()
            self.run_profile(connector, profile, share * self.options.cycle_seconds, cycle=record, phase=number, life=life)
            self.at_phase(record, number, "after")
        return life == self._life and not self.cancelled.is_set()

    def run_profile(
        self,
        connector: Connector,
        profile: str,
        seconds: float,
        *,
        cycle: CycleRecord | None = None,
        phase: int = 0,
        life: int | None = None,
    ) -> str:
        """One run profile: what it does happens at its beginning, its time passes afterwards. Returns its result."""
        with self.lock:
            life = self._life if life is None else life
            if life != self._life:
                return "stopped-service-shutdown"
            if cycle is None:
                self.cancelled.clear()
            number = self._numbers[connector.identifier] = self._numbers.get(connector.identifier, 0) + 1
            run = RunRecord(connector, profile, number, self.clock.now(), "NT SERVICE\\ADSync", cycle=cycle.number if cycle else None)
            self.history.appendleft(run)
            self.record.runs.append(run)
            self.busy = connector
        result = self._prevented(run) or self._work(run)
        interrupted = self._pause(seconds / 2, life)
        if cycle is not None:
            self.at_phase(cycle, phase, "within")
        interrupted = self._pause(seconds / 2, life) or interrupted
        with self.lock:
            if life != self._life:
                return run.result
            run.result = "stopped-user-termination-from-wmi-or-ui" if interrupted and result == "success" else result
            run.ended, run.over = self.clock.now(), time.time()
            self.busy = None
        return run.result

    def _pause(self, seconds: float, life: int) -> bool:
        """Let time pass; True when somebody ends the cycle, or the service."""
        deadline = time.monotonic() + seconds
        while True:
            if self.cancelled.is_set() or life != self._life:
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return self.stopping.is_set()
            if self.stopping.wait(min(left, 0.05)):
                return True

    def _prevented(self, run: RunRecord) -> str | None:
        """The result of a run that an armed fault keeps from its work."""
        directory = run.connector.is_directory
        fault = self.faults.take(
            "run_result",
            lambda one: (
                one.get("profile") in (None, run.profile)
                and one.get("kind") in (None, "directory" if directory else "cloud")
                and one.get("connector") in (None, run.connector.name)
            ),
        )
        if fault:
            return str(fault["result"])
        if directory and "Import" in run.profile:
            if self.faults.take("directory_unreachable"):
                return "no-start-connection"
            if self.faults.take("credentials"):
                self.events.write(ENGINE, 6000, run.connector.name, level=2)
                return "no-start-credentials"
        if not directory and self.faults.take("cloud_sign_in"):
            self.events.write(CONNECTOR, 115)
            return "stopped-extension-dll-exception"
        return None

    def _work(self, run: RunRecord) -> str:
        directory = run.connector.is_directory
        if "Import" in run.profile:
            return self._import(run) if directory else self._log_import()
        if "Synchronization" in run.profile:
            if directory and run.connector is self.connector(True):
                with self.lock:
                    self.store.synchronise(run.profile.startswith("Full"))
            return "success"
        return "success" if directory else self._export(run)

    def _import(self, run: RunRecord) -> str:
        if self.directory is None or run.connector is not self.connector(True):
            return "success"
        try:
            changes = self.directory.read_changes(self._cookie, run.profile.startswith("Full"))
        except ConnectionError:
            return "no-start-connection"
        with self.lock:
            self._cookie = changes.cookie
            for change in changes.objects:
                counter = self.store.stage(change)
                if counter:
                    run.count(counter)
        return "success"

    def _log_import(self) -> str:
        self.events.write(CONNECTOR, 117)
        self.events.write(CONNECTOR, 105, 1)
        return "success"

    def _export(self, run: RunRecord) -> str:
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
                run.count({"add": "ExportAdd", "update": "ExportUpdate", "delete": "ExportDelete"}[change.operation])
                with self.lock:
                    self.store.exported(guid)
                if change.operation == "add":
                    self.at_arrival(change, self.store.staged[guid])
                continue
            run.count("ExportFailure")
            dn = "CN={" + change.source_anchor.encode().hex() + "}"
            run.errors.append({"dn": dn, "type": error, "message": ""})
            self.events.write(ENGINE, 6941, dn, error, level=2)
        self.events.write(CONNECTOR, 104, 1)
        self.events.write(CONNECTOR, 114)
        if run.errors:
            self.events.write(ENGINE, 6100, run.connector.name, level=3)
            return "completed-export-errors"
        return "success"

    def _refused_by_fault(self, anchor: str) -> str | None:
        fault: dict[str, Any] | None = self.faults.take("export_error", lambda one: one.get("source_anchor") in (None, anchor))
        return str(fault.get("error", "AttributeValueMustBeUnique")) if fault else None
