# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Several requests at once, none awaited longer than there is time. Private to the collection."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from typing import Any, Callable, Sequence, Union

#: requests at the same time
WIDTH = 4


class TooSlow(Exception):
    """What a request was abandoned with: it was begun, and no whole answer came in time."""


class NotBegun(Exception):
    """What a request has that was not begun, because the time was over."""


def run_all(tasks: Sequence[Callable[[], Any]], left: Callable[[], float], each: float, width: int = WIDTH) -> list[Union[Any, Exception]]:
    """Run tasks in threads of their own, a few at a time.

    A time-out of a socket counts from byte to byte, so that it never ends a server that sends one byte per second; and neither name
    resolution nor a TLS handshake know a deadline. So the caller waits, and goes on without a thread that is late: it is a daemon, which
    holds nobody up when the process ends.

    Args:
        tasks: what to run.
        left: seconds that are left for everything.
        each: the most seconds for one.
        width: how many at a time.

    Returns:
        In the order of the tasks: what each returned, or the exception that it raised, or TooSlow, or NotBegun.
    """
    done: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
    results: list[Any] = [NotBegun()] * len(tasks)
    waiting, running = deque(range(len(tasks))), dict[int, float]()
    while waiting or running:
        while waiting and len(running) < width and left() > 0:
            index = waiting.popleft()
            running[index] = time.monotonic()
            threading.Thread(target=_run, args=(tasks[index], index, done), name="graph-request", daemon=True).start()
        if not running:
            break
        patience = min(min(running.values()) + each - time.monotonic(), left())
        try:
            index, result = done.get(timeout=max(patience, 0.0))
        except queue.Empty:
            now = time.monotonic()
            for index in [index for index, began in running.items() if left() <= 0 or began + each <= now]:
                results[index] = TooSlow()
                del running[index]
            continue
        if running.pop(index, None) is not None:
            results[index] = result
    return results


def _run(task: Callable[[], Any], index: int, done: queue.SimpleQueue[tuple[int, Any]]) -> None:
    try:
        result: Any = task()
    except Exception as error:  # it is raised, or told, by who asked for it
        result = error
    done.put((index, result))
