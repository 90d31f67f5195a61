# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Make sure that a cycle has carried what was in the directory at a moment: observe, decide, act, until the decision is to stop.

What is carried out here decides nothing: it asks the engine, and adds what comes back to what is known. Free of Ansible and of
transports; private to the collection.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, Callable

from .._engines._contract import Engine, EngineState, NotSent, Pace, Probe
from .._failure import HybridIdentityError
from .._remote._call import RemoteShell
from .._remote._failures import CALL_FAILURES, CallFailure
from ._actions import Action, Look, ReadHistory, Start, Stop
from ._decide import decide
from ._desired import DesiredCycle
from ._observed import Observed, after_local_history, after_lost_start, after_start, after_trouble, after_watch, first_look
from ._proof import prove
from ._report import result_keys
from ._ticket import make_ticket, request_of, require_same_place

#: seconds of a slice that are kept for the start of the process that watches
_LEAST_SLICE = 0.5


def ensure_cycle(
    server: str,
    engine: Engine,
    shell: RemoteShell,
    probe: Probe,
    state: EngineState,
    desired: DesiredCycle,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """See the module's text.

    Args:
        server: its name in results. engine, shell, probe, state: the engine, the shell to it, and the look that recognised it.
        progress: gets one line now and then while it takes long.

    Returns:
        The result keys of dirsync_trigger, with `changed` and `msg`.

    Raises:
        HybridIdentityError: with all result keys in its details, so that what was done before the failure is not lost.
    """
    seen = first_look(probe, state, engine.plan, local_open=engine.history_route == "local", time_left=shell.deadline.left())
    if desired.ticket is not None:
        require_same_place(desired.ticket, server, engine.name)
        seen = replace(seen, request=request_of(desired.ticket, probe.at))
    actor = _Actor(engine, shell, desired, progress)
    while True:
        action = decide(desired, seen)
        if isinstance(action, Stop):
            return _end(server, engine, desired, seen, action)
        seen = replace(actor.carry_out(action, seen), time_left=shell.deadline.left())


def _end(server: str, engine: Engine, desired: DesiredCycle, seen: Observed, stop: Stop) -> dict[str, Any]:
    result = {
        **result_keys(engine.name, desired, seen, prove(desired, seen), stop),
        "ticket": make_ticket(server, engine.name, desired, seen),
    }
    if stop.reason is None:
        return result
    for key in ("failure_reason", "msg"):
        del result[key]
    raise HybridIdentityError(stop.reason, stop.sentence, remedy=stop.remedy, **result)


class _Actor:
    """Carries one action out and adds what came of it to what is known."""

    def __init__(self, engine: Engine, shell: RemoteShell, desired: DesiredCycle, progress: Callable[[str], None]) -> None:
        self._engine, self._shell, self._desired, self._progress = engine, shell, desired, progress
        self._trouble_since: float | None = None

    def carry_out(self, action: Action, seen: Observed) -> Observed:
        """Look, start or read."""
        try:
            if isinstance(action, Start):
                seen = self._start(action, seen)
            elif isinstance(action, ReadHistory):
                seen = after_local_history(seen, self._engine.read_history(self._shell, since=action.since, server_now=seen.state.at))
            elif isinstance(action, Look):
                seen = self._look(action, seen)
        except CALL_FAILURES as error:
            return self._in_trouble(seen, error)
        if seen.trouble is not None:
            return self._in_trouble(seen, seen.trouble.error)
        self._trouble_since = None
        return seen

    def _look(self, look: Look, seen: Observed) -> Observed:
        self._tell(look.words)
        self._sleep(look.pause)
        if look.awaits is not None:
            seen = replace(seen, awaited=look.awaits)
        watch = self._engine.watch(
            self._shell,
            self._pace(look.seconds, look.confirm),
            active=seen.state.active,
            next_start=seen.state.next_start,
            since=look.since or seen.state.at,
            local=look.local,
        )
        return after_watch(seen, watch)

    def _start(self, start: Start, seen: Observed) -> Observed:
        self._sleep(start.pause)
        if self._shell.deadline.over:
            return seen  # what the pause was for has not come: nothing is started
        self._tell(f"starting a {self._desired.type} cycle")
        pace = self._pace(start.seconds, start.confirm)
        try:
            started = self._engine.start(
                self._shell, pace, full=self._desired.full, stop_when_active=not self._desired.wait, local=start.local
            )
        except NotSent as error:
            return self._in_trouble(seen, error.cause)
        except CALL_FAILURES as error:
            self._tell("the answer to the start was lost; looking whether a cycle began")
            return after_lost_start(seen, str(error), self._engine.lost_start(full=self._desired.full))
        return after_start(seen, started)

    def _in_trouble(self, seen: Observed, error: CallFailure) -> Observed:
        if self._trouble_since is None:
            self._trouble_since = time.monotonic()
        return after_trouble(seen, error, time.monotonic() - self._trouble_since)

    def _pace(self, seconds: float, confirm: float) -> Pace:
        return Pace(
            slice=max(min(seconds, self._shell.deadline.left() - 1.0), _LEAST_SLICE), step=self._desired.wait_sleep, confirm=confirm
        )

    def _sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, self._shell.deadline.left()))

    def _tell(self, words: str) -> None:
        if words:
            self._progress(words)
