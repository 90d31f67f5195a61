# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Everything that a password task has seen and done so far, and how what comes in is added to it. Pure; private to the collection."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Mapping, Sequence

from .._engines._contract import Probe
from .._engines._password_contract import ChannelLook, ChannelState, Edge, EventPage, ForceOutcome, Switched
from .._failure import HybridIdentityError
from .._remote._clock import ClockLead
from .._remote._failures import CallFailure
from ._journal import Forests, Journal

#: what became of something that was sent
DONE, LOST = "done", "lost"


@dataclass(frozen=True)
class Sent:
    """Forcing that was, or may have been, carried out.

    at: when, or the earliest that it can have been (server clock). connectors: identifiers. answer: done or lost, and then words say how.
    flags: identifier -> whether the flag was there before. outcome: what the script says, where it could say it.
    """

    at: datetime
    stamp: str
    connectors: tuple[str, ...]
    answer: str
    words: str = ""
    outcome: ForceOutcome | None = None

    def outcome_of(self, name: str) -> object | None:
        """What the script says of one connector."""
        return next((one for one in self.outcome.channels if one.name == name), None) if self.outcome else None


@dataclass(frozen=True)
class Trouble:
    """Calls that failed one after the other, since one last succeeded: the newest failure, and for how many seconds by now."""

    error: CallFailure
    seconds: float


@dataclass(frozen=True)
class Observed:
    """What is known. Times are on the server's clock.

    Attributes:
        now: the server's clock at the newest answer. first_look, look: of the channels; after_look: the newest one came after the newest event
        that ended something, or after what was sent.
        marker: the newest record before anything was sent. history: whether it has been read. source, events_problem: why events cannot be read.
        local_problem: why the local route is closed. sent: forcing. seen_on: connectors that were read back as on after that.
        switched: what came of switching, by name; switch_lost: its answer never came. repairs: how often this task switched on what it had
        switched off. unlooked: why the last look at the channels, which were on, failed. found: name -> places of the people who were asked for by name.
        sendings: how often forcing was, or may have been, sent. blocker: why it was refused on the server, just before anything was changed.
        time_left, reserve_left: seconds; the latter for looking and switching on once an off may have been sent.
    """

    probe: Probe
    lead: ClockLead
    now: datetime
    time_left: float
    reserve_left: float
    look: ChannelLook | None = None
    first_look: ChannelLook | None = None
    looked_at: datetime | None = None
    journal: Journal = field(default_factory=Journal)
    history: bool = False
    reaches_back: bool = True
    marker: Edge | None = None
    source: bool | None = None
    events_problem: str | None = None
    local_problem: str | None = None
    sent: Sent | None = None
    attempts: int = 0
    busy: tuple[str, ...] = ()
    seen_on: frozenset[str] = frozenset()
    switched: Mapping[str, Switched] | None = None
    switch_lost: str | None = None
    repairs: int = 0
    found: Mapping[str, Sequence[tuple[str, str]]] | None = None
    unlooked: str | None = None
    trouble: Trouble | None = None
    sendings: int = 0
    blocker: HybridIdentityError | None = None

    @property
    def forests(self) -> Forests:
        """Which connector an event belongs to."""
        if self.look is not None:
            return Forests.of(self.look.channels)
        return Forests.of([ChannelState(one.name, one.identifier, None, False) for one in self.probe.connectors if one.on_directory])

    def channel(self, identifier: str) -> ChannelState | None:
        """The newest state of a channel."""
        return next((one for one in self.look.channels if one.identifier == identifier), None) if self.look else None


def after_look(seen: Observed, look: ChannelLook) -> Observed:
    """Add a look at the channels."""
    if not look.channels and look.stopped and seen.look is not None:  # an engine that does not run does not tell what it has
        look = replace(look, channels=seen.look.channels, clouds=seen.look.clouds)
    first = seen.first_look or look
    seen = replace(
        seen, look=look, first_look=first, looked_at=look.at, now=max(seen.now, look.at), lead=seen.lead.narrowed(look.lead), trouble=None
    )
    sent = seen.sent
    if sent is None:
        return seen
    working = look.tasks.get("work-" + sent.stamp, False)
    on = {one.identifier for one in look.channels if look.works(one) and one.identifier in sent.connectors}
    return replace(seen, busy=(), seen_on=seen.seen_on if working else seen.seen_on | on)


def after_events(seen: Observed, page: EventPage) -> Observed:
    """Add a page of events."""
    return replace(
        seen,
        journal=seen.journal.with_page(page, seen.forests),
        now=max(seen.now, page.at),
        lead=seen.lead.narrowed(page.lead),
        trouble=None,
    )


def after_history(seen: Observed, page: EventPage, since: datetime) -> Observed:
    """Add the last page of the history: the marker is the newest record of the log."""
    reaches = page.oldest is not None and (page.oldest.at <= since or page.oldest.record == 1)
    seen = after_events(seen, page)
    marker = page.newest
    return replace(seen, history=True, source=page.source if page.source is not None else seen.source, marker=marker, reaches_back=reaches)


def after_reading(seen: Observed, page: EventPage, since: datetime) -> Observed:
    """Add the first page of everything since a time: reading begins with it, and what lies before it is of no interest.

    Args:
        since: the time from which results count; it was read from then on, or from earlier on.
    """
    start = page.signs[0].record - 1 if page.signs else page.last
    reaches = page.oldest is None or page.oldest.at <= since or page.oldest.record == 1
    seen = replace(seen, history=True, source=page.source, reaches_back=reaches, journal=seen.journal.started_at(start))
    return after_events(seen, page)


def after_force(seen: Observed, sent: Sent) -> Observed:
    """Add what came of forcing. Where nothing was sent (something was off or busy), nothing counts as sent."""
    outcome = sent.outcome
    if outcome is not None and not outcome.channels:
        looked_at = None if seen.sent is None else seen.looked_at
        return replace(seen, busy=outcome.busy, blocker=outcome.blocker, attempts=seen.attempts + 1, looked_at=looked_at, trouble=None)
    on: set[str] = set()
    if outcome is not None and seen.look is not None:
        names = {one.name for one in outcome.channels if one.works}
        on = {one.identifier for one in seen.look.channels if one.name in names}
    journal = replace(seen.journal, start=None)
    return replace(
        seen, sent=sent, journal=journal, busy=(), seen_on=frozenset(on), sendings=seen.sendings + 1, trouble=None, looked_at=None
    )


def after_switch(seen: Observed, switched: Sequence[Switched] | None, words: str, *, repair: bool) -> Observed:
    """Add what came of switching; None: its answer was lost."""
    seen = replace(seen, looked_at=None, trouble=None)
    if repair:
        return replace(seen, repairs=seen.repairs + 1)
    if switched is None:
        return replace(seen, switch_lost=words)
    return replace(seen, switched={one.name: one for one in switched})


def after_trouble(seen: Observed, error: CallFailure, seconds: float) -> Observed:
    """Add a call that failed; seconds: since the last one that did not."""
    return replace(seen, trouble=Trouble(error, seconds))
