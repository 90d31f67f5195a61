# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The verdicts and the forms of the report."""

from __future__ import annotations

import csv
import io
import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._password_stage import PasswordLook
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._report import FIELDS, as_csv, as_json, as_screen
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._run import both_clocks, describe_run, local_text
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._verdict import WORDS, judge_people, summarise

REMEDY = HybridIdentityError("staging", "").remedy
PERSON = {"display_name": "Anna Huber", "upn": "anna@lab.example"}
ACCOUNT = {"upn": "ANNA@lab.example", "action": "created"}
CYCLE = {"type": "delta", "ownership": "own", "state": "verified", "finished_at": "2026-11-24T09:31:00.000Z"}
SYNC = {
    "changed": True,
    "sync": CYCLE,
    "evidence": ["scheduler", "events"],
    "server": "sync1",
    "engine": "connect",
    "version": "2.6",
    "msg": "x",
}
PREDICTED = {"changed": True, "sync": {"ownership": None}}
RUN = describe_run(
    {"domain_controller": "dc1", "watermark": "2026-11-24T09:30:04.000Z"},
    SYNC,
    {},
    started_at="2026-11-24T09:30:00Z",
    written_at="2026-11-24T09:32:00Z",
    check_mode=False,
)
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


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine lives by UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def verdict(
    account: dict[str, Any] | None,
    sync: dict[str, Any] | None,
    user: dict[str, Any] | None,
    check_mode: bool = False,
    failure: dict[str, Any] | None = None,
    **person: Any,
) -> dict[str, Any]:
    """The verdict on one person."""
    people = [{**PERSON, **person}]
    (one,) = judge_people(people, [account] if account else [], sync or {}, [user] if user else [], check_mode, failure)
    return one


def screen(*people: dict[str, Any], **report: Any) -> list[str]:
    """The lines for these verdicts."""
    return as_screen({"run": RUN, "faults": [], "people": people, **report})


def stages(one: dict[str, Any]) -> tuple[str, ...]:
    """The words of the stages."""
    return tuple(one[name] for name in ("account", "sync", "cloud", "licence"))


def test_arrived() -> None:
    one = verdict(ACCOUNT, SYNC, READY)
    assert stages(one) == ("created", "carried", "ready", "assigned")
    assert one["arrived"] and one["reason"] == "" and one["arrived_at"]
    assert {*one, "arrived_at_local"} == set(FIELDS)


def test_second_run() -> None:
    one = verdict({**ACCOUNT, "action": "unchanged"}, {**SYNC, "changed": False}, {**READY, "changes": {}})
    assert stages(one) == ("unchanged", "covered", "ready", "held")


