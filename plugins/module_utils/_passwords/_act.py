# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Synchronise passwords, or switch their channels: observe, decide, act, until the decision is to stop.

What is carried out here decides nothing. Free of Ansible and of transports; private to the collection.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import Any, Callable

from .._deadline import Deadline
from .._engines._contract import Engine, Probe
from .._engines._password_contract import ForceOutcome, PasswordDriver
from .._failure import HybridIdentityError
from .._remote._call import AnswerError, NoAnswer, RemoteError, RemoteShell
from .._remote._failures import CALL_FAILURES
from .._remote._lasting import new_stamp
from .._remote._local_route import LocalRouteClosed
from .._remote._transport import ConnectionBroken
from ._actions import Action, FindPeople, Force, Look, ReadEvents, ReadHistory, ReadSince, Stop, Switch
from ._case import Case
from ._decide import decide
from ._desired import DesiredPasswords
from ._observed import (
    DONE,
    LOST,
    Observed,
    Sent,
    after_events,
    after_force,
    after_history,
    after_look,
    after_reading,
    after_switch,
    after_trouble,
)
from ._report import result_keys

#: seconds beyond wait_timeout for looking and switching on, once an off may have been sent
RESERVE = 120.0
#: what leaves open whether something was carried out
_LOST = (ConnectionBroken, NoAnswer, AnswerError)
#: seconds of single calls
_LOOK_SECONDS, _PAGE_SECONDS, _PEOPLE_SECONDS = 60.0, 60.0, 300.0
_WORK_SECONDS, _WORK_SECONDS_EACH = 60.0, 40.0
_FRESH_SECONDS = 300


