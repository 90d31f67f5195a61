# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Somebody else acts: cycles, profiles by hand, a history that proves nothing."""

from __future__ import annotations

from ..scenario import Scenario
from .register import CYCLE, PHASES, kind, phase, place


@kind("foreign cycle right before the start")
def _foreign_before(scenario: Scenario) -> None:
    scenario.happen("foreign_cycle", cmdlet="Start-ADSyncSyncCycle", moment="before")


@kind("foreign cycle right after ours")
def _foreign_after(scenario: Scenario) -> None:
    scenario.happen("foreign_cycle", phase="end")


@kind("foreign cycle running")
def _foreign_running(scenario: Scenario) -> None:
    scenario.begins.append(("cycle", {"after": scenario.random.uniform(0.0, scenario.cycle_seconds)}))
    if scenario.random.random() < 0.5:
        scenario.since_before = scenario.random.uniform(0.0, 0.3)


@kind("foreign cycle running, stopped")
def _foreign_stopped(scenario: Scenario) -> None:
    _foreign_running(scenario)
    scenario.estate["cycle_seconds"] = 1.5
    scenario.since_before = scenario.random.choice([0.05, 0.05, None])
    scenario.happen("cycle_stopped", phase=scenario.random.randrange(1, PHASES), moment=scenario.random.choice(["within", "after"]))


@kind("foreign cycle somewhere")
def _foreign(scenario: Scenario) -> None:
    scenario.happen("foreign_cycle", full=scenario.random.random() < 0.3, **place(scenario.random))


@kind("profiles by hand meanwhile")
def _by_hand(scenario: Scenario) -> None:
    profiles = scenario.random.choice([["Delta Import"], ["Delta Import", "Delta Synchronization"], ["Export"]])
    scenario.happen("profiles_by_hand", profiles=profiles, each=scenario.random.uniform(0.1, 0.6), **place(scenario.random))


@kind("history without exports")
def history_by_hand(scenario: Scenario) -> None:
    """Profiles that somebody ran by hand before the task, after the watermark: the beginning of a cycle, or one without what matters."""
    steps = list(CYCLE)
    if scenario.random.random() < 0.5:
        steps = steps[: scenario.random.randint(1, len(steps) - 2)]
    else:
        steps.remove(scenario.random.choice([CYCLE[0], CYCLE[2], CYCLE[4]]))
    scenario.history.append(("profiles", {"steps": steps}))
    scenario.since_before = scenario.random.uniform(0.05, 0.5)


@kind("history with a stopped cycle")
def _history_stopped(scenario: Scenario) -> None:
    scenario.history.append(("stopped cycle", phase(scenario.random)))
    scenario.since_before = scenario.random.uniform(0.05, 0.5)


@kind("history with a dead service")
def _history_died(scenario: Scenario) -> None:
    scenario.history.append(("dead service", {**phase(scenario.random), "graceful": scenario.random.random() < 0.5}))
    scenario.since_before = scenario.random.uniform(0.05, 0.5)


@kind("history that covers")
def _history_covers(scenario: Scenario) -> None:
    scenario.history.append(("cycle", {}))
    scenario.since_before = scenario.random.uniform(0.05, 0.5)
    scenario.happen("connection", fault="cut", **place(scenario.random, scenario.random.choice(["probe", "local route"])))


@kind("history purged")
def _purged(scenario: Scenario) -> None:
    where = place(scenario.random) if scenario.random.random() < 0.6 else phase(scenario.random)
    scenario.happen("history_purged", keep=scenario.random.randint(0, 3), **where)


@kind("two tasks at once")
def _two(scenario: Scenario) -> None:
    scenario.second_task = True
