# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Ensuring people in Entra ID against the simulated tenant."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._graph._client import Answer
from ansible_collections.hybrid.identity.plugins.module_utils._graph._ensure_cloud_users import CloudUsers
from ansible_collections.hybrid.identity.plugins.module_utils._graph._failures import GraphFailure
from ansible_collections.hybrid.identity.plugins.module_utils._graph._people import source_anchor
from lab.entra import users
from lab.synchronisation import ExportedUser

#: the source anchor of somebody whom the tenant does not know
STRANGER = source_anchor("x", None, "f7cc07d7-7c15-447d-876d-c01b0e5a9e38")


def ensure(cloud: Any, *users: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Do it with the clock of the test."""
    client = cloud.client(options.pop("client_timeout", 2000))
    return CloudUsers(client, sleep=cloud.sleep, clock=cloud.clock, **options).ensure(users)


def person(name: str, anchor: str, licences: tuple[str, ...] = ("SPE_E3",)) -> dict[str, Any]:
    """An item of the option users."""
    return {"upn": f"{name}@lab.example", "source_anchor": anchor, "usage_location": "DE", "licenses": list(licences)}


def test_anchor_of_a_guid_is_in_the_byte_order_of_active_directory() -> None:
    # A vector that easy365manager.com published, computed again with .NET byte order.
    assert source_anchor("a", None, "f7cc07d7-7c15-447d-876d-c01b0e5a9e38") == "1wfM9xV8fUSHbcAbDlqeOA=="
    assert source_anchor("a", "", "{bcd2e574-8d58-4136-a9df-8a19b145db79}") == "dOXSvFiNNkGp34oZsUXbeQ=="
    for wrong in ({"anchor": "§", "guid": None}, {"anchor": None, "guid": "x"}):
        with pytest.raises(HybridIdentityError):
            source_anchor("a", **wrong)


def test_everything_and_again(cloud: Any) -> None:
    item = person("anna", cloud.arrive("anna"))
    first = ensure(cloud, item)
    assert first["changed"] and not first.get("failed")
    assert first["users"][0]["state"] == "ready"
    assert first["users"][0]["changes"] == {
        "usage_location": {"before": None, "after": "DE"},
        "licenses": {"before": [], "after": ["SPE_E3"]},
    }
    assert first["diff"][0]["after"] == {"usage_location": "DE", "licenses": ["SPE_E3"]}
    user = cloud.user("anna")
    assert user["usageLocation"] == "DE" and len(user["assignedLicenses"]) == 1
    cloud.pauses.clear()
    again = ensure(cloud, item)
    assert (again["changed"], again["diff"], cloud.pauses) == (False, [], [])


def test_what_is_told_of_a_person(cloud: Any) -> None:
    anchor = cloud.arrive("anna")
    stranger = STRANGER
    result = ensure(cloud, person("anna", anchor), {**person("late", stranger), "usage_location": ""}, wait_timeout=5)
    anna, late = result["users"]
    user = cloud.user("anna")
    assert (anna["id"], anna["source_anchor"], anna["usage_location"]) == (user["id"], anchor, "DE")
    assert anna["arrived_at"] == user["createdDateTime"], "at the first look it was there already"
    assert anna["synced_at"] == user["onPremisesLastSyncDateTime"]
    assert (late["id"], late["source_anchor"], late["usage_location"], late["arrived_at"]) == (None, stranger, None, None)
    (kept,) = ensure(cloud, {**person("anna", anchor), "usage_location": ""})["users"]
    assert kept["usage_location"] == "DE"


@pytest.mark.parametrize(
    "wishes", [{"licenses": []}, {"usage_location": "", "licenses": ["SPE_E3"]}], ids=["location only", "licence only"]
)
def test_two_looks_have_to_agree_before_a_write(cloud: Any, wishes: dict[str, Any]) -> None:
    anchor = cloud.arrive("anna")
    if not wishes.get("usage_location", "DE"):
        ensure(cloud, {**person("anna", anchor), "licenses": []})
        cloud.server.clear_requests()
    ensure(cloud, {**person("anna", anchor), **wishes})
    writes = [record.method == "PATCH" or record.path.endswith("assignLicense") for record in cloud.server.requests]
    first_write = writes.index(True)
    looks = [record for record in cloud.server.requests[:first_write] if record.in_batch and "/users" in record.path]
    assert len(looks) == 2


def test_a_tenant_that_wants_the_advanced_parameters_gets_them(cloud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "onPremisesImmutableId"
    stricter = replace(users.USERS, filterable={*users.USERS.filterable} - {name}, advanced=(*users.USERS.advanced, name))
    monkeypatch.setattr(users, "USERS", stricter)
    people = [person(name, cloud.arrive(name)) for name in ("anna", "ben")]
    assert ensure(cloud, *people)["summary"]["ready"] == 2
    cloud.server.clear_requests()
    cloud.pauses.clear()
    assert ensure(cloud, *people, person("late", STRANGER), wait_timeout=20)["failed"]
    outer = [record for record in cloud.server.requests if not record.in_batch and record.path.endswith("$batch")]
    looks = len(cloud.pauses) + 1
    assert len(outer) == looks + 2, "one in the simple way in vain, and one for the names"


def test_a_person_whom_the_writing_replica_does_not_know_yet(cloud: Any) -> None:
    anchor = cloud.arrive("anna")
    client = cloud.client(2000)
    batch, unknown = client.batch, [3]

    def lagging(calls: Any, what: str) -> Any:
        if what == "setting the usage location" and unknown[0]:
            unknown[0] -= 1
            return [Answer(404, {"error": {"code": "Request_ResourceNotFound", "message": "x"}}) for _call in calls]
        return batch(calls, what)

    client.batch = lagging
    result = CloudUsers(client, sleep=cloud.sleep, clock=cloud.clock).ensure([person("anna", anchor)])
    assert (result["users"][0]["state"], unknown) == ("ready", [0])


def test_progress_is_told_when_somebody_arrives(cloud: Any) -> None:
    anchors = [cloud.arrive("anna"), STRANGER]
    change = ExportedUser("add", anchors[1], {"userPrincipalName": "late@lab.example", "displayName": "late"})
    cloud.on_pause = [lambda: None, lambda: None, lambda: cloud.server.apply(change)]
    lines: list[str] = []
    ensure(cloud, person("anna", anchors[0]), person("late", anchors[1]), progress=lines.append)
    assert lines == ["1 of 2 people are in Entra ID", "2 of 2 people are in Entra ID"]


def test_waits_for_an_arrival(cloud: Any) -> None:
    anchor = STRANGER
    change = ExportedUser("add", anchor, {"userPrincipalName": "late@lab.example", "displayName": "late"})
    cloud.on_pause = [lambda: None, lambda: cloud.server.apply(change)]
    result = ensure(cloud, person("late", anchor), wait_sleep=5)
    assert result["users"][0]["state"] == "ready"
    assert len(cloud.pauses) == 3  # two without, one between the two looks that agree
    assert result["users"][0]["arrived_at"], "the time at which it was seen"


def test_missing_when_the_time_is_over(cloud: Any) -> None:
    there, anchor = cloud.arrive("anna"), STRANGER
    result = ensure(cloud, person("late", anchor), person("anna", there), wait_timeout=30)
    assert result["failed"] and result["failure_reason"] == "wait_timeout"
    assert [user["state"] for user in result["users"]] == ["missing", "ready"]
    assert result["summary"] == {"ready": 1, "missing": 1, "conflict": 0, "failed": 0, "changed": 1}
    assert sum(cloud.pauses) == 30


def test_check_mode_waits_for_nobody_writes_nothing_and_predicts(cloud: Any) -> None:
    there = cloud.arrive("anna")
    result = ensure(cloud, person("anna", there), person("new", ""), check_mode=True)
    assert not result.get("failed") and result["changed"]
    assert result["msg"] == "1 of 2 people are ready in Entra ID. 1 are not there yet."
    assert ensure(cloud, person("anna", there), check_mode=True)["msg"] == "1 of 1 people are ready in Entra ID."
    assert [user["state"] for user in result["users"]] == ["ready", "missing"]
    assert all(set(user["changes"]) == {"usage_location", "licenses"} for user in result["users"])
    assert not [record for record in cloud.server.requests if record.method == "PATCH" or record.path.endswith("assignLicense")]


def test_no_anchor_is_wrong_input_outside_check_mode(cloud: Any) -> None:
    with pytest.raises(HybridIdentityError, match="neither source_anchor nor object_guid"):
        ensure(cloud, person("new", ""))


def test_an_error_at_the_second_look_is_neither_presence_nor_absence(cloud: Any) -> None:
    anchor = cloud.arrive("anna")
    cloud.on_pause = [lambda: cloud.server.set_permissions("app", ["LicenseAssignment.Read.All"])]
    with pytest.raises(HybridIdentityError) as caught:
        ensure(cloud, person("anna", anchor))
    assert caught.value.reason == "graph_denied"


def test_a_refusal_that_time_does_not_heal_is_not_repeated(cloud: Any) -> None:
    anchors = [cloud.arrive(name) for name in ("anna", "ben")]
    client = cloud.client(2000)
    batch = client.batch

    def refusing(calls: Any, what: str) -> Any:
        if what == "assigning the licence":
            return [Answer(400, {"error": {"code": "Request_BadRequest", "message": "A dependent plan is missing."}}) for _call in calls]
        return batch(calls, what)

    client.batch = refusing
    before = len(cloud.pauses)
    result = CloudUsers(client, sleep=cloud.sleep, clock=cloud.clock).ensure([person("anna", anchors[0]), person("ben", anchors[1])])
    assert len(cloud.pauses) - before == 1, "between the two looks"
    assert [user["state"] for user in result["users"]] == ["failed", "failed"]
    assert "A dependent plan is missing." in result["msg"]
    assert "And 1 more people are not ready." in result["msg"]


def test_a_name_that_somebody_else_has(cloud: Any) -> None:
    cloud.arrive("anna")
    anchor = STRANGER
    cloud.server.apply(ExportedUser("add", anchor, {"userPrincipalName": "anna@lab.example", "displayName": "other"}))
    result = ensure(cloud, person("anna", anchor), wait_timeout=600)
    assert result["failure_reason"] == "upn_conflict"
    assert "UserPrincipalName anna@lab.example" in result["msg"]
    assert result["users"][0]["state"] == "conflict"
    assert sum(cloud.pauses) < 30  # waiting does not help
    assert cloud.user("other")["usageLocation"] is None


def test_the_name_of_a_person_who_never_came_belongs_to_somebody(cloud: Any) -> None:
    cloud.arrive("anna")
    stranger = STRANGER
    result = ensure(cloud, person("anna", stranger), wait_timeout=10)
    assert (result["users"][0]["state"], result["failure_reason"]) == ("conflict", "upn_conflict")
    assert cloud.user("anna")["id"] in result["msg"]
    cloud.server.add_user(userPrincipalName="ben@lab.example", displayName="ben")
    result = ensure(cloud, person("ben", stranger), wait_timeout=10)
    assert (result["users"][0]["state"], result["failure_reason"]) == ("missing", "wait_timeout")
    assert "was not joined" in result["msg"]


def test_every_seat_can_be_taken(cloud: Any) -> None:
    people = [person(name, cloud.arrive(name)) for name in ("anna", "ben", "cleo", "dan")]
    result = ensure(cloud, *people)
    assert [user["state"] for user in result["users"]] == ["ready", "ready", "ready", "failed"]


def test_a_suffix_that_is_not_verified(cloud: Any) -> None:
    anchor = cloud.arrive("anna", userPrincipalName="anna@corp.local")
    item = {**person("anna", anchor), "upn": "anna@corp.local"}
    result = ensure(cloud, item, wait_timeout=60)
    assert result["failure_reason"] == "upn_conflict" and "verified" in result["msg"]


def test_a_name_that_was_not_carried_yet_is_awaited(cloud: Any) -> None:
    anchor = cloud.arrive("anna", userPrincipalName="anna.old@lab.example")
    result = ensure(cloud, person("anna", anchor), wait_timeout=20)
    assert (result["users"][0]["state"], result["failure_reason"]) == ("missing", "wait_timeout")
    assert "anna.old@lab.example" in result["msg"]


def test_licensing_that_lags_behind_is_outlasted(cloud: Any) -> None:
    cloud.server.licence_lag = 0.3
    import time

    cloud.on_pause = [lambda: None, lambda: time.sleep(0.4)]
    result = ensure(cloud, person("anna", cloud.arrive("anna")))
    assert result["users"][0]["state"] == "ready"


def test_licensing_that_never_follows_is_bounded(cloud: Any) -> None:
    cloud.server.licence_lag = 3600
    result = ensure(cloud, person("anna", cloud.arrive("anna")))
    assert result["users"][0]["state"] == "failed"
    assert "usage location" in result["msg"]
    assert result["changed"]  # the location was written
    assert sum(cloud.pauses) < 150


def test_no_seat_left(cloud: Any) -> None:
    people = [person(name, cloud.arrive(name), ("few",)) for name in ("anna", "ben")]
    result = ensure(cloud, *people)
    assert [user["state"] for user in result["users"]] == ["ready", "failed"]
    assert "no free seat of licence few" in result["msg"]
    (later,) = ensure(cloud, people[1])["users"]
    assert later["failure_reason"] == "licence_refused", "the seat is taken, as the tenant says now"


def test_unknown_licence_is_said_before_anything_else(cloud: Any) -> None:
    with pytest.raises(HybridIdentityError, match=r"'E9'.*FEW, SPE_E3"):
        ensure(cloud, person("anna", cloud.arrive("anna"), ("E9",)))


def test_missing_permission_to_write_is_said_per_person(cloud: Any) -> None:
    cloud.server.set_permissions("app", ["User.Read.All", "LicenseAssignment.Read.All"])
    result = ensure(cloud, person("anna", cloud.arrive("anna")))
    assert result["failure_reason"] == "graph_denied" and "User.ReadWrite.All" in result["msg"]
    assert not result["changed"]


def test_missing_permission_to_read_is_no_absence(cloud: Any) -> None:
    cloud.server.set_permissions("app", ["LicenseAssignment.Read.All"])
    with pytest.raises(HybridIdentityError, match=r"User\.Read\.All") as caught:
        ensure(cloud, person("anna", cloud.arrive("anna")), wait_timeout=5)
    assert caught.value.reason == "graph_denied"


def test_what_was_written_before_a_fault_stays_in_the_result(cloud: Any) -> None:
    anchor = cloud.arrive("anna")
    client = cloud.client(2000)
    procedure = CloudUsers(client, sleep=cloud.sleep, clock=cloud.clock)
    batch = client.batch

    def failing(calls: Any, what: str) -> Any:
        if what == "assigning the licence":
            cloud.server.throttle(1000, retry_after=5000)
        return batch(calls, what)

    client.batch = failing
    result = procedure.ensure([person("anna", anchor)])
    assert result["failure_reason"] == "graph_throttled"
    assert result["changed"] and result["users"][0]["changes"] == {"usage_location": {"before": None, "after": "DE"}}


@pytest.mark.parametrize(("at_call", "requests", "ready"), [(1, 2, 23), (2, 1000, 20)], ids=["two of a batch", "the second batch"])
def test_those_who_were_served_are_told_from_those_who_were_not(cloud: Any, at_call: int, requests: int, ready: int) -> None:
    people = [person(f"p{number}", cloud.arrive(f"p{number}"), ()) for number in range(25)]
    client = cloud.client(2000)
    call, calls = client.call, []

    def failing(one: Any, what: str) -> Any:
        calls.extend([what] * (what == "setting the usage location"))
        if what == "setting the usage location" and len(calls) == at_call:
            cloud.server.throttle(requests, retry_after=5000)
        return call(one, what)

    client.call = failing
    result = CloudUsers(client, sleep=cloud.sleep, clock=cloud.clock).ensure(people)
    assert result["summary"] == {"ready": ready, "missing": 0, "conflict": 0, "failed": 25 - ready, "changed": ready}
    assert {user["failure_reason"] for user in result["users"]} == {None, "graph_throttled"}
    written = {user["userPrincipalName"] for user in cloud.server.users() if user["usageLocation"]}
    assert written == {user["upn"] for user in result["users"] if user["changed"]}


def test_a_tenant_that_goes_away_between_two_batches(cloud: Any) -> None:
    people = [person(f"p{number}", cloud.arrive(f"p{number}"), ()) for number in range(25)]
    client = cloud.client(2000)
    call, batches = client.call, []

    def going(one: Any, what: str) -> Any:
        batches.extend([what] * (what == "setting the usage location"))
        if len(batches) == 2:
            raise GraphFailure("unreachable", "Gone.")
        return call(one, what)

    client.call = going
    result = CloudUsers(client, sleep=cloud.sleep, clock=cloud.clock).ensure(people)
    assert result["summary"] == {"ready": 20, "missing": 0, "conflict": 0, "failed": 5, "changed": 20}
    assert {user["msg"] for user in result["users"][20:]} == {f"{one['upn']}: Gone." for one in people[20:]}


def test_names_that_cannot_be_looked_up_are_not_free(cloud: Any) -> None:
    strangers = [source_anchor("x", None, str(uuid.uuid4())) for _number in range(25)]
    client = cloud.client(2000)
    call, batches = client.call, []

    def going(one: Any, what: str) -> Any:
        batches.extend([what] * (what == "looking for names"))
        if len(batches) == 2:
            raise GraphFailure("unreachable", "Gone.")
        return call(one, what)

    client.call = going
    with pytest.raises(HybridIdentityError, match="Gone"):
        CloudUsers(client, sleep=cloud.sleep, clock=cloud.clock, wait_timeout=5).ensure(
            [person(f"p{n}", one) for n, one in enumerate(strangers)]
        )


def test_licences_that_are_held_stay(cloud: Any) -> None:
    anchor = cloud.arrive("anna")
    ensure(cloud, person("anna", anchor, ("SPE_E3",)))
    result = ensure(cloud, person("anna", anchor, ("FEW",)))
    assert result["users"][0]["changes"] == {"licenses": {"before": [], "after": ["FEW"]}}
    assert len(cloud.user("anna")["assignedLicenses"]) == 2


def test_sixty_people_take_few_requests(cloud: Any) -> None:
    people = [person(f"p{number}", cloud.arrive(f"p{number}"), ()) for number in range(60)]
    result = ensure(cloud, *people)
    assert result["summary"]["ready"] == 60
    assert len([record for record in cloud.server.requests if not record.in_batch]) <= 12
