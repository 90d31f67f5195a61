# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Work of libraries that may hang, done so that nobody has to wait for its end. Private to the collection.

The libraries under a transport count their read time-outs between two bytes, so a server that sends one byte a second is awaited for
ever, and connection plugins have time-outs of their own. The work runs in a thread that can be abandoned.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import pathlib
import signal
import sys
import threading
import time
from typing import Callable, Generic, TypeVar

Result = TypeVar("Result")

#: bytes by which this process may grow during one piece of work: a server that never stops sending fills the memory long before the time is over
_MAX_GROWTH = 512 * 1024 * 1024
#: seconds between two looks at the memory
_LOOK = 0.25


class TimeIsOver(Exception):
    """The work did not end in its time and was abandoned."""


class TooLarge(Exception):
    """The work took more memory than it may and was abandoned."""


class _Abandoned(SystemExit):
    """Raised inside an abandoned thread the next time it runs; a thread ends silently with it."""


class _Work(Generic[Result]):
    def __init__(self, work: Callable[[], Result]) -> None:
        self._work = work
        self.ended = threading.Event()
        self.result: Result | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self._work()
        except BaseException as error:
            self.error = error
        finally:
            self.ended.set()


def in_time(work: Callable[[], Result], seconds: float, *, ends_well: bool = False) -> Result:
    """Do the work and return what it returns, or raise what it raises.

    Args:
        seconds: how long it is awaited. After that the thread is left behind; it keeps no process alive.
        ends_well: work that is late may come to its own end, because it then gives back what it has got; else it is stopped as soon as it runs.

    Raises:
        TimeIsOver: it did not end in time. TooLarge: the process grew too much meanwhile.
    """
    piece = _Work(work)
    thread = begin(piece.run)
    deadline, before = time.monotonic() + seconds, _memory()
    try:
        while not piece.ended.wait(min(_LOOK, max(deadline - time.monotonic(), 0.0))):
            if time.monotonic() >= deadline:
                raise TimeIsOver
            if _memory() - before > _MAX_GROWTH:
                raise TooLarge
    except BaseException as error:  # also the alarm of a task that has a time-out of its own
        if not (ends_well and isinstance(error, TimeIsOver)):
            _stop(thread)
        raise
    if piece.error is not None:
        raise piece.error
    return piece.result  # type: ignore[return-value]  # the work has ended without an error, so this is its result


def begin(work: Callable[[], None]) -> threading.Thread:
    """Start work in the background; it keeps no process alive, and sees the context variables of the caller."""
    thread = threading.Thread(target=contextvars.copy_context().run, args=(work,), name="remote call", daemon=True)
    thread.start()
    return thread


def _stop(thread: threading.Thread) -> None:
    """End a thread the next time it runs Python: one that hangs in a read stays there, one that reads without end stops.

    The programs that it has started (ssh, kinit) are ended at once, where the system tells which those are.
    """
    with contextlib.suppress(OSError, ValueError):
        for child in pathlib.Path(f"/proc/self/task/{thread.native_id}/children").read_text().split():
            os.kill(int(child), signal.SIGTERM)
    with contextlib.suppress(Exception):
        import ctypes

        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_Abandoned))


def _memory() -> int:
    """The most memory (bytes) that this process has had; 0 where that cannot be asked."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
