# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What dirsync_scheduler does over a given shell: find the engine, then look, decide and act. Private to the collection."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from typing import Any, Callable, Mapping

from .._engines._contract import Engine, Probe
from .._engines._scheduler_contract import ScheduleChange, SchedulerDriver
from .._engines._scheduler_drivers import scheduler_of
from .._failure import HybridIdentityError, told_with
from .._printable import printable
from .._remote._call import RemoteShell
from .._remote._failures import CALL_FAILURES, CallFailure, as_failure, failures_named
from .._sync._trigger import find_engine
from ._decide import Action, Apply, Look, Observed, Stop, decide
from ._options import DesiredSchedule, read_desired
from ._report import blank_result, result_keys

#: seconds of run history that the first look takes along: none of it is needed here
_HISTORY_SECONDS = 60.0
_LOOK_SECONDS, _SET_SECONDS = 60.0, 120.0


def schedule(
    shells: list[tuple[str, RemoteShell]],
    params: Mapping[str, Any],
    *,
    now: datetime,
    check_mode: bool,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """dirsync_scheduler over one shell.

    Args:
        shells: (name of the server, shell to it); exactly one.
        params: validated options. now: when the task began.
        progress: gets one line now and then while it takes long.

    Returns:
        The result keys. Raises HybridIdentityError with as many of them as are known.
    """
    known: dict[str, Any] = {"server": shells[0][0] if len(shells) == 1 else None, **blank_result()}
    with told_with(known):
        desired = read_desired(params, check_mode)
        if len(shells) != 1:
            raise HybridIdentityError(
                "invalid_input", f"server names {len(shells)} servers, dirsync_scheduler sets one at a time: loop over them."
            )
        name, shell = shells[0]
        with failures_named():
            engine, probe = find_engine(shell, params["engine"], _HISTORY_SECONDS)
        known.update(engine=engine.name, version=printable(probe.version, 50) if probe.version else None)
        driver = scheduler_of(engine, probe)
        if driver is None:
            raise HybridIdentityError("engine_unsupported", f"The scheduler of the engine {engine.name} cannot be set by this release.")
        with failures_named():
            return {**known, **_ensure(engine, probe, driver, shell, desired, lambda line: progress(f"{name}: {line}"))}


def _ensure(
    engine: Engine, probe: Probe, driver: SchedulerDriver, shell: RemoteShell, desired: DesiredSchedule, progress: Callable[[str], None]
) -> dict[str, Any]:
    seen = Observed(shell.deadline.left())
    told = ""
    while True:
        action: Action = decide(desired, driver, engine.name, seen)
        if isinstance(action, Look) and probe.blocker is not None and probe.blocker.reason in driver.blockers:
            action = Stop(probe.blocker.message, False, None, probe.blocker)
        if isinstance(action, Stop):
            return _end(action, seen)
        if isinstance(action, Look):
            if action.words and action.words != told:
                told = action.words
                progress(told)
            seen = _look(driver, shell, probe, action, seen)
        else:
            seen = _apply(driver, shell, probe, action, seen)
        seen = replace(seen, time_left=shell.deadline.left())


def _end(stop: Stop, seen: Observed) -> dict[str, Any]:
    result = result_keys(seen, stop)
    if stop.failure is None:
        return result
    raise HybridIdentityError(stop.failure.reason, stop.failure.message, remedy=stop.failure.remedy, **result)


def _look(driver: SchedulerDriver, shell: RemoteShell, probe: Probe, action: Look, seen: Observed) -> Observed:
    time.sleep(min(action.pause, max(shell.deadline.left(), 0.0)))
    try:
        look = driver.look(shell, timeout=_LOOK_SECONDS, server_now=probe.at)
    except CALL_FAILURES as error:
        failure = seen.failure or _named(error, driver)
        if not seen.applied:
            raise failure from error
        words = f"Whether the settings were changed is not known: {failure.message}"
        result = result_keys(seen, Stop(words, True, None, warnings=seen.warnings))
        raise HybridIdentityError(failure.reason, words, remedy=failure.remedy, **result) from error
    return replace(seen, look=look, first=seen.first or look, fresh=True, waits=seen.waits + bool(action.pause))


def _apply(driver: SchedulerDriver, shell: RemoteShell, probe: Probe, action: Apply, seen: Observed) -> Observed:
    if seen.look is None:
        raise AssertionError("nothing was looked at yet")
    change: ScheduleChange = action.change
    try:
        applied = driver.apply(shell, seen.look, change, timeout=min(_SET_SECONDS, shell.deadline.left()), server_now=probe.at)
    except CALL_FAILURES as error:
        return replace(seen, fresh=False, applied=True, failure=_named(error, driver))
    return replace(
        seen,
        look=applied.look or seen.look,
        fresh=applied.look is not None,
        applied=applied.done,
        failure=applied.failure,
        pending=applied.pending,
        warnings=(*seen.warnings, *applied.warnings),
    )


def _named(error: CallFailure, driver: SchedulerDriver) -> HybridIdentityError:
    """The failure of a call; where the account may not, what it would have to be."""
    failure = as_failure(error)
    if failure.reason != "engine_access_denied":
        return failure
    return HybridIdentityError(failure.reason, failure.message, remedy=f"Use an account that is {driver.rights}.")
