# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What an engine tells the procedures, and what they ask of it. Private to the collection.

Every time here is on the clock of the sync server, aware and in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, Sequence

from .._failure import HybridIdentityError
from .._remote._call import RemoteShell
from .._remote._clock import ClockLead
from .._remote._failures import CallFailure
from .._remote._shape import ServerTime
from ._engine_state import EngineState
from ._object_contract import ObjectDriver


@dataclass(frozen=True)
class Run:
    """One run profile on one connector, a part of a cycle.

    kind is import, synchronization, export, confirmation (an import that only reads back what was exported) or other; also
    are the kinds of its further steps. full says that it reads or evaluates everything; on_directory that the connector is
    an AD connector. account is who started it, where the engine tells. result is the engine's own string (success, completed-export-errors, stopped-...,
    no-start-..., in-progress). counts holds add, update, delete, failed; errors holds {dn, type, message} of single objects.
    """

    connector: str
    connector_id: str
    on_directory: bool
    profile: str
    kind: str
    full: bool
    number: int
    result: str
    started: datetime
    ended: datetime | None
    counts: dict[str, int] = field(default_factory=dict)
    errors: list[dict[str, str]] = field(default_factory=list)
    also: tuple[str, ...] = ()
    account: str | None = None

    def does(self, kind: str) -> bool:
        """Whether a step of it is of this kind."""
        return kind == self.kind or kind in self.also


@dataclass(frozen=True)
class Connector:
    """A connector of the engine: its identifier in lower case, its kind as the engine calls it, and whether it is an AD connector."""

    name: str
    identifier: str
    type: str
    on_directory: bool


@dataclass(frozen=True)
class Step:
    """A step of a cycle, on every AD connector or on every other one.

    carries: without it nothing has been carried. What else belongs to a cycle is missed with a warning.
    """

    kind: str
    on_directory: bool
    carries: bool


@dataclass(frozen=True)
class Events:
    """What the event log says since a moment.

    counts and last: number and newest time by `provider/id`. errors: {provider, id, at, message} of those that tell of a
    failure, in the server's own words.
    """

    counts: dict[str, int]
    last: dict[str, datetime]
    errors: list[dict[str, Any]]


@dataclass(frozen=True)
class History:
    """Runs and events since a moment. None: this way they cannot be read, and the problem says why.

    at: when they were read. local_may_help: the runs were refused in a way that the local route may get round.
    connectors: what the engine has, where the same reading told it. source: where the runs come from, as evidence.
    local_was_tried: the same call went on by the local route, whatever came of it.
    """

    at: datetime
    runs: tuple[Run, ...] | None
    runs_problem: str | None
    local_may_help: bool
    events: Events | None
    events_problem: str | None
    connectors: tuple[Connector, ...] = ()
    source: str = "run_history"
    local_was_tried: bool = False


@dataclass(frozen=True)
class DirSyncFolder:
    """A folder of a DirSync installation: whether its module and its console file are there, and the version of its scheduler."""

    path: str
    module: bool
    console_file: bool
    version: str | None


@dataclass(frozen=True)
class Survey:
    """What a server tells of its engine before anybody knows which one it has. Folders are without a closing backslash.

    services: status by name (System.ServiceProcess.ServiceControllerStatus), None where it may not be read; only those that exist.
    wizard_version: of the program that WizardPath names; wizard: whether there is such a value.
    bin_folder: where miiserver.exe lies, by the service ADSync; engine_version: its version.
    exe: DirectorySyncClientCmd.exe lies beside it. scheduler: the module has Get-ADSyncScheduler; None where that is not known.
    dirsync: folders in which DirSync may lie, best first. bits: of the process that looked.
    """

    services: dict[str, int | None]
    wizard: bool
    wizard_version: str | None
    bin_folder: str | None
    engine_version: str | None
    exe: bool
    scheduler: bool | None
    dirsync: tuple[DirSyncFolder, ...]
    bits: int


class OtherEngine(Exception):
    """The server does not have the engine that was looked for; the survey says what it has."""

    def __init__(self, survey: Survey) -> None:
        super().__init__()
        self.survey = survey


