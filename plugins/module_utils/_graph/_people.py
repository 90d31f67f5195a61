# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The people of a task: who they are by their options, and what is known of them so far. Pure; private to the collection."""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Sequence

from .._failure import HybridIdentityError
from .._printable import printable
from ._failures import GraphFailure
from ._users import CloudUser

_LOCATION = re.compile(r"[A-Z]{2}")
#: a lone '@' between two parts without what would end or bend an address
_NAME = re.compile(r"[^@\s/\\?#%]+@[^@\s/\\?#%]+")


@dataclass
class Person:
    """One person of the task, and what is known so far; `state` is None while it is open how the person ends."""

    upn: str
    source_anchor: str  # nothing: looked up by the name
    usage_location: str
    licenses: dict[str, str]  # sku id -> as the task named it
    to_be_created: bool = False  # of check mode: whoever has the name is somebody else
    # what was seen
    user: Optional[CloudUser] = None  # of the last look; None: not there
    hits: int = 0  # looks in a row that agree
    looks: int = 0  # of this phase
    behind_filter: bool = False  # a direct read finds the person, the filter did not
    owner: Optional[CloudUser] = None  # somebody else who has the name
    arrived_at: Optional[str] = None
    why: str = "is not in Entra ID"
    # what was done
    located_at: Optional[float] = None  # on the clock of the task: the usage location was accepted
    licensed: bool = False  # the licences were accepted; they are never assigned a second time
    unsure: list[str] = field(default_factory=list)  # writes that may have been served, without a good answer
    changes: dict[str, Any] = field(default_factory=dict)
    # what comes next
    due: float = 0.0  # not before
    tries: int = 0  # in a row that ended in a fault that passes
    fault: Optional[GraphFailure] = None  # of the last try
    unseen: Optional[GraphFailure] = None  # the person ended with this fault of a look: nothing can be said
    # how it ended
    state: Optional[str] = None
    failure_reason: Optional[str] = None
    msg: str = ""

    @property
    def id(self) -> str:
        """The object id in Entra ID, or nothing."""
        return self.user.id if self.user else ""

    @property
    def awaited(self) -> bool:
        """Whether it is still open how this person ends."""
        return self.state is None

    @property
    def location_wanted(self) -> str:
        """The usage location that has to be written, or nothing."""
        held = self.user.usage_location if self.user else ""
        return "" if self.located_at is not None or self.usage_location == held else self.usage_location

    @property
    def licences_wanted(self) -> list[str]:
        """The ids of the licences that are not seen, written or not."""
        held = self.user.skus if self.user else frozenset()
        return [sku for sku in self.licenses if sku not in held]

    @property
    def writes_wanted(self) -> bool:
        """Whether something has to be written."""
        return bool(self.location_wanted or (self.licences_wanted and not self.licensed))

    def fail(self, state: str, reason: str, msg: str) -> None:
        """The person does not become ready."""
        self.state, self.failure_reason, self.msg = state, reason, msg

    def result(self) -> dict[str, Any]:
        """The item of the module's result."""
        user = self.user
        return {
            "upn": self.upn,
            "id": self.id or None,
            "source_anchor": self.source_anchor or (user.anchor if user else "") or None,
            "state": self.state or "missing",
            "changed": bool(self.changes),
            "changes": self.changes,
            "usage_location": self.usage_location or (user.usage_location if user else "") or None,
            "licenses": list(self.licenses.values()),
            "arrived_at": self.arrived_at,
            "synced_at": (user.synced_at if user else "") or None,
            "failure_reason": self.failure_reason,
            "msg": self.msg,
        }


