# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What is wished for an account, and what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._directory._characters import unseen_character
from ansible_collections.hybrid.identity.plugins.module_utils._directory._desired import (
    DesiredAccount,
    GroupChange,
    kind_of_identity,
    read_desired,
)
from ansible_collections.hybrid.identity.plugins.module_utils._directory._faults import faults_in, holds_password

OU = "OU=Staff,DC=lab,DC=test"


def desired(**user: Any) -> DesiredAccount:
    """A desired account from an item of the option users."""
    return read_desired({"upn": "anna.huber@lab.example", **user}, OU, "Start-Passw0rd.1")


def sentences(*accounts: DesiredAccount) -> list[str]:
    return [fault for faults in faults_in(accounts) for fault in faults]


@pytest.mark.parametrize(
    ("user", "name", "display_name"),
    [
        ({"name": "Object", "display_name": "Shown"}, "Object", "Shown"),
        ({"display_name": "Shown", "given_name": "Anna"}, "Shown", "Shown"),
        ({"given_name": "Anna", "surname": "Huber"}, "Anna Huber", "Anna Huber"),
        ({"surname": "Huber"}, "Huber", "Huber"),
        ({}, "anna.huber", "anna.huber"),
        ({"given_name": "", "surname": "Huber"}, "Huber", "Huber"),
    ],
)
def test_the_name_is_derived_for_somebody_new_only(user: dict[str, Any], name: str, display_name: str) -> None:
    read = desired(**user)
    assert read.new_name == name
    assert read.new_attributes["displayName"] == [display_name]
    assert read.name == user.get("name")
    assert read.attributes.get("displayName") == ([user["display_name"]] if "display_name" in user else None)


def test_what_is_not_given_is_left_alone_and_what_is_empty_is_cleared() -> None:
    read = desired(mail="Anna@lab.example", proxy_addresses=["smtp:a@lab.example", "SMTP:anna@lab.example", "x500:/o=lab"], title=None)
    assert (read.sam, read.name, read.ou, read.password, read.enabled, read.manager) == (None, None, None, "Start-Passw0rd.1", None, None)
    assert (read.new_sam, read.new_ou) == ("anna.huber", OU)
    assert set(read.attributes) == {"mail", "proxyAddresses"}
    assert read.addresses == ["a@lab.example", "anna@lab.example"]
    assert desired(ou="OU=B").new_ou == "OU=B"
    assert desired(password="own").password == "own"
    assert read_desired({"upn": "a-very-long-name-indeed@lab.example"}, OU, None).new_sam == "a-very-long-name-ind"
    assert "Start-Passw0rd.1" not in repr(read)
    cleared = desired(title="", manager="", proxy_addresses=[], attributes={"info": "", "comment": None, "url": []})
    assert cleared.attributes == {"title": [], "proxyAddresses": [], "info": [], "url": []}
    assert cleared.manager == ""
    assert set(cleared.new_attributes) == {"displayName"}


@pytest.mark.parametrize(
    ("groups", "change"),
    [
        (None, GroupChange()),
        ([], GroupChange()),
        (["A", "a", " B "], GroupChange(add=("A", "B"))),
        ("A", GroupChange(add=("A",))),
        ({"add": ["A"], "remove": ["B"]}, GroupChange(add=("A",), remove=("B",))),
        ({"set": []}, GroupChange(set=())),
        ({"set": None, "add": None}, GroupChange()),
    ],
)
def test_forms_of_groups(groups: Any, change: GroupChange) -> None:
    assert desired(groups=groups).groups == change
    assert sentences(desired(groups=groups)) == []


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ({"sam_account_name": "an/na"}, "sam_account_name"),
        ({"sam_account_name": "anna."}, "sam_account_name"),
        ({"sam_account_name": "s" * 21}, "sam_account_name"),
        ({"upn": "an na@lab.example", "sam_account_name": "anna"}, "name@suffix"),
        ({"name": "x" * 65}, "1 to 64"),
        ({"name": ""}, "name cannot be cleared"),
        ({"sam_account_name": ""}, "sam_account_name cannot be cleared"),
        ({"upn": "", "identity": "17"}, "upn cannot be cleared"),
        ({"upn": ""}, "upn is missing"),
        ({"title": "a\x00b"}, "invisible character U+0000"),
        ({"attributes": {"info": ["a", ""]}}, "empty"),
        ({"attributes": {"1info": "x"}}, "not the name of an attribute"),
        ({"attributes": {"unicodePwd": "x"}}, "holds a password"),
        ({"attributes": {"USERPASSWORD": "x"}}, "holds a password"),
        ({"attributes": {"primaryGroupID": "512"}}, "what an account may do"),
        ({"attributes": {"SAMACCOUNTNAME": "x"}}, "option of its own"),
        ({"password": "xAnna.Huber1!", "sam_account_name": "anna.huber"}, "contains the sam_account_name"),
        ({"groups": {"plus": ["A"]}}, "no key 'plus'"),
        ({"groups": {"set": [], "add": ["A"]}}, "cannot stand beside"),
        ({"groups": {"add": ["A"], "remove": ["a"]}}, "in add and in remove"),
        ({"groups": 7}, "neither a list"),
        ({"identity": "17", "identity_type": "guid"}, "not a GUID"),
        ({"identity": "17", "identity_type": "sid"}, "not a security identifier"),
    ],
)
def test_faults(user: dict[str, Any], words: str) -> None:
    faults = sentences(desired(**user))
    assert any(words in fault for fault in faults), faults


