# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What people meet when they start a synchronisation, each situation by its number and name, with its verdict and its failure_reason.

The numbers are those of the corpus of situations that the design rests on. Some are run a second time on a German server, where texts and
formats are others and verdicts are the same. The table is printed at the end of the run.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import procedures
import pytest
from estates import COVERAGE, POWERSHELL, TABLE_ROW

from ansible_collections.hybrid.identity.plugins.action.dirsync_trigger import ActionModule
from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import COMMAND_LINE
from lab.estate import Estate, EstateOptions
from lab.windows import host

_TITLE = "situations: what is met, on an English and on a German server, and the verdict on it"
_COLUMNS = ["no.", "situation", "server", "verdict", "failure_reason"]
_CASE = "ansible_collections.hybrid.identity.plugins.module_utils._sync._case"
_CYCLE = 0.4
_KEYS = {
    "changed", "server", "engine", "version", "support", "sync", "runs", "changes", "evidence", "clock_skew", "clock_uncertainty", "ticket",
    "skip_reason", "failure_reason", "msg",
}  # fmt: skip

Act = Callable[[Estate, pytest.MonkeyPatch], "dict[str, Any]"]


@dataclass(frozen=True)
class Situation:
    """A situation. verdict: `ownership, state` of the cycle, `-` where there is none; german: it is run on a German server as well."""

    number: int
    name: str
    act: Act
    verdict: str
    reason: str | None
    german: bool = False


def _trigger(estate: Estate, user: str = "svc-sync", **params: Any) -> dict[str, Any]:
    """With time to spare: what is judged here is a verdict, and not how fast this machine is."""
    return procedures.trigger(estate, user, wait_timeout=90, **params)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat()


