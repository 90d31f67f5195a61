# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Decisions on passwords: every row, and a proof that nothing raises by being taken away."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sync_cases import probe

from ansible_collections.hybrid.identity.plugins.module_utils._engines._contract import Connector
from ansible_collections.hybrid.identity.plugins.module_utils._engines._password_contract import (
    ChannelLook,
    ChannelState,
    Edge,
    EventPage,
    Forced,
    ForceOutcome,
    PartitionState,
    Switched,
)
from ansible_collections.hybrid.identity.plugins.module_utils._engines._password_events import Sign, read_event
from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._passwords._actions import Force, ReadEvents, ReadSince, Stop
from ansible_collections.hybrid.identity.plugins.module_utils._passwords._case import Case
from ansible_collections.hybrid.identity.plugins.module_utils._passwords._decide import OBSERVE_ROWS, ROWS, SWITCH_ROWS, row_of
from ansible_collections.hybrid.identity.plugins.module_utils._passwords._desired import DesiredPasswords
from ansible_collections.hybrid.identity.plugins.module_utils._passwords._health import health_of
from ansible_collections.hybrid.identity.plugins.module_utils._passwords._journal import Journal
from ansible_collections.hybrid.identity.plugins.module_utils._passwords._observed import (
    DONE,
    LOST,
    Observed,
    Sent,
    Trouble,
    after_reading,
)
from ansible_collections.hybrid.identity.plugins.module_utils._passwords._proof import prove
from ansible_collections.hybrid.identity.plugins.module_utils._remote._clock import ClockLead
from ansible_collections.hybrid.identity.plugins.module_utils._remote._transport import ConnectionBroken

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)
ID = "a9de824d-50db-512a-bce9-3ff9f12f7283"
LEAD = ClockLead(0, 0)
FOREST = ChannelState("contoso.com", ID, True, False, ("DC=contoso,DC=com",))
UNREADABLE = replace(FOREST, enabled=None, flag=None, readable=False)
FOREST_BY_NAME = (Connector("contoso.com", ID, "AD", True),)
TEXTS = {
    601: "starting: contoso.com",
    602: "stopping: contoso.com",
    611: "failed for domain: contoso.com. RPC Error 8453 : denied",
    613: "paused: contoso.com",
    617: "full started: contoso.com",
    618: "full started for domain: contoso.com",
    621: "full failed: contoso.com",
    622: "completed for domain: contoso.com",
    623: "completed for forest: contoso.com",
    654: "ping end",
    656: "Password Change Request - Anchor : aaaaaaaaaaaaaaaaaaaaaa==, Dn : CN=A,DC=contoso,DC=com, Change Date : x",
    657: "Password Change Result - Anchor : aaaaaaaaaaaaaaaaaaaaaa==, Dn : CN=A,DC=contoso,DC=com, Result : Success.",
}


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def sign(record: int, event_id: int, seconds: float) -> Sign:
    return read_event(record, event_id, at(seconds), TEXTS[event_id])


def page(*signs: Sign, oldest: int = 1, last: int = 1000, now: float = 0) -> EventPage:
    return EventPage(at(now), LEAD, signs, True, Edge(oldest, at(-100000)), Edge(last, at(now)), last, False)


def look(seconds: float = 0, **changes: Any) -> ChannelLook:
    values: dict[str, Any] = {"channels": (FOREST,), "clouds": ("x - AAD",), "busy": (), "partitions": None, "feature": True}
    values.update(staging=False, unattended=True, admin=True)
    return ChannelLook(at(seconds), LEAD, **{**values, **changes})


def seen(*signs: Sign, start: int | None = None, rolled: bool = False, now: float = 0, **changes: Any) -> Observed:
    channels = changes.pop("look", look())
    known = Observed(probe(), LEAD, at(now), 100.0, 220.0, look=channels, first_look=channels, looked_at=at(0))
    known = replace(known, history=True, source=True, marker=Edge(10, at(0)))
    journal = Journal(start=start, last=10).with_page(page(*signs, last=max([10, *(one.record for one in signs)]), now=now), known.forests)
    return replace(known, journal=replace(journal, rolled=rolled), **changes)


