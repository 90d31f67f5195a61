# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Who goes on after everything has been looked at, and with what. Pure; private to the collection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from .._failure import REMEDIES
from ._columns import COLUMNS
from ._faults import Fault, in_order
from ._looked_up import faults_of_cloud, faults_of_directory, faults_of_seats, faults_of_sync, has_failed, key_of

_SAM_MOST = COLUMNS["sam_account_name"]
#: states of a cycle that need nothing more
_ENDED = ("finished", "verified")


@dataclass(frozen=True)
class Looks:
    """What was found before the first write.

    Args:
        people: of onboarding_batch.
        accounts, cloud: what onboarding_batch hands to ad_users and entra_user (its result `lookups`).
        faults: of onboarding_batch.
        seats: of onboarding_batch; empty when they are not known.
        directory, tenant, sync: the whole results of ad_users, entra_user and dirsync_trigger in check mode.
    """

    people: Sequence[Mapping[str, Any]]
    accounts: Sequence[Mapping[str, Any]]
    cloud: Sequence[Mapping[str, Any]]
    faults: Sequence[Fault]
    seats: Mapping[str, Mapping[str, Any]]
    directory: Mapping[str, Any]
    tenant: Mapping[str, Any]
    sync: Mapping[str, Any]


@dataclass
class Selection:
    """Who goes on. `refused` is upn (as compared) -> the fault that tells why.

    run_* say which stages have something to do that the looks have not found done.
    """

    faults: list[Fault]
    people: list[dict[str, Any]] = field(default_factory=list)
    accounts: list[dict[str, Any]] = field(default_factory=list)
    cloud: list[dict[str, Any]] = field(default_factory=list)
    run_accounts: bool = True
    run_sync: bool = True
    run_cloud: bool = True
    stopped_by: str = ""

    @property
    def reason(self) -> str:
        """The failure reason where nobody goes on: that of the first fault of the whole run, else that which all rows share."""
        whole = [fault.reason for fault in self.faults if fault.stops_the_run]
        reasons = {fault.reason for fault in self.faults}
        return whole[0] if whole else reasons.pop() if len(reasons) == 1 else "invalid_input"


def select(looks: Looks, on_fault: str, check_mode: bool) -> Selection:
    """Decide.

    Args:
        looks: everything that was looked at.
        on_fault: `stop` - nothing goes on when anything is wrong; `skip` - rows with a fault are left out.
        check_mode: then what the looks predicted is the result already.
    """
    new = _new_people(looks)
    faults = [
        *looks.faults,
        *_faults_of_new(looks, new),
        *faults_of_directory(looks.people, looks.directory),
        *_faults_of_tenant(looks),
        *faults_of_sync(looks.sync),
    ]
    faults += faults_of_seats(looks.people, looks.tenant, looks.seats, faults)
    if on_fault == "skip":
        faults += _faults_of_reports(looks.people, new, faults)
    selection = Selection(in_order(faults))
    dropped = {fault.row for fault in selection.faults if fault.row is not None}
    whole = any(fault.stops_the_run for fault in selection.faults)
    if whole or (dropped and on_fault != "skip"):
        selection.stopped_by = "run" if whole else "rows"
    elif len(dropped) == len(looks.people):
        selection.stopped_by = "nobody"
    selection.people = [_marked(person, selection) for person in looks.people]
    if selection.stopped_by:
        return selection
    staying = {key_of(person["upn"]) for person in looks.people if person["row"] not in dropped}
    selection.accounts = [_account(item, new) for item in looks.accounts if key_of(item["upn"]) in staying]
    selection.cloud = _cloud(looks, staying)
    _decide_what_is_left(selection, looks, bool(dropped), check_mode)
    return selection


def _decide_what_is_left(selection: Selection, looks: Looks, dropped: bool, check_mode: bool) -> None:
    """What the looks have found done need not be done again: a second run costs its looks and no more."""
    # The looks are told as unchanged to whoever watches the run, so what they predict is read from their parts.
    seen = not dropped and not has_failed(looks.directory)
    to_write = any(item.get("action") != "unchanged" for item in looks.directory.get("accounts") or [])
    selection.run_accounts = not seen if check_mode else not seen or to_write
    if check_mode:
        selection.run_sync = selection.run_cloud = False
        return
    covered = (looks.sync.get("sync") or {}).get("state") in _ENDED
    selection.run_sync = selection.run_accounts or not covered
    done = all(user.get("state") == "ready" and not user.get("changes") for user in looks.tenant.get("users") or [])
    selection.run_cloud = selection.run_sync or not done or dropped


