# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What is proven of a password synchronisation: the one function that every statement comes from. Pure; private to the collection.

Taking an event, a page or a look away never makes more proven.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Mapping

from .._engines._password_contract import ChannelState, Forced
from .._engines._password_events import domain_of
from ._desired import DesiredPasswords
from ._fulls import Full, Trouble, fulls_of, trouble_of
from ._observed import DONE, Observed

#: the rungs, lowest first. `failed` and `not_confirmed` are ends of their own.
LADDER = (None, "requested", "started", "confirmed", "finished", "verified")
#: seconds within which an engine that writes 617 has to have written it
MARKED_WITHIN = 60.0
_ROUNDING = timedelta(seconds=1)


@dataclass(frozen=True)
class Users:
    """How many people of a connector were asked for, and what became of them. incomplete: something may be missing, or was not read."""

    requested: int = 0
    succeeded: int = 0
    failed: int = 0
    retrying: int = 0
    pending: int = 0
    incomplete: bool = False


@dataclass(frozen=True)
class Proof:
    """What can be said of one connector.

    Attributes:
        state: a rung of LADDER, failed or not_confirmed. ownership: own, foreign, unconfirmed or None.
        settled: nothing more will come of it. full: the full synchronisation that it rests on, where the engine marks it.
        trouble: why it failed. error: what forcing itself said.
    """

    state: str | None = None
    ownership: str | None = None
    settled: bool = False
    full: Full | None = None
    started: datetime | None = None
    finished: datetime | None = None
    requested: datetime | None = None
    trouble: Trouble | None = None
    error: str | None = None
    unmarked: bool = False
    users: Users = field(default_factory=Users)
    evidence: tuple[str, ...] = ()


def prove(desired: DesiredPasswords, seen: Observed, channel: ChannelState, threshold: datetime) -> Proof:
    """The proof for one connector.

    Args:
        threshold: when a full synchronisation has to have begun at the earliest (server clock).
    """
    marks = seen.journal.marks_of(channel.identifier)
    fulls = fulls_of(marks, [domain_of(dn) for dn in channel.domains])
    sent = seen.sent
    if sent is None or channel.identifier not in sent.connectors:
        counted = [one for one in fulls if one.started >= threshold and one.counts]
        return _of_others(seen, channel, counted[-1]) if counted else Proof()
    return _of_ours(desired, seen, channel, fulls)


def _of_others(seen: Observed, channel: ChannelState, full: Full) -> Proof:
    users = users_of(seen, channel.identifier)
    state = "finished" if full.ended else "started"
    if full.ended and verified_by_partitions(seen, channel, full) and not seen.journal.rolled:
        state = "verified"
    return Proof(state, "foreign", full.ended is not None, full, full.started, full.ended, users=users, evidence=("events",))


def _of_ours(desired: DesiredPasswords, seen: Observed, channel: ChannelState, fulls: list[Full]) -> Proof:
    sent = seen.sent
    if sent is None:
        raise AssertionError("nothing was sent")
    said = sent.outcome_of(channel.name)
    forced = said if isinstance(said, Forced) else None
    own = "own" if sent.answer == DONE else "unconfirmed"
    if sent.outcome is not None and (forced is None or (forced.error is not None and not forced.on)):
        words = forced.error if forced is not None and forced.error else "forcing did not come so far"
        return Proof("failed", own, True, requested=sent.at, error=words)
    asked = (forced.at if forced is not None and forced.at else sent.at) - _ROUNDING
    users = users_of(seen, channel.identifier)
    behind = seen.marker.record if seen.marker else 0
    mine = [one for one in fulls if one.record > behind and one.started >= asked]
    trouble = trouble_of(
        [
            mark
            for mark in seen.journal.marks_of(channel.identifier, everywhere=True)
            if mark.sign.record > behind and mark.sign.at >= asked
        ],
        channel.identifier,
    )
    common = {"ownership": own, "requested": sent.at, "users": users, "trouble": trouble}
    waited = (seen.now - asked).total_seconds()
    if trouble is not None and (trouble.lasts or (seen.now - trouble.at).total_seconds() >= desired.quiet_period):
        full = mine[-1] if mine else None
        return Proof(
            "failed",
            settled=True,
            full=full,
            started=full.started if full else None,
            evidence=("events",),
            **common,  # type: ignore[arg-type]
        )
    if mine:
        return _of_marked(seen, channel, mine[-1], desired.quiet_period, common)
    return _of_unmarked(desired, seen, channel, asked, waited, common)


