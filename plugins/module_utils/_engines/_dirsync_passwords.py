# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Password synchronisation on DirSync: a full one is armed by a command, and the restart of the FIM service does it. Private to the collection.

It has one forest, no channel that could be switched or read, and nothing that says when its last cycle succeeded. The event log is the same as
that of its successors.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Mapping, Sequence

from .._failure import HybridIdentityError
from .._remote._call import RemoteError, RemoteShell
from .._remote._failures import as_failure
from .._remote._lasting import run_lasting
from .._remote._local_route import call_locally
from .._remote._shape import error_object, flag, list_of, optional, record, table_of, text, timestamp
from ._connect_passwords import GUARDIAN_DELAY
from ._dirsync_password_scripts import FORCE, GUARDIAN, LOOK, REPAIR
from ._pace import QUIET
from ._password_contract import ChannelLook, ChannelState, Forced, ForceOutcome, Switched
from ._password_log import PasswordLog

#: the one that is restarted, and the one that depends on it
SERVICES = ("FIMSynchronizationService", "MSOnlineSyncScheduler")
_GROUP = "MIISAdmins"
#: what WMI calls an AD connector
_DIRECTORY = ("AD", "Active Directory")
_LOCK_SECONDS, _STEP_MS = 20.0, 500
#: seconds for which services that do not start are tried again, each time
_BACK_SECONDS = 20.0

_SERVICE = record(name=text, running=flag, mode=text, stops=flag)
_LOOK = record(
    at=timestamp,
    connectors=list_of(record(name=text, id=text, type=text), 200),
    busy=list_of(text, 200),
    services=list_of(_SERVICE, 10),
    command=optional(flag),
    admin=optional(flag),
    tasks=list_of(record(name=text, running=flag), 1000),
    problems=table_of(error_object, 50),
)
_FORCE = record(
    requested=timestamp,
    at=optional(timestamp),
    busy=list_of(text, 200),
    services=list_of(_SERVICE, 10),
    armed=flag,
    restarted=flag,
    guarded=flag,
    stopped=list_of(text, 10),
    started=list_of(text, 1000),
    error=optional(error_object),
    trouble=optional(error_object),
)
_REPAIR = record(at=timestamp, stopped=list_of(text, 10), started=list_of(text, 1000), trouble=optional(error_object))


