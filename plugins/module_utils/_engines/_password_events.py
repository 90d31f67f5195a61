# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What the events of the password channel say. Pure; private to the collection.

An event is judged by its id, never by its level, its language or the spelling of its source (Microsoft's list: tshoot-connect-password-hash-
synchronization; shapes: KB 2855271 and live samples). Reading never raises, and nothing is a success that does not say so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from ._password_causes import Cause, cause_of

#: what an id means to us. Everything else of the channel is `other`.
KINDS: dict[int, str] = {
    601: "agent_starting",
    602: "agent_stopping",
    609: "agent_stopped",
    605: "retry",
    611: "failed",
    612: "failed",
    603: "failed",
    604: "failed",
    607: "failed",
    615: "failed",
    616: "failed",
    666: "failed",
    613: "paused",
    667: "fips",
    617: "full_began",
    618: "domain_began",
    619: "progress",
    621: "full_failed",
    622: "domain_ended",
    623: "full_ended",
    650: "batch",
    651: "batch_ended",
    652: "batch_failed",
    653: "ping",
    654: "heartbeat",
    655: "ping_failed",
    656: "requests",
    657: "results",
    663: "alive",
    6900: "batch_failed",
}

_GUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE)
_CONNECTOR = re.compile(r"<connector-id>\s*\{?([0-9a-fA-F-]{36})\}?\s*</connector-id>", re.IGNORECASE)
_HOST = re.compile(r"[\w-]+(?:\.[\w-]+)*", re.UNICODE)
_LINE = re.compile(r"Password\s+Change\s+(Request|Result)\b", re.IGNORECASE)
# A comma inside a DN is escaped, so one that is not begins a field.
_FIELD = re.compile(
    r"(?:(?<!\\),|-|^)\s*(Anchor|Dn|Change\s+Date|PwdChangeOnLogon|Result|Extended\s+Error)\s*(?::|=(?=\s*(?:true|false)\b))\s*",
    re.IGNORECASE,
)
_RETRY = re.compile(r"^\s*DN\s*=\s*(\S.*?)\s*$", re.IGNORECASE | re.MULTILINE)
_ESCAPED = re.compile(r"\\([0-9a-fA-F]{2})")
_MOST_LINES = 5000


@dataclass(frozen=True)
class PersonSign:
    """A line about one person. succeeded: None for a request. dn: None where the line has none. must_change: None where it is not said."""

    anchor: str
    dn: str | None
    succeeded: bool | None
    words: str = ""
    must_change: bool | None = None


@dataclass(frozen=True)
class Sign:
    """An event of the channel.

    Attributes:
        connector: identifier (lower case) that the event names, or None. names: words that may name a forest or a domain, in lower case.
        people: of 656 and 657. retrying: DNs (see same_dn) that were put back. cause: why something failed.
    """

    record: int
    id: int
    at: datetime
    kind: str
    connector: str | None = None
    guids: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    people: tuple[PersonSign, ...] = ()
    retrying: tuple[str, ...] = ()
    cause: Cause | None = None
    words: str = ""


def read_event(record: int, event_id: int, at: datetime, text: str) -> Sign:
    """One event. Never raises, whatever the text is."""
    kind = KINDS.get(event_id, "other")
    found = _CONNECTOR.findall(text)
    connector = found[-1].lower() if found else None
    if kind in ("requests", "results"):
        return Sign(record, event_id, at, kind, connector, people=_people(text, kind))
    retrying: tuple[str, ...] = ()
    cause = None
    if event_id == 0:
        retrying = tuple(same_dn(dn) for dn in _RETRY.findall(text)[:_MOST_LINES])
        kind = "retry" if retrying else "batch_failed"
    if kind in ("failed", "paused", "fips", "full_failed", "batch_failed", "ping_failed"):
        cause = cause_of(event_id, text)
        if event_id == 0 and cause.code is None and cause.reason is None:
            kind, cause = "other", None  # any program may write an event 0; only what is known counts
    return Sign(
        record,
        event_id,
        at,
        kind,
        connector,
        guids=frozenset(one.lower() for one in _GUID.findall(text)),
        names=frozenset(one.lower() for one in _HOST.findall(text[:4000])),
        retrying=retrying,
        cause=cause,
        words=text[:400] if cause is not None else "",
    )


def _people(text: str, kind: str) -> tuple[PersonSign, ...]:
    text = text.split("<forest-info", 1)[0]
    marks = list(_LINE.finditer(text))[:_MOST_LINES]
    found = []
    for position, mark in enumerate(marks):
        wanted = "requests" if mark.group(1).lower() == "request" else "results"
        end = marks[position + 1].start() if position + 1 < len(marks) else len(text)
        if wanted == kind:
            person = _person(text[mark.end() : end], kind)
            if person is not None:
                found.append(person)
    return tuple(found)


def _person(line: str, kind: str) -> PersonSign | None:
    fields: list[tuple[str, str]] = []
    marks = list(_FIELD.finditer(line))
    for position, mark in enumerate(marks):
        end = marks[position + 1].start() if position + 1 < len(marks) else len(line)
        fields.append((" ".join(mark.group(1).lower().split()), line[mark.end() : end].strip()))
    anchors = [value for name, value in fields if name == "anchor" and value]
    if not anchors:
        return None
    dns = [value for name, value in fields if name == "dn" and value]
    changes = [value.lower().rstrip(".") for name, value in fields if name == "pwdchangeonlogon"]
    must_change = {"true": True, "false": False}.get(changes[0]) if changes else None
    if kind == "requests":
        return PersonSign(anchors[0], dns[0] if dns else None, None, must_change=must_change)
    results = [value.split("\n", 1)[0].strip() for name, value in fields if name == "result"]
    errors = [value for name, value in fields if name == "extended error" and value]
    # All of what is called a result has to say so, in this one word, and no error may stand beside it.
    succeeded = bool(results) and all(value.rstrip(".").lower() == "success" for value in results) and not errors
    words = "" if succeeded else " ".join([*results, *errors])[:300]
    return PersonSign(anchors[0], dns[0] if dns else None, succeeded, words, must_change)


def same_dn(dn: str) -> str:
    """A distinguished name in a form in which two spellings of one are equal: without case, escapes and blanks around separators."""
    parts, begin = [], 0
    for position, character in enumerate(dn):
        if character == "," and not _is_escaped(dn, position):
            parts.append(dn[begin:position])
            begin = position + 1
    parts.append(dn[begin:])
    return "\x00".join(_same_part(part) for part in parts)


def _is_escaped(text: str, position: int) -> bool:
    slashes = 0
    while position - slashes > 0 and text[position - slashes - 1] == "\\":
        slashes += 1
    return slashes % 2 == 1


def _same_part(part: str) -> str:
    name, equals, value = part.strip().partition("=")
    data = bytearray()
    position = 0
    value = value.strip()
    while position < len(value):
        pair = _ESCAPED.match(value, position)
        if pair:
            data.append(int(pair.group(1), 16))
            position = pair.end()
        elif value[position] == "\\" and position + 1 < len(value):
            data += value[position + 1].encode("utf-8", errors="replace")
            position += 2
        else:
            data += value[position].encode("utf-8", errors="replace")
            position += 1
    return (name.strip() + equals).casefold() + data.decode("utf-8", errors="replace").casefold()


def domain_of(dn: str) -> str:
    """The DNS name of the domain that a distinguished name lies in, in lower case; empty where it has none."""
    parts = same_dn(dn).split("\x00")
    return ".".join(part[3:] for part in parts if part.startswith("dc="))
