# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Running run profiles: single ones, and cycles of them in the product's order with gaps between the phases."""

from __future__ import annotations

import threading
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lab.clock import Clock
from lab.synchronisation import SourceDirectory, SyncTarget

from .event_log import CONNECTOR, ENGINE, EventLog
from .faults import ArmedFaults
from .identity import IdentityStore
from .options import ConnectOptions
from .run_history import Connector, RunRecord

#: the fixed identifier of the Entra connector (Microsoft, ADSync reference)
CLOUD_CONNECTOR = uuid.UUID("b891884f-051e-4a83-95af-2544101c9083")

# import AD, import Entra, sync AD, sync Entra, export Entra, export AD (Microsoft, scheduler documentation); share of the cycle's time.
_PHASES = (
    ("import", True, 0.15),
    ("import", False, 0.15),
    ("sync", True, 0.2),
    ("sync", False, 0.1),
    ("export", False, 0.2),
    ("export", True, 0.1),
)
_GAP = 0.1 / len(_PHASES)
_PROFILES = {
    ("import", False): "Delta Import",
    ("import", True): "Full Import",
    ("sync", False): "Delta Synchronization",
    ("sync", True): "Full Synchronization",
    ("export", False): "Export",
    ("export", True): "Export",
}


@dataclass
class CycleRecord:
    """What a test may want to know of a cycle."""

    number: int
    full: bool
    origin: str
    started: datetime
    import_began: datetime | None = None
    finished: datetime | None = None


class Engine:
    """The part of the server that runs profiles. All state is guarded by `lock`; waiting happens outside it."""

    def __init__(
        self,
        clock: Clock,
        options: ConnectOptions,
        events: EventLog,
        faults: ArmedFaults,
        directory: SourceDirectory | None,
        tenant: SyncTarget | None,
    ) -> None:
        self.lock = threading.RLock()
        self.clock, self.options, self.events, self.faults = clock, options, events, faults
        self.directory, self.tenant = directory, tenant
        self.connectors = (
            Connector(options.directory_connector, uuid.uuid5(uuid.NAMESPACE_DNS, options.directory_connector), "AD"),
            Connector(f"{options.initial_domain} - AAD", CLOUD_CONNECTOR, "Extensible2"),
        )
        self.store = IdentityStore(options)
        self.history: deque[RunRecord] = deque(maxlen=400)  # newest first
        self.cycles: list[CycleRecord] = []
        self.in_progress = False
        self.busy: Connector | None = None
        self.stopping = threading.Event()  # the service ends
        self.cancelled = threading.Event()  # Stop-ADSyncSyncCycle
        self._cookie: bytes | None = None
        self._numbers: dict[uuid.UUID, int] = {}

    def connector(self, directory: bool) -> Connector:
        """The AD connector or the Entra connector."""
        return next(one for one in self.connectors if one.is_directory == directory)

    def run_cycle(self, full: bool, origin: str, finished: Callable[[], None]) -> None:
        """One cycle, from its first phase to its last; `in_progress` has been set by whoever starts the thread."""
        record = CycleRecord(len(self.cycles) + 1, full, origin, self.clock.now())
        with self.lock:
            self.cycles.append(record)
            staging = self.options.staging
        self.events.write(ENGINE, 904, f"cycle {record.number} started")
        for kind, directory, share in _PHASES:
            if staging and kind == "export":
                continue
            if self._pause(_GAP * self.options.cycle_seconds):
                break
            if kind == "import" and directory:
                record.import_began = self.clock.now()
            self.run_profile(self.connector(directory), _PROFILES[kind, full], share * self.options.cycle_seconds)
        with self.lock:
            record.finished = self.clock.now()
            self.in_progress = False
            finished()
        self.events.write(ENGINE, 904, f"cycle {record.number} finished")

    def run_profile(self, connector: Connector, profile: str, seconds: float) -> str:
        """One run profile: what it does happens at its beginning, its time passes afterwards. Returns its result."""
        with self.lock:
            number = self._numbers[connector.identifier] = self._numbers.get(connector.identifier, 0) + 1
            run = RunRecord(connector, profile, number, self.clock.now(), "NT SERVICE\\ADSync")
            self.history.appendleft(run)
            self.busy = connector
        result = self._prevented(run) or self._work(run)
        interrupted = self._pause(seconds)
        with self.lock:
            run.result = "stopped-user-termination-from-wmi-or-ui" if interrupted and result == "success" else result
            run.ended = self.clock.now()
            self.busy = None
        return run.result

    def _pause(self, seconds: float) -> bool:
        """Let time pass; True when somebody ends the cycle."""
        deadline = threading.Event()
        step = min(seconds, 0.05)
        waited = 0.0
        while waited < seconds and not self.stopping.is_set() and not self.cancelled.is_set():
            deadline.wait(step)
            waited += step
        return self.stopping.is_set() or self.cancelled.is_set()

    def _prevented(self, run: RunRecord) -> str | None:
        """The result of a run that an armed fault keeps from its work."""
        directory = run.connector.is_directory
        fault = self.faults.take(
            "run_result",
            lambda one: one.get("profile") in (None, run.profile) and one.get("kind") in (None, "directory" if directory else "cloud"),
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
            if directory:
                with self.lock:
                    self.store.synchronise(run.profile.startswith("Full"))
            return "success"
        return "success" if directory else self._export(run)

    def _import(self, run: RunRecord) -> str:
        if self.directory is None:
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
