# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What is written over which connection, and in which order."""

from __future__ import annotations

import threading
import time
from typing import Any, cast

import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._directory._connection import Directory, DirectoryFailure
from ansible_collections.hybrid.identity.plugins.module_utils._directory._lanes import do_all
from ansible_collections.hybrid.identity.plugins.module_utils._directory._row import Row


class Controller:
    """Takes so many further connections. together: each waits to be opened until so many are being opened."""

    def __init__(self, places: int, together: int = 1) -> None:
        self._places = places
        self._opening = threading.Barrier(together, timeout=20)
        self._lock = threading.Lock()

    def another(self) -> Controller:
        """A further connection."""
        further = Controller(0)
        further.__dict__["_parent"] = self
        return further

    def __enter__(self) -> Controller:
        parent: Controller = self.__dict__["_parent"]
        parent._opening.wait()
        with parent._lock:
            parent._places -= 1
            if parent._places < 0:
                raise DirectoryFailure("unreachable", "No further connection.")
        return self

    def __exit__(self, *exception: object) -> None:
        pass


def rows(number: int) -> list[Row]:
    """Rows of which nothing matters."""
    return [Row(cast(Any, None)) for _number in range(number)]


def follow(main: Controller, people: list[Row], after: dict[int, Row]) -> tuple[list[int], int, bool]:
    """The places of the rows in the order in which they were done, over how many connections, and whether over the one that was there."""
    done: list[int] = []
    used: set[int] = set()
    place = {id(row): number for number, row in enumerate(people)}

    def work(lane: Directory, row: Row) -> None:
        used.add(id(lane))
        time.sleep(0.001)
        done.append(place[id(row)])

    do_all(cast(Directory, main), people, after, work)
    return done, len(used), id(main) in used


@pytest.mark.parametrize("places", [4, 2, 1, 0])
def test_everybody_is_written_however_few_further_connections_are_taken(places: int) -> None:
    done, used, over_main = follow(Controller(places), rows(40), {})
    assert sorted(done) == list(range(40))
    assert used <= max(places, 1) and over_main == (places == 0)


def test_few_rows_go_over_the_connection_that_is_there() -> None:
    assert follow(Controller(4), rows(15), {}) == (list(range(15)), 1, True)


@pytest.mark.parametrize("places", [4, 0])
def test_a_manager_is_done_before_those_who_are_led(places: int) -> None:
    people = rows(40)
    done, _used, _over_main = follow(Controller(places), people, {id(people[number]): people[number - 1] for number in range(1, 40)})
    assert done == list(range(40))


def test_further_connections_are_opened_at_the_same_time() -> None:
    done, _used, over_main = follow(Controller(4, together=4), rows(32), {})
    assert (sorted(done), over_main) == (list(range(32)), False)


def test_what_a_work_raises_against_its_promise_is_not_lost() -> None:
    def work(_lane: Directory, _row: Row) -> None:
        raise RuntimeError("broken promise")

    with pytest.raises(RuntimeError, match="broken promise"):
        do_all(cast(Directory, Controller(4)), rows(40), {}, work)
