# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""One decision on passwords: what is wanted, what is known, and what follows from both. Pure; private to the collection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from .._engines._password_contract import ChannelState
from .._engines._password_events import domain_of
from ._desired import DesiredPasswords
from ._fulls import Full, fulls_of, trouble_of
from ._observed import LOST, Observed
from ._people import NamedPerson, people_of
from ._proof import Proof, prove
from ._standstill import Standstill, standstill

#: seconds by which a moment may lie ahead of the server's clock: another clock, and no future
AHEAD = timedelta(seconds=5)
#: seconds for which calls may fail after something was sent
TROUBLE = 60.0
TROUBLE_PAUSE = 3.0
#: how often this task switches on what it switched off, and how often it tries to force what was busy just then
REPAIRS = 4
#: seconds for which the people who were named are awaited after the end
PEOPLE_WAIT = 300.0
#: seconds after which an old failure of replication is no reason to refuse any more
FRESH = 300.0
#: seconds within which forcing whose answer was lost has to show itself
LOST_SHOWS = 20.0
#: the same where an engine has to be restarted, and how often that is sent
RESTART_SHOWS = 60.0
SENDINGS = 3


@dataclass(frozen=True)
class Case:
    """One decision. What follows `seen` is what the password part of the engine can do (see PasswordDriver)."""

    desired: DesiredPasswords
    seen: Observed
    can_switch: bool = True
    rights: str = ""
    group: str = ""
    restarts: bool = False
    finds_people: bool = True

    # -- which connectors

    @cached_property
    def selected(self) -> tuple[ChannelState, ...]:
        """The connectors that are meant, in the engine's own spelling; unknown names are in `unknown`."""
        look = self.seen.look
        if look is None:
            return ()
        if not self.desired.connectors:
            return look.channels
        wanted = {name.strip().lower() for name in self.desired.connectors}
        return tuple(one for one in look.channels if one.name.lower() in wanted)

    @property
    def unknown(self) -> list[str]:
        """Names that no AD connector has."""
        known = {one.name.lower() for one in self.seen.look.channels} if self.seen.look else set()
        return [name for name in self.desired.connectors if name.strip().lower() not in known]

    # -- what covers

    @cached_property
    def threshold(self) -> datetime:
        """When a full synchronisation has to have begun at the earliest, on the server's clock."""
        if self.desired.since is not None:
            return self.desired.since + timedelta(seconds=self.seen.lead.high)
        began = self.desired.began + timedelta(seconds=self.seen.lead.high)
        return began if self.desired.force else began - timedelta(seconds=self.desired.min_interval)

    @cached_property
    def history_since(self) -> datetime:
        """How far back full synchronisations are of interest."""
        began = self.desired.began + timedelta(seconds=self.seen.lead.low)
        return min(self.threshold, began - timedelta(seconds=self.desired.min_interval)) - timedelta(seconds=60)

    def fulls(self, channel: ChannelState) -> list[Full]:
        """The full synchronisations of a connector, as far as they are known."""
        return fulls_of(self.seen.journal.marks_of(channel.identifier), [domain_of(dn) for dn in channel.domains])

    def last_full(self, channel: ChannelState) -> Full | None:
        """The newest that has ended or runs."""
        return next((one for one in reversed(self.fulls(channel)) if one.counts), None)

    @cached_property
    def uncovered(self) -> tuple[ChannelState, ...]:
        """Connectors without a full synchronisation that began late enough."""
        found = []
        for channel in self.selected:
            last = self.last_full(channel)
            if last is None or last.started < self.threshold:
                found.append(channel)
        return tuple(found)

    @property
    def in_the_way(self) -> list[tuple[ChannelState, Full]]:
        """Full synchronisations that began too early and run still: they are awaited, never toggled away."""
        fulls = [(channel, self.last_full(channel)) for channel in self.uncovered]
        return [(channel, full) for channel, full in fulls if full is not None and full.running]

    @property
    def too_soon(self) -> list[tuple[ChannelState, Full]]:
        """Uncovered connectors whose last full synchronisation lies inside the interval."""
        if self.desired.force or self.desired.since is None:
            return []
        limit = self.seen.now - timedelta(seconds=self.desired.min_interval)
        fulls = [(channel, self.last_full(channel)) for channel in self.uncovered]
        return [(channel, full) for channel, full in fulls if full is not None and full.started > limit]

    # -- what is known

    def proof(self, channel: ChannelState) -> Proof:
        """What is proven of a connector."""
        return self.proofs[channel.identifier]

    @cached_property
    def proofs(self) -> dict[str, Proof]:
        """What is proven, by connector."""
        return {one.identifier: prove(self.desired, self.seen, one, self.threshold) for one in self.selected}

    @cached_property
    def people(self) -> list[NamedPerson]:
        """What became of the people who were named."""
        if not self.desired.observe_only:
            return people_of(self.desired.users, self.seen)
        why = self.standstill
        return people_of(self.desired.users, self.seen, self.threshold, why.words if why is not None else "")

    @cached_property
    def standstill(self) -> Standstill | None:
        """Why the channels send nothing by themselves."""
        return standstill(self.seen)

    @property
    def requested(self) -> bool:
        """Forcing may have been carried out."""
        return self.seen.sent is not None

    @property
    def lost(self) -> bool:
        """Its answer was lost."""
        return self.seen.sent is not None and self.seen.sent.answer == LOST

    @property
    def reading(self) -> bool:
        """People are read: something is pending, own or foreign."""
        return self.seen.journal.start is not None

    @property
    def working(self) -> bool:
        """The newest look saw the work on the server running still."""
        sent, look = self.seen.sent, self.seen.look
        return sent is not None and look is not None and self.seen.looked_at is not None and look.tasks.get("work-" + sent.stamp, False)

    @property
    def left_off(self) -> list[ChannelState]:
        """Channels that this task may have switched off and that were not read back as on since."""
        sent = self.seen.sent
        if sent is None:
            return []
        return [one for one in self.selected if one.identifier in sent.connectors and one.identifier not in self.seen.seen_on]

    @property
    def off_meanwhile(self) -> list[ChannelState]:
        """Channels that were read back as on, and are off now: somebody else did that."""
        sent = self.seen.sent
        if sent is None or self.seen.looked_at is None:
            return []
        mine = [one for one in self.selected if one.identifier in sent.connectors and one.identifier in self.seen.seen_on]
        return [one for one in mine if one.enabled is False]

    @property
    def settled(self) -> bool:
        """Nothing more will come of any connector."""
        return all(proof.settled for proof in self.proofs.values())

    @property
    def all_begun(self) -> bool:
        """Everything was seen to begin, or has ended."""
        return all(
            one.settled or one.state in ("started", "confirmed", "finished", "verified") or one.started is not None
            for one in self.proofs.values()
        )

    @property
    def looked_since(self) -> bool:
        """The channels have been looked at since everything had settled."""
        return self.seen.looked_at is not None and self.requested and not self.working

    @property
    def people_awaited(self) -> bool:
        """Somebody who was named has no result yet, and the end was a short while ago."""
        if not self.desired.users or not any(one.result in ("retrying", "pending", "not_seen") for one in self.people):
            return False
        ends = [proof.finished for proof in self.proofs.values() if proof.finished is not None]
        return bool(ends) and (self.seen.now - max(ends)).total_seconds() < PEOPLE_WAIT and not self.seen.journal.rolled

    @property
    def time_is_over(self) -> bool:
        """Nothing new is begun."""
        return self.seen.time_left <= 0

    @property
    def asked(self) -> str:
        """What was sent, in front of a failure: it comes first."""
        if not self.requested:
            return ""
        if self.lost:
            return "A full password synchronisation was forced, and the answer was lost, so it may have been carried out. "
        return "A full password synchronisation was forced. "

    def trouble_before(self, channel: ChannelState) -> object | None:
        """The newest failure in the history of a connector that nothing has healed."""
        return trouble_of(self.seen.journal.marks_of(channel.identifier, everywhere=True), channel.identifier)
