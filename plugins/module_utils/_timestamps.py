# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Timestamps as they travel: .NET round-trip text in UTC on one side, aware datetimes on the other. Private to the collection."""

from __future__ import annotations

import re
from datetime import datetime, timezone

# .NET writes seven digits of a second; Python 3.9 reads exactly three or six.
_ROUND_TRIP = re.compile(r"^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?\s*(Z|[+-]\d\d:?\d\d)?$", re.IGNORECASE)


def parse_utc(text: str) -> datetime:
    """An aware timestamp in UTC from ISO 8601 text; text without a zone is UTC already.

    Raises:
        ValueError: the text is no timestamp.
    """
    match = _ROUND_TRIP.match(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a date and time in ISO 8601 form such as 2026-11-24T09:30:00Z")
    day, clock, fraction, zone = match.groups()
    zone = (zone or "+00:00").upper().replace("Z", "+00:00")
    if ":" not in zone:
        zone = zone[:3] + ":" + zone[3:]
    micro = ((fraction or "") + "000000")[:6]
    return datetime.fromisoformat(f"{day}T{clock}.{micro}{zone}").astimezone(timezone.utc)


def format_utc(timestamp: datetime | None) -> str | None:
    """ISO 8601 text in UTC with milliseconds, as results carry it."""
    if timestamp is None:
        return None
    text = timestamp.astimezone(timezone.utc).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
