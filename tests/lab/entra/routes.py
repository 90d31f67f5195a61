# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Which request goes where, and which application permissions it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lab.entra import groups, licences, organization, users
from lab.entra.errors import GraphError, no_such_segment
from lab.entra.messages import Request, Response

Handler = Callable[..., Response]

_DIRECTORY_READ = ("Directory.Read.All", "Directory.ReadWrite.All")
_USER_READ = ("User.Read.All", "User.ReadWrite.All", *_DIRECTORY_READ)
_USER_WRITE = ("User.ReadWrite.All", "Directory.ReadWrite.All")
_RESTORE = ("User.DeleteRestore.All", "User.ReadWrite.All")
_LICENCE_READ = ("LicenseAssignment.Read.All", "LicenseAssignment.ReadWrite.All", *_DIRECTORY_READ)
_LICENCE_WRITE = ("LicenseAssignment.ReadWrite.All", *_USER_WRITE)
_GROUP_READ = (
    "Group.ReadBasic.All",
    "GroupMember.Read.All",
    "GroupMember.ReadWrite.All",
    "Group.Read.All",
    "Group.ReadWrite.All",
    *_DIRECTORY_READ,
)
_MEMBER_READ = ("GroupMember.ReadBasic.All", *_GROUP_READ[1:])
_MEMBER_WRITE = ("GroupMember.ReadWrite.All", "Group.ReadWrite.All", "Directory.ReadWrite.All")


@dataclass(frozen=True)
class Route:
    """One operation; '*' in the path is a key that the handler gets."""

    method: str
    path: tuple[str, ...]
    handler: Handler
    permissions: tuple[str, ...]  # one of them is enough


def _route(method: str, path: str, handler: Handler, permissions: tuple[str, ...]) -> Route:
    return Route(method, tuple(path.split("/")), handler, permissions)


ROUTES = (
    _route("GET", "users", users.list_users, _USER_READ),
    _route("GET", "users/$count", users.count_users, _USER_READ),
    _route("GET", "users/*", users.get_user, _USER_READ),
    _route("PATCH", "users/*", users.patch_user, _USER_WRITE),
    _route("POST", "users/*/assignLicense", licences.assign_licence, _LICENCE_WRITE),
    _route("GET", "users/*/licenseDetails", licences.licence_details, (*_LICENCE_READ, *_USER_READ)),
    _route("GET", "users/*/memberOf", groups.list_member_of, (*_USER_READ, "GroupMember.Read.All")),
    _route("GET", "subscribedSkus", licences.subscribed_skus, (*_LICENCE_READ, "Organization.Read.All")),
    _route("GET", "groups", groups.list_groups, _GROUP_READ),
    _route("GET", "groups/*", groups.get_group, _GROUP_READ),
    _route("PATCH", "groups/*", groups.bind_members, _MEMBER_WRITE),
    _route("GET", "groups/*/members", groups.list_members, _MEMBER_READ),
    _route("POST", "groups/*/members/$ref", groups.add_member, _MEMBER_WRITE),
    _route("DELETE", "groups/*/members/*/$ref", groups.remove_member, _MEMBER_WRITE),
    _route("GET", "organization", organization.list_organization, ("Organization.Read.All", "User.Read.All", *_DIRECTORY_READ)),
    _route("GET", "domains", organization.list_domains, ("Domain.Read.All", *_DIRECTORY_READ)),
    _route("GET", "directory/deletedItems/microsoft.graph.user", users.list_deleted, _USER_READ),
    _route("GET", "directory/deletedItems/*", users.get_deleted, _USER_READ),
    _route("POST", "directory/deletedItems/*/restore", users.restore_deleted, _RESTORE),
)


def find(request: Request) -> tuple[Route, list[str]]:
    """The operation of a request and the keys in its path. Raises GraphError when there is none."""
    known = False
    for route in ROUTES:
        if len(route.path) != len(request.segments):
            continue
        keys = [given for part, given in zip(route.path, request.segments, strict=True) if part == "*"]
        fixed = [(part, given) for part, given in zip(route.path, request.segments, strict=True) if part != "*"]
        if all(part.lower() == given.lower() for part, given in fixed):
            if route.method == request.method:
                return route, keys
            known = True
    if known:
        raise GraphError(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
    raise no_such_segment(request.segments[-1] if request.segments else "")
