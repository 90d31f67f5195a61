# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The events of the password channels, page by page: every engine writes them into the same log. Private to the collection."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from .._printable import printable
from .._remote._call import Answer, AnswerError, RemoteError, RemoteShell
from .._remote._failures import access_is_denied
from .._remote._local_route import LocalRouteClosed, call_locally
from .._remote._shape import Misshapen, flag, optional, record, text, timestamp, whole
from ._adsync_password_scripts import EVENTS
from ._packed import unpacked
from ._password_contract import Edge, EventPage
from ._password_events import Sign, read_event

#: of one page of events; more than either and the next page follows
_MOST_EVENTS = 400
_MOST_CHARACTERS = 1_500_000
#: characters of an event: fifty people with long names come to less
_LONGEST = 60_000
_MOST_UNPACKED = 16 * 1024 * 1024
#: how the source is spelled, and those that write 6900
_PROVIDERS = "^(Directory Synchroni[sz]ation|ADSync|FIMSynchronizationService)$"
_MARKS = "(EventID>=601 and EventID<=623) or EventID=652 or EventID=654 or EventID=655 or EventID=667"
_ALL = "(EventID>=601 and EventID<=623) or (EventID>=650 and EventID<=668) or EventID=0 or EventID=6900"

_EDGE = optional(record(record=whole, at=timestamp))
_EVENTS = record(at=timestamp, source=optional(flag), oldest=_EDGE, newest=_EDGE, last=whole, more=flag, packed=text)


class PasswordLog:
    """The part of PasswordDriver that reads events."""

    def events(
        self,
        shell: RemoteShell,
        *,
        after: int,
        since: datetime | None,
        marks_only: bool,
        seconds: float,
        timeout: float,
        check_source: bool,
    ) -> EventPage:
        """See PasswordDriver.events."""
        bounds = [f"({_MARKS if marks_only else _ALL})", f"EventRecordID>{int(after)}"]
        if since is not None:
            bounds.append(f"TimeCreated[@SystemTime>='{since:%Y-%m-%dT%H:%M:%S}.{since.microsecond:06d}Z']")
        parameters = {
            "query": f"*[System[{' and '.join(bounds)}]]",
            "after": int(after),
            "providers": _PROVIDERS,
            "most": _MOST_EVENTS,
            "most_characters": _MOST_CHARACTERS,
            "longest": _LONGEST,
            "seconds": seconds,
            "step_ms": 1000 if seconds > 5 else 200,
            "check_source": check_source,
        }
        try:
            answer = shell.call("password events", EVENTS, parameters, shape=_EVENTS, timeout=timeout, repeatable=True)
        except RemoteError as error:
            if not access_is_denied(error):
                raise
            server_now = datetime.now(timezone.utc)
            try:
                answer = call_locally(
                    shell, "password events", EVENTS, parameters, shape=_EVENTS, timeout=timeout + 10, server_now=server_now
                )
            except LocalRouteClosed:
                raise error from None
        return _page(answer)


def _edge(data: dict[str, Any] | None) -> Edge | None:
    return Edge(data["record"], data["at"].at) if data else None


def _page(answer: Answer) -> EventPage:
    data = answer.data
    return EventPage(
        at=data["at"].at,
        lead=answer.lead,
        signs=read_rows(data["packed"]),
        source=data["source"],
        oldest=_edge(data["oldest"]),
        newest=_edge(data["newest"]),
        last=data["last"],
        more=data["more"],
    )


def read_rows(packed: str) -> tuple[Sign, ...]:
    """The events of a page.

    Raises:
        AnswerError: they are not what the script promises.
    """
    plain = unpacked(packed, _MOST_UNPACKED, "a page of events")
    try:
        rows = json.loads(plain.decode("utf-8", errors="replace").lstrip("\ufeff"))
        if not isinstance(rows, list):
            raise Misshapen("the page of events is no list")
        return tuple(
            read_event(whole(row[1], "record"), whole(row[0], "id"), timestamp(row[2], "time").at, text(row[4], "text")) for row in rows
        )
    except (ValueError, TypeError, IndexError, KeyError, RecursionError) as error:
        raise AnswerError(f"a page of events makes no sense: {printable(type(error).__name__)}") from None