def desired(**changes: Any) -> DesiredPasswords:
    return DesiredPasswords(NOON, **{"quiet_period": 30, **changes})


def forced(**changes: Any) -> Forced:
    return Forced(
        **{
            "name": "contoso.com",
            "flagged": True,
            "off": True,
            "on": True,
            "enabled": True,
            "flag": False,
            "at": at(1),
            "error": None,
            **changes,
        }
    )


def sent(answer: str = DONE, said: Forced | None = None) -> Sent:
    outcome = ForceOutcome(at(1), (), (), (said or forced(),), False) if answer == DONE else None
    return Sent(at(1), "stamp", (ID,), answer, "it broke.", outcome)


FULL = [sign(11, 601, 1), sign(12, 617, 2), sign(13, 656, 3), sign(14, 657, 4), sign(15, 622, 5), sign(16, 623, 6)]
OLD = [sign(3, 617, -500), sign(4, 623, -400)]
OURS: dict[str, Any] = {"sent": sent(), "seen_on": frozenset({ID}), "start": 10}
TROUBLE = Trouble(ConnectionBroken("gone"), 1.0)

ROWS_OF: dict[str, tuple[DesiredPasswords, Observed]] = {
    "trouble": (desired(), seen(trouble=TROUBLE)),
    "look after": (desired(), seen(sent=sent(LOST), looked_at=None)),
    "work goes on": (desired(), seen(sent=sent(LOST), look=look(tasks={"work-stamp": True}))),
    "repair": (desired(), seen(sent=sent(LOST))),
    "left off": (desired(), seen(sent=sent(LOST), repairs=9)),
    "begin to read": (desired(), seen(**{**OURS, "start": None})),
    "look before again": (desired(), seen(**{**OURS, "sent": sent(LOST)}, now=70, sendings=1, look=look(channels=(UNREADABLE,)))),
    "force again": (desired(), seen(**{**OURS, "sent": sent(LOST)}, now=70, sendings=1, look=look(65, channels=(UNREADABLE,)))),
    "nothing came": (desired(), seen(**{**OURS, "sent": sent(LOST)}, now=30)),
    "not waiting": (desired(wait=False), seen(FULL[1], **OURS)),
    "last look": (desired(), seen(*FULL, **OURS, looked_at=None)),
    "people": (desired(users=("CN=B,DC=contoso,DC=com",)), seen(*FULL, **OURS)),
    "judge": (desired(), seen(*FULL, **OURS)),
    "time over": (desired(), seen(FULL[1], **OURS, time_left=0.0)),
    "read": (desired(), seen(FULL[1], **OURS)),
    "blocked": (desired(), seen(probe=replace(probe(), blocker=HybridIdentityError("service_stopped", "The service does not run.")))),
    "look": (desired(), replace(seen(), look=None)),
    "refused": (desired(), seen(look=look(clouds=()))),
    "history": (desired(), replace(seen(), history=False)),
    "no events": (desired(), seen(source=False)),
    "future": (desired(since=at(100)), seen()),
    "nameless people": (desired(users=("amy@contoso.com",)), seen(look=look(channels=(UNREADABLE,)))),
    "find people": (desired(users=("amy@contoso.com",)), seen()),
    "unknown people": (desired(users=("amy@contoso.com",)), seen(found={})),
    "follow": (desired(users=("CN=A,DC=contoso,DC=com",)), seen(*OLD)),
    "covered": (desired(), seen(*OLD)),
    "too soon": (desired(since=at(0)), seen(*OLD)),
    "old failure": (desired(), seen(sign(5, 613, -5000))),
    "check mode": (desired(check_mode=True), seen()),
    "other too long": (desired(since=at(0), force=True), seen(OLD[0], time_left=0.0)),
    "wait for other": (desired(since=at(0), force=True), seen(OLD[0])),
    "busy too long": (desired(), seen(time_left=0.0)),
    "look again": (desired(), seen(looked_at=None)),
    "busy": (desired(), seen(look=look(busy=("contoso.com",)))),
    "force": (desired(), seen()),
}
SWITCHES_OF: dict[str, tuple[DesiredPasswords, Observed]] = {
    "trouble": (desired(state="disabled"), seen(trouble=TROUBLE)),
    "look after": (desired(state="disabled"), seen(switch_lost="gone", looked_at=None)),
    "work goes on": (desired(state="disabled"), seen(switch_lost="gone", look=look(tasks={"work-x": True}))),
    "ended": (desired(state="disabled"), seen(switched={"contoso.com": Switched("contoso.com", True, "no")})),
    "blocked": ROWS_OF["blocked"],
    "look": ROWS_OF["look"],
    "refused": (desired(state="enabled"), seen(look=look(feature=False))),
    "as wanted": (desired(state="enabled"), seen()),
    "check mode": (desired(state="disabled", check_mode=True), seen()),
    "switch": (desired(state="disabled"), seen()),
}
ANCHOR = "a" * 22 + "=="
SINCE: dict[str, Any] = {"observe_only": True, "since": at(0), "users": (ANCHOR,), "fail_on": "failed_named"}
OBSERVES_OF: dict[str, tuple[DesiredPasswords, Observed]] = {
    "trouble": (desired(**SINCE), seen(trouble=TROUBLE)),
    "future": (desired(**{**SINCE, "since": at(100)}), seen()),
    "begin to read": (desired(**SINCE), replace(seen(look=None), history=False)),
    "no events": (desired(**SINCE), seen(source=False)),
    "everybody has a result": (desired(**SINCE), seen(FULL[3], start=10)),
    "not waiting": (desired(wait=False, **SINCE), seen(FULL[2], start=10)),
    "nothing will come": (desired(**SINCE), seen(sign(11, 613, 1), start=10)),
    "time over": (desired(**SINCE), seen(FULL[2], sign(12, 654, 5), start=10, time_left=0.0)),
    "read on": (desired(**SINCE), seen(FULL[2], sign(12, 654, 5), start=10)),
}


