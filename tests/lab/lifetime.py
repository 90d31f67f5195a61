# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""How long a script lives: as long as the shell that it was started in.

Windows puts the processes of a WinRM shell into a job object. When the shell is deleted or times out, or the command is
terminated, they are killed: no `finally` runs. A scheduled task is no child of the shell and lives on.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


class Killed(BaseException):
    """The script that this thread stands for has been killed. Like the real thing, no `except Exception` catches it."""


class Lifetime:
    """The life of one script. `kill` ends it from any thread; whoever wants to know at once leaves a callback."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._killed = threading.Event()
        self._callbacks: list[Callable[[], None]] = []

    @property
    def killed(self) -> bool:
        """Whether it is over."""
        return self._killed.is_set()

    def kill(self) -> None:
        """End it; the callbacks run once, in this thread."""
        with self._lock:
            self._killed.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def when_killed(self, callback: Callable[[], None]) -> None:
        """Call back when it is killed; at once when it has been."""
        with self._lock:
            if not self._killed.is_set():
                self._callbacks.append(callback)
                return
        callback()

    def wait(self, seconds: float) -> bool:
        """Let time pass; True as soon as it is killed."""
        return self._killed.wait(seconds)


_here = threading.local()


def current() -> Lifetime | None:
    """The life that the work of this thread depends on; None for what no shell can end (a scheduled task, a test)."""
    return getattr(_here, "lifetime", None)


@contextlib.contextmanager
def living(lifetime: Lifetime | None) -> Iterator[None]:
    """While inside, the work of this thread depends on this life."""
    before = current()
    _here.lifetime = lifetime
    try:
        yield
    finally:
        _here.lifetime = before


def require_alive() -> None:
    """Raises Killed in a thread whose script has been killed."""
    lifetime = current()
    if lifetime is not None and lifetime.killed:
        raise Killed
