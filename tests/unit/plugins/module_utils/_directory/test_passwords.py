# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Initial passwords: the policy of the domain before the first write, how they are made, and how they are covered."""

from __future__ import annotations

import time
from typing import Any

import pytest
from directories import BASE, Admin, differences, ensure, entry

from ansible_collections.hybrid.identity.plugins.module_utils._directory._mask import PART, WHOLE, Mask, without_secrets
from ansible_collections.hybrid.identity.plugins.module_utils._directory._passwords import (
    PasswordPolicy,
    PasswordRule,
    kinds_in,
    read_passwords,
)
from lab.directory import SambaDirectory


@pytest.fixture
def strict(admin: Admin) -> Any:
    """A domain that asks for fourteen characters of three kinds."""
    before = {name: values[0].decode() for name, values in admin.read(BASE, "minPwdLength", "pwdProperties").items()}
    admin.replace(BASE, minPwdLength="14", pwdProperties="1")
    yield
    admin.replace(BASE, **before)


@pytest.mark.usefixtures("strict")
def test_passwords_that_the_domain_would_refuse_are_faults_of_their_rows(samba: SambaDirectory, admin: Admin) -> None:
    passwords = {"short": "Short-1.", "plain": "nothing but small letters", "named": "with-Wilhelmina-1", "good": "Long-Enough.42-xx"}
    names = {"named": "Wilhelmina Fox"}
    rows = [
        {"upn": f"p.{name}@lab.example", "display_name": names.get(name, name), "password": password}
        for name, password in passwords.items()
    ]
    before = admin.dump()
    for check_mode in (True, False):
        result = ensure(samba, *rows, check_mode=check_mode)
        assert (result["failure_reason"], result["changed"]) == ("invalid_input", False)
        told = {account["upn"].split("@")[0][2:]: " ".join(account["faults"]) for account in result["accounts"]}
        assert "fewer than 14 characters" in told["short"]
        assert "has not three of" in told["plain"]
        assert "part of the display name" in told["named"]
        assert told["good"] == ""
        assert all("fine-grained" in words for words in told.values() if words)
        assert not any(password in str(result) for password in passwords.values())
    assert differences(before, admin.dump()) == {}
    result = ensure(samba, rows[-1])
    assert result["summary"]["created"] == 1, result["msg"]


@pytest.mark.usefixtures("strict")
def test_nobody_who_gets_no_password_is_asked_about_it(samba: SambaDirectory) -> None:
    result = ensure(samba, {"upn": "maria.huber@lab.example", "office": "2"}, initial_password="short")
    assert (result["failure_reason"], result["summary"]["corrected"]) == (None, 1)


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize(
    ("params", "words"),
    [({"password_length": 12}, "less than the 14"), ({"password_alphabet": "abcdefghijklmnop"}, "has not three of"), ({}, "")],
)
def test_what_would_be_generated_is_held_against_the_policy(samba: SambaDirectory, params: dict[str, Any], words: str) -> None:
    row = {"upn": "to.be@lab.example", "display_name": "Somebody"}
    generation = {"generate_passwords": True, "password_file": "/nowhere", "initial_password": None}
    result = ensure(samba, row, check_mode=True, **generation, **params)
    assert (" ".join(result["accounts"][0]["faults"]) != "") is bool(words)
    assert words in result["msg"]


def test_the_module_writes_nobody_whose_password_was_not_generated(samba: SambaDirectory) -> None:
    row = {"upn": "not.yet@lab.example", "display_name": "Not Yet"}
    result = ensure(samba, row, generate_passwords=True, password_file="/nowhere", initial_password=None)
    assert (result["failure_reason"], "there is none for it" in result["msg"]) == ("invalid_input", True)
    assert entry(samba, "not.yet@lab.example") is None