@pytest.mark.parametrize("name", [row.name for row in ROWS])
def test_every_row_of_the_decision_is_reached(name: str) -> None:
    restarting = ROWS_OF[name][1].look is not None and not ROWS_OF[name][1].look.channels[0].readable  # type: ignore[union-attr]
    case = Case(*ROWS_OF[name], can_switch=not restarting, restarts=restarting, finds_people=not restarting)
    row = row_of(case)
    assert row.name == name
    assert row.when
    assert row.then
    action = row.action(case)
    assert isinstance(action, Stop) is row.then.startswith("stop") or row.name == "trouble"


@pytest.mark.parametrize("name", [row.name for row in SWITCH_ROWS])
def test_every_row_of_switching_is_reached(name: str) -> None:
    wanted, known = SWITCHES_OF[name]
    case = Case(replace(wanted, state=wanted.state if wanted.state != "synced" else "enabled"), known)
    row = row_of(case)
    assert row.name == name
    assert isinstance(row.action(case), Stop) is row.then.startswith("stop") or row.name == "trouble"


@pytest.mark.parametrize("name", [row.name for row in OBSERVE_ROWS])
def test_every_row_of_observing_is_reached_and_none_changes_anything(name: str) -> None:
    wanted, known = OBSERVES_OF[name]
    case = Case(wanted, replace(known, probe=replace(known.probe, connectors=FOREST_BY_NAME), look=None, first_look=None))
    row = row_of(case)
    action = row.action(case)
    assert row.name == name
    assert isinstance(action, Stop) is row.then.startswith("stop") or row.name == "trouble"
    assert isinstance(action, (Stop, ReadEvents, ReadSince)), "nothing is forced, nothing is switched, and no task is made on the server"


def test_nothing_is_forced_while_a_channel_may_be_off() -> None:
    for answer in (DONE, LOST):
        for looked in (None, at(0)):
            known = seen(sent=sent(answer, forced(enabled=False)), looked_at=looked, repairs=9)
            assert not isinstance(row_of(Case(desired(), known)).action(Case(desired(), known)), Force)


