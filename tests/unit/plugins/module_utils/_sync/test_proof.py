# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The proof: taking evidence away never raises it, a failure never raises it, verified needs everything."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from sync_cases import CONNECTORS, ORDER, at, desired, history, observed, request, run, state

from ansible_collections.hybrid.identity.plugins.module_utils._engines._contract import Run
from ansible_collections.hybrid.identity.plugins.module_utils._sync._actions import Stop
from ansible_collections.hybrid.identity.plugins.module_utils._sync._cycles import is_over
from ansible_collections.hybrid.identity.plugins.module_utils._sync._decide import decide
from ansible_collections.hybrid.identity.plugins.module_utils._sync._desired import DesiredCycle
from ansible_collections.hybrid.identity.plugins.module_utils._sync._observed import ACCEPTED, LOST, REFUSED, Observed
from ansible_collections.hybrid.identity.plugins.module_utils._sync._proof import LADDER, prove

RESULTS = ["success", "success", "success", "completed-export-errors", "stopped-server", "no-start-connection", "in-progress"]
STEPS = st.tuples(st.integers(-60, 120), st.sampled_from(ORDER), st.sampled_from(RESULTS), st.booleans())


def _whole(begin: int, full: bool) -> list[Run]:
    return [run(begin + 6 * n, kind, directory, seconds=5, full=full) for n, (kind, directory) in enumerate(ORDER)]


RUNS = st.one_of(
    st.lists(STEPS.map(lambda one: run(one[0], one[1][0], one[1][1], one[2], seconds=4, full=one[3])), max_size=10),
    st.tuples(st.integers(-30, 60), st.booleans(), st.sets(st.integers(0, 5), max_size=2)).map(
        lambda made: [one for number, one in enumerate(_whole(made[0], made[1])) if number not in made[2]]
    ),
)


@st.composite
def observations(draw: st.DrawFn) -> Observed:
    """Anything that a task may have seen by the second 120."""
    look = state(120, draw(st.sampled_from([False, False, True, None])), next_start=draw(st.sampled_from(["one", "two"])))
    answer = draw(st.sampled_from([None, ACCEPTED, LOST, REFUSED]))
    read = draw(st.sampled_from([None, 100, 115, 120]))
    return observed(
        look,
        idle=None if look.active else draw(st.sampled_from([60, 100, 112, 119])),
        active=100 if look.active else None,
        seen=draw(st.sampled_from([None, 12])),
        request=None if answer is None else request(draw(st.sampled_from([0, 10])), answer),
        history=None if read is None else history(read, draw(st.one_of(st.none(), RUNS))),
        connectors=draw(st.sampled_from([CONNECTORS, ()])),
        time_left=draw(st.sampled_from([0.0, 50.0])),
        local_helps=draw(st.booleans()),
        awaited=draw(st.sampled_from([None, None, at(0)])) if answer is None else None,
    )


GOALS = st.builds(
    lambda since, full, wait: desired(since, full=full, wait=wait), st.sampled_from([-40, 0, 5]), st.booleans(), st.booleans()
)


def height(goal: DesiredCycle, seen: Observed) -> tuple[bool, int]:
    """How much is claimed: that it has been carried, and the rung."""
    proof = prove(goal, seen)
    return proof.covers, LADDER.index(proof.state)


def _less(seen: Observed, which: int) -> list[Observed]:
    """The same with one piece of evidence less."""
    poorer = [replace(seen, cycle_seen=None), replace(seen, connectors=())]
    if seen.history is not None:
        if seen.history.runs:
            runs = list(seen.history.runs)
            gone = runs.pop(which % len(runs))
            if is_over(gone) and gone.result in ("success", "completed-export-errors"):
                poorer.append(replace(seen, history=replace(seen.history, runs=tuple(runs))))
        if seen.request is None:
            poorer += [replace(seen, history=None), replace(seen, history=replace(seen.history, runs=None))]
    return poorer


@settings(max_examples=1500, deadline=None)
@given(goal=GOALS, seen=observations(), which=st.integers(0, 9))
def test_taking_evidence_away_never_raises_it(goal: DesiredCycle, seen: Observed, which: int) -> None:
    before = height(goal, seen)
    for poorer in _less(seen, which):
        covers, rung = height(goal, poorer)
        assert covers <= before[0]
        # A run less can show that what was taken for its own cycle is another one, which has ended; it is never verified for that.
        assert rung <= before[1] or (LADDER[rung] != "verified" and not covers)


@settings(max_examples=1500, deadline=None)
@given(goal=GOALS, seen=observations(), which=st.integers(0, 9))
def test_a_failure_never_raises_it(goal: DesiredCycle, seen: Observed, which: int) -> None:
    if seen.history is None or not seen.history.runs:
        return
    runs = list(seen.history.runs)
    runs[which % len(runs)] = replace(runs[which % len(runs)], result="stopped-server")
    worse = replace(seen, history=replace(seen.history, runs=tuple(runs)))
    assert height(goal, worse)[0] <= height(goal, seen)[0]


@settings(max_examples=2000, deadline=None)
@given(goal=GOALS, seen=observations())
def test_verified_needs_every_run_of_the_cycle_ended_and_of_the_right_kind(goal: DesiredCycle, seen: Observed) -> None:
    proof = prove(goal, seen)
    if proof.state != "verified":
        return
    assert proof.cycle is not None
    assert all(is_over(one) for one in proof.cycle.runs)
    there = {
        (one.kind, one.on_directory)
        for one in proof.cycle.runs
        if one.full or not goal.full or one.kind == "export" or not one.on_directory
    }
    assert there >= set(ORDER)
    assert seen.connectors
    if seen.request is None:
        assert min(one.started for one in proof.cycle.runs if one.kind == "import" and one.on_directory) >= goal.since or not proof.covers


@settings(max_examples=2000, deadline=None)
@given(goal=GOALS, seen=observations())
def test_a_success_that_says_carried_is_covered(goal: DesiredCycle, seen: Observed) -> None:
    action = decide(goal, seen)
    if not isinstance(action, Stop) or action.reason is not None:
        return
    proof = prove(goal, seen)
    requested = seen.request is not None and seen.request.counts
    if not requested:
        assert proof.covers or proof.running_cover is not None
    elif proof.state in ("finished", "verified") and seen.history is not None and seen.history.runs is not None:
        assert proof.covers
    assert proof.state is not None