def _until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _with(**changes: Any) -> Act:
    """A server that is set up in another way; nothing may have been started there."""

    def act(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        estate.sync.configure(**changes)
        before = len(estate.sync.cycles)
        result = _trigger(estate)
        assert (len(estate.sync.cycles), result["changed"]) == (before, False)
        return result

    return act


def _armed(fault: str, fail_on: str = "stopped", **details: Any) -> Act:
    """A fault of a run of the cycle that the task starts; the cycle has run all the same."""

    def act(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        estate.sync.arm(fault, **details)
        result = _trigger(estate, fail_on=fail_on)
        assert (len(result["runs"]), result["changed"]) == (6, True)
        return result

    return act


def _as(user: str) -> Act:
    return lambda estate, monkeypatch: _trigger(estate, user)


def cycle_runs_already(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A cycle whose import began before the moment never counts: its end is awaited, and an own one started."""
    before = len(estate.sync.cycles)
    estate.sync.start_cycle()
    _until(lambda: len(estate.sync.cycles) > before and estate.sync.cycles[-1].import_began)
    result = _trigger(estate)
    assert (len(estate.sync.cycles), estate.sync.cycles[-1].origin) == (before + 2, "manual")
    return result


def start_is_refused(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Somebody's cycle begins between the look and the start; it began after the moment, so it carries what is wanted."""
    monkeypatch.setattr(f"{_CASE}.CONFIRM", 1.0)
    before = len(estate.sync.cycles)
    estate.sync.arm("foreign_cycle", cmdlet="Start-ADSyncSyncCycle")
    result = _trigger(estate)
    assert estate.sync.record.starts_of("svc-sync")[-1].outcome == "refused"
    assert (len(estate.sync.cycles), result["changed"]) == (before + 1, False)
    return result


def connector_by_hand(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The flag is down, and a start is refused all the same."""
    connector = estate.sync.engine.connectors[1]
    threading.Thread(target=estate.sync.engine.run_profile, args=(connector, "Export", 0.8)).start()
    _until(lambda: estate.sync.engine.busy is not None)
    assert not estate.sync.engine.flag
    return _trigger(estate)


def poll_after_start(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The flag comes up late: a first look that finds nothing is no end."""
    estate.sync.configure(flag_lag=0.3, cycle_seconds=0.8)
    result = _trigger(estate)
    assert estate.sync.cycles[-1].finished is not None
    assert len(result["runs"]) == 6
    return result


def nothing_after_start(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Success is told, and nothing begins."""
    monkeypatch.setattr(f"{_CASE}.CONFIRM", 0.8)
    estate.sync.arm("accepted_but_nothing_starts")
    return _trigger(estate)


def idle_between_steps(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The status of the connectors falls out; here it says nothing at all."""
    monkeypatch.setitem(estate.sync._cmdlets, "Get-ADSyncConnectorRunStatus", lambda caller, p: [])  # type: ignore[attr-defined]
    result = _trigger(estate)
    assert estate.sync.cycles[-1].finished is not None
    return result


def two_at_once(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Two cycles at most, and each task says truthfully whose it was."""
    before = len(estate.sync.cycles)
    with ThreadPoolExecutor(2) as both:
        results = [one.result() for one in [both.submit(_trigger, estate) for _task in range(2)]]
    assert all(result["sync"]["state"] == "verified" for result in results)
    made = len(estate.sync.cycles) - before
    assert made == sum(result["changed"] for result in results) in (1, 2)
    return max(results, key=lambda result: bool(result["changed"]))


def local_route(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The pipe refuses network logons: another way leads to the runs, and an account without it gets less, but no stopped service."""
    poor = _trigger(estate, "svc-limited")
    assert (poor["failure_reason"], poor["sync"]["state"], poor["runs"]) == (None, "finished", [])
    assert poor["warnings"] != []
    return _trigger(estate)


def powershell_7(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Windows PowerShell runs every script, whatever else is installed."""
    assert COMMAND_LINE.startswith("PowerShell -NoProfile ")
    return _trigger(estate)


def process_of_32_bits(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The module is there for 64 bits alone."""
    answer = host.answer_request
    monkeypatch.setattr(host, "answer_request", lambda *arguments: answer(*arguments).replace('"bits":64', '"bits":32'))
    result = _trigger(estate)
    assert "32-bit" in result["msg"]
    return result


def double_hop(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """From one Windows host to the sync server the logon is anonymous: the task refuses to try, and says how to go."""
    action = object.__new__(ActionModule)
    action._connection = SimpleNamespace(_shell=SimpleNamespace(_IS_WINDOWS=True), transport="winrm")
    with pytest.raises(HybridIdentityError) as caught:
        action._goes_by_module({"server": ["sync1.corp.example"]})
    assert "delegate_to: localhost" in str(caught.value)
    return {**caught.value.as_result(), "sync": {"ownership": None, "state": None}}


def domain_controller_down(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The next cycle carries it, when the network is back."""
    since = _now()
    estate.sync.arm("directory_unreachable")
    result = _trigger(estate, since=since)
    again = _trigger(estate, since=since)
    assert (again["changed"], again["sync"]["state"], again["failure_reason"]) == (True, "verified", None)
    return result


def long_cycle(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The connection breaks while a full cycle runs; short looks follow it to its end."""
    monkeypatch.setattr(f"{_CASE}.START_SLICE", 0.3)
    estate.sync.configure(cycle_seconds=1.5)
    estate.sync.arm("connection", fault="cut", phase=3)
    result = _trigger(estate, type="full")
    assert [run["profile"] for run in result["runs"]][:1] == ["Full Import"]
    return result


def too_many(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What belongs to one moment takes one cycle, and a guard keeps the next one away."""
    since = _now()
    before = len(estate.sync.cycles)
    assert [_trigger(estate, since=since)["changed"] for _colleague in range(3)] == [True, False, False]
    result = _trigger(estate, min_interval=1800)
    assert len(estate.sync.cycles) == before + 1
    return result


def full_is_initial(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The engine knows no type `Full`."""
    given: list[Any] = []
    start = estate.sync._cmdlets["Start-ADSyncSyncCycle"]  # type: ignore[attr-defined]
    monkeypatch.setitem(
        estate.sync._cmdlets,  # type: ignore[attr-defined]
        "Start-ADSyncSyncCycle",
        lambda caller, p: (given.append(p["PolicyType"]), start(caller, p))[1],
    )
    result = _trigger(estate, type="full")
    assert given == ["Initial"]
    return result


_OWN, _NONE = "own, verified", "-, -"
_CLOUD, _DIRECTORY = {"kind": "cloud", "profile": "Export"}, {"kind": "directory", "profile": "Export"}
SITUATIONS = [
    Situation(1, "a cycle runs already", cycle_runs_already, _OWN, None),
    Situation(1, "a cycle runs already, and refuses the start", start_is_refused, "foreign, verified", None, german=True),
    Situation(2, "a connector runs by hand", connector_by_hand, _OWN, None),
    Situation(3, "a poll just after the start", poll_after_start, _OWN, None),
    Situation(3, "a start that nothing follows", nothing_after_start, "own, started", "not_confirmed"),
    Situation(4, "idle between two steps", idle_between_steps, _OWN, None),
    Situation(5, "two automations at once", two_at_once, _OWN, None),
    Situation(6, "the scheduler is switched off", _with(enabled=False), _NONE, "scheduler_disabled"),
    Situation(7, "an upgrade or the wizard holds it", _with(suspended=True), _NONE, "scheduler_suspended"),
    Situation(8, "a server in staging mode", _with(staging=True), _NONE, "staging"),
    Situation(9, "the service is stopped", _with(service_running=False), _NONE, "service_stopped", german=True),
    Situation(10, "the module is not found", _with(module_present=False), _NONE, "module_missing", german=True),
    Situation(11, "PowerShell 7 beside Windows PowerShell", powershell_7, _OWN, None),
    Situation(12, "a 32-bit process", process_of_32_bits, _NONE, "module_missing"),
    Situation(13, "no rights in the engine", _as("svc-outsider"), _NONE, "engine_access_denied", german=True),
    Situation(14, "no right to remote", _as("svc-noremoting"), _NONE, "remoting_denied"),
    Situation(15, "half of the module is dead over the network", local_route, _OWN, None),
    Situation(16, "a double hop", double_hop, _NONE, "invalid_input"),
    Situation(
        18,
        "too many deletions",
        _armed("run_result", **_CLOUD, result="stopped-deletion-threshold-exceeded"),
        _OWN,
        "deletion_threshold",
        german=True,
    ),
    Situation(19, "the password of the connector account has expired", _armed("credentials"), _OWN, "connector_credentials"),
    Situation(20, "the sign-in to the cloud is blocked", _armed("cloud_sign_in"), _OWN, "cloud_sign_in_blocked"),
    Situation(21, "network or domain controller down", domain_controller_down, _OWN, "connector_unreachable"),
    Situation(22, "writing one object back is refused", _armed("run_result", **_DIRECTORY, result="completed-export-errors"), _OWN, None),
    Situation(
        22,
        "writing one object back is refused, and that counts",
        _armed("run_result", "errors", **_DIRECTORY, result="completed-export-errors"),
        _OWN,
        "object_errors",
    ),
    Situation(23, "a cycle that ends with export errors", _armed("run_result", **_CLOUD, result="completed-export-errors"), _OWN, None),
    Situation(
        23,
        "a cycle that ends with export errors, and they count",
        _armed("run_result", "errors", **_CLOUD, result="completed-export-errors"),
        _OWN,
        "object_errors",
    ),
    Situation(32, "a full cycle outlasts the connection", long_cycle, _OWN, None),
    Situation(33, "too many synchronisations", too_many, _NONE, "too_soon"),
    Situation(35, "a server that speaks another language", _with(suspended=True), _NONE, "scheduler_suspended", german=True),
    Situation(
        39,
        "no sync server, a Cloud Sync agent",
        _with(installed=False, other_services=("AADConnectProvisioningAgent",)),
        _NONE,
        "not_a_sync_server",
    ),
    Situation(41, "a full cycle, which the engine calls Initial", full_is_initial, _OWN, None),
]
_RUNS = [(one, server) for one in SITUATIONS for server in ("English", "German") if server == "English" or one.german]


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[str], Estate]]:
    """The two estates; on the German one PowerShell runs the scripts, if there is any, because it is PowerShell that knows the formats."""
    estates: dict[str, Estate] = {}

    def get(server: str) -> Estate:
        if server not in estates:
            foreign = (
                {"language": "de", "culture": "de-DE", "powershell": POWERSHELL or "none"} if server == "German" else {"powershell": "none"}
            )
            options: dict[str, Any] = {"directory": False, "tenant": False, "cycle_seconds": _CYCLE, "coverage": COVERAGE, **foreign}
            estates[server] = Estate(EstateOptions(**options))
            estates[server].start()
        return estates[server]

    yield get
    for estate in estates.values():
        failures = estate.wsman.log.failures
        estate.stop()
        assert failures == []


@pytest.mark.parametrize(("situation", "server"), _RUNS, ids=[f"{one.number}-{one.name}-{server}" for one, server in _RUNS])
def test_situation(
    situation: Situation,
    server: str,
    servers: Callable[[str], Estate],
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    for name, seconds in (("IDLE_FOR_CERTAIN", 0.5), ("IDLE_FOR_LEFTOVERS", 0.5)):
        monkeypatch.setattr(f"{_CASE}.{name}", seconds)
    monkeypatch.setattr(procedures.RemoteShell, "RETRY_PAUSES", (0.1, 0.2))
    estate = servers(server)
    options = {field.name: getattr(estate.sync.options, field.name) for field in fields(estate.sync.options)}
    try:
        result = situation.act(estate, monkeypatch)
    finally:
        estate.sync.configure(**options)
        estate.sync.faults.clear()  # type: ignore[attr-defined]
        estate.sync.wait_idle()
    verdict = f"{result['sync']['ownership'] or '-'}, {result['sync']['state'] or '-'}"
    assert (verdict, result["failure_reason"]) == (situation.verdict, situation.reason), result
    assert bool(result.get("failed")) == (situation.reason is not None)
    assert result["msg"].count("\n") == 0
    assert situation.number == 16 or set(result) >= _KEYS
    left = estate.left_behind()
    assert not any(left[name] for name in ("tasks", "orphans", "task_folders", "folders", "shells"))
    record_property(TABLE_ROW, [_TITLE, _COLUMNS, [f"{situation.number:2}", situation.name, server, verdict, situation.reason or "-"]])


def test_every_situation_of_triggering_is_there() -> None:
    numbers = {situation.number for situation in SITUATIONS}
    assert numbers == {*range(1, 17), *range(18, 24), 32, 33, 35, 39, 41}
