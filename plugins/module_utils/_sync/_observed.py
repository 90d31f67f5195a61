# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Everything that a task has seen and done so far, and how what comes in is added to it. Pure; private to the collection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Sequence

from .._engines._contract import Connector, EngineState, History, Probe, Started, Step, Watch
from .._remote._clock import ClockLead
from .._remote._failures import CallFailure
from .._remote._shape import ServerTime

#: refusals that one counts for, where asking again is of no use
_FOR_GOOD = 100
#: what became of a start that was asked for
ACCEPTED, REFUSED, LOST = "accepted", "refused", "lost"


@dataclass(frozen=True)
class Request:
    """A start that was, or may have been, asked for.

    at: when, or the earliest that it can have been (server clock). answer: accepted, refused or lost. words: the refusal,
    or how the answer was lost. next_start: what the engine meant to do by itself before. own: whether an accepted start
    proves that the cycle which follows is its own. full: the engine makes it a full one.
    """

    at: datetime
    answer: str
    words: str = ""
    next_start: ServerTime | None = None
    own: bool = True
    full: bool = False

    @property
    def counts(self) -> bool:
        """Whether a cycle may have come of it."""
        return self.answer != REFUSED


@dataclass(frozen=True)
class Trouble:
    """Looks that failed one after the other, since a look last succeeded: the newest failure, and for how many seconds by now."""

    error: CallFailure
    seconds: float


@dataclass(frozen=True)
class Observed:
    """What is known. Times are on the server's clock.

    Attributes:
        state: the newest look. cycle_seen: the first look, since the start was asked for, that saw a cycle.
        idle_since, active_since: the first look of those, up to the newest, that saw the engine idle, or active; the other is None.
        idle_before: the first look ever that saw it idle.
        history: the newest reading of runs and events, whatever came of it. connectors: of the engine, as far as they are known.
        local_open: whether the local route may still be tried. local_helps: the direct way was refused so that it may help.
        looks: slices of watching so far. read_since_look: nothing was looked at since the history was read by it. request: the newest start.
        awaited: when the cycle of somebody else began that is waited for. refusals: of starts, although the engine was idle.
        trouble: None while looks succeed. time_left: seconds. warnings: what the engine wants said in any case.
    """

    probe: Probe
    plan: Sequence[Step]
    state: EngineState
    connectors: tuple[Connector, ...]
    lead: ClockLead
    time_left: float
    history: History | None = None
    local_open: bool = True
    local_helps: bool = False
    read_since_look: bool = False
    looks: int = 0
    cycle_seen: datetime | None = None
    idle_since: datetime | None = None
    active_since: datetime | None = None
    idle_before: datetime | None = None
    request: Request | None = None
    awaited: datetime | None = None
    refusals: int = 0
    trouble: Trouble | None = None
    warnings: tuple[str, ...] = ()

    @property
    def history_is_fresh(self) -> bool:
        """Whether the runs were read after the start was sent, and after the engine came to rest."""
        if self.history is None or self.idle_since is None:
            return False
        return self.history.at >= self.idle_since and (self.request is None or self.history.at > self.request.at)

    @property
    def idle_seconds(self) -> float:
        """How long the engine has been seen idle, up to the newest look."""
        return (self.state.at - self.idle_since).total_seconds() if self.idle_since else 0.0

    @property
    def next_start_moved(self) -> bool:
        """Whether the engine means to start by itself at another time than before the start."""
        before = self.request.next_start if self.request else None
        return self.request is not None and (before.text if before else None) != (
            self.state.next_start.text if self.state.next_start else None
        )


def first_look(probe: Probe, state: EngineState, plan: Sequence[Step], *, local_open: bool, time_left: float) -> Observed:
    """What is known after the probe."""
    idle, active = (None, state.at) if state.active else (state.at, None)
    seen = Observed(
        probe,
        plan,
        state,
        probe.connectors,
        probe.lead,
        time_left,
        local_open=local_open,
        idle_since=idle,
        active_since=active,
        idle_before=idle,
        warnings=probe.warnings,
    )
    return after_history(seen, probe.history) if probe.history else seen


