# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What is wished for an account, and what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._directory._desired import Wish, faults_in, read_wish

OU = "OU=Staff,DC=lab,DC=test"


def wish(**user: Any) -> Wish:
    """A wish from an item of the option users."""
    return read_wish({"upn": "anna.huber@lab.example", **user}, OU, "Start-Passw0rd.1")


@pytest.mark.parametrize(
    ("user", "name", "display_name"),
    [
        ({"name": "Object", "display_name": "Shown"}, "Object", "Shown"),
        ({"display_name": "Shown", "given_name": "Anna"}, "Shown", "Shown"),
        ({"given_name": "Anna", "surname": "Huber"}, "Anna Huber", "Anna Huber"),
        ({"surname": "Huber"}, "Huber", "Huber"),
        ({}, "anna.huber", "anna.huber"),
    ],
)
def test_the_name_is_derived(user: dict[str, Any], name: str, display_name: str) -> None:
    read = wish(**user)
    assert read.name == name
    assert read.attributes["displayName"] == [display_name]
    assert read.keeps_name is ("name" not in user)


def test_what_is_not_given_is_derived_or_left_alone() -> None:
    read = wish(title="", mail="Anna@lab.example", proxy_addresses=["smtp:a@lab.example", "SMTP:anna@lab.example", "x500:/o=lab"])
    assert (read.sam, read.ou, read.keeps_ou, read.password, read.enabled) == ("anna.huber", OU, True, "Start-Passw0rd.1", None)
    assert "title" not in read.attributes
    assert read.addresses == ["a@lab.example", "anna@lab.example"]
    assert wish(ou="OU=B").keeps_ou is False
    assert wish(password="own").password == "own"
    assert read_wish({"upn": "a-very-long-name-indeed@lab.example"}, OU, None).sam == "a-very-long-name-ind"
    assert "Start-Passw0rd.1" not in repr(read)


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ({"sam_account_name": "an/na"}, "sam_account_name"),
        ({"sam_account_name": "anna."}, "sam_account_name"),
        ({"sam_account_name": "s" * 21}, "sam_account_name"),
        ({"upn": "@lab.example", "display_name": "A", "sam_account_name": ""}, "sam_account_name"),
        ({"upn": "an na@lab.example", "sam_account_name": "anna"}, "name@suffix"),
        ({"name": "x" * 65}, "1 to 64"),
        ({"title": "a\x00b"}, "control characters"),
        ({"attributes": {"info": ""}}, "empty"),
        ({"attributes": {"1info": "x"}}, "not the name of an attribute"),
        ({"attributes": {"unicodePwd": "x"}}, "option of its own"),
        ({"attributes": {"SAMACCOUNTNAME": "x"}}, "option of its own"),
        ({"password": "xAnna.Huber1!"}, "contains the sam_account_name"),
    ],
)
def test_faults(user: dict[str, Any], words: str) -> None:
    faults = faults_in([wish(**user)])
    assert any(words in fault for fault in faults), faults


@pytest.mark.parametrize(
    "user",
    [
        {},
        {"sam_account_name": "s" * 20, "name": "n" * 64},
        {"attributes": {"info": ["a", "b"]}},
        {"sam_account_name": "an", "password": "an"},
    ],
)
def test_what_is_no_fault(user: dict[str, Any]) -> None:
    assert faults_in([wish(**user)]) == []


def test_an_organizational_unit_is_needed() -> None:
    assert "ou is missing" in faults_in([read_wish({"upn": "anna@lab.example"}, None, None)])[0]


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"upn": "ANNA.huber@lab.example", "sam_account_name": "other", "name": "Other"}, "upn"),
        ({"upn": "other@lab.example", "sam_account_name": "Anna.Huber", "name": "Other"}, "sam_account_name"),
        ({"upn": "other@lab.example", "name": "ANNA.huber"}, "name in the same ou"),
        ({"upn": "other@lab.example", "mail": "A@lab.example"}, "address"),
    ],
)
def test_nobody_is_asked_for_twice(other: dict[str, Any], what: str) -> None:
    (fault,) = faults_in([wish(mail="a@lab.example"), wish(**other)])
    assert f"the {what} " in fault and "asked for twice" in fault
    assert faults_in([wish(), wish(upn="other@lab.example", name="anna.huber", ou="OU=B,DC=lab,DC=test")]) == []
