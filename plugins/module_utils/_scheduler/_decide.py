# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What to do next with a scheduler: one action, or the end. Pure; private to the collection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Union

from .._engines._scheduler_contract import ENABLED, INTERVAL, NEXT_TYPE, Schedule, ScheduleChange, SchedulerDriver, SchedulerLook
from .._failure import HybridIdentityError
from .._printable import printable
from ._options import DesiredSchedule

#: seconds between the first two looks at what keeps a change waiting; each pause is twice as long as the one before, up to the longest
PAUSE, LONGEST_PAUSE = 5.0, 30.0
_WEEK = 7 * 86400


@dataclass(frozen=True)
class Observed:
    """What is known.

    Attributes:
        look: the newest look; first: the one before anything was changed. fresh: nothing was tried since the newest look.
        applied: a change was asked for, and may have been carried out. failure: what went wrong with it. warnings: what it wants said.
        pending: it may still be carried out. waits: pauses so far.
        time_left: in seconds.
    """

    time_left: float
    look: SchedulerLook | None = None
    first: SchedulerLook | None = None
    fresh: bool = False
    applied: bool = False
    failure: HybridIdentityError | None = None
    warnings: tuple[str, ...] = ()
    pending: bool = False
    waits: int = 0

    @property
    def differs(self) -> bool:
        """Whether the settings are others than before this task."""
        return self.look is not None and self.first is not None and self.look.schedule != self.first.schedule


@dataclass(frozen=True)
class Look:
    """Read the settings, after a pause. words: why there is a pause."""

    pause: float = 0.0
    words: str = ""


@dataclass(frozen=True)
class Apply:
    """Change what is other than wanted."""

    change: ScheduleChange


@dataclass(frozen=True)
class Stop:
    """The task is over: with a failure, or with a sentence. after: the settings as they are told, None where they could not be read."""

    sentence: str
    changed: bool
    after: Schedule | None
    failure: HybridIdentityError | None = None
    warnings: tuple[str, ...] = ()


Action = Union[Look, Apply, Stop]


def decide(desired: DesiredSchedule, driver: SchedulerDriver, engine: str, seen: Observed) -> Action:
    """The next action.

    Args:
        driver: what the engine can do. engine: its name, for sentences alone.
    """
    refusal = unsupported(desired, driver, engine)
    if refusal is not None:
        return _failed(refusal, seen)
    if seen.look is None or not seen.fresh:
        if seen.failure is not None and not seen.applied:
            return _failed(seen.failure, seen)
        return Look()
    look = seen.look
    if look.missing is not None:
        return _failed(seen.failure or look.missing, seen)
    refusal = too_short(desired, driver, look.schedule, engine)
    if refusal is not None:
        return _failed(refusal, seen)
    change = difference(desired, driver, look.schedule)
    if seen.failure is not None and (change.names or not _is_lost(seen.failure)):
        return _failed(seen.failure, seen)
    if not change.names:
        return _as_wanted(desired, driver, seen, look)
    if seen.applied:
        words = f"{_list(change)} did not become what was asked for, although the engine took it without an error."
        return _failed(HybridIdentityError("not_confirmed", words, remedy="Look at the scheduler on the sync server."), seen)
    return _first_change(desired, driver, seen, look, change)


def _first_change(desired: DesiredSchedule, driver: SchedulerDriver, seen: Observed, look: SchedulerLook, change: ScheduleChange) -> Action:
    for name in change.names:
        if name in look.kept:
            return _failed(look.kept[name], seen)
    if desired.check_mode:
        after = predicted(look.schedule, change, driver)
        return Stop(f"Would set {_list(change)}.", True, after, warnings=warnings_of(desired, after))
    if look.unrest is not None:
        words = f"Whether something runs is not known, and a change would end it: {look.unrest.message}"
        return _failed(HybridIdentityError(look.unrest.reason, words, remedy=look.unrest.remedy), seen)
    if look.busy:
        names = ", ".join(printable(name) for name in look.busy)
        if seen.time_left <= PAUSE:
            words = f"Something ran for {desired.wait_timeout:.0f} s ({names}), and a change would have ended it; nothing was changed."
            return _failed(HybridIdentityError("busy_timeout", words), seen)
        return Look(min(PAUSE * 2**seen.waits, LONGEST_PAUSE, seen.time_left), f"waiting for the end of what runs ({names})")
    if seen.time_left <= 0:
        return _failed(HybridIdentityError("busy_timeout", "The server was never at rest for long enough; nothing was changed."), seen)
    return Apply(change)