_RANK = {None: 0, "not_confirmed": 0, "failed": 0, "requested": 0, "started": 2, "confirmed": 3, "finished": 4, "verified": 5}
GOOD = look(10, partitions=(PartitionState(ID, "DC=contoso,DC=com", "Successful", at(2)),))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(FULL), unique_by=lambda one: one.record),
    st.booleans(),
    st.booleans(),
    st.floats(min_value=7, max_value=400),
    st.data(),
)
def test_taking_evidence_away_never_makes_more_proven(signs: list[Sign], rolled: bool, parts: bool, now: float, data: Any) -> None:
    signs = sorted(signs, key=lambda one: one.record)
    fewer = [one for one in signs if data.draw(st.booleans())]
    whole = seen(*signs, rolled=rolled, now=now, **{**OURS, "look": GOOD if parts else look(10)})
    less = seen(*fewer, rolled=rolled, now=now, **{**OURS, "look": look(10)})
    before, after = (prove(desired(), one, FOREST, NOON) for one in (whole, less))
    # Without the marks of an engine that has them it is one that has none, and then silence is all there is: never more than confirmed.
    limit = max(_RANK[before.state], _RANK["confirmed"] if before.full is not None else 0)
    assert _RANK[after.state] <= limit


def test_the_ladder() -> None:
    def state(*signs: Sign, now: float = 10, **changes: Any) -> str | None:
        return prove(desired(), seen(*signs, now=now, **{**OURS, **changes}), FOREST, NOON).state

    assert state(*FULL, look=GOOD) == "verified"
    assert state(*FULL, look=replace(GOOD, at=at(5))) == "finished", "a look before the end proves nothing of it"
    assert state(*FULL, look=GOOD, rolled=True) == "finished"
    assert state(*FULL[:3]) == "started"
    assert state(FULL[0], *FULL[2:4], now=200) == "confirmed"
    assert state(*FULL[2:4], now=200) == "not_confirmed", "without the start of the agent it may be any traffic"
    assert state(now=200) == "not_confirmed"
    assert state(*FULL[:3], sign(17, 602, 8)) == "not_confirmed", "it was cut"
    assert state(*FULL[:3], sign(17, 621, 8)) == "failed"


def test_a_full_synchronisation_that_is_stuck_covers_nothing_and_is_not_awaited() -> None:
    def case(*signs: Sign, **changes: Any) -> Case:
        return Case(desired(**changes), seen(*signs))

    stuck = (sign(3, 617, -500), sign(4, 611, -400))
    assert row_of(case(*stuck)).name == "force", "600 s later nothing holds it up"
    assert row_of(case(*stuck, since=at(-450))).name == "force"
    assert row_of(case(*stuck, sign(5, 657, -390))).name == "force", "the ordinary channel sends passwords too"
    assert row_of(case(*stuck, sign(5, 622, -390))).name == "follow", "it went on"
    assert row_of(case(*stuck, sign(5, 623, -390))).name == "covered"


def test_health() -> None:
    def health(*ages: float, enabled: bool | None = True, journal: bool = True, staging: bool = False) -> Any:
        signs = [sign(5 + n, 654, -age) for n, age in enumerate(ages)]
        known = seen(*signs)
        channels = (replace(FOREST, enabled=enabled),)
        (row,) = health_of(channels, known.journal if journal else None, NOON, LEAD, staging=staging)
        return row["health"]

    assert health(60) == "healthy"
    assert health(9000, 60) == "healthy"
    assert health(121 * 60) == "late"
    assert health(181 * 60) == "dead"
    assert health() == "dead"
    assert health(60, enabled=False) is None
    assert health(60, enabled=None) == "healthy", "it was alive a minute ago, whatever could not be read"
    assert health(9000, enabled=None) == health(enabled=None) == health(60, journal=False) == "unknown"
    assert health(60, staging=True) is None, "nothing is to be expected there"
    assert health_of((), None, NOON, LEAD) == []


