# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Groups and their members."""

from __future__ import annotations

from typing import Any

from lab.entra.errors import bad_request, mastered_on_premises, not_found
from lab.entra.messages import Request, Response
from lab.entra.query import Resource, answer, select
from lab.entra.state import Group, Tenant
from lab.entra.users import USERS

_PROPERTIES = (
    "id",
    "displayName",
    "description",
    "groupTypes",
    "mailEnabled",
    "mailNickname",
    "membershipRule",
    "onPremisesSyncEnabled",
    "securityEnabled",
)
GROUPS = Resource(
    name="Group",
    collection="groups",
    properties=_PROPERTIES,
    default=_PROPERTIES,
    filterable=("id", "displayName", "mailNickname", "securityEnabled", "onPremisesSyncEnabled"),
)
_MOST_BOUND = 20


def _shown(group: Group) -> dict[str, Any]:
    return {
        "id": group.id,
        "displayName": group.display_name,
        "description": None,
        "groupTypes": ["DynamicMembership"] if group.dynamic else [],
        "mailEnabled": False,
        "mailNickname": group.display_name.replace(" ", ""),
        "membershipRule": 'user.department -ne ""' if group.dynamic else None,
        "onPremisesSyncEnabled": True if group.on_premises else None,
        "securityEnabled": True,
    }


def list_groups(tenant: Tenant, request: Request) -> Response:
    """GET /groups."""
    return answer(GROUPS, request, [_shown(group) for group in tenant.groups.values()], tenant.options.page_size)


def get_group(tenant: Tenant, request: Request, key: str) -> Response:
    """GET /groups/{id}."""
    return Response(200, select(GROUPS, request, _shown(tenant.group(key))), context="groups/$entity")


def list_members(tenant: Tenant, request: Request, key: str) -> Response:
    """GET /groups/{id}/members."""
    members = tenant.group(key).members
    found = [{**user, "@odata.type": "#microsoft.graph.user"} for user in tenant.visible() if user["id"] in members]
    response = answer(USERS, request, found, tenant.options.page_size)
    assert isinstance(response.body, dict)
    response.body["value"] = [{"@odata.type": "#microsoft.graph.user", **entry} for entry in response.body["value"]]
    response.context = "directoryObjects"
    return response


def list_member_of(tenant: Tenant, request: Request, key: str) -> Response:
    """GET /users/{id}/memberOf."""
    user = tenant.user(key)
    found = [_shown(group) for group in tenant.groups.values() if user["id"] in group.members]
    response = answer(GROUPS, request, found, tenant.options.page_size)
    assert isinstance(response.body, dict)
    response.body["value"] = [{"@odata.type": "#microsoft.graph.group", **entry} for entry in response.body["value"]]
    response.context = "directoryObjects"
    return response


def add_member(tenant: Tenant, request: Request, key: str) -> Response:
    """POST /groups/{id}/members/$ref."""
    return _add(tenant, key, [request.json_object().get("@odata.id")])


def bind_members(tenant: Tenant, request: Request, key: str) -> Response:
    """PATCH /groups/{id} with members@odata.bind: up to 20, all of them or none."""
    references = request.json_object().get("members@odata.bind")
    if not isinstance(references, list) or not 1 <= len(references) <= _MOST_BOUND:
        raise bad_request(f"The value of members@odata.bind must be a list of 1 to {_MOST_BOUND} references.")
    return _add(tenant, key, references)


def _add(tenant: Tenant, key: str, references: list[Any]) -> Response:
    group = _writable(tenant, key)
    added: list[str] = []
    for reference in references:
        if not isinstance(reference, str) or "/" not in reference:
            raise bad_request("Invalid URL format specified in @odata.id.")
        user = tenant.user(reference.rstrip("/").rpartition("/")[2])
        if user["id"] in group.members or user["id"] in added:
            raise bad_request("One or more added object references already exist for the following modified properties: 'members'.")
        added.append(user["id"])
    group.members += added
    return Response(204)


def remove_member(tenant: Tenant, request: Request, key: str, member: str) -> Response:
    """DELETE /groups/{id}/members/{id}/$ref."""
    del request
    group = _writable(tenant, key)
    if member not in group.members:
        raise not_found(member)
    group.members.remove(member)
    return Response(204)


def _writable(tenant: Tenant, key: str) -> Group:
    group = tenant.group(key)
    if group.on_premises:
        raise mastered_on_premises()
    if group.dynamic:
        # assumption: only that it is refused is documented, not the text.
        raise bad_request("Insufficient privileges to update the members of a group with dynamic membership.")
    return group
