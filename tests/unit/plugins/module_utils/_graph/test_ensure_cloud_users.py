# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Ensuring people in Entra ID against the simulated tenant."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from patience import LONG, ends

from ansible_collections.hybrid.identity.plugins.module_utils._deadline import Deadline
from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._graph._answers import Answer
from ansible_collections.hybrid.identity.plugins.module_utils._graph._client import GraphClient
from ansible_collections.hybrid.identity.plugins.module_utils._graph._decide import WRITES
from ansible_collections.hybrid.identity.plugins.module_utils._graph._ensure_cloud_users import CLOSING_TIME, CloudUsers
from ansible_collections.hybrid.identity.plugins.module_utils._graph._failures import GraphFailure
from ansible_collections.hybrid.identity.plugins.module_utils._graph._options import read_graph_options
from ansible_collections.hybrid.identity.plugins.module_utils._graph._people import source_anchor
from lab.entra import users
from lab.synchronisation import ExportedUser

#: the source anchor of somebody whom the tenant does not know
STRANGER = source_anchor("x", None, "f7cc07d7-7c15-447d-876d-c01b0e5a9e38")


def procedure(cloud: Any, wait_timeout: float = 900, **options: Any) -> CloudUsers:
    """The procedure with the clock of the test."""
    client = cloud.client(wait_timeout + CLOSING_TIME)
    return CloudUsers(client, Deadline(wait_timeout, cloud.clock), sleep=cloud.sleep, clock=cloud.clock, **options)


