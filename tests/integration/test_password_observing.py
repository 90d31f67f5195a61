# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Looking without forcing: people in the events of the ordinary channel, and the health of the channels in dirsync_info."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import procedures
import pytest
from estates import MakeEstate

from ansible_collections.hybrid.identity.plugins.module_utils._passwords import _inform
from lab.connect.identity import StagedObject
from lab.estate import Estate, EstateOptions
from lab.passwords.channels import Person
from lab.synchronisation import ExportedUser


@pytest.fixture
def with_fakes() -> Iterator[Estate]:
    """An estate for what is decided here alone."""
    with Estate(EstateOptions(directory=False, tenant=False, powershell="none")) as estate:
        yield estate


def observe(estate: Estate, *people: Person, user: str = "svc-sync", **params: Any) -> dict[str, Any]:
    """What becomes of these people, as a later task sees it that may read events and no more."""
    asked = [person.anchor for person in people]
    return procedures.passwords(estate, user, observe_only=True, users=asked, **{"max_age": 30, "fail_on": "never", **params})


def results(result: dict[str, Any]) -> list[str]:
    return [one["result"] for one in result["people"]]


def arrive(estate: Estate, name: str, *, must_change: bool = True) -> Person:
    """Somebody new is exported, with a password to be changed at the first sign-in."""
    guid = uuid.uuid4()
    staged = StagedObject(
        guid, f"CN={name},OU=Staff,DC=lab,DC=test", {"pwdlastset": [b"0" if must_change else b"1"], "samaccountname": [b"x"]}
    )
    estate.sync.channels.arrive(ExportedUser("add", f"{guid.hex[:22]}==", {"accountEnabled": True}), staged)
    return estate.sync.channels.all[0].people[-1]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_new_people_are_seen_by_who_may_only_read_events(make_estate: MakeEstate) -> None:
    connect = {"more_directories": ("fabrikam.test",), "password_new_delay": 1.0}
    estate = make_estate(connect=connect, clock_offset=-900.0, language="de", culture="de-DE", codepage=850)
    channel = estate.sync.channels.all[0]
    taken, refused, left = (arrive(estate, name) for name in ("Taken", "Refused", "Left"))
    refused.outcome, left.outcome = "failed", "unseen"
    kept, quiet = channel.people[:2]
    kept.must_change = True
    estate.sync.channels.change_password(kept)
    awaited = observe(estate, taken, refused)
    assert (awaited["failure_reason"], results(awaited)) == (None, ["succeeded", "failed"]), awaited["msg"]
    assert (awaited["changed"], awaited["connectors"], awaited["evidence"]) == (False, [], ["events"])
    assert awaited["people"][0]["connector"] == "lab.test"
    assert "1 of 2 people" in awaited["msg"]
    looked = observe(estate, taken, left, kept, wait=False, fail_on=None)
    assert (looked["failure_reason"], results(looked)) == ("not_confirmed", ["succeeded", "not_seen", "not_seen"])
    assert all("next sign-in" not in one["reason"] for one in looked["people"][1:]), "nobody here is known to have been in the cloud before"
    estate.sync.channels.send(channel, [quiet])
    estate.sync.clock.jump(125)
    before = observe(estate, quiet, taken, wait=False, check_mode=True)
    assert results(before) == ["not_seen", "not_seen"]
    assert "a password before" in before["people"][0]["reason"]
    assert "next sign-in" in before["people"][0]["reason"]
    later = observe(estate, kept, max_age=3, wait_timeout=2, fail_on=None)
    assert (later["failure_reason"], results(later)) == ("not_confirmed", ["not_seen"]), "its password is kept back"
    assert estate.sync.record.tasks == [], "no task is made on the server"
    assert estate.sync.passwords.switched == estate.sync.passwords.saved == []


