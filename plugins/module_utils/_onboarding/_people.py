# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Checking a batch of colleagues whole, before anything is written, and shaping it for the stages that follow."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Sequence

from ._countries import COUNTRIES, MISTAKEN
from ._table import COLUMNS, LISTS, Record

# Microsoft, "Prepare a nonroutable domain / IdFix: userPrincipalName": these are the characters that Entra ID takes before the @.
_UPN_PREFIX = re.compile(r"[A-Za-z0-9'._\-!#^~]{1,64}")
_DOMAIN = re.compile(r"(?=.{1,48}$)([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]")
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+")
# MS-ADTS, SAMAccountName of a user: not these, no control characters, no full stop at the end.
_NOT_IN_SAM = re.compile(r'["/\\\[\]:;|=,+*?<>@\s]')
_COMMON_NAME = 64
#: characters that turn the direction of the text that follows, so that it is not what it looks like
_TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_TEXTS = ("given_name", "surname", "display_name", "department", "title", "company", "employee_id", "office", "phone", "mobile", "manager")


@dataclass(frozen=True)
class Defaults:
    """What holds where a cell is empty; groups are added to those of the row."""

    ou: str = ""
    groups: Sequence[str] = ()
    usage_location: str = ""
    licenses: Sequence[str] = ()


@dataclass
class Batch:
    """The people, normalised, and every fault (one sentence each)."""

    people: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def accounts(self) -> list[dict[str, Any]]:
        """For the option users of ad_users. Empty values are left out: what the table does not say is not touched."""
        keys = (*_TEXTS, "upn", "sam_account_name", "mail", "ou", "groups", "name", "proxy_addresses")
        return [{key: person[key] for key in keys if person[key] or key in ("groups", "ou")} for person in self.people]

    def cloud(self) -> list[dict[str, Any]]:
        """For the option users of entra_user, still without source anchors."""
        return [{key: person[key] for key in ("upn", "usage_location", "licenses")} for person in self.people]


def check(records: Sequence[Record], defaults: Defaults, verified_domains: Optional[Sequence[str]]) -> Batch:
    """Check and normalise.

    Args:
        records: as read.
        defaults: for empty cells.
        verified_domains: of the tenant; None when they are not known and suffixes cannot be checked.
    """
    batch = Batch()
    domains = None if verified_domains is None else {domain.strip().lower() for domain in verified_domains if domain.strip()}
    for record in records:
        person, faults = _person(record, defaults, domains)
        batch.people.append(person)
        batch.faults.extend(faults)
    batch.faults.extend(_duplicates(records, batch.people))
    _name_apart(batch.people)
    return batch


def _person(record: Record, defaults: Defaults, domains: Optional[set[str]]) -> tuple[dict[str, Any], list[str]]:
    faults: list[str] = []

    def fault(column: str, text: str) -> None:
        faults.append(f"{record.place}, column {column}: {text}.")

    person: dict[str, Any] = {}
    for column in COLUMNS:
        value = record.values.get(column, "")
        if column in LISTS:
            person[column] = [_clean(item) for item in ([value] if isinstance(value, str) else value) if item]
            texts = person[column]
        else:
            person[column] = _clean(str(value))
            texts = [person[column]]
        if any(_has_control(text) for text in texts):
            fault(column, "control characters and line ends are not possible")
        most = COLUMNS[column]
        if most and len(person[column]) > most and column != "sam_account_name":
            fault(column, f"{len(person[column])} characters are too many, {most} is the most")
    _check_upn(person, domains, fault)
    _complete(person, defaults)
    _check_sam(person, fault)
    if not person["display_name"]:
        fault("display_name", "there is no name: give given_name and surname, or display_name")
    mail = person["mail"]
    if mail and not _is_address(mail):
        fault("mail", f"{mail!r} is not a mail address")
    person["proxy_addresses"] = [f"SMTP:{mail}"] if mail else []
    if not person["ou"]:
        fault("ou", "there is no organizational unit, neither here nor as a default")
    elif not re.match(r"(?i)\s*(ou|cn|dc)\s*=", person["ou"]):
        fault("ou", f"{person['ou']!r} is not a distinguished name, such as OU=Staff,DC=corp,DC=example")
    _check_location(person, fault)
    return person, faults


