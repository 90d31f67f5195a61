# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Single objects: what follows from what was seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sync_cases import at, desired, probe, state

from ansible_collections.hybrid.identity.plugins.module_utils._engines._object_contract import ObjectOutcome, ObjectsDone
from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._remote._clock import ClockLead
from ansible_collections.hybrid.identity.plugins.module_utils._sync._actions import Stop
from ansible_collections.hybrid.identity.plugins.module_utils._sync._objects_decide import (
    LookAgain,
    ObjectsSeen,
    Pause,
    Send,
    after_work,
    decide_objects,
)

IDLE, ACTIVE = state(60), state(60, True)
AMY, BEN = "CN=Amy,DC=x", "CN=Ben,DC=x"
WELL, BAD = ObjectOutcome(AMY, "success"), ObjectOutcome(BEN, "failure", reason="object_errors", words="words")


def _seen(**changes: Any) -> ObjectsSeen:
    return replace(ObjectsSeen(probe(), IDLE, ClockLead(0.0, 0.0), 600.0, (AMY, BEN)), **changes)


TABLE: dict[str, tuple[dict[str, Any], ObjectsSeen, Any]] = {
    "an idle engine": ({}, _seen(), Send((AMY, BEN), 570.0)),
    "of a short time a part is kept": ({}, _seen(time_left=20.0), Send((AMY, BEN), 5.0)),
    "something runs": ({}, _seen(state=ACTIVE), LookAgain),
    "something runs, and the time is over": ({}, _seen(state=ACTIVE, time_left=1.0), "busy_timeout"),
    "a part was not begun in time": ({}, _seen(waiting=(BEN,), outcomes=(WELL,), time_left=1.0), "wait_timeout"),
    "staging": ({"on_staging": "proceed"}, _seen(state=replace(IDLE, staging=True)), "staging"),
    "staging is passed over": ({"on_staging": "skip"}, _seen(state=replace(IDLE, staging=True)), None),
    "suspended": ({}, _seen(state=replace(IDLE, suspended=True)), "scheduler_suspended"),
    "the scheduler is off": ({}, _seen(state=replace(IDLE, enabled=False)), "scheduler_disabled"),
    "the scheduler is off, and that is known": ({"on_disabled": "proceed"}, _seen(state=replace(IDLE, enabled=False)), Send((AMY, BEN), 570.0)),
    "check mode": ({"check_mode": True}, _seen(), None),
    "throttled, with time": ({}, _seen(throttled=True), Pause(300.0)),
    "throttled, without": ({}, _seen(throttled=True, time_left=300.0), "too_soon"),
    "lost": ({}, _seen(waiting=(), unknown=(AMY, BEN), lost="words"), "not_confirmed"),
    "lost, and the scheduler may be off": ({}, _seen(waiting=(), lost="words", left_off="It may be off."), "not_confirmed"),
    "done, and the scheduler stays off": ({}, _seen(waiting=(), outcomes=(WELL,), left_off="It is off."), "scheduler_disabled"),
    "nothing more can be done": ({}, _seen(failure=HybridIdentityError("module_missing", "words")), "module_missing"),
    "nobody took it": ({}, _seen(idle_tries=3), "start_rejected"),
    "all well": ({}, _seen(waiting=(), outcomes=(WELL,)), None),
    "one failed": ({}, _seen(waiting=(), outcomes=(WELL, BAD)), "object_errors"),
    "failures are only told": ({"fail_on": "never"}, _seen(waiting=(), outcomes=(WELL, BAD)), None),
    "failures of two kinds": ({}, _seen(waiting=(), outcomes=(replace(BAD, reason="user_not_in_scope"), BAD)), "object_errors"),
    "failures of one kind": ({}, _seen(waiting=(), outcomes=(replace(BAD, reason="user_not_in_scope"),)), "user_not_in_scope"),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_what_follows(name: str) -> None:
    wanted, seen, follows = TABLE[name]
    action = decide_objects(desired(**wanted), seen, pause=300.0)
    if isinstance(follows, type):
        assert isinstance(action, follows)
    elif isinstance(follows, (Send, Pause)):
        assert action == follows
    else:
        assert isinstance(action, Stop)
        assert action.reason == follows
        assert (action.skip_reason == "staging") == (name == "staging is passed over")


def test_what_was_throttled_waits_on_and_what_was_not_told_too() -> None:
    throttled = replace(BAD, reason="too_soon", throttled=True)
    seen = after_work(_seen(), ObjectsDone(at(61), IDLE, IDLE, (WELL, throttled)))
    assert (seen.waiting, seen.outcomes, seen.throttled, seen.requested, seen.idle_tries) == ((BEN,), (WELL,), True, at(61), 0)
    seen = after_work(seen, ObjectsDone(at(70), IDLE, IDLE, ()))
    assert (seen.waiting, seen.requested, seen.idle_tries, seen.throttled) == ((BEN,), at(61), 1, False)
    stranger = ObjectOutcome("CN=Somebody,DC=x", "success")
    assert after_work(seen, ObjectsDone(at(80), IDLE, IDLE, (stranger,))).waiting == (BEN,), (
        "an answer on what was not asked proves nothing"
    )
