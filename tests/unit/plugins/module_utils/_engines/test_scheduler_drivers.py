# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The schedulers of engines, where no server is needed to tell."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from sync_cases import NOON, probe

from ansible_collections.hybrid.identity.plugins.module_utils._engines import ENGINES
from ansible_collections.hybrid.identity.plugins.module_utils._engines._aadsync_scheduler import AadSyncScheduler
from ansible_collections.hybrid.identity.plugins.module_utils._engines._connect_scheduler import ConnectScheduler
from ansible_collections.hybrid.identity.plugins.module_utils._engines._dirsync_scheduler import DirSyncScheduler, _applied
from ansible_collections.hybrid.identity.plugins.module_utils._engines._scheduler_contract import Schedule, ScheduleChange, SchedulerLook
from ansible_collections.hybrid.identity.plugins.module_utils._engines._scheduler_drivers import scheduler_of
from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import RemoteError

_COM = "System.Runtime.InteropServices.COMException"


class Shell:
    """Every call ends with this error."""

    def __init__(self, hresult: int) -> None:
        self.error = RemoteError({"type": _COM, "hresult": hresult - (1 << 32), "causes": [], "error_id": _COM, "message": "Nein."})

    def call(self, *arguments: Any, **more: Any) -> Any:
        raise self.error


@pytest.mark.parametrize("hresult", [0x8007052E, 0x8007052F])
def test_windows_may_want_a_password_that_the_task_does_not_show(hresult: int) -> None:
    """Told by the number, in any language."""
    look, change = SchedulerLook(Schedule(interval=10800.0), token=1), ScheduleChange(interval=600.0)
    shell: Any = Shell(hresult)
    applied = AadSyncScheduler().apply(shell, look, change, timeout=5, server_now=NOON)
    assert applied.failure is not None
    assert (applied.done, applied.failure.reason) == (False, "task_password_wanted")
    other: Any = Shell(0x80070005)
    with pytest.raises(RemoteError):
        AadSyncScheduler().apply(other, look, change, timeout=5, server_now=NOON)


def test_every_engine_has_a_scheduler() -> None:
    found = [type(scheduler_of(engine, probe())) for engine in ENGINES]
    assert found == [ConnectScheduler, AadSyncScheduler, DirSyncScheduler, DirSyncScheduler]
    assert scheduler_of(replace(ENGINES[0], name="another"), probe()) is None  # type: ignore[type-var]
    own: Any = SimpleNamespace(name="another", scheduler=AadSyncScheduler())
    assert isinstance(scheduler_of(own, probe()), AadSyncScheduler)


@pytest.mark.parametrize(("version", "at_once"), [("1.1.105.0", False), ("1.1.281.0", True), ("2.6.92.0", True), (None, True)])
def test_builds_on_which_an_interval_counts_at_once(version: str | None, at_once: bool) -> None:
    assert scheduler_of(ENGINES[0], probe(version=version)) == ConnectScheduler(at_once=at_once)


def test_a_restart_whose_service_could_not_be_looked_at_is_said() -> None:
    """It was restarted without an error, which waits until it runs; that it runs still is another statement."""
    outcome = {"busy": False, "differs": False, "written": True, "restarted": True, "error": None}
    seen, unseen = _applied({**outcome, "service": 4}), _applied({**outcome, "service": None})
    assert (seen.done, seen.failure, seen.warnings) == (True, None, ())
    assert (unseen.done, unseen.failure) == (True, None)
    assert [warning for warning in unseen.warnings if "could not be read" in warning]
