# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The cmdlets that only look: status of connectors, connectors, the run history, the event log."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from lab.clock import LocalTime, UnspecifiedTime

from .cycle import Engine
from .errors import Caller, refusal
from .event_log import EventLog
from .options import ConnectOptions


class Looking:
    """Answers questions; rights on the engine have been asked for before."""

    def __init__(self, engine: Engine, options: ConnectOptions, events: EventLog) -> None:
        self._engine, self._options, self._events = engine, options, events

    def run_status(self, caller: Caller, p: dict[str, Any]) -> list[dict[str, Any]]:
        """Get-ADSyncConnectorRunStatus: empty between the phases of a cycle."""
        with self._engine.lock:
            return [] if self._engine.busy is None else [{"RunState": "Busy", "ConnectorName": self._engine.busy.name}]

    def connectors(self, caller: Caller, p: dict[str, Any]) -> list[dict[str, Any]]:
        """Get-ADSyncConnector."""
        return [
            {
                "Name": one.name,
                "Identifier": one.identifier,
                "Type": one.type,
                "Subtype": "" if one.is_directory else "Windows Azure Active Directory (Microsoft)",
            }
            for one in self._engine.connectors
        ]

    def runs(self, caller: Caller, p: dict[str, Any]) -> list[dict[str, Any]]:
        """Get-ADSyncRunProfileResult, newest first."""
        with self._engine.lock:
            runs = list(self._engine.history)
            if p.get("ConnectorId"):
                runs = [run for run in runs if run.connector.identifier == uuid.UUID(str(p["ConnectorId"]))]
            if p.get("RunHistoryId"):
                runs = [run for run in runs if run.identifier == uuid.UUID(str(p["RunHistoryId"]))]
            results = [run.as_result(bool(p.get("RunStepDetails"))) for run in runs[: int(p.get("NumberRequested") or len(runs))]]
        for result in results:
            if not result["IsRunComplete"] and not self._options.running_has_end_date:
                result["EndDate"] = None
            result.update({name: self.dated(result[name]) for name in ("StartDate", "EndDate") if result[name] is not None})
        return results

    def dated(self, timestamp: datetime) -> datetime:
        """A time as the engine hands it out: its Kind is not to be trusted."""
        kind = {"utc": datetime, "unspecified": UnspecifiedTime, "local": LocalTime}[self._options.date_kind]
        return kind.combine(timestamp.date(), timestamp.timetz())

    def events(self, caller: Caller, p: dict[str, Any]) -> list[dict[str, Any]]:
        """Get-WinEvent, by providers, ids and time."""
        if not caller.is_in("EventLogReaders", "Administrators"):
            raise refusal("no_event_access", self._options.language)
        providers = p["ProviderName"] if isinstance(p["ProviderName"], list) else [p["ProviderName"]]
        ids = p.get("Id") or []
        since: datetime | None = p.get("StartTime")
        found = self._events.read(tuple(providers), tuple(ids if isinstance(ids, list) else [ids]), since, int(p.get("MaxEvents") or 0))
        if not found:
            raise refusal("no_events", self._options.language)
        return found
