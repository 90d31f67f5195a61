# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What a run's result string means, and what a cycle's runs come to. Pure decisions; private to the collection.

The strings are the step results of the FIM family (RunHistory.xsd; Microsoft open specification MS-UPSMODS 2.2.1.1.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Sequence

from .._engines._contract import Events, Run

#: results that say more than that a run stopped -> our failure reason
_REASONS = {
    "stopped-deletion-threshold-exceeded": "deletion_threshold",
    "no-start-credentials": "connector_credentials",
    "no-start-connection": "connector_unreachable",
    "no-start-no-domain-controller": "connector_unreachable",
    "stopped-server-down": "connector_unreachable",
    "stopped-connectivity": "connector_unreachable",
    "stopped-extension-dll-exception": "cloud_sign_in_blocked",
}
_RUNNING = ("in-progress", "completing-obsoletion", "completing-referential-updates", "completing-recomputation")
_HARMLESS = ("success", "completed-no-objects", "completed-warnings", "completed-skipped-already-completed", "completed-transient-objects")

#: event of an export error of a single object, of the deletion threshold, of refused cloud access (Application log)
_EVENT_OBJECT_ERROR = "ADSync/6941"
_EVENT_DELETION_THRESHOLD = "Directory Synchronization/116"
_EVENT_CLOUD_REFUSED = "Directory Synchronization/115"


@dataclass(frozen=True)
class Verdict:
    """What is to be said of a finished cycle: a failure reason and a sentence, or None and an empty sentence."""

    reason: str | None
    sentence: str = ""


def severity(result: str) -> str:
    """One of running, success, errors (objects had errors) or stopped (the run could not do its work)."""
    if result in _RUNNING:
        return "running"
    if result in _HARMLESS or (result.startswith("completed-") and result.endswith("warnings")):
        return "success"
    return "errors" if result.startswith("completed-") else "stopped"


def judge_runs(runs: Sequence[Run], fail_on: str) -> Verdict:
    """The verdict on the runs of one cycle.

    Args:
        runs: in any order.
        fail_on: stopped (only a run that could not do its work is a failure), errors (also object errors), never.
    """
    if fail_on == "never":
        return Verdict(None)
    stopped = [run for run in runs if severity(run.result) == "stopped"]
    if stopped:
        telling = next((run for run in stopped if run.result in _REASONS), stopped[0])
        sentence = f"{_name(telling)} ended with {telling.result}."
        return Verdict(_REASONS.get(telling.result, "cycle_failed"), sentence)
    faulty = [run for run in runs if severity(run.result) == "errors"]
    if faulty and fail_on == "errors":
        objects = [error["dn"] for run in faulty for error in run.errors]
        named = f": {'; '.join(objects[:3])}" + (" and others" if len(objects) > 3 else "") if objects else ""
        return Verdict("object_errors", f"{_name(faulty[0])} ended with {faulty[0].result}{named}.")
    return Verdict(None)


def judge_events(events: Events, fail_on: str) -> Verdict:
    """The verdict when only events can be read: less sharp, but the gravest faults leave a mark there."""
    if fail_on == "never":
        return Verdict(None)
    if _EVENT_DELETION_THRESHOLD in events.counts:
        return Verdict("deletion_threshold", "The engine suppressed its deletions (event 116).")
    if _EVENT_CLOUD_REFUSED in events.counts:
        return Verdict("cloud_sign_in_blocked", "The cloud refused the engine (event 115).")
    if _EVENT_OBJECT_ERROR in events.counts and fail_on == "errors":
        return Verdict(
            "object_errors", f"The engine reported {events.counts[_EVENT_OBJECT_ERROR]} export error(s) of single objects (event 6941)."
        )
    return Verdict(None)


def change_report(runs: Iterable[Run]) -> dict[str, dict[str, int]]:
    """What the runs changed: {import, export} -> {add, update, delete, failed}, summed over the connectors."""
    report = {kind: {"add": 0, "update": 0, "delete": 0, "failed": 0} for kind in ("import", "export")}
    for run in runs:
        if run.kind in report:
            for word, number in run.counts.items():
                report[run.kind][word] += number
    return report


def _name(run: Run) -> str:
    return f"{run.profile} on {run.connector}"
