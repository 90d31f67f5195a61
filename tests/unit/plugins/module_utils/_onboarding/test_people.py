# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Checking a batch of colleagues."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._people import Batch, Defaults, check
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._table import Record, read_people

DEFAULTS = Defaults(ou="OU=Staff,DC=lab,DC=test", groups=["GG-AllStaff"], usage_location="de", licenses=["SPE_E3"])
ANNA = {"given_name": "Anna", "surname": "Huber", "upn": "Anna.Huber@lab.example"}


def batch(*people: dict[str, Any], defaults: Defaults = DEFAULTS) -> Batch:
    """Check people against the domain lab.example."""
    return check(read_people(people).records, defaults, ["lab.example"])


def test_defaults_and_derived_values() -> None:
    checked = batch({**ANNA, "groups": ["GG-Sales", "gg-allstaff"], "mail": "anna@lab.example"})
    assert checked.faults == []
    (account,), (user,) = checked.accounts(), checked.cloud()
    assert account == {
        "upn": "Anna.Huber@lab.example",
        "sam_account_name": "anna.huber",
        "name": "Anna Huber",
        "given_name": "Anna",
        "surname": "Huber",
        "display_name": "Anna Huber",
        "mail": "anna@lab.example",
        "proxy_addresses": ["SMTP:anna@lab.example"],
        "groups": ["GG-Sales", "gg-allstaff"],
        "ou": "OU=Staff,DC=lab,DC=test",
    }
    assert user == {"upn": "Anna.Huber@lab.example", "usage_location": "DE", "licenses": ["SPE_E3"]}


def test_the_row_beats_the_defaults() -> None:
    checked = batch({**ANNA, "ou": "OU=B,DC=lab,DC=test", "usage_location": "at", "licenses": ["F1"], "display_name": "Huber, Anna"})
    person = checked.people[0]
    assert (person["ou"], person["usage_location"], person["licenses"], person["name"]) == (
        "OU=B,DC=lab,DC=test",
        "AT",
        ["F1"],
        "Huber, Anna",
    )


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"upn": ""}, "person 1, column upn: the user principal name is missing."),
        ({"upn": "anna"}, "column upn: 'anna' has no @"),
        ({"upn": "anna@corp.local"}, "the suffix 'corp.local' is not a verified domain of the tenant (verified: lab.example)"),
        ({"upn": "müller@lab.example"}, "before the @ that Entra ID does not take"),
        ({"upn": "a b@lab.example"}, "before the @"),
        ({"upn": ".a@lab.example"}, "before the @"),
        ({"upn": "a.@lab.example", "sam_account_name": "a"}, "before the @"),
        ({"upn": "a..b@lab.example"}, "before the @"),
        ({"upn": "a@lab..example"}, "'lab..example' is not a domain name"),
        ({"upn": "a-very-long-user-name@lab.example"}, "column sam_account_name: 'a-very-long-user-name' has 21 characters"),
        ({"sam_account_name": "an/na"}, "column sam_account_name"),
        ({"sam_account_name": "anna."}, "column sam_account_name"),
        ({"mail": "anna"}, "column mail: 'anna' is not a mail address"),
        ({"mail": "anna@lab"}, "column mail: 'anna@lab' is not a mail address"),
        ({"mail": "an na@lab.example"}, "column mail: 'an na@lab.example' is not a mail address"),
        ({"usage_location": "UK"}, "'UK' is not a country of ISO 3166 with two letters (did you mean 'GB'?)"),
        ({"usage_location": "XX"}, "'XX' is not a country"),
        ({"ou": "Staff"}, "'Staff' is not a distinguished name"),
        ({"title": "x" * 129}, "column title: 129 characters are too many, 128 is the most"),
        ({"title": "a\nb"}, "column title: control characters"),
        ({"title": "a\u2028b"}, "column title: control characters"),
        ({"surname": "\u202eHuber"}, "column surname: control characters"),
        ({"groups": ["a\0b"]}, "column groups: control characters"),
        ({"given_name": "", "surname": ""}, "column display_name: there is no name"),
    ],
)
def test_faults(changes: dict[str, Any], fault: str) -> None:
    checked = batch({**ANNA, **changes})
    assert len(checked.faults) == 1
    assert fault in checked.faults[0] and checked.faults[0].startswith("person 1, column ")


def test_what_is_just_long_enough_is_no_fault() -> None:
    checked = batch({**ANNA, "sam_account_name": "s" * 20, "title": "t" * 128, "employee_id": "1" * 16})
    assert checked.faults == []


def test_missing_defaults() -> None:
    assert [fault.split(":")[0] for fault in batch(ANNA, defaults=Defaults()).faults] == ["person 1, column ou"]
    faults = batch(ANNA, defaults=Defaults(ou="OU=x,DC=y", licenses=["E3"])).faults
    assert faults == ["person 1, column usage_location: a licence needs a usage location, and there is none."]


def test_duplicates_whatever_the_case() -> None:
    checked = batch(
        ANNA,
        {**ANNA, "upn": "ANNA.huber@LAB.example", "mail": "x@lab.example"},
        {**ANNA, "upn": "other@lab.example", "mail": "X@lab.example"},
    )
    assert checked.faults == [
        "person 2, column upn: 'ANNA.huber@LAB.example' is there twice, first in person 1.",
        "person 2, column sam_account_name: 'anna.huber' is there twice, first in person 1.",
        "person 3, column mail: 'X@lab.example' is there twice, first in person 2.",
    ]


def test_all_faults_at_once() -> None:
    assert len(batch({"upn": "a@b"}, {**ANNA, "mail": "x", "usage_location": "Q"}, {}).faults) == 6


def test_people_of_one_name_are_told_apart_only_in_one_unit() -> None:
    names = [
        person["name"]
        for person in batch(
            ANNA, {**ANNA, "upn": "anna2@lab.example"}, {**ANNA, "upn": "anna3@lab.example", "ou": "OU=B,DC=lab,DC=test"}
        ).people
    ]
    assert names == ["Anna Huber (anna.huber)", "Anna Huber (anna2)", "Anna Huber"]


def test_long_names_are_cut_for_the_object_only() -> None:
    person = batch({**ANNA, "display_name": "x" * 100}).people[0]
    assert (len(person["name"]), len(person["display_name"])) == (64, 100)


def test_names_are_composed_and_kept() -> None:
    person = batch({**ANNA, "given_name": "Zoe\u0308", "surname": 'O\'Neill "Jo" $(x)'}).people[0]
    assert person["display_name"] == 'Zoë O\'Neill "Jo" $(x)'


def test_unknown_domains_are_not_checked() -> None:
    assert check([Record("row 2", {**ANNA, "upn": "a@anything.example"})], DEFAULTS, None).faults == []
