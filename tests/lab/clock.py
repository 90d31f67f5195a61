# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The clock of one machine of the estate, and the ticks in which Windows counts."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

_EPOCH = datetime(1, 1, 1, tzinfo=timezone.utc)


class Clock:
    """A clock that may be wrong.

    Args:
        offset_seconds: how far this machine is ahead of real time (negative: behind).
    """

    def __init__(self, offset_seconds: float = 0.0) -> None:
        self.offset = offset_seconds

    def now(self) -> datetime:
        """The machine's idea of now, aware and in UTC."""
        return datetime.now(timezone.utc) + timedelta(seconds=self.offset)

    def jump(self, seconds: float) -> None:
        """Somebody (or a time service) sets the clock. A script that runs in PowerShell sees it from the next call on."""
        self.offset += seconds


class UnspecifiedTime(datetime):
    """A time whose DateTime has the Kind Unspecified; its digits are UTC all the same."""


class LocalTime(datetime):
    """A time whose DateTime has the Kind Local; its digits are UTC all the same (the engine's own doing, not a real local time)."""


def ticks(timestamp: datetime) -> int:
    """A time in .NET's ticks of 100 ns since the year 1.

    Python's datetime has no room for the last of the seven digits of a second. A real DateTime nearly never ends in 0, so the digit is
    drawn from the rest: never 0, the same whenever the same time is written, and in the order of the times. MinValue keeps its zeros.
    """
    span = timestamp - _EPOCH
    return (span.days * 86400 + span.seconds) * 10_000_000 + span.microseconds * 10 + last_digit(timestamp)


def last_digit(timestamp: datetime) -> int:
    """The seventh digit of a second (see ticks)."""
    return 0 if timestamp.year == 1 else 1 + (timestamp.microsecond * 7 + timestamp.second) % 9
