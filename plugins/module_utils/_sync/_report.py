# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What a synchronisation task reports: always the same keys, moments on the caller's clock. Private to the collection."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from .._engines._contract import History, Probe, Run
from .._timestamps import format_utc
from ._cycles import Cycle
from ._run_results import change_report


def blank_result(since: datetime, type: str) -> dict[str, Any]:
    """All result keys of a task that did not come to know its engine."""
    zero = change_report(())
    sync = dict.fromkeys(("ownership", "state", "requested_at", "started_at", "finished_at", "duration"))
    return {
        "changed": False,
        "engine": None,
        "version": None,
        "sync": {"type": type, "since": format_utc(since), **sync},
        "runs": [],
        "changes": zero,
        "evidence": [],
        "clock_skew": None,
    }


class SyncReport:
    """Collects what is known, rung by rung: started, confirmed, finished, verified.

    Args:
        engine: name of the engine. since: the watermark on the caller's clock. type: delta or full.
        probe: the first look; its clock difference moves the server's moments onto the caller's clock.
    """

    def __init__(self, engine: str, since: datetime, type: str, probe: Probe) -> None:
        self.engine, self.since, self.type, self.probe = engine, since, type, probe
        self.changed = False
        self.ownership: str | None = None
        self.state: str | None = None
        self.requested_at: datetime | None = None
        self.started_at: datetime | None = None
        self.finished_at: datetime | None = None
        self.runs: tuple[Run, ...] = ()
        self.evidence: list[str] = ["scheduler"]
        self.warnings: list[str] = []
        self.msg = ""

    def own(self, requested: datetime) -> None:
        """The engine accepted our start."""
        self.changed, self.ownership, self.state, self.requested_at = True, "own", "started", requested

    def unconfirmed(self) -> None:
        """Our start may or may not have been carried out."""
        self.changed, self.ownership = True, "unconfirmed"

    def foreign(self, started: datetime) -> None:
        """A cycle of somebody else counts."""
        self.ownership, self.started_at = "foreign", started

    def confirmed(self, first_active: datetime | None) -> None:
        """It was seen running, or its traces were."""
        self.state = "confirmed"
        self.started_at = first_active or self.started_at

    def finished(self, ended: datetime | None) -> None:
        """The engine runs nothing any more."""
        self.state, self.finished_at = "finished", ended

    def take_runs(self, cycle: Cycle) -> None:
        """The results have been read: the run history's own times are better than what watching saw."""
        self.runs = cycle.runs
        self.state = "verified"
        self.started_at = cycle.started
        self.finished_at = self.finished_at or cycle.finished
        self.evidence.append("run_history")

    def ending(self) -> str:
        """The end of a sentence on what is known."""
        return "has finished, and its results are verified" if self.state == "verified" else f"has {self.state}"

    def warn_without_history(self, history: History) -> None:
        """Say which half of the truth is missing, and why."""
        if history.runs is None:
            self.warnings.append(f"The results of the runs could not be read, so they are not verified: {history.runs_problem}.")
        else:
            self.warnings.append("The run history does not show the runs of this cycle, so they are not verified.")
        if history.events is None and history.events_problem:
            self.warnings.append(f"The events could not be read either: {history.events_problem}.")

    def as_result(self) -> dict[str, Any]:
        """The result keys of dirsync_trigger."""
        started, finished = self._here(self.started_at), self._here(self.finished_at)
        sync = {
            "type": self.type,
            "since": format_utc(self.since),
            "ownership": self.ownership,
            "state": self.state,
            "requested_at": format_utc(self._here(self.requested_at)),
            "started_at": format_utc(started),
            "finished_at": format_utc(finished),
            "duration": round((finished - started).total_seconds(), 3) if started and finished else None,
        }
        changes = change_report(self.runs)
        return {
            "changed": self.changed,
            "engine": self.engine,
            "version": self.probe.version,
            "sync": sync,
            "runs": [self._run(run) for run in self.runs],
            "changes": changes,
            "evidence": list(self.evidence),
            "clock_skew": round(self.probe.server_lead, 1),
            "failure_reason": None,
            "msg": self.msg,
            "warnings": list(self.warnings),
            "diff": {
                "before": {"carried_since": None if self.changed else sync["since"]},
                "after": {"carried_since": sync["since"], "ownership": self.ownership, "state": self.state, "changes": changes}
                if self.changed
                else {"carried_since": sync["since"]},
            },
        }

    def _run(self, run: Run) -> dict[str, Any]:
        return {
            "connector": run.connector,
            "profile": run.profile,
            "number": run.number,
            "result": run.result,
            "started_at": format_utc(self._here(run.started)),
            "finished_at": format_utc(self._here(run.ended)),
            "counts": dict(run.counts),
            "errors": [dict(error) for error in run.errors],
        }

    def _here(self, moment: datetime | None) -> datetime | None:
        """A moment of the server's clock on the caller's clock."""
        return None if moment is None else moment - timedelta(seconds=self.probe.server_lead)