def _complete(person: dict[str, Any], defaults: Defaults) -> None:
    person["display_name"] = person["display_name"] or f"{person['given_name']} {person['surname']}".strip()
    prefix = person["upn"].partition("@")[0]
    if not person["sam_account_name"] and _UPN_PREFIX.fullmatch(prefix):  # a fault of the name is said once
        person["sam_account_name"] = prefix.lower()
    person["ou"] = person["ou"] or _clean(defaults.ou)
    person["usage_location"] = (person["usage_location"] or _clean(defaults.usage_location)).upper()
    person["groups"] = _unique([*person["groups"], *(_clean(group) for group in defaults.groups)])
    person["licenses"] = _unique(person["licenses"] or [_clean(licence) for licence in defaults.licenses])


def _check_upn(person: Mapping[str, Any], domains: Optional[set[str]], fault: Any) -> None:
    upn = person["upn"]
    prefix, at, domain = upn.rpartition("@")
    if not upn:
        fault("upn", "the user principal name is missing")
    elif not at:
        fault("upn", f"{upn!r} has no @")
    elif not _UPN_PREFIX.fullmatch(prefix) or prefix[0] in ".'" or prefix.endswith(".") or ".." in prefix:
        fault(
            "upn", f"{upn!r} has something before the @ that Entra ID does not take; letters without accents, digits and . - _ ' are safe"
        )
    elif not _DOMAIN.fullmatch(domain):
        fault("upn", f"{domain!r} is not a domain name")
    elif domains is not None and domain.lower() not in domains:
        known = ", ".join(sorted(domains)) or "none"
        fault("upn", f"the suffix {domain!r} is not a verified domain of the tenant (verified: {known})")


def _check_sam(person: Mapping[str, Any], fault: Any) -> None:
    sam = person["sam_account_name"]
    if not sam:
        return  # then the user principal name is missing, which is said already
    if len(sam) > COLUMNS["sam_account_name"]:
        fault("sam_account_name", f"{sam!r} has {len(sam)} characters, {COLUMNS['sam_account_name']} is the most: give a shorter one")
    elif _NOT_IN_SAM.search(sam) or sam.endswith("."):
        fault("sam_account_name", f"{sam!r} has characters that Active Directory does not take")


def _check_location(person: Mapping[str, Any], fault: Any) -> None:
    location = person["usage_location"]
    if location and location not in COUNTRIES:
        hint = f" (did you mean {MISTAKEN[location]!r}?)" if location in MISTAKEN else ""
        fault("usage_location", f"{location!r} is not a country of ISO 3166 with two letters{hint}")
    if not location and person["licenses"]:
        fault("usage_location", "a licence needs a usage location, and there is none")


def _duplicates(records: Sequence[Record], people: Sequence[Mapping[str, Any]]) -> list[str]:
    faults = []
    for column in ("upn", "sam_account_name", "mail"):
        first: dict[str, str] = {}
        for record, person in zip(records, people):
            key = person[column].casefold()
            if key and key in first:
                faults.append(f"{record.place}, column {column}: {person[column]!r} is there twice, first in {first[key]}.")
            elif key:
                first[key] = record.place
    return faults


def _name_apart(people: Sequence[dict[str, Any]]) -> None:
    """The name of the object: the display name; people of one name in one organizational unit get their account name added."""
    seen: dict[tuple[str, str], int] = {}
    keys = [(person["ou"].casefold(), person["display_name"].casefold()) for person in people]
    for key in keys:
        seen[key] = seen.get(key, 0) + 1
    for person, key in zip(people, keys):
        addition = f" ({person['sam_account_name']})" if seen[key] > 1 else ""
        person["name"] = person["display_name"][: _COMMON_NAME - len(addition)].rstrip() + addition


def _is_address(text: str) -> bool:
    prefix, _at, domain = text.rpartition("@")
    return bool(_ADDRESS.fullmatch(prefix)) and bool(_DOMAIN.fullmatch(domain))


def _has_control(text: str) -> bool:
    # Cc: control; Zl, Zp: line ends that only some programs see; Cs: half characters
    return any(unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs") or char in _TURNING for char in text)


def _clean(text: str) -> str:
    """Composed characters, no blanks around."""
    return unicodedata.normalize("NFC", str(text)).strip()


def _unique(items: Sequence[str]) -> list[str]:
    found: dict[str, str] = {}
    for item in items:
        if item:
            found.setdefault(item.casefold(), item)
    return list(found.values())
