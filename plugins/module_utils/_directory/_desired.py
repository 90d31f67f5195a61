# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What is wished for each account, and what is wrong with the wishes. Pure; private to the collection."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence

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
#: attributes that have options or rules of their own, and are therefore refused among the free ones
_RESERVED = {
    "userprincipalname", "samaccountname", "unicodepwd", "useraccountcontrol", "pwdlastset", "memberof", "manager", "objectguid", "cn", "name",
    "distinguishedname", "proxyaddresses", *(name.lower() for name in ATTRIBUTES.values()),
}  # fmt: skip
# Microsoft: characters that a sAMAccountName must not have; it ends neither with a dot nor is it longer than 20 for users.
_SAM_FORBIDDEN = re.compile(r"[\"/\\\[\]:;|=,+*?<>@\x00-\x1f]")
_UPN = re.compile(r"^[^@\s\x00-\x1f\"\\/\[\]:;|=,+*?<>()$`]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class Wish:
    """One account as it shall be.

    attributes: by attribute name, lists of text. enabled None: new ones are, others stay as they are. keeps_name, keeps_ou:
    the value was only derived or defaulted, so an account that exists is neither renamed nor moved for it.
    """

    upn: str
    sam: str
    name: str
    ou: str
    attributes: dict[str, list[str]]
    manager: str | None = None
    groups: tuple[str, ...] = ()
    password: str | None = field(default=None, repr=False)
    must_change: bool = False
    enabled: bool | None = None
    keeps_name: bool = False
    keeps_ou: bool = False

    @property
    def addresses(self) -> list[str]:
        """Every SMTP address that the account claims, in lower case."""
        claimed = list(self.attributes.get("mail", []))
        claimed += [value.split(":", 1)[1] for value in self.attributes.get("proxyAddresses", []) if value.lower().startswith("smtp:")]
        return sorted({address.lower() for address in claimed if address})


def read_wish(user: Mapping[str, Any], default_ou: str | None, initial_password: str | None) -> Wish:
    """A wish from one item of the option users; what is not given is derived."""
    upn = str(user.get("upn") or "").strip()
    display = (
        user.get("display_name")
        or " ".join(part for part in (user.get("given_name"), user.get("surname")) if part)
        or upn.partition("@")[0]
    )
    attributes = {ATTRIBUTES[option]: [str(user[option])] for option in ATTRIBUTES if user.get(option) not in (None, "")}
    attributes.setdefault("displayName", [str(display)])
    if user.get("proxy_addresses"):
        attributes["proxyAddresses"] = sorted(str(value) for value in user["proxy_addresses"])
    for name, value in (user.get("attributes") or {}).items():
        attributes[str(name)] = [str(item) for item in value] if isinstance(value, (list, tuple)) else [str(value)]
    return Wish(
        upn=upn,
        sam=str(user.get("sam_account_name") or upn.partition("@")[0][:20]).strip(),
        name=str(user.get("name") or display).strip(),
        ou=str(user.get("ou") or default_ou or "").strip(),
        attributes=attributes,
        manager=user.get("manager") or None,
        groups=tuple(user.get("groups") or ()),
        password=user.get("password") or initial_password or None,
        must_change=bool(user.get("password_must_change")),
        enabled=user.get("enabled"),
        keeps_name=not user.get("name"),
        keeps_ou=not user.get("ou"),
    )


def faults_in(wishes: Sequence[Wish]) -> list[str]:
    """What is wrong with the batch by itself, one sentence each."""
    faults = []
    for wish in wishes:
        faults += [f"{wish.upn or '(no upn)'}: {fault}." for fault in _faults_of(wish)]
    keys: tuple[tuple[str, Callable[[Wish], Sequence[str]]], ...] = (
        ("upn", lambda wish: [wish.upn]),
        ("sam_account_name", lambda wish: [wish.sam]),
        ("name in the same ou", lambda wish: [f"{wish.name},{wish.ou}"]),
        ("address", lambda wish: wish.addresses),
    )
    for what, values_of in keys:
        seen: dict[str, str] = {}
        for wish in wishes:
            for value in values_of(wish):
                other = seen.setdefault(value.lower(), wish.upn)
                if value and other is not wish.upn:
                    faults.append(f"{wish.upn}: the {what} {value!r} is asked for twice in this batch, also for {other}.")
    return faults


def _faults_of(wish: Wish) -> list[str]:
    faults = []
    if not _UPN.match(wish.upn):
        faults.append(
            "upn is missing" if not wish.upn else "upn is not of the form name@suffix, or has characters that Entra ID does not take"
        )
    if not wish.sam or len(wish.sam) > 20 or _SAM_FORBIDDEN.search(wish.sam) or wish.sam.endswith("."):
        faults.append(
            f'sam_account_name {wish.sam!r} has to have 1 to 20 characters, none of them of "/\\[]:;|=,+*?<>@, and no dot at its end'
        )
    if not wish.name or len(wish.name) > 64 or _CONTROL.search(wish.name):
        faults.append(f"name {wish.name!r} has to have 1 to 64 printable characters")
    if not wish.ou:
        faults.append("ou is missing, and there is no default_ou")
    for name, values in wish.attributes.items():
        if not re.match(r"^[A-Za-z][A-Za-z0-9-]*$", name):
            faults.append(f"{name!r} is not the name of an attribute")
        if any(_CONTROL.search(value) or not value for value in values):
            faults.append(f"{name} is empty or has control characters")
    free = [name for name in wish.attributes if name.lower() in _RESERVED and name not in (*ATTRIBUTES.values(), "proxyAddresses")]
    faults += [f"the attribute {name} has an option of its own" for name in free]
    if wish.password and len(wish.sam) >= 3 and wish.sam.lower() in wish.password.lower():
        faults.append("the password contains the sam_account_name, which Active Directory refuses")
    return faults
