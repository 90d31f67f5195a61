# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Which account a row means, and which names are free for a new one. Pure; private to the collection."""

from __future__ import annotations

from collections import defaultdict
from typing import Iterable, Iterator

from ._desired import COMMON_NAME, DesiredAccount, claimed_addresses, kind_of_identity, read_guid
from ._names import Entry, begins, equals, folded, has_guid, parent_dn

_KIND_WORDS = {"guid": "GUID", "sid": "SID", "distinguished_name": "distinguished name", "employee_id": "employee number"}
#: room for an addition such as " (20 characters here)" that is looked for by its beginning
_ADDITION = 6


class Index:
    """What was found in the directory, by everything that somebody can be known by; one look each, however many there are."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._by: dict[str, dict[str, dict[str, Entry]]] = defaultdict(lambda: defaultdict(dict))
        self.add(entries)

    def add(self, entries: Iterable[Entry]) -> None:
        """Take more in; what is known already is replaced."""
        for entry in entries:
            for kind, value in _marks(entry):
                self._by[kind][value][entry.dn.lower()] = entry

    def alias(self, kind: str, value: str, entry: Entry) -> None:
        """Let an object be found by another spelling as well."""
        self._by[kind][value][entry.dn.lower()] = entry

    def find(self, kind: str, value: str) -> list[Entry]:
        """Everything that has the value: kind is upn, sam, guid, sid, distinguished_name, employee_id, address or place."""
        return list(self._by[kind].get(value, {}).values())

    def others(self, kind: str, value: str, own: Entry | None) -> list[Entry]:
        """The same, without one account."""
        return [entry for entry in self.find(kind, value) if own is None or entry.dn.lower() != own.dn.lower()]


def place_mark(name: str, parent: str) -> str:
    """By what a name in a place is known: the directory does not tell case and accents apart."""
    return f"{folded(name)}\n{parent.lower()}"


def _marks(entry: Entry) -> Iterator[tuple[str, str]]:
    yield "distinguished_name", entry.dn.lower()
    for kind, attribute in (("upn", "userPrincipalName"), ("sam", "sAMAccountName")):
        if text := entry.text(attribute):
            yield kind, text.lower()
    for kind, text in (("guid", entry.guid), ("sid", entry.sid)):
        if text:
            yield kind, text.lower()
    if (text := entry.text("employeeID")) and entry.is_person:
        yield "employee_id", text.casefold()
    if text := entry.text("cn"):
        yield "place", place_mark(text, parent_dn(entry.dn))
    for address in claimed_addresses(entry.texts("mail"), entry.texts("proxyAddresses")):
        yield "address", address


def identity_of(account: DesiredAccount) -> tuple[str, str]:
    """The kind and the value, in the form of the index, by which a row is known."""
    if account.identity is None:
        return "upn", (account.upn or "").lower()
    kind = account.identity_type or kind_of_identity(account.identity)
    guid = read_guid(account.identity) if kind == "guid" else None
    return kind, str(guid) if guid else account.identity.casefold() if kind == "employee_id" else account.identity.lower()


def filters_for_person(account: DesiredAccount) -> list[str]:
    """Filters that find the account, and whoever has its number. A distinguished name is read by itself."""
    filters = []
    kind, _value = identity_of(account)
    identity = account.identity or ""
    if kind == "guid" and (guid := read_guid(identity)):
        filters.append(has_guid(guid))
    elif kind == "sid":
        filters.append(equals("objectSid", identity.upper()))
    elif kind == "employee_id":
        filters.append(equals("employeeID", identity))
    if account.upn:
        filters.append(equals("userPrincipalName", account.upn))
    if account.employee_id and account.employee_id != identity:
        filters.append(equals("employeeID", account.employee_id))
    return filters


def who_is(account: DesiredAccount, index: Index) -> tuple[Entry | None, list[str]]:
    """The account that a row means, None for somebody new; and sentences on why that is not clear."""
    kind, value = identity_of(account)
    found = index.find(kind, value)
    if len(found) > 1:
        what = f"{_KIND_WORDS[kind]} {account.identity!r}" if account.identity else "upn"
        return None, [f"the {what} belongs to several: {_listed(found)}."]
    if not found:
        if account.identity is not None:
            return None, [f"no account has the {_KIND_WORDS[kind]} {account.identity!r}, and nobody is created for an identity."]
        return None, _number_faults(account, None, index)
    (entry,) = found
    if not entry.is_person:
        return entry, [f"the {'identity' if account.identity else 'upn'} belongs to {entry.dn}, which is no user account."]
    return entry, _number_faults(account, entry, index)


def _number_faults(account: DesiredAccount, entry: Entry | None, index: Index) -> list[str]:
    number = account.employee_id
    if not number:
        return []
    held = (entry.text("employeeID") or "") if entry else ""
    if entry and held and held.casefold() != number.casefold():
        return [
            f"the row has the employee number {number!r}, and the account {entry.dn} has {held!r}: they are different people "
            "unless one of the numbers is wrong."
        ]
    owners = [] if held else index.others("employee_id", number.casefold(), entry)
    if owners:
        hint = " If it is the same person, give the number in identity." if entry is None else ""
        return [f"the employee number {number!r} belongs to {_listed(owners)}.{hint}"]
    return []


def gained_addresses(account: DesiredAccount, entry: Entry | None) -> list[str]:
    """The addresses that the account claims and does not have."""
    held = set(claimed_addresses(entry.texts("mail"), entry.texts("proxyAddresses"))) if entry else set()
    return [address for address in account.addresses if address not in held]


def gained_sam(account: DesiredAccount, entry: Entry | None) -> str | None:
    """The logon name that the account gets and does not have."""
    if entry is None:
        return account.new_sam
    return account.sam if account.sam and account.sam.lower() != (entry.text("sAMAccountName") or "").lower() else None


def gained_upn(account: DesiredAccount, entry: Entry | None) -> str | None:
    """The user principal name that the account gets and does not have."""
    if entry is not None and account.upn and account.upn.lower() == (entry.text("userPrincipalName") or "").lower():
        return None
    return account.upn


def filters_for_claims(account: DesiredAccount, entry: Entry | None, name: str | None) -> list[str]:
    """Filters that find whoever has what the account is to get. name: that it is to have in its place, None when that stays."""
    filters = []
    if entry is not None and (upn := gained_upn(account, entry)):
        filters.append(equals("userPrincipalName", upn))
    if sam := gained_sam(account, entry):
        filters.append(equals("sAMAccountName", sam))
    for address in gained_addresses(account, entry):
        filters += [equals("mail", address), equals("proxyAddresses", f"smtp:{address}")]
    if name:
        filters += _name_filters(account, name, derived=entry is None and account.name is None)
    return filters


def _name_filters(account: DesiredAccount, name: str, *, derived: bool) -> list[str]:
    if not derived:
        return [equals("cn", name)]
    if len(name) + _ADDITION <= COMMON_NAME:
        return [equals("cn", name), begins("cn", f"{name} (")]
    forms = forms_of(name, account.new_sam)
    return [equals("cn", next(forms)) for _each in range(9)]


def claim_faults(account: DesiredAccount, entry: Entry | None, index: Index) -> list[str]:
    """Sentences on what the account is to get and others have."""
    faults = []
    if entry is not None and (upn := gained_upn(account, entry)):
        faults += [f"the upn {upn!r} belongs to {other.dn}." for other in index.others("upn", upn.lower(), entry)]
    if sam := gained_sam(account, entry):
        faults += [f"the sam_account_name {sam!r} belongs to {other.dn}." for other in index.others("sam", sam.lower(), entry)]
    for address in gained_addresses(account, entry):
        faults += [f"the address {address} belongs to {other.dn}." for other in index.others("address", address, entry)]
    return faults


def forms_of(name: str, sam: str) -> Iterator[str]:
    """A derived name and what it may be instead: `Name`, `Name (sam)`, `Name (2)`, `Name (3)`, ... each at most 64 characters."""
    yield name
    for addition in (sam, *map(str, range(2, 10_000))):
        tail = f" ({addition})"
        yield name[: COMMON_NAME - len(tail)].rstrip() + tail


def _listed(entries: Iterable[Entry]) -> str:
    return ", ".join(sorted(entry.dn for entry in entries))
