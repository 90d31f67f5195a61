# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The kinds of fault of the campaign. Each is a function that sets one up in a scenario, with what is random about it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from .scenario import Scenario

Build = Callable[[Scenario], None]
KINDS: dict[str, Build] = {}

#: calls by which the stages of a task are known, whatever the procedure makes of them: (cmdlet, how many of them may come first at most)
STAGES: dict[str, tuple[tuple[str, int], ...]] = {
    "probe": (("Get-Service", 0), ("Get-ADSyncScheduler", 0), ("Get-ADSyncConnectorRunStatus", 0), ("Get-ADSyncConnector", 0)),
    "start": (("Start-ADSyncSyncCycle", 0),),
    "follow": (("Get-ADSyncScheduler", 8), ("Get-ADSyncConnectorRunStatus", 8), ("Get-WinEvent", 2)),
    "local route": (
        ("Register-ScheduledTask", 0),
        ("Start-ScheduledTask", 0),
        ("Get-ScheduledTask", 2),
        ("Get-ADSyncRunProfileResult", 2),
        ("Unregister-ScheduledTask", 0),
    ),
}
COM_ERRORS = (0x80080005, 0x80070422, 0x80070426, 0x8007045B, 0x800706BA, 0x800706BE, 0x80010108)
_PHASES = 6


def kind(name: str) -> Callable[[Build], Build]:
    """Register a kind under its name."""

    def register(build: Build) -> Build:
        KINDS[name] = build
        return build

    return register


def place(rng: random.Random, stage: str | None = None) -> dict[str, Any]:
    """A call of a cmdlet in a stage (any, when not given), before or after its effect."""
    cmdlet, most = rng.choice(STAGES[stage or rng.choice(list(STAGES))])
    return {"cmdlet": cmdlet, "skip": rng.randint(0, most), "moment": rng.choice(["before", "after"])}


def phase(rng: random.Random) -> dict[str, Any]:
    """A phase of a cycle: before it, in the middle of it, or between it and the next."""
    return {"phase": rng.randrange(_PHASES), "moment": rng.choice(["before", "within", "after"])}


def _nth_request(rng: random.Random) -> dict[str, Any]:
    verb = rng.choice(["Create", "Command", "Command", "Send", "Send", "Receive", "Receive", "Signal"])
    return {"verb": verb, "skip": 0 if verb == "Create" else rng.randint(0, 3), "times": rng.choice([1, 1, 1, 2, 3])}


def _answer_is_lost(scenario: Scenario, stage: str | None, fault: str, **details: Any) -> None:
    """The answer to the call that is under way at a place of a stage is spoilt, or that of the next request."""
    where = place(scenario.random, stage)
    scenario.happen("connection", fault=fault, pending=True, **where, **details)


# -- nothing goes wrong


@kind("nothing")
def _nothing(scenario: Scenario) -> None:
    pass


# -- the connection


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
        scenario.happen("service_dies", **place(scenario.random, stage), **_comes_back(scenario.random))
        scenario.connect["stopped_hresult"] = scenario.random.choice(COM_ERRORS)

    @kind(f"COM error in the {_stage}")
    def _com(scenario: Scenario, stage: str = _stage) -> None:
        details = {"hresult": scenario.random.choice(COM_ERRORS), "times": scenario.random.choice([1, 1, 2, 4])}
        scenario.happen("com_error", **place(scenario.random, stage), **details)

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


# -- the service and the cycle


def _comes_back(rng: random.Random) -> dict[str, Any]:
    back = rng.choice([None, 0.2, 1.0, 2.5])
    return {"graceful": rng.random() < 0.6, "seconds": back, "moves_next_start": rng.random() < 0.5}


@kind("service dies at a phase")
def _dies_at_phase(scenario: Scenario) -> None:
    scenario.happen("service_dies", **phase(scenario.random), **_comes_back(scenario.random))


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
    scenario.params["fail_on"] = scenario.random.choice(["stopped", "stopped", "never"])


@kind("events of failure")
def _events(scenario: Scenario) -> None:
    provider, number = scenario.random.choice([
        ("Directory Synchronization", 109), ("Directory Synchronization", 0), ("ADSync", 6000), ("ADSync", 6100), ("ADSync", 6900),
    ])  # fmt: skip
    scenario.happen("event", provider=provider, id=number, **phase(scenario.random))


# -- somebody else


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
    scenario.happen("cycle_stopped", phase=scenario.random.randrange(1, _PHASES), moment=scenario.random.choice(["within", "after"]))


@kind("foreign cycle somewhere")
def _foreign(scenario: Scenario) -> None:
    scenario.happen("foreign_cycle", full=scenario.random.random() < 0.3, **place(scenario.random))


@kind("profiles by hand meanwhile")
def _by_hand(scenario: Scenario) -> None:
    profiles = scenario.random.choice([["Delta Import"], ["Delta Import", "Delta Synchronization"], ["Export"]])
    scenario.happen("profiles_by_hand", profiles=profiles, each=scenario.random.uniform(0.1, 0.6), **place(scenario.random))


@kind("history without exports")
def _history_by_hand(scenario: Scenario) -> None:
    profiles = scenario.random.choice([["Delta Import"], ["Delta Import", "Delta Synchronization"], ["Delta Import", "Export"]])
    scenario.history.append(("profiles", {"profiles": profiles}))
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


# -- the machine


@kind("connectors unreadable")
def _connectors(scenario: Scenario) -> None:
    scenario.connect["connectors_refuse_network_logon"] = True
    if scenario.random.random() < 0.5:
        _history_by_hand(scenario)


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
        ("service_dies", {**place(scenario.random, stage), **_comes_back(scenario.random)}),
        ("interval_changed", place(scenario.random, stage)),
    ])  # fmt: skip
    scenario.happen(name, **details)


@kind("repeated")
def _repeated(scenario: Scenario) -> None:
    scenario.repeat = True


def build(seed: int, *, powershell: bool) -> Scenario:
    """The scenario of a seed. Consecutive seeds go through all kinds in turn.

    Args:
        powershell: whether there is an engine for a share of the runs.
    """
    names = list(KINDS)
    rng = random.Random(seed)
    scenario = Scenario(seed, names[seed % len(names)], rng)
    scenario.transport = "connection" if rng.random() < 0.2 else "winrm"
    scenario.powershell = powershell and rng.random() < 0.15
    scenario.estate = {
        "cycle_seconds": rng.uniform(0.3, 1.0),
        "clock_offset": rng.choice([0.0, 0.0, 0.4, -0.4, 30.0, -30.0, 900.0]),
        "language": rng.choice(["en", "en", "de"]),
    }
    scenario.connect = {
        "running_has_end_date": rng.random() < 0.6,
        "date_kind": rng.choice(["utc", "utc", "unspecified", "local"]),
        "history_refuses_network_logon": rng.random() < 0.8,
        "flag_lag": rng.choice([0.0, 0.0, 0.0, 0.15]),
        "next_start_known": rng.random() < 0.9,
    }
    scenario.params = {"wait_timeout": rng.randint(4, 7), "wait_sleep": rng.choice([0.1, 0.2, 0.4])}
    KINDS[scenario.kind](scenario)
    if rng.random() < 0.15 and scenario.kind not in ("nothing", "repeated", "slow start of powershell.exe"):
        name = rng.choice([one for one in names if one not in ("nothing", "repeated", "slow start of powershell.exe", "clock jumps")])
        KINDS[name](scenario)
    return scenario
