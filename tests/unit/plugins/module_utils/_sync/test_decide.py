# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The decision, row by row: a table of observations, and what follows from each."""

from __future__ import annotations

from typing import Any

import pytest
from sync_cases import NOON, at, cycle, desired, history, observed, probe, request, run, state

from ansible_collections.hybrid.identity.plugins.module_utils._engines._contract import Events
from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import AnswerError, RemoteError
from ansible_collections.hybrid.identity.plugins.module_utils._remote._clock import ClockLead
from ansible_collections.hybrid.identity.plugins.module_utils._remote._shape import ServerTime
from ansible_collections.hybrid.identity.plugins.module_utils._remote._transport import ConnectionBroken
from ansible_collections.hybrid.identity.plugins.module_utils._sync._actions import Look, ReadHistory, Start, Stop
from ansible_collections.hybrid.identity.plugins.module_utils._sync._decide import ROWS, decide, row_of
from ansible_collections.hybrid.identity.plugins.module_utils._sync._observed import LOST, REFUSED, Trouble, after_lost_start
from ansible_collections.hybrid.identity.plugins.module_utils._sync._proof import prove

BROKEN = ConnectionBroken("The connection ended.")
AWAY = RemoteError({"type": "System.Runtime.InteropServices.COMException", "hresult": -2147467259 + 0, "message": "gone"})
IDLE, ACTIVE = state(60), state(60, True)
BUSY_BY_HAND = state(60, False, ("corp.example",))
OURS = request(10)
LOST_START = request(10, LOST, "The connection ended.")
REFUSED_START = request(10, REFUSED, "a cycle runs")
DONE = history(61, cycle(11))
MOVED = request(10, next_start=ServerTime("another", NOON))
EVENTS = Events(
    {"Directory Synchronization/109": 1}, {}, [{"provider": "Directory Synchronization", "id": 109, "at": NOON, "message": "words"}]
)