def test_what_cannot_be_seen_is_no_result(with_fakes: Estate) -> None:
    estate = with_fakes
    estate.sync.configure(password_new_outcome="retrying")
    person = arrive(estate, "Retried")
    wait_until(lambda: not estate.sync.channels.all[0].arrivals)
    assert results(observe(estate, person, wait=False)) == ["retrying"]
    estate.sync.events.keep(1)
    estate.sync.events.write("ADSync", 2001)
    assert results(observe(estate, person, wait=False, max_age=3600)) == ["unknown"]
    estate.sync.configure(service_running=False)
    stopped = observe(estate, person, fail_on=None)
    assert stopped["failure_reason"] == "service_stopped", "nothing is awaited of a service that is away"
    estate.sync.configure(service_running=True, password_source_known=False)
    assert "does not know the event source" in observe(estate, person)["msg"]
    estate.sync.configure(password_source_known=True, events_readable=False)
    closed = observe(estate, person)
    assert (closed["failure_reason"], closed["people"]) == ("events_unavailable", [])


def health(estate: Estate, user: str = "svc-password") -> tuple[dict[str, Any], dict[str, str]]:
    told = procedures.inform(estate, user, password_sync=True)
    return told["password_sync"], told["problems"]


def test_health_of_each_forest(make_estate: MakeEstate) -> None:
    estate = make_estate(connect={"more_directories": ("fabrikam.test",)}, clock_offset=900.0, language="de", culture="de-DE", codepage=850)
    first, second = estate.sync.channels.all
    estate.sync.clock.jump(1801)
    wait_until(
        lambda: all(one.last_traffic is not None and (estate.sync.clock.now() - one.last_traffic).seconds < 60 for one in (first, second))
    )
    told, problems = health(estate)
    assert [(one["name"], one["enabled"], one["health"]) for one in told["connectors"]] == [
        ("lab.test", True, "healthy"),
        ("fabrikam.test", True, "healthy"),
    ]
    assert all(0 <= one["age"] < 60 for one in told["connectors"])
    assert (told["feature"], problems) == (True, {})
    if estate.host.mode == "powershell":
        return  # the scripts have told all they can; what is made of it is the same
    estate.sync.configure(password_first_sync_done=False, password_feature=None)  # from now on nothing is sent
    estate.sync.clock.jump(7500)
    estate.sync.channels.send(second, second.people)  # traffic takes the place of heartbeats
    told, problems = health(estate)
    assert [one["health"] for one in told["connectors"]] == ["late", "healthy"]
    assert told["connectors"][0]["last_sign"] is not None
    assert told["feature"] is None
    assert "whether the tenant takes password hashes is not known" in problems["password_sync"]
    second.enabled = False
    estate.sync.clock.jump(4000)
    assert [(one["enabled"], one["health"]) for one in health(estate)[0]["connectors"]] == [(True, "dead"), (False, None)]


def test_health_where_rights_are_missing_or_nothing_can_be_asked(with_fakes: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    estate = with_fakes
    told, problems = health(estate, "svc-limited")
    assert told["connectors"] is None
    assert "event log could not be read" in problems["password_sync"]
    assert "channels could not be read" in problems["password_sync"]
    estate.sync.configure(tasks_run=False)
    told, problems = health(estate)
    assert [(one["enabled"], one["age"] is not None, one["health"]) for one in told["connectors"]] == [(None, True, "healthy")]
    assert "channels could not be read" in problems["password_sync"]
    estate.sync.configure(tasks_run=True, password_source_known=False)
    told, problems = health(estate)
    assert [(one["enabled"], one["health"]) for one in told["connectors"]] == [(True, "unknown")]
    assert "event source" in problems["password_sync"]
    monkeypatch.setattr(_inform, "driver_of", lambda engine: None)
    told, problems = health(estate)
    assert (told["connectors"], told["feature"]) == (None, None)
    assert "cannot be looked at by this release" in problems["password_sync"]
    assert procedures.inform(estate)["password_sync"]["connectors"] is None, "left out, it costs nothing and is no problem"
    assert "password_sync" not in procedures.inform(estate)["problems"]
