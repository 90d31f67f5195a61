# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Several connections at once, so that writes that do not need one another do not wait for one another. Private to the collection."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from typing import Callable, Mapping, Sequence

from .._failure import HybridIdentityError
from ._connection import Directory
from ._row import Row

#: connections at most, and for how many rows one more is worth its handshake and its sign-in
_LANES, _ROWS_EACH = 4, 8


def do_all(directory: Directory, rows: Sequence[Row], after: Mapping[int, Row], work: Callable[[Directory, Row], None]) -> None:
    """Do the work for every row, over more than one connection where there are enough rows.

    Args:
        directory: signed in; the only connection for few rows, and for all of them where the controller takes no further one. Else it is left alone.
        rows: in an order in which one connection could do them.
        after: by the id of a row the row that has to be done before it; none of them forms a circle.
        work: is never called for two rows over the same connection at once. It does not raise.
    """
    wanted = min(_LANES, len(rows) // _ROWS_EACH)
    with contextlib.ExitStack() as stack:
        lanes: list[Directory] = []
        with contextlib.suppress(HybridIdentityError):
            for _lane in range(wanted if wanted > 1 else 0):
                lanes.append(stack.enter_context(directory.another()))
        if len(lanes) < 2:
            for row in rows:
                work(directory, row)
            return
        agenda = _Agenda(rows, after)
        threads = [threading.Thread(target=agenda.follow, args=(lane, work), name="directory-lane", daemon=True) for lane in lanes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if agenda.error is not None:
        raise agenda.error


class _Agenda:
    """What is left to do, and what waits for what.

    Attributes:
        error: what a work raised against its promise.
    """

    def __init__(self, rows: Sequence[Row], after: Mapping[int, Row]) -> None:
        own = {id(row) for row in rows}
        self._waiting: dict[int, list[Row]] = {}
        self._ready: deque[Row] = deque()
        for row in rows:
            first = after.get(id(row))
            if first is not None and id(first) in own:
                self._waiting.setdefault(id(first), []).append(row)
            else:
                self._ready.append(row)
        self._left = len(rows)
        self._changed = threading.Condition()
        self.error: Exception | None = None

    def follow(self, lane: Directory, work: Callable[[Directory, Row], None]) -> None:
        """Do one row after another over this connection until none is left."""
        while (row := self._next()) is not None:
            error = None
            try:
                work(lane, row)
            except Exception as raised:  # raised again by the thread that waits for all
                error = raised
            self._done(row, error)

    def _next(self) -> Row | None:
        with self._changed:
            self._changed.wait_for(lambda: self._ready or not self._left or self.error is not None)
            return self._ready.popleft() if self._ready and self.error is None else None

    def _done(self, row: Row, error: Exception | None) -> None:
        with self._changed:
            self._left -= 1
            self.error = self.error or error
            self._ready.extend(self._waiting.pop(id(row), []))
            self._changed.notify_all()
