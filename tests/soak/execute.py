# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""One run of the campaign: the estate is set up, the task runs, and everything that the judge needs is taken down."""

from __future__ import annotations

import contextlib
import threading
import time
import traceback
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from estates import POWERSHELL

from lab.connect import ConnectServer, ServerRecord
from lab.estate import Estate, EstateOptions
from lab.wsman import Struck

from .elsewhere import Elsewhere
from .scenario import Scenario
from .stalls import STALLS
from .transports import trigger

#: seconds beyond the time that is allowed after which a task is given up
_PATIENCE = 8.0
#: seconds that things under way have to come to their end before what is left is counted
_GRACE = 1.0


@dataclass
class Outcome:
    """What a task did, as seen from outside.

    Attributes:
        since: the watermark (time.time()). called, returned: when the task ran; returned is when it was given up, if it did not end.
        result: the result keys; None when something was raised, or it did not end. raised: the traceback.
        until: when the next task of the same account began; None for the last one.
        stalled: seconds that this machine took from everybody meanwhile.
    """

    user: str
    since: float
    called: float
    returned: float = 0.0
    result: dict[str, Any] | None = None
    raised: str = ""
    until: float | None = None
    stalled: float = 0.0

    @property
    def ended(self) -> bool:
        """Whether it came back at all."""
        return self.result is not None or bool(self.raised)


@dataclass
class Observed:
    """One run: its tasks in order, and what is known of the server."""

    scenario: Scenario
    outcomes: list[Outcome]
    record: ServerRecord
    left: dict[str, Any]
    struck: list[Struck]
    commands: list[float]
    elsewhere: list[str]
    #: whether the server refused connections at the end
    cut_off: bool = False
    lab_failures: list[str] = field(default_factory=list)


#: runs with PowerShell at the same time in one process: each of them takes a processor
_POWERSHELLS = threading.BoundedSemaphore(2)


def execute(scenario: Scenario) -> Observed:
    """Run a scenario."""
    with _POWERSHELLS if scenario.powershell else contextlib.nullcontext():
        return _execute(scenario)


def _execute(scenario: Scenario) -> Observed:
    options = EstateOptions(
        directory=False,
        tenant=False,
        powershell=(POWERSHELL or "none") if scenario.powershell else "none",
        connect=dict(scenario.connect),
        **scenario.estate,
    )
    with Elsewhere() as elsewhere, Estate(options) as estate:
        server = estate.sync
        assert isinstance(server, ConnectServer), "the campaign is about the engine connect"
        estate.wsman.shell_idle_seconds = scenario.shell_idle
        since = _before(server, scenario)
        for name, details in scenario.happens:
            server.arm(name, **_located(details, elsewhere))
        for name, details in scenario.breaks:
            estate.faults.arm(name, **_located(details, elsewhere))
        users = [scenario.user, "svc-limited" if scenario.user == "svc-sync" else "svc-sync"]
        threads = [_Task(estate, scenario, user, since) for user in users[: 2 if scenario.second_task else 1]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.wait()
        if scenario.repeat:
            estate.faults.clear()
            server.faults.clear()
            threads.append(_Task(estate, scenario, scenario.user, threads[0].outcome.since))
            threads[0].outcome.until = time.time()
            threads[-1].start()
            threads[-1].wait()
        left = _left(estate)
        return Observed(
            scenario,
            [thread.outcome for thread in threads],
            server.record,
            left,
            estate.faults.struck(),
            [one.at for one in estate.wsman.log.audit],
            elsewhere.credentials(),
            estate.wsman.refusing,
            estate.wsman.log.failures,
        )


def _located(details: dict[str, Any], elsewhere: Elsewhere) -> dict[str, Any]:
    return {**details, "location": elsewhere.url} if details.get("location") == "elsewhere" else dict(details)


def _before(server: ConnectServer, scenario: Scenario) -> float | None:
    """What happened before the task; the watermark (time.time()), or None when it is the beginning of the task."""
    began = time.time()
    for what, details in scenario.history:
        if what == "profiles":
            for profile, directory in details["steps"]:
                server.engine.run_profile(server.engine.connector(directory), profile, 0.03)
            continue
        if what == "stopped cycle":
            server.arm("cycle_stopped", **details)
        if what == "dead service":
            server.arm("service_dies", seconds=0.0, **details)
        server.start_cycle(by="somebody")
        server.wait_idle()
        time.sleep(0.05)
    server.faults.clear()
    deadline = time.monotonic() + 2
    while not server.options.service_running and time.monotonic() < deadline:
        time.sleep(0.01)
    since = None if scenario.since_before is None else began - scenario.since_before
    for _what, details in scenario.begins:
        since = None if scenario.since_before is None else time.time() - scenario.since_before
        server.start_cycle(by="somebody")
        time.sleep(details["after"])
    return since


def _left(estate: Estate) -> dict[str, Any]:
    """What is left once everything under way has come to its end."""
    deadline = time.monotonic() + _GRACE
    while True:
        left = estate.left_behind()
        if not any(left.values()) or time.monotonic() > deadline:
            return left
        time.sleep(0.05)


class _Task(threading.Thread):
    """A task in a thread of its own, so that one that does not end cannot hold up the campaign."""

    def __init__(self, estate: Estate, scenario: Scenario, user: str, since: float | None) -> None:
        super().__init__(name=f"task {scenario.seed}", daemon=True)
        self._estate, self._scenario = estate, scenario
        self._params = dict(scenario.params)
        if since is not None:
            self._params["since"] = datetime.fromtimestamp(since, timezone.utc).isoformat(timespec="microseconds")
        now = time.time()
        self.outcome = Outcome(user, now if since is None else since, now)
        self._given = since is not None

    def run(self) -> None:
        outcome = self.outcome
        outcome.called = time.time()
        if not self._given:
            outcome.since = outcome.called
        try:
            result = trigger(self._estate, self._scenario.transport, outcome.user, self._params)
            outcome.returned = time.time()
            outcome.result = result
        except BaseException:
            outcome.returned = time.time()
            outcome.raised = traceback.format_exc()

    def wait(self) -> None:
        """Wait until it has ended, or its time is over for good."""
        self.join(max(self.outcome.called + self._params["wait_timeout"] + 5.0 + _PATIENCE - time.time(), 0.0))
        if not self.outcome.ended:
            self.outcome.returned = time.time()
        self.outcome.stalled = STALLS.between(self.outcome.called, self.outcome.returned)
