# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What an engine tells of its password channels, and what is asked of them. Private to the collection.

Every time here is on the clock of the sync server, aware and in UTC. Connectors are told by their identifier, in lower case.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Mapping, Protocol, Sequence

from .._failure import HybridIdentityError
from .._remote._call import RemoteShell
from .._remote._clock import ClockLead
from ._password_events import Sign


@dataclass(frozen=True)
class ChannelState:
    """The channel of one AD connector.

    Attributes:
        enabled: None where it could not be read, and then problem says why. flag: None where the engine does not tell. domains: DNs of its partitions.
        readable: False on an engine that tells of no channel whether it is on.
    """

    name: str
    identifier: str
    enabled: bool | None
    flag: bool | None
    domains: tuple[str, ...] = ()
    problem: str | None = None
    readable: bool = True


@dataclass(frozen=True)
class PartitionState:
    """What the engine says of the last cycle of a domain. succeeded: when its last successful cycle began."""

    connector: str
    dn: str
    status: str
    succeeded: datetime | None


@dataclass(frozen=True)
class ChannelLook:
    """Everything that the engine says of its channels at one moment.

    Attributes:
        clouds: names of the Entra connectors. busy: names of connectors that run. partitions: None where this build does not tell.
        feature: whether the tenant takes hashes; None is not known. staging: None is not known.
        unattended: the channel can be switched without anybody who signs in. admin: whether the account is in the group that may change things;
        None where that group has another name here. tasks: name -> whether it runs, of our own tasks on the server.
        problems: part -> sentence. stopped: services that have to run for it, and do not. blocker: why nothing can be forced here, whoever asks.
    """

    at: datetime
    lead: ClockLead
    channels: tuple[ChannelState, ...]
    clouds: tuple[str, ...]
    busy: tuple[str, ...]
    partitions: tuple[PartitionState, ...] | None
    feature: bool | None
    staging: bool | None
    unattended: bool
    admin: bool | None
    tasks: Mapping[str, bool] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    stopped: tuple[str, ...] = ()
    blocker: HybridIdentityError | None = None

    def works(self, channel: ChannelState) -> bool:
        """Whether a channel was seen to be on; where no engine tells, whether everything runs that it needs."""
        return bool(channel.enabled) if channel.readable else not self.stopped


@dataclass(frozen=True)
class Edge:
    """An end of the event log: a record and its time."""

    record: int
    at: datetime


@dataclass(frozen=True)
class EventPage:
    """A page of the event log, oldest first.

    Attributes:
        source: whether the server knows the source of these events at all; None where it was not asked.
        oldest, newest: the ends of the log; None: it is empty. last: the record at which the next page continues. more: there is more already.
    """

    at: datetime
    lead: ClockLead
    signs: tuple[Sign, ...]
    source: bool | None
    oldest: Edge | None
    newest: Edge | None
    last: int
    more: bool


@dataclass(frozen=True)
class Forced:
    """What became of one connector: whether the flag was written, the channel switched off and on again, and how it was read back.

    running: where no channel can be read, whether everything runs again that it needs.
    """

    name: str
    flagged: bool
    off: bool
    on: bool
    enabled: bool | None
    flag: bool | None
    at: datetime | None
    error: str | None
    running: bool = False

    @property
    def works(self) -> bool:
        """Whether it was left as it has to be."""
        return self.running if self.enabled is None else self.enabled


@dataclass(frozen=True)
class ForceOutcome:
    """What came of forcing.

    off, busy, blocker: why nothing was changed. guarded: the guardian was left in place. stopped: services that did not come back.
    warnings belong into the result.
    """

    requested: datetime
    off: tuple[str, ...]
    busy: tuple[str, ...]
    channels: tuple[Forced, ...]
    guarded: bool
    stopped: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    blocker: HybridIdentityError | None = None


@dataclass(frozen=True)
class Switched:
    """How a channel was read back after it was switched; enabled: None where it could not be read."""

    name: str
    enabled: bool | None
    error: str | None


class PasswordDriver(Protocol):
    """The password part of an engine. Capabilities are attributes; nobody asks for the engine's name to decide anything."""

    #: whether each channel can be switched on and off
    can_switch: bool
    #: what an account has to be for it, in words; and the group that may change the engine
    rights: str
    group: str
    #: whether forcing restarts the engine: then nothing of it may run, and it is sent again where its answer was lost and no restart follows
    restarts: bool
    #: whether people can be found out by user principal name or account name
    finds_people: bool

    def look(self, shell: RemoteShell, *, timeout: float, server_now: datetime) -> ChannelLook:
        """Read everything, change nothing; by the local route.

        Raises:
            LocalRouteClosed: the account may not. CallFailure: the engine, or the way to it, failed.
        """

    def events(
        self,
        shell: RemoteShell,
        *,
        after: int,
        since: datetime | None,
        marks_only: bool,
        seconds: float,
        timeout: float,
        check_source: bool,
    ) -> EventPage:
        """A page of events behind a record, or since a time.

        Args:
            marks_only: without the events of single people.
            seconds: how long something new is awaited.
        """

    def force(
        self, shell: RemoteShell, channels: Sequence[ChannelState], cloud: str, *, stamp: str, timeout: float, server_now: datetime
    ) -> ForceOutcome:
        """Force a full synchronisation of these connectors. Sent once, and not stopped.

        Raises:
            LocalRouteClosed: nothing was sent. CallFailure: whether it was carried out is not known.
        """

    def switch(
        self,
        shell: RemoteShell,
        names: Sequence[str],
        cloud: str,
        *,
        enable: bool,
        earlier: str,
        timeout: float,
        stamp: str,
        server_now: datetime,
    ) -> Sequence[Switched]:
        """Switch channels, and read them back; where none can be switched, start what has to run for them.

        Args:
            earlier: the stamp of forcing whose guardian is not needed any more then.
        """

    def find_people(
        self, shell: RemoteShell, names: Sequence[str], sources: Sequence[str], *, timeout: float, server_now: datetime
    ) -> Mapping[str, Sequence[tuple[str, str]]]:
        """Who is meant by a user principal name or an account name (lower case): name -> (DN, name of the connector) of everybody it fits."""
