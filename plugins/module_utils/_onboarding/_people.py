# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Checking a batch of colleagues whole, before anything is written, and shaping it for the stages that follow."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Sequence

from ._columns import COLUMNS, LISTS
from ._countries import COUNTRIES, MISTAKEN
from ._country_names import code_of
from ._faults import Fault, in_order
from ._spelling import hidden_character
from ._table import Record

# Microsoft, "Prepare a nonroutable domain / IdFix: userPrincipalName": these are the characters that Entra ID takes before the @.
_UPN_PREFIX = re.compile(r"[A-Za-z0-9'._\-!#^~]{1,64}")
_DOMAIN = re.compile(r"(?=.{1,48}$)([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]")
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+")
# MS-ADTS, SAMAccountName of a user: not these, no control characters, no full stop at the end.
_NOT_IN_SAM = re.compile(r'["/\\\[\]:;|=,+*?<>@\s]')
#: columns that name a person or a place: they can be given or left out, and never be empty
_NEVER_EMPTY = ("upn", "sam_account_name", "name", "ou")
#: columns that only ever add: to clear one keeps the default away
_ADDING = ("groups", "licenses", "usage_location")
#: what goes to ad_users, if it was given
_ACCOUNT = tuple(column for column in COLUMNS if column not in ("licenses", "usage_location"))


@dataclass(frozen=True)
class Defaults:
    """What holds where a cell is empty; groups are added to those of the row. `ou` is only for new accounts, see ad_users."""

    ou: str = ""
    groups: Sequence[str] = ()
    usage_location: str = ""
    licenses: Sequence[str] = ()
    clear: str = "-"


@dataclass
class Person:
    """One row.

    Args:
        shown: every column, normalised, with defaults and derived values: what reports and people see.
        given: what the row itself says; empty text for what it clears. Columns that it does not mention are not in it.
        defaulted: columns of `shown` that come from the defaults.
    """

    row: int
    place: str
    given: dict[str, Any] = field(default_factory=dict)
    shown: dict[str, Any] = field(default_factory=dict)
    defaulted: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)

    def blame(self, column: str, text: str, stage: str = "table") -> None:
        """Note a fault of this row."""
        self.faults.append(Fault(stage, f"{self.place}, column {column}: {text}.", self.row, self.shown.get("upn", ""), column))

    def result(self) -> dict[str, Any]:
        """The item of the result key `people`."""
        cleared = sorted(column for column, value in self.given.items() if value == "")
        return {**self.shown, "row": self.row, "place": self.place, "cleared": cleared, "defaulted": sorted(self.defaulted)}

    def account(self, defaults: Defaults, without: Sequence[str] = ()) -> dict[str, Any]:
        """For the option users of ad_users: only what the row says, so that an account that exists keeps the rest."""
        item = {column: self.given[column] for column in _ACCOUNT if column in self.given and column not in without}
        item["upn"] = self.shown["upn"]
        groups = [_clean(group) for group in defaults.groups] if self.given.get("groups") != "" else []
        asked = item.pop("groups", None)
        if isinstance(asked, Mapping):
            item["groups"] = {**asked, "add": _unique([*(asked.get("add") or []), *groups])} if groups and "set" not in asked else asked
            if groups and "set" in asked and asked["set"] is not None:
                item["groups"] = {**asked, "set": _unique([*asked["set"], *groups])}
        elif _unique([*(asked or []), *groups]):
            item["groups"] = _unique([*(asked or []), *groups])
        return item

    def cloud(self, without: Sequence[str] = ()) -> dict[str, Any]:
        """For the option users of entra_user, still without the source anchor."""
        return {
            "upn": self.shown["upn"],
            "usage_location": "" if "usage_location" in without else self.shown["usage_location"],
            "licenses": [] if "licenses" in without or "usage_location" in without else list(self.shown["licenses"]),
        }


