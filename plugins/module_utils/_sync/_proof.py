# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What is proven: the one function that every statement about a cycle comes from. Pure; private to the collection.

Taking a look, a run or a reading away never makes more proven.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from .._engines._contract import Run
from ._cycles import Cycle, Parts, cycle_begun_at, group_cycles, import_began, parts_of
from ._desired import DesiredCycle
from ._observed import ACCEPTED, Observed, watermark

#: the rungs, lowest first
LADDER = (None, "started", "confirmed", "finished", "verified")
#: by which the engine's own times may lie before the request that caused them: its database rounds to milliseconds
_ROUNDING = timedelta(seconds=0.01)
#: a run that began so much later than its history was read bears a time of a clock that has been set since
_FUTURE = timedelta(seconds=5)
#: seconds for which an engine has to be idle until a cycle that cannot be read counts as ended
SETTLED = 3.0


@dataclass(frozen=True)
class Proof:
    """What can be said, and why.

    Attributes:
        ownership: own, foreign, unconfirmed or None. state: the rung of the ladder, or None.
        cycle: the runs that it rests on. covers: it has carried what was in the directory at the watermark. parts: what it
        has and lacks. ended: all its runs have.
        running_cover: the cycle of somebody else that runs and will cover it, if it comes to its end.
        started, finished: as far as known, the history's own times first.
        evidence: where it comes from.
    """

    ownership: str | None = None
    state: str | None = None
    cycle: Cycle | None = None
    covers: bool = False
    parts: Parts | None = None
    running_cover: Cycle | None = None
    started: datetime | None = None
    finished: datetime | None = None
    evidence: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether every run that is known of it has ended."""
        return self.cycle is not None and self.cycle.finished is not None


def prove(desired: DesiredCycle, seen: Observed) -> Proof:
    """The proof for what was asked for, from everything observed so far."""
    if seen.request is not None and seen.request.counts:
        return _of_our_start(desired, seen)
    return _of_others(desired, seen)


def known_runs(seen: Observed) -> tuple[Run, ...] | None:
    """The runs of the newest reading, without those that bear an impossible time; None where it could not be read."""
    if seen.history is None or seen.history.runs is None:
        return None
    return tuple(run for run in seen.history.runs if run.started <= seen.history.at + _FUTURE)


def requested_cycle(seen: Observed) -> Cycle | None:
    """The cycle that came of our start, as far as the history shows it."""
    runs = known_runs(seen)
    if runs is None or seen.request is None:
        return None
    return cycle_begun_at(runs, seen.request.at - _ROUNDING)


def _of_our_start(desired: DesiredCycle, seen: Observed) -> Proof:
    request = seen.request
    if request is None:
        raise AssertionError("nothing was started")
    cycle = requested_cycle(seen)
    accepted = request.answer == ACCEPTED
    state = "started" if accepted else None
    parts: Parts | None = None
    covers = False
    rested = seen.history_is_fresh and seen.history is not None
    if cycle is not None:
        # An accepted start was sent when the watermark had passed, so what began after it began after the watermark, whatever clocks did
        # since. When a lost one was sent is not known that well.
        since = request.at - _ROUNDING
        parts, covers = _parts(desired, seen, cycle, since if accepted else max(since, watermark(desired.since, seen.lead)))
        state = "confirmed" if cycle.finished is None or not rested else _rung_of(desired, parts, covers)
    elif rested and seen.history is not None and seen.history.runs is None:
        # Where the runs cannot be read, a rest after a cycle was seen is an end, and says nothing of what was done.
        if seen.cycle_seen is not None:
            flagged = seen.state.in_progress is not None
            state = "finished" if flagged and seen.idle_seconds >= SETTLED else "confirmed"
        elif seen.next_start_moved:
            state = "confirmed"
    elif seen.cycle_seen is not None and not rested:
        state = "confirmed"
    return Proof(
        ownership="own" if accepted and request.own else "unconfirmed",
        state=state,
        cycle=cycle,
        covers=covers,
        parts=parts,
        started=cycle.started if cycle else (seen.cycle_seen if state != "started" else None),
        finished=(cycle.finished if cycle else seen.idle_since) if state in ("finished", "verified") else None,
        evidence=_evidence(seen, cycle),
    )


def _of_others(desired: DesiredCycle, seen: Observed) -> Proof:
    """Somebody else's cycle: the history alone proves it, for only the history says when its import began."""
    since = watermark(desired.since, seen.lead)
    cycles = group_cycles(known_runs(seen) or ())
    for cycle in cycles:
        parts, covers = _parts(desired, seen, cycle, since)
        if covers:
            return _foreign(desired, seen, cycle, parts, covers)
    if seen.awaited is not None:
        awaited = next((cycle for cycle in cycles if cycle.started == seen.awaited), None)
        if awaited is not None and seen.history_is_fresh:
            return _foreign(desired, seen, awaited, *_parts(desired, seen, awaited, since))
        return Proof("foreign", "confirmed", started=seen.awaited, evidence=_evidence(seen, None))
    newest = cycles[-1] if cycles else None
    if newest is not None and seen.state.active and _will_cover(desired, seen, newest, since):
        return Proof("foreign", "confirmed", running_cover=newest, started=newest.started, evidence=_evidence(seen, newest))
    return Proof(evidence=_evidence(seen, None))