#: name -> (what is wanted, what is known, the row, and what its action has to be like)
TABLE: dict[str, tuple[dict[str, Any], Any, str, dict[str, Any]]] = {
    # -- nothing was started
    "an idle engine": ({}, observed(IDLE), "start", {"pause": 0.0}),
    "a watermark just ahead is waited for": ({"since": 62}, observed(IDLE), "start", {"pause": 2.0}),
    "a watermark in the future": ({"since": 66}, observed(IDLE), "future", {"reason": "invalid_input"}),
    "a complete cycle after the watermark": ({}, observed(IDLE, history=history(60, cycle(0))), "covered", {"reason": None, "changed": None}),
    "the same, and something runs now": ({}, observed(ACTIVE, history=history(60, cycle(0))), "covered", {"reason": None}),
    "a cycle before the watermark": ({"since": 1}, observed(IDLE, history=history(60, cycle(0))), "start", {}),
    "imports alone": ({}, observed(IDLE, history=history(60, cycle(0, steps=2))), "start", {}),
    "import and synchronisation, no export": ({}, observed(IDLE, history=history(60, cycle(0, steps=4))), "start", {}),
    "a cycle with a stopped export": (
        {}, observed(IDLE, history=history(60, [*cycle(0)[:4], run(40, "export", False, result="stopped-server-down"), cycle(0)[5]])), "start", {},
    ),
    "a delta where a full one is wanted": ({"full": True}, observed(IDLE, history=history(60, cycle(0))), "start", {}),
    "a full one where a delta is wanted": ({}, observed(IDLE, history=history(60, cycle(0, full=True))), "covered", {}),
    "a cycle from a clock that was set": ({}, observed(IDLE, history=history(60, cycle(3600))), "start", {}),
    "object errors that count": (
        {"fail_on": "errors"}, observed(IDLE, history=history(60, [*cycle(0)[:5], run(50, "export", result="completed-export-errors")])),
        "covered", {"reason": "object_errors"},
    ),
    "it may be covered, and the history is closed here": (
        {"looks_back": True}, observed(IDLE, history=history(60, None, local=True), local_helps=True), "history for cover", {},
    ),
    "the local route is closed too": (
        {"looks_back": True}, observed(IDLE, history=history(60, None, local=True), local_helps=True, local_open=False), "start", {},
    ),
    "it cannot be covered yet": ({}, observed(IDLE, history=history(60, None, local=True), local_helps=True), "start", {}),
    "covered or not, as the clocks stand": (
        {"since": -3}, observed(IDLE, history=history(60, cycle(0)), lead=ClockLead(0.0, 4.0)), "compare clocks", {"seconds": 0.5},
    ),
    "the same, after they were compared": (
        {"since": -3}, observed(IDLE, history=history(60, cycle(0)), lead=ClockLead(0.0, 4.0), looks=2), "start", {},
    ),
    "check mode": ({"check_mode": True}, observed(IDLE), "check mode", {"changed": True}),
    "check mode, and a running cycle covers it": (
        {"check_mode": True}, observed(ACTIVE, history=history(60, cycle(0, steps=2))), "check mode", {"changed": False},
    ),
    "check mode, and the interval forbids it": (
        {"check_mode": True, "min_interval": 600, "since": 30}, observed(IDLE, history=history(60, cycle(0))), "check mode", {"reason": "too_soon"},
    ),
    "a running cycle covers it": ({}, observed(ACTIVE, history=history(60, cycle(0, steps=2))), "await", {"awaits": at(0)}),
    "the same without waiting": ({"wait": False}, observed(ACTIVE, history=history(60, cycle(0, steps=2))), "await", {"reason": None}),
    "a running cycle began before": ({"since": 1}, observed(ACTIVE, history=history(60, cycle(0, steps=2))), "busy", {}),
    "only a connector runs by hand": ({}, observed(BUSY_BY_HAND, history=history(60, cycle(0, steps=1))), "busy", {}),
    "a running cycle whose import failed": (
        {}, observed(ACTIVE, history=history(60, [run(0, result="no-start-credentials"), run(10, directory=False)])), "busy", {},
    ),
    "a running delta, and a full one is wanted": ({"full": True}, observed(ACTIVE, history=history(60, cycle(0, steps=2))), "busy", {}),
    "a cycle that began after a rest": (
        {}, observed(ACTIVE, active=50, idle_before=at(40), history=history(40, None, local=True), local_helps=True), "history for cover", {},
    ),
    "the engine is busy for too long": ({}, observed(ACTIVE, time_left=0.0), "busy too long", {"reason": "busy_timeout"}),
    "min_interval": ({"min_interval": 600, "since": 30}, observed(IDLE, history=history(60, cycle(0))), "guard", {"reason": "too_soon"}),
    "min_interval, and nothing can be read": (
        {"min_interval": 600}, observed(IDLE, history=history(60, None)), "guard", {"reason": "history_unavailable"},
    ),
    "staging": ({}, observed(state(60, staging=True)), "blocked", {"reason": "staging"}),
    "staging, and the host is passed over": ({"on_staging": "skip"}, observed(state(60, staging=True)), "skip", {"skip_reason": "staging", "reason": None}),
    "a wizard was opened while it was busy": ({}, observed(state(60, suspended=True)), "blocked", {"reason": "scheduler_suspended"}),
    "the engine blocks": (
        {}, observed(IDLE, probe=probe(blocker=HybridIdentityError("service_stopped", "It is stopped."))), "blocked", {"reason": "service_stopped"},
    ),
    "a call fails before anything was started": ({}, observed(IDLE, trouble=Trouble(BROKEN, 1.0)), "trouble", {"reason": "unreachable"}),
    # -- refused
    "refused, and it runs now": ({}, observed(ACTIVE, request=REFUSED_START), "busy", {}),
    "refused, and nothing runs": ({}, observed(IDLE, request=REFUSED_START, refusals=1), "start", {"pause": 1}),
    "refused for good": ({}, observed(IDLE, request=REFUSED_START, refusals=3), "refused", {"reason": "start_rejected"}),
    "refused until the time is over": ({}, observed(ACTIVE, request=REFUSED_START, time_left=0.0), "busy too long", {"reason": "busy_timeout"}),
    # -- our start was accepted
    "accepted, ended, everything read": ({}, observed(state(80), idle=61, seen=12, request=OURS, history=history(62, cycle(11))), "proven", {"reason": None}),
    "the same without an end of the last run": (
        {}, observed(state(80), idle=61, seen=12, request=OURS, history=history(62, [*cycle(11)[:5], run(61, "export", result="in-progress")])),
        "cut short", {"reason": "cycle_failed"},
    ),
    "a run failed": (
        {}, observed(state(62), idle=61, seen=12, request=OURS, history=history(61, [run(11, result="no-start-connection"), *cycle(11)[1:]])),
        "failed", {"reason": "connector_unreachable"},
    ),
    "a run failed, and results do not count": (
        {"fail_on": "never"},
        observed(state(62), idle=61, seen=12, request=OURS, history=history(61, [run(11, result="no-start-connection"), *cycle(11)[1:]])),
        "failed", {"reason": None},
    ),
    "accepted and running": ({}, observed(ACTIVE, seen=12, request=OURS), "follow", {}),
    "accepted and running, without waiting": ({"wait": False}, observed(ACTIVE, seen=12, request=OURS), "not waiting", {"reason": None}),
    "accepted, and nothing seen yet": ({}, observed(state(12), idle=9, request=OURS), "confirm", {}),
    "accepted, ended, not read": (
        {}, observed(IDLE, seen=12, request=OURS, history=history(60, None, local=True), local_helps=True), "read", {},
    ),
    "accepted, ended, and no time to read": (
        {}, observed(IDLE, seen=12, request=OURS, history=history(60, None, local=True), local_helps=True, time_left=2.0), "no time to read",
        {"reason": "wait_timeout"},
    ),
    "accepted, cut short, just now": ({}, observed(state(62), idle=60, seen=12, request=OURS, history=history(61, cycle(11, steps=2))), "settle", {}),
    "accepted, cut short": (
        {}, observed(state(66), idle=60, seen=12, request=OURS, history=history(66, cycle(11, steps=2))), "cut short", {"reason": "cycle_failed"},
    ),
    "accepted, cut short, read before the rest": (
        {}, observed(state(66), idle=60, seen=12, request=OURS, history=history(60, cycle(11, steps=2)), local_helps=True), "read again", {},
    ),
    "accepted, and a run goes on": (
        {}, observed(state(66), idle=60, seen=12, request=OURS, history=history(66, [*cycle(11, steps=4), run(55, "export", False, result="in-progress")])),
        "settle", {},
    ),
    "accepted, and nothing came of it": (
        {}, observed(state(40), idle=9, request=OURS, history=history(40, cycle(-100))), "nothing began", {"reason": "not_confirmed"},
    ),
    "accepted, nothing came of it, and the next start moved": (
        {}, observed(state(40), idle=9, request=MOVED, history=history(40, [])), "nothing began", {"reason": "not_confirmed"},
    ),
    "accepted, seen, and the runs cannot be read": (
        {}, observed(state(64), idle=60, seen=12, request=OURS, history=history(64, None)), "unreadable", {"reason": None},
    ),
    "the same, and an event tells of a failure": (
        {}, observed(state(64), idle=60, seen=12, request=OURS, history=history(64, None, events=EVENTS)), "unreadable", {"reason": None, "warned": "109"},
    ),
    "the same, just now": ({}, observed(state(61), idle=60, seen=12, request=OURS, history=history(61, None)), "settle", {}),
    "accepted, not seen, the next start moved, unreadable": (
        {}, observed(state(40), idle=9, request=MOVED, history=history(40, None)), "unreadable", {"reason": None, "warned": "moves for other reasons"},
    ),
    "accepted, not seen, unreadable": (
        {}, observed(state(40), idle=9, request=OURS, history=history(40, None)), "unreadable", {"reason": "not_confirmed"},
    ),
    "accepted, and the time is over": ({}, observed(ACTIVE, seen=12, request=OURS, time_left=0.0), "time over", {"reason": "wait_timeout"}),
    "accepted, nothing seen, and the time is over": ({}, observed(IDLE, request=OURS, time_left=0.0), "time over", {"reason": "not_confirmed"}),
    "accepted, and the server does not answer": ({}, observed(IDLE, request=OURS, trouble=Trouble(BROKEN, 5.0)), "trouble", {"pause": 3.0}),
    "accepted, and it still does not": ({}, observed(IDLE, request=OURS, trouble=Trouble(BROKEN, 61.0)), "trouble", {"reason": "unreachable"}),
    "accepted, and answers make no sense": (
        {}, observed(IDLE, request=OURS, trouble=Trouble(AnswerError("x"), 61.0)), "trouble", {"reason": "engine_error"},
    ),
    # -- the answer to our start was lost
    "lost, and nothing is known": ({}, observed(state(12), idle=9, request=LOST_START), "confirm", {}),
    "lost, and it was carried out": ({}, observed(state(80), idle=61, request=LOST_START, history=history(62, cycle(11))), "proven", {"reason": None}),
    "lost, and nothing began": ({}, observed(state(40), idle=9, request=LOST_START, history=history(40, [])), "nothing began", {"reason": "not_confirmed"}),
    "lost, running, without waiting": ({"wait": False}, observed(ACTIVE, seen=12, request=LOST_START), "not waiting", {"reason": None}),
    # -- somebody else's cycle is awaited
    "awaited, running": ({}, observed(ACTIVE, awaited=at(0), history=history(30, cycle(0, steps=2))), "follow", {}),
    "awaited, and it has covered it": ({}, observed(IDLE, awaited=at(0), history=history(60, cycle(0))), "proven", {"reason": None}),
    "awaited, and it was cut short": (
        {}, observed(state(66), idle=60, awaited=at(0), history=history(66, cycle(0, steps=4))), "cut short", {"reason": "cycle_failed"},
    ),
    "awaited, and it can no longer be read": ({}, observed(IDLE, awaited=at(0), history=history(60, None)), "start", {}),
    "awaited, and the time is over": ({}, observed(ACTIVE, awaited=at(0), time_left=0.0), "time over", {"reason": "busy_timeout"}),
    # -- an engine without a flag for cycles
    "no flag, between two steps": (
        {}, observed(state(62, None), idle=61, seen=12, request=OURS, history=history(62, cycle(11))), "settle", {},
    ),
    "no flag, at rest since a moment, and a run has ended just before": (
        {}, observed(state(62, None), idle=61, history=history(62, cycle(25, steps=4))), "between steps", {},
    ),
    "no flag, at rest since a moment, and nothing can be read": ({}, observed(state(62, None), idle=61), "between steps", {}),
    "no flag, at rest since a moment, and nothing ran for long": (
        {}, observed(state(162, None), idle=161, history=history(162, cycle(-60))), "start", {},
    ),
    "no flag, runs of unknown kinds": (
        {}, observed(state(67, None), idle=61, seen=12, request=OURS, history=history(67, [run(11, "other"), run(20, "other", False)])),
        "plan unknown", {"reason": None, "warned": "is not known"},
    ),
    "no flag, runs of unknown kinds, one was stopped": (
        {}, observed(state(67, None), idle=61, seen=12, request=OURS, history=history(67, [run(11, "other", result="stopped-server-down")])),
        "plan unknown", {"reason": "connector_unreachable"},
    ),
    "staging cannot be read, and nothing was exported": (
        {}, observed(state(67, None, staging=None), idle=61, seen=12, request=OURS, history=history(67, cycle(11, steps=4))),
        "cut short", {"reason": "cycle_failed", "remedy": "Look whether this server is in staging mode, where nothing is exported: it cannot be read here."},
    ),
    "no flag, after a rest": ({}, observed(state(67, None), idle=61, seen=12, request=OURS, history=history(67, cycle(11))), "proven", {"reason": None}),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_row(name: str) -> None:
    wanted, seen, row, expected = TABLE[name]
    options = {key: value for key, value in wanted.items() if key != "since"}
    goal = desired(wanted.get("since", 0), **options)
    assert row_of(goal, seen).name == row
    action = decide(goal, seen)
    for key, value in expected.items():
        if key == "warned":
            assert isinstance(action, Stop)
            assert any(value in warning for warning in action.warnings)
        else:
            assert getattr(action, key) == value


def test_every_row_has_a_case() -> None:
    assert {row for _wanted, _seen, row, _expected in TABLE.values()} == {row.name for row in ROWS}


def test_what_was_sent_comes_first() -> None:
    accepted = decide(desired(), observed(IDLE, request=OURS, trouble=Trouble(BROKEN, 61.0)))
    lost = decide(desired(), observed(IDLE, request=LOST_START, time_left=0.0))
    assert isinstance(accepted, Stop)
    assert accepted.sentence.startswith("The engine accepted the start. ")
    assert isinstance(lost, Stop)
    assert lost.sentence.startswith("A start was sent, and its answer was lost")


def test_a_start_is_decided_upon_only_where_nothing_can_have_come_of_an_earlier_one() -> None:
    for wanted, seen, _row, _expected in TABLE.values():
        options = {key: value for key, value in wanted.items() if key != "since"}
        action = decide(desired(wanted.get("since", 0), **options), seen)
        if isinstance(action, Start):
            assert seen.request is None or not seen.request.counts
            assert not seen.state.active


def test_finished_is_said_of_what_was_seen_to_end() -> None:
    seen = observed(state(64), idle=60, seen=12, request=OURS, history=history(64, None))
    assert prove(desired(), seen).state == "finished"
    assert prove(desired(), observed(state(40), idle=9, request=MOVED, history=history(40, None))).state == "confirmed"


def test_actions_are_a_few() -> None:
    for wanted, seen, _row, _expected in TABLE.values():
        options = {key: value for key, value in wanted.items() if key != "since"}
        assert isinstance(decide(desired(wanted.get("since", 0), **options), seen), (Look, ReadHistory, Start, Stop))


def test_a_history_that_was_read_before_the_start_shows_nothing_of_it() -> None:
    seen = observed(state(40), idle=-60, request=OURS, history=history(9, cycle(-300)), local_helps=True)
    assert row_of(desired(), seen).name == "read"
    lost = after_lost_start(observed(state(8), idle=-60, history=history(9, [])), "The connection ended.", None)
    assert lost.request is not None
    assert lost.request.at == at(9), "it was sent after the newest thing that is known"


def test_looks_bring_a_history_that_reaches_back_far_enough() -> None:
    """A cycle that ends while the task waits for rest is judged as a whole, and counts for the interval guard."""
    busy = decide(desired(-600, min_interval=1800), observed(ACTIVE, probe=probe(0)))
    assert isinstance(busy, Look)
    assert busy.since is not None
    assert busy.since <= at(-1800)
    ours = decide(desired(-600), observed(ACTIVE, seen=12, request=OURS))
    assert isinstance(ours, Look)
    assert ours.since is not None
    assert at(5) < ours.since < at(10)


def test_a_lost_start_covers_what_began_after_the_watermark_only() -> None:
    """Between the last look and the moment at which it was sent somebody else may have started one."""
    seen = observed(state(80), idle=61, request=LOST_START, history=history(62, cycle(11)))
    assert prove(desired(11), seen).covers
    assert not prove(desired(12), seen).covers
    accepted = observed(state(80), idle=61, request=OURS, history=history(62, cycle(11)))
    assert prove(desired(12), accepted).covers, "the engine accepted it when the watermark had passed, whatever its clock says"
