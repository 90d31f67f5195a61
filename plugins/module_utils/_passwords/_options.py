# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The options of aad_password_sync, the same for the Python module and the action plugin. Private to the collection."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Mapping, Sequence

from .._failure import HybridIdentityError
from .._sync._options import ENGINE_OPTION
from .._timestamps import parse_utc
from ._desired import DesiredPasswords
from ._people import kind_of

#: people who can be named; each is looked for in everything that is read
MOST_USERS = 5000
PASSWORD_OPTIONS: dict[str, Any] = {
    **ENGINE_OPTION,
    "state": {"type": "str", "default": "synced", "choices": ["synced", "enabled", "disabled"]},
    "connectors": {"type": "list", "elements": "str"},
    "users": {"type": "list", "elements": "str"},
    "since": {"type": "str"},
    "max_age": {"type": "int"},
    "min_interval": {"type": "int", "default": 86400},
    "force": {"type": "bool", "default": False},
    "observe_only": {"type": "bool", "default": False},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 3600},
    "wait_sleep": {"type": "float", "default": 1.0},
    "quiet_period": {"type": "int", "default": 150},
    "fail_on": {"type": "str", "choices": ["failed_users", "failed_named", "failed_connectors", "never"]},
}
PASSWORD_EXCLUSIVE = [("since", "max_age")]
_OF_SYNCED = ("users", "since", "max_age", "fail_on", "observe_only")
#: what forcing is about; who only looks has no use for it
_OF_FORCING = ("connectors", "force")


def read_desired(params: Mapping[str, Any], now: datetime, check_mode: bool) -> DesiredPasswords:
    """What the options of aad_password_sync ask for.

    Args:
        now: when the task began, on this machine's clock.

    Raises:
        HybridIdentityError: invalid_input.
    """
    since = None
    if params.get("since"):
        try:
            since = parse_utc(str(params["since"]))
        except ValueError as error:
            raise HybridIdentityError("invalid_input", f"since: {error}.") from error
    for name, least in (("max_age", 0), ("min_interval", 0), ("wait_timeout", 1), ("wait_sleep", 0.1), ("quiet_period", 1)):
        if params.get(name) is not None and params[name] < least:
            raise HybridIdentityError("invalid_input", f"{name} is {params[name]}, it has to be at least {least}.")
    if params.get("max_age") is not None:
        since = now - timedelta(seconds=int(params["max_age"]))
    useless = [name for name in _OF_SYNCED if params["state"] != "synced" and params.get(name)]
    if useless:
        raise HybridIdentityError("invalid_input", f"{', '.join(useless)} belongs to state=synced, and state is {params['state']}.")
    users = tuple(dict.fromkeys(str(one).strip() for one in params.get("users") or ()))
    if any(not one for one in users) or len(users) > MOST_USERS:
        raise HybridIdentityError("invalid_input", f"users holds an empty entry, or more than {MOST_USERS} of them.")
    connectors = tuple(str(one) for one in params.get("connectors") or ())
    if any(not one.strip() for one in connectors):
        raise HybridIdentityError("invalid_input", "connectors holds an empty name.")
    if params["observe_only"]:
        _check_observing(params, users, since)
    return DesiredPasswords(
        began=now,
        state=params["state"],
        connectors=connectors,
        users=users,
        since=since,
        min_interval=params["min_interval"],
        force=params["force"],
        observe_only=params["observe_only"],
        wait=params["wait"],
        wait_timeout=params["wait_timeout"],
        wait_sleep=min(params["wait_sleep"], 10.0),
        quiet_period=params["quiet_period"],
        fail_on=params.get("fail_on") or ("failed_named" if users else "failed_connectors"),
        check_mode=check_mode,
    )


def _check_observing(params: Mapping[str, Any], users: Sequence[str], since: datetime | None) -> None:
    useless = [name for name in _OF_FORCING if params.get(name)]
    if useless:
        raise HybridIdentityError("invalid_input", f"{', '.join(useless)} belongs to forcing, and observe_only forces nothing.")
    if not users or since is None:
        raise HybridIdentityError(
            "invalid_input", "observe_only needs users, and since or max_age: whose results are looked for, and from when on."
        )
    names = [one for one in users if kind_of(one) == "name"]
    if names:
        raise HybridIdentityError(
            "invalid_input",
            f"observe_only takes distinguished names and source anchors, and {names[0]} is neither: whom a name means is found out with rights that "
            "reading the event log does not need.",
        )
