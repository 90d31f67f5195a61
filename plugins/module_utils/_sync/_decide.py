# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What to do next. Pure: what was asked for and everything observed so far go in, one action comes out. Private to the collection.

The decision is a table: the first row that holds gives the action. Every way through a task (covered already, somebody
else's cycle awaited, an own one, a lost start, no waiting, check mode) is made of these rows, and every statement on what is
proven comes from the same proof.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Callable

from . import _before, _pending
from ._actions import Action, Look, Start, Stop
from ._case import AHEAD, REFUSALS, Case
from ._desired import DesiredCycle
from ._observed import Observed
from ._retired import judged_by_support


@dataclass(frozen=True)
class Row:
    """One row of the decision: a condition and what follows, each as a function and in words."""

    name: str
    when: str
    then: str
    holds: Callable[[Case], bool]
    action: Callable[[Case], Action]


def decide(desired: DesiredCycle, seen: Observed) -> Action:
    """The action of the first row that holds; the end of a task on a version that the cloud refuses is judged once more."""
    case = Case(desired, seen)
    action = judged_by_support(case, row_of(desired, seen).action(case))
    if isinstance(action, Look):
        return replace(action, since=case.history_since, local=case.reads_along)
    return replace(action, local=case.local_is_needed and desired.wait) if isinstance(action, Start) else action


def row_of(desired: DesiredCycle, seen: Observed) -> Row:
    """The first row that holds; the last one always does."""
    case = Case(desired, seen)
    return next(row for row in ROWS if row.holds(case))


ROWS: tuple[Row, ...] = (
    Row(
        "trouble",
        "the newest call failed",
        "look again for a minute if a start was sent, else stop with its cause; what was sent comes first",
        lambda case: case.seen.trouble is not None,
        _pending.trouble,
    ),
    # -- a cycle is pending: ours, or one that is awaited
    Row(
        "proven",
        "pending; the engine is idle and the history shows every part that carries, none of them stopped",
        "stop: verified (finished with a warning where another part is not there), by the results of the runs",
        lambda case: case.pending and case.proof.covers and case.readable and case.ended_for_certain,
        _pending.proven,
    ),
    Row(
        "not waiting",
        "a start was sent, wait is off, activity or runs were seen, and its end has not been read already",
        "stop: confirmed",
        lambda case: case.requested and not case.desired.wait and case.seen_of_it and not case.readable,
        _pending.seen_running,
    ),
    Row(
        "time over",
        "pending; the time is over",
        "stop: wait_timeout, or not_confirmed where nothing was seen",
        lambda case: case.pending and case.time_is_over,
        _pending.time_over,
    ),
    Row(
        "follow",
        "pending; the engine is active",
        "look",
        lambda case: case.pending and case.seen.state.active,
        _pending.follow,
    ),
    Row(
        "failed",
        "pending; idle, and the history shows every part, ended, and one that carries was stopped",
        "stop: the reason of the stopped run",
        lambda case: (
            case.pending and case.readable and case.ended_for_certain and case.proof.parts is not None and not case.proof.parts.absent
        ),
        _pending.cut_short,
    ),
    Row(
        "confirm",
        "a start was sent a short while ago, and nothing was seen of it",
        "look for its beginning",
        lambda case: case.may_still_begin and (case.readable or not case.seen.next_start_moved),
        _pending.confirm,
    ),
    Row(
        "read",
        "pending; the engine is idle and its runs have not been read since",
        "read the history by the local route",
        lambda case: case.pending and case.may_read and not case.readable and case.has_time_to_read,
        _pending.read,
    ),
    Row(
        "no time to read",
        "the same, and the time that is left is too short for it",
        "stop: wait_timeout, or not_confirmed where nothing was seen",
        lambda case: case.pending and case.may_read and not case.readable,
        _pending.time_over,
    ),
    Row(
        "settle",
        "pending; idle for a few seconds only, and the history lacks something or cannot be read",
        "look whether more follows",
        lambda case: case.pending and (case.requested or case.readable) and case.seen.idle_seconds < case.rest,
        _pending.settle,
    ),
    Row(
        "read again",
        "pending; idle for long, and the history that lacks something was read before that",
        "read the history by the local route",
        lambda case: case.pending and case.may_read and case.readable and not case.conclusive and case.has_time_to_read,
        _pending.read,
    ),
    Row(
        "nothing began",
        "a start was sent; the history can be read and shows no cycle after it",
        "stop: not_confirmed",
        lambda case: case.requested and case.readable and case.proof.cycle is None,
        _pending.nothing_began,
    ),
    Row(
        "plan unknown",
        "pending; the history shows runs of no kind that is known, and all have ended",
        "stop: finished, by the results of the runs, with a warning",
        lambda case: case.pending and case.readable and case.plan_unknown and case.proof.ended,
        _pending.plan_unknown,
    ),
    Row(
        "cut short",
        "pending; the history shows the cycle, and a part that carries is stopped or not there",
        "stop: the reason of the stopped run, else cycle_failed with the parts that it lacks",
        lambda case: case.pending and case.readable and case.proof.cycle is not None,
        _pending.cut_short,
    ),
    Row(
        "unreadable",
        "a start was sent; the runs cannot be read by any way",
        "stop: finished where activity and its end were seen, confirmed where only the next start moved, else not_confirmed",
        lambda case: case.requested,
        _pending.unreadable,
    ),
    # -- nothing is pending
    Row(
        "skip",
        "the server was read to be in staging mode, and on_staging is skip",
        "stop: skipped, nothing changed",
        lambda case: case.seen.probe.blocker is None and case.seen.state.staging is True and case.desired.on_staging == "skip",
        lambda case: Stop("This server is in staging mode: it was passed over.", skip_reason="staging"),
    ),
    Row(
        "blocked",
        "the engine cannot be driven, or the task must not: service, rights, retired version, suspended, staging, disabled",
        "stop with that reason",
        lambda case: case.blocked is not None,
        _before.blocked,
    ),
    Row(
        "future",
        "the watermark lies in the future",
        "stop: invalid_input",
        lambda case: case.since > case.seen.state.at + AHEAD + timedelta(seconds=case.seen.lead.width),
        lambda case: Stop("since lies in the future: nothing can have carried what is not there yet.", "invalid_input"),
    ),
    Row(
        "covered",
        "the history shows a complete cycle of the type whose imports began at or after the watermark",
        "stop: nothing changed",
        lambda case: case.proof.covers and case.seen.awaited is None,
        _before.covered,
    ),
    Row(
        "history for cover",
        "somebody else's cycle may have carried it, and the runs have not been read since",
        "read the history by the local route",
        lambda case: case.seen.awaited is None and case.may_be_covered and case.may_read_for_cover and not case.time_is_over,
        _before.history_for_cover,
    ),
    Row(
        "compare clocks",
        "a cycle covers it or not, depending on how far the clocks are apart, and that is not known well",
        "look, twice at most: every exchange narrows it",
        lambda case: case.seen.awaited is None and case.clocks_decide and not case.time_is_over,
        _before.compare_clocks,
    ),
    Row("check mode", "check mode", "stop with a prediction", lambda case: case.desired.check_mode, _before.predicted),
    Row(
        "await",
        "a running cycle of somebody else began its imports at or after the watermark",
        "follow it to its end",
        lambda case: case.seen.awaited is None and case.proof.running_cover is not None and not case.time_is_over,
        _before.await_end,
    ),
    Row(
        "busy too long",
        "nothing was started, and the time is over",
        "stop: busy_timeout",
        lambda case: case.time_is_over,
        _before.busy_too_long,
    ),
    Row("busy", "the engine is active", "look until it is idle", lambda case: case.seen.state.active, _before.wait_for_rest),
    Row(
        "between steps",
        "an engine without a flag looks idle since a moment ago, and a run has ended a short while before",
        "look whether more follows",
        lambda case: case.may_be_between_steps,
        _before.wait_for_certainty,
    ),
    Row(
        "guard",
        "min_interval forbids a start, or cannot be judged",
        "stop: too_soon, history_unavailable",
        lambda case: _before.guard(case) is not None,
        _before.guarded,
    ),
    Row(
        "refused",
        "an idle engine has refused the start several times",
        "stop: start_rejected",
        lambda case: case.seen.refusals >= REFUSALS,
        _before.refused_for_good,
    ),
    Row("start", "otherwise", "start, once the watermark has passed on the server's clock", lambda case: True, _before.start),
)