@dataclass
class Batch:
    """The people, normalised, and everything that is wrong."""

    defaults: Defaults
    people: list[Person] = field(default_factory=list)
    run_faults: list[Fault] = field(default_factory=list)

    @property
    def faults(self) -> list[Fault]:
        """Those of the whole run, then those of the rows, in their order."""
        return in_order([*self.run_faults, *(fault for person in self.people for fault in person.faults)])

    def faultless(self) -> list[Person]:
        """Whose row has no fault."""
        return [person for person in self.people if not person.faults]

    def lookups(self) -> dict[str, list[dict[str, Any]]]:
        """Who can be looked up although the row may have a fault elsewhere, without the values that are wrong.

        So that what the directory and the tenant find wrong is told together with what is wrong in the table.
        """
        options = {fault.column for fault in self.run_faults}
        usable = [(person, [*(fault.column for fault in person.faults), *(person.defaulted & options)]) for person in self.people]
        usable = [(person, bad) for person, bad in usable if "upn" not in bad]
        return {
            "accounts": [person.account(self.defaults, bad) for person, bad in usable],
            "cloud": [person.cloud(bad) for person, bad in usable],
        }


def check(records: Sequence[Record], defaults: Defaults, verified_domains: Optional[Sequence[str]]) -> Batch:
    """Check and normalise.

    Args:
        records: as read.
        defaults: for empty cells.
        verified_domains: of the tenant; None when they are not known and suffixes cannot be checked.
    """
    batch = Batch(defaults, run_faults=_faults_of_defaults(defaults))
    domains = None if verified_domains is None else {domain.strip().lower() for domain in verified_domains if domain.strip()}
    bad_options = {fault.column for fault in batch.run_faults}
    for record in records:
        batch.people.append(_person(record, defaults, domains, bad_options))
    _check_duplicates(batch.people)
    return batch


def _faults_of_defaults(defaults: Defaults) -> list[Fault]:
    faults = []
    if _clean(defaults.ou) and not _is_dn(defaults.ou):
        faults.append(_option("ou", f"{defaults.ou!r} is not a distinguished name, such as OU=Staff,DC=corp,DC=example"))
    location = _clean(defaults.usage_location).upper()
    if location and location not in COUNTRIES:
        faults.append(_option("usage_location", _no_country(defaults.usage_location)))
    return faults


def _option(name: str, text: str) -> Fault:
    return Fault("options", f"option {name}: {text}.", column=name)


def _person(record: Record, defaults: Defaults, domains: Optional[set[str]], bad_options: set[str]) -> Person:
    person = Person(record.row, record.place)
    for column in COLUMNS:
        value = record.values.get(column, "")
        cleared = (value if isinstance(value, str) else value[0] if isinstance(value, list) and len(value) == 1 else "") == defaults.clear
        if cleared:
            person.given[column] = ""
        elif isinstance(value, Mapping):
            person.given[column] = {key: [_clean(str(item)) for item in items or []] for key, items in value.items()}
        elif column in LISTS:
            items = [_clean(item) for item in ([value] if isinstance(value, str) else value) if item]
            if items:
                person.given[column] = items
        elif _clean(str(value)):
            person.given[column] = _clean(str(value))
    _complete(person, defaults)
    for column, value in person.given.items():
        _check_form(person, column, value)
    _check_upn(person, domains)
    _check_values(person)
    if not (person.defaulted & bad_options):  # what is wrong with an option is said once
        _check_location(person)
    return person


def _complete(person: Person, defaults: Defaults) -> None:
    shown: dict[str, Any] = {column: person.given.get(column) or ([] if column in LISTS else "") for column in COLUMNS}
    shown["display_name"] = shown["display_name"] or f"{shown['given_name']} {shown['surname']}".strip()
    for column, default in (("ou", _clean(defaults.ou)), ("usage_location", _clean(defaults.usage_location))):
        if default and column not in person.given:
            shown[column] = default
            person.defaulted.add(column)
    shown["usage_location"] = shown["usage_location"].upper()
    if isinstance(shown["groups"], Mapping):
        shown["groups"] = [*(shown["groups"].get("set") or []), *(shown["groups"].get("add") or [])]
    if person.given.get("groups") != "":
        shown["groups"] = _unique([*shown["groups"], *(_clean(group) for group in defaults.groups)])
    licences = [_clean(licence) for licence in defaults.licenses if _clean(licence)]
    if licences and "licenses" not in person.given:
        shown["licenses"] = licences
        person.defaulted.add("licenses")
    shown["licenses"] = _unique(shown["licenses"])
    person.shown = shown


