# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Checking a batch of colleagues."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._licences import check_licences, seats_of
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._people import Batch, Defaults, check
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._table import Record, read_people

DEFAULTS = Defaults(ou="OU=Staff,DC=lab,DC=test", groups=["GG-AllStaff"], usage_location="de", licenses=["SPE_E3"])
ANNA = {"given_name": "Anna", "surname": "Huber", "upn": "Anna.Huber@lab.example"}


def batch(*people: dict[str, Any], defaults: Defaults = DEFAULTS) -> Batch:
    """Check people against the domain lab.example."""
    return check(read_people(people).records, defaults, ["lab.example"])


def sentences(checked: Batch) -> list[str]:
    """What is wrong with a batch."""
    return [fault.msg for fault in checked.faults]


def test_only_what_the_row_says_goes_to_the_directory() -> None:
    checked = batch({**ANNA, "groups": ["GG-Sales", "gg-allstaff"], "mail": "anna@lab.example", "title": "", "department": None})
    assert checked.faults == []
    (person,) = checked.people
    assert person.account(DEFAULTS) == {
        "upn": "Anna.Huber@lab.example",
        "given_name": "Anna",
        "surname": "Huber",
        "mail": "anna@lab.example",
        "groups": ["GG-Sales", "gg-allstaff"],
    }
    assert person.cloud() == {"upn": "Anna.Huber@lab.example", "usage_location": "DE", "licenses": ["SPE_E3"]}
    assert (person.shown["display_name"], person.shown["ou"]) == ("Anna Huber", "OU=Staff,DC=lab,DC=test")
    assert person.result()["defaulted"] == ["licenses", "ou", "usage_location"]


def test_a_hyphen_clears_and_an_empty_cell_says_nothing() -> None:
    checked = batch({**ANNA, "phone": "-", "manager": "-", "display_name": "-", "office": "", "title": "x-y"})
    (person,) = checked.people
    assert checked.faults == []
    item = person.account(DEFAULTS)
    assert (item["phone"], item["manager"], item["display_name"], item["title"]) == ("", "", "", "x-y")
    assert "office" not in item
    assert person.result()["cleared"] == ["display_name", "manager", "phone"]


def test_what_clears_can_be_chosen() -> None:
    person = batch({**ANNA, "phone": "-", "title": "#"}, defaults=Defaults(clear="#")).people[0]
    assert (person.given["phone"], person.given["title"]) == ("-", "")


@pytest.mark.parametrize("column", ["upn", "sam_account_name", "name", "ou"])
def test_what_names_somebody_cannot_be_cleared(column: str) -> None:
    assert sentences(batch({**ANNA, column: "-"})) == [f"person 1, column {column}: this cannot be cleared."]


def test_to_clear_what_only_adds_keeps_the_default_away_and_takes_nothing_from_anybody() -> None:
    (person,) = batch({**ANNA, "groups": "-", "licenses": "-", "usage_location": "-"}).people
    assert "groups" not in person.account(DEFAULTS)
    assert person.cloud() == {"upn": ANNA["upn"], "usage_location": "", "licenses": []}


def test_groups_to_set_include_those_for_everybody() -> None:
    (person,) = batch({**ANNA, "groups": {"set": ["G1"]}}).people
    assert person.account(DEFAULTS)["groups"] == {"set": ["G1", "GG-AllStaff"]}
    (person,) = batch({**ANNA, "groups": {"remove": ["G1"]}}).people
    assert person.account(DEFAULTS)["groups"] == {"remove": ["G1"], "add": ["GG-AllStaff"]}


def test_the_row_beats_the_defaults() -> None:
    checked = batch({**ANNA, "ou": "OU=B,DC=lab,DC=test", "usage_location": "at", "licenses": ["F1"], "name": "Huber, Anna"})
    shown = checked.people[0].shown
    assert (shown["ou"], shown["usage_location"], shown["licenses"]) == ("OU=B,DC=lab,DC=test", "AT", ["F1"])
    item = checked.people[0].account(DEFAULTS)
    assert (item["ou"], item["name"]) == ("OU=B,DC=lab,DC=test", "Huber, Anna")


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
        ({"sam_account_name": "a-very-long-user-name"}, "column sam_account_name: 'a-very-long-user-name' has 21 characters"),
        ({"upn": "a@" + "b." * 60 + "example"}, "characters are too many, 113 is the most"),
        ({"sam_account_name": "an/na"}, "column sam_account_name"),
        ({"sam_account_name": "anna."}, "column sam_account_name"),
        ({"mail": "anna"}, "column mail: 'anna' is not a mail address"),
        ({"mail": "anna@lab"}, "column mail: 'anna@lab' is not a mail address"),
        ({"mail": "an na@lab.example"}, "column mail: 'an na@lab.example' is not a mail address"),
        ({"usage_location": "UK"}, "'UK' is not a country of ISO 3166 with two letters (did you mean 'GB'?)"),
        ({"usage_location": "XX"}, "'XX' is not a country"),
        ({"usage_location": "Deutschland"}, "'Deutschland' is not a country of ISO 3166 with two letters (did you mean 'DE'?)"),
        ({"usage_location": "états-unis"}, "(did you mean 'US'?)"),
        ({"usage_location": "ESPAÑA"}, "(did you mean 'ES'?)"),
        ({"usage_location": "cote d'ivoire"}, "(did you mean 'CI'?)"),
        ({"ou": "Staff"}, "'Staff' is not a distinguished name"),
        ({"title": "x" * 129}, "column title: 129 characters are too many, 128 is the most"),
        ({"title": "a\nb"}, "column title: there is a line end in it"),
        ({"title": "a\tb"}, "column title: there is a control character (U+0009) in it"),
        ({"title": "a\u2028b"}, "column title: there is a line end in it"),
        ({"surname": "\u202eHuber"}, "column surname: there is a direction mark (U+202E) in it"),
        ({"surname": "Hu\u200bber"}, "column surname: there is a character without width (U+200B) in it"),
        ({"surname": "Hu\u200dber"}, "column surname: there is a joiner where nothing is joined"),
        ({"groups": ["a\0b"]}, "column groups: there is a control character (U+0000) in it"),
    ],
)
def test_faults(changes: dict[str, Any], fault: str) -> None:
    checked = batch({**ANNA, **changes})
    (one,) = sentences(checked)
    assert fault in one and one.startswith("person 1, column ")
    assert (checked.faults[0].row, checked.faults[0].stage) == (1, "table")
    assert one.split("column ")[1].startswith(f"{checked.faults[0].column}:")


