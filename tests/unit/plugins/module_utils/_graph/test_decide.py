# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The decisions on one person as tables: what was seen and written -> what comes next, or how the person ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Optional

import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._graph._answers import Answer
from ansible_collections.hybrid.identity.plugins.module_utils._graph._decide import (
    Step,
    Terms,
    close,
    could_not_look,
    looked,
    next_step,
    pause_before,
    writes,
    wrote,
)
from ansible_collections.hybrid.identity.plugins.module_utils._graph._failures import GraphFailure, invalid_answer
from ansible_collections.hybrid.identity.plugins.module_utils._graph._people import Person
from ansible_collections.hybrid.identity.plugins.module_utils._graph._users import CloudUser

SKU = "05e9a617-0261-4cee-bb44-138d3ef5d965"
THERE = CloudUser("id-1", "anna@lab.example", "2026-11-24T09:00:00Z", "", frozenset(), "AA==", True, "", "anna@lab.example", ())
LICENSED = replace(THERE, skus=frozenset({SKU}), usage_location="DE")
TERMS = Terms()
OK, LAG = Answer(200, {}), Answer(404, {"error": {"code": "Request_ResourceNotFound"}})
BUSY = Answer(429, {}, {"Retry-After": "7"})
NO_LOCATION = Answer(400, {"error": {"code": "Request_BadRequest", "message": "... with invalid usage location."}})
NO_SEAT = Answer(400, {"error": {"code": "Request_BadRequest", "message": "... any available licenses."}})
SKIPPED = Answer(424, {"error": {"code": "FailedDependency"}})
LOST = Answer(0, {}, fault=invalid_answer("x", "y"))


def anna(**changes: Any) -> Person:
    """Somebody who is to have a location and a licence."""
    return replace(Person("anna@lab.example", "AA==", "DE", {SKU: "SPE_E3"}), **changes)


def look(person: Person, seen: Optional[CloudUser], now: float = 0.0, **options: Any) -> Person:
    """One look."""
    looked(person, seen, TERMS, now, "2026-11-24T10:00:00Z", **options)
    return person


def write(person: Person, *answers: Answer, now: float = 2.0, left: float = 800.0) -> Person:
    """The answers to what is to be written."""
    wrote(person, list(zip([what for what, _call in writes(person)], answers, strict=True)), True, now, left)
    return person


@pytest.mark.parametrize(
    ("seen", "step", "why"),
    [
        ([], Step.LOOK, "nothing is known"),
        ([None], Step.LOOK, "the filter again"),
        ([None, None], Step.LOOK_DIRECTLY, "a filter lags"),
        ([None] * 3, Step.LOOK, "the filter again"),
        ([None] * 8, Step.LOOK_DIRECTLY, "now and then"),
        ([THERE], Step.LOOK, "two looks have to agree"),
        ([THERE, None], Step.LOOK_DIRECTLY, "they do not agree"),
        ([THERE, THERE], Step.WRITE, "they agree"),
        ([None, THERE, THERE], Step.WRITE, "they agree"),
        ([LICENSED], Step.NOTHING, "nothing has to be written, so one look is enough"),
        ([replace(THERE, synced=False)] * 5, Step.LOOK, "not synchronised yet"),
        ([replace(THERE, upn="old@lab.example", on_premises_upn="old@lab.example")] * 5, Step.LOOK, "the name is not carried yet"),
        ([replace(LICENSED, conflicts=("ProxyAddress x",))], Step.LOOK, "one look makes no conflict"),
        ([replace(LICENSED, conflicts=("ProxyAddress x",))] * 2, Step.NOTHING, "a conflict"),
        ([replace(THERE, anchor="BB==")] * 2, Step.LOOK_DIRECTLY, "it is somebody else"),
    ],
)
def test_looks(seen: list[Optional[CloudUser]], step: Step, why: str) -> None:
    person = anna()
    for one in seen:
        look(person, one)
    assert next_step(person, TERMS) is step, why


def test_whom_the_filter_does_not_show_is_looked_for_directly_until_settled() -> None:
    person = look(look(look(anna(), None), None), THERE, directly=True)
    assert next_step(person, TERMS) is Step.LOOK_DIRECTLY
    assert next_step(look(person, THERE, directly=True), TERMS) is Step.WRITE


