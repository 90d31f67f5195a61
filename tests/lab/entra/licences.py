# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""SKUs with seats, and the assignment of licences to users."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lab.entra.errors import GraphError, bad_request
from lab.entra.messages import Request, Response

if TYPE_CHECKING:
    from lab.entra.state import Tenant, User

_LOCATION = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True)
class Plan:
    """A service plan of a SKU."""

    name: str
    plan_id: str


@dataclass(frozen=True)
class Sku:
    """A subscription with its seats; `applies_to` is User or Company (only User can be assigned)."""

    part_number: str
    sku_id: str
    seats: int
    plans: tuple[Plan, ...] = ()
    applies_to: str = "User"
    excludes: tuple[str, ...] = ()  # ids of SKUs that cannot be held beside it
    requires: tuple[str, ...] = ()  # ids of SKUs of which one has to be held too


# Ids as in Microsoft's public list of product names and service plan identifiers.
DEFAULT_SKUS = (
    Sku(
        "SPE_E3",
        "05e9a617-0261-4cee-bb44-138d3ef5d965",
        25,
        (
            Plan("EXCHANGE_S_ENTERPRISE", "efb87545-963c-4e0d-99df-69c6916d9eb0"),
            Plan("SHAREPOINTENTERPRISE", "5dbe027f-2339-4123-9542-606e4d348a72"),
            Plan("TEAMS1", "57ff2da0-773e-42df-b2af-ffb7a2317929"),
        ),
    ),
    Sku("FLOW_FREE", "f30db892-07e9-47e9-837c-80727f46fd3d", 10000, (Plan("FLOW_P2_VIRAL", "50e68c76-46c6-4674-81f9-75456511b170"),)),
)


def consumed(tenant: Tenant, sku: Sku) -> int:
    """Seats in use; a deleted user holds none."""
    return sum(1 for user in tenant.live.values() if any(licence["skuId"] == sku.sku_id for licence in user["assignedLicenses"]))


def subscribed_skus(tenant: Tenant, request: Request) -> Response:
    """GET /subscribedSkus."""
    from lab.entra.messages import Response

    del request
    value = [
        {
            "id": f"{tenant.tenant_id}_{sku.sku_id}",
            "accountId": tenant.tenant_id,
            "accountName": tenant.initial_domain.split(".")[0],
            "appliesTo": sku.applies_to,
            "capabilityStatus": "Enabled",
            "consumedUnits": consumed(tenant, sku),
            "prepaidUnits": {"enabled": sku.seats, "lockedOut": 0, "suspended": 0, "warning": 0},
            "servicePlans": _plans(sku, set()),
            "skuId": sku.sku_id,
            "skuPartNumber": sku.part_number,
            "subscriptionIds": [str(uuid.uuid5(uuid.NAMESPACE_OID, sku.sku_id))],
        }
        for sku in tenant.skus
    ]
    return Response(200, {"value": value}, context="subscribedSkus")


def licence_details(tenant: Tenant, request: Request, key: str) -> Response:
    """GET /users/{id}/licenseDetails."""
    from lab.entra.messages import Response

    del request
    skus = {sku.sku_id: sku for sku in tenant.skus}
    value = []
    for licence in tenant.user(key)["assignedLicenses"]:
        sku = skus[licence["skuId"]]
        plans = _plans(sku, set(licence["disabledPlans"]))
        value.append({"id": sku.sku_id, "skuId": sku.sku_id, "skuPartNumber": sku.part_number, "servicePlans": plans})
    return Response(200, {"value": value}, context=f"users('{key}')/licenseDetails")


def _plans(sku: Sku, disabled: set[str]) -> list[dict[str, str]]:
    return [
        {
            "servicePlanId": plan.plan_id,
            "servicePlanName": plan.name,
            "provisioningStatus": "Disabled" if plan.plan_id in disabled else "Success",
            "appliesTo": sku.applies_to,
        }
        for plan in sku.plans
    ]


def assign_licence(tenant: Tenant, request: Request, key: str) -> Response:
    """POST /users/{id}/assignLicense: all of it or nothing."""
    from lab.entra.messages import Response

    user = tenant.user(key)
    body = request.json_object()
    missing = [name for name in ("addLicenses", "removeLicenses") if not isinstance(body.get(name), list)]
    if missing:
        raise bad_request(
            "One or more parameters of the operation 'assignLicense' are missing from the request payload. "
            f"The missing parameters are: {', '.join(missing)}."
        )
    after = {licence["skuId"]: licence for licence in user["assignedLicenses"]}
    for sku_id in body["removeLicenses"]:
        if after.pop(_guid(sku_id), None) is None:
            raise bad_request("User does not have a corresponding license.")  # assumption: text as seen in scripts
    for added in body["addLicenses"]:
        licence = _added(tenant, user, added, held=set(after))
        after[licence["skuId"]] = licence
    _check_together(tenant, set(after))
    tenant.set_licences(user, list(after.values()))
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    user["licenseAssignmentStates"] = [
        {**licence, "assignedByGroup": None, "state": "Active", "error": "None", "lastUpdatedDateTime": now}
        for licence in user["assignedLicenses"]
    ]
    return Response(200, dict(user), context="users/$entity")


def _check_together(tenant: Tenant, held: set[str]) -> None:
    """Plans that exclude each other, or need each other. Raises GraphError; the texts are Graph's, as scripts and issues show them."""
    for sku in tenant.skus:
        if sku.sku_id not in held:
            continue
        for other in held.intersection(sku.excludes):
            raise bad_request(f"License assignment failed because service plans {sku.sku_id}, {other} are mutually exclusive.")
        if sku.requires and not held.intersection(sku.requires):
            needed = ", ".join(sku.requires)
            raise bad_request(f"License assignment failed because service plan {sku.sku_id} depends on the service plan(s) {needed}")


def _added(tenant: Tenant, user: User, added: Any, held: set[str]) -> dict[str, Any]:
    if not isinstance(added, dict):
        raise bad_request("Invalid value specified for property 'addLicenses' of resource 'User'.")
    sku_id = _guid(added.get("skuId"))
    # assumption: an absent list disables nothing, and a new list replaces the one before.
    disabled = [_guid(plan) for plan in added.get("disabledPlans") or []]
    sku = next((sku for sku in tenant.skus if sku.sku_id == sku_id), None)
    if sku is None:
        raise bad_request(f"License {sku_id} does not correspond to a valid company License.")  # assumption: text as seen in scripts
    if sku.applies_to != "User":
        raise bad_request(f"License {sku_id} cannot be assigned to a user.")
    if not _LOCATION.fullmatch(tenant.usage_location_for_licences(user) or ""):
        raise bad_request("License assignment cannot be done for user with invalid usage location.")
    held_before = any(licence["skuId"] == sku_id for licence in user["assignedLicenses"])
    if sku_id not in held and not held_before and consumed(tenant, sku) >= sku.seats:
        raise bad_request(f"Subscription with SKU {sku_id} does not have any available licenses.")
    known = {plan.plan_id for plan in sku.plans}
    for plan_id in disabled:
        if plan_id not in known:
            raise bad_request(f"Plan {plan_id} is not part of license {sku_id}.")  # assumption: only the status is known
    return {"disabledPlans": disabled, "skuId": sku_id}


def _guid(value: Any) -> str:
    try:
        return str(uuid.UUID(value))
    except (TypeError, ValueError, AttributeError):
        raise GraphError(
            400, "Request_BadRequest", f"Cannot convert a primitive value to the expected type 'Edm.Guid'. Value: {value!r}"
        ) from None
