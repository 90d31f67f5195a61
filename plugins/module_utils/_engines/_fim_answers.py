# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What the scripts of the engines before Azure AD Connect 1.1 promise to return, and how it is read. Private to the collection."""

from __future__ import annotations

from typing import Any, Callable

from .._remote._clock import ClockLead
from .._remote._shape import Shape, end, error_object, flag, list_of, optional, record, table_of, text, timestamp, whole
from ._answers import HISTORY, read_history
from ._contract import EngineState, Watch

_TASK = record(
    seen=flag, enabled=optional(flag), state=optional(whole), next_start=end, interval=optional(text), problem=optional(error_object)
)
AADSYNC_STATE = record(at=timestamp, in_progress=optional(flag), busy=list_of(text, 200), task=_TASK, problem=optional(error_object))
DIRSYNC_STATE = record(at=timestamp, in_progress=optional(flag), busy=list_of(text, 200), problem=optional(error_object))

ReadState = Callable[[dict[str, Any]], EngineState]


def watch_answer(state: Shape) -> Shape:
    """The answer of a script that watches, with looks of an engine's own shape."""
    return record(state=state, active=flag, first_active=optional(timestamp), idle_since=optional(timestamp), history=optional(HISTORY))


AADSYNC_PROBE = record(state=AADSYNC_STATE, problems=table_of(error_object, 50), history=HISTORY, administrator=flag)
DIRSYNC_PROBE = record(state=DIRSYNC_STATE, problems=table_of(error_object, 50), history=HISTORY, interval=optional(text))
AADSYNC_START = record(
    sent=flag,
    locked=flag,
    before=optional(AADSYNC_STATE),
    requested=optional(timestamp),
    means=optional(text),
    attempts=list_of(record(means=text, error=error_object), 10),
    appeared=flag,
    account=text,
    accounts=list_of(text, 500),
    watch=optional(watch_answer(AADSYNC_STATE)),
    trouble=optional(error_object),
)
DIRSYNC_START = record(
    sent=flag,
    locked=flag,
    before=optional(DIRSYNC_STATE),
    requested=optional(timestamp),
    how=optional(text),
    refusal=optional(error_object),
    flag=optional(whole),
    flag_written=flag,
    flag_left=optional(error_object),
    appeared=flag,
    watch=optional(watch_answer(DIRSYNC_STATE)),
    trouble=optional(error_object),
)


def read_watch(data: dict[str, Any], read_state: ReadState, lead: ClockLead) -> Watch:
    """A slice of watching."""
    return Watch(
        state=read_state(data["state"]),
        active=data["active"],
        first_active=data["first_active"].at if data["first_active"] else None,
        idle_since=data["idle_since"].at if data["idle_since"] else None,
        history=read_history(data["history"]),
        lead=lead,
    )


def interval_seconds(iso: str | None) -> float | None:
    """The seconds of an ISO 8601 duration of days and smaller parts (PT3H), as the task scheduler writes them; None where it is none."""
    if not iso or not iso.startswith("P"):
        return None
    seconds, number, in_time = 0.0, "", False
    for letter in iso[1:]:
        if letter == "T":
            in_time = True
        elif letter.isdigit():
            number += letter
        else:
            unit = {"H": 3600, "M": 60, "S": 1}.get(letter) if in_time else {"D": 86400}.get(letter)
            if unit is None or not number or len(number) > 6:
                return None
            seconds += int(number) * unit
            number = ""
    return seconds or None


def clock_seconds(words: str | None) -> float | None:
    """The seconds of h:m:s, as the configuration of DirSync's scheduler writes them (3:0:0); None where it is none."""
    parts = (words or "").strip().split(":")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts):
        return None
    hours, minutes, seconds = (int(part) for part in parts)
    return float(hours * 3600 + minutes * 60 + seconds) or None
