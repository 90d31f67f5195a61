# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Distinguished names, filters, identifiers and timestamps as a directory writes them. Pure; private to the collection."""

from __future__ import annotations

import base64
import contextlib
import re
import unicodedata
import uuid
from dataclasses import dataclass
from datetime import datetime, timezone

# Without ldap3 nothing of this is ever called: the module says so first.
with contextlib.suppress(ImportError):
    from ldap3.utils.conv import escape_filter_chars
    from ldap3.utils.dn import escape_rdn


@dataclass(frozen=True)
class Entry:
    """An object: its distinguished name and raw attribute values, by attribute name in lower case."""

    dn: str
    attributes: dict[str, list[bytes]]

    def text(self, name: str) -> str | None:
        """The first value as text."""
        values = self.attributes.get(name.lower())
        return values[0].decode("utf-8", errors="replace") if values else None

    def texts(self, name: str) -> list[str]:
        """All values as text."""
        return [value.decode("utf-8", errors="replace") for value in self.attributes.get(name.lower(), [])]

    def raw(self, name: str) -> bytes | None:
        """The first value as it is."""
        values = self.attributes.get(name.lower())
        return values[0] if values else None

    def number(self, name: str, default: int = 0) -> int:
        """The first value as a whole number."""
        text = self.text(name) or ""
        return int(text) if re.fullmatch(r"-?\d+", text) else default

    def is_a(self, object_class: str) -> bool:
        """Whether it is of that class, or of one that inherits from it."""
        return object_class.lower() in (value.lower() for value in self.texts("objectClass"))

    @property
    def is_person(self) -> bool:
        """Whether it is the account of a person: computers and managed service accounts are users by class as well."""
        return self.is_a("user") and not self.is_a("computer")

    @property
    def sid(self) -> str | None:
        """objectSid as text."""
        raw = self.raw("objectSid")
        return sid_text(raw) if raw else None

    @property
    def guid(self) -> str | None:
        """objectGUID as text."""
        raw = self.raw("objectGUID")
        return str(uuid.UUID(bytes_le=raw)) if raw and len(raw) == 16 else None

    @property
    def source_anchor(self) -> str | None:
        """base64 of the 16 bytes of ms-DS-ConsistencyGuid, else of objectGUID, as Entra Connect computes it."""
        raw = self.raw("mS-DS-ConsistencyGuid") or self.raw("objectGUID")
        return base64.b64encode(raw).decode("ascii") if raw else None


def equals(attribute: str, value: str) -> str:
    """A filter, with the value escaped."""
    return f"({attribute}={escape_filter_chars(value)})"


def begins(attribute: str, value: str) -> str:
    """A filter for values that begin with the text, which is escaped."""
    return f"({attribute}={escape_filter_chars(value)}*)"


def has_guid(guid: uuid.UUID) -> str:
    """A filter for objectGUID."""
    return "(objectGUID=" + "".join(f"\\{byte:02x}" for byte in guid.bytes_le) + ")"


def child_dn(name: str, parent: str) -> str:
    """The distinguished name of an object of this name below a parent."""
    return f"CN={escape_rdn(name)},{parent}"


def parent_dn(dn: str) -> str:
    """What a distinguished name lies in; an escaped comma does not end the name."""
    match = re.match(r"(?:[^\\,]|\\.)*,(.*)", dn, re.DOTALL)
    return match[1] if match else ""


def lies_below(dn: str, base: str) -> bool:
    """Whether a name is in the naming context of a base."""
    return dn.lower() == base.lower() or dn.lower().endswith("," + base.lower())


def folded(name: str) -> str:
    """A name as Active Directory compares it for uniqueness: without regard to case and accents."""
    apart = unicodedata.normalize("NFKD", name.casefold())
    return "".join(char for char in apart if not unicodedata.combining(char))


def sid_text(raw: bytes) -> str:
    """A binary security identifier as S-1-... ; empty text for what is none (MS-DTYP 2.4.2.2)."""
    if len(raw) < 8 or len(raw) != 8 + 4 * raw[1]:
        return ""
    parts = [int.from_bytes(raw[8 + 4 * n : 12 + 4 * n], "little") for n in range(raw[1])]
    return "-".join(["S", str(raw[0]), str(int.from_bytes(raw[2:8], "big")), *map(str, parts)])


def rid(sid: str) -> int:
    """The last part of a security identifier; -1 when there is none."""
    last = sid.rpartition("-")[2]
    return int(last) if last.isdigit() else -1


def parse_generalized_time(text: str) -> datetime | None:
    """The timestamp of an LDAP time such as 20261122152922.0Z, or None."""
    try:
        return datetime.strptime(text[:14], "%Y%m%d%H%M%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
