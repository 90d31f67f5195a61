# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What a look at the directory, the tenant and the sync server found wrong, as faults of rows or of the whole run. Pure."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ._columns import COLUMNS
from ._faults import Fault

#: columns whose value a sentence of the directory may quote
_QUOTED = ("groups", "manager", "ou", "name", "sam_account_name", "employee_id", "mail", "upn")


def key_of(upn: Any) -> str:
    """User principal names are compared like this."""
    return str(upn or "").strip().casefold()


def has_failed(result: Mapping[str, Any]) -> bool:
    """Whether a look failed, told by what the modules of this collection always return.

    The role keeps a look from ending the run, which takes the word `failed` away; a module that broke has no failure_reason at all.
    """
    if not result or result.get("skipped"):
        return False
    return bool(result.get("failed") or result.get("failure_reason") or "failure_reason" not in result)


def faults_of_directory(people: Sequence[Mapping[str, Any]], result: Mapping[str, Any]) -> list[Fault]:
    """What ad_users found wrong in check mode.

    Args:
        people: of onboarding_batch.
        result: of ad_users; empty when it was not asked, because no row was fit for it.
    """
    if not has_failed(result):
        return []
    by_upn = {key_of(person["upn"]): person for person in people}
    faults: list[Fault] = []
    for item in result.get("accounts") or []:
        person = by_upn.get(key_of(item.get("upn")))
        if person is None:
            continue
        own = list(item.get("faults") or [])
        if not own and item.get("failure_reason") not in (None, "", "batch_refused"):
            own = [item.get("msg")]
        faults += [_of_row(person, fault, str(item.get("failure_reason") or "invalid_input")) for fault in own]
    told = {fault.msg for fault in faults}
    for fault in result.get("faults") or []:
        text = _text(fault)
        owner = by_upn.get(key_of(fault.get("upn") if isinstance(fault, Mapping) else "")) or next(
            (person for key, person in by_upn.items() if text.casefold().startswith(f"{key}:")), None
        )
        if owner is None:
            faults.append(Fault("directory", text))
        elif not any(text in known or known in text for known in told):
            faults.append(_of_row(owner, fault, "invalid_input"))
    return faults or [of_run("directory", result)]


def faults_of_cloud(people: Sequence[Mapping[str, Any]], result: Mapping[str, Any]) -> list[Fault]:
    """What entra_user found wrong in check mode. Whoever is not there yet has no fault."""
    if not has_failed(result):
        return []
    by_upn = {key_of(person["upn"]): person for person in people}
    faults = []
    for user in result.get("users") or []:
        person = by_upn.get(key_of(user.get("upn")))
        reason = str(user.get("failure_reason") or "")
        if person is not None and reason:
            licence = reason == "licence_refused"
            faults.append(
                Fault(
                    "licences" if licence else "cloud",
                    f"{_place(person)}: {user.get('msg')}",
                    person["row"],
                    person["upn"],
                    "licenses" if licence else "upn",
                    reason,
                )
            )
    return faults or [of_run("cloud", result)]


def faults_of_sync(result: Mapping[str, Any]) -> list[Fault]:
    """What keeps the sync server from a cycle; that is always a fault of the whole run."""
    return [of_run("sync", result)] if has_failed(result) else []


def faults_of_seats(
    people: Sequence[Mapping[str, Any]], cloud: Mapping[str, Any], seats: Mapping[str, Mapping[str, Any]], faulty: Sequence[Fault]
) -> list[Fault]:
    """Who would get no seat: those who do not hold the licence yet are served in the order of the rows.

    Args:
        people: of onboarding_batch.
        cloud: the result of entra_user in check mode; its changes say who does not hold a licence yet.
        seats: licence as the table names it, in small letters -> id and free seats.
        faulty: rows that have a fault already and take no seat.
    """
    needed = {
        key_of(user.get("upn")): [
            name for name in change.get("after") or [] if name not in (change.get("before") or [])
        ]
        for user in cloud.get("users") or []
        for change in [(user.get("changes") or {}).get("licenses") or {}]
    }  # fmt: skip
    dropped = {fault.row for fault in faulty}
    free = {str(seat["id"]): int(seat["free"]) for seat in seats.values()}
    total = dict(free)
    faults = []
    for person in people:
        if person["row"] in dropped:
            continue
        for name in needed.get(key_of(person["upn"]), []):
            seat = seats.get(name.casefold())
            if seat is None:
                continue
            free[str(seat["id"])] -= 1
            if free[str(seat["id"])] < 0:
                left = max(total[str(seat["id"])], 0)
                text = f"{_place(person)}, column licenses: the tenant has {left} free seats of {name}, and they are taken by earlier rows."
                if not left:
                    text = f"{_place(person)}, column licenses: the tenant has no free seat of {name}."
                faults.append(Fault("licences", text, person["row"], person["upn"], "licenses", "licence_refused"))
    return faults


def of_run(stage: str, result: Mapping[str, Any]) -> Fault:
    """The fault of the whole run that a failed result is."""
    return Fault(stage, str(result.get("msg") or "no reason given"), reason=str(result.get("failure_reason") or "invalid_input"))


def _of_row(person: Mapping[str, Any], fault: Any, reason: str) -> Fault:
    text = _text(fault)
    column = str((fault.get("column") or fault.get("option") or "") if isinstance(fault, Mapping) else "") or _quoted(person, text)
    if reason == "batch_refused":
        reason = "invalid_input"
    return Fault(
        "directory", f"{_place(person)}{f', column {column}' if column else ''}: {text}", person["row"], person["upn"], column, reason
    )


def _quoted(person: Mapping[str, Any], text: str) -> str:
    """The column whose value the sentence quotes."""
    for column in _QUOTED:
        value = person.get(column)
        values = value if isinstance(value, list) else [value]
        if column in COLUMNS and any(item and f"{item!r}" in text for item in values):
            return column
    return ""


def _text(fault: Any) -> str:
    return str((fault.get("msg") if isinstance(fault, Mapping) else fault) or "").strip()


def _place(person: Mapping[str, Any]) -> str:
    return str(person.get("place") or f"row {person['row']}")
