# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The scheduler of both DirSync engines: a service that reads its interval from a file when it starts. Private to the collection.

A restart of the service would end a cycle on its way, so it comes when nothing has run for a while. It is done in a task that outlives the
connection: a service that was stopped and not started again would be worse than any interval.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Mapping

from .._failure import HybridIdentityError
from .._remote._call import AnswerError, NoAnswer, RemoteError, RemoteShell
from .._remote._failures import as_failure
from .._remote._lasting import new_stamp, run_lasting
from .._remote._local_route import LocalRouteClosed
from .._remote._shape import error_object, flag, list_of, optional, record, text, whole
from .._remote._transport import ConnectionBroken
from ._dirsync_config import KEY, clock_text, read_interval, with_interval
from ._dirsync_scheduler_scripts import LOOK, SET
from ._fim_answers import clock_seconds
from ._pace import QUIET
from ._scheduler_contract import ENABLED, INTERVAL, NEXT_TYPE, Applied, Schedule, ScheduleChange, SchedulerLook
from ._survey import RUNNING

_SERVICE, _FILE = "MSOnlineSyncScheduler", "Microsoft.Online.DirSync.Scheduler.exe.config"
_LOOK_SHAPE = record(config=optional(text), problem=optional(error_object), busy=list_of(text, 200), unrest=optional(error_object))
_SET_SHAPE = record(busy=flag, differs=flag, written=flag, restarted=flag, service=optional(whole), error=optional(error_object))
_LACKS = {
    ENABLED: f"its scheduler is the service {_SERVICE}, which has no switch beside being stopped",
    NEXT_TYPE: "its scheduler always starts a delta; dirsync_trigger with type=full runs a full cycle",
}
#: seconds for which another start on the same server is awaited, and between two looks
_LOCK_SECONDS, _STEP = 20, 1.0


@dataclass(frozen=True)
class DirSyncScheduler:
    """See SchedulerDriver. folder: where DirSync is installed; quiet: seconds for which nothing may have run."""

    folder: str
    quiet: float = QUIET
    lacks: Mapping[str, str] = field(default_factory=lambda: dict(_LACKS))
    least_interval: float | None = 300.0
    standard_interval: float | None = 10800.0
    rights: str = "a local administrator of the sync server with the right to log on as a batch job"
    blockers: tuple[str, ...] = ("service_stopped",)

    def look(self, shell: RemoteShell, *, timeout: float, server_now: datetime) -> SchedulerLook:
        """See SchedulerDriver.look."""
        answer = shell.call("scheduler", LOOK, {"folder": self.folder}, shape=_LOOK_SHAPE, timeout=timeout, repeatable=True)
        return _look(answer.data)

    def apply(self, shell: RemoteShell, look: SchedulerLook, change: ScheduleChange, *, timeout: float, server_now: datetime) -> Applied:
        """See SchedulerDriver.apply."""
        seconds = self.standard_interval if change.interval == 0 else change.interval
        content: bytes = look.token
        after = with_interval(content, clock_text(int(seconds or 0)))
        if after is None:
            raise AssertionError("an interval that was not found is not changed")
        parameters = {
            "folder": self.folder,
            "before": base64.b64encode(content).decode("ascii"),
            "after": base64.b64encode(after).decode("ascii"),
            "lock_seconds": _LOCK_SECONDS,
            "quiet_seconds": self.quiet,
            "step_ms": int(min(_STEP, self.quiet / 5) * 1000),
        }
        stamp = new_stamp(server_now)
        try:
            data = run_lasting(
                shell, "set scheduler", SET, parameters, shape=_SET_SHAPE, timeout=timeout, stamp=stamp, server_now=server_now
            ).data
        except LocalRouteClosed as error:
            return Applied(
                False,
                failure=HybridIdentityError(
                    "engine_access_denied",
                    f"The interval was not changed: {error}.",
                    remedy=f"Use an account that is {self.rights}.",
                ),
            )
        except (ConnectionBroken, NoAnswer, AnswerError) as error:
            return Applied(
                True,
                failure=HybridIdentityError(
                    "not_confirmed",
                    f"Whether the interval was changed and the service {_SERVICE} restarted is not known, and it may still happen: {error}",
                    remedy="Run the task again; what was done stays as it is.",
                ),
                pending=True,
            )
        return _applied(data)


_UNSEEN = f"The service {_SERVICE} was restarted without an error, and its state could not be read afterwards."


def _applied(data: dict[str, Any]) -> Applied:
    if data["busy"] or data["differs"]:
        return Applied(False)
    error = RemoteError(data["error"]) if data["error"] is not None else None
    if not data["written"]:
        return Applied(False, failure=as_failure(error) if error is not None else None)
    if data["restarted"] and data["service"] in (None, RUNNING):
        return Applied(True, warnings=() if data["service"] == RUNNING else (_UNSEEN,))
    words = f": {error}" if error is not None else ""
    if data["service"] == RUNNING:
        return Applied(
            True,
            failure=HybridIdentityError(
                "not_confirmed",
                f"The interval was written, and the service {_SERVICE} runs, but its restart failed{words}.",
                remedy=f"Restart the service {_SERVICE}: the interval counts from then on.",
            ),
        )
    return Applied(
        True,
        failure=HybridIdentityError(
            "service_stopped",
            f"The interval was written, and the service {_SERVICE} does not run after its restart{words}.",
            remedy=f"Start the service {_SERVICE} at once: without it nothing synchronises by itself.",
        ),
    )


def _look(data: dict[str, Any]) -> SchedulerLook:
    busy, unrest = tuple(data["busy"]), as_failure(RemoteError(data["unrest"])) if data["unrest"] is not None else None
    if data["problem"] is not None or data["config"] is None:
        error = (
            as_failure(RemoteError(data["problem"])) if data["problem"] is not None else HybridIdentityError("engine_error", "It is empty.")
        )
        failure = HybridIdentityError(error.reason, f"The file {_FILE} cannot be read: {error.message}", remedy=error.remedy)
        return SchedulerLook(Schedule(), missing=failure)
    try:
        content = base64.b64decode(data["config"], validate=True)
    except (ValueError, binascii.Error):
        content = b""
    seconds = clock_seconds(read_interval(content))
    kept = {}
    if read_interval(content) is None:
        kept[INTERVAL] = HybridIdentityError(
            "scheduler_missing", f"The file {_FILE} does not have the key {KEY} with a value exactly once, so nothing in it is changed."
        )
    return SchedulerLook(Schedule(interval=seconds, staging=False), kept=kept, busy=busy, unrest=unrest, token=content)