def test_joiners_that_are_spelling_are_no_fault() -> None:
    assert sentences(batch({**ANNA, "surname": "नि\u200dक", "given_name": "می\u200cخواهم"})) == []


def test_what_is_just_long_enough_is_no_fault() -> None:
    checked = batch({**ANNA, "sam_account_name": "s" * 20, "title": "t" * 128, "employee_id": "1" * 16})
    assert checked.faults == []


def test_missing_defaults() -> None:
    assert sentences(batch(ANNA, defaults=Defaults())) == []
    faults = sentences(batch(ANNA, defaults=Defaults(ou="OU=x,DC=y", licenses=["E3"])))
    assert faults == ["person 1, column usage_location: a licence needs a usage location, and there is none."]


def test_what_is_wrong_with_an_option_is_said_once() -> None:
    checked = batch(ANNA, {"upn": "b@lab.example"}, defaults=Defaults(ou="Staff", usage_location="Germany", licenses=["E3"]))
    assert sentences(checked) == [
        "option ou: 'Staff' is not a distinguished name, such as OU=Staff,DC=corp,DC=example.",
        "option usage_location: 'Germany' is not a country of ISO 3166 with two letters (did you mean 'DE'?).",
    ]
    assert all(fault.stops_the_run and fault.stage == "options" for fault in checked.faults)
    assert checked.lookups()["cloud"][0] == {"upn": ANNA["upn"], "usage_location": "", "licenses": []}


def test_duplicates_whatever_the_case() -> None:
    checked = batch(
        {**ANNA, "employee_id": "1"},
        {**ANNA, "upn": "ANNA.huber@LAB.example", "mail": "x@lab.example"},
        {**ANNA, "upn": "other@lab.example", "mail": "X@lab.example", "employee_id": "1"},
    )
    assert sentences(checked) == [
        "person 2, column upn: 'ANNA.huber@LAB.example' is there twice, first in person 1.",
        "person 3, column mail: 'X@lab.example' is there twice, first in person 2.",
        "person 3, column employee_id: '1' is there twice, first in person 1.",
    ]


def test_all_faults_at_once_in_the_order_of_the_rows() -> None:
    checked = batch({"upn": "a@b"}, {**ANNA, "mail": "x", "usage_location": "Q"}, {}, {**ANNA, "phone": "\t1\t2"})
    assert [fault.row for fault in checked.faults] == [1, 2, 2, 3, 4, 4]


def test_everybody_with_a_usable_name_is_looked_up_without_the_values_that_are_wrong() -> None:
    looks = batch({**ANNA, "mail": "x", "title": "y"}, {"given_name": "B"}).lookups()
    assert looks["accounts"] == [
        {"upn": ANNA["upn"], "given_name": "Anna", "surname": "Huber", "title": "y", "groups": ["GG-AllStaff"]},
    ]
    assert [item["upn"] for item in looks["cloud"]] == [ANNA["upn"]]


def test_licences_that_the_tenant_does_not_have() -> None:
    skus = [
        {"skuId": "AAAA", "skuPartNumber": "SPE_E3", "appliesTo": "User"},
        {"skuId": "BBBB", "skuPartNumber": "ROOM", "appliesTo": "Company"},
    ]
    seats = seats_of(skus, {"aaaa": 3})
    assert seats["spe_e3"] == seats["aaaa"] == {"id": "aaaa", "part_number": "SPE_E3", "free": 3}
    checked = batch(
        ANNA, {**ANNA, "upn": "b@lab.example", "licenses": "E9|aaaa|ROOM"}, defaults=Defaults(usage_location="DE", licenses=["E7"])
    )
    check_licences(checked, ["E7"], seats)
    assert sentences(checked) == [
        "option licenses: the tenant has no licence 'E7' for users; it has: SPE_E3.",
        "person 2, column licenses: the tenant has no licence 'E9' for users; it has: SPE_E3.",
        "person 2, column licenses: the tenant has no licence 'ROOM' for users; it has: SPE_E3.",
    ]
    assert [fault.stage for fault in checked.faults] == ["options", "licences", "licences"]


def test_names_are_composed_and_kept() -> None:
    person = batch({**ANNA, "given_name": "Zoe\u0308", "surname": 'O\'Neill "Jo" $(x)'}).people[0]
    assert person.shown["display_name"] == 'Zoë O\'Neill "Jo" $(x)'


def test_unknown_domains_are_not_checked() -> None:
    assert check([Record("row 2", 2, {**ANNA, "upn": "a@anything.example"})], DEFAULTS, None).faults == []