def _check_form(person: Person, column: str, value: Any) -> None:
    if value == "":
        if column in _NEVER_EMPTY:
            person.blame(column, "this cannot be cleared")
        return
    texts = (
        [value] if isinstance(value, str) else value if isinstance(value, list) else [item for items in value.values() for item in items]
    )
    hidden = next((found for found in map(hidden_character, texts) if found), "")
    if hidden:
        person.blame(column, f"there is {hidden} in it; type the value anew")
    most = COLUMNS[column]
    if most and len(value) > most and column not in ("sam_account_name", "upn"):
        person.blame(column, f"{len(value)} characters are too many, {most} is the most")


def _check_upn(person: Person, domains: Optional[set[str]]) -> None:
    upn = person.shown["upn"]
    if any(fault.column == "upn" for fault in person.faults):
        return
    prefix, at, domain = upn.rpartition("@")
    if not upn:
        person.blame("upn", "the user principal name is missing")
    elif len(upn) > COLUMNS["upn"]:
        person.blame("upn", f"{len(upn)} characters are too many, {COLUMNS['upn']} is the most")
    elif not at:
        person.blame("upn", f"{upn!r} has no @")
    elif not _UPN_PREFIX.fullmatch(prefix) or prefix[0] in ".'" or prefix.endswith(".") or ".." in prefix:
        person.blame(
            "upn", f"{upn!r} has something before the @ that Entra ID does not take; letters without accents, digits and . - _ ' are safe"
        )
    elif not _DOMAIN.fullmatch(domain):
        person.blame("upn", f"{domain!r} is not a domain name")
    elif domains is not None and domain.lower() not in domains:
        known = ", ".join(sorted(domains)) or "none"
        person.blame("upn", f"the suffix {domain!r} is not a verified domain of the tenant (verified: {known})")


def _check_values(person: Person) -> None:
    sam, mail, ou = (person.given.get(column, "") for column in ("sam_account_name", "mail", "ou"))
    if len(sam) > COLUMNS["sam_account_name"]:
        person.blame(
            "sam_account_name", f"{sam!r} has {len(sam)} characters, {COLUMNS['sam_account_name']} is the most: give a shorter one"
        )
    elif _NOT_IN_SAM.search(sam) or sam.endswith("."):
        person.blame("sam_account_name", f"{sam!r} has characters that Active Directory does not take")
    if mail and not _is_address(mail):
        person.blame("mail", f"{mail!r} is not a mail address")
    if ou and not _is_dn(ou):
        person.blame("ou", f"{ou!r} is not a distinguished name, such as OU=Staff,DC=corp,DC=example")


def _check_location(person: Person) -> None:
    location = person.shown["usage_location"]
    if location and location not in COUNTRIES:
        person.blame("usage_location", _no_country(str(person.given.get("usage_location") or location)))
    if not location and person.shown["licenses"]:
        person.blame("usage_location", "a licence needs a usage location, and there is none")


def _no_country(text: str) -> str:
    meant = MISTAKEN.get(text.strip().upper()) or code_of(text)
    hint = f" (did you mean {meant!r}?)" if meant else ""
    return f"{text.strip()!r} is not a country of ISO 3166 with two letters{hint}"


def _check_duplicates(people: Sequence[Person]) -> None:
    for column in ("upn", "sam_account_name", "mail", "employee_id"):
        first: dict[str, Person] = {}
        for person in people:
            value = str(person.given.get(column) or "")
            other = first.setdefault(value.casefold(), person)
            if value and other is not person:
                person.blame(column, f"{value!r} is there twice, first in {other.place}")


def _is_dn(text: str) -> bool:
    return bool(re.match(r"(?i)\s*(ou|cn|dc)\s*=", text))


def _is_address(text: str) -> bool:
    prefix, _at, domain = text.rpartition("@")
    return bool(_ADDRESS.fullmatch(prefix)) and bool(_DOMAIN.fullmatch(domain))


def _clean(text: str) -> str:
    """Composed characters, no blanks around."""
    return unicodedata.normalize("NFC", str(text)).strip()


def _unique(items: Sequence[str]) -> list[str]:
    found: dict[str, str] = {}
    for item in items:
        if item:
            found.setdefault(item.casefold(), item)
    return list(found.values())
