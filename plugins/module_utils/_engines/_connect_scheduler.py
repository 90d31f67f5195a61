# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The scheduler of the connect engine: Get-ADSyncScheduler and Set-ADSyncScheduler. Private to the collection.

Reading works in a network logon; whether writing does is not known for every build, so what is refused there is tried by the local route.
An interval below the allowed one is taken and ignored (field reports), which is why it never gets that far. Before 1.1.281 another interval
counts after the next cycle (version history).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Mapping

from .._remote._call import RemoteError, RemoteShell
from .._remote._failures import service_is_away
from .._remote._local_route import LocalRouteClosed, call_locally
from .._remote._shape import finite, flag, optional, record, text
from ._connect_scheduler_scripts import LOOK, SET
from ._scheduler_contract import Applied, Schedule, ScheduleChange, SchedulerLook

_SCHEDULE = record(
    enabled=flag,
    suspended=flag,
    staging=flag,
    next_type=text,
    allowed_interval=finite,
    effective_interval=finite,
    customized_interval=optional(finite),
)
_POLICIES = {"delta": "Delta", "full": "Initial"}
_TYPES = {policy: name for name, policy in _POLICIES.items()}


@dataclass(frozen=True)
class ConnectScheduler:
    """See SchedulerDriver. at_once: a new interval counts from now, and not from the next cycle."""

    at_once: bool = True
    lacks: Mapping[str, str] = field(default_factory=dict)
    least_interval: float | None = None
    standard_interval: float | None = None
    rights: str = "a member of ADSyncAdmins on the sync server"
    blockers: tuple[str, ...] = ("service_stopped", "module_missing")

    def look(self, shell: RemoteShell, *, timeout: float, server_now: datetime) -> SchedulerLook:
        """See SchedulerDriver.look."""
        return SchedulerLook(_schedule(_call(shell, "scheduler", LOOK, {}, timeout, server_now)))

    def apply(self, shell: RemoteShell, look: SchedulerLook, change: ScheduleChange, *, timeout: float, server_now: datetime) -> Applied:
        """See SchedulerDriver.apply."""
        parameters = {
            "enabled": change.enabled,
            "policy": None if change.next_type is None else _POLICIES[change.next_type],
            "seconds": change.interval or None,
            "standard": change.interval == 0,
        }
        after = _schedule(_call(shell, "set scheduler", SET, parameters, timeout, server_now))
        late = change.interval is not None and not self.at_once
        warning = "On a build before 1.1.281 the new interval counts from the next cycle on."
        return Applied(True, SchedulerLook(after), warnings=(warning,) if late else ())


def _call(shell: RemoteShell, name: str, script: str, parameters: dict[str, Any], timeout: float, server_now: datetime) -> dict[str, Any]:
    """Directly, else by the local route. Reading and setting may both be repeated."""
    try:
        data: dict[str, Any] = shell.call(name, script, parameters, shape=_SCHEDULE, timeout=timeout, repeatable=True).data
        return data
    except RemoteError as refused:
        if service_is_away(refused):
            raise
        try:
            data = call_locally(shell, name, script, parameters, shape=_SCHEDULE, timeout=timeout, server_now=server_now).data
            return data
        except LocalRouteClosed:
            raise refused from None


def _schedule(data: dict[str, Any]) -> Schedule:
    customized, allowed = data["customized_interval"], float(data["allowed_interval"])
    return Schedule(
        enabled=data["enabled"],
        interval=allowed if customized is None else float(customized),
        effective_interval=float(data["effective_interval"]),
        allowed_interval=allowed,
        next_type=_TYPES.get(data["next_type"]),
        suspended=data["suspended"],
        staging=data["staging"],
        standard=customized is None or customized == allowed,
    )