def _as_wanted(desired: DesiredSchedule, driver: SchedulerDriver, seen: Observed, look: SchedulerLook) -> Stop:
    warnings = (*seen.warnings, *look.warnings, *warnings_of(desired, look.schedule))
    if seen.applied and seen.failure is not None:
        warnings = (f"The answer to the change was lost; the settings were read afterwards. {seen.failure.message}", *warnings)
    if not seen.applied or seen.first is None:
        return Stop("The scheduler is as wanted already.", False, look.schedule, warnings=warnings)
    done = difference(desired, driver, seen.first.schedule)
    return Stop(f"Set {_list(done)}.", True, look.schedule, warnings=warnings)


def _failed(failure: HybridIdentityError, seen: Observed) -> Stop:
    known = seen.look if seen.look is not None and seen.look.missing is None else None
    changed = seen.differs or seen.pending or (seen.applied and known is None)
    return Stop(failure.message, changed, known.schedule if known is not None else None, failure, seen.warnings)


def _is_lost(failure: HybridIdentityError) -> bool:
    """Whether a failure says that an answer did not come, so that the settings alone tell what became of the change."""
    return failure.reason in ("unreachable", "engine_error")


def unsupported(desired: DesiredSchedule, driver: SchedulerDriver, engine: str) -> HybridIdentityError | None:
    """invalid_input for a setting that the engine does not have."""
    for name in (ENABLED, INTERVAL, NEXT_TYPE):
        if getattr(desired, name) is not None and name in driver.lacks:
            return HybridIdentityError("invalid_input", f"{name}: the engine {engine} has no such setting: {driver.lacks[name]}.")
    return None


def too_short(desired: DesiredSchedule, driver: SchedulerDriver, schedule: Schedule, engine: str) -> HybridIdentityError | None:
    """invalid_input for an interval below the least one."""
    least = driver.least_interval if driver.least_interval is not None else schedule.allowed_interval
    if not desired.interval or least is None or desired.interval >= least:
        return None
    why = "the engine would ignore it" if driver.least_interval is None else f"shorter ones do no good to the engine {engine}"
    return HybridIdentityError("invalid_input", f"interval is {desired.interval} s, and {least:.0f} s is the least: {why}.")


def difference(desired: DesiredSchedule, driver: SchedulerDriver, schedule: Schedule) -> ScheduleChange:
    """What is other than wanted."""
    change = ScheduleChange()
    if desired.enabled is not None and desired.enabled != schedule.enabled:
        change = replace(change, enabled=desired.enabled)
    if desired.interval == 0:
        standard = schedule.standard if driver.standard_interval is None else schedule.interval == driver.standard_interval
        if not standard:
            change = replace(change, interval=0.0)
    elif desired.interval is not None and desired.interval != schedule.interval:
        change = replace(change, interval=float(desired.interval))
    if desired.next_type is not None and desired.next_type != schedule.next_type:
        change = replace(change, next_type=desired.next_type)
    return change


def predicted(schedule: Schedule, change: ScheduleChange, driver: SchedulerDriver) -> Schedule:
    """The settings that a change would lead to."""
    if change.enabled is not None:
        schedule = replace(schedule, enabled=change.enabled)
    if change.interval is not None:
        default = driver.standard_interval if driver.standard_interval is not None else schedule.allowed_interval
        schedule = replace(schedule, interval=change.interval or default, standard=change.interval == 0)
    return schedule if change.next_type is None else replace(schedule, next_type=change.next_type)


def warnings_of(desired: DesiredSchedule, schedule: Schedule) -> tuple[str, ...]:
    """What settings that are as wanted leave open."""
    found = []
    if schedule.suspended:
        found.append(
            "The scheduler is suspended: a configuration wizard is open or an upgrade runs. It is left so, and starts nothing until then."
        )
    if desired.interval is not None and desired.interval > _WEEK:
        found.append("A cycle has to run every seven days at least, and this interval is longer.")
    if schedule.enabled is False and (desired.interval is not None or desired.next_type is not None):
        found.append("The scheduler is switched off: what was set counts when it is switched on.")
    return tuple(found)


def _list(change: ScheduleChange) -> str:
    words = {
        ENABLED: "enabled to " + ("true" if change.enabled else "false"),
        INTERVAL: "interval to " + (f"{change.interval:.0f} s" if change.interval else "the default"),
        NEXT_TYPE: f"next_type to {change.next_type}",
    }
    return ", ".join(words[name] for name in change.names)
