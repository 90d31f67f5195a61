# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What a synchronisation task reports: always the same keys, times on the caller's clock. Pure; private to the collection."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from .._engines._contract import Run
from .._printable import printable
from .._remote._clock import ClockLead
from .._timestamps import format_utc
from ._actions import Stop
from ._desired import DesiredCycle
from ._observed import Observed
from ._proof import Proof
from ._retired import retired
from ._run_results import change_report


def blank_result(since: datetime, type: str) -> dict[str, Any]:
    """All result keys of a task that did not come to know its engine."""
    sync = dict.fromkeys(("ownership", "state", "requested_at", "started_at", "finished_at", "duration"))
    return {
        "changed": False,
        "engine": None,
        "version": None,
        "support": None,
        "sync": {"type": type, "since": format_utc(since), **sync},
        "objects": [],
        "runs": [],
        "changes": change_report(()),
        "evidence": [],
        "clock_skew": None,
        "clock_uncertainty": None,
        "skip_reason": None,
        "ticket": None,
    }


def result_keys(engine: str, desired: DesiredCycle, seen: Observed, proof: Proof, stop: Stop) -> dict[str, Any]:
    """The result keys of dirsync_trigger at the end of a task."""
    request = seen.request
    requested = request is not None and request.counts
    changed = (requested and desired.ticket is None) if stop.changed is None else stop.changed
    started, finished = here(proof.started, seen.lead), here(proof.finished, seen.lead)
    sync = {
        "type": "full" if request is not None and request.full else desired.type,
        "since": format_utc(desired.since),
        "ownership": proof.ownership,
        "state": proof.state,
        "requested_at": format_utc(here(request.at, seen.lead)) if request is not None and requested else None,
        "started_at": format_utc(started),
        "finished_at": format_utc(finished),
        "duration": round((finished - started).total_seconds(), 3) if started and finished else None,
    }
    runs = proof.cycle.runs if proof.cycle is not None else ()
    changes = change_report(runs)
    carried = {"carried_since": sync["since"]}
    return {
        "changed": changed,
        "engine": engine,
        "version": printable(seen.probe.version, 50) if seen.probe.version else None,
        "support": seen.probe.support,
        "sync": sync,
        "objects": [],
        "runs": [run_keys(run, seen.lead) for run in runs],
        "changes": changes,
        "evidence": list(proof.evidence),
        **clock_keys(seen.lead),
        "skip_reason": stop.skip_reason,
        **({"skipped": True} if stop.skip_reason else {}),
        "failure_reason": None,
        "msg": printable(stop.sentence, 1000),
        "warnings": [printable(warning, 600) for warning in dict.fromkeys((*retired(seen), *seen.warnings, *stop.warnings))],
        "diff": {
            "before": {"carried_since": None} if changed else carried,
            "after": {**carried, "ownership": proof.ownership, "state": proof.state, "changes": changes} if changed else carried,
        },
    }


def run_keys(run: Run, lead: ClockLead) -> dict[str, Any]:
    """One run, as results show it."""
    return {
        "connector": printable(run.connector),
        "profile": printable(run.profile),
        "number": run.number,
        "result": printable(run.result, 100),
        "started_at": format_utc(here(run.started, lead)),
        "finished_at": format_utc(here(run.ended, lead)),
        "counts": dict(run.counts),
        "errors": [dict(error) for error in run.errors],
    }


def clock_keys(lead: ClockLead) -> dict[str, float]:
    """How far the server's clock is ahead, in seconds, and by how much that may be wrong either way."""
    return {"clock_skew": round(lead.middle, 1), "clock_uncertainty": round(lead.width / 2, 1)}


def here(at: datetime | None, lead: ClockLead) -> datetime | None:
    """A time of the server's clock on the caller's clock."""
    return None if at is None else at - timedelta(seconds=lead.middle)
