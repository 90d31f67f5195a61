# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""One decision: what is wanted, what is known, and what follows from both. Pure; private to the collection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property

from .._failure import HybridIdentityError
from .._remote._local_route import LEAST_SECONDS
from ._desired import DesiredCycle
from ._observed import LOST, Observed, watermark
from ._preflight import require_ready
from ._proof import SETTLED, Proof, could_cover, known_runs, prove

#: seconds within which an accepted start has to show itself
CONFIRM = 15.0
#: seconds for which a start is watched on the server: longer than other looks, so that a usual delta in a small tenant ends within it
START_SLICE = 24.0
#: seconds for which an engine has to be idle until a cycle that the history shows incomplete counts as cut short
IDLE_FOR_CERTAIN = 5.0
#: the same where the history shows a run that goes on: some have been left behind by a service that died
IDLE_FOR_LEFTOVERS = 15.0
#: the longest time between two steps of a cycle that an engine needs
BETWEEN_STEPS = timedelta(seconds=60)
DISTANT = datetime(1990, 1, 1, tzinfo=timezone.utc)
#: how many looks are made for the clocks' sake, and the difference between them (seconds) that is known well enough
CLOCK_LOOKS, EXACT = 2, 0.1
#: how much further back than asked for runs are read: their times are rounded
MARGIN = timedelta(seconds=2)
#: how often a start that is refused although nothing runs is asked again
REFUSALS = 3
#: seconds for which looks may fail after a start: the service, or the server, may come back
TROUBLE = 60.0
TROUBLE_PAUSE = 3.0
#: seconds by which a watermark may lie ahead of the server's clock: another clock, and no future
AHEAD = timedelta(seconds=5)


