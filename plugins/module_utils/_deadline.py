# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""How long a task may take. Made when the task begins, handed to everything that waits. Private to the collection."""

from __future__ import annotations

import time
from typing import Callable


class Deadline:
    """A time on the monotonic clock of this machine, after which nothing new is begun and nothing is awaited.

    Args:
        seconds: from now on.
        clock: seconds that only grow; for tests.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.began = clock()
        self.seconds = seconds

    def left(self) -> float:
        """Seconds that are left; 0.0 when the time is over, never less."""
        return max(self.began + self.seconds - self._clock(), 0.0)

    @property
    def over(self) -> bool:
        """Whether the time is over."""
        return self.left() <= 0.0

    def spent(self) -> float:
        """Seconds since it was made."""
        return self._clock() - self.began
