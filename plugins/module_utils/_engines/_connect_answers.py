# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What the scripts of the connect engine promise to return, and how it is read. Private to the collection."""

from __future__ import annotations

from typing import Any

from .._remote._shape import end, error_object, finite, flag, list_of, optional, record, table_of, text, timestamp
from ._answers import CONNECTORS, HISTORY, SURVEY
from ._contract import EngineState

STATE = record(
    at=timestamp,
    in_progress=optional(flag),
    busy=list_of(text, 200),
    enabled=flag,
    suspended=flag,
    staging=flag,
    next_start=end,
    next_type=text,
    allowed_interval=finite,
    effective_interval=finite,
)
WATCH_ANSWER = record(
    state=STATE,
    active=flag,
    first_active=optional(timestamp),
    idle_since=optional(timestamp),
    history=optional(HISTORY),
    trouble=optional(error_object),
)
PROBE_ANSWER = record(
    survey=SURVEY,
    problems=table_of(error_object, 50),
    connectors=CONNECTORS,
    state=optional(STATE),
    history=optional(HISTORY),
)
START_ANSWER = record(
    sent=flag,
    before=optional(STATE),
    requested=optional(timestamp),
    result=optional(text),
    refusal=optional(error_object),
    watch=optional(WATCH_ANSWER),
    trouble=optional(error_object),
)


def read_state(data: dict[str, Any]) -> EngineState:
    """A look at the engine."""
    return EngineState(
        at=data["at"].at,
        in_progress=data["in_progress"],
        busy=tuple(data["busy"]),
        enabled=data["enabled"],
        suspended=data["suspended"],
        staging=data["staging"],
        next_start=data["next_start"],
        next_type=data["next_type"],
        allowed_interval=float(data["allowed_interval"]),
        effective_interval=float(data["effective_interval"]),
    )
