# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Who goes on after everything was looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._faults import Fault
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._looked_up import has_failed
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._people import Defaults, check
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._selection import Looks, select
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._table import read_people

COVERED = {"failure_reason": None, "changed": False, "sync": {"state": "verified", "ownership": "foreign"}}
OPEN = {"failure_reason": None, "changed": False, "sync": {"state": None, "ownership": None}}
SEATS = {"e3": {"id": "aaaa", "part_number": "E3", "free": 1}, "aaaa": {"id": "aaaa", "part_number": "E3", "free": 1}}
DEFAULTS = Defaults(ou="OU=x,DC=y", usage_location="DE", licenses=["E3"])


def account(upn: str, action: str = "created", **changes: Any) -> dict[str, Any]:
    """An item of ad_users' result."""
    there = action not in ("created", "refused")
    return {"upn": upn, "action": action, "distinguished_name": f"CN={upn}" if there else None, "object_guid": None, **changes}


def user(upn: str, state: str = "missing", licence: bool = True, before: str | None = None, **changes: Any) -> dict[str, Any]:
    """An item of entra_user's result in check mode."""
    told: dict[str, Any] = {"licenses": {"before": [], "after": ["E3"]}} if licence else {}
    if before:
        told["usage_location"] = {"before": before, "after": "DE"}
    return {"upn": upn, "state": state, "failure_reason": None, "changes": told, **changes}


def looks(*people: dict[str, Any], accounts: Any = None, users: Any = None, seats: Any = None, sync: Any = None, **directory: Any) -> Looks:
    """What was seen of these people: they are new, and nothing is wrong."""
    batch = check(read_people(people).records, DEFAULTS, None)
    found = batch.lookups()
    upns = [item["upn"] for item in found["accounts"]]
    return Looks(
        people=[person.result() for person in batch.people],
        accounts=found["accounts"],
        cloud=found["cloud"],
        faults=batch.faults,
        seats=seats or {},
        directory={"failure_reason": None, "accounts": accounts or [account(upn) for upn in upns], **directory},
        tenant={"failure_reason": None, "users": users or [user(upn) for upn in upns]},
        sync=OPEN if sync is None else sync,
    )


ANNA = {"upn": "anna@x.example", "given_name": "Anna", "mail": "anna@x.example"}
BO = {"upn": "bo@x.example", "given_name": "Bo", "manager": "anna"}
CY = {"upn": "cy@x.example", "given_name": "Cy", "manager": "BO@x.example"}
DEE = {"upn": "dee@x.example", "given_name": "Dee"}


def test_nothing_wrong() -> None:
    selection = select(looks(ANNA, BO), "stop", False)
    assert selection.faults == [] and not selection.stopped_by
    assert [item["upn"] for item in selection.accounts] == ["anna@x.example", "bo@x.example"]
    assert [person["refused"] for person in selection.people] == [None, None]
    assert (selection.run_accounts, selection.run_sync, selection.run_cloud) == (True, True, True)


def test_new_accounts_get_their_address_and_those_that_exist_keep_theirs() -> None:
    new = select(looks(ANNA), "stop", False).accounts[0]
    assert new["proxy_addresses"] == ["SMTP:anna@x.example"]
    existing = select(looks(ANNA, accounts=[account("anna@x.example", "corrected")]), "stop", False).accounts[0]
    assert "proxy_addresses" not in existing and "ou" not in existing and "display_name" not in existing


def test_a_default_country_moves_nobody() -> None:
    users = [user("anna@x.example", "ready", before="AT"), user("dee@x.example", "ready")]
    selection = select(looks(ANNA, DEE, users=users), "stop", False)
    assert [item["usage_location"] for item in selection.cloud] == ["", "DE"]
    asked = select(looks({**ANNA, "usage_location": "FR"}, users=[user("anna@x.example", "ready", before="AT")]), "stop", False)
    assert asked.cloud[0]["usage_location"] == "FR"


@pytest.mark.parametrize("check_mode", [False, True])
def test_stop_lets_nobody_go_on_and_tells_everybody_why(check_mode: bool) -> None:
    selection = select(looks({**ANNA, "mail": "x"}, DEE), "stop", check_mode)
    assert selection.stopped_by == "rows" and selection.accounts == selection.cloud == []
    assert [person["refused"]["failure_reason"] for person in selection.people] == ["invalid_input", "batch_refused"]
    assert "nothing is wrong" in selection.people[1]["refused"]["msg"]


@pytest.mark.parametrize("check_mode", [False, True])
def test_skip_leaves_out_rows_with_faults_and_those_who_report_to_new_people_of_such_rows(check_mode: bool) -> None:
    selection = select(looks({**ANNA, "mail": "x"}, BO, CY, DEE), "skip", check_mode)
    assert [item["upn"] for item in selection.accounts] == ["dee@x.example"]
    assert [item["upn"] for item in selection.cloud] == ["dee@x.example"]
    assert [(fault.row, fault.column) for fault in selection.faults] == [(1, "mail"), (2, "manager"), (3, "manager")]
    assert "'anna' is new in person 1" in selection.faults[1].msg
    assert selection.run_accounts, "what the look said of those who are left out must not become the result"


def test_a_manager_who_exists_stays_the_manager() -> None:
    accounts = [account("anna@x.example", "corrected"), account("bo@x.example")]
    selection = select(looks({**ANNA, "mail": "x"}, BO, accounts=accounts), "skip", False)
    assert [item["upn"] for item in selection.accounts] == ["bo@x.example"]


def test_nobody_left() -> None:
    selection = select(looks({**ANNA, "mail": "x"}), "skip", False)
    assert selection.stopped_by == "nobody" and selection.accounts == []


