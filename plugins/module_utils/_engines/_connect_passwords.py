# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The password channels of the module ADSync: AAD Sync, Azure AD Connect, Entra Connect Sync. Private to the collection.

Services, version and events are read directly; everything else lies behind the engine's named pipe, which lets no network logon in.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Mapping, Sequence

from .._remote._call import RemoteError, RemoteShell
from .._remote._lasting import run_lasting
from .._remote._local_route import call_locally
from .._remote._shape import error_object, flag, list_of, optional, record, table_of, text, timestamp
from ._adsync_password_scripts import FORCE, GUARDIAN, LOOK, PEOPLE, SWITCH
from ._password_contract import (
    ChannelLook,
    ChannelState,
    Forced,
    ForceOutcome,
    PartitionState,
    Switched,
)
from ._password_log import PasswordLog

#: seconds after which the guardian acts, if it is still there
GUARDIAN_DELAY = 180
#: seconds for which a connector that became busy meanwhile is awaited between two forests
_BUSY_SECONDS = 20
_OBJECTS_A_PAGE = 500
#: the group that may change the engine
_GROUP = "ADSyncAdmins"
_CLOUD = ("Extensible2", "Windows Azure Active Directory")

_CONNECTOR = record(
    name=text,
    id=text,
    type=text,
    subtype=text,
    enabled=optional(flag),
    flag=flag,
    domains=list_of(text, 500),
    problem=optional(error_object),
)
_LOOK = record(
    at=timestamp,
    connectors=list_of(_CONNECTOR, 200),
    busy=list_of(text, 200),
    partitions=optional(list_of(record(connector=text, dn=text, status=text, succeeded=optional(timestamp)), 1000)),
    feature=optional(flag),
    staging=optional(flag),
    unattended=flag,
    admin=optional(flag),
    tasks=list_of(record(name=text, running=flag), 1000),
    problems=table_of(error_object, 50),
)
_FORCED = record(
    source=text,
    flagged=flag,
    off=flag,
    on=flag,
    enabled=optional(flag),
    flag=optional(flag),
    at=optional(timestamp),
    error=optional(error_object),
)
_FORCE = record(requested=timestamp, busy=list_of(text, 200), off=list_of(text, 200), channels=list_of(_FORCED, 200), guarded=flag)
_SWITCH = record(at=timestamp, channels=list_of(record(source=text, enabled=optional(flag), error=optional(error_object)), 200))
_PEOPLE = record(found=list_of(record(name=text, dn=text, connector=text), 20000))


class AdsyncPasswords(PasswordLog):
    """See PasswordDriver."""

    can_switch = True
    rights = "a member of ADSyncAdmins and a local administrator on the sync server"
    group = _GROUP
    restarts = False
    finds_people = True

    def look(self, shell: RemoteShell, *, timeout: float, server_now: datetime) -> ChannelLook:
        """See PasswordDriver.look."""
        answer = call_locally(shell, "passwords", LOOK, {"group": _GROUP}, shape=_LOOK, timeout=timeout, server_now=server_now)
        data = answer.data
        return ChannelLook(
            at=data["at"].at,
            lead=answer.lead,
            channels=tuple(_channel(one) for one in data["connectors"] if one["type"] == "AD"),
            clouds=tuple(one["name"] for one in data["connectors"] if one["type"] == _CLOUD[0] and one["subtype"].startswith(_CLOUD[1])),
            busy=tuple(data["busy"]),
            partitions=None if data["partitions"] is None else tuple(_partition(one) for one in data["partitions"]),
            feature=data["feature"],
            staging=data["staging"],
            unattended=data["unattended"],
            admin=data["admin"],
            tasks={one["name"]: one["running"] for one in data["tasks"]},
            problems={part: RemoteError(error).sentence() for part, error in data["problems"].items()},
        )

    def force(
        self, shell: RemoteShell, channels: Sequence[ChannelState], cloud: str, *, stamp: str, timeout: float, server_now: datetime
    ) -> ForceOutcome:
        """See PasswordDriver.force."""
        parameters = {
            "channels": [{"source": one.name, "target": cloud, "flag": bool(one.flag)} for one in channels],
            "guardian": GUARDIAN,
            "delay": GUARDIAN_DELAY,
            "busy_seconds": _BUSY_SECONDS,
        }
        data = run_lasting(
            shell, "force passwords", FORCE, parameters, shape=_FORCE, timeout=timeout, stamp=stamp, server_now=server_now
        ).data
        return ForceOutcome(
            data["requested"].at,
            tuple(data["off"]),
            tuple(data["busy"]),
            tuple(
                Forced(
                    one["source"],
                    one["flagged"],
                    one["off"],
                    one["on"],
                    one["enabled"],
                    one["flag"],
                    one["at"].at if one["at"] else None,
                    RemoteError(one["error"]).sentence() if one["error"] else None,
                )
                for one in data["channels"]
            ),
            data["guarded"],
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
        """See PasswordDriver.switch."""
        parameters = {"channels": [{"source": name, "target": cloud} for name in names], "enable": enable, "earlier": earlier}
        data = run_lasting(
            shell, "switch passwords", SWITCH, parameters, shape=_SWITCH, timeout=timeout, stamp=stamp, server_now=server_now
        ).data
        return [
            Switched(one["source"], one["enabled"], RemoteError(one["error"]).sentence() if one["error"] else None)
            for one in data["channels"]
        ]

    def find_people(
        self, shell: RemoteShell, names: Sequence[str], sources: Sequence[str], *, timeout: float, server_now: datetime
    ) -> Mapping[str, Sequence[tuple[str, str]]]:
        """See PasswordDriver.find_people."""
        parameters = {"names": list(names), "sources": list(sources), "page": _OBJECTS_A_PAGE}
        data = call_locally(shell, "people", PEOPLE, parameters, shape=_PEOPLE, timeout=timeout, server_now=server_now).data
        found: dict[str, list[tuple[str, str]]] = {}
        for one in data["found"]:
            place = (one["dn"], one["connector"])
            known = found.setdefault(one["name"], [])
            if place not in known:
                known.append(place)
        return found


def _channel(data: dict[str, Any]) -> ChannelState:
    problem = RemoteError(data["problem"]).sentence() if data["problem"] else None
    return ChannelState(data["name"], data["id"].lower(), data["enabled"], data["flag"], tuple(data["domains"]), problem)


def _partition(data: dict[str, Any]) -> PartitionState:
    return PartitionState(data["connector"].lower(), data["dn"], data["status"], data["succeeded"].at if data["succeeded"] else None)
