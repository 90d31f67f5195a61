# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Cycles in a run history, and what they cover. Pure decisions; private to the collection.

A cycle covers a watermark if its import began at or after it: what was in the directory then has been carried.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Iterable, Sequence

from .._engines._contract import Run
from ._run_results import severity


@dataclass(frozen=True)
class Cycle:
    """The runs of one synchronisation over all connectors, oldest first."""

    runs: tuple[Run, ...]

    @property
    def started(self) -> datetime:
        """When its first run began."""
        return self.runs[0].started

    @property
    def finished(self) -> datetime | None:
        """When its last run ended; None while one runs."""
        if any(run.ended is None for run in self.runs):
            return None
        return max(run.ended for run in self.runs if run.ended is not None)

    @property
    def full(self) -> bool:
        """Whether every import of a directory was a full one."""
        imports = [run for run in self.runs if run.kind == "import" and run.on_directory]
        return bool(imports) and all(run.profile.startswith("Full") for run in imports)

    def import_began(self, connectors: Iterable[str]) -> datetime | None:
        """When the earliest of the imports of these AD connectors (identifiers) began; None if one of them has not imported."""
        begun = {
            run.connector_id: run.started
            for run in self.runs
            if run.kind == "import" and run.on_directory and severity(run.result) != "stopped"
        }
        wanted = list(connectors) or list(begun)
        if not wanted or any(connector not in begun for connector in wanted):
            return None
        return min(begun[connector] for connector in wanted)


def group_cycles(runs: Iterable[Run]) -> list[Cycle]:
    """Cut a run history into cycles, oldest first.

    The order within a cycle is: imports, synchronisations, exports (Microsoft, scheduler documentation). So an import
    that follows anything but an import begins a new cycle; so does a profile that its connector has run in this cycle already.
    """
    groups: list[list[Run]] = []
    for run in sorted(runs, key=lambda one: (one.started, one.number)):
        current = groups[-1] if groups else None
        if (
            current is None
            or (run.kind == "import" and current[-1].kind != "import")
            or any(one.connector_id == run.connector_id and one.profile == run.profile for one in current)
        ):
            groups.append([run])
        else:
            current.append(run)
    return [Cycle(tuple(group)) for group in groups]


def covering_cycle(runs: Sequence[Run], watermark: datetime, connectors: Iterable[str], *, full: bool, in_progress: bool) -> Cycle | None:
    """The first cycle that carries what was in the directory at the watermark, running or finished.

    A finished cycle counts only if it went beyond its imports (a lone import run by hand carries nothing) and if none of
    its runs was kept from doing its work: then the next cycle has something to make good.

    Args:
        runs: the history, in any order.
        watermark: on the clock of the sync server.
        connectors: identifiers of the AD connectors that must have imported.
        full: whether only a full cycle will do.
        in_progress: whether a cycle runs now; then the newest one is not over, even if no run is under way at the moment.
    """
    wanted = [connector.lower() for connector in connectors]
    cycles = group_cycles(runs)
    for cycle in cycles:
        began = cycle.import_began(wanted)
        if began is None or began < watermark or (full and not cycle.full):
            continue
        if in_progress and cycle is cycles[-1]:
            return cycle
        synchronised = any(run.kind == "synchronization" for run in cycle.runs)
        if cycle.finished is not None and synchronised and not any(severity(run.result) == "stopped" for run in cycle.runs):
            return cycle
    return None


def cycle_begun_at(runs: Sequence[Run], since: datetime, tolerance: timedelta) -> Cycle | None:
    """The cycle that was started at a moment at which the engine was idle.

    Args:
        runs: the history, in any order.
        since: on the clock of the sync server.
        tolerance: by which the engine's own times may lie before it. What had ended before the moment was another cycle all the same.
    """
    near = [one for one in group_cycles(runs) if one.started >= since - tolerance and (one.finished is None or one.finished >= since)]
    return min(near, key=lambda one: abs(one.started - since), default=None)
