# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The tenant as the target of a synchronisation: matching, conflicts, recycle bin (Microsoft Entra documentation of Connect Sync)."""

from __future__ import annotations

import hashlib
from typing import Any

from lab.entra.state import USER_PROPERTIES, Tenant, User, stamp
from lab.synchronisation import ExportedUser

_OWNED_BY_TENANT = {
    "id",
    "assignedLicenses",
    "licenseAssignmentStates",
    "onPremisesProvisioningErrors",
    "createdDateTime",
    "deletedDateTime",
}
_LISTS = {"proxyAddresses", "businessPhones", "otherMails"}


def apply(tenant: Tenant, change: ExportedUser) -> str | None:
    """Take one change; None when exported, else the engine's error type."""
    tenant.last_sync = stamp()
    anchor = change.source_anchor
    user = _by_anchor(tenant.live, anchor)
    if change.operation == "delete":
        if user is not None:
            tenant.remove(user)
        return None
    if user is not None and not user["onPremisesSyncEnabled"] and tenant.options.block_hard_match:
        return "InvalidHardMatch"
    if user is None:
        user = _by_anchor(tenant.deleted, anchor)
        if user is not None:
            tenant.restore(user)
    if user is None:
        user = _soft_match(tenant, change.attributes)
        if user is not None and tenant.options.block_soft_match:
            return "InvalidSoftMatch"
    if user is None:
        # assumption: an update of an object that the tenant does not know creates it, as the engine's next full cycle would.
        user = tenant.create({"onPremisesImmutableId": anchor})
    _write(tenant, user, change)
    return None


def _by_anchor(users: dict[str, User], anchor: str) -> User | None:
    return next((user for user in users.values() if user["onPremisesImmutableId"] == anchor), None)


def _soft_match(tenant: Tenant, attributes: dict[str, Any]) -> User | None:
    """A cloud user without an anchor that has the same user principal name or primary SMTP address."""
    name = (attributes.get("userPrincipalName") or "").lower()
    primary = _primary(attributes.get("proxyAddresses") or [])
    for user in tenant.live.values():
        if user["onPremisesImmutableId"]:
            continue
        if name and (user["userPrincipalName"] or "").lower() == name:
            return user
        if primary and primary in (_primary(user["proxyAddresses"]), (user["mail"] or "").lower()):
            return user
    return None


def _primary(addresses: list[str]) -> str:
    return next((address[5:].lower() for address in addresses if address.startswith("SMTP:")), "")


def _write(tenant: Tenant, user: User, change: ExportedUser) -> None:
    given = {name: value for name, value in change.attributes.items() if name in USER_PROPERTIES - _OWNED_BY_TENANT}
    if not given.get("usageLocation"):
        given.pop("usageLocation", None)  # an empty value in the directory does not take the cloud's away
    name = given.pop("userPrincipalName", None)
    addresses = given.pop("proxyAddresses", None)
    for attribute, value in given.items():
        user[attribute] = [] if value is None and attribute in _LISTS else value
    user.update(
        onPremisesImmutableId=change.source_anchor,
        onPremisesSyncEnabled=True,
        onPremisesLastSyncDateTime=tenant.last_sync,
    )
    if name is not None:
        user["onPremisesUserPrincipalName"] = name
        _set_name(tenant, user, name)
    if addresses is not None:
        _set_addresses(tenant, user, list(addresses))
    user["mailNickname"] = user["mailNickname"] or (user["userPrincipalName"] or "").partition("@")[0]


def _set_name(tenant: Tenant, user: User, wanted: str) -> None:
    """Take the name, or the fallback for a domain that is not verified, or the one of a quarantined duplicate."""
    _forget_conflicts(user, "UserPrincipalName")
    prefix, _unused, domain = wanted.partition("@")
    if domain.lower() not in {name.lower() for name in (*tenant.verified_domains, tenant.initial_domain)}:
        wanted = f"{user['mailNickname'] or prefix}@{tenant.initial_domain}"
    if wanted.lower() not in _names_of_others(tenant, user):
        user["userPrincipalName"] = wanted
        return
    _conflict(user, "UserPrincipalName", wanted)
    number = int(hashlib.sha256(user["onPremisesImmutableId"].encode()).hexdigest(), 16) % 9000
    taken = _names_of_others(tenant, user)
    while (name := f"{wanted.partition('@')[0]}+{1000 + number}@{tenant.initial_domain}").lower() in taken:
        number = (number + 1) % 9000
    user["userPrincipalName"] = name


def _names_of_others(tenant: Tenant, user: User) -> set[str]:
    return {(other["userPrincipalName"] or "").lower() for other in tenant.live.values() if other is not user}


def _set_addresses(tenant: Tenant, user: User, wanted: list[str]) -> None:
    """Take the addresses that nobody else has; the others are quarantined."""
    _forget_conflicts(user, "ProxyAddress")
    taken = {address.lower() for other in tenant.live.values() if other is not user for address in other["proxyAddresses"]}
    user["proxyAddresses"] = [address for address in wanted if address.lower() not in taken]
    for address in wanted:
        if address.lower() in taken:
            _conflict(user, "ProxyAddress", address)


def _forget_conflicts(user: User, cause: str) -> None:
    errors = user["onPremisesProvisioningErrors"]
    user["onPremisesProvisioningErrors"] = [error for error in errors if error["propertyCausingError"] != cause]


def _conflict(user: User, cause: str, value: str) -> None:
    error = {"category": "PropertyConflict", "occurredDateTime": stamp(), "propertyCausingError": cause, "value": value}
    user["onPremisesProvisioningErrors"].append(error)
