# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Whether the password channels are alive, as dirsync_info tells it. Pure; private to the collection.

Source of the limits: the alert of Entra Connect Health (120 minutes) and Microsoft's own diagnosis (no heartbeat within 3 hours).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Sequence

from .._engines._password_contract import ChannelState
from .._printable import printable
from .._remote._clock import ClockLead
from .._timestamps import format_utc
from ._journal import Journal

#: seconds without a sign of life
LATE, DEAD = 120 * 60.0, 180 * 60.0
#: a heartbeat, or traffic in its place: while passwords are sent there is no heartbeat
SIGNS = ("heartbeat", "batch_ended", "results", "alive")


def health_of(
    channels: Sequence[ChannelState], journal: Journal | None, now: datetime, lead: ClockLead, *, staging: bool | None = None
) -> list[dict[str, Any]]:
    """The AD connectors in `password_sync` of dirsync_info.

    Args:
        channels: where they could not be read they are known by name alone, and `enabled` is None.
        journal: of the last hours; None where the log could not be read.
        now: the server's clock. staging: whether the server is in staging mode.

    Returns:
        For each: name, id, enabled, last_sign, age (seconds) and health: healthy, late, dead or unknown. A channel that is off, and every channel of
        a server in staging mode, has no health: None.
    """
    rows = []
    for channel in channels:
        newest = newest_sign(journal, channel.identifier, alone=len(channels) == 1)
        age = (now - newest).total_seconds() if newest is not None else None
        rows.append(
            {
                "name": printable(channel.name),
                "id": channel.identifier,
                "enabled": channel.enabled,
                "last_sign": None if newest is None else format_utc(newest - timedelta(seconds=lead.middle)),
                "age": None if age is None else round(max(age, 0.0)),
                "health": None if staging else _health(channel.enabled, age, journal, now),
            }
        )
    return rows


def newest_sign(journal: Journal | None, connector: str, *, alone: bool) -> datetime | None:
    """When a channel was last seen alive. alone: it is the only one, so that what names no connector is its own."""
    if journal is None:
        return None
    times = [mark.sign.at for mark in journal.marks_of(connector, everywhere=alone) if mark.sign.kind in SIGNS]
    return max(times, default=None)


def _health(enabled: bool | None, age: float | None, journal: Journal | None, now: datetime) -> str | None:
    if enabled is False:
        return None
    if journal is None:
        return "unknown"
    if enabled is None:  # a sign of life is one; silence may be that of a channel that is off
        return "healthy" if age is not None and age <= LATE else "unknown"
    if age is None:
        reach = (now - journal.oldest).total_seconds() if journal.oldest is not None else 0.0
        return "dead" if reach > DEAD else "unknown"
    return "dead" if age > DEAD else "late" if age > LATE else "healthy"
