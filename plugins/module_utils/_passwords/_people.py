# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The people who were asked for by name. Pure; private to the collection."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Iterable

from .._engines._password_events import same_dn
from ._observed import Observed

_WORDS = {
    "succeeded": None,
    "failed": "the cloud did not take it",
    "retrying": "it failed and is tried again",
    "pending": "it was sent, and no result came",
}
_NOT_SENT = "nothing was sent for this person"
#: Somebody new is always sent, to change the password at the next sign-in or not; only of those who were there before the engine keeps such a
#: password back (tshoot-connect-password-hash-synchronization: FilteredByTarget).
_PERHAPS = "filtered, not exported yet or without a hash"
_OR_KEPT = "or, for somebody who was in Entra ID before, to change the password at the next sign-in"
_BEFORE = "the cloud took a password before, and it has not been changed since, or it is one to change at the next sign-in"
_NO_REACH = "the event log does not reach back so far"


@dataclass(frozen=True)
class NamedPerson:
    """One of the people. result: succeeded, failed, retrying, pending or not_seen; unknown where what would tell may be lost."""

    asked: str
    dn: str | None
    source_anchor: str | None
    connector: str | None
    result: str
    reason: str | None = None
    at: datetime | None = None


def kind_of(asked: str) -> str:
    """dn, anchor or name (a user principal name, or an account name)."""
    if "=" in asked and "," in asked:
        return "dn"
    try:
        decoded = base64.b64decode(asked, validate=True)
    except (binascii.Error, ValueError):
        return "name"
    return "anchor" if len(decoded) == 16 and asked.endswith("==") else "name"


def names_to_find(users: Iterable[str]) -> tuple[str, ...]:
    """Those that have to be found out, in lower case."""
    return tuple(dict.fromkeys(asked.strip().lower() for asked in users if kind_of(asked.strip()) == "name"))


def unresolved(users: Iterable[str], seen: Observed) -> list[NamedPerson]:
    """Those of whom it is not clear who is meant."""
    found = []
    for asked in users:
        name = asked.strip().lower()
        if kind_of(asked.strip()) != "name" or seen.found is None:
            continue
        places = seen.found.get(name, ())
        if len(places) != 1:
            reason = f"the name fits {len(places)} people" if places else "nobody of this name is in the connector space"
            found.append(NamedPerson(asked, None, None, None, "not_seen", reason))
    return found


def people_of(users: Iterable[str], seen: Observed, since: datetime | None = None, standstill: str = "") -> list[NamedPerson]:
    """What became of everybody who was asked for.

    Args:
        since: results before it are known and do not count (server clock); None: everything counts that is read behind a marker.
        standstill: why nothing more will come by itself, as a sentence.
    """
    unclear = {one.asked: one for one in unresolved(users, seen)}
    names = {one.identifier: one.name for one in (seen.look.channels if seen.look else seen.probe.connectors)}
    journal = seen.journal
    found = []
    for asked in users:
        if asked in unclear:
            found.append(unclear[asked])
            continue
        kind, dn, place = kind_of(asked.strip()), None, None
        if kind == "anchor":
            person = journal.people.get(asked.strip())
        else:
            if kind == "name":
                places = (seen.found or {}).get(asked.strip().lower(), ())
                dn, place = places[0] if places else (None, None)
            else:
                dn = asked.strip()
            anchor = journal.dns.get(same_dn(dn)) if dn else None
            person = journal.people.get(anchor) if anchor else None
        before = person is not None and since is not None and person.at < since
        if person is None or before:
            lost = since is not None and (not seen.reaches_back or journal.rolled)
            known = person is not None and person.result == "succeeded"
            reason = _NO_REACH if lost else _why_not(since is not None, known, standstill)
            anchor = asked.strip() if kind == "anchor" else None
            found.append(NamedPerson(asked, dn, anchor, place, "unknown" if lost else "not_seen", reason))
            continue
        why = _WORDS[person.result]
        if person.result == "failed" and person.words:
            why = f"{why}: {person.words}"
        found.append(
            NamedPerson(asked, person.dn or dn, person.anchor, names.get(person.connector or "", place), person.result, why, person.at)
        )
    return found


def _why_not(by_itself: bool, known: bool, standstill: str) -> str:
    """Why nothing was sent. by_itself: what the ordinary channel does is looked at; known: the cloud took a password of this person before."""
    if standstill:
        return f"{_NOT_SENT}. {standstill.rstrip('.')}"
    if known:
        return f"{_NOT_SENT}: {_BEFORE}"
    if by_itself:
        return f"{_NOT_SENT} yet: {_PERHAPS}, or the engine has not come to it, which takes two minutes"
    return f"{_NOT_SENT}: {_PERHAPS}; {_OR_KEPT}"
