# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The scheduler of the aadsync engine: the scheduled task of the product, its switch and the interval of its trigger. Private to the collection.

The task is changed, never registered anew. A changed definition of a task with a stored password takes that password: Windows would ask for it
(and count a wrong one against the account), so it is not asked. Switching a task on and off takes no password.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Mapping

from .._failure import HybridIdentityError
from .._remote._call import RemoteError, RemoteShell
from .._remote._failures import access_is_denied, as_failure
from .._remote._shape import error_object, flag, optional, record, text, whole
from ._aadsync_scheduler_scripts import LOOK, SET
from ._fim_answers import interval_seconds
from ._scheduler_contract import INTERVAL, NEXT_TYPE, Applied, Schedule, ScheduleChange, SchedulerLook

TASK = "Azure AD Sync Scheduler"
_LOOK_SHAPE = record(
    enabled=optional(flag),
    interval=optional(text),
    trigger=whole,
    logon_type=optional(whole),
    problem=optional(error_object),
    administrator=flag,
)
_SET_SHAPE = record(done=flag)
#: TASK_LOGON_PASSWORD and TASK_LOGON_INTERACTIVE_TOKEN_OR_PASSWORD (taskschd.h)
_WITH_PASSWORD = (1, 6)
#: ERROR_LOGON_FAILURE, ERROR_ACCOUNT_RESTRICTION, as HRESULTs: what Windows says when it wanted a password
_PASSWORD_WANTED = (0x8007052E - (1 << 32), 0x8007052F - (1 << 32))


@dataclass(frozen=True)
class AadSyncScheduler:
    """See SchedulerDriver."""

    lacks: Mapping[str, str] = field(
        default_factory=lambda: {NEXT_TYPE: "its task always starts a delta; dirsync_trigger with type=full runs a full cycle"}
    )
    least_interval: float | None = 300.0
    standard_interval: float | None = 10800.0
    rights: str = "a local administrator of the sync server"
    blockers: tuple[str, ...] = ()

    def look(self, shell: RemoteShell, *, timeout: float, server_now: datetime) -> SchedulerLook:
        """See SchedulerDriver.look."""
        return _look(shell.call("scheduler", LOOK, {}, shape=_LOOK_SHAPE, timeout=timeout, repeatable=True).data)

    def apply(self, shell: RemoteShell, look: SchedulerLook, change: ScheduleChange, *, timeout: float, server_now: datetime) -> Applied:
        """See SchedulerDriver.apply."""
        seconds = self.standard_interval if change.interval == 0 else change.interval
        parameters = {
            "enabled": change.enabled,
            "interval": None if seconds is None else iso_duration(int(seconds)),
            "trigger": look.token,
        }
        try:
            shell.call("set scheduler", SET, parameters, shape=_SET_SHAPE, timeout=timeout, repeatable=True)
        except RemoteError as error:
            if error.has_hresult(*_PASSWORD_WANTED):
                return Applied(False, failure=_password_wanted())
            raise
        return Applied(True)


def _look(data: dict[str, Any]) -> SchedulerLook:
    if data["problem"] is not None:
        return SchedulerLook(Schedule(), missing=_missing(RemoteError(data["problem"]), data["administrator"]))
    kept: dict[str, HybridIdentityError] = {}
    if data["interval"] is None:
        kept[INTERVAL] = HybridIdentityError(
            "invalid_input", f"interval: the scheduled task {TASK} has no trigger that repeats, so it has no interval."
        )
    elif data["logon_type"] in _WITH_PASSWORD:
        kept[INTERVAL] = _password_wanted()
    seconds = interval_seconds(data["interval"])
    schedule = Schedule(enabled=data["enabled"], interval=seconds, effective_interval=seconds)
    return SchedulerLook(schedule, kept=kept, token=data["trigger"])


def _missing(error: RemoteError, administrator: bool) -> HybridIdentityError:
    """Only an administrator can tell a task that is missing from one that is hidden."""
    if access_is_denied(error) or not administrator:
        return HybridIdentityError(
            "engine_access_denied",
            f"This account cannot see the scheduled task {TASK}, if there is one: {error}.",
            remedy="Use an account that is a local administrator of the sync server.",
        )
    if error.has_type("System.IO.FileNotFoundException"):
        return HybridIdentityError(
            "scheduler_missing", f"The scheduled task {TASK} is missing: nothing starts cycles on this server by itself."
        )
    return as_failure(error)


def _password_wanted() -> HybridIdentityError:
    return HybridIdentityError(
        "task_password_wanted",
        f"Windows takes another interval of the scheduled task {TASK} only with the password of the account that it runs as; nothing was changed.",
    )


def iso_duration(seconds: int) -> str:
    """An ISO 8601 duration as the task scheduler writes it: PT3H, PT1H30M."""
    parts = ((seconds // 3600, "H"), (seconds % 3600 // 60, "M"), (seconds % 60, "S"))
    return "PT" + "".join(f"{number}{unit}" for number, unit in parts if number)
