# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The register of kinds of fault, and the places at which faults strike."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from ..scenario import Scenario

Build = Callable[[Scenario], None]
KINDS: dict[str, Build] = {}

#: calls by which the stages of a task are known, whatever the procedure makes of them: (cmdlet, how many of them may come first at most)
STAGES: dict[str, tuple[tuple[str, int], ...]] = {
    "probe": (("Get-Service", 0), ("Get-ADSyncScheduler", 0), ("Get-ADSyncConnectorRunStatus", 0), ("Get-ADSyncConnector", 0)),
    "start": (("Start-ADSyncSyncCycle", 0),),
    "follow": (("Get-ADSyncScheduler", 8), ("Get-ADSyncConnectorRunStatus", 8), ("Get-WinEvent", 2)),
    "local route": (
        ("Register-ScheduledTask", 0),
        ("Start-ScheduledTask", 0),
        ("Get-ScheduledTask", 2),
        ("Get-ADSyncRunProfileResult", 2),
        ("Unregister-ScheduledTask", 0),
    ),
}
COM_ERRORS = (0x80080005, 0x80070422, 0x80070426, 0x8007045B, 0x800706BA, 0x800706BE, 0x80010108)
PHASES = 6
#: a cycle by hand: (profile, whether on the AD connector)
CYCLE = (
    ("Delta Import", True),
    ("Delta Import", False),
    ("Delta Synchronization", True),
    ("Delta Synchronization", False),
    ("Export", False),
    ("Export", True),
)


def kind(name: str) -> Callable[[Build], Build]:
    """Register a kind under its name."""

    def register(build: Build) -> Build:
        KINDS[name] = build
        return build

    return register


def place(rng: random.Random, stage: str | None = None) -> dict[str, Any]:
    """A call of a cmdlet in a stage (any, when not given), before or after its effect."""
    cmdlet, most = rng.choice(STAGES[stage or rng.choice(list(STAGES))])
    return {"cmdlet": cmdlet, "skip": rng.randint(0, most), "moment": rng.choice(["before", "after"])}


def phase(rng: random.Random) -> dict[str, Any]:
    """A phase of a cycle: mostly between it and the next one, which leaves no run that tells of it; sometimes in the middle of it."""
    return {"phase": rng.randrange(PHASES), "moment": rng.choice(["before", "within", "after", "after"])}


def comes_back(rng: random.Random) -> dict[str, Any]:
    """How a service dies, and whether and when it comes back."""
    back = rng.choice([None, 0.2, 1.0, 2.5])
    return {"graceful": rng.random() < 0.6, "seconds": back, "moves_next_start": rng.random() < 0.5}
