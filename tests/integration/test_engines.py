# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Every engine in every case of a trigger, judged by what happened on its server; the cells are printed as a table at the end of the run."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any

import procedures
import pytest
from estates import TABLE_ROW, MakeEstate
from fim_servers import OneUser
from patience import wait_until

from ansible_collections.hybrid.identity.plugins.module_utils._remote._transport import ConnectionBroken
from lab.connect.errors import refusal
from lab.engines import ENGINES
from lab.estate import Estate

#: engine of the lab -> (engine that drives it, whether an accepted start proves the cycle its own)
DRIVEN = {
    "dirsync_legacy": ("dirsync_legacy", True),
    "dirsync": ("dirsync", True),
    "aadsync": ("aadsync", True),
    "aadsync-exe": ("aadsync", True),
    "aad-connect-1.0": ("aadsync", True),
    "connect-1.1.105": ("connect", False),
    "connect-1.1.281": ("connect", True),
    "connect-1.1.380": ("connect", True),
    "connect-1.3": ("connect", True),
    "connect-1.4.18": ("connect", True),
    "connect": ("connect", True),
}
_MODULE = "ansible_collections.hybrid.identity.plugins.module_utils."


@pytest.fixture
def short_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated cycles are short: a rest of half a second tells what one of five seconds tells of a real one."""
    monkeypatch.setattr(_MODULE + "_engines._pace.QUIET", 0.5)
    monkeypatch.setattr(_MODULE + "_sync._case.IDLE_FOR_CERTAIN", 0.5)
    monkeypatch.setattr(_MODULE + "_sync._case.CONFIRM", 1.5)


def _fulls(estate: Estate) -> list[bool]:
    return [cycle.full for cycle in estate.sync.cycles]


def _verdict(result: dict[str, Any]) -> str:
    sync = result["sync"]
    return result["failure_reason"] or f"{sync['ownership'] or '-'}, {sync['state'] or '-'}"


def _detect(estate: Estate, engine: str) -> str:
    info = procedures.inform(estate)
    assert (info["engine"], info["version"]) == (DRIVEN[engine][0], estate.sync.options.product_version)
    calls = estate.host.processes_started
    assert calls <= (1 if info["engine"] == "connect" else 2) + (info["access"]["history"] == "local") * 2
    return f"{info['engine']} in {calls}"


def _delta(estate: Estate, engine: str) -> str:
    result = procedures.trigger(estate)
    assert result["sync"]["state"] == "verified", result
    assert (result["sync"]["ownership"] == "own") is DRIVEN[engine][1]
    assert _fulls(estate) == [False]
    assert result["changed"] is True
    return _verdict(result)


def _full(estate: Estate, engine: str) -> str:
    result = procedures.trigger(estate, type="full")
    assert (result["sync"]["state"], result["sync"]["type"]) == ("verified", "full"), result
    assert _fulls(estate) == [True]
    return _verdict(result)


def _without_waiting(estate: Estate, engine: str) -> str:
    estate.sync.configure(cycle_seconds=12.0)
    result = procedures.trigger(estate, wait=False)
    assert result["sync"]["state"] == "confirmed", result
    assert estate.sync.engine.in_progress, "it was not waited for, and goes on"
    estate.sync.configure(cycle_seconds=0.5)  # for the steps that are still to come
    assert estate.sync.wait_idle()
    assert len(estate.sync.engine.history) >= 4, "what was started outlives the call"
    return _verdict(result)


def _busy(estate: Estate, engine: str) -> str:
    estate.sync.configure(cycle_seconds=1.5)
    assert estate.sync.start_cycle()
    wait_until(lambda: estate.sync.cycles[0].import_began)
    result = procedures.trigger(estate)
    assert result["sync"]["state"] == "verified", result
    assert len(estate.sync.cycles) == 2, "the running one began before the watermark"
    assert estate.sync.cycles[0].finished <= estate.sync.cycles[1].import_began
    return _verdict(result)


def _foreign_before(estate: Estate, engine: str) -> str:
    estate.sync.start_cycle()
    estate.sync.wait_idle()
    result = procedures.trigger(estate)
    assert result["sync"]["state"] == "verified", result
    assert len(estate.sync.cycles) == 2, "an earlier cycle has carried nothing of it"
    return _verdict(result)


def _foreign_after(estate: Estate, engine: str) -> str:
    since = (datetime.now(timezone.utc) - timedelta(minutes=1)).isoformat()  # the clocks cannot be that far apart, for all that is known
    estate.sync.start_cycle()
    estate.sync.wait_idle()
    result = procedures.trigger(estate, since=since)
    assert (result["sync"]["ownership"], result["sync"]["state"], result["changed"]) == ("foreign", "verified", False), result
    assert len(estate.sync.cycles) == 1
    return _verdict(result)


def _start_lost(estate: Estate, engine: str) -> str:
    shell = procedures.open_shell(estate, seconds=20)
    call = shell.call

    def break_after_the_start(name: str, *arguments: Any, **options: Any) -> Any:
        answer = call(name, *arguments, **options)
        if name == "start":
            raise ConnectionBroken("The connection ended.")
        return answer

    shell.call = break_after_the_start  # type: ignore[method-assign]
    result = procedures.trigger_over([("sync1", shell)], type="full")
    assert (result["sync"]["ownership"], result["sync"]["state"]) == ("unconfirmed", "verified"), result
    assert _fulls(estate) == [True], "it is not started again"
    assert any("FullSyncNeeded" in one for one in result["warnings"]) is engine.startswith("dirsync")
    return _verdict(result)


def _start_refused(estate: Estate, engine: str) -> str:
    user = "svc-sync"
    if engine.startswith("dirsync"):
        estate.sync.arm("start_refused", times=9)
    elif engine.startswith("aad"):
        user = "svc-limited"  # neither the task nor a process nor a task of its own
    else:
        estate.sync._cmdlets["Start-ADSyncSyncCycle"] = _refuse  # type: ignore[attr-defined]
    result = procedures.trigger(estate, user, type="full")
    assert result["failure_reason"] == "start_rejected", result
    assert result["changed"] is False
    assert estate.sync.cycles == []
    if engine.startswith("dirsync"):
        flag = estate.sync.windows.registry.read(r"HKLM:\SOFTWARE\Microsoft\MSOLCoExistence", "FullSyncNeeded")
        assert not flag, "what was written for the start is put back"
    if engine.startswith("aad"):
        assert "as a process" in result["msg"]
        assert "in a task of its own" in result["msg"]
    return _verdict(result)


def _refuse(*_arguments: Any) -> Any:
    raise refusal("running", "en")


def _report(estate: Estate, engine: str) -> str:
    estate.sync.engine.directory = OneUser()
    result = procedures.trigger(estate)
    added = (result["changes"]["import"]["add"], result["changes"]["export"]["add"])
    assert added == (1, 1), result
    history = "run_history" if engine in ("connect", "connect-1.4.18") else "wmi"
    assert history in result["evidence"]
    return f"+{added[0]} +{added[1]} by {history}"


def _check_mode(estate: Estate, engine: str) -> str:
    result = procedures.trigger(estate, check_mode=True)
    assert (result["changed"], result["failure_reason"]) == (True, None), result
    assert estate.sync.cycles == []
    return "predicted"


def _idempotence(estate: Estate, engine: str) -> str:
    since = procedures.lately()
    first = procedures.trigger(estate, since=since)
    second = procedures.trigger(estate, since=since)
    assert [first["changed"], second["changed"]] == [True, False], second
    assert len(estate.sync.cycles) == 1
    return "unchanged"


def _service_stopped(estate: Estate, engine: str) -> str:
    if engine.startswith("dirsync"):
        estate.sync.configure(stopped_services=("MSOnlineSyncScheduler",))
    else:
        estate.sync.configure(service_running=False)
    result = procedures.trigger(estate)
    assert result["failure_reason"] == "service_stopped", result
    assert ("MSOnlineSyncScheduler" if engine.startswith("dirsync") else "ADSync") in result["msg"]
    assert estate.sync.cycles == []
    return _verdict(result)


def _denied(estate: Estate, engine: str) -> str:
    result = procedures.trigger(estate, "svc-outsider")
    assert result["failure_reason"] in ("engine_access_denied", "start_rejected"), result
    assert estate.sync.cycles == []
    return _verdict(result)


CASES: dict[str, Callable[[Estate, str], str]] = {
    "detect": _detect,
    "delta": _delta,
    "full": _full,
    "no wait": _without_waiting,
    "busy": _busy,
    "foreign before": _foreign_before,
    "foreign after": _foreign_after,
    "start lost": _start_lost,
    "start refused": _start_refused,
    "report": _report,
    "check mode": _check_mode,
    "idempotence": _idempotence,
    "service stopped": _service_stopped,
    "denied": _denied,
}
_TITLE = "every engine in every case of a trigger:"


@pytest.fixture
def row(engine: str, scripts_with: str, record_property: Callable[[str, object], None]) -> list[str]:
    """The row of an engine in the table; a case that did not come to its end stays `FAILED`."""
    cells = [engine, scripts_with, *("FAILED" for _name in CASES)]
    record_property(TABLE_ROW, [_TITLE, ["engine", "scripts", *CASES], cells])
    return cells


@pytest.mark.parametrize("engine", DRIVEN)
@pytest.mark.usefixtures("short_rests")
def test_every_engine_in_every_case(engine: str, scripts_with: str, make_estate: MakeEstate, row: list[str]) -> None:
    """Cases mostly wait for simulated cycles, so several run at a time, each on a server of its own."""

    # All of them begin in this thread: the process that keeps PowerShell warm ends with the thread that started it.
    estates = {name: make_estate(engine=engine, cycle_seconds=0.5) for name in CASES}

    def cell(name: str) -> str:
        estate = estates[name]
        try:
            row[2 + list(CASES).index(name)] = CASES[name](estate, engine)
            left = estate.left_behind()
            assert [one for one in left["tasks"] if one != "Azure AD Sync Scheduler"] == left["task_folders"] == left["folders"] == []
        except AssertionError as error:
            return f"{name}: {error}"
        finally:
            estate.stop()
        return ""

    with ThreadPoolExecutor(4 if scripts_with == "fakes" else 1) as pool:
        problems = [problem for problem in pool.map(cell, CASES) if problem]
    assert not problems, "\n\n".join(problems)


def test_no_generation_of_the_lab_is_left_out() -> None:
    assert set(DRIVEN) == set(ENGINES)
