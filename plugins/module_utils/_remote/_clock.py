# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""How far the server's clock is ahead of this machine's. Pure; private to the collection."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ClockLead:
    """The seconds by which the server's clock is ahead lie between low and high: what one exchange can tell, and no more.

    Starting a process on the server takes seconds that are no difference of clocks. So the interval is kept: decisions
    use its safe end, reports its middle.
    """

    low: float
    high: float

    @classmethod
    def measured(cls, server: float, asked: float, answered: float, script_seconds: float) -> ClockLead:
        """From one exchange.

        Args:
            server: the server's clock at the end of its script, in seconds since the epoch.
            asked, answered: this machine's clock before and after the exchange, in seconds since the epoch.
            script_seconds: how long the script ran; it had not begun when the question was asked.
        """
        low = server - answered
        return cls(low, max(server - (asked + script_seconds), low))

    @property
    def middle(self) -> float:
        """The likeliest single figure, in seconds."""
        return (self.low + self.high) / 2

    @property
    def width(self) -> float:
        """How uncertain it is, in seconds."""
        return self.high - self.low

    def narrowed(self, newer: ClockLead) -> ClockLead:
        """What both exchanges allow; where they contradict each other a clock has been set, and the newer one counts."""
        low, high = max(self.low, newer.low), min(self.high, newer.high)
        return ClockLead(low, high) if low <= high else newer