def read_people(users: Sequence[Mapping[str, Any]], check_mode: bool) -> list[Person]:
    """The people of the option `users` of entra_user, without their licences (see resolve_licences).

    Args:
        users: the items.
        check_mode: an empty anchor is that of an account that is still to be created.

    Raises:
        HybridIdentityError: invalid_input.
    """
    people = []
    for user in users:
        upn = str(user["upn"]).strip()
        if not _NAME.fullmatch(upn) or printable(upn, len(upn)) != upn:
            raise HybridIdentityError("invalid_input", f"'{printable(upn, 80)}' is not a user principal name (name@suffix).")
        anchor = source_anchor(upn, user.get("source_anchor"), user.get("object_guid"))
        location = str(user.get("usage_location") or "").strip().upper()
        if location and not _LOCATION.fullmatch(location):
            raise HybridIdentityError(
                "invalid_input", f"{upn}: usage_location '{printable(location, 80)}' is not a country of two letters (ISO 3166)."
            )
        new = check_mode and not anchor and user.get("source_anchor") == ""
        people.append(Person(upn, anchor, location, {}, new))
    _refuse_twins(people)
    return people


def _refuse_twins(people: Sequence[Person]) -> None:
    seen: dict[str, str] = {}
    for person in people:
        for key in sorted({person.upn.casefold(), person.source_anchor or person.upn.casefold()}):
            if key in seen:
                raise HybridIdentityError("invalid_input", f"{person.upn} and {seen[key]} are the same person, given twice.")
            seen[key] = person.upn


def source_anchor(upn: str, anchor: Optional[str], guid: Optional[str]) -> str:
    """The immutable id of a person, from itself or from the objectGUID; nothing when neither is given.

    The anchor is the base64 text of the 16 bytes as Active Directory stores them: the first three fields of a GUID are little-endian
    (Microsoft, "Microsoft Entra Connect: Design concepts", sourceAnchor).

    Raises:
        HybridIdentityError: invalid_input.
    """
    if anchor:
        try:
            base64.b64decode(anchor, validate=True)
        except (binascii.Error, ValueError):
            raise HybridIdentityError("invalid_input", f"{upn}: source_anchor '{printable(anchor, 80)}' is not base64 text.") from None
        return anchor
    if not guid:
        return ""
    try:
        return base64.b64encode(uuid.UUID(guid).bytes_le).decode()
    except ValueError:
        raise HybridIdentityError("invalid_input", f"{upn}: object_guid '{printable(guid, 80)}' is not a GUID.") from None


def resolve_licences(names: Sequence[str], skus: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Find the subscriptions of the tenant.

    Args:
        names: SKU part numbers or ids, in any case.
        skus: of GET /subscribedSkus.

    Returns:
        id (lower case) -> the name as given, in the order given.

    Raises:
        HybridIdentityError: invalid_input; graph_invalid when the subscriptions are not what Microsoft Graph gives: a list without any,
        or with entries that have no names, does not say that the tenant lacks this one.
    """
    if not names:
        return {}
    if not skus or not all(_is_sku(sku) for sku in skus):
        raise GraphFailure("graph_invalid", "Microsoft Graph gave no whole list of the tenant's subscriptions.")
    usable = [sku for sku in skus if sku.get("appliesTo", "User") == "User"]
    ids = {str(sku[key]).lower(): str(sku["skuId"]).lower() for sku in usable for key in ("skuId", "skuPartNumber")}
    found: dict[str, str] = {}
    for name in names:
        if name.lower() not in ids:
            known = ", ".join(sorted(printable(str(sku["skuPartNumber"]), 80) for sku in usable)) or "none"
            raise HybridIdentityError(
                "invalid_input", f"The tenant has no licence '{printable(name, 80)}' for users; it has: {printable(known, 1000)}."
            )
        found.setdefault(ids[name.lower()], name)
    return found


def free_seats(skus: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Sku id (lower case) -> seats that are free; what is not told counts as none.

    assumption: free = enabled + warning - consumed; seats in the grace period (warning) can still be assigned.
    """
    free = {}
    for sku in skus:
        units = sku.get("prepaidUnits")
        given = units if isinstance(units, dict) else {}
        free[str(sku.get("skuId")).lower()] = _count(given.get("enabled")) + _count(given.get("warning")) - _count(sku.get("consumedUnits"))
    return free


def _is_sku(sku: Mapping[str, Any]) -> bool:
    try:
        uuid.UUID(sku.get("skuId") if isinstance(sku.get("skuId"), str) else "")
    except ValueError:
        return False
    return bool(isinstance(sku.get("skuPartNumber"), str) and sku["skuPartNumber"]) and isinstance(sku.get("appliesTo", "User"), str)


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
