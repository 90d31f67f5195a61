# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Runs and their steps, as Get-ADSyncRunProfileResult shows them."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any
from xml.sax.saxutils import escape, quoteattr

#: what EndDate holds while a run is under way (field reports: a minimum date)
NOT_ENDED = datetime(1, 1, 1, tzinfo=timezone.utc)

_COUNTERS = [
    "StageNoChange",
    "StageAdd",
    "StageUpdate",
    "StageRename",
    "StageDelete",
    "StageDeleteAdd",
    "StageFailure",
    "DisconnectorFiltered",
    "DisconnectorJoinedNoFlow",
    "DisconnectorJoinedFlow",
    "DisconnectorJoinedRemoveMv",
    "DisconnectorProjectedNoFlow",
    "DisconnectorProjectedFlow",
    "DisconnectorProjectedRemoveMv",
    "DisconnectorRemains",
    "ConnectorFilteredRemoveMv",
    "ConnectorFilteredLeaveMv",
    "ConnectorFlow",
    "ConnectorFlowRemoveMv",
    "ConnectorNoFlow",
    "ConnectorDeleteRemoveMv",
    "ConnectorDeleteLeaveMv",
    "ConnectorDeleteAddProcessed",
    "FlowFailure",
    "ExportAdd",
    "ExportUpdate",
    "ExportRename",
    "ExportDelete",
    "ExportDeleteAdd",
    "ExportFailure",
]


@dataclass(frozen=True)
class Connector:
    """A connector of the engine: AD, or Extensible2 for the cloud."""

    name: str
    identifier: uuid.UUID
    type: str

    @property
    def is_directory(self) -> bool:
        """Whether it is an AD connector."""
        return self.type == "AD"


@dataclass
class RunRecord:
    """One run. errors: {dn, type, message} of objects.

    began and over are real times (time.time()), whatever the server's clock says; cycle is None for a run by hand.
    """

    connector: Connector
    profile: str
    number: int
    started: datetime
    user: str
    result: str = "in-progress"
    ended: datetime = NOT_ENDED
    counters: dict[str, int] = field(default_factory=dict)
    errors: list[dict[str, str]] = field(default_factory=list)
    identifier: uuid.UUID = field(default_factory=uuid.uuid4)
    began: float = field(default_factory=time.time)
    over: float | None = None
    cycle: int | None = None

    @property
    def kind(self) -> str:
        """import, synchronization or export."""
        return next(kind for kind in ("import", "synchronization", "export") if kind in self.profile.lower())

    @property
    def did_its_work(self) -> bool:
        """Whether it has gone to its end: neither kept from starting nor stopped."""
        return self.over is not None and (self.result == "success" or self.result.startswith("completed-"))

    def count(self, counter: str) -> None:
        """Count one object."""
        self.counters[counter] = self.counters.get(counter, 0) + 1

    def as_result(self, details: bool) -> dict[str, Any]:
        """All properties of the run object; step results only with details, as the cmdlet does."""
        return {
            "RunHistoryId": self.identifier,
            "ConnectorId": self.connector.identifier,
            "ConnectorName": self.connector.name,
            "RunProfileId": uuid.uuid5(self.connector.identifier, self.profile),
            "RunProfileName": self.profile,
            "RunNumber": self.number,
            "Username": self.user,
            "IsRunComplete": self.result != "in-progress",
            "Result": self.result,
            "CurrentStepNumber": 1,
            "TotalSteps": 1,
            "StartDate": self.started,
            "EndDate": self.ended,
            "RunStepResults": [self.step()] if details else [],
        }

    def step(self) -> dict[str, Any]:
        """The one step of the run, with all counters."""
        step: dict[str, Any] = {
            "RunHistoryId": self.identifier,
            "StepHistoryId": uuid.uuid5(self.identifier, "1"),
            "StepNumber": 1,
            "StepResult": self.result,
            "StartDate": self.started,
            "EndDate": self.ended,
            "SyncErrors": "",
            "ConnectorDiscoveryErrors": "",
            "MvRetryErrors": "",
        }
        step.update({name: self.counters.get(name, 0) for name in _COUNTERS})
        if self.errors:
            step["SyncErrors"] = self._errors_xml()
        return step

    def _errors_xml(self) -> str:
        """The error list in the shape of the FIM family's RunHistory.xsd (assumption for details beyond dn and error-type)."""
        element = "export-error" if "Export" in self.profile else "import-error"
        items = "".join(
            f'<{element} cs-guid="{{{uuid.uuid5(self.identifier, error["dn"])}}}" dn={quoteattr(error["dn"])}>'
            f"<error-type>{escape(error['type'])}</error-type><error-literal>{escape(error['message'])}</error-literal></{element}>"
            for error in self.errors
        )
        return f"<synchronization-errors>{items}</synchronization-errors>"
