# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Users: reading, writing what the cloud owns, the recycle bin."""

from __future__ import annotations

import re

from lab.entra.errors import bad_request, mastered_on_premises, not_found, unsupported_query
from lab.entra.messages import Request, Response
from lab.entra.query import Resource, answer, select
from lab.entra.state import DEFAULT_PROPERTIES, USER_PROPERTIES, Tenant

USERS = Resource(
    name="User",
    collection="users",
    properties=USER_PROPERTIES,
    default=DEFAULT_PROPERTIES,
    filterable=(
        "accountEnabled",
        "department",
        "displayName",
        "employeeId",
        "givenName",
        "id",
        "jobTitle",
        "mail",
        "mailNickname",
        "onPremisesImmutableId",
        "onPremisesProvisioningErrors",
        "onPremisesSyncEnabled",
        "proxyAddresses",
        "surname",
        "usageLocation",
        "userPrincipalName",
        "userType",
    ),
    # The stored tables of the documentation disagree on two of these; a client that always sends both parameters is right with all of them.
    advanced=("onPremisesLastSyncDateTime", "onPremisesSamAccountName", "onPremisesSecurityIdentifier"),
    case_sensitive=("onPremisesImmutableId",),  # assumption: a base64 value is compared as it is
)
# What a synchronised user takes from its own directory; usageLocation, otherMails and preferredLanguage stay writable.
_MASTERED = USER_PROPERTIES - {"usageLocation", "otherMails", "preferredLanguage"}
_READ_ONLY = {"id", "createdDateTime", "deletedDateTime", "assignedLicenses", "licenseAssignmentStates", "proxyAddresses"} | {
    name for name in USER_PROPERTIES if name.startswith("onPremises") and name != "onPremisesImmutableId"
}
_IN = re.compile(r"\sin\s*\(", re.IGNORECASE)
_LOCATION = re.compile(r"[A-Za-z]{2}")


def list_users(tenant: Tenant, request: Request) -> Response:
    """GET /users."""
    users = [tenant.as_read(user) for user in tenant.visible(filtered="filter" in request.query)]
    if tenant.options.refuse_in and _IN.search(request.query.get("filter", "")):
        raise unsupported_query("Operator 'in' is not supported for this property.")
    return answer(USERS, request, users, tenant.options.page_size)


def count_users(tenant: Tenant, request: Request) -> Response:
    """GET /users/$count."""
    if not request.consistency:
        raise bad_request("$count is not currently supported.")
    return Response(200, str(len(tenant.visible())))


def get_user(tenant: Tenant, request: Request, key: str) -> Response:
    """GET /users/{id | userPrincipalName}."""
    return Response(200, select(USERS, request, tenant.as_read(tenant.user(key))), context="users/$entity")


def patch_user(tenant: Tenant, request: Request, key: str) -> Response:
    """PATCH /users/{id | userPrincipalName}: all of it or nothing."""
    user = tenant.user(key)
    changes = request.json_object()
    for name in changes:
        if name not in USER_PROPERTIES:
            raise bad_request(f"One or more property values specified are invalid. Property '{name}' is unknown.")
        if user["onPremisesSyncEnabled"] and name in _MASTERED:
            raise mastered_on_premises()
        if name in _READ_ONLY:
            raise bad_request(f"Property '{name}' is read-only and cannot be set.")
    location = changes.get("usageLocation")
    if location is not None and not (isinstance(location, str) and _LOCATION.fullmatch(location)):
        raise bad_request("Invalid value specified for property 'usageLocation' of resource 'User'.")
    wanted = changes.get("userPrincipalName")
    if wanted is not None and any(other is not user and _same(other["userPrincipalName"], wanted) for other in tenant.live.values()):
        raise bad_request("Another object with the same value for property userPrincipalName already exists.")
    for name, value in changes.items():
        if name == "usageLocation":
            tenant.set_usage_location(user, value.upper() if value else None)
        else:
            user[name] = value
    return Response(204)


def list_deleted(tenant: Tenant, request: Request) -> Response:
    """GET /directory/deletedItems/microsoft.graph.user."""
    return answer(USERS, request, list(tenant.deleted.values()), tenant.options.page_size)


def get_deleted(tenant: Tenant, request: Request, key: str) -> Response:
    """GET /directory/deletedItems/{id}."""
    if key not in tenant.deleted:
        raise not_found(key)
    return Response(200, select(USERS, request, tenant.deleted[key]), context="directoryObjects/$entity")


def restore_deleted(tenant: Tenant, request: Request, key: str) -> Response:
    """POST /directory/deletedItems/{id}/restore."""
    user = tenant.deleted.get(key)
    if user is None:
        raise not_found(key)
    tenant.restore(user)
    return Response(200, select(USERS, request, user), context="directoryObjects/$entity")


def _same(one: str | None, other: object) -> bool:
    return isinstance(one, str) and isinstance(other, str) and one.lower() == other.lower()
