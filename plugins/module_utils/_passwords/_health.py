# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Whether the password channels are alive, as dirsync_info tells it. Pure; private to the collection.

Source of the limits: the alert of Entra Connect Health (120 minutes) and Microsoft's own diagnosis (no heartbeat within 3 hours).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from .._engines._password_contract import ChannelLook
from .._printable import printable
from .._remote._clock import ClockLead
from .._timestamps import format_utc
from ._journal import Journal

#: seconds without a sign of life
LATE, DEAD = 120 * 60.0, 180 * 60.0
#: a heartbeat, or traffic in its place: while passwords are sent there is no heartbeat
_SIGNS = ("heartbeat", "batch_ended", "results", "alive")


def health_of(look: ChannelLook | None, journal: Journal | None, now: datetime, lead: ClockLead) -> dict[str, Any]:
    """The key `password_sync` of dirsync_info.

    Args:
        look: of the channels; None where they could not be read. journal: of the last hours; None where the log could not be read.
        now: the server's clock.

    Returns:
        `feature` (of the tenant; None is not known) and `connectors`, each with name, id, enabled, last_sign, age (seconds) and health: healthy, late,
        dead or unknown. A channel that is off has no health.
    """
    if look is None:
        return {"feature": None, "connectors": []}
    rows = []
    for channel in look.channels:
        newest = newest_sign(journal, channel.identifier, alone=len(look.channels) == 1)
        age = (now - newest).total_seconds() if newest is not None else None
        rows.append(
            {
                "name": printable(channel.name),
                "id": channel.identifier,
                "enabled": channel.enabled,
                "last_sign": None if newest is None else format_utc(newest - timedelta(seconds=lead.middle)),
                "age": None if age is None else round(max(age, 0.0)),
                "health": _health(channel.enabled, age, journal, now),
            }
        )
    return {"feature": look.feature, "connectors": rows}


def newest_sign(journal: Journal | None, connector: str, *, alone: bool) -> datetime | None:
    """When a channel was last seen alive. alone: it is the only one, so that what names no connector is its own."""
    if journal is None:
        return None
    times = [mark.sign.at for mark in journal.marks_of(connector, everywhere=alone) if mark.sign.kind in _SIGNS]
    return max(times, default=None)


def _health(enabled: bool | None, age: float | None, journal: Journal | None, now: datetime) -> str | None:
    if enabled is False:
        return None
    if enabled is None or journal is None:
        return "unknown"
    if age is None:
        reach = (now - journal.oldest).total_seconds() if journal.oldest is not None else 0.0
        return "dead" if reach > DEAD else "unknown"
    return "dead" if age > DEAD else "late" if age > LATE else "healthy"