def observed(*signs: Sign, since: float = 0, oldest: int = 1, oldest_at: float = -100000, **changes: Any) -> Case:
    """What a look at people by name has seen, in one page of the log."""
    known = Observed(replace(probe(), connectors=FOREST_BY_NAME), LEAD, at(0), 100.0, 220.0)
    found = replace(page(*signs, oldest=oldest, last=max([20, *(one.record for one in signs)]), now=30), oldest=Edge(oldest, at(oldest_at)))
    wanted = desired(**{**SINCE, "since": at(since), **changes})
    return Case(wanted, after_reading(known, found, Case(wanted, known).threshold))


def result(event_id: int, seconds: float, words: str = "Success.", record: int = 15, dn: str = "CN=A,DC=contoso,DC=com") -> Sign:
    line = f"Password Change Result - Anchor : {ANCHOR}, Dn : {dn}, Result : {words}"
    asked = f"Password Change Request - Anchor : {ANCHOR}, Dn : {dn}, Change Date : x"
    return read_event(record, event_id, at(seconds), line if event_id == 657 else asked)


ALIVE = sign(14, 654, -600)


@pytest.mark.parametrize(
    ("signs", "oldest", "told"),
    [
        ([result(657, 5)], 1, "succeeded"),
        ([result(657, 5), result(657, 6, "Failed.", 16)], 1, "failed"),
        ([result(656, 5)], 1, "pending"),
        ([result(657, 4), result(656, 5, record=16)], 1, "pending"),
        ([ALIVE], 1, "not_seen"),
        ([result(657, -5)], 1, "not_seen"),
        ([ALIVE], 9, "unknown"),
        ([result(657, 5)], 9, "succeeded"),
    ],
    ids=["taken", "refused", "no result yet", "asked for anew", "nothing", "before", "log does not reach back", "seen all the same"],
)  # fmt: skip
def test_what_becomes_of_a_person_who_is_looked_for(signs: list[Sign], oldest: int, told: str) -> None:
    case = observed(*signs, oldest=oldest, oldest_at=-100000 if oldest == 1 else 2)
    (person,) = case.people
    assert (person.result, person.asked) == (told, ANCHOR)
    assert (person.reason is None) is (told == "succeeded")


@pytest.mark.parametrize(
    ("signs", "said"),
    [([ALIVE], False), ([result(657, -5)], True), ([result(657, -5, "Failed.")], False)],
    ids=["new", "there before", "never taken"],
)
def test_a_password_to_be_changed_is_a_reason_only_for_people_who_were_in_the_cloud_before(signs: list[Sign], said: bool) -> None:
    (person,) = observed(*signs).people
    assert ("next sign-in" in (person.reason or "")) is said
    forced_one = Case(desired(users=(ANCHOR,)), seen(*FULL[:2], start=10)).people[0]
    assert "for somebody who was in Entra ID before" in (forced_one.reason or ""), "where nobody knows it is said for whom it holds"


def test_looking_ends_early_where_nothing_is_to_be_expected() -> None:
    def stop(case: Case) -> tuple[str, str | None, str]:
        action = row_of(case).action(case)
        return row_of(case).name, getattr(action, "reason", "-"), " ".join(getattr(action, "warnings", ()))

    probed = observed(ALIVE)
    assert stop(probed)[0] == "read on"
    silent = observed(oldest_at=-20000)
    assert stop(silent)[:2] == ("nothing will come", "not_confirmed")
    assert "no sign of life" in stop(silent)[2]
    assert stop(observed(oldest_at=-100))[0] == "read on", "a young log proves no silence"
    assert stop(observed(ALIVE, sign(16, 613, -10)))[:2] == ("nothing will come", "first_sync_unfinished")
    assert stop(observed(sign(12, 613, -700), ALIVE))[0] == "read on", "that has healed"
    staged = replace(probed.seen, probe=replace(probed.seen.probe, state=replace(probe().state, staging=True)))  # type: ignore[type-var]
    assert stop(Case(probed.desired, staged))[:2] == ("nothing will come", "staging")
    assert stop(observed(ALIVE, wait=False, fail_on="never"))[:2] == ("not waiting", None)
