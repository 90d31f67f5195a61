# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The verdicts and the forms of the report."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._report import FIELDS, as_csv, as_json, as_screen
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._verdict import judge_people, summarise

PERSON = {"display_name": "Anna Huber", "upn": "anna@lab.example"}
ACCOUNT = {"upn": "ANNA@lab.example", "action": "created"}
SYNC = {"changed": True, "sync": {"state": "verified"}, "msg": "carried"}
READY = {
    "upn": "anna@lab.example",
    "id": "1",
    "state": "ready",
    "licenses": ["E3"],
    "changes": {"licenses": {"before": [], "after": ["E3"]}},
    "arrived_at": "2026-11-24T09:31:10Z",
}
MISSING = {
    **READY,
    "id": None,
    "state": "missing",
    "changes": {},
    "failure_reason": "wait_timeout",
    "msg": "not there.",
    "arrived_at": None,
}


def verdict(
    account: dict[str, Any] | None, sync: dict[str, Any] | None, user: dict[str, Any] | None, check_mode: bool = False
) -> dict[str, Any]:
    """The verdict on one person."""
    (one,) = judge_people([PERSON], [account] if account else [], sync or {}, [user] if user else [], check_mode)
    return one


def stages(one: dict[str, Any]) -> tuple[str, ...]:
    """The words of the stages."""
    return tuple(one[name] for name in ("account", "sync", "cloud", "licence"))


def test_arrived() -> None:
    one = verdict(ACCOUNT, SYNC, READY)
    assert stages(one) == ("created", "carried", "ready", "assigned")
    assert one["arrived"] and one["reason"] == "" and one["arrived_at"]
    assert set(one) == set(FIELDS)


def test_second_run() -> None:
    one = verdict({**ACCOUNT, "action": "unchanged"}, {"changed": False}, {**READY, "changes": {}})
    assert stages(one) == ("unchanged", "covered", "ready", "held")


@pytest.mark.parametrize(
    ("account", "sync", "user", "words", "reason"),
    [
        (None, None, None, ("not reached",) * 4, "the account: not reached"),
        ({"upn": "anna@lab.example", "action": "failed", "failure_reason": "invalid_input", "msg": "no such group"}, None, None,
         ("failed", "not reached", "not reached", "not reached"), "no such group"),
        (ACCOUNT, {"failed": True, "failure_reason": "staging", "msg": "staging mode"}, None,
         ("created", "failed", "not reached", "not reached"), "staging mode"),
        (ACCOUNT, SYNC, MISSING, ("created", "carried", "missing", "missing"), "not there."),
        (ACCOUNT, SYNC, {**READY, "state": "failed", "changes": {}, "failure_reason": "graph_denied", "msg": "no seat"},
         ("created", "carried", "failed", "missing"), "no seat"),
    ],
)  # fmt: skip
def test_the_first_stage_that_is_missing_gives_the_reason(account: Any, sync: Any, user: Any, words: tuple[str, ...], reason: str) -> None:
    one = verdict(account, sync, user)
    assert (stages(one), one["reason"], one["arrived"]) == (words, reason, False)


def test_in_entra_although_the_synchronisation_had_errors() -> None:
    one = verdict(ACCOUNT, {"failed": True, "failure_reason": "object_errors", "msg": "others"}, READY)
    assert one["arrived"] and one["failure_reason"] is None


@pytest.mark.parametrize(
    ("account", "sync", "user", "check_mode", "words", "arrived"),
    [
        ({**ACCOUNT, "action": "failed"}, SYNC, READY, False, ("failed", "not reached", "ready", "assigned"), False),
        (ACCOUNT, {"skipped": True}, None, False, ("created", "not reached", "not reached", "not reached"), False),
        (ACCOUNT, SYNC, {**READY, "state": "failed"}, False, ("created", "carried", "failed", "missing"), False),
        (ACCOUNT, SYNC, {**MISSING, "failure_reason": None}, False, ("created", "carried", "missing", "missing"), False),
        (ACCOUNT, SYNC, MISSING, True, ("created", "predicted", "missing", "missing"), False),
        (ACCOUNT, SYNC, READY, True, ("created", "predicted", "ready", "assigned"), True),
    ],
)
def test_words_of_the_stages(account: Any, sync: Any, user: Any, check_mode: bool, words: tuple[str, ...], arrived: bool) -> None:
    one = verdict(account, sync, user, check_mode)
    assert (stages(one), one["arrived"]) == (words, arrived)


def test_everybody_gets_the_verdict_of_their_own() -> None:
    people = [PERSON, {"upn": "ben@lab.example"}, {"upn": "cleo@lab.example"}]
    accounts = [{**ACCOUNT, "upn": "ben@lab.example", "action": "failed", "msg": "refused"}, ACCOUNT]
    anna, ben, cleo = judge_people(people, accounts, SYNC, [{**MISSING, "upn": "cleo@lab.example"}, READY])
    assert (anna["arrived"], anna["account"]) == (True, "created")
    assert (ben["arrived"], ben["reason"], ben["person"]) == (False, "refused", "ben@lab.example")
    assert (cleo["account"], cleo["cloud"]) == ("not reached", "missing")


def test_no_licence_wanted() -> None:
    assert verdict(ACCOUNT, SYNC, {**READY, "licenses": [], "changes": {}})["licence"] == "none"


def test_check_mode_expects() -> None:
    one = verdict(ACCOUNT, SYNC, {**MISSING, "failure_reason": None, "msg": "x"}, check_mode=True)
    assert stages(one) == ("created", "predicted", "expected", "expected")
    assert one["reason"] == "not there yet"


def test_summary() -> None:
    assert summarise([verdict(ACCOUNT, SYNC, READY), verdict(ACCOUNT, SYNC, MISSING)]) == {
        "people": 2,
        "arrived": 1,
        "missing": 1,
        "created": 2,
    }


def test_screen_is_aligned_and_harmless() -> None:
    people = [{**verdict(ACCOUNT, SYNC, READY), "person": name} for name in ("美咲", "Anna\x1b[31m\u202e", "x" * 200)]
    lines = as_screen(people)
    assert len(lines) == 5
    assert not any("\x1b" in line or "\u202e" in line for line in lines)
    assert "美咲" + " " * 28 + "anna@lab.example" in lines[2]  # two columns for each wide character
    assert "x" * 27 + "...  anna@lab.example" in lines[4]
    assert lines[2].endswith("assigned  2026-11-24T09:31:10Z")
    late = as_screen([verdict(ACCOUNT, SYNC, {**MISSING, "arrived_at": "2026-11-24T09:31:10Z"})])[2]
    assert re.search(r"missing +missing +- +not there\.$", late), "whoever has not arrived has no time of arrival"


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_csv_has_no_formulas(name: str) -> None:
    text = as_csv([{**verdict(ACCOUNT, SYNC, READY), "person": name}])
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert rows[1][0] == f"'{name}"


def test_csv_keeps_names() -> None:
    name = 'Joanna "Jo", O\'Neill; $(x) ü'
    rows = list(csv.DictReader(io.StringIO(as_csv([{**verdict(ACCOUNT, SYNC, READY), "person": name}]).removeprefix("\ufeff"), newline="")))
    assert (rows[0]["person"], rows[0]["arrived"]) == (name, "yes")


def test_json_has_only_the_fields() -> None:
    report = json.loads(as_json({"summary": {}, "people": [{**verdict(ACCOUNT, SYNC, READY), "password": "hidden"}]}))
    assert set(report["people"][0]) == set(FIELDS)
