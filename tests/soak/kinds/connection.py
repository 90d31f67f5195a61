# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The connection breaks, spoils answers, is slow or hostile; and what happens at each stage of a task."""

from __future__ import annotations

import random
from typing import Any

from ..scenario import Scenario
from .register import COM_ERRORS, STAGES, comes_back, kind, place


def _nth_request(rng: random.Random) -> dict[str, Any]:
    verb = rng.choice(["Create", "Command", "Command", "Send", "Send", "Receive", "Receive", "Signal"])
    return {"verb": verb, "skip": 0 if verb == "Create" else rng.randint(0, 3), "times": rng.choice([1, 1, 1, 2, 3])}


def _answer_is_lost(scenario: Scenario, stage: str | None, fault: str, **details: Any) -> None:
    """The answer to the call that is under way at a place of a stage is spoilt, or that of the next request."""
    where = place(scenario.random, stage)
    scenario.happen("connection", fault=fault, pending=True, **where, **details)


@kind("dropped before sending")
def _before(scenario: Scenario) -> None:
    scenario.break_("close_connection", **_nth_request(scenario.random))


@kind("dropped in sending")
def _truncated(scenario: Scenario) -> None:
    scenario.break_("truncated", **_nth_request(scenario.random))


@kind("dropped after sending")
def _after(scenario: Scenario) -> None:
    scenario.break_("close_connection", after=True, **_nth_request(scenario.random))


@kind("dropped at the end")
def _at_the_end(scenario: Scenario) -> None:
    scenario.break_("close_connection", verb=scenario.random.choice(["Signal", "Delete"]), after=scenario.random.random() < 0.5)


@kind("dropped on connecting")
def _connect(scenario: Scenario) -> None:
    scenario.break_("close_connection", verb="connect", skip=scenario.random.randint(0, 1), times=scenario.random.randint(1, 3))


@kind("refused authentication")
def _authentication(scenario: Scenario) -> None:
    scenario.break_("unauthorized", **_nth_request(scenario.random))


for _stage in STAGES:

    @kind(f"cut in the {_stage}")
    def _cut(scenario: Scenario, stage: str = _stage) -> None:
        scenario.happen("connection", fault="cut", **place(scenario.random, stage))

    @kind(f"answer lost in the {_stage}")
    def _lost(scenario: Scenario, stage: str = _stage) -> None:
        fault = scenario.random.choice(["close_connection", "truncated", "garbage", "html", "http_500", "http_503", "operation_timeout"])
        _answer_is_lost(scenario, stage, fault)

    @kind(f"outage in the {_stage}")
    def _outage(scenario: Scenario, stage: str = _stage) -> None:
        seconds = scenario.random.choice([0.5, 1.5, 4.0, 60.0])
        scenario.happen("connection", fault="cut", refuse=seconds, **place(scenario.random, stage))

    @kind(f"service dies in the {_stage}")
    def _dies(scenario: Scenario, stage: str = _stage) -> None:
        scenario.happen("service_dies", **place(scenario.random, stage), **comes_back(scenario.random))
        scenario.connect["stopped_hresult"] = scenario.random.choice(COM_ERRORS)

    @kind(f"COM error in the {_stage}")
    def _com(scenario: Scenario, stage: str = _stage) -> None:
        details = {"hresult": scenario.random.choice(COM_ERRORS), "times": scenario.random.choice([1, 1, 2, 4])}
        where = place(scenario.random, stage)
        if where["cmdlet"] == "Unregister-ScheduledTask":  # a task that cannot be removed stays, whoever tries
            where["cmdlet"] = "Register-ScheduledTask"
        scenario.happen("com_error", **where, **details)

    @kind(f"cmdlet hangs in the {_stage}")
    def _hangs(scenario: Scenario, stage: str = _stage) -> None:
        scenario.happen("cmdlet_hangs", seconds=scenario.random.choice([1.0, 3.0, 60.0]), **place(scenario.random, stage))


@kind("garbage")
def _garbage(scenario: Scenario) -> None:
    scenario.break_(scenario.random.choice(["garbage", "html"]), **_nth_request(scenario.random))


@kind("5xx")
def _server_error(scenario: Scenario) -> None:
    fault = scenario.random.choice(["http_500", "http_502", "http_503"])
    scenario.break_(fault, after=scenario.random.random() < 0.5, **_nth_request(scenario.random))


@kind("WS-Management fault")
def _wsman_fault(scenario: Scenario) -> None:
    scenario.break_(scenario.random.choice(["operation_timeout", "quota", "busy"]), **_nth_request(scenario.random))


@kind("delayed")
def _delayed(scenario: Scenario) -> None:
    scenario.break_("hang", seconds=scenario.random.uniform(0.2, 2.0), **_nth_request(scenario.random))


@kind("hang")
def _hang(scenario: Scenario) -> None:
    scenario.break_("hang", seconds=90, after=scenario.random.random() < 0.5, **_nth_request(scenario.random))


@kind("one byte per second")
def _slow(scenario: Scenario) -> None:
    scenario.break_("slow", seconds=scenario.random.choice([0.25, 1.0]), **_nth_request(scenario.random))


@kind("redirect to another host")
def _redirect(scenario: Scenario) -> None:
    scenario.break_("redirect", location="elsewhere", **_nth_request(scenario.random))


@kind("shell times out")
def _idle(scenario: Scenario) -> None:
    scenario.shell_idle = scenario.random.uniform(0.3, 1.5)
    scenario.happen("connection", fault="cut", refuse=scenario.random.choice([0.0, 1.0]), **place(scenario.random))
