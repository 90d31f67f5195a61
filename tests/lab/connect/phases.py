# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The phases of a cycle, and what is kept of a cycle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

# import AD, import Entra, sync AD, sync Entra, export Entra, export AD (Microsoft, scheduler documentation); share of the cycle's time.
ORDER = (
    ("import", True, 0.15),
    ("import", False, 0.15),
    ("sync", True, 0.2),
    ("sync", False, 0.1),
    ("export", False, 0.2),
    ("export", True, 0.1),
)
GAP = 0.1 / len(ORDER)
PROFILES = {
    ("import", False): "Delta Import",
    ("import", True): "Full Import",
    ("sync", False): "Delta Synchronization",
    ("sync", True): "Full Synchronization",
    ("export", False): "Export",
    ("export", True): "Export",
}
#: (cycle, phase number or `end`, moment: before, within or after)
AtPhase = Callable[["CycleRecord", "int | str", str], None]


@dataclass
class CycleRecord:
    """What a test may want to know of a cycle, on the clock of the server. The truth behind it is in the record, on the real clock."""

    number: int
    full: bool
    origin: str
    started: datetime
    import_began: datetime | None = None
    finished: datetime | None = None
    by: str = "scheduler"
