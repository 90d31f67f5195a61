# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Single objects: what to do next. Pure: what was asked for and everything seen so far go in, one action comes out. Private to the collection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Union

from .._engines._contract import EngineState, Probe
from .._engines._object_contract import ObjectOutcome, ObjectsDone
from .._failure import HybridIdentityError
from .._remote._clock import ClockLead
from ._actions import Stop
from ._desired import DesiredCycle
from ._preflight import require_ready

#: seconds that a piece of work needs at least, with the start of two processes
LEAST = 5.0
#: seconds that are kept for the end of the last object and for what is around the work; of a short time three quarters are
AROUND = 30.0
#: how often work that found the engine busy, or did nothing for another reason, is sent again before that is the end
TRIES = 3


@dataclass(frozen=True)
class ObjectsSeen:
    """What is known. Times are on the server's clock.

    waiting: names of which nothing is known. outcomes: what came of the others. requested: when the first one was asked for.
    lost: how the answer of the newest work was lost; then it is not known what came of `unknown`. left_off: why the scheduler may be off.
    failure: why nothing more can be done. idle_tries: pieces of work that did nothing. throttled: the engine asks for a pause.
    time_left: seconds.
    """

    probe: Probe
    state: EngineState
    lead: ClockLead
    time_left: float
    waiting: tuple[str, ...]
    outcomes: tuple[ObjectOutcome, ...] = ()
    requested: datetime | None = None
    lost: str | None = None
    unknown: tuple[str, ...] = ()
    left_off: str | None = None
    failure: HybridIdentityError | None = None
    idle_tries: int = 0
    throttled: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Send:
    """Synchronise these, and begin no further one after so many seconds."""

    names: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class LookAgain:
    """Something runs: look after a pause."""

    pause: float
    words: str


@dataclass(frozen=True)
class Pause:
    """The engine throttles: wait until it may be asked again."""

    seconds: float


ObjectAction = Union[Send, LookAgain, Pause, Stop]


def decide_objects(desired: DesiredCycle, seen: ObjectsSeen, *, pause: float) -> ObjectAction:
    """The next action. pause: seconds after which an engine that throttles may be asked again."""
    if seen.lost is not None:
        return Stop(
            f"The objects were asked for, and the answer was lost ({seen.lost}): what came of them is not known.{_off(seen)}",
            "not_confirmed",
        )
    if seen.failure is not None:
        return Stop(f"{seen.failure.message}{_off(seen)}", seen.failure.reason, seen.failure.remedy)
    if seen.left_off is not None:
        return Stop(seen.left_off, "scheduler_disabled", "Switch the scheduler on: Set-ADSyncScheduler -SyncCycleEnabled $true.")
    if not seen.waiting:
        return _judged(desired, seen)
    if desired.on_staging == "skip" and seen.state.staging:
        return Stop("This server is in staging mode: it was passed over.", skip_reason="staging")
    blocked = require_ready(seen.probe, seen.state, on_staging="refuse", on_disabled=desired.on_disabled, on_retired=desired.on_retired)
    if blocked is not None:
        remedy = "Point the task at the active server: a single object cannot be exported here." if blocked.reason == "staging" else None
        return Stop(blocked.message, blocked.reason, remedy or blocked.remedy)
    if desired.check_mode:
        return Stop(f"{_number(len(seen.waiting))} would be synchronised.", changed=True)
    if seen.throttled and seen.time_left <= pause + LEAST:
        words = f"The engine throttles single objects: {_number(len(seen.waiting))} have to wait {pause / 60:.0f} minutes."
        return Stop(words, "too_soon", "Run the task again in a few minutes, raise wait_timeout, or run a cycle, which carries any number.")
    if seen.throttled:
        return Pause(pause)
    if seen.time_left < LEAST:
        if seen.state.active or not seen.outcomes:
            return Stop(f"The engine was busy for {desired.wait_timeout:.0f} s.", "busy_timeout")
        return Stop(f"{_number(len(seen.waiting))} were not begun within {desired.wait_timeout:.0f} s.", "wait_timeout")
    if seen.state.active:
        busy = ", ".join(seen.state.busy)
        return LookAgain(max(desired.wait_sleep, 1.0), "waiting for the end of what runs" + (f" ({busy})" if busy else ""))
    if seen.idle_tries >= TRIES:
        return Stop("The engine took none of the objects, although nothing was seen running.", "start_rejected")
    return Send(seen.waiting, max(seen.time_left - AROUND, seen.time_left / 4))


def after_work(seen: ObjectsSeen, done: ObjectsDone) -> ObjectsSeen:
    """Add what came of a piece of work. What was throttled waits on."""
    told = {outcome.dn: outcome for outcome in done.outcomes}
    finished = tuple(outcome for outcome in done.outcomes if not outcome.throttled and outcome.dn in seen.waiting)
    known = {outcome.dn for outcome in finished}
    return replace(
        seen,
        state=done.state,
        waiting=tuple(name for name in seen.waiting if name not in known),
        outcomes=seen.outcomes + finished,
        requested=seen.requested or done.requested,
        throttled=any(outcome.throttled for outcome in told.values()),
        idle_tries=0 if finished else seen.idle_tries + (0 if told else 1),
        left_off=done.left_off,
    )


def _judged(desired: DesiredCycle, seen: ObjectsSeen) -> Stop:
    failed = [outcome for outcome in seen.outcomes if outcome.reason is not None]
    if not failed or desired.fail_on == "never":
        words = f"{_number(len(seen.outcomes))} were synchronised" + (f", {len(failed)} of them failed." if failed else ".")
        return Stop(words if seen.outcomes else "Nothing was synchronised.")
    reasons = {outcome.reason for outcome in failed}
    first = failed[0]
    sentence = f"{len(failed)} of {_number(len(seen.outcomes))} failed, the first is {first.dn}: {first.words.rstrip('.')}."
    return Stop(sentence, first.reason if len(reasons) == 1 else "object_errors")


def _off(seen: ObjectsSeen) -> str:
    return f" {seen.left_off}" if seen.left_off else ""


def _number(count: int) -> str:
    return f"{count} object" if count == 1 else f"{count} objects"
