# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Cycles in a history, and the parts that they have and lack."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sync_cases import CONNECTORS, NOON, ORDER, at, cycle, run

from ansible_collections.hybrid.identity.plugins.module_utils._engines._contract import Connector, Run
from ansible_collections.hybrid.identity.plugins.module_utils._engines._plan import DIRSYNC_CYCLE, SCHEDULER_CYCLE
from ansible_collections.hybrid.identity.plugins.module_utils._sync._cycles import Cycle, Parts, cycle_begun_at, group_cycles, parts_of


def parts(runs: list[Run], since: float = 0, connectors: Any = CONNECTORS, full: bool = False) -> Parts:
    return parts_of(Cycle(tuple(runs)), SCHEDULER_CYCLE, connectors, at(since), full=full)


def test_history_is_cut_into_cycles() -> None:
    groups = group_cycles(reversed([*cycle(0), *cycle(100), *cycle(200, steps=1)]))
    assert [len(group.runs) for group in groups] == [6, 6, 1]
    assert groups[0].started == NOON
    assert groups[0].finished == at(55)


def test_an_import_by_hand_does_not_join_the_next_cycle() -> None:
    assert [len(group.runs) for group in group_cycles([run(0), *cycle(20)])] == [1, 6]


def test_an_import_after_an_export_begins_a_cycle() -> None:
    later = run(200, connector="ad2", connector_id="ad2")
    assert [len(group.runs) for group in group_cycles([*cycle(0), later])] == [6, 1]


@given(st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(ORDER)), max_size=30))
def test_no_run_is_lost_or_counted_twice(items: list[tuple[int, tuple[str, bool]]]) -> None:
    runs = [run(begin, kind, directory) for begin, (kind, directory) in items]
    grouped = [one for group in group_cycles(runs) for one in group.runs]
    assert sorted(map(id, grouped)) == sorted(map(id, runs))


def test_a_whole_cycle_lacks_nothing() -> None:
    assert parts(cycle(0)) == Parts((), (), (), True)
    assert parts(cycle(0, full=True), full=True) == Parts((), (), (), True)


def test_what_carries_is_lacking_and_the_rest_is_missing() -> None:
    assert parts(cycle(0, steps=2)).lacking == ("the synchronisation on corp.example", "the export on the cloud connector")
    assert parts(cycle(0, steps=2)).missing == ("the synchronisation on the cloud connector", "the export on corp.example")
    assert parts(cycle(0, steps=5)).lacking == ()
    assert parts(cycle(0, steps=5)).absent == ("the export on corp.example",)


def test_what_began_before_does_not_count() -> None:
    assert parts(cycle(10), since=10).lacking == ()
    assert "the import on corp.example" in parts(cycle(10), since=11).lacking


def test_an_export_before_the_synchronisation_carries_nothing() -> None:
    runs = [run(0), run(10, "export", False), run(20, "synchronization")]
    assert parts(runs).lacking == ("the export on the cloud connector",)
    overlapping = [run(0), run(10, "synchronization", seconds=30), run(20, "export", False)]
    assert parts(overlapping).lacking == ("the export on the cloud connector",)


def test_a_run_that_was_kept_from_its_work_is_lacking_and_not_absent() -> None:
    runs = [run(0, result="no-start-credentials"), *cycle(0)[1:]]
    assert parts(runs).lacking == ("the import on corp.example",)
    assert parts(runs).absent == ()


def test_a_run_that_goes_on_is_absent() -> None:
    runs = cycle(0)
    runs[4] = run(40, "export", False, result="in-progress")
    assert parts(runs).absent == ("the export on the cloud connector",)
    ended_and_in_progress = run(40, "export", False, result="in-progress", ended=at(41))
    assert parts([*runs[:4], ended_and_in_progress, runs[5]]).absent == ("the export on the cloud connector",)
    assert Cycle((ended_and_in_progress,)).finished is None


def test_every_connector_of_the_directory_counts() -> None:
    two = (*CONNECTORS, Connector("second.example", "ad2", "AD", True))
    assert parts(cycle(0), connectors=two).lacking == ("the import on second.example", "the synchronisation on second.example")


def test_without_the_list_of_connectors_those_of_the_cycle_stand_for_all() -> None:
    assert parts(cycle(0), connectors=()) == Parts((), (), (), False)
    assert "the import on the directory" in parts(cycle(0)[1:2], connectors=()).lacking


def test_a_delta_is_not_full() -> None:
    assert parts(cycle(0), full=True).lacking == ("the full import on corp.example", "the full synchronisation on corp.example")
    mixed = [run(0, full=True), run(10, directory=False), run(20, "synchronization", full=True), *cycle(0)[3:]]
    assert parts(mixed, full=True).lacking == (), "what the cloud's connector imports does not matter"


def test_the_cycle_of_a_start_is_neither_the_one_before_nor_the_next() -> None:
    def begun(runs: list[Run]) -> float | None:
        found = cycle_begun_at(runs, at(100))
        return None if found is None else (found.started - NOON).total_seconds()

    assert begun(cycle(101)) == 101
    assert begun(cycle(99)) == 109, "what is left of one that began before is no whole cycle"
    assert begun([*cycle(101), *cycle(200)]) == 101
    assert begun([run(100.5, result="in-progress")]) == 100.5
    assert begun(cycle(0)) is None


def test_the_last_short_run_of_an_earlier_cycle_is_not_the_cycle_that_was_started() -> None:
    rest = [run(9.95, "export", seconds=0.04)]
    found = cycle_begun_at([*rest, *cycle(10.1)], at(9.9))
    assert found is not None
    assert len(found.runs) == 6
    alone = cycle_begun_at(rest, at(9.9))
    assert alone is not None
    assert alone.runs == tuple(rest)


def test_a_run_that_imports_and_synchronises_is_both_parts() -> None:
    both = {"also": ("synchronization",)}
    runs = [run(0, "import", False, **both), run(10, "import", True, **both), run(20, "export", False), run(30, "confirmation", False)]
    assert [len(group.runs) for group in group_cycles([*runs, *[run(100, "import", False, **both)]])] == [4, 1]
    found = parts_of(Cycle(tuple(runs)), DIRSYNC_CYCLE, CONNECTORS, at(5), full=False)
    assert (found.lacking, found.missing, found.absent) == ((), (), ())
    late = parts_of(Cycle(tuple(runs)), DIRSYNC_CYCLE, CONNECTORS, at(15), full=False)
    assert late.lacking == ("the import on corp.example", "the synchronisation on corp.example"), "the export alone began late enough"
