# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What an engine tells of its own scheduler, and what is asked of it. Private to the collection. Intervals are in seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Mapping, Protocol

from .._failure import HybridIdentityError
from .._remote._call import RemoteShell

#: the settings that can be asked for, in the order in which they are told
ENABLED, INTERVAL, NEXT_TYPE = "enabled", "interval", "next_type"


@dataclass(frozen=True)
class Schedule:
    """The settings of a scheduler. None: the engine has no such thing, or it cannot be read.

    interval is what is set, or the default where nothing is; effective_interval is in force now; allowed_interval is the least that counts.
    standard: nothing is set, the default applies. next_type is delta or full.
    """

    enabled: bool | None = None
    interval: float | None = None
    effective_interval: float | None = None
    allowed_interval: float | None = None
    next_type: str | None = None
    suspended: bool | None = None
    staging: bool | None = None
    standard: bool = False


@dataclass(frozen=True)
class SchedulerLook:
    """A look at the scheduler.

    Attributes:
        missing: why there is no scheduler that could be set. kept: setting -> why it cannot be changed on this server.
        busy: what runs, where a change has to wait for it. unrest: why it is not known what runs.
        token: what a change needs to know of this look. warnings belong into the result.
    """

    schedule: Schedule
    missing: HybridIdentityError | None = None
    kept: Mapping[str, HybridIdentityError] = field(default_factory=dict)
    busy: tuple[str, ...] = ()
    unrest: HybridIdentityError | None = None
    token: Any = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScheduleChange:
    """What has to be set; None stays as it is. interval: 0 is the engine's default."""

    enabled: bool | None = None
    interval: float | None = None
    next_type: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The settings that it changes."""
        return tuple(name for name in (ENABLED, INTERVAL, NEXT_TYPE) if getattr(self, name) is not None)


@dataclass(frozen=True)
class Applied:
    """What came of a change.

    done: it was carried out. look: how it was read back, None where that takes another look. failure: what stands in its way, or what
    went wrong after it was begun. Neither done nor failure: the server was not ready, and nothing was changed. pending: it may
    still be carried out, after the end of the task.
    """

    done: bool
    look: SchedulerLook | None = None
    failure: HybridIdentityError | None = None
    warnings: tuple[str, ...] = ()
    pending: bool = False


class SchedulerDriver(Protocol):
    """The scheduler of an engine. Capabilities are attributes; nobody asks for the engine's name to decide anything."""

    @property
    def lacks(self) -> Mapping[str, str]:
        """Settings that the engine does not have -> a sentence that says what it has instead."""

    @property
    def least_interval(self) -> float | None:
        """The shortest interval; None: the engine itself says (Schedule.allowed_interval)."""

    @property
    def standard_interval(self) -> float | None:
        """The default interval; None: the engine itself knows it (Schedule.standard)."""

    @property
    def rights(self) -> str:
        """What an account has to be for a change, in words."""

    @property
    def blockers(self) -> tuple[str, ...]:
        """Failure reasons of the first look at the engine with which nothing can be set."""

    def look(self, shell: RemoteShell, *, timeout: float, server_now: datetime) -> SchedulerLook:
        """Read the settings, change nothing.

        Raises:
            CallFailure: the scheduler, or the way to it, failed.
        """

    def apply(self, shell: RemoteShell, look: SchedulerLook, change: ScheduleChange, *, timeout: float, server_now: datetime) -> Applied:
        """Change settings, all of them or none.

        Raises:
            CallFailure: whether it was carried out is not known.
        """