def ensure_passwords(
    engine: Engine,
    driver: PasswordDriver,
    shell: RemoteShell,
    probe: Probe,
    desired: DesiredPasswords,
    deadline: Deadline,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """See the module's text.

    Args:
        engine, driver, shell, probe: the engine, its password part, the shell to it (its deadline reaches RESERVE beyond `deadline`), and the
            look that recognised it.
        deadline: bounds everything but looking and switching on.
        progress: gets one line now and then while it takes long.

    Returns:
        The result keys of aad_password_sync.

    Raises:
        HybridIdentityError: with all result keys in its details, so that what was done before the failure is not lost.
    """
    actor = _Actor(driver, shell, desired, deadline, progress)
    seen = Observed(probe, probe.lead, probe.at, deadline.left(), shell.deadline.left())
    while True:
        case = Case(desired, seen, driver.can_switch, driver.rights, driver.group, driver.restarts, driver.finds_people)
        action = decide(case)
        if isinstance(action, Stop):
            return _end(engine, case, action)
        seen = actor.carry_out(action, seen)
        seen = replace(seen, time_left=deadline.left(), reserve_left=shell.deadline.left())


def _end(engine: Engine, case: Case, stop: Stop) -> dict[str, Any]:
    result = result_keys(engine.name, case, stop)
    if stop.reason is None:
        return result
    for key in ("failure_reason", "msg"):
        del result[key]
    raise HybridIdentityError(stop.reason, stop.sentence, remedy=stop.remedy, **result)


class _Actor:
    """Carries one action out and adds what came of it to what is known."""

    def __init__(
        self,
        driver: PasswordDriver,
        shell: RemoteShell,
        desired: DesiredPasswords,
        deadline: Deadline,
        progress: Callable[[str], None],
    ) -> None:
        self._driver, self._shell, self._desired, self._deadline, self._progress = driver, shell, desired, deadline, progress
        self._trouble_since: float | None = None
        self._told = ""

    def carry_out(self, action: Action, seen: Observed) -> Observed:
        """Look, read, find, force or switch."""
        try:
            seen = self._do(action, seen)
        except CALL_FAILURES as error:
            if self._trouble_since is None:
                self._trouble_since = time.monotonic()
            return after_trouble(seen, error, time.monotonic() - self._trouble_since)
        self._trouble_since = None
        return seen

    def _do(self, action: Action, seen: Observed) -> Observed:
        if isinstance(action, Look):
            return self._look(action, seen)
        if isinstance(action, ReadHistory):
            return self._read_history(seen)
        if isinstance(action, ReadSince):
            return self._read_since(action, seen)
        if isinstance(action, ReadEvents):
            return self._read_events(action, seen)
        if isinstance(action, FindPeople):
            sources = [one.name for one in seen.look.channels] if seen.look else []
            timeout = self._within(_PEOPLE_SECONDS)
            found = self._driver.find_people(self._shell, action.names, sources, timeout=timeout, server_now=seen.now)
            return replace(seen, found=found, trouble=None)
        if isinstance(action, Force):
            return self._force(action, seen)
        if not isinstance(action, Switch):
            raise AssertionError("of another kind")
        return self._switch(action, seen)

    def _look(self, look: Look, seen: Observed) -> Observed:
        self._tell(look.words)
        limit = self._shell.deadline if look.spare else self._deadline
        time.sleep(min(look.pause, limit.left()))
        # A look after a wait that the task's own deadline cuts off says nothing about the server: the time is over, and that is all.
        again = look.pause > 0 and not look.spare and seen.sent is None and seen.look is not None
        if again and self._deadline.left() <= 0:
            return seen
        timeout = min(_LOOK_SECONDS, max(limit.left(), 1.0))
        on = seen.sent is not None and set(seen.sent.connectors) <= seen.seen_on
        try:
            return after_look(seen, self._driver.look(self._shell, timeout=timeout, server_now=seen.now))
        except LocalRouteClosed as error:
            if on:
                return replace(seen, looked_at=seen.now, unlooked=str(error), trouble=None)
            if seen.sent is None and seen.look is None:
                return replace(seen, local_problem=str(error))
            if again and self._deadline.left() <= 0:
                return seen
            raise ConnectionBroken(f"The channels could not be read: {error}.") from error
        except CALL_FAILURES as error:
            if again and self._deadline.left() <= 0:
                return seen
            if not on:
                raise
            return replace(seen, looked_at=seen.now, unlooked=str(error), trouble=None)

    def _read_history(self, seen: Observed) -> Observed:
        self._tell("reading the event log")
        since = Case(self._desired, seen).history_since
        after, check = 0, True
        try:
            while True:
                page = self._driver.events(
                    self._shell,
                    after=after,
                    since=since,
                    marks_only=True,
                    seconds=0.0,
                    timeout=self._within(_PAGE_SECONDS),
                    check_source=check,
                )
                if not page.more:
                    break
                seen, after, check = after_events(replace(seen, source=page.source if check else seen.source), page), page.last, False
            seen = after_history(seen, page, since)
            recent = self._driver.events(
                self._shell,
                after=0,
                since=seen.now - timedelta(seconds=_FRESH_SECONDS),
                marks_only=False,
                seconds=0.0,
                timeout=self._within(_PAGE_SECONDS),
                check_source=False,
            )
            marker = seen.marker
            seen = after_events(seen, recent)
            return replace(seen, marker=marker)
        except RemoteError as error:
            return replace(seen, events_problem=str(error), trouble=None)

    def _read_since(self, read: ReadSince, seen: Observed) -> Observed:
        self._tell("reading the event log")
        threshold = Case(self._desired, seen).threshold
        first = True
        try:
            while True:
                page = self._driver.events(
                    self._shell,
                    after=0 if first else seen.journal.last,
                    since=read.since if first else None,
                    marks_only=False,
                    seconds=0.0,
                    timeout=self._within(_PAGE_SECONDS),
                    check_source=first,
                )
                seen = after_reading(seen, page, threshold) if first else after_events(seen, page)
                if not page.more:
                    return seen
                first = False
        except RemoteError as error:
            return replace(seen, events_problem=str(error), trouble=None)

    def _read_events(self, read: ReadEvents, seen: Observed) -> Observed:
        self._tell(read.words)
        if read.start is not None:
            seen = replace(seen, journal=seen.journal.started_at(read.start))
        limit = self._deadline.left() if self._deadline.left() > 0 else self._shell.deadline.left()
        # A person that is awaited, or silence, has to be looked at now and then: silence is only known when a page came back empty.
        seconds = max(min(read.seconds, limit - 1.0, max(self._desired.quiet_period / 4, self._desired.wait_sleep)), 0.0)
        page = self._driver.events(
            self._shell,
            after=seen.journal.last,
            since=None,
            marks_only=seen.journal.start is None,
            seconds=seconds,
            timeout=seconds + _PAGE_SECONDS,
            check_source=False,
        )
        if page.signs and not page.more and read.seconds > 0:
            time.sleep(min(self._desired.wait_sleep, limit))  # what comes in bursts is read in larger pages
        return after_events(seen, page)

    def _force(self, force: Force, seen: Observed) -> Observed:
        channels = [channel for channel in map(seen.channel, force.connectors) if channel is not None]
        if seen.look is None:
            raise AssertionError("nothing was looked at yet")
        self._tell(f"forcing a full password synchronisation of {', '.join(one.name for one in channels)}")
        stamp = new_stamp(seen.now)
        timeout = min(_WORK_SECONDS + _WORK_SECONDS_EACH * len(channels), self._shell.deadline.left())
        sent = Sent(seen.now, stamp, tuple(force.connectors), LOST)
        outcome: ForceOutcome | None = None
        try:
            outcome = self._driver.force(self._shell, channels, seen.look.clouds[0], stamp=stamp, timeout=timeout, server_now=seen.now)
        except LocalRouteClosed as error:
            return replace(seen, local_problem=str(error))
        except _LOST as error:
            self._tell("the answer was lost; looking whether every channel is on")
            return after_force(seen, replace(sent, words=str(error)))
        return after_force(seen, replace(sent, at=outcome.requested, answer=DONE, outcome=outcome))

    def _switch(self, switch: Switch, seen: Observed) -> Observed:
        names = [channel.name for channel in map(seen.channel, switch.connectors) if channel is not None]
        if seen.look is None:
            raise AssertionError("nothing was looked at yet")
        self._tell(f"switching {', '.join(names)} {'on' if switch.enable else 'off'}")
        limit = self._shell.deadline.left() if switch.repair else max(self._deadline.left(), 1.0)
        timeout = min(_WORK_SECONDS + _WORK_SECONDS_EACH * len(names), limit)
        earlier = seen.sent.stamp if seen.sent is not None and switch.repair else ""
        try:
            switched = self._driver.switch(
                self._shell,
                names,
                seen.look.clouds[0],
                enable=switch.enable,
                earlier=earlier,
                timeout=timeout,
                stamp=new_stamp(seen.now),
                server_now=seen.now,
            )
        except LocalRouteClosed as error:
            return after_switch(seen, None, str(error), repair=True) if switch.repair else replace(seen, local_problem=str(error))
        except _LOST as error:
            return after_switch(seen, None, str(error), repair=switch.repair)
        except CALL_FAILURES:
            if not switch.repair:
                raise
            return after_switch(seen, None, "", repair=True)
        return after_switch(seen, switched, "", repair=switch.repair)

    def _within(self, seconds: float) -> float:
        return min(seconds, max(self._deadline.left(), 1.0))

    def _tell(self, words: str) -> None:
        if words and words != self._told:
            self._told = words
            self._progress(words)
