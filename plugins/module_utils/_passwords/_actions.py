# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The few things that a password task can do next. Pure; private to the collection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Union


@dataclass(frozen=True)
class Look:
    """Read the channels by the local route, after a pause; spare: also when the time is over, for as long as the reserve lasts."""

    pause: float = 0.0
    words: str = ""
    spare: bool = False


@dataclass(frozen=True)
class ReadHistory:
    """Read from the event log what tells of full synchronisations so far, and take the marker."""


@dataclass(frozen=True)
class ReadSince:
    """Read every event since a time (server clock), those about single people included."""

    since: datetime


@dataclass(frozen=True)
class FindPeople:
    """Find out who is meant by these user principal and account names."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class ReadEvents:
    """Read the next page of events, waiting up to so many seconds for something new. start: behind this record, where reading begins."""

    seconds: float
    start: int | None = None
    pause: float = 0.0
    words: str = ""


@dataclass(frozen=True)
class Force:
    """Force a full synchronisation of these connectors (identifiers)."""

    connectors: tuple[str, ...]


@dataclass(frozen=True)
class Switch:
    """Switch these channels (identifiers). repair: they are switched on because this task switched them off."""

    connectors: tuple[str, ...]
    enable: bool
    repair: bool = False


@dataclass(frozen=True)
class Stop:
    """The task is over: a failure, or a success, and the sentence that goes with it. changed: where it is not what was done."""

    sentence: str
    reason: str | None = None
    remedy: str | None = None
    changed: bool | None = None
    warnings: tuple[str, ...] = ()


Action = Union[Look, ReadHistory, ReadSince, FindPeople, ReadEvents, Force, Switch, Stop]