@pytest.mark.parametrize(("given", "own", "written"), [(True, None, "0"), (True, False, "set"), (False, True, "0"), (False, None, "set")])
def test_who_has_to_change_the_first_password(samba: SambaDirectory, given: bool, own: bool | None, written: str) -> None:
    upn = f"first.{given}.{own}@lab.example".lower()
    row = {"upn": upn, "display_name": "First", "password_must_change": own}
    result = ensure(samba, row, password_must_change=given)
    assert (entry(samba, upn).text("pwdLastSet") == "0") is (written == "0")
    assert len([warning for warning in result["warnings"] if "UserForcePasswordChange" in warning]) == (written == "0")
    # The default is for first passwords: whoever has one and gets another by hand keeps the logon that he has.
    again = ensure(samba, {"upn": upn}, password_must_change=True, update_password="always", initial_password="An0ther-Start.22")
    assert again["failure_reason"] is None, again["msg"]
    assert entry(samba, upn).text("pwdLastSet") != "0"


# -- pure


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("abcDEF12", None),
        ("abcdefgh1", "three of"),
        ("abcDEF-gh", None),
        ("пароль-Пароль", None),
        ("密码密码密码a1", None),
        ("密码密码密码密码", "three of"),
        ("Anna-12345", "display name"),
        ("xANNAx-12345", "display name"),
        ("Jo-a1234567", None),
        ("J.Smythe99-x", "logon name"),
        ("Ab1", "fewer than 8"),
    ],
)
def test_the_rules_of_complexity(password: str, fault: str | None) -> None:
    found = PasswordPolicy(8, True).fault(password, "j.smythe", "Jo Anna-Lee")
    assert (found is None) if fault is None else (found is not None and fault in found)
    assert PasswordPolicy(0, False).fault(password, "j.smythe", "Jo Anna-Lee") is None


def test_generated_passwords_differ_and_fit() -> None:
    rule = PasswordRule()
    made = {rule.make(["anna", "j.smythe"]) for _each in range(500)}
    assert len(made) == 500
    assert all(PasswordPolicy(20, True).fault(password, "j.smythe", "Anna") is None for password in made)
    assert {char for password in made for char in password} == set(rule.alphabet)
    assert PasswordRule(40, "0123456789").fault() is None
    assert kinds_in(PasswordRule(40, "0123456789").make()) == {"digit"}


@pytest.mark.parametrize("value", [["a"], "{", "[1]", {"a": 1}, 7])
def test_what_is_no_dictionary_of_passwords_is_none(value: Any) -> None:
    assert read_passwords(value) is None


def test_passwords_are_found_whatever_the_case_of_the_name() -> None:
    assert read_passwords({" Anna@Lab.example ": "x", "bo@lab.example": None}) == {"anna@lab.example": "x"}
    assert read_passwords('{"A@b": "x"}') == {"a@b": "x"}
    assert read_passwords(None) == read_passwords("") == {}


def test_secrets_are_covered_whole_and_within_texts() -> None:
    mask = Mask(["secret", "secret-longer", "xy", ""])
    assert mask.value({"a": "secret", "b": ["a secret-longer text xy", 7, None, True], "secret": "c"}) == {
        "a": WHOLE,
        "b": [f"a {PART} text {PART}", 7, None, True],
        "secret": "c",
    }
    assert Mask([]).value("text") == "text"
    options = {"users": {"options": {"password": {"no_log": True}}}, "passwords": {"no_log": True}}
    assert without_secrets({"users": [{"password": "p", "upn": "u"}], "passwords": "{}", "port": 1}, options) == {
        "users": [{"password": WHOLE, "upn": "u"}],
        "passwords": WHOLE,
        "port": 1,
    }


def test_covering_many_secrets_takes_time_with_the_text_alone() -> None:
    def seconds(people: int) -> float:
        rule = PasswordRule()
        result = [{"upn": f"person{number}@lab.example", "dn": f"CN=Person {number},OU=Staff,DC=lab,DC=test"} for number in range(people)]
        mask = Mask(rule.make() for _each in range(people))
        began = time.process_time()
        mask.value(result)
        return time.process_time() - began

    few = min(seconds(500) for _each in range(3))
    many = min(seconds(4000) for _each in range(3))
    assert many < 8 * few * 2.5
