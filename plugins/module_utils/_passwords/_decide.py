# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What to do next about passwords. Pure: what was asked for and everything observed so far go in, one action comes out. Private to the collection.

The decision is a table: the first row that holds gives the action. Once an off may have been sent, what concerns switching on comes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from . import _before, _observing, _pending
from ._actions import Action
from ._case import Case
from ._people import names_to_find, unresolved


@dataclass(frozen=True)
class Row:
    """One row of the decision: a condition and what follows, each as a function and in words."""

    name: str
    when: str
    then: str
    holds: Callable[[Case], bool]
    action: Callable[[Case], Action]


def decide(case: Case) -> Action:
    """The action of the first row that holds."""
    return row_of(case).action(case)


def row_of(case: Case) -> Row:
    """The first row that holds; the last one of each table always does."""
    return next(row for row in rows_of(case) if row.holds(case))


def rows_of(case: Case) -> tuple[Row, ...]:
    """The table for what is asked for."""
    if case.desired.observe_only:
        return OBSERVE_ROWS
    return ROWS if case.desired.state == "synced" else SWITCH_ROWS


_FIRST: tuple[Row, ...] = (
    Row(
        "trouble",
        "the newest call failed",
        "look again if something was sent, with the reserve if a channel may be off; else stop with its cause",
        lambda case: case.seen.trouble is not None,
        _pending.trouble,
    ),
)
_READY: tuple[Row, ...] = (
    Row(
        "blocked",
        "the engine cannot be driven: service, suspended, staging",
        "stop with that reason",
        lambda case: _before.blocked(case) is not None,
        _before.stop_blocked,
    ),
    Row(
        "look",
        "the channels have not been read",
        "read them by the local route",
        lambda case: case.seen.look is None and case.seen.local_problem is None,
        _before.look,
    ),
    Row(
        "refused",
        "rights, staging, connectors, tenant or channels forbid it",
        "stop with that reason",
        lambda case: _before.refused(case) is not None,
        _before.stop_refused,
    ),
)

ROWS: tuple[Row, ...] = (
    *_FIRST,
    # -- something was forced: first of all, is every channel on?
    Row(
        "look after",
        "forced; a channel was not read back as on, and nobody has looked since",
        "look, with the reserve",
        lambda case: bool(case.left_off) and case.seen.looked_at is None and case.seen.reserve_left > 0,
        _pending.look_after,
    ),
    Row(
        "work goes on",
        "forced; the work on the server has not ended",
        "look again, with the reserve",
        lambda case: bool(case.left_off) and case.working and case.seen.reserve_left > 0,
        _pending.look_again,
    ),
    Row(
        "repair",
        "forced; a channel is off",
        "switch it on, a few times",
        lambda case: bool(case.left_off) and _before.can_still_repair(case),
        _pending.repair,
    ),
    Row(
        "left off", "forced; a channel is off for good", "stop: channel_left_off", lambda case: bool(case.left_off), _pending.stop_left_off
    ),
    Row(
        "begin to read",
        "forced; its events have not been read",
        "read from the marker",
        lambda case: case.requested and not case.reading,
        _pending.read_after_force,
    ),
    Row(
        "look before again",
        "forcing restarts the engine, its answer was lost, and nothing shows a restart; the newest look is old, or saw something run",
        "look again",
        _pending.look_before_again,
        _pending.look_once_more,
    ),
    Row(
        "force again",
        "forcing restarts the engine, its answer was lost, nothing works at it, and no restart follows",
        "force it again, a few times",
        _pending.may_force_again,
        _pending.force_again,
    ),
    Row(
        "nothing came",
        "the answer was lost, every channel is on, and neither event, flag nor task shows that it began",
        "stop: not_confirmed, nothing changed",
        _pending.nothing_came,
        _pending.stop_nothing_came,
    ),
    Row(
        "not waiting",
        "pending, wait is off, and every connector was seen to begin",
        "stop: started",
        lambda case: case.reading and not case.desired.wait and case.all_begun,
        _pending.begun,
    ),
    Row(
        "last look",
        "forced; everything has settled or the time is over, and the channels have not been read since",
        "look, with the reserve",
        lambda case: case.requested and (case.settled or case.time_is_over) and not case.looked_since and case.seen.reserve_left > 0,
        _pending.look_after,
    ),
    Row(
        "people",
        "pending; everything has settled, and somebody who was named has no result yet",
        "read on for five minutes, or the time left",
        lambda case: case.reading and case.settled and case.people_awaited and not case.time_is_over,
        _pending.read_people,
    ),
    Row(
        "judge",
        "pending; everything has settled",
        "stop with what the events say",
        lambda case: case.reading and case.settled,
        _pending.judged,
    ),
    Row(
        "time over",
        "pending; the time is over",
        "stop: wait_timeout, or not_confirmed",
        lambda case: case.reading and case.time_is_over,
        _pending.time_over,
    ),
    Row("read", "pending", "read on", lambda case: case.reading and (case.requested or not case.uncovered), _pending.read),
    # -- nothing was sent
    *_READY,
    Row(
        "history",
        "the event log has not been read",
        "read it, and take the marker",
        lambda case: not case.seen.history and case.seen.events_problem is None,
        _before.read_history,
    ),
    Row(
        "no events",
        "the log cannot be read, or has no such source",
        "stop: events_unavailable",
        lambda case: _before.unreadable(case) is not None,
        _before.stop_unreadable,
    ),
    Row("future", "since lies in the future", "stop: invalid_input", _before.is_future, _before.future),
    Row(
        "nameless people",
        "people are named by account or user principal name, which this engine cannot resolve",
        "stop before anything is changed",
        _before.nameless,
        _before.stop_nameless,
    ),
    Row(
        "find people",
        "people are named by account or user principal name",
        "find out who they are",
        lambda case: bool(names_to_find(case.desired.users)) and case.seen.found is None,
        _before.find_people,
    ),
    Row(
        "unknown people",
        "it is not clear who is meant",
        "stop before anything is changed",
        lambda case: bool(unresolved(case.desired.users, case.seen)),
        _before.unknown_people,
    ),
    Row(
        "follow",
        "every connector is covered, by one that runs and is awaited, or people are asked for",
        "read from its beginning",
        lambda case: (
            not case.uncovered and not case.desired.check_mode and (bool(case.desired.users) or (case.desired.wait and not case.settled))
        ),
        _before.follow,
    ),
    Row("covered", "every connector is covered", "stop: nothing changed", lambda case: not case.uncovered, _before.covered),
    Row(
        "too soon",
        "a later one is asked for, and the last one lies inside the interval",
        "stop: too_soon",
        lambda case: bool(case.too_soon),
        _before.too_soon,
    ),
    Row(
        "old failure",
        "the engine waits for its first full synchronisation, or has just been kept from reading hashes",
        "stop with that reason",
        lambda case: _before.old_failure(case) is not None,
        _before.stop_old_failure,
    ),
    Row("check mode", "check mode", "stop with a prediction", lambda case: case.desired.check_mode, _before.predicted),
    Row(
        "other too long",
        "one that began too early runs still, and the time is over",
        "stop: busy_timeout",
        lambda case: bool(case.in_the_way) and case.time_is_over,
        _before.other_too_long,
    ),
    Row(
        "wait for other",
        "one that began too early runs still",
        "read on until it has ended",
        lambda case: bool(case.in_the_way),
        _before.wait_for_other,
    ),
    Row("busy too long", "the time is over", "stop: busy_timeout", lambda case: case.time_is_over, _before.busy_too_long),
    Row(
        "look again",
        "forcing found something off or busy, and nobody has looked since",
        "look",
        lambda case: case.seen.looked_at is None,
        _before.look,
    ),
    Row("busy", "a connector that would be saved runs", "look again in a while", _before.is_busy, _before.wait_for_rest),
    Row("force", "otherwise", "force the uncovered ones", lambda case: True, _before.force),
)


