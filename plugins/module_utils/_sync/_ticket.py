# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The ticket: plain data by which a later task follows a start of an earlier one. Pure; private to the collection."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from .._failure import HybridIdentityError
from .._remote._shape import Misshapen, ServerTime, flag, optional, record, text, timestamp, whole
from .._timestamps import format_utc
from ._desired import DesiredCycle, Ticket
from ._observed import ACCEPTED, LOST, Observed, Request

_VERSION = 1
_SHAPE = record(
    version=whole,
    server=text,
    engine=text,
    type=text,
    since=timestamp,
    requested_at=timestamp,
    next_start=optional(text),
    accepted=flag,
    ownership=text,
)


def make_ticket(server: str, engine: str, desired: DesiredCycle, seen: Observed) -> dict[str, Any] | None:
    """The ticket of the start that a task has sent; None where it has sent none."""
    request = seen.request
    if request is None or not request.counts:
        return None
    return {
        "version": _VERSION,
        "server": server,
        "engine": engine,
        "type": "full" if request.full else desired.type,
        "since": desired.since.astimezone(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "requested_at": request.at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "next_start": request.next_start.text if request.next_start else None,
        "accepted": request.answer == ACCEPTED,
        "ownership": "own" if request.answer == ACCEPTED and request.own else "unconfirmed",
    }


def read_ticket(given: Any) -> Ticket:
    """A ticket as an option gives it back. Raises HybridIdentityError: invalid_input."""
    try:
        read = _SHAPE(given, "ticket")
    except Misshapen as error:
        raise HybridIdentityError("invalid_input", f"{error}: give the key ticket of an earlier result as it is.") from None
    if read["version"] != _VERSION or read["type"] not in ("delta", "full") or read["ownership"] not in ("own", "unconfirmed"):
        raise HybridIdentityError(
            "invalid_input", "ticket is of a version that is not known: give the key ticket of an earlier result as it is."
        )
    return Ticket(
        server=read["server"],
        engine=read["engine"],
        full=read["type"] == "full",
        since=read["since"].at,
        requested=read["requested_at"].at,
        next_start=read["next_start"],
        accepted=read["accepted"],
        own=read["ownership"] == "own",
    )


def require_same_place(ticket: Ticket, server: str, engine: str) -> None:
    """Raises HybridIdentityError where a ticket is of another server or engine."""
    if (ticket.server, ticket.engine) != (server, engine):
        raise HybridIdentityError(
            "invalid_input", f"The ticket is of {ticket.server} ({ticket.engine}), and this is {server} ({engine}): follow it there."
        )


def request_of(ticket: Ticket, now: datetime) -> Request:
    """The start that a ticket stands for, as if this task had sent it."""
    answer = ACCEPTED if ticket.accepted else LOST
    before = ServerTime(ticket.next_start, now) if ticket.next_start else None
    return Request(ticket.requested, answer, f"a task sent it at {format_utc(ticket.requested)}", before, ticket.own, full=ticket.full)
