# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Make sure that a cycle has carried what was in the directory at a moment. Free of Ansible and of transports.

The order of things: look; if a cycle covers the watermark already, say so; wait for what runs; start, confirm, follow,
read, judge. A foreign cycle counts only if its import provably began at or after the watermark. This is private to the collection.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Callable

from .._engines._contract import Engine, EngineState, Followed, History, Pace, Probe
from .._failure import HybridIdentityError
from .._remote._call import NoAnswer, RemoteShell
from .._remote._failures import failures_named
from .._remote._transport import ConnectionBroken
from ._cycles import Cycle, covering_cycle, cycle_begun_at, group_cycles
from ._preflight import require_ready
from ._report import SyncReport
from ._run_results import judge_events, judge_runs

#: seconds that one long poll lasts on the server
_SLICE = 20.0
#: the slice of the start is a little longer: a usual delta in a small tenant ends within it
_START_SLICE = 24.0
#: seconds within which an accepted start has to show itself
_CONFIRM = 15.0
#: how often a start that is refused although nothing runs is asked again
_REFUSALS = 3
#: seconds by which the engine's own run times may lie before the request that caused them
_TOLERANCE = timedelta(seconds=2)


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    since is on the caller's clock, aware; looks_back says that it lies before the task, so that something may have covered
    it already. Durations are in seconds.
    """

    since: datetime
    looks_back: bool = False
    full: bool = False
    wait: bool = True
    wait_timeout: float = 1800
    wait_sleep: float = 1
    fail_on: str = "stopped"
    on_staging: str = "refuse"
    on_disabled: str = "refuse"
    min_interval: float = 0
    check_mode: bool = False


def history_seconds(wanted: Wanted, now: datetime) -> float:
    """How far back the first look at the run history has to reach (seconds), with room for clocks and for the interval guard."""
    return max((now - wanted.since).total_seconds(), wanted.min_interval, 0.0) + 300


def ensure_sync(engine: Engine, shell: RemoteShell, probe: Probe, wanted: Wanted, progress: Callable[[str], None]) -> dict[str, Any]:
    """See the module's text.

    Args:
        engine, shell, probe: the engine, the transport to it, and the look that recognised it.
        progress: gets one line now and then while it takes long.

    Returns:
        The result keys of dirsync_trigger, with `changed` and `msg`.

    Raises:
        HybridIdentityError: with all result keys in its details, so that what was done before the failure is not lost.
    """
    task = _Task(engine, shell, probe, wanted, progress)
    try:
        with failures_named():
            task.carry()
    except HybridIdentityError as error:
        error.details = {**task.report.as_result(), **error.details}
        raise
    return task.report.as_result()


class _Task:
    def __init__(self, engine: Engine, shell: RemoteShell, probe: Probe, wanted: Wanted, progress: Callable[[str], None]) -> None:
        self.engine, self.shell, self.probe, self.wanted, self.progress = engine, shell, probe, wanted, progress
        self.deadline = time.monotonic() + wanted.wait_timeout
        self.watermark = wanted.since + timedelta(seconds=probe.server_lead)
        self.connectors = [connector["id"] for connector in probe.connectors if connector["directory"]]
        self.report = SyncReport(engine.name, wanted.since, "full" if wanted.full else "delta", probe)
        self.idle_seen: datetime | None = None

    def carry(self) -> None:
        state = require_ready(self.probe, on_staging=self.wanted.on_staging, on_disabled=self.wanted.on_disabled)
        if self.watermark > self.probe.at + timedelta(seconds=5):
            raise HybridIdentityError("invalid_input", "since lies in the future: nothing can have carried what is not there yet.")
        history = self._first_history()
        cover = self._cover(history.runs, state.in_progress)
        if cover is not None and not state.in_progress:
            self.report.foreign(cover.started)
            self.report.finished_at = cover.finished
            self._judge(cover, history)
            self.report.msg = "A cycle has covered it already; nothing was started."
            return
        if self.wanted.check_mode:
            self._predict(cover, history)
            return
        if cover is not None:
            self._await_foreign(state, cover.started)
            return
        self._run_own(state, history)

    def _first_history(self) -> History:
        """The history, by the local route only if it can matter: when something after the watermark may have carried it already."""
        history = self.probe.history
        may_be_covered = self.wanted.looks_back or self.wanted.min_interval > 0
        if history.runs is None and history.local_may_help and may_be_covered and self.engine.history_route == "local":
            oldest = min(self.watermark, self.probe.at - timedelta(seconds=self.wanted.min_interval)) - _TOLERANCE
            return self.engine.read_history(self.shell, since=oldest, server_now=self.probe.at)
        return history

    def _cover(self, runs: Any, in_progress: bool) -> Cycle | None:
        if runs is None:
            return None
        return covering_cycle(runs, self.watermark, self.connectors, full=self.wanted.full, in_progress=in_progress)

    def _predict(self, cover: Cycle | None, history: History) -> None:
        if cover is not None:
            self.report.foreign(cover.started)
            self.report.msg = "A running cycle covers it; nothing would be started."
            return
        self._guard_interval(history)
        self.report.changed = True
        self.report.msg = f"No cycle covers it yet: a {self.report.type} cycle would be started."

    def _guard_interval(self, history: History) -> None:
        if self.wanted.min_interval <= 0:
            return
        if history.runs is None:
            raise HybridIdentityError(
                "history_unavailable", f"min_interval cannot be judged without the run history: {history.runs_problem}."
            )
        newest = max((cycle.started for cycle in group_cycles(history.runs)), default=None)
        if newest is not None and (self.probe.at - newest).total_seconds() < self.wanted.min_interval:
            age = (self.probe.at - newest).total_seconds()
            raise HybridIdentityError(
                "too_soon", f"The last cycle began {age:.0f} s ago, min_interval is {self.wanted.min_interval:.0f} s."
            )

    # -- somebody else's cycle

    def _await_foreign(self, state: EngineState, since: datetime) -> None:
        """Wait for a foreign cycle that covers the watermark, and judge it."""
        self.report.foreign(since)
        self.report.state = "confirmed"
        if not self.wanted.wait:
            self.report.msg = "A cycle of somebody else covers it and is running."
            return
        followed = self._follow_to_the_end(since, "a cycle of somebody else, which covers it", "busy_timeout")
        self._finish(followed, since)
        self.report.msg = "A cycle of somebody else covered it; nothing was started."

    def _follow_to_the_end(self, since: datetime, what: str, reason: str) -> Followed:
        began = time.monotonic()
        while True:
            remaining = self.deadline - time.monotonic()
            if remaining <= 0:
                raise HybridIdentityError(reason, f"After {self.wanted.wait_timeout:.0f} s {what} is still running.")
            followed = self.engine.follow(self.shell, self._pace(min(_SLICE, remaining)), before=None, since=since - _TOLERANCE)
            if followed.ended is not None:
                self.idle_seen = followed.ended
                return followed
            busy = ", ".join(followed.state.busy)
            self.progress(f"{what} has been running for {time.monotonic() - began:.0f} s" + (f" ({busy})" if busy else ""))

    # -- our own cycle

    def _run_own(self, state: EngineState, history: History) -> None:
        refusals = 0
        while True:
            if state.active:
                # Seen idle at or after the watermark and running now: it began after it. Its type is not known without the history.
                seen_to_cover = (
                    state.in_progress and not self.wanted.full and self.idle_seen is not None and self.idle_seen >= self.watermark
                )
                if seen_to_cover and self.idle_seen is not None:
                    self._await_foreign(state, self.idle_seen)
                    return
                state = self._follow_to_the_end(
                    self.watermark, "another run, which began before what is to be carried,", "busy_timeout"
                ).state
                continue
            self.idle_seen = state.at
            self._guard_interval(history)
            # A moment a breath ahead (another clock) has to come before a cycle can carry it.
            time.sleep(max((self.watermark - state.at).total_seconds(), 0.0))
            self.progress(f"starting a {self.report.type} cycle")
            try:
                pace = self._pace(_START_SLICE if self.wanted.wait else _CONFIRM)
                started = self.engine.start(self.shell, pace, full=self.wanted.full, stop_when_active=not self.wanted.wait)
            except (ConnectionBroken, NoAnswer) as error:
                self._look_after_lost_start(state, error)
                return
            if started.refused is None:
                self._follow_own(started.requested, started.followed)
                return
            if not started.before.active:
                self.idle_seen = started.before.at
            state = started.followed.state
            if not state.active:
                refusals += 1
                if refusals >= _REFUSALS:
                    if state.suspended:
                        raise HybridIdentityError("scheduler_suspended", "The scheduler was suspended in the meantime.")
                    raise HybridIdentityError("start_rejected", f"The engine refused the start: {started.refused}.")
                time.sleep(self.wanted.wait_sleep)
            if time.monotonic() > self.deadline:
                raise HybridIdentityError("busy_timeout", f"The engine was busy for {self.wanted.wait_timeout:.0f} s: {started.refused}.")

    def _follow_own(self, requested: datetime, followed: Followed) -> None:
        self.report.own(requested)
        if followed.first_active is None and followed.ended is None:
            self._require_traces(requested, "The engine accepted the start, but no cycle began.")
            return
        self.report.confirmed(followed.first_active)
        if followed.ended is None:
            if not self.wanted.wait:
                self.report.msg = f"The {self.report.type} cycle was started and seen running."
                return
            self.progress(f"the {self.report.type} cycle is running")
            followed = self._follow_to_the_end(requested, f"the {self.report.type} cycle", "wait_timeout")
        self._finish(followed, requested)
        self.report.msg = f"The {self.report.type} cycle was started and {self.report.ending()}."

    def _look_after_lost_start(self, before: EngineState, error: Exception) -> None:
        """The start was lost with the connection: find out what became of it, and never start a second time."""
        self.progress("the connection ended during the start; looking whether a cycle began")
        self.report.unconfirmed()
        followed = self.engine.follow(self.shell, self._pace(_START_SLICE), before=before, since=before.at - _TOLERANCE)
        if followed.first_active is None and followed.ended is None:
            self._require_traces(before.at, f"{error} Nothing shows that a cycle began.")
            return
        self.report.confirmed(followed.first_active)
        if followed.ended is None and self.wanted.wait:
            followed = self._follow_to_the_end(before.at, "the cycle", "wait_timeout")
        if followed.ended is not None:
            self._finish(followed, before.at)
        self.report.msg = "The connection ended during the start; a cycle that began after it covers the watermark."

    def _require_traces(self, since: datetime, sentence: str) -> None:
        """A cycle too short to be seen leaves runs; without them the start is not confirmed."""
        history = self.engine.read_history(self.shell, since=since - _TOLERANCE, server_now=since)
        cycle = cycle_begun_at(history.runs or [], since, _TOLERANCE)
        if cycle is None or cycle.finished is None:
            raise HybridIdentityError("not_confirmed", sentence)
        self.report.confirmed(cycle.started)
        self.report.finished_at = cycle.finished
        self._judge(cycle, history)
        self.report.msg = f"The {self.report.type} cycle was started and {self.report.ending()}."

    # -- the end

    def _finish(self, followed: Followed, since: datetime) -> None:
        """Read what the cycle did, by the way that is open, and judge it."""
        self.report.finished(followed.ended)
        history = followed.history or History(None, "it was not read", False, None, None)
        if history.runs is None and history.local_may_help and self.engine.history_route == "local":
            local = self.engine.read_history(self.shell, since=since - _TOLERANCE, server_now=followed.state.at)
            history = History(local.runs, local.runs_problem, False, history.events, history.events_problem)
        self._judge(cycle_begun_at(history.runs or [], since, _TOLERANCE), history)

    def _judge(self, cycle: Cycle | None, history: History) -> None:
        verdict = None
        if history.events is not None and history.events.counts:
            self.report.evidence.append("events")
        if cycle is not None:
            self.report.take_runs(cycle)
            verdict = judge_runs(cycle.runs, self.wanted.fail_on)
        else:
            self.report.warn_without_history(history)
            if history.events is not None:
                verdict = judge_events(history.events, self.wanted.fail_on)
        if verdict is not None and verdict.reason is not None:
            raise HybridIdentityError(verdict.reason, verdict.sentence)

    def _pace(self, seconds: float) -> Pace:
        return Pace(slice=seconds, step=self.wanted.wait_sleep, confirm=_CONFIRM)
