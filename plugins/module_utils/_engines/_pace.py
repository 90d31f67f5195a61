# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What every engine tells its scripts of time. Private to the collection."""

from __future__ import annotations

import secrets
from datetime import datetime

from ._contract import Pace

#: seconds for which an engine without a flag for its cycles has to be idle until that may be an end: between two steps it looks idle too
QUIET = 5.0


def limits(pace: Pace) -> dict[str, float]:
    """The parameters of watching."""
    return {
        "seconds": pace.slice,
        "step_ms": int(pace.step * 1000),
        "confirm_seconds": pace.confirm,
        "idle_seconds": pace.idle,
        "quiet_seconds": QUIET,
    }


def lock_seconds(pace: Pace) -> float:
    """How long a start waits for another one on the same server, in seconds: longer than any holds the lock, and not beyond the slice."""
    return min(20.0, pace.slice)


def try_name() -> str:
    """A name for something that a try makes on the server."""
    return secrets.token_hex(6)


def round_trip(at: datetime) -> str:
    """Round-trip text as .NET writes it: seven digits, Z. For bounds only: what is compared on the server travels as it was written there."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"
