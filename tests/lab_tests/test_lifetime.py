# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""A script dies with its shell, at once and without its `finally`; a scheduled task lives on. In PowerShell and in fakes."""

from __future__ import annotations

import base64
import threading
from pathlib import Path
from typing import Any

import procedures
import pytest
from estates import MakeEstate
from patience import FOR_EVER, stays, wait_until
from winrm.protocol import Protocol

from lab.estate import ACCOUNTS, Estate, EstateOptions
from lab.lifetime import Killed, Lifetime, current, living, require_alive

#: looks at the engine again and again, and writes a file when it is ended gently
LOOP = (
    "Import-Module -Name 'C:\\Program Files\\Microsoft Azure AD Sync\\Bin\\ADSync\\ADSync.psd1'\n"
    "try { while ($true) { $null = Get-ADSyncScheduler; Start-Sleep -Milliseconds 50 } } finally { [IO.File]::WriteAllText('FILE', 'x') }"
)


def looks(estate: Estate) -> list[str]:
    """Counts the looks at the scheduler."""
    seen: list[str] = []
    cmdlets = estate.sync._cmdlets  # type: ignore[attr-defined]
    cmdlet = cmdlets["Get-ADSyncScheduler"]

    def look(*arguments: Any) -> Any:
        seen.append("look")
        return cmdlet(*arguments)

    cmdlets["Get-ADSyncScheduler"] = look
    return seen


def delete_shells(estate: Estate) -> None:
    """As a client or an administrator does."""
    shells = estate.wsman._shells
    for shell in list(shells._shells.values()):
        shells.close(shell)


def _says_nothing_more(seen: list[str]) -> bool:
    """Whether no look is added for as long as several would take."""
    count = len(seen)
    return stays(lambda: len(seen) == count)


def _task(estate: Estate) -> None:
    """A task in a thread of its own."""
    threading.Thread(target=lambda: procedures.trigger(estate, wait_timeout=30), daemon=True).start()


@pytest.mark.parametrize("ends", ["deleted", "timed out"])
def test_a_script_outlives_its_connection_and_dies_with_its_shell(ends: str, make_estate: MakeEstate) -> None:
    estate = make_estate(cycle_seconds=FOR_EVER)
    if ends == "timed out":
        estate.wsman.shell_idle_seconds = 3.0
    seen = looks(estate)
    _task(estate)
    wait_until(lambda: estate.sync.engine.in_progress)
    count = len(seen)
    wait_until(lambda: len(seen) > count + 1)
    estate.wsman.cut_connections(refuse_seconds=60)
    count = len(seen)
    wait_until(lambda: len(seen) > count + 1)
    if ends == "deleted":
        delete_shells(estate)
    wait_until(lambda: estate.wsman.open_shells == 0)
    wait_until(lambda: _says_nothing_more(seen), "it looks on")


def test_finally_does_not_run_in_powershell(powershell: str, tmp_path: Path) -> None:
    with Estate(EstateOptions(directory=False, tenant=False, powershell=powershell)) as estate:
        seen = looks(estate)
        mark = tmp_path / "finally"
        client = Protocol(
            f"http://127.0.0.1:{estate.wsman.http_port}/wsman", transport="ntlm", username="svc-sync", password=ACCOUNTS["svc-sync"][0]
        )
        shell = client.open_shell()
        script = base64.b64encode(LOOP.replace("FILE", str(mark)).encode("utf-16-le")).decode()
        client.run_command(shell, "PowerShell", ["-NoProfile", "-NonInteractive", "-EncodedCommand", script], console_mode_stdin=True)
        wait_until(lambda: len(seen) > 3)
        client.close_shell(shell)
        wait_until(lambda: _says_nothing_more(seen), "it looks on")
        assert not mark.exists()
        assert estate.wsman.log.failures == []
        assert procedures.inform(estate)["engine"] == "connect", "the engine behind the other scripts is well"


def test_a_scheduled_task_outlives_the_script_that_registered_it(make_estate: MakeEstate) -> None:
    estate = make_estate(connect={"tasks_hang": True})
    estate.sync.arm(
        "connection",
        fault="cut",
        refuse=60,
        cmdlet="task_run" if estate.host.mode == "powershell" else "Start-ScheduledTask",
        moment="after",
    )
    _task(estate)
    wait_until(lambda: estate.sync.faults.armed() == [])  # type: ignore[attr-defined]
    delete_shells(estate)
    wait_until(lambda: estate.wsman.open_shells == 0)
    assert stays(lambda: len(estate.left_behind()["tasks"]) == 1, 0.7)
    left = estate.left_behind()
    assert left["task_folders"] == ["hybrid.identity"]
    assert len(left["folders"]) == (1 if estate.host.mode == "powershell" else 0), "fakes have no files"
    assert left["shells"] == 0
    (truth,) = estate.sync.record.tasks  # type: ignore[attr-defined]
    assert truth.ended is truth.removed is None


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