def after_watch(seen: Observed, watch: Watch) -> Observed:
    """Add a slice of watching."""
    state = watch.state
    idle_since: datetime | None = None
    active_since: datetime | None = None
    if state.active:
        active_since = state.at if seen.active_since is None or watch.idle_since is not None else seen.active_since
    else:
        # A rest goes on where nothing was seen running meanwhile; a clock that was set back begins it anew.
        goes_on = seen.idle_since is not None and not watch.active and seen.idle_since <= state.at
        idle_since = seen.idle_since if goes_on else (watch.idle_since or state.at)
    seen = replace(
        seen,
        state=state,
        lead=seen.lead.narrowed(watch.lead),
        cycle_seen=seen.cycle_seen or watch.first_active,
        idle_since=idle_since,
        active_since=active_since,
        idle_before=seen.idle_before or idle_since,
        read_since_look=False,
        looks=seen.looks + 1,
        trouble=None,
    )
    if watch.history is not None:
        seen = after_history(seen, watch.history)
    return seen if watch.trouble is None else after_trouble(seen, watch.trouble, 0.0)


def after_start(seen: Observed, started: Started) -> Observed:
    """Add what came of a start."""
    before, watch = started.before, started.watch
    answer = ACCEPTED if started.accepted else REFUSED
    idle = not before.active and not (watch is not None and watch.state.active)
    seen = replace(
        seen,
        request=Request(started.requested, answer, started.refused or "", before.next_start, started.proves_own, bool(started.full)),
        state=before,
        cycle_seen=None,
        idle_since=None if before.active else before.at,
        active_since=before.at if before.active else None,
        idle_before=seen.idle_before or (None if before.active else before.at),
        awaited=None,
        refusals=seen.refusals + (_FOR_GOOD if started.for_good else 1) if idle and not started.accepted else 0,
        warnings=tuple(dict.fromkeys((*seen.warnings, *started.warnings))),
    )
    if watch is not None:
        seen = after_watch(seen, watch)
    return after_trouble(seen, started.trouble, 0.0) if started.trouble is not None else seen


def after_lost_start(seen: Observed, words: str, left: str | None) -> Observed:
    """Add that the answer to a start did not come, or made no sense: it may have been carried out at any time since.

    Args:
        left: what it may have left on the server, in one sentence.
    """
    earliest = max(seen.state.at, seen.history.at) if seen.history is not None else seen.state.at
    request = Request(earliest, LOST, words, seen.state.next_start)
    return replace(seen, request=request, cycle_seen=None, awaited=None, warnings=(*seen.warnings, *((left,) if left else ())))


def after_history(seen: Observed, history: History) -> Observed:
    """Add a reading of the history. Events that an earlier reading had stay where the newer one did not ask for them."""
    if history.events is None and history.events_problem is None and seen.history is not None:
        history = replace(history, events=seen.history.events, events_problem=seen.history.events_problem)
    if history.runs is None and not seen.local_open and seen.history is not None:
        history = replace(
            history, runs_problem=seen.history.runs_problem or history.runs_problem
        )  # why the local route is closed says more
    helps = seen.local_helps or (history.runs is None and history.local_may_help) or history.local_was_tried
    seen = replace(seen, history=history, connectors=seen.connectors or history.connectors, local_helps=helps)
    return _by_the_local_route(seen, history) if history.local_was_tried else seen


def after_local_history(seen: Observed, history: History) -> Observed:
    """Add a reading by the local route."""
    return replace(_by_the_local_route(after_history(seen, history), history), trouble=None)


def _by_the_local_route(seen: Observed, history: History) -> Observed:
    """One that failed closes it."""
    return replace(seen, local_open=history.runs is not None, read_since_look=True)


def after_trouble(seen: Observed, error: CallFailure, seconds: float) -> Observed:
    """Add a call that failed; seconds: since the last one that did not."""
    return replace(seen, trouble=Trouble(error, seconds))


def watermark(since: datetime, lead: ClockLead) -> datetime:
    """A moment of the caller's clock on the server's, at the safe end: whatever began at or after it began after the moment."""
    return since + timedelta(seconds=lead.high)