@pytest.mark.parametrize(
    ("answers", "state", "reason", "step", "changes"),
    [
        ((OK, OK), None, None, Step.LOOK, {"usage_location", "licenses"}),
        ((OK, NO_SEAT), "failed", "licence_refused", Step.NOTHING, {"usage_location"}),
        ((OK, NO_LOCATION), None, None, Step.WRITE, {"usage_location"}),
        ((OK, BUSY), None, None, Step.WRITE, {"usage_location"}),
        ((OK, LAG), None, None, Step.WRITE, {"usage_location"}),
        ((BUSY, SKIPPED), None, None, Step.WRITE, set()),
        ((LAG, SKIPPED), None, None, Step.WRITE, set()),
        ((LOST, LOST), None, None, Step.WRITE, set()),
        ((LOST, OK), None, None, Step.LOOK, {"usage_location", "licenses"}),
        ((OK, LOST), None, None, Step.WRITE, {"usage_location"}),
        ((NO_SEAT, SKIPPED), "failed", "graph_denied", Step.NOTHING, set()),
        ((Answer(403, {"error": {"code": "Authorization_RequestDenied"}}), SKIPPED), "failed", "graph_denied", Step.NOTHING, set()),
    ],
)
def test_writes(answers: tuple[Answer, ...], state: str, reason: str, step: Step, changes: set[str]) -> None:
    person = write(look(look(anna(), THERE), THERE), *answers)
    assert (person.state, person.failure_reason, next_step(person, TERMS), set(person.changes)) == (state, reason, step, changes)


def test_only_what_was_not_accepted_is_repeated_and_a_licence_never() -> None:
    person = write(look(look(anna(), THERE), THERE), OK, BUSY)
    assert [call.path for _what, call in writes(person)] == ["/users/id-1/assignLicense"]
    assert person.due == 2 + 7
    write(person, OK, now=10)
    assert writes(person) == []
    for number in range(50):
        look(person, THERE, now=float(number))
        assert next_step(person, TERMS) in (Step.LOOK, Step.LOOK_DIRECTLY)
    look(person, LICENSED)
    assert person.state == "ready"


def test_a_location_that_licensing_does_not_know_is_awaited_for_two_minutes() -> None:
    person = write(look(look(anna(), THERE), THERE), OK, NO_LOCATION)
    while person.awaited:
        write(person, NO_LOCATION, now=person.due)
    assert 100 < person.due <= 2 + 120 + 30
    assert person.failure_reason == "licence_refused" and "invalid usage location" in person.msg


@pytest.mark.parametrize(
    ("person", "state", "reason"),
    [
        (anna(), "missing", "wait_timeout"),
        (anna(looks=3, owner=replace(THERE, anchor="BB==")), "conflict", "upn_conflict"),
        (anna(looks=3, owner=replace(THERE, anchor="", synced=False)), "missing", "wait_timeout"),
        (anna(user=THERE, hits=1), "failed", "wait_timeout"),
        (anna(user=replace(THERE, conflicts=("ProxyAddress x",)), hits=1), "conflict", "upn_conflict"),
        (anna(user=THERE, hits=2, licensed=True), "failed", "not_confirmed"),
        (anna(fault=GraphFailure("unreachable", "x")), "failed", "unreachable"),
        (anna(user=THERE, hits=2, fault=GraphFailure("graph_throttled", "x")), "failed", "graph_throttled"),
        (anna(user=THERE, hits=2, licensed=True, fault=GraphFailure("graph_invalid", "x")), "failed", "graph_invalid"),
    ],
)
def test_the_end_of_the_time(person: Person, state: str, reason: str) -> None:
    close(person, TERMS)
    assert (person.state, person.failure_reason) == (state, reason)


@pytest.mark.parametrize(
    ("fault", "answered", "tries"),
    [
        (GraphFailure("graph_denied", "x"), True, 1),
        (invalid_answer("x", "y"), False, 4),
        (invalid_answer("x", "y"), True, 8),
        (GraphFailure("unreachable", "x", passing=True), False, 4),
        (GraphFailure("unreachable", "x", passing=True), True, 50),
    ],
)
def test_how_often_a_fault_is_outlasted(fault: GraphFailure, answered: bool, tries: int) -> None:
    person, done = anna(), 0
    while person.awaited and done < 50:
        could_not_look(person, fault, None, answered, 0.0, 1000.0)
        done += 1
    assert done == tries
    assert person.state != "missing"


def test_a_pause_that_is_longer_than_the_time_is_not_begun() -> None:
    person = anna()
    could_not_look(person, GraphFailure("graph_throttled", "x", passing=True), BUSY, True, 0.0, 5.0)
    assert (person.state, person.failure_reason) == ("failed", "graph_throttled")


def test_pauses() -> None:
    pauses = [pause_before(number, TERMS) for number in range(1, 10)]
    assert pauses[0] == 1 and pauses == sorted(pauses) and pauses[-1] == 5
    assert pause_before(1, Terms(longest_pause=0.2)) == 0.2