@pytest.mark.parametrize(
    ("stage", "broken"),
    [
        ("sync", {"sync": {"failure_reason": "staging", "msg": "It is staging."}}),
        ("directory", {"directory": {"failure_reason": "unreachable", "msg": "No answer."}}),
        ("cloud", {"tenant": {"failure_reason": "authentication_failed", "msg": "Wrong secret."}}),
        ("sync", {"sync": {"msg": "MODULE FAILURE", "rc": 1}}),
        ("options", {"faults": [Fault("options", "option ou: x.")]}),
    ],
)
def test_a_fault_of_the_whole_run_always_stops(stage: str, broken: dict[str, Any]) -> None:
    selection = select(replace(looks(ANNA), **broken), "skip", False)
    (fault,) = selection.faults
    assert (fault.stage, fault.row, selection.stopped_by) == (stage, None, "run")
    assert selection.reason == fault.reason
    assert selection.people[0]["refused"]["failure_reason"] == fault.reason


def test_faults_of_the_directory_belong_to_their_rows() -> None:
    sentences = ["bo@x.example: the manager 'anna' does not exist.", "The moon is full."]
    found = select(looks(ANNA, BO, failed=True, failure_reason="invalid_input", faults=sentences), "stop", False)
    whole, row = found.faults
    assert (row.row, row.upn, row.column, row.stage) == (2, "bo@x.example", "manager", "directory")
    assert row.msg.startswith("person 2, column manager: ")
    assert whole.stops_the_run and whole.msg == "The moon is full."


def test_faults_of_the_directory_come_with_the_person() -> None:
    accounts = [
        account("anna@x.example", "refused", failure_reason="invalid_input", faults=["anna@x.example: a namesake has the number."]),
        account("bo@x.example", "refused", failure_reason="batch_refused", faults=[], msg="nothing is wrong with this row"),
    ]
    told = ["anna@x.example: a namesake has the number."]
    selection = select(looks(ANNA, BO, accounts=accounts, failure_reason="invalid_input", faults=told), "stop", False)
    assert [(fault.row, fault.upn) for fault in selection.faults] == [(1, "anna@x.example")]


def test_faults_of_the_tenant_belong_to_their_rows() -> None:
    users = [user("anna@x.example", "conflict", failure_reason="upn_conflict", msg="anna@x.example: somebody else has it.")]
    seen = replace(looks(ANNA), tenant={"failed": True, "failure_reason": "upn_conflict", "users": users})
    (fault,) = select(seen, "skip", False).faults
    assert (fault.row, fault.stage, fault.reason) == (1, "cloud", "upn_conflict")


def test_without_the_directory_nobody_is_taken_for_somebody_else() -> None:
    users = [user("anna@x.example", "conflict", failure_reason="upn_conflict", msg="x")]
    silent = {"failure_reason": "unreachable", "msg": "No answer."}
    seen = replace(looks(ANNA), directory=silent, tenant={"failure_reason": "upn_conflict", "users": users})
    assert [fault.stage for fault in select(seen, "stop", False).faults] == ["directory"]


def test_seats_go_to_those_who_need_one_in_the_order_of_the_rows() -> None:
    users = [user("anna@x.example", "ready", licence=False), user("bo@x.example"), user("cy@x.example"), user("dee@x.example")]
    selection = select(looks(ANNA, {**BO, "mail": "x"}, CY, DEE, users=users, seats=SEATS), "skip", False)
    short = [fault for fault in selection.faults if fault.stage == "licences"]
    assert [(fault.row, fault.reason) for fault in short] == [(4, "licence_refused")]
    assert "has 1 free seats of E3" in short[0].msg


def test_seats_that_are_not_known_are_no_fault() -> None:
    assert select(looks(ANNA, DEE), "stop", False).faults == []


def test_what_only_a_new_account_needs() -> None:
    nameless = {"upn": "a-very-long-user-name@x.example"}
    faults = select(looks(nameless), "stop", False).faults
    assert [fault.column for fault in faults] == ["display_name", "sam_account_name"]
    assert select(looks(nameless, accounts=[account(nameless["upn"], "unchanged")]), "stop", False).faults == []


def test_a_second_run_costs_its_looks_and_no_more() -> None:
    done = looks(
        ANNA, accounts=[account("anna@x.example", "unchanged")], users=[user("anna@x.example", "ready", licence=False)], sync=COVERED
    )
    selection = select(done, "stop", False)
    assert (selection.run_accounts, selection.run_sync, selection.run_cloud) == (False, False, False)
    assert select(replace(done, sync=OPEN), "stop", False).run_sync
    late = replace(done, tenant={"failure_reason": None, "users": [user("anna@x.example")]})
    assert (select(late, "stop", False).run_sync, select(late, "stop", False).run_cloud) == (False, True)


def test_in_check_mode_the_looks_are_the_result() -> None:
    selection = select(looks(ANNA), "stop", True)
    assert (selection.run_accounts, selection.run_sync, selection.run_cloud) == (False, False, False)


def test_faults_are_told_by_row_then_by_stage() -> None:
    faults = [Fault("licences", "c", 2), Fault("table", "b", 2), Fault("table", "b", 2), Fault("cloud", "d", 1), Fault("sync", "a")]
    assert [fault.msg for fault in select(replace(looks(ANNA), faults=faults), "stop", False).faults] == ["a", "d", "b", "c"]


def test_how_a_failed_look_is_known() -> None:
    assert [has_failed(one) for one in ({}, {"skipped": True}, {"failure_reason": None}, {"failed": True, "failure_reason": None})] == [
        False,
        False,
        False,
        True,
    ]
