# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The service dies, the cycle does not do what it should."""

from __future__ import annotations

from ..scenario import Scenario
from .register import COM_ERRORS, comes_back, kind, phase, place


@kind("service dies at a phase")
def _dies_at_phase(scenario: Scenario) -> None:
    scenario.happen("service_dies", **phase(scenario.random), **comes_back(scenario.random))


@kind("cycle stopped at a phase")
def _stopped(scenario: Scenario) -> None:
    scenario.happen("cycle_stopped", **phase(scenario.random))


@kind("cycle stopped, another one started")
def _stolen(scenario: Scenario) -> None:
    scenario.happen("cycle_stopped", then_starts=True, **phase(scenario.random))


@kind("cycle stopped, history closed")
def _stopped_unseen(scenario: Scenario) -> None:
    scenario.user = "svc-limited"
    scenario.happen("cycle_stopped", **phase(scenario.random))


@kind("interval changed")
def _interval(scenario: Scenario) -> None:
    scenario.happen("interval_changed", **(place(scenario.random) if scenario.random.random() < 0.7 else phase(scenario.random)))


@kind("interval changed, nothing starts")
def _interval_alone(scenario: Scenario) -> None:
    scenario.happen("accepted_but_nothing_starts")
    scenario.happen("interval_changed", cmdlet="Get-ADSyncConnectorRunStatus", skip=scenario.random.randint(1, 4), moment="after")
    scenario.user = scenario.random.choice(["svc-sync", "svc-limited"])


@kind("start accepted, nothing starts")
def _nothing_starts(scenario: Scenario) -> None:
    scenario.happen("accepted_but_nothing_starts")


@kind("start lost, nothing started")
def _start_lost(scenario: Scenario) -> None:
    scenario.happen("connection", fault="cut", refuse=scenario.random.choice([0.0, 0.5]), cmdlet="Start-ADSyncSyncCycle", moment="before")
    scenario.happen("com_error", cmdlet="Start-ADSyncSyncCycle", moment="before")
    scenario.user = scenario.random.choice(["svc-sync", "svc-limited"])


@kind("start begins late")
def _late(scenario: Scenario) -> None:
    scenario.happen("slow_start", seconds=scenario.random.uniform(0.3, 3.0))


@kind("start begins late, answer lost")
def _late_and_lost(scenario: Scenario) -> None:
    scenario.happen("slow_start", seconds=scenario.random.uniform(0.3, 3.0))
    scenario.happen("connection", fault="cut", cmdlet="Start-ADSyncSyncCycle", moment="after")


@kind("flag lags")
def _flag(scenario: Scenario) -> None:
    scenario.connect["flag_lag"] = scenario.random.uniform(0.2, 3.0)


@kind("COM error after the start")
def _start_after(scenario: Scenario) -> None:
    scenario.happen("com_error", cmdlet="Start-ADSyncSyncCycle", moment="after", hresult=scenario.random.choice(COM_ERRORS))


@kind("a phase fails")
def _phase_fails(scenario: Scenario) -> None:
    result = scenario.random.choice(
        ["no-start-connection", "stopped-server", "stopped-extension-dll-exception", "no-start-ma-already-running"]
    )
    profile, side = scenario.random.choice(
        [("Delta Import", "directory"), ("Delta Synchronization", "directory"), ("Export", "cloud"), ("Export", "cloud")]
    )
    scenario.happen("run_result", profile=profile, kind=side, result=result)
    scenario.user = scenario.random.choice(["svc-sync", "svc-sync", "svc-limited"])


@kind("second forest left out")
def _forest(scenario: Scenario) -> None:
    scenario.connect["more_directories"] = ("forest2.test",)
    scenario.happen("run_result", profile="Delta Import", connector="forest2.test", result="no-start-connection")
    if scenario.random.random() < 0.5:
        scenario.happen("com_error", cmdlet="Get-ADSyncConnector", moment="before", times=9)


@kind("events of failure")
def _events(scenario: Scenario) -> None:
    provider, number = scenario.random.choice([
        ("Directory Synchronization", 109), ("Directory Synchronization", 0), ("ADSync", 6000), ("ADSync", 6100), ("ADSync", 6900),
    ])  # fmt: skip
    scenario.happen("event", provider=provider, id=number, **phase(scenario.random))
