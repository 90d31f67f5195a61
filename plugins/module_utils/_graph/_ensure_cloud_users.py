# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Ensure that people are in Entra ID with usage location and licences: await, protect against stale reads, write, report."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Any, Callable, Mapping, Optional, Sequence
from urllib.parse import quote

from .._failure import HybridIdentityError
from ._client import Answer, Call, GraphClient
from ._failures import GraphFailure
from ._people import SELECTED, Person, free_seats, is_settled, judge, resolve_licences, source_anchor

#: how long a write may be refused because another replica does not know yet what was written before, in seconds
SETTLING_TIME = 120.0
_SETTLING_PAUSE = 5.0
_ADVICE = {
    "wait_timeout": " Check that the accounts are in the scope of the synchronisation, and run the task again.",
    "upn_conflict": " Settle who keeps the name.",
}
_READ_USERS = "User.Read.All"
_WRITE_USERS = "User.ReadWrite.All"
_READ_SKUS = "LicenseAssignment.Read.All"
_WRITE_LICENCES = "LicenseAssignment.ReadWrite.All"


class CloudUsers:
    """The procedure for one task.

    Args:
        client: of the tenant.
        check_mode: read and predict only, one look, nobody is awaited.
        wait, wait_timeout, wait_sleep: the wait family, in seconds.
        sleep, clock: for tests.
        progress: gets a line when the number of people who arrived changes.
    """

    def __init__(
        self,
        client: GraphClient,
        *,
        check_mode: bool = False,
        wait: bool = True,
        wait_timeout: float = 900,
        wait_sleep: float = 5,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        progress: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._client, self._check_mode, self._sleep, self._clock, self._progress = client, check_mode, sleep, clock, progress
        self._pause = max(0.1, wait_sleep)
        self._until = clock() + (wait_timeout if wait and not check_mode else 0)
        self._advanced = False
        self._free: dict[str, int] = {}

    def ensure(self, users: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Do it.

        Args:
            users: items of the option `users` of entra_user.

        Returns:
            changed, users, summary, failure_reason, msg, diff; failed when somebody is not ready (not in check mode for missing people).

        Raises:
            HybridIdentityError: nothing could be said about anybody (sign-in, permissions, throttling, input).
        """
        people = self._people(users)
        self._await(people)
        self._close_arrivals(people)
        settled = [person for person in people if person.awaited]
        self._locate([person for person in settled if person.location_wanted])
        self._license([person for person in settled if person.awaited and person.licences_wanted])
        for person in settled:
            if person.awaited:
                person.state, person.msg = "ready", f"{person.upn} is ready."
        if self._check_mode:
            self._predict([person for person in people if person.state == "missing"])
        return outcome(people, self._check_mode)

    # -- who

    def _people(self, users: Sequence[Mapping[str, Any]]) -> list[Person]:
        names = [name for user in users for name in user.get("licenses") or []]
        skus = self._client.read("/subscribedSkus", "reading the subscriptions", _READ_SKUS) if names else []
        self._free = free_seats(skus)
        people = []
        for user in users:
            upn = str(user["upn"]).strip()
            anchor = source_anchor(upn, user.get("source_anchor"), user.get("object_guid"))
            if not anchor and not self._check_mode:
                raise HybridIdentityError("invalid_input", f"{upn}: neither source_anchor nor object_guid is given.")
            location = str(user.get("usage_location") or "").strip().upper()
            people.append(Person(upn, anchor, location, resolve_licences(user.get("licenses") or [], skus)))
        return people

    # -- arrivals

    def _await(self, people: Sequence[Person]) -> None:
        first, shown = True, -1
        while True:
            open_ones = [person for person in people if person.awaited and person.source_anchor and not is_settled(person)]
            if open_ones:
                self._look(open_ones, first)
                open_ones = [person for person in open_ones if person.awaited and not is_settled(person)]
            arrived = len(people) - len([person for person in people if not person.id])
            if arrived != shown:
                self._progress(f"{arrived} of {len(people)} people are in Entra ID")
                shown = arrived
            # When the time is over there is still a second look at those who were found just now: a write depends on it.
            left = self._until - self._clock()
            hopeful = [person for person in open_ones if left > 0 or person.hits]
            if not hopeful:
                return
            first = False
            self._sleep(min(self._pause, left) if left > 0 else self._pause)

    def _look(self, people: Sequence[Person], first: bool) -> None:
        answers = self._client.batch([self._question(person) for person in people], "looking for people")
        if not self._advanced and any(answer.code == "Request_UnsupportedQuery" for answer in answers):
            # The stored tables of Graph's documentation disagree on whether this filter needs the advanced parameters.
            self._advanced = True
            answers = self._client.batch([self._question(person) for person in people], "looking for people")
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        for person, answer in zip(people, answers):
            judge(person, _found(person, answer), now, first)

    def _question(self, person: Person) -> Call:
        if person.id:  # a read by id is fresher than a filter
            return Call("GET", f"/users/{person.id}?$select={SELECTED}")
        anchor = quote(person.source_anchor.replace("'", "''"), safe="")
        path = f"/users?$filter=onPremisesImmutableId%20eq%20'{anchor}'&$select={SELECTED}"
        return Call("GET", f"{path}&$count=true", headers={"ConsistencyLevel": "eventual"}) if self._advanced else Call("GET", path)

    def _close_arrivals(self, people: Sequence[Person]) -> None:
        """Decide on everybody who has not arrived; the reason may be that somebody else has the name."""
        late = [person for person in people if person.awaited and not is_settled(person)]
        strangers = [person for person in late if not person.id]
        calls = [Call("GET", f"/users/{quote(person.upn, safe='@')}?$select=id,onPremisesImmutableId") for person in strangers]
        owners = dict(zip((id(person) for person in strangers), self._client.batch(calls, "looking for names") if calls else []))
        for person in late:
            owner = owners.get(id(person))
            if owner is not None and owner.fault:
                raise owner.fault
            if owner is not None and owner.ok and owner.body.get("onPremisesImmutableId"):
                text = (
                    f"{person.upn}: this user principal name belongs to another synchronised person in the tenant ({owner.body.get('id')})."
                )
                person.fail("conflict", "upn_conflict", text)
            elif self._check_mode:
                person.state, person.msg = "missing", f"{person.upn} {person.why} yet."
            elif owner is not None and owner.ok:
                person.fail(
                    "missing", "wait_timeout", f"{person.upn}: the tenant has a user of this name that was not joined with the person."
                )
            else:
                person.fail("missing", "wait_timeout", f"{person.upn} {person.why} yet.")

    def _predict(self, people: Sequence[Person]) -> None:
        """In check mode: what would be written for those who are not there yet."""
        for person in people:
            if person.location_wanted:
                person.changes["usage_location"] = _change(person.user.get("usageLocation"), person.location_wanted)
            if person.licences_wanted:
                person.changes["licenses"] = _change([], [person.licenses[sku] for sku in person.licences_wanted])

    # -- writing

    def _locate(self, people: Sequence[Person]) -> None:
        if not self._check_mode:
            calls = {id(person): Call("PATCH", f"/users/{person.id}", {"usageLocation": person.location_wanted}) for person in people}
            self._write(people, calls, "setting the usage location", _WRITE_USERS)
        for person in people:
            if person.awaited:
                person.changes["usage_location"] = _change(person.user.get("usageLocation"), person.location_wanted)

    def _license(self, people: Sequence[Person]) -> None:
        served = [person for person in people if self._take_seats(person)]
        if not self._check_mode:
            calls = {
                id(person): Call(
                    "POST",
                    f"/users/{person.id}/assignLicense",
                    {"addLicenses": [{"skuId": sku, "disabledPlans": []} for sku in person.licences_wanted], "removeLicenses": []},
                )
                for person in served
            }
            self._write(served, calls, "assigning the licence", _WRITE_LICENCES)
        for person in served:
            if person.awaited:
                added = [person.licenses[sku] for sku in person.licences_wanted]
                held = [name for sku, name in person.licenses.items() if sku not in person.licences_wanted]
                person.changes["licenses"] = _change(held, held + added)

    def _take_seats(self, person: Person) -> bool:
        short = [sku for sku in person.licences_wanted if self._free.get(sku, 0) < 1]
        if short:
            text = f"{person.upn}: the tenant has no free seat of licence {person.licenses[short[0]]}."
            person.fail("failed", "licence_refused", text)
            return False
        for sku in person.licences_wanted:
            self._free[sku] -= 1
        return True

    def _write(self, people: Sequence[Person], calls: Mapping[int, Call], what: str, permission: str) -> None:
        """Write for many, each repeated while the refusal is that of a replica that lags behind."""
        waiting = list(people)
        until = self._clock() + SETTLING_TIME
        while waiting:
            try:
                answers = self._client.batch([calls[id(person)] for person in waiting], what)
            except GraphFailure as fault:  # what was written before must stay in the result
                answers = [Answer(0, {}, fault=fault)] * len(waiting)
            again = []
            for person, answer in zip(waiting, answers):
                if _settling(person, answer) and self._clock() < until:
                    again.append(person)
                elif answer.fault:
                    person.fail("failed", answer.fault.reason, f"{person.upn}: {answer.fault.message}")
                elif not answer.ok:
                    failure = answer.failure(f"{what} of {person.upn}", permission)
                    person.fail("failed", failure.reason, failure.message)
            waiting = again
            if waiting:
                self._sleep(_SETTLING_PAUSE)


def _found(person: Person, answer: Answer) -> Mapping[str, Any]:
    """The user in an answer, nothing when there is none. An answer that is an error is never an absence."""
    if person.id and answer.ok:
        return answer.body
    if answer.absent:
        return {}
    if not answer.ok:
        raise answer.failure("looking for people", _READ_USERS)
    users = answer.body.get("value")
    if not isinstance(users, list):
        raise GraphFailure("unreachable", "Microsoft Graph gave an answer without a list while looking for people.")
    # The comparison of base64 text must respect the case, whatever the filter does.
    return next((user for user in users if user.get("onPremisesImmutableId") == person.source_anchor), {})


def _settling(person: Person, answer: Answer) -> bool:
    """Whether a refusal comes from a replica that does not know yet what was written a moment ago."""
    if answer.absent:
        return True
    located = person.usage_location or person.user.get("usageLocation")
    return answer.status == 400 and bool(located) and "invalid usage location" in answer.message.lower()


def _change(before: Any, after: Any) -> dict[str, Any]:
    return {"before": before, "after": after}


def outcome(people: Sequence[Person], check_mode: bool) -> dict[str, Any]:
    """The result of the module."""
    users = [person.result() for person in people]
    summary = {state: sum(1 for user in users if user["state"] == state) for state in ("ready", "missing", "conflict", "failed")}
    summary["changed"] = sum(1 for user in users if user["changed"])
    bad: Optional[dict[str, Any]] = next((user for user in users if user["failure_reason"]), None)
    more = sum(1 for user in users if user["failure_reason"]) - 1
    result: dict[str, Any] = {
        "changed": summary["changed"] > 0,
        "users": users,
        "summary": summary,
        "failure_reason": bad["failure_reason"] if bad else None,
        "msg": f"{summary['ready']} of {len(users)} people are ready in Entra ID.",
        "diff": _diff(users),
    }
    if bad:
        result["failed"] = True
        result["msg"] = (
            bad["msg"] + (f" And {more} more people are not ready." if more > 0 else "") + _ADVICE.get(bad["failure_reason"], "")
        )
    elif check_mode and summary["missing"]:
        result["msg"] += f" {summary['missing']} are not there yet."
    return result


def _diff(users: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "before_header": user["upn"],
            "after_header": user["upn"],
            "before": {name: change["before"] for name, change in user["changes"].items()},
            "after": {name: change["after"] for name, change in user["changes"].items()},
        }
        for user in users
        if user["changes"]
    ]
