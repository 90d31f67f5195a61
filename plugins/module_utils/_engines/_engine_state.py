# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""A look at an engine. Private to the collection. Every time here is on the clock of the sync server, aware and in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .._remote._shape import ServerTime


@dataclass(frozen=True)
class EngineState:
    """A look at the engine at one moment.

    in_progress is None where the engine has no such flag; busy names the connectors that run; next_start is when the
    engine means to start by itself; intervals are in seconds. enabled, suspended, staging, next_type and intervals are None
    where the engine has no such thing, or where it cannot be read. source is where the look comes from, as evidence.
    """

    at: datetime
    in_progress: bool | None
    busy: tuple[str, ...]
    enabled: bool | None
    suspended: bool | None
    staging: bool | None
    next_start: ServerTime | None
    next_type: str | None
    allowed_interval: float | None
    effective_interval: float | None
    source: str = "scheduler"

    @property
    def active(self) -> bool:
        """Whether anything is seen running: a cycle, or a single connector."""
        return bool(self.in_progress) or bool(self.busy)


@dataclass(frozen=True)
class LeftOff:
    """A scheduler that is off because a task synchronises single objects (running), or died when it did.

    folder: on the server, which says so.
    """

    folder: str
    running: bool
