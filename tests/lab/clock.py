# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The clock of one machine of the estate."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone


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
