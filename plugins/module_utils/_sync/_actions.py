# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The few things that a task can do next. Pure; private to the collection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Union


@dataclass(frozen=True)
class Look:
    """Watch the engine, for `seconds` at most, after a pause.

    confirm: for how long something may still begin. awaits: when the cycle of somebody else began whose end is awaited.
    since: how far back the history reaches that the look brings along. local: it may go on by the local route for that.
    words: what is shown meanwhile.
    """

    seconds: float = 20.0
    confirm: float = 15.0
    pause: float = 0.0
    awaits: datetime | None = None
    since: datetime | None = None
    local: bool = False
    words: str = ""


@dataclass(frozen=True)
class Start:
    """Start a cycle, after a pause, and watch it for `seconds` at most.

    confirm: for how long it may take to begin. local: its runs may be read by the local route where it ends meanwhile.
    """

    pause: float
    seconds: float
    confirm: float
    local: bool = False


@dataclass(frozen=True)
class ReadHistory:
    """Read the runs by the local route, back to a moment."""

    since: datetime


@dataclass(frozen=True)
class Stop:
    """The task is over: a failure, or a success, and the sentence that goes with it.

    warnings: what it does not say. changed: where it differs from whether a start was sent. skip_reason: why the host was passed over.
    """

    sentence: str
    reason: str | None = None
    remedy: str | None = None
    changed: bool | None = None
    warnings: tuple[str, ...] = ()
    skip_reason: str | None = None


Action = Union[Look, Start, ReadHistory, Stop]
