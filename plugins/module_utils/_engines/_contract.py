# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What an engine tells the procedures, and what they ask of it. Private to the collection.

Every moment here is on the clock of the sync server, aware and in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from .._failure import HybridIdentityError
from .._remote._call import RemoteShell


@dataclass(frozen=True)
class Run:
    """One run profile on one connector, a part of a cycle.

    kind is import, synchronization, export or other; on_directory says that the connector is an AD connector.
    result is the engine's own string (success, completed-export-errors, stopped-..., no-start-..., in-progress).
    counts holds add, update, delete, failed; errors holds {dn, type, message} of single objects.
    """

    connector: str
    connector_id: str
    on_directory: bool
    profile: str
    kind: str
    number: int
    result: str
    started: datetime
    ended: datetime | None
    counts: dict[str, int] = field(default_factory=dict)
    errors: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class EngineState:
    """A look at the engine at one moment.

    busy names the connectors that run; next_start is when the engine means to start by itself; intervals are in seconds.
    """

    at: datetime
    in_progress: bool
    busy: tuple[str, ...]
    enabled: bool
    suspended: bool
    staging: bool
    next_start: datetime | None
    next_type: str
    allowed_interval: float
    effective_interval: float

    @property
    def active(self) -> bool:
        """Whether anything runs: a cycle, or a single connector."""
        return self.in_progress or bool(self.busy)


@dataclass(frozen=True)
class Events:
    """What the event log says since a moment: counts and newest times by `provider/id`, and the errors in the server's own words."""

    counts: dict[str, int]
    last: dict[str, datetime]
    first: datetime | None
    errors: list[dict[str, Any]]


@dataclass(frozen=True)
class History:
    """Runs and events since a moment. None: this way they cannot be read, and the problem says why.

    local_may_help: the runs were refused in a way that the local route may get round.
    """

    runs: list[Run] | None
    runs_problem: str | None
    local_may_help: bool
    events: Events | None
    events_problem: str | None


@dataclass(frozen=True)
class Probe:
    """Everything that the first call finds out.

    server_lead: how many seconds the server's clock is ahead of the caller's, at most. support: supported, refused
    (by the cloud) or unknown, with a sentence in support_note. services maps a service to running, stopped or None
    (not readable). connectors: {name, id, type, directory}. problems maps a part that could not be read to the reason.
    blocker is why no cycle can be started here at all, as far as the engine itself is concerned.
    """

    at: datetime
    server_lead: float
    version: str | None
    support: str
    support_note: str
    services: dict[str, Any]
    state: EngineState | None
    connectors: list[dict[str, Any]]
    history: History
    problems: dict[str, str]
    blocker: HybridIdentityError | None


@dataclass(frozen=True)
class Followed:
    """What a slice of watching saw. first_active and ended are None while not seen."""

    state: EngineState
    first_active: datetime | None
    ended: datetime | None
    history: History | None


@dataclass(frozen=True)
class Pace:
    """How a slice is watched: `slice` seconds at most, a look every `step` seconds, `confirm` seconds for something to begin."""

    slice: float
    step: float
    confirm: float


@dataclass(frozen=True)
class Started:
    """What came of a start. refused is the engine's own refusal in one sentence; before is the look just before it."""

    requested: datetime
    refused: str | None
    before: EngineState
    followed: Followed


class Engine(Protocol):
    """One generation of the sync engine. Capabilities are attributes; nobody asks for the name to decide anything."""

    name: str
    can_run_full: bool
    has_scheduler: bool
    single_object: bool
    #: seconds between cycles below which the vendor gives no support
    min_interval: int
    #: direct: history is read in the network logon; local: it may take the local route; none: there is no history
    history_route: str

    def probe(self, shell: RemoteShell, *, history_seconds: float) -> Probe:
        """Look at everything, change nothing. Raises HybridIdentityError only when there is no such engine on this server."""

    def start(self, shell: RemoteShell, pace: Pace, *, full: bool, stop_when_active: bool) -> Started:
        """Start a cycle once and follow it for a slice, or only until it is seen running. Never repeated by the transport."""

    def follow(self, shell: RemoteShell, pace: Pace, *, before: EngineState | None, since: datetime) -> Followed:
        """Watch until nothing runs any more, or for a slice; reads the history since `since` when it ended.

        before: the look before something is expected to begin; None when it has been seen running already.
        """

    def read_history(self, shell: RemoteShell, *, since: datetime, server_now: datetime) -> History:
        """Read the runs since a moment by the local route. Never raises for what is forbidden: the problem is in the answer."""
