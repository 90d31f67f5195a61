# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What is known of a person after each look and each write, and what comes next. Knows no Graph; private to the collection.

A person goes through: looked for, until enough looks agree; written, where something is missing; looked for again, until a read shows the
licence. Every step is decided here, from the person alone and what came back.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Optional, Sequence

from ._answers import Answer, Call
from ._failures import GraphFailure
from ._people import Person
from ._users import CloudUser

#: consecutive looks that must agree before anything is written: reads are eventually consistent
HITS_WANTED = 2
#: how long licensing may not know a usage location that it was just given, or a replica not know a person, in seconds
#: (Microsoft gives no number; scripts in the field retry for one or two minutes)
SETTLING_TIME = 120.0
#: the first pause between two looks in seconds, and how the pauses grow
_FIRST_PAUSE, _GROWTH = 1.0, 1.6
#: the pause before a licence is read back for the first time, in seconds; a replica that does not show it yet is asked as slowly as above
_READ_BACK_PAUSE = 0.3
#: of the looks at somebody who is not seen, which are direct: a filter lags behind a direct read, which costs a request per person
_DIRECT_EVERY, _DIRECT_FIRST = 6, 2

_LOCATE, _LICENSE = "setting the usage location", "assigning the licence"
WRITES = "writing usage locations and licences"
_PERMISSIONS = {_LOCATE: "User.ReadWrite.All", _LICENSE: "LicenseAssignment.ReadWrite.All"}


class Step(enum.Enum):
    """What is to be done next about a person."""

    LOOK = "look by a filter"
    LOOK_DIRECTLY = "look by id or name"
    WRITE = "write what is missing"
    NOTHING = "the person has ended"


@dataclass(frozen=True)
class Terms:
    """What the task asks for.

    `wait`: people who are not there are awaited; `check_mode`: nothing is written, one look is enough; `longest_pause`: between two looks,
    in seconds.
    """

    wait: bool = True
    check_mode: bool = False
    longest_pause: float = 5.0

    @property
    def awaits(self) -> bool:
        """Whether people who are not there are awaited."""
        return self.wait and not self.check_mode


def next_step(person: Person, terms: Terms) -> Step:
    """What comes next."""
    if not person.awaited:
        return Step.NOTHING
    if person.licensed or not is_settled(person, terms):
        now_and_then = person.looks % _DIRECT_EVERY == _DIRECT_FIRST and (person.licensed or person.user is None)
        return Step.LOOK_DIRECTLY if person.behind_filter or person.to_be_created or now_and_then else Step.LOOK
    return Step.WRITE


def is_hopeful(person: Person, terms: Terms) -> bool:
    """Whether more time may help: not for somebody who is not there when nobody is awaited."""
    if not person.awaited:
        return False
    return terms.awaits or person.looks == 0 or person.hits > 0 or person.tries > 0


def is_settled(person: Person, terms: Terms) -> bool:
    """Whether enough looks agree; one is enough where nothing has to be written, since nothing then depends on it."""
    wanted = HITS_WANTED if person.writes_wanted and not terms.check_mode else 1
    return person.user is not None and person.hits >= wanted and not conflict(person)


def looked(person: Person, seen: Optional[CloudUser], terms: Terms, now: float, shown_now: str, directly: bool = False) -> None:
    """Take one look into account that came to an answer.

    Args:
        person: is changed.
        seen: the user that was found, be it by the name; None when Graph says that there is none.
        terms: of the task.
        now: on the clock of the task.
        shown_now: the same, as results show it.
        directly: it was a read by id or name.
    """
    first, person.looks = person.looks == 0 and not person.licensed, person.looks + 1
    person.tries, person.fault = 0, None
    if person.licensed:
        _confirm(person, seen)
    elif seen is not None and (person.to_be_created or (person.source_anchor and seen.anchor != person.source_anchor)):
        person.owner, person.user, person.hits, person.why = seen, None, 0, "is not in Entra ID"
    elif seen is None:
        person.owner, person.user, person.hits, person.why = None, None, 0, "is not in Entra ID"
    else:
        new = person.user is None
        person.owner, person.user = None, seen
        if person.arrived_at is None:
            person.arrived_at = (seen.created_at if first else "") or shown_now
        _judge(person, seen)
        if new:
            person.looks = 1  # the second look comes soon
            person.behind_filter = directly  # which the filter would deny again
        if is_settled(person, terms) and not person.writes_wanted:
            person.state, person.msg = "ready", f"{person.upn} is ready."
    person.due = now + pause_before(person.looks, terms)