def _faults_of_tenant(looks: Looks) -> list[Fault]:
    """Without the directory nobody's anchor is known, and everybody who is in Entra ID already would look like somebody else."""
    faults = faults_of_cloud(looks.people, looks.tenant)
    return faults if looks.directory.get("accounts") else [fault for fault in faults if fault.stops_the_run]


def _marked(person: Mapping[str, Any], selection: Selection) -> dict[str, Any]:
    """A person with the reason for which nothing is done, or None."""
    own = [fault for fault in selection.faults if fault.row == person["row"] and fault.row is not None]
    refused = None
    if own:
        refused = {"failure_reason": own[0].reason, "msg": " ".join(fault.msg for fault in own)}
    elif selection.stopped_by == "run":
        first = next(fault for fault in selection.faults if fault.stops_the_run)
        refused = {"failure_reason": first.reason, "msg": first.msg}
    elif selection.stopped_by:
        refused = {"failure_reason": "batch_refused", "msg": REMEDIES["batch_refused"]}
    return {**person, "refused": refused}


def _new_people(looks: Looks) -> set[str]:
    """Whom the directory did not find."""
    return {
        key_of(item.get("upn"))
        for item in looks.directory.get("accounts") or []
        if not item.get("distinguished_name") and not item.get("object_guid")
    }


def _faults_of_new(looks: Looks, new: set[str]) -> list[Fault]:
    """What an account that exists needs not say, and a new one must."""
    faults = []
    for person in looks.people:
        if key_of(person["upn"]) not in new:
            continue
        if not person.get("display_name"):
            faults.append(_row_fault(person, "display_name", "there is no name: give given_name and surname, or display_name"))
        prefix = str(person["upn"]).partition("@")[0]
        if not person.get("sam_account_name") and len(prefix) > _SAM_MOST:
            text = f"the logon name would be {prefix!r}, which has {len(prefix)} characters, {_SAM_MOST} is the most: give a shorter one"
            faults.append(_row_fault(person, "sam_account_name", text))
    return faults


def _faults_of_reports(people: Sequence[Mapping[str, Any]], new: set[str], faults: Sequence[Fault]) -> list[Fault]:
    """Rows whose manager would be a new person of a row that is left out; and those who report to them."""
    dropped = {fault.row for fault in faults if fault.row is not None}
    found: list[Fault] = []
    again = True
    while again:
        again = False
        gone = [person for person in people if person["row"] in dropped and (key_of(person["upn"]) in new or not person["upn"])]
        for person in people:
            manager = key_of(person.get("manager"))
            boss = next((other for other in gone if manager and _is_called(other, manager)), None)
            if person["row"] in dropped or boss is None:
                continue
            text = f"the manager {person['manager']!r} is new in {boss.get('place')}, and that row is left out"
            found.append(_row_fault(person, "manager", text))
            dropped.add(person["row"])
            again = True
    return found


def _is_called(person: Mapping[str, Any], name: str) -> bool:
    upn = key_of(person.get("upn"))
    object_name = key_of(person.get("name") or person.get("display_name"))
    names = {upn, key_of(person.get("sam_account_name")), upn.partition("@")[0][:_SAM_MOST]} - {""}
    return name in names or bool(object_name and name.startswith(f"cn={object_name},"))


def _row_fault(person: Mapping[str, Any], column: str, text: str) -> Fault:
    place = person.get("place") or f"row {person['row']}"
    return Fault("directory", f"{place}, column {column}: {text}.", person["row"], person["upn"], column)


def _account(item: Mapping[str, Any], new: set[str]) -> dict[str, Any]:
    """A new account gets its mail address as an address; one that exists keeps the addresses it has."""
    if key_of(item["upn"]) in new and item.get("mail"):
        return {**item, "proxy_addresses": [f"SMTP:{item['mail']}"]}
    return dict(item)


def _cloud(looks: Looks, staying: set[str]) -> list[dict[str, Any]]:
    """A default country is for those who have none yet: nobody moves to another one because of it."""
    defaulted = {key_of(person["upn"]) for person in looks.people if "usage_location" in (person.get("defaulted") or [])}
    placed = {
        key_of(user.get("upn"))
        for user in looks.tenant.get("users") or []
        if ((user.get("changes") or {}).get("usage_location") or {}).get("before")
    }
    return [
        {**item, "usage_location": ""} if key_of(item["upn"]) in placed & defaulted else dict(item)
        for item in looks.cloud
        if key_of(item["upn"]) in staying
    ]