@pytest.mark.parametrize(
    ("account", "sync", "user", "words", "reason"),
    [
        (None, None, None, ("not reached",) * 4, "the account: not reached"),
        ({"upn": "anna@lab.example", "action": "failed", "failure_reason": "invalid_input", "msg": "no such group"}, None, None,
         ("failed", "not reached", "not reached", "not reached"), "no such group"),
        (ACCOUNT, {"failed": True, "failure_reason": "staging", "msg": "staging mode"}, None,
         ("created", "failed", "not reached", "not reached"), "staging mode"),
        (ACCOUNT, SYNC, MISSING, ("created", "cycle ran", "missing", "missing"), "not there."),
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
        (ACCOUNT, SYNC, {**MISSING, "failure_reason": None}, False, ("created", "cycle ran", "missing", "missing"), False),
        (ACCOUNT, {**SYNC, "changed": False}, MISSING, False, ("created", "cycle ran", "missing", "missing"), False),
        (ACCOUNT, PREDICTED, MISSING, True, ("to create", "predicted", "missing", "missing"), False),
        ({**ACCOUNT, "action": "corrected"}, PREDICTED, READY, True, ("to correct", "predicted", "ready", "assigned"), True),
        ({**ACCOUNT, "action": "repaired"}, {**SYNC, "changed": False}, READY, True, ("to repair", "covered", "ready", "assigned"), True),
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
    one = verdict(ACCOUNT, PREDICTED, {**MISSING, "failure_reason": None, "msg": "x"}, check_mode=True)
    assert stages(one) == ("to create", "predicted", "expected", "expected")
    assert one["reason"] == "not there yet"


def test_every_word_has_a_meaning() -> None:
    for one in (verdict(ACCOUNT, SYNC, READY), verdict(ACCOUNT, PREDICTED, MISSING, True), verdict(None, None, None)):
        assert set(stages(one)) <= set(WORDS)


def test_a_disabled_account_has_not_arrived() -> None:
    for one in (verdict({**ACCOUNT, "enabled": False}, SYNC, READY), verdict(ACCOUNT, SYNC, {**READY, "enabled": False})):
        assert not one["arrived"] and "disabled" in one["reason"] and "Enable it" in one["what_to_do"]


def test_a_refused_row_is_refused_whatever_the_looks_predicted() -> None:
    own = {"failure_reason": "invalid_input", "msg": "row 3: no such group."}
    one = verdict(ACCOUNT, SYNC, READY, refused=own)
    assert stages(one) == ("refused", "not reached", "not reached", "not reached") and not one["arrived"]
    assert (one["failure_reason"], one["reason"]) == ("invalid_input", "row 3: no such group.")
    assert summarise([one]) == {"people": 1, "arrived": 0, "missing": 1, "refused": 1, "created": 0}


def test_what_ended_the_run_is_the_reason_of_those_who_came_no_further() -> None:
    failure = {"stage": "Create", "failure_reason": "unreachable", "msg": "dc1 does not answer. Check the name."}
    one = verdict(None, None, None, failure=failure)
    assert (one["failure_reason"], one["reason"]) == ("unreachable", failure["msg"])
    assert one["what_to_do"].startswith("Check the name, the port")
    done = verdict({**ACCOUNT, "action": "failed", "failure_reason": "directory_denied", "msg": "no right"}, None, None, failure=failure)
    assert done["failure_reason"] == "directory_denied"


def test_what_to_do_is_said_once() -> None:
    one = verdict(ACCOUNT, {"failed": True, "failure_reason": "staging", "msg": f"It is staging. {REMEDY}"}, None)
    assert (one["reason"], one["what_to_do"]) == ("It is staging.", REMEDY)


ANCHOR = "AAAAAAAAAAAAAAAAAAAAAA=="
WITH_ANCHOR = {**ACCOUNT, "source_anchor": ANCHOR}
CLOSED = {"failure_reason": "events_unavailable", "msg": "The Application event log cannot be read.", "people": []}


def password(told: str | None, account: Any = WITH_ANCHOR, *, new: bool = True, required: bool = False, **result: Any) -> dict[str, Any]:
    """The verdict on somebody of whose password this was found out."""
    people = [] if told is None else [{"asked": ANCHOR, "result": told, "reason": "why" if told != "succeeded" else None}]
    look = PasswordLook({"failure_reason": None, "msg": "x", "people": people, **result}, ["ANNA@lab.example"] if new else [], required)
    (one,) = judge_people([PERSON], [account], SYNC, [READY], passwords=look)
    return one


@pytest.mark.parametrize(
    ("told", "new", "word", "arrived", "arrived_if_required"),
    [
        ("succeeded", True, "succeeded", True, True),
        ("failed", True, "failed", False, False),
        ("retrying", True, "pending", True, False),
        ("pending", True, "pending", True, False),
        ("not_seen", True, "pending", True, False),
        ("unknown", True, "unknown", True, False),
        ("not_seen", False, "unknown", True, True),
        ("unknown", False, "unknown", True, True),
        ("failed", False, "failed", False, False),
    ],
)
def test_password_of_a_person(told: str, new: bool, word: str, arrived: bool, arrived_if_required: bool) -> None:
    one = password(told, new=new)
    assert (one["password"], one["arrived"]) == (word, arrived)
    assert one["password_reason"] == ("" if told == "succeeded" else "Why.")
    strict = password(told, new=new, required=True)
    assert strict["arrived"] is arrived_if_required
    if not strict["arrived"]:
        assert (
            strict["reason"] == "Why."
            and strict["what_to_do"]
            and strict["failure_reason"] in ("password_sync_failed", "wait_timeout", "events_unavailable")
        )
    assert one["password"] in WORDS


def test_a_log_that_cannot_be_read_leaves_the_password_unknown() -> None:
    one = password(None, **CLOSED)
    assert (one["password"], one["arrived"], one["password_reason"]) == ("unknown", True, CLOSED["msg"])
    assert password(None, **CLOSED, required=True)["failure_reason"] == "events_unavailable"
    absent = judge_people([PERSON], [WITH_ANCHOR], SYNC, [MISSING], passwords=PasswordLook(CLOSED))[0]
    assert (absent["password"], absent["password_reason"]) == ("not reached", ""), (
        "nobody asks for the password of somebody who is not there"
    )
    broken = judge_people([PERSON], [WITH_ANCHOR], SYNC, [READY], passwords=PasswordLook({"module_stderr": "boom"}))[0]
    assert (broken["password"], broken["arrived"]) == ("unknown", True)


def test_nobody_asked_for_a_password() -> None:
    assert verdict(WITH_ANCHOR, SYNC, READY)["password"] == "not looked for"
    assert verdict(WITH_ANCHOR, SYNC, MISSING)["password"] == verdict(None, None, None)["password"] == "not reached"
    others = PasswordLook({"people": [{"asked": "x", "result": "succeeded"}]})
    assert judge_people([PERSON], [WITH_ANCHOR], SYNC, [READY], passwords=others)[0]["password"] == "not looked for"


def test_screen_tells_why_passwords_are_not_there_yet() -> None:
    lines = screen(password("pending"), password("succeeded"), password("failed"))
    told = lines.index("Passwords:")
    assert lines[told + 1 : told + 3] == ["  anna@lab.example", "    pending: Why."]
    assert any("password_sync_failed: Why." in line for line in lines[:told]), "whoever did not arrive stands above"


def test_an_object_that_the_engine_could_not_carry() -> None:
    error = {"dn": "CN=Anna,DC=x", "type": "AttributeValueMustBeUnique", "message": "proxyAddresses"}
    sync = {**SYNC, "runs": [{"errors": [error]}]}
    one = verdict({**ACCOUNT, "distinguished_name": "cn=anna,dc=x"}, sync, MISSING)
    assert (one["sync"], one["failure_reason"]) == ("failed", "object_errors") and "AttributeValueMustBeUnique" in one["reason"]


def test_summary() -> None:
    assert summarise([verdict(ACCOUNT, SYNC, READY), verdict(ACCOUNT, SYNC, MISSING)]) == {
        "people": 2,
        "arrived": 1,
        "missing": 1,
        "refused": 0,
        "created": 2,
    }


def test_screen_is_aligned_and_harmless() -> None:
    people = [{**verdict(ACCOUNT, SYNC, READY), "person": name} for name in ("美咲", "Anna\x1b[31m\u202e", "x" * 200)]
    lines = screen(*people)
    assert not any("\x1b" in line or "\u202e" in line for line in lines)
    table = lines[lines.index("") + 1 :]
    assert "美咲" + " " * 28 + "anna@lab.example" in table[2]  # two columns for each wide character
    assert "x" * 27 + "...  anna@lab.example" in table[4]
    assert table[2].endswith("assigned  not looked for  2026-11-24T09:31:10Z")


def test_screen_tells_the_run_itself() -> None:
    text = "\n".join(screen(verdict(ACCOUNT, SYNC, READY)))
    for words in (
        "begun 2026-11-24T09:30:00Z",
        "dc1",
        "2026-11-24T09:30:04Z",
        "sync1",
        "connect 2.6",
        "started by this run",
        "scheduler, events",
    ):
        assert words in text
    failed = describe_run(
        {}, {}, {"stage": "Look", "failure_reason": "staging", "msg": "It is\nstaging."}, started_at="", written_at="", check_mode=True
    )
    text = "\n".join(screen(run=failed))
    assert "check mode: nothing was written" in text and "Ended at: Look: staging: It is staging." in text


def test_screen_has_a_legend_of_the_words_that_occur() -> None:
    lines = screen(verdict(ACCOUNT, SYNC, MISSING))
    assert any(line.startswith("cycle ran: ") for line in lines) and not any(line.startswith("carried: ") for line in lines)


def test_screen_tells_a_reason_that_many_share_once_with_what_to_do() -> None:
    people = [{**verdict(ACCOUNT, SYNC, MISSING), "upn": f"p{number}@x"} for number in range(30)]
    lines = screen(*people)
    assert sum("wait_timeout: not there. Check that the account is in the scope" in line for line in lines) == 1
    assert any("p0@x, p1@x" in line and "and 20 more" in line for line in lines)


def test_screen_tells_every_fault() -> None:
    refused = verdict(None, None, None, refused={"failure_reason": "invalid_input", "msg": "row 3: x."})
    lines = screen(refused, faults=[{"msg": "row 3: x."}, {"msg": "row 3: y."}])
    assert "What is wrong (2):" in lines and "  row 3: y." in lines
    assert "Not arrived:" not in lines


def test_the_clock_on_the_wall_stands_beside_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin" if os.path.exists("/usr/share/zoneinfo/Europe/Berlin") else "CET-1")
    time.tzset()
    assert both_clocks("2026-11-24T17:24:27Z") == "2026-11-24T17:24:27Z (18:24:27 CET)"
    assert both_clocks("2026-11-24T23:24:27.120Z") == "2026-11-24T23:24:27Z (2026-11-25 00:24:27 CET)"
    assert local_text("2026-11-24T17:24:27Z") == "2026-11-24T18:24:27+01:00"
    assert (both_clocks("nonsense"), local_text("nonsense"), local_text(None)) == ("nonsense", None, None)


def cells(text: str, delimiter: str = ",") -> list[list[str]]:
    """A CSV text as rows."""
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=delimiter))


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "＝1+1", "＋1", "－1", "＠x", "﹦1", "−1"])
def test_csv_has_no_formulas(name: str) -> None:
    for text in (name, f"  {name}", f"\u00a0{name}"):
        row = cells(as_csv([{**verdict(ACCOUNT, SYNC, READY), "person": text}]))[1]
        assert row[1].lstrip() == f"'{text}".lstrip() or row[1] == f"'{text}"