def pause_before(looks: int, terms: Terms) -> float:
    """Seconds before the next look, after so many: a second, then more and more."""
    return min(_FIRST_PAUSE * _GROWTH ** min(looks - 1, 20), terms.longest_pause)


def could_not_look(person: Person, fault: GraphFailure, answer: Optional[Answer], answered: bool, now: float, left: float) -> None:
    """Take one look into account that came to no answer: it is neither presence nor absence.

    Args:
        person: is changed.
        fault, answer: what came instead.
        answered: Graph has answered this task before.
        now, left: seconds, on the clock of the task and to its end.
    """
    if answer is None or answer.ok:  # what came was no answer in itself
        answer = Answer(0, {}, fault=fault)
    if not _again(person, answer, fault, answered, now, left):
        ended_unseen(person, fault)


def ended_unseen(person: Person, fault: GraphFailure) -> None:
    """The person ends with a fault of a look."""
    if person.licensed:
        person.fail("failed", fault.reason, f"{person.upn}: the licence was assigned, but could not be read back: {fault.message}")
    else:
        person.unseen = fault
        person.fail("failed", fault.reason, f"{person.upn}: {fault.message}")


def writes(person: Person) -> list[tuple[str, Call]]:
    """What has to be written, in this order: what is done, and the request."""
    wanted = []
    if person.location_wanted:
        wanted.append((_LOCATE, Call("PATCH", f"/users/{person.id}", {"usageLocation": person.location_wanted})))
    if person.licences_wanted and not person.licensed:
        added = [{"skuId": sku, "disabledPlans": []} for sku in person.licences_wanted]
        wanted.append((_LICENSE, Call("POST", f"/users/{person.id}/assignLicense", {"addLicenses": added, "removeLicenses": []})))
    return wanted


def wrote(person: Person, done: Sequence[tuple[str, Answer]], answered: bool, now: float, left: float) -> None:
    """Take the answers to the requests of `writes` into account; the others as could_not_look."""
    # One is served only when the one before it was: if that has no answer of its own, it was served too.
    implied = done[-1][1].ok
    refused = []
    for what, answer in done:
        if answer.ok or (implied and answer.fault is not None):
            _accepted(person, what, now)
        else:
            refused.append((what, answer, _refusal(person, what, answer)))
    for what, _answer, failure in refused:
        if failure.unsure and what not in person.unsure:
            person.unsure.append(what)
    if refused:
        _what, answer, failure = refused[0]
        if not _again(person, answer, failure, answered, now, left, _is_settling(person, answer, now)):
            _fail_write(person, failure)
        return
    person.tries, person.fault, person.looks, person.due = 0, None, 0, now + _READ_BACK_PAUSE
    if not person.licensed:
        person.state, person.msg = "ready", f"{person.upn} is ready."


def predict(person: Person, free: dict[str, int]) -> None:
    """In check mode: what would be written, as far as seats are free (sku id -> seats, is changed)."""
    short = [sku for sku in person.licences_wanted if free.get(sku, 0) < 1]
    if person.location_wanted:
        _change(person, _LOCATE)
    if short and person.user is not None:
        text = f"{person.upn}: the tenant has no free seat of licence {person.licenses[short[0]]}."
        person.fail("failed", "licence_refused", text)
        return
    for sku in person.licences_wanted:
        free[sku] = free.get(sku, 0) - 1
    if person.licences_wanted:
        _change(person, _LICENSE)


def close(person: Person, terms: Terms) -> None:
    """Decide on somebody who is still open when nothing more can be awaited."""
    trouble = conflict(person)
    if person.licensed and person.fault is None:
        person.fail("failed", "not_confirmed", f"{person.upn}: the licence was assigned, but no read showed it before the time was over.")
    elif person.fault is not None and person.hits and not person.licensed:
        _fail_write(person, person.fault)
    elif person.fault is not None:
        ended_unseen(person, person.fault)
    elif trouble:
        person.fail("conflict", "upn_conflict", trouble)
    elif person.hits and terms.check_mode:
        person.state, person.msg = "ready", f"{person.upn} is ready."
    elif person.hits:
        text = f"{person.upn} is in Entra ID, but no time was left to set the usage location and the licences."
        person.fail("failed", "wait_timeout", text)
    else:
        _close_absent(person, terms)