def _switched(case: Case) -> bool:
    return case.seen.switched is not None or case.seen.switch_lost is not None


SWITCH_ROWS: tuple[Row, ...] = (
    *_FIRST,
    Row(
        "look after",
        "switched, and not looked at since",
        "look",
        lambda case: _switched(case) and case.seen.looked_at is None,
        _pending.look_after,
    ),
    Row(
        "work goes on",
        "the answer was lost, and the work on the server has not ended",
        "look again",
        lambda case: case.seen.switch_lost is not None and _pending.work_runs(case) and case.seen.reserve_left > 0,
        _pending.look_again,
    ),
    Row("ended", "switched", "stop with what was read back", _switched, _before.switch_ended),
    *_READY,
    Row("as wanted", "every channel is as it shall be", "stop: nothing changed", lambda case: not _before.wrong(case), _before.as_wanted),
    Row("check mode", "check mode", "stop with a prediction", lambda case: case.desired.check_mode, _before.switch_predicted),
    Row("switch", "otherwise", "switch those that are not", lambda case: True, _before.switch),
)


OBSERVE_ROWS: tuple[Row, ...] = (
    *_FIRST,
    Row("future", "since lies in the future", "stop: invalid_input", _before.is_future, _before.future),
    Row(
        "begin to read",
        "the event log has not been read",
        "read it since that time",
        lambda case: not case.seen.history and case.seen.events_problem is None,
        _observing.begin,
    ),
    Row(
        "no events",
        "the log cannot be read, or has no such source",
        "stop: events_unavailable",
        lambda case: _before.unreadable(case) is not None,
        _before.stop_unreadable,
    ),
    Row(
        "everybody has a result",
        "the newest result of everybody who was named is a success or a failure",
        "stop with the results",
        _observing.is_complete,
        _observing.told,
    ),
    Row("not waiting", "wait is off", "stop with what is there", lambda case: not case.desired.wait, _observing.told),
    Row(
        "nothing will come",
        "the service is away, the server in staging mode, or the channel of every forest has failed or shows no life",
        "stop with what is there, and say so",
        lambda case: case.standstill is not None,
        _observing.told,
    ),
    Row("time over", "the time is over", "stop with what is there", lambda case: case.time_is_over, _observing.told),
    Row("read on", "otherwise", "read on", lambda case: True, _observing.read_on),
)
