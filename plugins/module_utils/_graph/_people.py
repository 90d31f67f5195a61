# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Where a person stands in Entra ID, judged from what Microsoft Graph says. Pure; private to the collection."""

from __future__ import annotations

import base64
import binascii
import uuid
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Sequence

from .._failure import HybridIdentityError

#: what has to be selected: the default answer of Graph has none of the on-premises properties
SELECTED = (
    "id,userPrincipalName,createdDateTime,usageLocation,assignedLicenses,"
    "onPremisesImmutableId,onPremisesSyncEnabled,onPremisesLastSyncDateTime,onPremisesUserPrincipalName,onPremisesProvisioningErrors"
)
#: consecutive looks that must agree before anything is written: reads are eventually consistent
HITS_WANTED = 2


@dataclass
class Person:
    """One person of the task, and what is known so far; `state` is None while the person is awaited."""

    upn: str
    source_anchor: str
    usage_location: str
    licenses: dict[str, str]  # sku id -> as the task named it
    user: dict[str, Any] = field(default_factory=dict)
    hits: int = 0
    arrived_at: Optional[str] = None
    state: Optional[str] = None
    failure_reason: Optional[str] = None
    msg: str = ""
    why: str = "is not in Entra ID"
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The object id in Entra ID, or nothing."""
        return str(self.user.get("id") or "")

    @property
    def awaited(self) -> bool:
        """Whether it is still open how this person ends."""
        return self.state is None

    def fail(self, state: str, reason: str, msg: str) -> None:
        """This person ends with a failure."""
        self.state, self.failure_reason, self.msg = state, reason, msg

    @property
    def location_wanted(self) -> str:
        """The usage location that has to be written, or nothing."""
        return "" if self.usage_location == str(self.user.get("usageLocation") or "") else self.usage_location

    @property
    def licences_wanted(self) -> list[str]:
        """The ids of the licences that have to be added."""
        held = {str(licence.get("skuId")).lower() for licence in self.user.get("assignedLicenses") or []}
        return [sku for sku in self.licenses if sku not in held]

    def result(self) -> dict[str, Any]:
        """The item of the module's result."""
        return {
            "upn": self.upn,
            "id": self.id or None,
            "source_anchor": self.source_anchor or None,
            "state": self.state or "missing",
            "changed": bool(self.changes),
            "changes": self.changes,
            "usage_location": self.usage_location or self.user.get("usageLocation"),
            "licenses": list(self.licenses.values()),
            "arrived_at": self.arrived_at,
            "synced_at": self.user.get("onPremisesLastSyncDateTime"),
            "failure_reason": self.failure_reason,
            "msg": self.msg,
        }


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
            raise HybridIdentityError("invalid_input", f"{upn}: source_anchor {anchor!r} is not base64 text.") from None
        return anchor
    if not guid:
        return ""
    try:
        return base64.b64encode(uuid.UUID(guid).bytes_le).decode()
    except ValueError:
        raise HybridIdentityError("invalid_input", f"{upn}: object_guid {guid!r} is not a GUID.") from None


def judge(person: Person, user: Mapping[str, Any], now: str, first_look: bool) -> None:
    """Take one look into account.

    Args:
        person: is changed: user, hits, arrived_at, why; state when the cloud has decided against the wanted name.
        user: the answer of Graph, empty when the person was not found.
        now: the time, as results show it.
        first_look: a person found by the first look was there before this task, since its creation.
    """
    if not user:
        person.user, person.hits, person.why = {}, 0, "is not in Entra ID"
        return
    person.user = dict(user)
    if person.arrived_at is None:
        person.arrived_at = (str(user.get("createdDateTime") or "") if first_look else "") or now
    trouble = conflict(person)
    if user.get("onPremisesSyncEnabled") is not True:
        person.hits, person.why = 0, "is in Entra ID, but not synchronised from Active Directory"
    elif trouble:
        person.hits += 1
        if person.hits >= HITS_WANTED:
            person.fail("conflict", "upn_conflict", trouble)
    elif _same(user.get("userPrincipalName"), person.upn):
        person.hits += 1
    else:
        # The engine has not carried the wanted name yet.
        person.hits, person.why = 0, f"still has the user principal name {user.get('userPrincipalName')} in Entra ID"


def conflict(person: Person) -> str:
    """The sentence on a name or address that the cloud did not give to this person; nothing when there is none."""
    name = str(person.user.get("userPrincipalName") or "")
    errors = [error for error in person.user.get("onPremisesProvisioningErrors") or [] if error.get("category") == "PropertyConflict"]
    if errors:
        taken = " and ".join(f"{error.get('propertyCausingError')} {error.get('value')}" for error in errors)
        return f"{person.upn}: {taken} belongs to somebody else in the tenant; the person is {name} there."
    # The engine has exported the wanted name and the tenant decided otherwise: the suffix is not verified.
    if not _same(name, person.upn) and _same(person.user.get("onPremisesUserPrincipalName"), person.upn):
        return f"{person.upn}: the tenant does not take this user principal name (is its suffix verified?); the person is {name} there."
    return ""


def is_settled(person: Person) -> bool:
    """Whether enough looks agree; one is enough where nothing has to be written, since nothing then depends on it."""
    wanted = HITS_WANTED if person.location_wanted or person.licences_wanted else 1
    return person.hits >= wanted and not conflict(person)


def resolve_licences(names: Sequence[str], skus: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Find the subscriptions of the tenant.

    Args:
        names: SKU part numbers or ids, in any case.
        skus: of GET /subscribedSkus.

    Returns:
        id (lower case) -> the name as given, in the order given.

    Raises:
        HybridIdentityError: invalid_input.
    """
    usable = [sku for sku in skus if sku.get("appliesTo", "User") == "User"]
    ids = {str(sku[key]).lower(): str(sku["skuId"]).lower() for sku in usable for key in ("skuId", "skuPartNumber")}
    found: dict[str, str] = {}
    for name in names:
        if name.lower() not in ids:
            known = ", ".join(sorted(str(sku["skuPartNumber"]) for sku in usable)) or "none"
            raise HybridIdentityError("invalid_input", f"The tenant has no licence {name!r} for users; it has: {known}.")
        found.setdefault(ids[name.lower()], name)
    return found


def free_seats(skus: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Sku id (lower case) -> seats that are free.

    assumption: free = enabled + warning - consumed; seats in the grace period (warning) can still be assigned.
    """
    free = {}
    for sku in skus:
        units = sku.get("prepaidUnits") or {}
        free[str(sku["skuId"]).lower()] = (
            int(units.get("enabled") or 0) + int(units.get("warning") or 0) - int(sku.get("consumedUnits") or 0)
        )
    return free


def _same(one: Any, other: Any) -> bool:
    return str(one or "").casefold() == str(other or "").casefold()