def could_cover(desired: DesiredCycle, seen: Observed) -> bool:
    """Whether a cycle would cover it if the clocks stood as favourably to each other as what is known of them allows."""
    earliest = desired.since + timedelta(seconds=seen.lead.low)
    return any(_parts(desired, seen, cycle, earliest)[1] for cycle in group_cycles(known_runs(seen) or ()))


def _foreign(desired: DesiredCycle, seen: Observed, cycle: Cycle, parts: Parts, covers: bool) -> Proof:
    state = "confirmed" if cycle.finished is None else _rung_of(desired, parts, covers)
    return Proof("foreign", state, cycle, covers, parts, None, cycle.started, cycle.finished, _evidence(seen, cycle))


def _rung_of(desired: DesiredCycle, parts: Parts, covers: bool) -> str:
    """The rung of a cycle that has ended: verified if every part was read, and it is known which parts there have to be.

    Where results do not count, a cycle that was kept from its work is no failure; it is not verified for that.
    """
    counted = covers or desired.fail_on != "never"
    return "verified" if counted and not parts.absent and parts.connectors_known else "finished"


def _parts(desired: DesiredCycle, seen: Observed, cycle: Cycle, since: datetime) -> tuple[Parts, bool]:
    """What a cycle has and lacks, and whether it covers: nothing lacks, nothing was kept from its work, nothing goes on."""
    staging = bool(seen.state.staging) and desired.on_staging == "proceed"
    plan = [step for step in seen.plan if not (staging and step.kind == "export")]
    parts = parts_of(cycle, plan, seen.connectors, since, full=desired.full)
    return parts, not parts.lacking and not cycle.stopped and cycle.finished is not None


def _will_cover(desired: DesiredCycle, seen: Observed, cycle: Cycle, since: datetime) -> bool:
    """Whether a running cycle of the whole engine began its imports at or after the watermark."""
    began = import_began(cycle, seen.connectors)
    if seen.state.in_progress is False or began is None or began < since or cycle.stopped:
        return False
    return not desired.full or all(run.full for run in cycle.runs if run.does("import") and run.on_directory)


def _evidence(seen: Observed, cycle: Cycle | None) -> tuple[str, ...]:
    events = seen.history is not None and seen.history.events is not None and bool(seen.history.events.counts)
    source = seen.history.source if seen.history is not None else ""
    found = ((seen.state.source, True), ("events", events), (source, cycle is not None))
    return tuple(dict.fromkeys(name for name, there in found if there))
