# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What really happened on the sync server, for tests that judge by side effects.

Kept by the lab itself, apart from everything that the server shows: purging the run history, setting the clock or ending the service
takes nothing away from it. All times are real ones (time.time()), whatever the server's clock says.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from .run_history import RunRecord


@dataclass
class StartRequest:
    """One call of Start-ADSyncSyncCycle that has reached the engine.

    outcome: accepted, refused (the engine said no) or lost (the service was away). cycle: the number of the cycle that came of it, or None.
    """

    at: float
    user: str
    full: bool
    outcome: str = "lost"
    cycle: int | None = None


@dataclass
class CycleTruth:
    """One cycle. by: the user whose request it was, or `scheduler`. over: None while it runs. whole: all its phases ran to their end."""

    number: int
    by: str
    full: bool
    began: float
    over: float | None = None
    whole: bool = False


@dataclass
class TaskTruth:
    """One scheduled task, and when it was registered, started, ended and removed."""

    path: str
    name: str
    user: str
    registered: float
    started: float | None = None
    ended: float | None = None
    removed: float | None = None


@dataclass
class ObjectRequest:
    """One call of Invoke-ADSyncSingleObjectSync that reached the engine. scheduler_off: it was off then. result: None where it refused."""

    at: float
    dn: str
    no_html_report: bool
    scheduler_off: bool
    result: str | None = None


@dataclass
class ServerRecord:
    """Everything, oldest first."""

    #: what Set-ADSyncScheduler was given, each time
    settings: list[dict[str, Any]] = field(default_factory=list)
    starts: list[StartRequest] = field(default_factory=list)
    cycles: list[CycleTruth] = field(default_factory=list)
    runs: list[RunRecord] = field(default_factory=list)
    tasks: list[TaskTruth] = field(default_factory=list)
    objects: list[ObjectRequest] = field(default_factory=list)
    #: (when, on) of every Set-ADSyncScheduler -SyncCycleEnabled
    switches: list[tuple[float, bool]] = field(default_factory=list)
    #: (when, what) of every fault and every act of somebody else
    happenings: list[tuple[float, str]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def note(self, what: str) -> None:
        """Write down that something happened."""
        with self.lock:
            self.happenings.append((time.time(), what))

    def starts_of(self, user: str) -> list[StartRequest]:
        """The requests of one account, named with or without its domain."""
        with self.lock:
            return [one for one in self.starts if _same(one.user, user)]

    def cycles_of(self, user: str) -> list[CycleTruth]:
        """The cycles that one account started."""
        with self.lock:
            return [one for one in self.cycles if _same(one.by, user)]

    def carried_since(self, since: float, until: float | None = None, *, export: bool = True, full: bool = False) -> bool:
        """Whether what was in the directories at a time has come to the cloud.

        Every AD connector imported to the end in a run that began at or after it, was synchronised after that, and then an export to the cloud
        connector ran to its end. Which cycle a run belonged to does not matter to the objects, so it does not matter here.

        Args:
            since, until: seconds of time.time(); until: None is now.
            export: False in staging, where nothing is exported. full: only full imports and synchronisations count.
        """
        with self.lock:
            ended = [run for run in self.runs if run.did_its_work and run.over is not None and run.over <= (until or time.time())]
            done = [run for run in ended if not full or run.kind == "export" or run.profile.startswith("Full")]
            directories = {run.connector.identifier for run in self.runs if run.connector.is_directory} | self.directories
        synchronised = []
        for directory in directories:
            mine = [run for run in done if run.connector.identifier == directory]
            imports = [run.over for run in mine if run.kind == "import" and run.began >= since and run.over is not None]
            if not imports:
                return False
            after = [run.over for run in mine if run.kind == "synchronization" and run.began >= min(imports) and run.over is not None]
            if not after:
                return False
            synchronised.append(min(after))
        if not export or not synchronised:
            return bool(synchronised)
        exports = [run for run in done if run.kind == "export" and not run.connector.is_directory]
        return any(run.began >= max(synchronised) for run in exports)

    #: identifiers of the AD connectors; set by the engine
    directories: set[object] = field(default_factory=set)

    def as_lines(self, since: float = 0.0) -> list[str]:
        """Everything in the order of time, one line each, with seconds from `since`."""
        with self.lock:
            lines = list(self.happenings)
            for start in self.starts:
                lines.append((start.at, f"start requested by {start.user}: {start.outcome}, cycle {start.cycle}"))
            for cycle in self.cycles:
                lines.append((cycle.began, f"cycle {cycle.number} of {cycle.by} begins"))
                if cycle.over is not None:
                    lines.append((cycle.over, f"cycle {cycle.number} is over" + ("" if cycle.whole else ", not whole")))
            for run in self.runs:
                lines.append((run.began, f"{run.profile} on {run.connector.name} begins (cycle {run.cycle})"))
                if run.over is not None:
                    work = "did its work" if run.did_its_work else "did not do its work"
                    lines.append((run.over, f"{run.profile} on {run.connector.name} is over: {run.result}, {work}"))
            for task in self.tasks:
                stages = (("registered", task.registered), ("started", task.started), ("ended", task.ended), ("removed", task.removed))
                lines += [(at, f"task {task.name} {word}") for word, at in stages if at is not None]
        return [f"{at - since:8.3f}  {what}" for at, what in sorted(lines)]


def _same(one: str, other: str) -> bool:
    def bare(name: str) -> str:
        return name.rsplit("\\", 1)[-1].split("@", 1)[0].lower()

    return bare(one) == bare(other)
