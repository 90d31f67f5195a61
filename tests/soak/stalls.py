# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""How much time this machine took from everybody: a busy machine must not look like a slow task."""

from __future__ import annotations

import threading
import time
from collections import deque

_BEAT = 0.05


class Stalls:
    """A heart that beats in a thread, and remembers by how much its beats were late."""

    def __init__(self) -> None:
        self._late: deque[tuple[float, float]] = deque(maxlen=100_000)
        self._started = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to beat."""
        with self._started:
            if self._thread is None:
                self._thread = threading.Thread(target=self._beat, name="heart", daemon=True)
                self._thread.start()

    def _beat(self) -> None:
        while True:
            before = time.monotonic()
            time.sleep(_BEAT)
            late = time.monotonic() - before - _BEAT
            if late > 0.02:
                self._late.append((time.time(), late))

    def between(self, begin: float, end: float) -> float:
        """Seconds lost between two times (time.time())."""
        return sum(late for at, late in list(self._late) if begin <= at <= end)


STALLS = Stalls()
