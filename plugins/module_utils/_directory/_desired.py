# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What is desired for each account, and nothing that is not. Pure; private to the collection."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from typing import Any, Mapping

from ._passwords import person_key

#: option -> attribute
ATTRIBUTES = {
    "given_name": "givenName",
    "surname": "sn",
    "display_name": "displayName",
    "mail": "mail",
    "department": "department",
    "title": "title",
    "company": "company",
    "employee_id": "employeeID",
    "office": "physicalDeliveryOfficeName",
    "phone": "telephoneNumber",
    "mobile": "mobile",
}
IDENTITY_TYPES = ("guid", "sid", "distinguished_name", "employee_id")
#: the longest cn (schema: rangeUpper of Common-Name) and the longest logon name of a person
COMMON_NAME, LOGON_NAME = 64, 20
_GROUP_KEYS = ("add", "remove", "set")


@dataclass(frozen=True)
class GroupChange:
    """Groups by name or distinguished name. set None: groups that are not named are left alone; else it is all that shall remain."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    set: tuple[str, ...] | None = None

    @property
    def joined(self) -> tuple[str, ...]:
        """The groups that the account shall be in."""
        return self.add if self.set is None else self.set


@dataclass(frozen=True)
class DesiredAccount:
    """One account as it shall be. None is "not given": for an account that exists it means that nothing is touched.

    Attributes:
        upn, sam, name, ou: as given. default_ou: where a new account goes without ou.
        identity, identity_type: by what the account is known instead of its upn.
        attributes: by attribute name, lists of text; an empty list clears.
        manager: empty text clears.
        password: for an account that needs one. is_generated: it will get one before it is written.
        must_change: whether it has to be changed at the first logon; None is must_change_new for accounts that get their first one.
        enabled None: new ones are, others stay as they are.
        cleared: options that were given as empty text and cannot be cleared. groups_fault: what is wrong with the form of groups.
    """

    upn: str | None
    sam: str | None = None
    name: str | None = None
    ou: str | None = None
    default_ou: str | None = None
    identity: str | None = None
    identity_type: str | None = None
    attributes: dict[str, list[str]] = field(default_factory=dict)
    manager: str | None = None
    groups: GroupChange = GroupChange()
    password: str | None = field(default=None, repr=False)
    is_generated: bool = False
    must_change: bool | None = None
    must_change_new: bool = False
    enabled: bool | None = None
    cleared: tuple[str, ...] = ()
    groups_fault: str | None = None

    @property
    def key(self) -> str:
        """By what sentences name it."""
        return self.upn or self.identity or "(no upn)"

    @property
    def employee_id(self) -> str | None:
        """The employee number, when one is given."""
        return next(iter(self.attributes.get("employeeID", [])), None)

    @property
    def new_sam(self) -> str:
        """The logon name of a new account."""
        return self.sam or (self.upn or "").partition("@")[0][:LOGON_NAME].strip()

    @property
    def new_display_name(self) -> str:
        """The display name of a new account."""
        given = [(self.attributes.get(name) or [""])[0] for name in ("displayName", "givenName", "sn")]
        return given[0] or " ".join(part for part in given[1:] if part) or (self.upn or "").partition("@")[0]

    @property
    def new_name(self) -> str:
        """The name that a new account shall have in its place; one that is only derived may have to give way."""
        return self.name or self.new_display_name.strip()[:COMMON_NAME].rstrip()

    @property
    def new_ou(self) -> str:
        """Where a new account goes; empty when nobody says where."""
        return self.ou or self.default_ou or ""

    @property
    def new_attributes(self) -> dict[str, list[str]]:
        """The attributes of a new account; there is nothing to clear."""
        return {name: values for name, values in {**self.attributes, "displayName": [self.new_display_name]}.items() if values}

    @property
    def addresses(self) -> list[str]:
        """Every SMTP address that the account claims, in lower case."""
        return claimed_addresses(self.attributes.get("mail", []), self.attributes.get("proxyAddresses", []))


def claimed_addresses(mail: list[str], proxies: list[str]) -> list[str]:
    """The SMTP addresses in both attributes, in lower case, sorted."""
    claimed = mail + [value.split(":", 1)[1] for value in proxies if value.lower().startswith("smtp:")]
    return sorted({address.lower() for address in claimed if address})


def read_desired(
    user: Mapping[str, Any],
    default_ou: str | None,
    initial_password: str | None,
    *,
    passwords: Mapping[str, str] | None = None,
    are_generated: bool = False,
    must_change_new: bool = False,
) -> DesiredAccount:
    """A desired account from one item of the option users.

    A key that is absent or null is not given. Empty text clears an attribute with one value; an empty list clears proxy_addresses.

    Args:
        user: the item.
        default_ou, initial_password: for new accounts that name none.
        passwords: of single people, by person_key.
        are_generated: whether those who need a password and have none will get one.
        must_change_new: whether first passwords have to be changed at the first logon.
    """
    attributes: dict[str, list[str]] = {}
    for option, attribute in ATTRIBUTES.items():
        if user.get(option) is not None:
            attributes[attribute] = [text] if (text := str(user[option]).strip()) else []
    if user.get("proxy_addresses") is not None:
        attributes["proxyAddresses"] = sorted(str(value).strip() for value in user["proxy_addresses"])
    for name, value in (user.get("attributes") or {}).items():
        if value is not None:
            items = list(value) if isinstance(value, (list, tuple)) else [value]
            attributes[str(name)] = [] if items == [""] else [_plain(item) for item in items]
    names = {option: _text(user.get(option)) for option in ("upn", "sam_account_name", "name")}
    groups, groups_fault = _read_groups(user.get("groups"))
    return DesiredAccount(
        upn=names["upn"] or None,
        sam=names["sam_account_name"] or None,
        name=names["name"] or None,
        ou=_text(user.get("ou")) or None,
        default_ou=_text(default_ou) or None,
        identity=_text(user.get("identity")) or None,
        identity_type=user.get("identity_type") or None,
        attributes=attributes,
        manager=_text(user.get("manager")),
        groups=groups,
        groups_fault=groups_fault,
        password=user.get("password") or _own_password(names["upn"], user, passwords or {}) or initial_password or None,
        is_generated=are_generated,
        must_change=user.get("password_must_change"),
        must_change_new=must_change_new,
        enabled=user.get("enabled"),
        cleared=tuple(option for option, text in names.items() if text == ""),
    )


def kind_of_identity(identity: str) -> str:
    """What an identity is by its looks, one of IDENTITY_TYPES: what looks like nothing else is an employee number."""
    if re.fullmatch(r"\{?[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?", identity):
        return "guid"
    if re.fullmatch(r"(?i)S-1-\d+(-\d+)+", identity):
        return "sid"
    if re.match(r"(?i)\s*(CN|OU|UID|L|O|DC)\s*=", identity):
        return "distinguished_name"
    return "employee_id"


def read_guid(text: str) -> uuid.UUID | None:
    """A GUID with or without braces, or None."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _read_groups(value: Any) -> tuple[GroupChange, str | None]:
    if value is None or value == "":
        return GroupChange(), None
    if isinstance(value, (str, list, tuple)):
        return GroupChange(add=_names(value)), None
    if not isinstance(value, Mapping):
        return GroupChange(), "groups is neither a list (which adds) nor a dictionary with add, remove and set"
    unknown = sorted(str(key) for key in value if key not in _GROUP_KEYS)
    if unknown:
        return GroupChange(), f"groups has no key {unknown[0]!r}: add, remove and set are possible"
    given = {key: value[key] for key in _GROUP_KEYS if value.get(key) is not None}
    for key, names in given.items():
        if not isinstance(names, (str, list, tuple)):
            return GroupChange(), f"groups.{key} is not a list"
    if "set" in given and len(given) > 1:
        return GroupChange(), "groups.set says what shall remain, so add and remove cannot stand beside it"
    change = GroupChange(_names(given.get("add", ())), _names(given.get("remove", ())), _names(given["set"]) if "set" in given else None)
    both = sorted({name.lower() for name in change.add} & {name.lower() for name in change.remove})
    return change, f"groups has {both[0]!r} in add and in remove" if both else None


def _names(value: Any) -> tuple[str, ...]:
    """Names of groups, each once, without blanks around; text alone is one name."""
    items = [value] if isinstance(value, str) else value
    found: dict[str, str] = {}
    for item in items:
        if name := str(item if item is not None else "").strip():
            found.setdefault(name.lower(), name)
    return tuple(found.values())


def _own_password(upn: str | None, user: Mapping[str, Any], passwords: Mapping[str, str]) -> str | None:
    return passwords.get(person_key(upn)) or passwords.get(person_key(user.get("identity")))


def _text(value: Any) -> str | None:
    return None if value is None else str(value).strip()


def _plain(value: Any) -> str:
    """Text as LDAP writes it; the truth values of YAML are TRUE and FALSE there."""
    return str(value).upper() if isinstance(value, bool) else str(value)
