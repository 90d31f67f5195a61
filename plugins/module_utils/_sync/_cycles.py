# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Cycles in a run history, and the parts that a cycle has and lacks. Pure; private to the collection.

A cycle carries what was in the directory at a moment if every AD connector imported at or after it, was synchronised
afterwards, and an export to the cloud followed: an import alone carries nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Iterable, Iterator, Sequence

from .._engines._contract import Connector, Run, Step
from ._run_results import severity

_WORDS = {"import": "import", "synchronization": "synchronisation", "export": "export"}


@dataclass(frozen=True)
class Cycle:
    """The runs of one synchronisation over all connectors, oldest first."""

    runs: tuple[Run, ...]

    @property
    def started(self) -> datetime:
        """When its first run began."""
        return self.runs[0].started

    @property
    def running(self) -> tuple[Run, ...]:
        """Its runs that have not ended."""
        return tuple(run for run in self.runs if not is_over(run))

    @property
    def finished(self) -> datetime | None:
        """When its last run ended; None while one runs."""
        return None if self.running else max(run.ended for run in self.runs if run.ended is not None)

    @property
    def stopped(self) -> tuple[Run, ...]:
        """Its runs that could not do their work."""
        return tuple(run for run in self.runs if severity(run.result) == "stopped")


@dataclass(frozen=True)
class Parts:
    """What a cycle has of what it should have.

    lacking: what has to have done its work for anything to be carried. missing: what belongs to a cycle besides.
    absent: what of both is not there at all, or goes on. All three are words for people.
    connectors_known: whether it is known which AD connectors there are; else those of the cycle stand for all.
    """

    lacking: tuple[str, ...]
    missing: tuple[str, ...]
    absent: tuple[str, ...]
    connectors_known: bool


def is_over(run: Run) -> bool:
    """Whether a run has ended: it has an end, and its result is none of a run that goes on."""
    return run.ended is not None and severity(run.result) != "running"


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


def cycle_begun_at(runs: Iterable[Run], since: datetime) -> Cycle | None:
    """The first cycle of which every run began at or after a moment: what an idle engine that accepts a start begins then.

    A cycle begins with an import. What begins with anything else is the rest of an earlier one, whose last short runs may have
    begun within the rounding of times, and counts only where there is nothing else.
    """
    cycles = group_cycles(run for run in runs if run.started >= since)
    return next((cycle for cycle in cycles if cycle.runs[0].does("import")), next(iter(cycles), None))


def import_began(cycle: Cycle, connectors: Sequence[Connector]) -> datetime | None:
    """When the first import of an AD connector began; None if none has."""
    known = {one.identifier for one in connectors if one.on_directory}
    begun = [run.started for run in cycle.runs if run.does("import") and run.on_directory and (not known or run.connector_id in known)]
    return min(begun, default=None)


def parts_of(cycle: Cycle, plan: Sequence[Step], connectors: Sequence[Connector], since: datetime, *, full: bool) -> Parts:
    """Hold a cycle against what it should consist of.

    Args:
        plan: the steps of a cycle, in their order.
        connectors: of the engine; empty where they are not known.
        since: on the clock of the sync server; an import that began before it does not count.
        full: whether only full imports and synchronisations count.
    """
    lacking: list[str] = []
    missing: list[str] = []
    absent: list[str] = []
    known = any(one.on_directory for one in connectors)
    ready = since  # a part counts only if it began after the one that it builds on
    for step in plan:
        ended = []
        for identifier, name in _targets(cycle, connectors, step):
            words = f"{'the full' if _must_be_full(step, full) else 'the'} {_WORDS[step.kind]} on {name}"
            # What carries nothing only has to belong to the cycle: some engines import the cloud's side before the directory's.
            runs = _runs_of(cycle, step, identifier, ready if step.carries else cycle.started, full=full)
            if not runs:
                absent.append(words)
            run = next((one for one in runs if severity(one.result) != "stopped"), None)
            if run is None:
                (lacking if step.carries else missing).append(words)
            elif run.ended is not None:
                # A run may import and synchronise in one step; what builds on an import builds on all that came after its beginning.
                ended.append(run.started if step.kind == "import" else run.ended)
        if step.carries and ended:
            ready = max([ready, *ended])
    return Parts(tuple(lacking), tuple(missing), tuple(absent), known)


def _targets(cycle: Cycle, connectors: Sequence[Connector], step: Step) -> Iterator[tuple[str | None, str]]:
    """(identifier, name) of the connectors on which a step has to have run; None stands for any."""
    targets: list[tuple[str | None, str]] = []
    if step.on_directory:
        targets = [(one.identifier, one.name) for one in connectors if one.on_directory]
        targets = targets or [*sorted({(run.connector_id, run.connector) for run in cycle.runs if run.on_directory})]
    yield from targets or [(None, "the directory" if step.on_directory else "the cloud connector")]


def _runs_of(cycle: Cycle, step: Step, identifier: str | None, since: datetime, *, full: bool) -> list[Run]:
    """The ended runs of a step on a connector."""
    return [
        run
        for run in cycle.runs
        if run.does(step.kind)
        and run.on_directory == step.on_directory
        and identifier in (None, run.connector_id)
        and (run.full or not _must_be_full(step, full))
        and is_over(run)
        and run.started >= since
    ]


def _must_be_full(step: Step, full: bool) -> bool:
    return full and step.carries and step.kind != "export"
