# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What is asked of a synchronisation task. Pure; private to the collection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Ticket:
    """A start that an earlier task has sent and not followed to its end.

    server: the name under which it went there. since: the watermark on the caller's clock. requested: when it was asked for, next_start:
    when the engine meant to start by itself before, as the server wrote it; both on the server's clock. own: its acceptance proves that
    the cycle which followed is ours. accepted: whether there was an answer.
    """

    server: str
    engine: str
    full: bool
    since: datetime
    requested: datetime
    next_start: str | None
    accepted: bool
    own: bool


@dataclass(frozen=True)
class DesiredCycle:
    """A cycle that has carried what was in the directory at a moment.

    since is on the caller's clock, aware; looks_back says that it lies before the task, so that something may have covered
    it already. ticket: the start of an earlier task, which is followed. objects: distinguished names of single objects, which are wanted
    instead of a cycle. Durations are in seconds.
    """

    since: datetime
    looks_back: bool = False
    full: bool = False
    wait: bool = True
    wait_timeout: float = 1800
    wait_sleep: float = 1
    fail_on: str = "stopped"
    on_staging: str = "refuse"
    on_disabled: str = "refuse"
    on_retired: str = "warn"
    min_interval: float = 0
    check_mode: bool = False
    ticket: Ticket | None = None
    objects: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        """delta or full."""
        return "full" if self.full else "delta"


def history_seconds(desired: DesiredCycle, now: datetime) -> float:
    """How far back the first look at the run history has to reach (seconds), with room for clocks and for the interval guard."""
    return max((now - desired.since).total_seconds(), desired.min_interval, 0.0) + 300


def local_reading(desired: DesiredCycle) -> str:
    """When the first look goes on by the local route itself (see Engine.probe): where its runs decide what comes next."""
    if desired.ticket is not None:
        return "idle"
    return "ready" if desired.looks_back or desired.min_interval > 0 else "never"
