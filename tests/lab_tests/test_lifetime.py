# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""A script dies with its shell, at once and without its `finally`; a scheduled task lives on. In PowerShell and in fakes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import procedures
import pytest
from estates import MakeEstate

from ansible_collections.hybrid.identity.plugins.module_utils._engines import _connect_scripts
from ansible_collections.hybrid.identity.plugins.module_utils._remote import _local_route
from lab.estate import Estate
from lab.lifetime import Killed, Lifetime, current, living, require_alive

#: looks at the engine, then writes a file when it is killed gently: that must not happen
SCRIPT = "param($p) Import-Module -Name 'C:\\Program Files\\Microsoft Azure AD Sync\\Bin\\ADSync\\ADSync.psd1'\n" + (
    "try { while ($true) { $null = Get-ADSyncScheduler; Start-Sleep -Milliseconds 50 } } finally { [IO.File]::WriteAllText($p.file, 'x') }"
)


def until(condition: Callable[[], Any], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def looks(estate: Estate) -> list[str]:
    """Counts the looks at the scheduler."""
    seen: list[str] = []
    cmdlet = estate.sync._cmdlets["Get-ADSyncScheduler"]

    def look(*arguments: Any) -> Any:
        seen.append("look")
        return cmdlet(*arguments)

    estate.sync._cmdlets["Get-ADSyncScheduler"] = look
    return seen


def _in_a_thread(work: Callable[[], Any]) -> threading.Thread:
    def quietly() -> None:
        try:
            work()
        except Exception:
            return

    thread = threading.Thread(target=quietly, daemon=True)
    thread.start()
    return thread


def _follow(estate: Estate) -> threading.Thread:
    shell = procedures.open_shell(estate, operation_timeout=1)
    limits = {"seconds": 30, "step_ms": 50, "confirm_seconds": 30, "stop_when_active": False, "active": False}
    state = estate.sync.call(estate.host.caller("svc-sync", True), "Get-ADSyncScheduler", {})
    from lab.windows.envelope import round_trip

    parameters = {**limits, "next_start_before": round_trip(state["NextSyncCycleStartTimeInUTC"]), "since": "2026-01-01T00:00:00.0000000Z"}
    return _in_a_thread(lambda: shell.call("follow", _connect_scripts.FOLLOW, parameters, timeout=30, repeatable=False))


def test_a_script_dies_when_its_shell_is_deleted(make_estate: MakeEstate) -> None:
    estate = make_estate()
    seen = looks(estate)
    _follow(estate)
    until(lambda: len(seen) > 5)
    estate.wsman._shells.close(next(iter(estate.wsman._shells._shells.values())))
    time.sleep(0.2)
    count = len(seen)
    time.sleep(0.5)
    assert len(seen) == count


def test_a_script_lives_on_when_its_connection_breaks_and_dies_when_the_shell_times_out(make_estate: MakeEstate) -> None:
    estate = make_estate()
    estate.wsman.shell_idle_seconds = 1.5
    seen = looks(estate)
    _follow(estate)
    until(lambda: len(seen) > 5)
    estate.wsman.cut_connections(refuse_seconds=60)
    count = len(seen)
    until(lambda: len(seen) > count + 2)
    until(lambda: estate.wsman.open_shells == 0)
    time.sleep(0.2)
    count = len(seen)
    time.sleep(0.4)
    assert len(seen) == count


def test_finally_does_not_run_in_powershell(powershell: str, tmp_path: Path) -> None:
    from lab.estate import EstateOptions

    with Estate(EstateOptions(directory=False, tenant=False, powershell=powershell)) as estate:
        seen = looks(estate)
        shell = procedures.open_shell(estate)
        mark = tmp_path / "finally"
        _in_a_thread(lambda: shell.call("loop", SCRIPT, {"file": str(mark)}, timeout=30, repeatable=False))
        until(lambda: len(seen) > 3)
        estate.wsman._shells.close(next(iter(estate.wsman._shells._shells.values())))
        time.sleep(0.7)
        assert not mark.exists()
        assert estate.wsman.log.failures == []
        assert procedures.inform(estate)["engine"] == "connect", "the engine behind the other scripts is well"


def test_a_local_route_that_is_killed_leaves_its_task(make_estate: MakeEstate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_local_route, "_PAUSES", (30.0,))  # the next try would tidy up
    estate = make_estate()
    estate.sync.arm("cmdlet_hangs", cmdlet="Get-ADSyncRunProfileResult", seconds=1.5)
    shell = procedures.open_shell(estate)
    since = {"since": "2026-01-01T00:00:00.0000000Z"}
    _in_a_thread(
        lambda: _local_route.call_locally(shell, "runs", _connect_scripts.READ_RUNS, since, timeout=60, server_now=estate.sync.clock.now())
    )
    until(lambda: estate.sync.faults.armed() == [])
    estate.wsman._shells.close(next(iter(estate.wsman._shells._shells.values())))
    until(lambda: estate.sync.record.tasks[0].ended, 5)
    left = estate.left_behind()
    assert len(left["tasks"]) == 1, "the task outlives the shell"
    assert left["task_folders"] == ["hybrid.identity"]
    assert len(left["folders"]) == (1 if estate.host.mode == "powershell" else 0), "fakes have no files"
    assert left["shells"] == 0
    assert estate.sync.record.tasks[0].removed is None


def test_a_life_ends_once() -> None:
    ended: list[str] = []
    lifetime = Lifetime()
    lifetime.when_killed(lambda: ended.append("first"))
    with living(lifetime):
        assert current() is lifetime
        require_alive()
        lifetime.kill()
        lifetime.kill()
        with pytest.raises(Killed):
            require_alive()
    lifetime.when_killed(lambda: ended.append("late"))
    assert current() is None
    require_alive()
    assert ended == ["first", "late"]
