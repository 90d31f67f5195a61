# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Nothing goes wrong, or the machine around the engine is not as it should be."""

from __future__ import annotations

from ..scenario import Scenario
from .others import history_by_hand
from .register import comes_back, kind, phase, place


@kind("nothing")
def _nothing(scenario: Scenario) -> None:
    pass


@kind("connectors unreadable")
def _connectors(scenario: Scenario) -> None:
    scenario.connect["connectors_refuse_network_logon"] = True
    if scenario.random.random() < 0.5:
        history_by_hand(scenario)


@kind("clock jumps")
def _clock(scenario: Scenario) -> None:
    scenario.powershell = False  # a script in PowerShell would see the old clock to its end
    seconds = scenario.random.choice([-600.0, -5.0, -1.0, 1.0, 5.0, 600.0])
    where = (
        place(scenario.random, scenario.random.choice(["start", "follow", "local route"]))
        if scenario.random.random() < 0.7
        else phase(scenario.random)
    )
    scenario.happen("clock_jumps", seconds=seconds, **where)


@kind("slow start of powershell.exe")
def _slow_start(scenario: Scenario) -> None:
    scenario.estate.update(process_start=scenario.random.uniform(0.5, 1.5), clock_offset=0.0)
    scenario.params["wait_timeout"] = 20
    scenario.repeat = True


@kind("tasks do not run")
def _tasks(scenario: Scenario) -> None:
    scenario.connect["tasks_run"] = False


@kind("not waiting")
def _no_wait(scenario: Scenario) -> None:
    scenario.params["wait"] = False
    stage = scenario.random.choice(["probe", "start", "follow"])
    name, details = scenario.random.choice([
        ("connection", {"fault": "cut", **place(scenario.random, stage)}),
        ("service_dies", {**place(scenario.random, stage), **comes_back(scenario.random)}),
        ("interval_changed", place(scenario.random, stage)),
    ])  # fmt: skip
    scenario.happen(name, **details)


@kind("repeated")
def _repeated(scenario: Scenario) -> None:
    scenario.repeat = True