def _of_marked(seen: Observed, channel: ChannelState, full: Full, quiet_period: float, common: Mapping[str, object]) -> Proof:
    if full.broken or full.failed:
        state, settled = ("failed" if full.failed else "not_confirmed"), True
        return Proof(state, settled=settled, full=full, started=full.started, evidence=("events",), **common)  # type: ignore[arg-type]
    if full.ended is None and seen.journal.rolled and _quiet(seen, channel) >= quiet_period:
        # It may have ended in what is lost.
        return Proof("not_confirmed", settled=True, full=full, started=full.started, evidence=("events",), **common)  # type: ignore[arg-type]
    state = "finished" if full.ended else "started"
    evidence = ["events"]
    users = common["users"]
    if not isinstance(users, Users):
        raise AssertionError("of another kind")
    if full.ended and verified_by_partitions(seen, channel, full) and not users.incomplete:
        state = "verified"
        evidence.append("partition_state")
    return Proof(
        state,
        settled=full.ended is not None,
        full=full,
        started=full.started,
        finished=full.ended,
        evidence=tuple(evidence),
        **common,  # type: ignore[arg-type]
    )


def _quiet(seen: Observed, channel: ChannelState) -> float:
    """Seconds for which nothing has been heard of a connector."""
    heard = [mark.sign.at for mark in seen.journal.marks_of(channel.identifier, everywhere=True)]
    heard += [seen.journal.traffic[channel.identifier][1]] if channel.identifier in seen.journal.traffic else []
    return (seen.now - max(heard)).total_seconds() if heard else 0.0


def _of_unmarked(
    desired: DesiredPasswords, seen: Observed, channel: ChannelState, asked: datetime, waited: float, common: Mapping[str, object]
) -> Proof:
    """An engine that does not write 617: the agent's start, traffic, and then silence, are what there is."""
    traffic = seen.journal.traffic.get(channel.identifier)
    ended = [m for m in seen.journal.marks_of(channel.identifier) if m.sign.kind == "full_ended" and m.sign.at >= asked]
    if ended and seen.journal.rolled:
        last = ended[-1].sign.at  # its beginning is lost, its end is there
        return Proof("finished", settled=True, finished=last, evidence=("events",), unmarked=True, **common)  # type: ignore[arg-type]
    if seen.journal.rolled and waited >= desired.quiet_period and _quiet(seen, channel) >= desired.quiet_period:
        return Proof("not_confirmed", settled=True, evidence=("events",), unmarked=True, **common)  # type: ignore[arg-type]
    began = any(m.sign.kind == "agent_starting" and m.sign.at >= asked for m in seen.journal.marks_of(channel.identifier))
    if traffic is not None and traffic[0] >= asked:
        quiet = (seen.now - traffic[1]).total_seconds()
        settled = waited >= MARKED_WITHIN and quiet >= desired.quiet_period
        state = "confirmed" if began and waited >= MARKED_WITHIN else "requested"
        if settled and not began:
            state = "not_confirmed"
        finished = traffic[1] if settled and state == "confirmed" else None
        return Proof(
            state,
            settled=settled,
            started=traffic[0],
            finished=finished,
            evidence=("events",),
            unmarked=True,
            **common,  # type: ignore[arg-type]
        )
    settled = waited >= MARKED_WITHIN + desired.quiet_period
    return Proof("not_confirmed" if settled else "requested", settled=settled, unmarked=True, **common)  # type: ignore[arg-type]


def verified_by_partitions(seen: Observed, channel: ChannelState, full: Full) -> bool:
    """Whether the engine itself, asked after the end, says of every domain of a connector that a cycle which began with it, or later, succeeded."""
    look, began = seen.look, full.started
    if look is None or look.partitions is None or full.ended is None or look.at < full.ended:
        return False
    rows = [one for one in look.partitions if one.connector == channel.identifier]
    return bool(rows) and all(
        one.status == "Successful" and one.succeeded is not None and one.succeeded >= began - timedelta(seconds=2) for one in rows
    )


def users_of(seen: Observed, connector: str) -> Users:
    """The people of a connector, as far as they have been read."""
    count = Counter(one.result for one in seen.journal.people.values() if one.connector == connector)
    return Users(
        sum(count.values()),
        count["succeeded"],
        count["failed"],
        count["retrying"],
        count["pending"],
        seen.journal.rolled or seen.journal.start is None,
    )
