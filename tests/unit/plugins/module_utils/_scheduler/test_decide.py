# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What is done with a scheduler, without a server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._engines._aadsync_scheduler import AadSyncScheduler
from ansible_collections.hybrid.identity.plugins.module_utils._engines._connect_scheduler import ConnectScheduler
from ansible_collections.hybrid.identity.plugins.module_utils._engines._dirsync_scheduler import DirSyncScheduler
from ansible_collections.hybrid.identity.plugins.module_utils._engines._scheduler_contract import Schedule, ScheduleChange, SchedulerLook
from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._scheduler._decide import Apply, Look, Observed, Stop, decide
from ansible_collections.hybrid.identity.plugins.module_utils._scheduler._options import DesiredSchedule, read_desired

CONNECT, AADSYNC, DIRSYNC = ConnectScheduler(), AadSyncScheduler(), DirSyncScheduler("C:\\DirSync")
STANDARD = Schedule(True, 1800.0, 1800.0, 1800.0, "delta", False, False, standard=True)
OLD = Schedule(enabled=True, interval=10800.0, effective_interval=10800.0)
LOST = HybridIdentityError("unreachable", "The connection broke.")


def seen(schedule: Schedule = STANDARD, **changes: Any) -> Observed:
    """Looked once, unless told otherwise; look: changes to that look."""
    look = SchedulerLook(schedule, **changes.pop("look", {}))
    first = changes.pop("first", None)
    return replace(Observed(60.0, look, SchedulerLook(first) if first else look, fresh=True), **changes)


def wanted(**changes: Any) -> DesiredSchedule:
    return DesiredSchedule(**changes)


def reason(action: Any) -> str | None:
    assert isinstance(action, Stop)
    return action.failure.reason if action.failure else None


def test_it_looks_first() -> None:
    assert decide(wanted(enabled=True), CONNECT, "connect", Observed(60.0)) == Look()


@pytest.mark.parametrize(
    ("desired", "schedule", "change"),
    [
        (wanted(enabled=False), STANDARD, ScheduleChange(enabled=False)),
        (wanted(interval=3600), STANDARD, ScheduleChange(interval=3600.0)),
        (wanted(next_type="full"), STANDARD, ScheduleChange(next_type="full")),
        (wanted(interval=0), replace(STANDARD, interval=3600.0, standard=False), ScheduleChange(interval=0.0)),
        (wanted(interval=0), replace(STANDARD, interval=600.0, standard=False), ScheduleChange(interval=0.0)),
        (wanted(enabled=True, interval=3600, next_type="delta"), STANDARD, ScheduleChange(interval=3600.0)),
    ],
)
def test_what_differs_is_changed_and_nothing_else(desired: DesiredSchedule, schedule: Schedule, change: ScheduleChange) -> None:
    assert decide(desired, CONNECT, "connect", seen(schedule)) == Apply(change)
    action = decide(replace(desired, check_mode=True), CONNECT, "connect", seen(schedule))
    assert isinstance(action, Stop)
    assert action.changed
    assert action.sentence.startswith("Would set ")
    assert action.after != schedule


@pytest.mark.parametrize(
    "desired",
    [wanted(enabled=True), wanted(interval=0), wanted(interval=1800), wanted(next_type="delta"), wanted(enabled=True, interval=1800)],
)
def test_what_is_as_wanted_stays(desired: DesiredSchedule) -> None:
    for check_mode in (False, True):
        action = decide(replace(desired, check_mode=check_mode), CONNECT, "connect", seen())
        assert isinstance(action, Stop)
        assert (action.changed, action.failure, action.sentence) == (False, None, "The scheduler is as wanted already.")


def test_an_interval_that_the_engine_would_ignore() -> None:
    for schedule in (STANDARD, replace(STANDARD, interval=600.0, standard=False)):
        action = decide(wanted(interval=600), CONNECT, "connect", seen(schedule))
        assert reason(action) == "invalid_input"
        assert isinstance(action, Stop)
        assert action.sentence == "interval is 600 s, and 1800 s is the least: the engine would ignore it."
    assert reason(decide(wanted(interval=299), AADSYNC, "aadsync", seen(OLD))) == "invalid_input"
    assert decide(wanted(interval=300), AADSYNC, "aadsync", seen(OLD)) == Apply(ScheduleChange(interval=300.0))


@pytest.mark.parametrize(
    ("driver", "engine", "desired", "words"),
    [
        (AADSYNC, "aadsync", wanted(next_type="full"), "next_type: the engine aadsync has no such setting"),
        (DIRSYNC, "dirsync", wanted(next_type="full"), "next_type: the engine dirsync has no such setting"),
        (DIRSYNC, "dirsync", wanted(enabled=False, interval=600), "enabled: the engine dirsync has no such setting"),
    ],
)
def test_a_setting_that_the_engine_lacks(driver: Any, engine: str, desired: DesiredSchedule, words: str) -> None:
    action = decide(desired, driver, engine, Observed(60.0))
    assert reason(action) == "invalid_input"
    assert words in str(action)


def test_what_cannot_be_changed_keeps_the_rest_from_being_changed() -> None:
    kept = {"interval": HybridIdentityError("task_password_wanted", "Windows wants the password.")}
    assert reason(decide(wanted(enabled=False, interval=600), AADSYNC, "aadsync", seen(OLD, look={"kept": kept}))) == "task_password_wanted"
    action = decide(wanted(enabled=False, interval=10800), AADSYNC, "aadsync", seen(OLD, look={"kept": kept}))
    assert action == Apply(ScheduleChange(enabled=False))
    gone = HybridIdentityError("scheduler_missing", "There is no task.")
    assert reason(decide(wanted(enabled=True), AADSYNC, "aadsync", seen(Schedule(), look={"missing": gone}))) == "scheduler_missing"