@dataclass(frozen=True)
class Case:
    """One decision: what is wanted, what is known, and what follows from both."""

    desired: DesiredCycle
    seen: Observed

    @cached_property
    def proof(self) -> Proof:
        """What is proven."""
        return prove(self.desired, self.seen)

    @cached_property
    def since(self) -> datetime:
        """The watermark on the server's clock."""
        return watermark(self.desired.since, self.seen.lead)

    @property
    def history_since(self) -> datetime:
        """How far back the runs are read: to our start, or to everything that may have covered it and that the interval guard asks for."""
        if self.seen.request is not None and self.requested:
            return self.seen.request.at - MARGIN
        oldest = [self.since, self.seen.probe.at - timedelta(seconds=self.desired.min_interval)]
        return min([*oldest, *([self.seen.awaited] if self.seen.awaited is not None else [])]) - MARGIN

    @cached_property
    def blocked(self) -> HybridIdentityError | None:
        """Why nothing may be started here."""
        desired = self.desired
        return require_ready(
            self.seen.probe,
            self.seen.state,
            on_staging=desired.on_staging,
            on_disabled=desired.on_disabled,
            on_retired=desired.on_retired,
        )

    @property
    def requested(self) -> bool:
        """A start of ours may have been carried out."""
        return self.seen.request is not None and self.seen.request.counts

    @property
    def pending(self) -> bool:
        """There is a cycle, ours or one that is awaited, whose end is of interest."""
        return self.requested or self.seen.awaited is not None

    @property
    def time_is_over(self) -> bool:
        """Nothing new is begun."""
        return self.seen.time_left <= 0

    @property
    def readable(self) -> bool:
        """The runs have been read since the engine came to rest."""
        return self.seen.history_is_fresh and known_runs(self.seen) is not None

    @property
    def conclusive(self) -> bool:
        """They were read when it had been at rest for so long that what they lack will not come any more."""
        history, idle_since = self.seen.history, self.seen.idle_since
        return self.readable and history is not None and idle_since is not None and (history.at - idle_since).total_seconds() >= self.rest

    @property
    def may_read(self) -> bool:
        """The runs can be read by the local route only, and nothing has been read since the newest look."""
        return self.seen.local_open and self.seen.local_helps and not self.seen.read_since_look

    @property
    def local_is_needed(self) -> bool:
        """Runs are read by the local route only: a call that may need them goes on by it itself, which saves the start of a process."""
        return self.seen.local_open and self.seen.local_helps

    @property
    def reads_along(self) -> bool:
        """The same, and the runs will be of interest when the engine has come to rest."""
        awaited = self.pending and self.desired.wait
        return self.local_is_needed and (awaited or self.desired.looks_back or self.desired.min_interval > 0)

    @property
    def has_time_to_read(self) -> bool:
        """The local route would not be cut off in its middle."""
        return self.seen.time_left >= LEAST_SECONDS

    @property
    def may_read_for_cover(self) -> bool:
        """The same, and the last reading lies before what the engine does now."""
        history, since = self.seen.history, self.seen.active_since or self.seen.idle_since
        stale = history is None or history.runs is None or (since is not None and history.at < since)
        return self.may_read and self.has_time_to_read and stale

    @property
    def seen_of_it(self) -> bool:
        """Something was seen of the cycle that is pending: activity, or runs."""
        return self.seen.cycle_seen is not None or self.proof.cycle is not None or self.seen.awaited is not None

    @property
    def since_request(self) -> float:
        """Seconds between the start and the newest look."""
        return (self.seen.state.at - self.seen.request.at).total_seconds() if self.seen.request else 0.0

    @property
    def may_be_covered(self) -> bool:
        """A cycle of somebody else may have carried it: the moment lies before the task, or a rest was seen since."""
        rested = self.seen.idle_before is not None and self.seen.idle_before >= self.since
        return self.desired.looks_back or self.desired.min_interval > 0 or (self.seen.state.active and rested)

    @property
    def clocks_decide(self) -> bool:
        """Whether it is covered hangs on how far the clocks are apart, and more exchanges may tell: the slowest start of a process counts least."""
        few = self.seen.looks < CLOCK_LOOKS and self.seen.lead.width > EXACT
        return few and not self.seen.state.active and not self.proof.covers and could_cover(self.desired, self.seen)

    @property
    def rest(self) -> float:
        """Seconds for which the engine has to be idle until what is known of the pending cycle is all there will be."""
        if not self.readable:
            return SETTLED if self.seen.state.in_progress is not None else IDLE_FOR_CERTAIN
        cycle = self.proof.cycle
        return IDLE_FOR_LEFTOVERS if cycle is not None and cycle.running else IDLE_FOR_CERTAIN

    @property
    def rest_left(self) -> float:
        """Seconds until an engine without a flag has been idle for long enough."""
        return max(IDLE_FOR_CERTAIN - self.seen.idle_seconds, 0.5)

    @property
    def ended_for_certain(self) -> bool:
        """An engine without a flag for cycles looks idle between any two steps: there a rest has to last."""
        return self.seen.state.in_progress is not None or self.seen.idle_seconds >= IDLE_FOR_CERTAIN

    @property
    def may_be_between_steps(self) -> bool:
        """An engine without a flag that has come to rest just now may be in the middle of a cycle of somebody else."""
        if self.seen.state.in_progress is not None or self.seen.idle_seconds >= IDLE_FOR_CERTAIN:
            return False
        runs = known_runs(self.seen)
        if runs is None or self.seen.history is None:
            return True
        ends = [run.ended for run in runs if run.ended is not None]
        return any(run.ended is None for run in runs) or max(ends, default=DISTANT) > self.seen.history.at - BETWEEN_STEPS

    @property
    def plan_unknown(self) -> bool:
        """Not one run of the cycle is of a kind that is known: what they did cannot be told."""
        cycle = self.proof.cycle
        return cycle is not None and all(run.kind == "other" for run in cycle.runs)

    @property
    def may_still_begin(self) -> bool:
        """A start was sent so short a while ago that nothing need have been seen of it."""
        return self.requested and not self.seen_of_it and self.since_request < CONFIRM

    @property
    def confirm_left(self) -> float:
        """Seconds for which it may still begin."""
        return max(CONFIRM - self.since_request, 1.0)

    @property
    def start_pace(self) -> tuple[float, float]:
        """For how long a start is watched, and for how long it may take to begin, in seconds."""
        return (START_SLICE if self.desired.wait else CONFIRM), CONFIRM

    @property
    def what(self) -> str:
        """The pending cycle, in words."""
        return f"the {self.desired.type} cycle" if self.requested else "the running cycle, which covers it,"

    @property
    def asked(self) -> str:
        """What was sent, in front of a failure: it comes first."""
        request = self.seen.request
        if request is None or not request.counts:
            return ""
        if request.answer == LOST:
            return "A start was sent, and its answer was lost, so it may have been carried out. "
        return "The engine accepted the start. "
