# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The options of the dirsync modules, the same for the Python module and the action plugin. Private to the collection."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Mapping

from .._engines import ENGINES
from .._failure import HybridIdentityError
from .._remote._winrm import WinrmOptions
from .._timestamps import parse_utc
from ._desired import DesiredCycle
from ._objects_desired import read_objects
from ._ticket import read_ticket

#: how the Python module reaches the sync server; the action plugin has the task's connection for that
CONNECTION_OPTIONS: dict[str, Any] = {
    "server": {"type": "list", "elements": "str"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "port": {"type": "int"},
    "use_tls": {"type": "bool", "default": True},
    "authentication": {"type": "str", "default": "ntlm", "choices": ["ntlm", "kerberos", "basic", "credssp", "certificate"]},
    "validate_certs": {"type": "bool", "default": True},
    "ca_cert": {"type": "path"},
    "client_certificate": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
    "kerberos_hostname": {"type": "str"},
    "on_unreachable": {"type": "str", "default": "fail", "choices": ["fail", "unreachable"]},
}

#: environment variables that stand in for a connection option, for credentials that a CI system or AWX injects
ENVIRONMENT = {
    "server": "HYBRID_IDENTITY_SERVER",
    "username": "HYBRID_IDENTITY_USERNAME",
    "password": "HYBRID_IDENTITY_PASSWORD",
    "ca_cert": "HYBRID_IDENTITY_CA_CERT",
}

ENGINE_OPTION: dict[str, Any] = {"engine": {"type": "str", "default": "auto", "choices": ["auto", *(engine.name for engine in ENGINES)]}}

TRIGGER_OPTIONS: dict[str, Any] = {
    **ENGINE_OPTION,
    "type": {"type": "str", "default": "delta", "choices": ["delta", "full"]},
    "since": {"type": "str"},
    "max_age": {"type": "int"},
    "objects": {"type": "list", "elements": "str"},
    "ticket": {"type": "dict"},
    "min_interval": {"type": "int", "default": 0},
    "fail_on": {"type": "str", "default": "stopped", "choices": ["stopped", "errors", "never"]},
    "on_staging": {"type": "str", "default": "refuse", "choices": ["refuse", "proceed", "skip"]},
    "on_disabled": {"type": "str", "default": "refuse", "choices": ["refuse", "proceed"]},
    "on_retired": {"type": "str", "default": "warn", "choices": ["warn", "refuse"]},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 1800},
    "wait_sleep": {"type": "float", "default": 1.0},
}
TRIGGER_EXCLUSIVE = [
    ("since", "max_age"),
    *(("ticket", name) for name in ("since", "max_age", "type", "min_interval")),
    *(("objects", name) for name in ("since", "max_age", "ticket")),
]

#: seconds that dirsync_info takes at most
INFO_SECONDS = 180.0
INFO_OPTIONS: dict[str, Any] = {
    **ENGINE_OPTION,
    "history_hours": {"type": "float", "default": 3.0},
    "password_sync": {"type": "bool", "default": True},
}


def read_desired(params: Mapping[str, Any], now: datetime, check_mode: bool) -> DesiredCycle:
    """What the options of dirsync_trigger ask for.

    Args:
        now: the moment at which the task began, on this machine's clock.

    Raises:
        HybridIdentityError: invalid_input.
    """
    since, ticket = now, None
    if params.get("ticket") is not None:
        ticket = read_ticket(params["ticket"])
        since = ticket.since
    elif params.get("since"):
        try:
            since = parse_utc(str(params["since"]))
        except ValueError as error:
            raise HybridIdentityError("invalid_input", f"since: {error}.") from error
    elif params.get("max_age") is not None:
        since = now - timedelta(seconds=int(params["max_age"]))
    for name, least in (("max_age", 0), ("min_interval", 0), ("wait_timeout", 1), ("wait_sleep", 0.1)):
        if params.get(name) is not None and params[name] < least:
            raise HybridIdentityError("invalid_input", f"{name} is {params[name]}, it has to be at least {least}.")
    return DesiredCycle(
        since=since,
        looks_back=since < now,
        full=ticket.full if ticket else params["type"] == "full",
        wait=params["wait"],
        wait_timeout=params["wait_timeout"],
        wait_sleep=min(params["wait_sleep"], 10.0),
        fail_on=params["fail_on"],
        on_staging=params["on_staging"],
        on_disabled=params["on_disabled"],
        on_retired=params["on_retired"],
        min_interval=params["min_interval"],
        check_mode=check_mode,
        ticket=ticket,
        objects=read_objects(params),
    )


def read_winrm_options(params: Mapping[str, Any], server: str) -> WinrmOptions:
    """Where and how to connect to one of the servers."""
    return WinrmOptions(
        server=server,
        username=params.get("username"),
        password=params.get("password"),
        port=params.get("port"),
        use_tls=params["use_tls"],
        authentication=params["authentication"],
        validate_certs=params["validate_certs"],
        ca_cert=params.get("ca_cert"),
        client_certificate=params.get("client_certificate"),
        client_key=params.get("client_key"),
        kerberos_hostname=params.get("kerberos_hostname"),
    )
