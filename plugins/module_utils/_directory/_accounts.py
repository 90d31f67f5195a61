# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Reading accounts, and what has to be done to one. Private to the collection."""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass, field
from typing import Any, Iterable, Sequence

from ._connection import Directory, DirectoryFailure, DirectoryRefusal, Entry, child_dn, equals, parent_dn
from ._desired import Wish

_NORMAL_ACCOUNT = 0x200
_DISABLED = 0x2
_READ = [
    "objectClass", "objectGUID", "mS-DS-ConsistencyGuid", "userPrincipalName", "sAMAccountName", "cn", "userAccountControl", "pwdLastSet", "manager",
    "memberOf", "whenChanged",
]  # fmt: skip
#: Win32 ERROR_PASSWORD_RESTRICTION, in front of the words of every directory that refuses a password by its policy
_PASSWORD_RESTRICTION = "0000052D"
#: LDAP result code
_INSUFFICIENT_ACCESS_RIGHTS = 50


@dataclass
class Plan:
    """What has to be done to one account; nothing, when everything but `action` is empty."""

    action: str
    add: dict[str, Any] = field(default_factory=dict, repr=False)
    replace: dict[str, list[str]] = field(default_factory=dict)
    password: str | None = field(default=None, repr=False)
    control: int | None = None
    move: bool = False
    before: dict[str, Any] = field(default_factory=dict)

    @property
    def changes(self) -> list[str]:
        """Names of what changes, sorted."""
        names = set(self.replace) | ({"password"} if self.password else set()) | ({"enabled"} if self.control is not None else set())
        return sorted(names | ({"distinguishedName"} if self.move else set()))


def find_accounts(directory: Directory, wishes: Sequence[Wish]) -> list[Entry]:
    """Everything in the domain that has the UPN, the logon name, the name or an address of one of the wishes."""
    filters = []
    for wish in wishes:
        filters += [equals("userPrincipalName", wish.upn), equals("sAMAccountName", wish.sam), equals("cn", wish.name)]
        for address in wish.addresses:
            filters += [equals("mail", address), equals("proxyAddresses", f"smtp:{address}")]
    extra = {name for wish in wishes for name in wish.attributes} | {"mail", "proxyAddresses"}
    return directory.search(filters, [*_READ, *sorted(extra)])


def match(wish: Wish, entries: Iterable[Entry]) -> tuple[Entry | None, list[str]]:
    """The account that a wish means (by UPN), and sentences on what others hold of it."""
    own: Entry | None = None
    faults = []
    for entry in entries:
        if (entry.text("userPrincipalName") or "").lower() == wish.upn.lower():
            own = entry
    wanted = tuple(part.lower() for part in place(wish, own))
    for entry in entries:
        if entry is own:
            continue
        if wanted == ((entry.text("cn") or "").lower(), parent_dn(entry.dn).lower()):
            faults.append(f"{wish.upn}: the name {wish.name!r} is taken in that place, by {entry.dn}; give another name.")
        if (entry.text("sAMAccountName") or "").lower() == wish.sam.lower():
            faults.append(f"{wish.upn}: the sam_account_name {wish.sam!r} belongs to {entry.dn}.")
        held = {(entry.text("mail") or "").lower(), *(value.split(":", 1)[-1].lower() for value in entry.texts("proxyAddresses"))}
        faults += [f"{wish.upn}: the address {address} belongs to {entry.dn}." for address in wish.addresses if address in held]
    if own is not None and b"user" not in own.attributes.get("objectclass", []):
        faults.append(f"{wish.upn}: the upn belongs to {own.dn}, which is no user account.")
    return own, faults