def ensure(cloud: Any, *users: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Do it with the clock of the test."""
    return procedure(cloud, **options).ensure(users)


def writes_of(cloud: Any) -> list[str]:
    """The writes that reached the tenant and were served, in their order."""
    return [
        "licence" if record.path.endswith("assignLicense") else "location"
        for record in cloud.server.requests
        if record.in_batch and record.method in ("PATCH", "POST") and record.status < 300
    ]


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
    assert ensure(cloud, *people, person("late", STRANGER), wait_timeout=20)["failed"]
    refused = [record for record in cloud.server.requests if record.status == 400]
    assert len(refused) == 1, "one in the simple way in vain"


def test_a_tenant_that_refuses_many_values_in_one_filter_is_asked_for_each(cloud: Any) -> None:
    cloud.server.options.refuse_in = True
    people = [person(f"p{number}", cloud.arrive(f"p{number}"), ()) for number in range(20)]
    assert ensure(cloud, *people)["summary"]["ready"] == 20
    refused = [record for record in cloud.server.requests if record.status == 400]
    assert len(refused) == 8, "two filters, in each of the two ways to ask with in, for anchors and for ids"


def test_pages_of_a_filter_are_read_to_their_end(cloud: Any) -> None:
    cloud.server.options.page_size = 4
    people = [person(f"p{number}", cloud.arrive(f"p{number}"), ()) for number in range(15)]
    assert ensure(cloud, *people)["summary"]["ready"] == 15


def interpose(done: CloudUsers, what: str, change: Any) -> None:
    """Let `change(chains, batch)` answer the batches of this kind."""
    batch = done._client.batch
    done._client.batch = lambda chains, doing: change(chains, batch) if doing == what else batch(chains, doing)  # type: ignore[method-assign]


def refusal(status: int, message: str = "x", code: str = "Request_BadRequest") -> Answer:
    """An error of Graph."""
    return Answer(status, {"error": {"code": code, "message": message}})


def test_a_person_whom_the_writing_replica_does_not_know_yet(cloud: Any) -> None:
    anchor = cloud.arrive("anna")
    unknown = [3]

    def lagging(chains: Any, batch: Any) -> Any:
        if not unknown[0]:
            return batch(chains, WRITES)
        unknown[0] -= 1
        return [[refusal(404, code="Request_ResourceNotFound"), refusal(424)] for _chain in chains]

    done = procedure(cloud)
    interpose(done, WRITES, lagging)
    result = done.ensure([person("anna", anchor)])
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
    assert len(cloud.pauses) == 4  # two without, one between the two looks that agree, one before the licence is read back
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


def test_without_an_anchor_a_person_is_looked_up_by_name(cloud: Any) -> None:
    anchor = cloud.arrive("anna")
    item = {"upn": "Anna@lab.example", "usage_location": "DE", "licenses": ["SPE_E3"]}
    result = ensure(cloud, item)
    assert (result["users"][0]["state"], result["users"][0]["source_anchor"]) == ("ready", anchor)
    cloud.server.add_user(userPrincipalName="cloud@lab.example", displayName="cloud")
    result = ensure(cloud, {**item, "upn": "cloud@lab.example"}, wait_timeout=20)
    assert (result["users"][0]["state"], result["failure_reason"]) == ("missing", "wait_timeout")
    assert "not synchronised" in result["msg"]
    assert cloud.user("cloud")["usageLocation"] is None


@pytest.mark.parametrize(
    ("users", "words"),
    [
        ([{"upn": "anna"}], "not a user principal name"),
        ([{"upn": "a/b@lab.example"}], "not a user principal name"),
        ([{"upn": "an\u202ena@lab.example"}], "an\\u202ena@lab.example"),
        ([{"upn": "a@lab.example", "usage_location": "Germany"}], "usage_location"),
        ([{"upn": "a@lab.example"}, {"upn": "A@lab.example"}], "given twice"),
        ([{"upn": "a@lab.example", "source_anchor": "AA=="}, {"upn": "b@lab.example", "source_anchor": "AA=="}], "given twice"),
    ],
)
def test_wrong_input_is_told_before_anything_is_asked(cloud: Any, users: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(HybridIdentityError) as caught:
        ensure(cloud, *users)
    assert caught.value.reason == "invalid_input" and words in caught.value.message
    assert cloud.server.requests == []


def test_in_check_mode_the_owner_of_the_name_is_not_the_account_to_be_created(cloud: Any) -> None:
    cloud.arrive("anna")
    result = ensure(cloud, person("anna", ""), check_mode=True)
    assert (result["users"][0]["state"], result["failure_reason"]) == ("conflict", "upn_conflict")
    known = ensure(cloud, {"upn": "anna@lab.example"}, check_mode=True)
    assert known["users"][0]["state"] == "ready"


def test_an_error_at_the_second_look_is_neither_presence_nor_absence(cloud: Any) -> None:
    anchor = cloud.arrive("anna")
    cloud.on_pause = [lambda: cloud.server.set_permissions("app", ["LicenseAssignment.Read.All"])]
    with pytest.raises(HybridIdentityError) as caught:
        ensure(cloud, person("anna", anchor))
    assert caught.value.reason == "graph_denied"


def test_a_refusal_that_time_does_not_heal_is_not_repeated(cloud: Any) -> None:
    anchors = [cloud.arrive(name) for name in ("anna", "ben")]
    done = procedure(cloud)
    interpose(done, WRITES, lambda chains, batch: [[Answer(204, {}), refusal(400, "A dependent plan is missing.")] for _chain in chains])
    result = done.ensure([person("anna", anchors[0]), person("ben", anchors[1])])
    assert len(cloud.pauses) == 1, "between the two looks"
    assert [user["state"] for user in result["users"]] == ["failed", "failed"]
    assert result["failure_reason"] == "licence_refused"
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
    predicted = ensure(cloud, *people, check_mode=True)
    assert [user["state"] for user in predicted["users"]] == ["ready", "failed"]
    assert "no free seat of licence few" in predicted["msg"]
    result = ensure(cloud, *people)
    assert [user["state"] for user in result["users"]] == ["ready", "failed"]
    assert result["failure_reason"] == "licence_refused"
    assert "does not have any available licenses" in result["msg"], "the tenant's words"
    assert result["users"][1]["changes"] == {"usage_location": {"before": None, "after": "DE"}}


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
    done = procedure(cloud)
    throttled = Answer(429, {}, {"Retry-After": "5000"})
    interpose(
        done,
        WRITES,
        lambda chains, batch: [[batch([chain[:1]], WRITES)[0][0], throttled] if len(chain) > 1 else [throttled] for chain in chains],
    )
    result = done.ensure([person("anna", anchor)])
    assert result["failure_reason"] == "graph_throttled"
    assert result["changed"] and result["users"][0]["changes"] == {"usage_location": {"before": None, "after": "DE"}}
    assert cloud.user("anna")["usageLocation"] == "DE"


def test_those_who_were_served_are_told_from_those_who_were_not(cloud: Any) -> None:
    people = [person(f"p{number}", cloud.arrive(f"p{number}"), ()) for number in range(25)]
    done = procedure(cloud, wait_timeout=200)

    def throttling(chains: Any, batch: Any) -> Any:
        cloud.server.throttle(2, retry_after=5000)
        return batch(chains, WRITES)

    interpose(done, WRITES, throttling)
    result = done.ensure(people)
    assert result["summary"] == {"ready": 23, "missing": 0, "conflict": 0, "failed": 2, "changed": 23}
    assert {user["failure_reason"] for user in result["users"]} == {None, "graph_throttled"}
    written = {user["userPrincipalName"] for user in cloud.server.users() if user["usageLocation"]}
    assert written == {user["upn"] for user in result["users"] if user["changed"]}


@pytest.mark.parametrize("sent", [False, True])
def test_a_tenant_that_goes_away_between_two_batches(cloud: Any, sent: bool) -> None:
    people = [person(f"p{number}", cloud.arrive(f"p{number}"), ()) for number in range(25)]
    done = procedure(cloud)
    gone = Answer(0, {}, fault=GraphFailure("unreachable", "Gone.", unsure=sent))
    interpose(done, WRITES, lambda chains, batch: batch(chains[:20], WRITES) + [[gone] for _chain in chains[20:]])
    result = done.ensure(people)
    assert result["summary"] == {"ready": 20, "missing": 0, "conflict": 0, "failed": 5, "changed": 25 if sent else 20}
    unknown = " Whether setting the usage location was served all the same is not known." if sent else ""
    assert {user["msg"] for user in result["users"][20:]} == {f"{one['upn']}: Gone.{unknown}" for one in people[20:]}


def test_names_that_cannot_be_looked_up_are_not_free(cloud: Any) -> None:
    strangers = [source_anchor("x", None, str(uuid.uuid4())) for _number in range(25)]
    done = procedure(cloud, wait_timeout=5)
    gone = Answer(0, {}, fault=GraphFailure("unreachable", "Gone.", passing=True))

    def going(chains: Any, batch: Any) -> Any:
        names = chains[0][0].path.startswith("/users/")
        return (
            batch(chains[:20], "looking for people") + [[gone] for _chain in chains[20:]] if names else batch(chains, "looking for people")
        )

    interpose(done, "looking for people", going)
    result = done.ensure([person(f"p{number}", one) for number, one in enumerate(strangers)])
    assert [user["state"] for user in result["users"]] == ["missing"] * 20 + ["failed"] * 5
    assert {user["failure_reason"] for user in result["users"][20:]} == {"unreachable"}


def test_licences_that_are_held_stay(cloud: Any) -> None:
    anchor = cloud.arrive("anna")
    ensure(cloud, person("anna", anchor, ("SPE_E3",)))
    result = ensure(cloud, person("anna", anchor, ("FEW",)))
    assert result["users"][0]["changes"] == {"licenses": {"before": [], "after": ["FEW"]}}
    assert len(cloud.user("anna")["assignedLicenses"]) == 2


def test_few_requests(cloud: Any) -> None:
    cloud.server._tenant.skus = (replace(cloud.server._tenant.skus[0], seats=1000),)
    people = [person(f"p{number}", cloud.arrive(f"p{number}")) for number in range(120)]
    result = ensure(cloud, *people)
    assert result["summary"]["ready"] == 120
    reads_back = 8 + 1  # parts of 15 people, and their batch
    assert len(cloud.server.requests) - reads_back <= 2.3 * len(people)
    assert cloud.pauses == pytest.approx([1, 0.3]), "one second between the two looks, a moment before the licence is read"
    cloud.server.clear_requests()
    cloud.pauses.clear()
    assert not ensure(cloud, *people)["changed"]
    assert len(cloud.server.requests) - 2 <= 0.1 * len(people), "but for the sign-in"
    assert cloud.pauses == []


def test_a_sign_in_that_ends_after_a_write_keeps_what_was_written(cloud: Any) -> None:
    item = person("anna", cloud.arrive("anna"))

    def end_sign_in() -> None:
        cloud.server.expire_tokens()
        cloud.server.spoil("503", 10_000, path="oauth2")

    cloud.on_pause = [lambda: None, end_sign_in]
    result = ensure(cloud, item, wait_timeout=60)
    (anna,) = result["users"]
    assert (anna["state"], anna["failure_reason"], anna["changed"]) == ("failed", "unreachable", True)
    assert "sign-in" in anna["msg"] and "could not be read back" in anna["msg"]
    assert set(anna["changes"]) == {"usage_location", "licenses"}


def test_a_batch_of_writes_without_an_answer_is_told_as_a_change_that_is_not_known(cloud: Any) -> None:
    item = person("anna", cloud.arrive("anna"))
    cloud.server.spoil("html", 10_000, path="$batch", skip=2)
    result = ensure(cloud, item, wait_timeout=60)
    (anna,) = result["users"]
    assert (anna["state"], anna["failure_reason"], anna["changed"]) == ("failed", "graph_invalid", True)
    assert "Whether setting the usage location and assigning the licence was served all the same is not known." in anna["msg"]
    assert cloud.user("anna")["assignedLicenses"]


def test_a_user_that_is_not_whole_is_no_matter_of_the_others(cloud: Any) -> None:
    people = [person(f"p{number}", cloud.arrive(f"p{number}")) for number in range(3)]
    done = procedure(cloud, wait_timeout=60)
    bad = cloud.user("p1")["id"]

    def damaged(chains: Any, batch: Any) -> Any:
        answers = batch(chains, "looking for people")
        for (answer,) in answers:
            for user in answer.body.get("value", [answer.body]):
                if user.get("id") == bad:
                    user["assignedLicenses"] = None
        return answers

    interpose(done, "looking for people", damaged)
    result = done.ensure(people)
    assert [user["state"] for user in result["users"]] == ["ready", "failed", "ready"]
    assert result["failure_reason"] == "graph_invalid" and "assignedLicenses" in result["msg"]


# -- one time for everything


def real(cloud: Any, seconds: float, *items: dict[str, Any]) -> tuple[Any, float]:
    """Do it against the real clock; returns the result (or what was raised), and the seconds it took."""
    began = time.monotonic()
    client = GraphClient(read_graph_options(cloud.options(), {}), Deadline(seconds + 1))
    try:
        result: Any = CloudUsers(client, Deadline(seconds), wait_sleep=0.2).ensure(items)
    except HybridIdentityError as error:
        result = error
    return result, time.monotonic() - began


@pytest.mark.parametrize(
    ("path", "skip"),
    [("oauth2", 0), ("subscribedSkus", 0), ("$batch", 0), ("$batch", 2)],
    ids=["sign-in", "subscriptions", "look", "write"],
)
def test_one_byte_per_second_is_ended_within_the_time(cloud: Any, path: str, skip: int) -> None:
    item = person("anna", cloud.arrive("anna"))
    cloud.server.spoil("dripping", 10_000, path=path, skip=skip)
    with ends():
        result, _seconds = real(cloud, 3.0 if skip else 0.5, item)
    assert CLOSING_TIME + 2 < 10
    if path == "$batch" and skip:
        assert result["failed"] and result["failure_reason"] == "unreachable"
        assert result["changed"], "it was sent, and served"
        assert "is not known" in result["users"][0]["msg"]
    else:
        assert result.reason == "unreachable"


def test_somebody_who_never_comes_does_not_hold_up_the_others(cloud: Any) -> None:
    item = person("anna", cloud.arrive("anna"))
    ready: list[float] = []
    cloud.on_pause = [lambda: ready.append(cloud.now) if cloud.user("anna")["assignedLicenses"] else None for _number in range(500)]
    result = ensure(cloud, item, person("late", STRANGER), wait_timeout=600)
    assert [user["state"] for user in result["users"]] == ["ready", "missing"]
    assert ready[0] - 1000 < 5
    assert 595 < sum(cloud.pauses) <= 600


def test_pauses_grow_to_the_longest(cloud: Any) -> None:
    ensure(cloud, person("late", STRANGER), wait_timeout=60, wait_sleep=7)
    assert cloud.pauses[0] == 1
    growing = [round(pause, 6) for pause in cloud.pauses[:-1]]  # the last one ends with the time
    assert growing == sorted(growing) and round(growing[-1]) == 7


def test_without_waiting_nobody_is_awaited_but_everything_is_written(cloud: Any) -> None:
    result = ensure(cloud, person("anna", cloud.arrive("anna")), person("late", STRANGER), wait=False)
    assert [user["state"] for user in result["users"]] == ["ready", "missing"]
    assert sum(cloud.pauses) < 5


def test_nothing_is_written_when_the_time_is_over(cloud: Any) -> None:
    item = person("anna", cloud.arrive("anna"))
    result = ensure(cloud, item, wait_timeout=0)
    assert (result["users"][0]["state"], result["failure_reason"]) == ("failed", "wait_timeout")
    assert "no time was left" in result["msg"] and not result["changed"]
    assert writes_of(cloud) == []


# -- a filter that lags


def test_a_lagging_filter_makes_nobody_conflict_with_himself(cloud: Any) -> None:
    cloud.server.options.filter_lag = 3600
    anchor = cloud.arrive("anna")
    result = ensure(cloud, person("anna", anchor), wait_timeout=20)
    assert (result["users"][0]["state"], result["failure_reason"]) == ("ready", None)
    assert sum(cloud.pauses) < 20
    (again,) = ensure(cloud, person("anna", anchor), wait=False)["users"]
    assert again["state"] == "ready"
    (predicted,) = ensure(cloud, person("anna", anchor), check_mode=True)["users"]
    assert predicted["state"] == "ready"


def test_a_lagging_filter_does_not_hide_a_stranger_with_the_name(cloud: Any) -> None:
    cloud.arrive("anna")
    cloud.server.options.filter_lag = 3600
    result = ensure(cloud, person("anna", STRANGER), wait_timeout=10)
    assert (result["users"][0]["state"], result["failure_reason"]) == ("conflict", "upn_conflict")


# -- licences


def test_plans_that_exclude_each_other(cloud: Any) -> None:
    first, second = cloud.server._tenant.skus
    cloud.server._tenant.skus = (replace(first, excludes=(second.sku_id,)), second)
    result = ensure(cloud, person("anna", cloud.arrive("anna"), ("SPE_E3", "FEW")), person("ben", cloud.arrive("ben")))
    assert [user["state"] for user in result["users"]] == ["failed", "ready"]
    assert result["failure_reason"] == "licence_refused" and "mutually exclusive" in result["msg"]


def test_a_plan_that_is_missing(cloud: Any) -> None:
    first, second = cloud.server._tenant.skus
    cloud.server._tenant.skus = (replace(first, requires=(second.sku_id,)), second)
    result = ensure(cloud, person("anna", cloud.arrive("anna")))
    assert result["failure_reason"] == "licence_refused" and "depends on the service plan(s)" in result["msg"]
    assert ensure(cloud, person("anna", cloud.arrive("anna"), ("FEW", "SPE_E3")))["summary"]["ready"] == 1


def test_an_invalid_location_without_our_own_write_is_told_at_once(cloud: Any) -> None:
    result = ensure(cloud, {**person("anna", cloud.arrive("anna")), "usage_location": ""})
    assert result["failure_reason"] == "licence_refused" and "invalid usage location" in result["msg"]
    assert sum(cloud.pauses) < 2


def test_one_lasting_refusal_does_not_hold_up_the_others(cloud: Any) -> None:
    anna, ben = cloud.arrive("anna"), cloud.arrive("ben")
    ready_at: list[float] = []
    done = procedure(cloud)
    me = cloud.user("anna")["id"]

    def refusing(chains: Any, batch: Any) -> Any:
        answers = batch(chains, WRITES)
        for number, chain in enumerate(chains):
            if me in chain[-1].path:
                answers[number][-1] = refusal(400, "License assignment cannot be done for user with invalid usage location.")
        return answers

    interpose(done, WRITES, refusing)
    cloud.on_pause = [lambda: ready_at.append(cloud.now) if cloud.user("ben")["assignedLicenses"] else None for _number in range(300)]
    result = done.ensure([person("anna", anna), person("ben", ben)])
    assert [user["state"] for user in result["users"]] == ["failed", "ready"]
    assert ready_at[0] - 1000 < 5
    assert sum(cloud.pauses) < 200


def test_a_licence_that_reads_do_not_show_yet_is_awaited_and_not_assigned_again(cloud: Any) -> None:
    cloud.server.options.licence_read_lag = 0.5
    item = person("anna", cloud.arrive("anna"))
    result, seconds = real(cloud, LONG, item)
    assert result["users"][0]["state"] == "ready" and seconds > 0.5
    assert Counter(writes_of(cloud)) == {"location": 1, "licence": 1}


def test_a_licence_that_no_read_shows_is_not_confirmed(cloud: Any) -> None:
    cloud.server.options.licence_read_lag = 3600
    result = ensure(cloud, person("anna", cloud.arrive("anna")), wait_timeout=60)
    (anna,) = result["users"]
    assert (anna["state"], anna["failure_reason"], anna["changed"]) == ("failed", "not_confirmed", True)
    assert anna["changes"]["licenses"] == {"before": [], "after": ["SPE_E3"]}
    assert "Run the task again" in result["msg"] and "Synchronization Service" not in result["msg"]
    assert Counter(writes_of(cloud)) == {"location": 1, "licence": 1}
    growing = [round(pause, 6) for pause in cloud.pauses[1:-1]]
    assert growing == sorted(growing), "with pauses that grow"


def test_a_filter_that_lags_behind_a_licence_is_passed_by(cloud: Any) -> None:
    """The read by id is fresher than the filter."""
    item = person("anna", cloud.arrive("anna"))
    done = procedure(cloud)
    batch = done._client.batch

    def stale(chains: Any, what: str) -> Any:
        answers = batch(chains, what)
        for (call,), (answer,) in zip(chains, answers) if what == "looking for people" else ():
            if "$filter" in call.path:
                for user in answer.body["value"]:
                    user["assignedLicenses"] = []
        return answers

    done._client.batch = stale  # type: ignore[method-assign]
    assert done.ensure([item])["users"][0]["state"] == "ready"
    assert sum(cloud.pauses) < 10


# -- what is told


def test_nothing_of_the_tenant_commands_the_terminal(cloud: Any) -> None:
    evil = "\x1b[2J\x1b]0;x\x07\u202e\r\n"
    cloud.arrive("anna")
    cloud.server.add_user(userPrincipalName=f"ben{evil}@lab.example", displayName="x")
    for user in cloud.server._tenant.live.values():
        if user["displayName"] == "anna":
            user["userPrincipalName"] = f"an{evil}na@lab.example"
            user["createdDateTime"] = user["onPremisesLastSyncDateTime"] = f"2026{evil}"
            user["onPremisesProvisioningErrors"] = [
                {"category": "PropertyConflict", "occurredDateTime": "x", "propertyCausingError": f"User{evil}", "value": evil}
            ]
            anchor = user["onPremisesImmutableId"]
    cloud.server._tenant.skus = (replace(cloud.server._tenant.skus[0], part_number=f"E{evil}"),)
    texts = [repr_of(ensure(cloud, person("anna", anchor, ()), wait_timeout=10))]
    with pytest.raises(HybridIdentityError) as caught:
        ensure(cloud, person("anna", anchor, ("E9",)))
    texts.append(repr_of(caught.value.as_result()))
    for text in texts:
        assert not set(text) & {"\x1b", "\x07", "\u202e", "\r", "\n"}


def repr_of(value: Any) -> str:
    """Every text in a result."""
    if isinstance(value, dict):
        return "".join(repr_of(part) for pair in value.items() for part in pair)
    if isinstance(value, (list, tuple)):
        return "".join(map(repr_of, value))
    return str(value)


def test_an_empty_list_of_subscriptions_is_no_missing_licence(cloud: Any) -> None:
    for kind in ("empty list", "null entries", "null value", "html"):
        cloud.server.spoil(kind, 1000, path="subscribedSkus")
        with pytest.raises(HybridIdentityError) as caught:
            ensure(cloud, person("anna", cloud.arrive("anna")))
        assert caught.value.reason == "graph_invalid"