@pytest.mark.parametrize(
    "user",
    [
        {},
        {"sam_account_name": "s" * 20, "name": "n" * 64},
        {"attributes": {"info": ["a", "two\nlines"]}},
        {"sam_account_name": "an", "password": "an"},
        {"identity": "1017", "upn": None},
    ],
)
def test_what_is_no_fault(user: dict[str, Any]) -> None:
    assert sentences(desired(**user)) == []


@pytest.mark.parametrize(
    "char", ["\n", "\t", "\r", "\x7f", "\x85", "\u200b", "\u200e", "\u202e", "\u2067", "\u2060", "\ufeff", "\u2028", "\u200d"]
)
@pytest.mark.parametrize("option", ["given_name", "surname", "display_name", "name", "department", "sam_account_name", "ou", "manager"])
def test_characters_that_nobody_sees_are_faults(option: str, char: str) -> None:
    assert sentences(desired(**{option: f"An{char}na"}))


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("Jürgen Groß", True),
        ("Siobhán O'Neill-Ní", True),
        ("نوری\u200cزاده", True),  # Persian: a joiner keeps two letters apart
        ("ക്\u200d", True),  # Malayalam: a joiner after a virama
        ("क्\u200dष", True),
        ("An\u200dna", False),
        ("\u200cنوری", False),
        ("نوری\u200c", False),
        ("نوری\u200fزاده", False),
    ],
)
def test_joiners_are_spelling_where_a_script_needs_them(name: str, seen: bool) -> None:
    assert (unseen_character(name) is None) is seen


@pytest.mark.parametrize(
    ("identity", "kind"),
    [
        ("0f8fad5b-d9cb-469f-a165-70867728950e", "guid"),
        ("{0F8FAD5B-D9CB-469F-A165-70867728950E}", "guid"),
        ("S-1-5-21-1-2-3-1104", "sid"),
        ("CN=Anna,OU=Staff,DC=lab,DC=test", "distinguished_name"),
        ("1017", "employee_id"),
        ("E=17", "employee_id"),
    ],
)
def test_what_an_identity_is(identity: str, kind: str) -> None:
    assert kind_of_identity(identity) == kind


@pytest.mark.parametrize(
    "attribute", ["unicodePwd", "userpassword", "ms-Mcs-AdmPwd", "msLAPS-EncryptedPassword", "msDS-ManagedPassword", "ntPwdHistory"]
)
def test_attributes_with_passwords(attribute: str) -> None:
    assert holds_password(attribute)
    assert not holds_password("info")


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"upn": "ANNA.huber@lab.example"}, "upn"),
        ({"upn": "other@lab.example", "sam_account_name": "Anna.H"}, "sam_account_name"),
        ({"upn": "other@lab.example", "mail": "A@lab.example"}, "address"),
        ({"upn": "other@lab.example", "employee_id": "17"}, "employee_id"),
    ],
)
def test_nobody_is_asked_for_twice(other: dict[str, Any], what: str) -> None:
    first, second = faults_in([desired(mail="a@lab.example", sam_account_name="anna.h", employee_id="17"), desired(**other)])
    assert first == []
    assert len(second) == 1
    assert f"the {what} " in second[0] and "asked for twice" in second[0]