class DirSyncPasswords(PasswordLog):
    """See PasswordDriver. folder: where DirSync is installed."""

    can_switch = False
    rights = "a member of MIISAdmins and a local administrator on the sync server"
    group = _GROUP
    restarts = True
    finds_people = False

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def look(self, shell: RemoteShell, *, timeout: float, server_now: datetime) -> ChannelLook:
        """See PasswordDriver.look. While a service is down the connectors are not told."""
        parameters = {"folder": self.folder, "services": list(SERVICES), "group": _GROUP}
        answer = call_locally(shell, "passwords", LOOK, parameters, shape=_LOOK, timeout=timeout, server_now=server_now)
        data = answer.data
        stopped = tuple(one["name"] for one in data["services"] if not one["running"])
        if "connectors" in data["problems"] and not stopped:
            raise RemoteError(data["problems"]["connectors"])
        return ChannelLook(
            at=data["at"].at,
            lead=answer.lead,
            channels=tuple(
                ChannelState(one["name"], one["id"].lower(), None, None, readable=False)
                for one in data["connectors"]
                if one["type"] in _DIRECTORY
            ),
            clouds=tuple(one["name"] for one in data["connectors"] if one["type"] not in _DIRECTORY),
            busy=tuple(data["busy"]),
            partitions=None,
            feature=None,
            staging=None,
            unattended=True,
            admin=data["admin"],
            tasks={one["name"]: one["running"] for one in data["tasks"]},
            problems={part: RemoteError(error).sentence() for part, error in data["problems"].items()},
            stopped=stopped,
            blocker=_without_command(data) or _cannot_restart(data["services"]),
        )

    def force(
        self, shell: RemoteShell, channels: Sequence[ChannelState], cloud: str, *, stamp: str, timeout: float, server_now: datetime
    ) -> ForceOutcome:
        """See PasswordDriver.force. All of it is restarted, whichever connectors are meant."""
        parameters = {
            "folder": self.folder,
            "services": list(SERVICES),
            "guardian": GUARDIAN,
            "delay": GUARDIAN_DELAY,
            "lock_seconds": _LOCK_SECONDS,
            "quiet_seconds": QUIET,
            "step_ms": _STEP_MS,
            "back_seconds": _BACK_SECONDS,
        }
        data = run_lasting(
            shell, "force passwords", FORCE, parameters, shape=_FORCE, timeout=timeout, stamp=stamp, server_now=server_now
        ).data
        if data["error"] is not None and not data["armed"]:
            raise RemoteError(data["error"])
        if not data["armed"]:
            blocker = None if data["busy"] else _cannot_restart(data["services"])
            return ForceOutcome(data["requested"].at, (), tuple(data["busy"]), (), False, blocker=blocker)
        stopped = tuple(data["stopped"])
        error = None
        if not data["restarted"]:
            why = RemoteError(data["error"]).sentence() if data["error"] else "the engine said nothing"
            error = f"it is armed, and {SERVICES[0]} was not restarted: {why}"
        begun = data["at"].at if data["at"] else data["requested"].at
        return ForceOutcome(
            data["requested"].at,
            (),
            (),
            tuple(
                Forced(one.name, True, data["restarted"], data["restarted"], None, None, begun, error, running=not stopped)
                for one in channels
            ),
            data["guarded"],
            stopped=stopped,
            warnings=_helped_up(data["started"]),
        )

    def switch(
        self,
        shell: RemoteShell,
        names: Sequence[str],
        cloud: str,
        *,
        enable: bool,
        earlier: str,
        timeout: float,
        stamp: str,
        server_now: datetime,
    ) -> Sequence[Switched]:
        """See PasswordDriver.switch. Nothing can be switched here: the services are started."""
        parameters = {"services": list(SERVICES), "back_seconds": _BACK_SECONDS, "earlier": earlier}
        data = run_lasting(
            shell, "start services", REPAIR, parameters, shape=_REPAIR, timeout=timeout, stamp=stamp, server_now=server_now
        ).data
        error = RemoteError(data["trouble"]).sentence() if data["stopped"] and data["trouble"] else None
        return [Switched(name, None, error) for name in names]

    def find_people(
        self, shell: RemoteShell, names: Sequence[str], sources: Sequence[str], *, timeout: float, server_now: datetime
    ) -> Mapping[str, Sequence[tuple[str, str]]]:
        """See PasswordDriver.find_people; nobody asks where finds_people is false."""
        return {}


def _without_command(data: dict[str, Any]) -> HybridIdentityError | None:
    """What keeps the command from being given."""
    if "module" in data["problems"]:
        return as_failure(RemoteError(data["problems"]["module"]))
    if data["command"]:
        return None
    return HybridIdentityError(
        "engine_unsupported",
        "This build of DirSync has no command Set-FullPasswordSync (build 6438.03 brought it).",
        remedy="Run its configuration wizard again with Enable Password Synchronization set: that starts a full one.",
    )


def _cannot_restart(services: Sequence[dict[str, Any]]) -> HybridIdentityError | None:
    """Why the services would not be restarted, or would not come back."""
    for one in services:
        if one["mode"] == "Disabled":
            return HybridIdentityError(
                "service_stopped",
                f"The service {one['name']} is disabled, so it would not come back after a restart; nothing was armed.",
                remedy=f"Set the start type of {one['name']} to Automatic.",
            )
        if one["running"] and not one["stops"]:
            return HybridIdentityError(
                "start_rejected",
                f"The service {one['name']} takes no stop just now, so it cannot be restarted; nothing was armed.",
                remedy="Run the task again when it does.",
            )
    down = [one["name"] for one in services if not one["running"]]
    if down:
        return HybridIdentityError("service_stopped", f"The service {' and '.join(down)} does not run on the sync server.")
    return None


def _helped_up(started: Sequence[str]) -> tuple[str, ...]:
    names = list(dict.fromkeys(started))
    if not names:
        return ()
    return (f"The restart left {' and '.join(names)} down; the task started what was left down.",)