@dataclass(frozen=True)
class Probe:
    """Everything that the first call finds out.

    support: supported, refused (by the cloud) or unknown, with a sentence in support_note. services maps a service to
    running, stopped or None (not readable). problems maps a part that could not be read to the reason. blocker is why no
    cycle can be started here at all, as far as the engine itself is concerned. driver is the engine as this server has it;
    warnings belong into every result.
    """

    at: datetime
    lead: ClockLead
    version: str | None
    support: str
    support_note: str
    services: dict[str, str | None]
    state: EngineState | None
    connectors: tuple[Connector, ...]
    history: History | None
    problems: dict[str, str]
    blocker: HybridIdentityError | None
    driver: Engine | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Watch:
    """What a slice of watching saw: the last look, the first one that saw a cycle, and the first of the idle ones at the end.

    active: something was seen running, perhaps only a connector by hand. trouble: how a later look failed.
    history was read after the last look, where that one was idle.
    """

    state: EngineState
    active: bool
    first_active: datetime | None
    idle_since: datetime | None
    history: History | None
    lead: ClockLead
    trouble: CallFailure | None = None


@dataclass(frozen=True)
class Pace:
    """How a slice is watched, in seconds: `slice` at most, a look every `step`, `confirm` for something to begin, `idle` for an end."""

    slice: float
    step: float
    confirm: float
    idle: float = 0.0


@dataclass(frozen=True)
class Started:
    """What came of a start.

    requested: when it was asked for. accepted: whether the engine said yes. refused: its refusal in one sentence.
    suspended: it was refused because the scheduler is suspended. before: the look just before. watch: what was seen
    afterwards, None where looking failed, and then trouble says how. proves_own: an engine that accepts a start while
    another cycle runs, or says nothing, proves nothing by accepting. full: the cycle is a full one, whatever was asked for.
    for_good: asking again is of no use. warnings belong into the result.
    """

    requested: datetime
    accepted: bool
    refused: str | None
    before: EngineState
    watch: Watch | None
    trouble: CallFailure | None
    proves_own: bool = True
    full: bool | None = None
    for_good: bool = False
    warnings: tuple[str, ...] = ()


class Engine(Protocol):
    """One generation of the sync engine. Capabilities are attributes; nobody asks for the name to decide anything."""

    @property
    def name(self) -> str:
        """As the option engine has it."""

    @property
    def can_run_full(self) -> bool:
        """Whether it knows full cycles."""

    @property
    def has_scheduler(self) -> bool:
        """Whether it starts cycles by itself in a way that can be read."""

    @property
    def objects(self) -> ObjectDriver | None:
        """What synchronises single objects; None where it cannot."""

    @property
    def min_interval(self) -> int:
        """Seconds between cycles below which the vendor gives no support."""

    @property
    def history_route(self) -> str:
        """direct: history is read in the network logon; local: it may take the local route; none: there is no history."""

    @property
    def plan(self) -> Sequence[Step]:
        """What a cycle consists of, in its order."""

    def recognises(self, survey: Survey) -> bool:
        """Whether a server with this survey has this engine."""

    def probe(self, shell: RemoteShell, *, history_seconds: float, survey: Survey | None = None, local: str = "never") -> Probe:
        """Look at everything, change nothing.

        Args:
            survey: what is known of the server; None where nobody has looked at it yet.
            local: when the same call goes on by the local route where the runs are refused, for an engine that can: never, always,
                ready (where a cycle may be started), or idle (the same, and nothing runs).

        Raises:
            OtherEngine: there is no such engine on this server.
        """

    def lost_start(self, *, full: bool) -> str | None:
        """What a start whose answer was lost may have left on the server, in one sentence."""

    def start(self, shell: RemoteShell, pace: Pace, *, full: bool, stop_when_active: bool, local: bool = False) -> Started:
        """Start a cycle once and follow it for a slice, or only until it is seen running. Never repeated by the transport.

        Args:
            local: as in watch.

        Raises:
            NotSent: nothing was asked of the engine.
            CallFailure: whether it was asked is not known.
        """

    def watch(
        self, shell: RemoteShell, pace: Pace, *, active: bool, next_start: ServerTime | None, since: datetime, local: bool = False
    ) -> Watch:
        """Watch until the engine is idle, or for a slice.

        Args:
            active: it has been seen running, so that the first idle look is the end. Else what is awaited is a beginning,
                until the time to confirm is over or the next start is no longer the one that is given here.
            since: how far back the history reaches that is read in the end.
            local: the same call may go on by the local route where the runs are refused, for an engine that can.
        """

    def read_history(self, shell: RemoteShell, *, since: datetime, server_now: datetime) -> History:
        """Read the runs since a moment by the local route. Never raises for what is forbidden: the problem is in the answer."""


class NotSent(Exception):
    """A start that did not come so far as to be asked for; the cause is what the call ended with."""

    def __init__(self, cause: CallFailure) -> None:
        super().__init__(str(cause))
        self.cause = cause
