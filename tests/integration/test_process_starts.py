# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""How many processes a task starts on the sync server; that of a one-shot task counts. Each is half a second and more of a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import procedures
import pytest
from estates import MakeEstate

from lab.estate import Estate, EstateOptions


@pytest.fixture
def estate() -> Iterator[Estate]:
    """Without PowerShell: the counting is the same."""
    with Estate(EstateOptions(directory=False, tenant=False, cycle_seconds=0.6, powershell="none")) as running:
        yield running


def _counted(estate: Estate, work: Any) -> tuple[Any, int]:
    before = estate.host.processes_started
    result = work()
    return result, estate.host.processes_started - before


def _nothing_is_left(estate: Estate) -> bool:
    windows = estate.sync.windows
    return not (windows.task_names() or windows.task_folders() or list(Path(estate.host.temp).glob("hybrid.identity-*")))


def test_a_cycle_takes_three_and_one_that_is_covered_two(make_estate: MakeEstate) -> None:
    estate = make_estate()
    since = procedures.lately()
    result, starts = _counted(estate, lambda: procedures.trigger(estate))
    assert (result["sync"]["ownership"], result["sync"]["state"], starts) == ("own", "verified", 3)
    result, starts = _counted(estate, lambda: procedures.trigger(estate, since=since))
    assert (result["changed"], result["sync"]["state"], starts) == (False, "verified", 2)
    assert _nothing_is_left(estate)


def test_what_is_not_covered_takes_four_and_a_look_two(estate: Estate) -> None:
    result, starts = _counted(estate, lambda: procedures.trigger(estate, max_age=60))
    assert (result["changed"], result["sync"]["state"], starts) == (True, "verified", 4), "the runs are read before and after"
    result, starts = _counted(estate, lambda: procedures.inform(estate))
    assert (result["access"]["history"], starts) == ("local", 2)


def test_two_steps_take_two_each(estate: Estate) -> None:
    estate.sync.configure(cycle_seconds=1.5)
    started, starts = _counted(estate, lambda: procedures.trigger(estate, wait=False))
    assert (started["sync"]["state"], starts) == ("confirmed", 2)
    estate.sync.wait_idle()
    followed, starts = _counted(estate, lambda: procedures.trigger(estate, ticket=started["ticket"]))
    assert (followed["sync"]["ownership"], followed["sync"]["state"], starts) == ("own", "verified", 2)


@pytest.mark.parametrize(("changes", "starts"), [({"staging": True}, 1), ({"enabled": False}, 2), ({"suspended": True}, 1)])
def test_nothing_is_read_where_nothing_may_be_started(changes: dict[str, Any], starts: int, estate: Estate) -> None:
    """Where the scheduler is off, another look tells whether a task that died has left it so."""
    estate.sync.configure(**changes)
    result, counted = _counted(estate, lambda: procedures.trigger(estate, max_age=60))
    assert result["failed"]
    assert counted == starts


def test_a_local_route_that_is_closed_is_tried_once(estate: Estate) -> None:
    result, starts = _counted(estate, lambda: procedures.trigger(estate, "svc-limited"))
    assert (result["sync"]["state"], starts) == ("finished", 3), "two looks, for the end has to be certain; no task could be registered"
    assert any("scheduled task" in warning for warning in result["warnings"])


def test_a_connection_that_is_cut_while_the_start_reads_leaves_nothing(make_estate: MakeEstate) -> None:
    estate = make_estate()
    estate.sync.arm("connection", fault="cut", cmdlet="Get-ADSyncRunProfileResult", skip=2)
    result = procedures.trigger(estate)
    assert estate.sync.faults.armed() == []
    assert (result["sync"]["ownership"], result["sync"]["state"]) == ("unconfirmed", "verified")
    assert len(estate.sync.cycles) == 1
    assert _nothing_is_left(estate)
