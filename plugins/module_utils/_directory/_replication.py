# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Replication metadata: when each attribute and each link of an object was changed. Pure; private to the collection."""

from __future__ import annotations

import html
import re
import struct
from datetime import datetime, timedelta, timezone
from typing import Iterable, Mapping

# MS-DRSR 5.16.4: an attribute's number is the index of its prefix and the last part of its object identifier.
_PREFIXES = {
    "2.5.4": 0, "1.2.840.113556.1.2": 2, "1.2.840.113556.1.3": 3, "1.2.840.113556.1.4": 9, "0.9.2342.19200300.100": 19,
    "2.16.840.1.113730.3": 20, "0.9.2342.19200300.100.1": 21, "2.16.840.1.113730.3.1": 22,
}  # fmt: skip
_HEADER = struct.Struct("<IIII")
#: MS-ADTS 3.1.1.1.9 and MS-DRSR 5.161: number, version, seconds since 1601, invocation id, two update sequence numbers
_ITEM = struct.Struct("<IIQ16sQQ")
_EPOCH = datetime(1601, 1, 1, tzinfo=timezone.utc)
_LINK = re.compile(
    r"<pszAttributeName>(?P<attribute>[^<]*)</pszAttributeName>.*?<pszObjectDn>(?P<dn>.*?)</pszObjectDn>"
    r".*?<ftimeLastOriginatingChange>(?P<time>[^<]*)</ftimeLastOriginatingChange>",
    re.DOTALL,
)


def attribute_number(object_identifier: str) -> int | None:
    """The number of an attribute of the base schema; None where its prefix is not a fixed one."""
    prefix, _dot, last = object_identifier.rpartition(".")
    if prefix not in _PREFIXES or not last.isdigit() or int(last) > 0xFFFF:
        return None
    return (_PREFIXES[prefix] << 16) | int(last)


#: attributes that ad_users writes (Active Directory schema), without passwords and what a logon changes
WRITTEN = {
    "cn": 0x3, "sn": 0x4, "title": 0xC, "physicalDeliveryOfficeName": 0x13, "telephoneNumber": 0x14, "givenName": 0x2A,
    "displayName": 0x2000D, "department": 0x2008D, "company": 0x20092, "proxyAddresses": 0x200D2, "name": 0x90001,
    "userAccountControl": 0x90008, "employeeID": 0x90023, "sAMAccountName": 0x900DD, "userPrincipalName": 0x90290,
    "mail": 0x150003, "manager": 0x15000A, "mobile": 0x150029,
}  # fmt: skip
SUPPLEMENTAL_CREDENTIALS = 0x9007D


def change_times(raw: bytes | None) -> dict[int, datetime] | None:
    """The time of the last change by attribute number, from replPropertyMetaData; None when it cannot be read."""
    if raw is None or len(raw) < _HEADER.size:
        return None
    version, _reserved, count, _reserved_too = _HEADER.unpack_from(raw)
    if version != 1 or len(raw) < _HEADER.size + count * _ITEM.size:
        return None
    times = {}
    for number, _version, seconds, *_rest in (_ITEM.unpack_from(raw, _HEADER.size + place * _ITEM.size) for place in range(count)):
        if seconds > 10**11:  # the year 4770: no timestamp
            return None
        times[number] = _EPOCH + timedelta(seconds=seconds)
    return times


def link_times(values: Iterable[str]) -> dict[tuple[str, str], datetime]:
    """The time of the last change of links, by attribute and target (both in lower case), from msDS-ReplValueMetaData.

    Active Directory does not escape the names in it, so it is no XML that a parser takes.
    """
    times: dict[tuple[str, str], datetime] = {}
    for value in values:
        match = _LINK.search(value)
        if match is None:
            continue
        try:
            changed = datetime.strptime(match["time"][:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
        except ValueError:
            continue
        for dn in (match["dn"], html.unescape(match["dn"])):
            times[match["attribute"].lower(), dn.lower()] = changed
    return times


def latest(times: Mapping[int, datetime], numbers: Iterable[int]) -> datetime | None:
    """The latest of the times of these attributes."""
    return max((times[number] for number in numbers if number in times), default=None)
