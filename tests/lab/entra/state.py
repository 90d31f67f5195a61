# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What the tenant holds: users, recycle bin, groups, and when what was written becomes visible."""

from __future__ import annotations

import copy
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lab.entra.errors import not_found
from lab.entra.licences import Sku

User = dict[str, Any]

# The default answer of GET /users (api-reference: user-list); everything else must be selected.
DEFAULT_PROPERTIES = (
    "businessPhones",
    "displayName",
    "givenName",
    "id",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
)
_LISTS = (
    "assignedLicenses",
    "businessPhones",
    "licenseAssignmentStates",
    "onPremisesProvisioningErrors",
    "otherMails",
    "proxyAddresses",
)
_PLAIN = (
    "accountEnabled",
    "city",
    "companyName",
    "country",
    "createdDateTime",
    "deletedDateTime",
    "department",
    "displayName",
    "employeeId",
    "givenName",
    "id",
    "jobTitle",
    "mail",
    "mailNickname",
    "mobilePhone",
    "officeLocation",
    "onPremisesDistinguishedName",
    "onPremisesDomainName",
    "onPremisesImmutableId",
    "onPremisesLastSyncDateTime",
    "onPremisesSamAccountName",
    "onPremisesSecurityIdentifier",
    "onPremisesSyncEnabled",
    "onPremisesUserPrincipalName",
    "postalCode",
    "preferredLanguage",
    "state",
    "streetAddress",
    "surname",
    "usageLocation",
    "userPrincipalName",
    "userType",
)
USER_PROPERTIES = frozenset(_LISTS + _PLAIN)


def stamp() -> str:
    """Now, as Graph writes a DateTimeOffset."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Group:
    """A group of the tenant; `members` are ids of users."""

    id: str
    display_name: str
    on_premises: bool = False
    dynamic: bool = False
    members: list[str] = field(default_factory=list)


@dataclass
class Options:
    """What can be changed while the lab runs; all times in seconds."""

    visibility_delay: float = 0.0  # from the creation of a user to the first read that sees it
    filter_lag: float = 0.0  # from the first read that sees a user to the first filter that finds the user
    refuse_in: bool = False  # whether filters with `in` are refused
    licence_read_lag: float = 0.0  # from an assignLicense to the first read that shows it
    licence_lag: float = 0.0  # from a PATCH of usageLocation to the first assignLicense that knows it
    token_lifetime: int = 3599
    page_size: int = 100
    block_soft_match: bool = False
    block_hard_match: bool = False


class Tenant:
    """The data of one tenant. Hold `lock` around every use; methods do not take it themselves."""

    def __init__(self, tenant_id: str, initial_domain: str, verified_domains: Sequence[str], skus: Sequence[Sku]) -> None:
        self.lock = threading.RLock()
        self.tenant_id = tenant_id
        self.initial_domain = initial_domain
        self.verified_domains = tuple(verified_domains)
        self.skus = tuple(skus)
        self.options = Options()
        self.live: dict[str, User] = {}
        self.deleted: dict[str, User] = {}
        self.groups: dict[str, Group] = {}
        self.last_sync: str | None = None
        self._visible_at: dict[str, float] = {}
        self._location_before: dict[str, tuple[float, str | None]] = {}
        self._licences_before: dict[str, tuple[float, list[Any]]] = {}

    def create(self, attributes: User) -> User:
        """Add a user with a new id; what `attributes` does not give is empty."""
        user: User = dict.fromkeys(_PLAIN) | {name: [] for name in _LISTS}
        user.update(accountEnabled=True, userType="Member", createdDateTime=stamp())
        user.update(copy.deepcopy(attributes))
        user["id"] = str(uuid.uuid4())
        self.live[user["id"]] = user
        self._hide(user["id"])
        return user

    def remove(self, user: User) -> None:
        """To the recycle bin. The name is made free by putting the id before it."""
        del self.live[user["id"]]
        user["deletedDateTime"] = stamp()
        # assumption: the id without dashes goes before the user principal name, as portals show deleted users.
        user["userPrincipalName"] = user["id"].replace("-", "") + (user["userPrincipalName"] or "")
        self.deleted[user["id"]] = user

    def restore(self, user: User) -> None:
        """Out of the recycle bin, with the name it had."""
        del self.deleted[user["id"]]
        user["deletedDateTime"] = None
        user["userPrincipalName"] = user["userPrincipalName"].removeprefix(user["id"].replace("-", ""))
        self.live[user["id"]] = user
        self._hide(user["id"])

    def _hide(self, user_id: str) -> None:
        self._visible_at[user_id] = time.monotonic() + self.options.visibility_delay

    def visible(self, filtered: bool = False) -> list[User]:
        """The users that reads see, oldest first; `filtered`: those that a filter finds."""
        now = time.monotonic() - (self.options.filter_lag if filtered else 0.0)
        return [user for user in self.live.values() if self._visible_at[user["id"]] <= now]

    def user(self, key: str) -> User:
        """The visible user with this id or user principal name. Raises GraphError 404."""
        wanted = key.lower()
        for user in self.visible():
            if wanted in (user["id"], (user["userPrincipalName"] or "").lower()):
                return user
        raise not_found(key)

    def group(self, key: str) -> Group:
        """The group with this id. Raises GraphError 404."""
        try:
            return self.groups[key.lower()]
        except KeyError:
            raise not_found(key) from None

    def set_usage_location(self, user: User, value: str | None) -> None:
        """As a PATCH does: licensing goes on with the old value for `licence_lag` seconds."""
        if self.options.licence_lag > 0 and value != user["usageLocation"]:
            self._location_before[user["id"]] = (time.monotonic() + self.options.licence_lag, user["usageLocation"])
        user["usageLocation"] = value

    def set_licences(self, user: User, licences: list[Any]) -> None:
        """As assignLicense does: reads go on with the old ones for `licence_read_lag` seconds."""
        if self.options.licence_read_lag > 0:
            self._licences_before[user["id"]] = (time.monotonic() + self.options.licence_read_lag, user["assignedLicenses"])
        user["assignedLicenses"] = licences

    def as_read(self, user: User) -> User:
        """The user as a read shows it."""
        until, before = self._licences_before.get(user["id"], (0.0, []))
        return {**user, "assignedLicenses": before} if time.monotonic() < until else user

    def usage_location_for_licences(self, user: User) -> str | None:
        """The usage location that licensing knows of."""
        until, before = self._location_before.get(user["id"], (0.0, None))
        return before if time.monotonic() < until else user["usageLocation"]
