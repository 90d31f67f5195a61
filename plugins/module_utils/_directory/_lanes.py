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

    The further connections are opened at the same time, each by the thread that uses it, so that the handshakes cost one of them.

    Args:
        directory: signed in; it does everything where there are few rows, and what is left where the controller takes no further connection.
        rows: in an order in which one connection could do them.
        after: by the id of a row the row that has to be done before it; none of them forms a circle.
        work: is never called for two rows over the same connection at once. It does not raise.
    """
    wanted = min(_LANES, len(rows) // _ROWS_EACH)
    agenda = _Agenda(rows, after)
    threads = [
        threading.Thread(target=_follow, args=(directory.another(), agenda, work), name="directory-lane", daemon=True)
        for _lane in range(wanted if wanted > 1 else 0)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    agenda.follow(directory, work)
    if agenda.error is not None:
        raise agenda.error


def _follow(lane: Directory, agenda: _Agenda, work: Callable[[Directory, Row], None]) -> None:
    """One lane from its sign-in to the end; one that cannot sign in leaves the rows to the others."""
    with contextlib.suppress(HybridIdentityError), lane:
        agenda.follow(lane, work)


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
