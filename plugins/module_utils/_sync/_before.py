# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What to do while nothing is pending: wait for rest, read, refuse, predict, start. Pure; private to the collection."""

from __future__ import annotations

from ._actions import Action, Look, ReadHistory, Start, Stop
from ._case import Case
from ._cycles import group_cycles
from ._observed import REFUSED
from ._pending import judged
from ._proof import known_runs


def blocked(case: Case) -> Action:
    if case.blocked is None:
        raise AssertionError("nothing stands against a start")
    return Stop(case.blocked.message, case.blocked.reason, case.blocked.remedy)


def covered(case: Case) -> Action:
    return judged(case, "A cycle has covered it already; nothing was started.")


def history_for_cover(case: Case) -> Action:
    return ReadHistory(case.history_since)


def compare_clocks(case: Case) -> Action:
    return Look(seconds=0.5, confirm=0.0, words="a cycle covers it if the clocks are close to each other; comparing them again")


def predicted(case: Case) -> Action:
    if case.proof.running_cover is not None:
        return Stop("A running cycle covers it; nothing would be started.", changed=False)
    return guard(case) or Stop(f"No cycle covers it yet: a {case.desired.type} cycle would be started.", changed=True)


def await_end(case: Case) -> Action:
    if case.proof.running_cover is None:
        raise AssertionError("no running cycle covers it")
    if not case.desired.wait:
        return Stop("A cycle of somebody else covers it and is running.")
    return Look(awaits=case.proof.running_cover.started, words="a running cycle covers it; waiting for its end")


def busy_too_long(case: Case) -> Action:
    request = case.seen.request
    words = f": {request.words}" if request is not None and request.answer == REFUSED else ""
    return Stop(f"The engine was busy for {case.desired.wait_timeout:.0f} s{words}.", "busy_timeout")


def wait_for_rest(case: Case) -> Action:
    busy = ", ".join(case.seen.state.busy)
    return Look(words="waiting for another run, which began before what is to be carried" + (f" ({busy})" if busy else ""))


def wait_for_certainty(case: Case) -> Action:
    return Look(
        seconds=case.rest_left + 1,
        confirm=case.rest_left,
        words="the engine has come to rest just now; looking whether it is between two steps",
    )


def guard(case: Case) -> Stop | None:
    """What the interval guard has against a start."""
    if case.desired.min_interval <= 0:
        return None
    runs = known_runs(case.seen)
    if runs is None:
        problem = case.seen.history.runs_problem if case.seen.history else "the engine was not asked"
        return Stop(f"min_interval cannot be judged without the run history: {problem}.", "history_unavailable")
    newest = max((cycle.started for cycle in group_cycles(runs)), default=None)
    age = (case.seen.state.at - newest).total_seconds() if newest else None
    if age is not None and age < case.desired.min_interval:
        return Stop(f"The last cycle began {age:.0f} s ago, and min_interval is {case.desired.min_interval:.0f} s.", "too_soon")
    return None


def guarded(case: Case) -> Action:
    stop = guard(case)
    if stop is None:
        raise AssertionError("the interval guard has nothing against a start")
    return stop


def refused_for_good(case: Case) -> Action:
    if case.seen.state.suspended:
        return Stop("The scheduler was suspended in the meantime.", "scheduler_suspended")
    if case.seen.request is None:
        raise AssertionError("nothing was started")
    return Stop(f"The engine refused the start: {case.seen.request.words}.", "start_rejected")


def start(case: Case) -> Action:
    ahead = (case.since - case.seen.state.at).total_seconds()
    again = case.desired.wait_sleep if case.seen.request is not None else 0.0
    return Start(max(ahead, again, 0.0), *case.start_pace)