def test_a_change_waits_for_what_runs() -> None:
    action = decide(wanted(interval=600), DIRSYNC, "dirsync", seen(OLD, look={"busy": ("SourceAD",)}))
    assert isinstance(action, Look)
    assert (action.pause, "SourceAD" in action.words) == (5.0, True)
    pauses = [decide(wanted(interval=600), DIRSYNC, "dirsync", seen(OLD, look={"busy": ("A",)}, waits=waits)) for waits in (1, 2, 9)]
    assert [one.pause for one in pauses if isinstance(one, Look)] == [10.0, 20.0, 30.0]
    action = decide(wanted(interval=600), DIRSYNC, "dirsync", seen(OLD, look={"busy": ("SourceAD",)}, time_left=1.0))
    assert reason(action) == "busy_timeout"
    assert reason(decide(wanted(interval=600), DIRSYNC, "dirsync", seen(OLD, time_left=0.0))) == "busy_timeout"
    unrest = HybridIdentityError("engine_access_denied", "WMI says no.")
    assert reason(decide(wanted(interval=600), DIRSYNC, "dirsync", seen(OLD, look={"unrest": unrest}))) == "engine_access_denied"
    action = decide(wanted(interval=10800), DIRSYNC, "dirsync", seen(OLD, look={"busy": ("SourceAD",), "unrest": unrest}))
    assert (reason(action), action.changed) == (None, False)  # type: ignore[union-attr]
    action = decide(wanted(interval=600, check_mode=True), DIRSYNC, "dirsync", seen(OLD, look={"busy": ("SourceAD",)}))
    assert (reason(action), action.changed) == (None, True)  # type: ignore[union-attr]


def test_what_became_of_a_change() -> None:
    done = replace(STANDARD, enabled=False)
    action = decide(wanted(enabled=False), CONNECT, "connect", seen(done, first=STANDARD, applied=True))
    assert isinstance(action, Stop)
    assert (action.changed, action.sentence, action.failure) == (True, "Set enabled to false.", None)
    action = decide(wanted(enabled=False), CONNECT, "connect", seen(applied=True))
    assert (reason(action), action.changed) == ("not_confirmed", False)  # type: ignore[union-attr]
    assert decide(wanted(enabled=False), CONNECT, "connect", seen(fresh=False, applied=True)) == Look()


def test_a_lost_answer_is_looked_up() -> None:
    assert decide(wanted(enabled=False), CONNECT, "connect", seen(fresh=False, applied=True, failure=LOST)) == Look()
    done = replace(STANDARD, enabled=False)
    action = decide(wanted(enabled=False), CONNECT, "connect", seen(done, first=STANDARD, applied=True, failure=LOST))
    assert isinstance(action, Stop)
    assert (action.changed, action.failure) == (True, None)
    assert "was lost" in action.warnings[0]
    action = decide(wanted(enabled=False), CONNECT, "connect", seen(applied=True, failure=LOST))
    assert (reason(action), action.changed) == ("unreachable", False)  # type: ignore[union-attr]


def test_a_failure_behind_a_change_stays_one() -> None:
    """The interval is in the file, and the service does not run: that is told, although the setting is as wanted."""
    stopped = HybridIdentityError("service_stopped", "The service does not run after its restart.")
    action = decide(wanted(interval=600), DIRSYNC, "dirsync", seen(replace(OLD, interval=600.0), first=OLD, applied=True, failure=stopped))
    assert (reason(action), action.changed) == ("service_stopped", True)  # type: ignore[union-attr]
    open_end = HybridIdentityError("not_confirmed", "It may still happen.")
    action = decide(wanted(interval=600), DIRSYNC, "dirsync", seen(OLD, applied=True, pending=True, failure=open_end))
    assert (reason(action), action.changed) == ("not_confirmed", True)  # type: ignore[union-attr]
    denied = HybridIdentityError("engine_access_denied", "No right.")
    action = decide(wanted(interval=600), DIRSYNC, "dirsync", seen(OLD, fresh=False, failure=denied))
    assert (reason(action), action.changed) == ("engine_access_denied", False)  # type: ignore[union-attr]


def test_what_settings_leave_open_is_told() -> None:
    held = replace(STANDARD, suspended=True, enabled=False)
    action = decide(wanted(interval=0), CONNECT, "connect", seen(held))
    assert isinstance(action, Stop)
    assert [word in " ".join(action.warnings) for word in ("suspended", "switched off")] == [True, True]
    action = decide(wanted(interval=8 * 86400, check_mode=True), CONNECT, "connect", seen())
    assert isinstance(action, Stop)
    assert "seven days" in " ".join(action.warnings)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "Nothing was asked for"),
        ({"interval": -1}, "interval is -1"),
        ({"interval": 2678401}, "interval is 2678401"),
        ({"enabled": True, "wait_timeout": 0}, "wait_timeout is 0"),
    ],
)
def test_options_that_make_no_sense(params: dict[str, Any], words: str) -> None:
    with pytest.raises(HybridIdentityError, match=words) as caught:
        read_desired({"wait_timeout": 1800, **params}, False)
    assert caught.value.reason == "invalid_input"
