# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The cmdlets that only look: status of connectors, connectors, the run history, the event log."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import datetime, timezone
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
        if not caller.is_in("EventLogReaders", "Administrators") or not self._options.events_readable:
            raise refusal("no_event_access", self._options.language)
        if p.get("ListProvider"):
            if not self._options.password_source_known:
                raise refusal("no_provider", self._options.language, str(p["ListProvider"]))
            return [{"Name": self._options.password_source}]
        if "ProviderName" not in p:
            found = self._events.read_log(
                xpath(str(p.get("FilterXPath") or "*")), int(p.get("MaxEvents") or 0), oldest_first=bool(p.get("Oldest"))
            )
            if not found:
                raise refusal("no_events", self._options.language)
            return [self._shown(event) for event in found]
        providers = p["ProviderName"] if isinstance(p["ProviderName"], list) else [p["ProviderName"]]
        ids = p.get("Id") or []
        since: datetime | None = p.get("StartTime")
        found = self._events.read(tuple(providers), tuple(ids if isinstance(ids, list) else [ids]), since, int(p.get("MaxEvents") or 0))
        if not found:
            raise refusal("no_events", self._options.language)
        return found

    def _shown(self, event: dict[str, Any]) -> dict[str, Any]:
        """An event with its words, or with its properties alone where the message file of its source is missing."""
        known = self._options.event_messages_known
        return {**event, "Message": event["Message"] if known else None, "Properties": [{"Value": event["Message"]}]}


def xpath(text: str) -> Callable[[dict[str, Any]], bool]:
    """What a query of the Windows event log means: of its language, what scripts use."""
    singles = {int(one) for one in re.findall(r"EventID=(\d+)", text)}
    ranges = [(int(low), int(high)) for low, high in re.findall(r"EventID>=(\d+) and EventID<=(\d+)", text)]
    after = re.search(r"EventRecordID>(\d+)", text)
    since = re.search(r"@SystemTime>='([^']+)'", text)
    bound = datetime.strptime(since.group(1)[:26], "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=timezone.utc) if since else None

    def fits(event: dict[str, Any]) -> bool:
        number = event["Id"]
        named = not (singles or ranges) or number in singles or any(low <= number <= high for low, high in ranges)
        later = after is None or event["RecordId"] > int(after.group(1))
        return named and later and (bound is None or event["TimeCreated"] >= bound)

    return fits