def conflict(person: Person) -> str:
    """The sentence on a name or address that the cloud did not give to this person; nothing when there is none."""
    user = person.user
    if user is None or not user.synced:
        return ""
    if user.conflicts:
        taken = " and ".join(user.conflicts)
        return f"{person.upn}: {taken} belongs to somebody else in the tenant; the person is {user.shown} there."
    # The engine has exported the wanted name and the tenant decided otherwise: the suffix is not verified.
    if not _same(user.upn, person.upn) and _same(user.on_premises_upn, person.upn):
        return (
            f"{person.upn}: the tenant does not take this user principal name (is its suffix verified?); the person is {user.shown} there."
        )
    return ""


def _judge(person: Person, user: CloudUser) -> None:
    trouble = conflict(person)
    if not user.synced:
        person.hits, person.why = 0, "is in Entra ID, but not synchronised from Active Directory"
    elif trouble:
        person.hits += 1
        if person.hits >= HITS_WANTED:
            person.fail("conflict", "upn_conflict", trouble)
    elif _same(user.upn, person.upn):
        person.hits += 1
    else:
        # The engine has not carried the wanted name yet.
        person.hits, person.why = 0, f"still has the user principal name {user.shown} in Entra ID"


def _confirm(person: Person, seen: Optional[CloudUser]) -> None:
    """After a write: the person is ready when a read shows the licence. A read that does not is older than the write."""
    if seen is not None and seen.skus.issuperset(person.licenses):
        person.user = seen
        person.state, person.msg = "ready", f"{person.upn} is ready."


def _close_absent(person: Person, terms: Terms) -> None:
    owner = person.owner
    if owner is not None and owner.anchor:
        text = f"{person.upn}: this user principal name belongs to another synchronised person in the tenant ({owner.id})."
        person.fail("conflict", "upn_conflict", text)
    elif terms.check_mode:
        person.state, person.msg = "missing", f"{person.upn} {person.why} yet."
    elif owner is not None:
        person.fail("missing", "wait_timeout", f"{person.upn}: the tenant has a user of this name that was not joined with the person.")
    else:
        person.fail("missing", "wait_timeout", f"{person.upn} {person.why} yet.")


def _accepted(person: Person, what: str, now: float) -> None:
    _change(person, what)
    if what == _LOCATE:
        person.located_at = now
    else:
        person.licensed = True
    person.unsure = [one for one in person.unsure if one != what]


def _fail_write(person: Person, failure: GraphFailure) -> None:
    person.fail("failed", failure.reason, f"{person.upn}: {failure.message}")
    if person.unsure:  # told as a change: better one that was none than none that was one
        for what in person.unsure:
            _change(person, what)
        person.msg += f" Whether {' and '.join(person.unsure)} was served all the same is not known."


def _change(person: Person, what: str) -> None:
    if what == _LOCATE:
        before = person.user.usage_location if person.user else ""
        person.changes["usage_location"] = {"before": before or None, "after": person.usage_location}
    else:
        added = person.licences_wanted
        held = [name for sku, name in person.licenses.items() if sku not in added]
        person.changes["licenses"] = {"before": held, "after": held + [person.licenses[sku] for sku in added]}


def _refusal(person: Person, what: str, answer: Answer) -> GraphFailure:
    failure = answer.failure(f"{what} of {person.upn}", _PERMISSIONS[what])
    if what == _LICENSE and answer.status == 400 and answer.code:
        return GraphFailure("licence_refused", f"Microsoft Graph refused the licence ({answer.code}: {answer.message}).")
    return failure


def _is_settling(person: Person, answer: Answer, now: float) -> bool:
    """Whether a refusal comes from a replica that does not know yet what was written, or synchronised, a moment ago."""
    if answer.absent:
        return True
    return (
        answer.status == 400
        and person.located_at is not None
        and now < person.located_at + SETTLING_TIME
        and "invalid usage location" in answer.message.lower()
    )


def _again(person: Person, answer: Answer, failure: GraphFailure, answered: bool, now: float, left: float, settling: bool = False) -> bool:
    """Plan another try, where it is worth one and there is time for it."""
    pause = answer.pause(person.tries)
    if not settling and answer.is_final(person.tries, answered):
        return False
    if pause >= left:
        return False
    person.tries, person.fault, person.due = person.tries + 1, failure, now + pause
    return True


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()