def plan_account(wish: Wish, entry: Entry | None, *, always_password: bool) -> Plan:
    """What has to be done. Raises nothing: what is missing (a password for a new account) was asked for before."""
    if entry is None:
        control = _NORMAL_ACCOUNT | (_DISABLED if wish.enabled is False else 0)
        attributes: dict[str, Any] = {
            "objectClass": ["top", "person", "organizationalPerson", "user"],
            "sAMAccountName": wish.sam,
            "userPrincipalName": wish.upn,
            "userAccountControl": str(control),
            **wish.attributes,
        }
        if wish.password:
            attributes["unicodePwd"] = quoted(wish.password)
        if wish.must_change:
            attributes["pwdLastSet"] = "0"
        return Plan("created", add=attributes, replace={name: list(values) for name, values in wish.attributes.items()})
    wanted = {"userPrincipalName": [wish.upn], "sAMAccountName": [wish.sam], **wish.attributes}
    replace = {name: list(values) for name, values in wanted.items() if sorted(entry.texts(name)) != sorted(values)}
    control = int(entry.text("userAccountControl") or _NORMAL_ACCOUNT)
    # Disabled, and no password was ever set: an account that somebody began and did not finish. A password that has to be changed
    # looks the same, so where such ones are given, an account that was disabled on purpose must not be enabled by guessing.
    half_made = bool(control & _DISABLED) and (entry.text("pwdLastSet") or "0") == "0"
    half_made = half_made and (wish.enabled is True if wish.must_change else wish.enabled is not False)
    enable = wish.enabled if wish.enabled is not None else (True if half_made else None)
    wanted_control = control if enable is None else (control & ~_DISABLED if enable else control | _DISABLED)
    plan = Plan(
        "unchanged",
        replace=replace,
        password=wish.password if (half_made or always_password) else None,
        control=wanted_control if wanted_control != control else None,
        move=tuple(part.lower() for part in place(wish, entry)) != ((entry.text("cn") or wish.name).lower(), parent_dn(entry.dn).lower()),
        before={name: entry.texts(name) for name in replace},
    )
    if plan.changes:
        plan.action = "repaired" if half_made else "corrected"
    return plan


def place(wish: Wish, entry: Entry | None) -> tuple[str, str]:
    """The name that an account shall have, and the distinguished name of what it shall lie in."""
    if entry is None:
        return wish.name, wish.ou
    return (entry.text("cn") or wish.name) if wish.keeps_name else wish.name, parent_dn(entry.dn) if wish.keeps_ou else wish.ou


def carry_out(directory: Directory, wish: Wish, entry: Entry | None, plan: Plan) -> str:
    """Do what the plan says, all attributes of a step at once; the distinguished name afterwards. Raises DirectoryRefusal."""
    if entry is None:
        dn = child_dn(*place(wish, None))
        directory.add(dn, plan.add)
        return dn
    dn = entry.dn
    if plan.move:
        dn = directory.move(dn, *place(wish, entry))
    replace: dict[str, list[Any]] = dict(plan.replace)
    if plan.password:
        replace["unicodePwd"] = [quoted(plan.password)]
        if wish.must_change:
            replace["pwdLastSet"] = ["0"]
    if plan.control is not None:
        replace["userAccountControl"] = [str(plan.control)]
    if replace:
        directory.replace(dn, replace)
    return dn


def refusal_of(wish: Wish, error: DirectoryRefusal) -> DirectoryFailure:
    """What a refusal of one account means. The words of a password refusal are the server's own and hold no password."""
    if _PASSWORD_RESTRICTION in error.words:
        return DirectoryFailure("invalid_input", f"{wish.upn}: the password was refused by the password policy of the domain.")
    reason = "directory_denied" if error.code == _INSUFFICIENT_ACCESS_RIGHTS else "invalid_input"
    return DirectoryFailure(reason, f"{wish.upn}: the directory refused it with LDAP result {error.code} ({error.words[:200]}).")


def quoted(password: str) -> bytes:
    """A password as Active Directory takes it: in double quotes, UTF-16 little-endian."""
    return f'"{password}"'.encode("utf-16-le")


def object_guid(entry: Entry) -> str | None:
    """objectGUID as text."""
    raw = entry.raw("objectGUID")
    return str(uuid.UUID(bytes_le=raw)) if raw and len(raw) == 16 else None


def source_anchor(entry: Entry) -> str | None:
    """base64 of the 16 bytes of ms-DS-ConsistencyGuid, else of objectGUID, as Entra Connect computes it."""
    raw = entry.raw("mS-DS-ConsistencyGuid") or entry.raw("objectGUID")
    return base64.b64encode(raw).decode("ascii") if raw else None
