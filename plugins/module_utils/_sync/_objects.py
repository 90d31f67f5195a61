# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Synchronise single objects: observe, decide, act, until the decision is to stop. Free of Ansible and of transports; private to the collection."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, Callable, Sequence

from .._engines._contract import Engine, EngineState, Probe
from .._engines._object_contract import ObjectDriver, ObjectOutcome
from .._failure import HybridIdentityError
from .._printable import printable
from .._remote._call import AnswerError, NoAnswer, RemoteError, RemoteShell
from .._remote._failures import CALL_FAILURES, as_failure
from .._remote._lasting import new_stamp
from .._remote._local_route import LocalRouteClosed
from .._remote._transport import ConnectionBroken
from .._timestamps import format_utc
from ._actions import Stop
from ._desired import DesiredCycle
from ._left_off import look_afterwards
from ._objects_decide import LookAgain, ObjectsSeen, Pause, Send, after_work, decide_objects
from ._report import blank_result, clock_keys, here


def require_objects(engine: Engine, version: str | None, engines: Sequence[Engine]) -> ObjectDriver:
    """What synchronises single objects on this server.

    Raises:
        HybridIdentityError: invalid_input, with the engines that can.
    """
    if engine.objects is not None:
        return engine.objects
    able = ", ".join(f"{one.name} from version {one.objects.since} on" for one in engines if one.objects is not None)
    found = f"{engine.name} {version}" if version else engine.name
    raise HybridIdentityError(
        "invalid_input", f"The engine on this server ({found}) does not synchronise single objects: {able} does.", remedy="Run a cycle."
    )


def ensure_objects(
    engine: Engine,
    driver: ObjectDriver,
    shell: RemoteShell,
    probe: Probe,
    state: EngineState,
    desired: DesiredCycle,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """See the module's text.

    Args:
        engine, driver, shell, probe, state: the engine, what synchronises objects on it, the shell to it, and the look that recognised it.
        progress: gets one line now and then while it takes long.

    Returns:
        The result keys of dirsync_trigger.

    Raises:
        HybridIdentityError: with all result keys in its details, so that what was done before the failure is not lost.
    """
    seen = ObjectsSeen(probe, state, probe.lead, shell.deadline.left(), desired.objects, warnings=probe.warnings)
    while True:
        action = decide_objects(desired, seen, pause=driver.pause)
        if isinstance(action, Stop):
            return _end(engine, desired, seen, action)
        try:
            seen = _carry_out(driver, shell, action, desired, seen, progress)
        except CALL_FAILURES as error:
            seen = replace(seen, failure=as_failure(error))
        seen = replace(seen, time_left=shell.deadline.left())


def _carry_out(
    driver: ObjectDriver,
    shell: RemoteShell,
    action: Send | LookAgain | Pause,
    desired: DesiredCycle,
    seen: ObjectsSeen,
    progress: Callable[[str], None],
) -> ObjectsSeen:
    if isinstance(action, Send):
        return _send(driver, shell, action, desired, seen, progress)
    if isinstance(action, Pause):
        progress(f"the engine throttles single objects; going on in {action.seconds:.0f} s")
        time.sleep(min(action.seconds, shell.deadline.left()))
        return replace(seen, throttled=False, state=driver.look(shell).state)
    progress(action.words)
    time.sleep(min(action.pause, shell.deadline.left()))
    return replace(seen, state=driver.look(shell).state)


def _send(
    driver: ObjectDriver, shell: RemoteShell, send: Send, desired: DesiredCycle, seen: ObjectsSeen, progress: Callable[[str], None]
) -> ObjectsSeen:
    """Have a piece of work done. Whatever it ends with but a clean answer: what has become of the scheduler is looked at."""
    progress(f"synchronising {len(send.names)} objects")
    try:
        done = driver.synchronise(
            shell,
            send.names,
            proceed_when_off=desired.on_disabled == "proceed",
            stamp=new_stamp(seen.state.at),
            seconds=send.seconds,
            server_now=seen.state.at,
        )
    except LocalRouteClosed as error:
        return replace(seen, failure=HybridIdentityError("engine_access_denied", f"Single objects need a task on the server: {error}."))
    except (ConnectionBroken, NoAnswer, AnswerError) as error:
        progress("the answer was lost; looking what became of the scheduler")
        state, left_off = look_afterwards(driver, shell, seen.state, progress)
        words = printable(str(error), 400).rstrip(".")
        return replace(
            seen, state=state, lost=words, unknown=send.names, waiting=(), requested=seen.requested or seen.state.at, left_off=left_off
        )
    except RemoteError as error:
        state, left_off = look_afterwards(driver, shell, seen.state, progress)
        return replace(seen, state=state, failure=as_failure(error), left_off=left_off)
    if done.left_off is None:
        return after_work(seen, done)
    progress("the scheduler was not switched on again; trying once more")
    state, left_off = look_afterwards(driver, shell, done.state, progress)
    return after_work(seen, replace(done, state=state, left_off=left_off))


def _end(engine: Engine, desired: DesiredCycle, seen: ObjectsSeen, stop: Stop) -> dict[str, Any]:
    outcomes = {outcome.dn: outcome for outcome in seen.outcomes}
    rest = ObjectOutcome("", None, reason=stop.reason if stop.skip_reason is None and not desired.check_mode else None)
    rows = [object_keys(outcomes.get(name, replace(rest, dn=name))) for name in desired.objects]
    carried = [name for name in desired.objects if name in outcomes and outcomes[name].result in ("success", "warning", None)]
    carried += seen.unknown
    changed = bool(carried) if stop.changed is None else stop.changed
    retired = (seen.probe.support_note,) if seen.probe.support == "refused" else ()
    result = {
        **blank_result(desired.since, desired.type),
        "changed": changed,
        "engine": engine.name,
        "version": printable(seen.probe.version, 50) if seen.probe.version else None,
        "support": seen.probe.support,
        "objects": rows,
        "evidence": ["scheduler", "single_object"] if seen.outcomes else ["scheduler"],
        **clock_keys(seen.lead),
        "skip_reason": stop.skip_reason,
        **({"skipped": True} if stop.skip_reason else {}),
        "failure_reason": None,
        "msg": printable(stop.sentence, 1000),
        "warnings": [printable(warning, 600) for warning in dict.fromkeys((*retired, *seen.warnings, *stop.warnings))],
        "diff": {"before": {"synchronised": []}, "after": {"synchronised": carried if changed else []}},
    }
    result["sync"]["requested_at"] = format_utc(here(seen.requested, seen.lead))
    if stop.reason is None:
        return result
    for key in ("failure_reason", "msg"):
        del result[key]
    raise HybridIdentityError(stop.reason, stop.sentence, remedy=stop.remedy, **result)


def object_keys(outcome: ObjectOutcome) -> dict[str, Any]:
    """One object, as results show it."""
    steps = [{"name": one.name, "type": one.type, "status": one.status, "description": one.description} for one in outcome.steps]
    return {"dn": printable(outcome.dn, 1000), "result": outcome.result, "steps": steps, "failure_reason": outcome.reason}