@pytest.mark.parametrize("lead", ["\t", "\r", "\n"])
def test_csv_has_no_formulas_behind_blanks(lead: str) -> None:
    assert cells(as_csv([{**verdict(ACCOUNT, SYNC, READY), "person": f"{lead}=1"}]))[1][1].startswith("'")


@pytest.mark.parametrize("other", [";", "\t", ",", "|"])
def test_csv_has_no_formulas_behind_the_separator_of_another_locale(other: str) -> None:
    text = as_csv([{**verdict(ACCOUNT, SYNC, READY), "person": f"Anna{other}=1+1{other} @x"}])
    assert f"{other}'=1+1{other}' @x" in text


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_every_cell_is_quoted(separator: str) -> None:
    text = as_csv([{**verdict(ACCOUNT, SYNC, READY), "person": f'a{separator}"b"'}], separator).removeprefix("\ufeff")
    assert all(line.startswith('"') and line.endswith('"') for line in text.split("\r\n") if line)
    assert text.split("\r\n")[0].split(separator) == [f'"{name}"' for name in FIELDS]
    assert cells(text, separator)[1][1] == f'a{separator}"b"'


def test_csv_keeps_names() -> None:
    name = 'Joanna "Jo", O\'Neill; $(x) ü'
    rows = cells(as_csv([{**verdict(ACCOUNT, SYNC, READY), "person": name}]))
    told = dict(zip(rows[0], rows[1], strict=True))
    assert (told["person"], told["arrived"]) == (name, "yes")


def test_json_has_only_the_fields() -> None:
    report = json.loads(as_json({"summary": {}, "people": [{**verdict(ACCOUNT, SYNC, READY), "initial_password": "hidden"}]}))
    assert set(report["people"][0]) == set(FIELDS)
    assert report["people"][0]["arrived_at_local"] == "2026-11-24T09:31:10+00:00"


def test_whoever_has_not_arrived_has_no_time_of_arrival() -> None:
    late = verdict({**ACCOUNT, "enabled": False}, SYNC, READY)
    assert json.loads(as_json({"people": [late]}))["people"][0]["arrived_at"] is None
    assert any(line.endswith("assigned  not looked for  -") for line in screen(late))
