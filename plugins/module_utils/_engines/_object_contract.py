# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What an engine that synchronises single objects tells, and what is asked of it. Private to the collection.

Every time here is on the clock of the sync server, aware and in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Sequence

from .._remote._call import RemoteShell
from ._engine_state import EngineState, LeftOff


@dataclass(frozen=True)
class ObjectStep:
    """A step of the synchronisation of one object, in the engine's own words. status: success, warning, failure or skipped."""

    name: str
    type: str
    status: str
    description: str


@dataclass(frozen=True)
class ObjectOutcome:
    """What came of one object.

    result: success, warning, failure or skipped (nothing to do); None where the engine did not say. reason: a failure reason of the
    collection; None where nothing failed. words: the engine's own, or ours, in one sentence. throttled: nothing was done, and it
    may be asked again after a while.
    """

    dn: str
    result: str | None
    steps: tuple[ObjectStep, ...] = ()
    reason: str | None = None
    words: str = ""
    throttled: bool = False


@dataclass(frozen=True)
class ObjectsLook:
    """A look at the engine, and what a task that died may have left of its scheduler."""

    state: EngineState
    left_off: LeftOff | None


@dataclass(frozen=True)
class ObjectsDone:
    """What came of a number of objects.

    requested: when the scheduler was off and the first one was asked for; None where none was. state: the look at the end.
    before: the look before anything was changed. outcomes: of those that were asked for, in their order. left_off: why the scheduler
    could not be switched on again; None where it is as it was before.
    """

    requested: datetime | None
    before: EngineState
    state: EngineState
    outcomes: tuple[ObjectOutcome, ...]
    left_off: str | None = None


class ObjectDriver(Protocol):
    """Synchronises single objects: adds them and updates them, and deletes nothing."""

    @property
    def since(self) -> str:
        """The version of the engine that brought it."""

    @property
    def pause(self) -> float:
        """Seconds after which an engine that throttles may be asked again."""

    def synchronise(
        self, shell: RemoteShell, names: Sequence[str], *, proceed_when_off: bool, stamp: str, seconds: float, server_now: datetime
    ) -> ObjectsDone:
        """Switch the scheduler off, synchronise, switch it on again if it was on, in one piece of work that outlives the shell.

        Args:
            names: distinguished names. proceed_when_off: also where the scheduler is off already; it stays so. stamp: of the work.
            seconds: no further object is begun after so many.

        Raises:
            LocalRouteClosed: nothing has run. RemoteError: the work failed, and the scheduler may be off.
            ConnectionBroken, NoAnswer, AnswerError: whether it has run, or runs still, is not known.
        """

    def look(self, shell: RemoteShell) -> ObjectsLook:
        """Look at the engine, and for a scheduler that was left off. Changes nothing."""

    def restore(self, shell: RemoteShell, left_off: LeftOff, *, server_now: datetime) -> EngineState:
        """Switch on a scheduler that was left off; the look afterwards.

        Raises:
            LocalRouteClosed, RemoteError, AnswerError, TransportError: it may be off still.
        """
