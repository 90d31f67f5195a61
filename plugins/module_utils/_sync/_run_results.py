# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What a run's result string means, and what a cycle's runs and events come to. Pure decisions; private to the collection.

The strings are the step results of the FIM family (RunHistory.xsd; Microsoft open specification MS-UPSMODS 2.2.1.1.1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterable, Sequence

from .._engines._contract import Events, Run

_DELETIONS = "stopped-deletion-threshold-exceeded"
_EXTENSION = "stopped-extension-dll-exception"
#: results that say more than that a run stopped -> our failure reason
_REASONS = {
    _DELETIONS: "deletion_threshold",
    "no-start-credentials": "connector_credentials",
    "no-start-connection": "connector_unreachable",
    "no-start-no-domain-controller": "connector_unreachable",
    "stopped-server-down": "connector_unreachable",
    "stopped-connectivity": "connector_unreachable",
}
#: what an operator does about these where the connector is the one to the cloud
_CLOUD_REMEDIES = {
    "connector_unreachable": "Check the sync server's way to the cloud: name resolution, proxy, firewall and TLS 1.2.",
    "connector_credentials": "Renew the credential of the engine's cloud account or application.",
}
_RUNNING = ("in-progress", "completing-obsoletion", "completing-referential-updates", "completing-recomputation")
_HARMLESS = ("success", "completed-no-objects", "completed-warnings", "completed-skipped-already-completed", "completed-transient-objects")

#: event of an export error of a single object, of the deletion threshold, of refused cloud access (Application log)
_EVENT_OBJECT_ERROR = "ADSync/6941"
_EVENT_DELETION_THRESHOLD = "Directory Synchronization/116"
_EVENT_CLOUD_REFUSED = "Directory Synchronization/115"


@dataclass(frozen=True)
class Verdict:
    """What is to be said of a finished cycle: a failure reason with a sentence and perhaps a remedy of its own, or nothing."""

    reason: str | None
    sentence: str = ""
    remedy: str | None = None


def severity(result: str) -> str:
    """One of running, success, errors (objects had errors) or stopped (the run could not do its work)."""
    if result in _RUNNING:
        return "running"
    if result in _HARMLESS or (result.startswith("completed-") and result.endswith("warnings")):
        return "success"
    return "errors" if result.startswith("completed-") else "stopped"


def judge_runs(runs: Sequence[Run], events: Events | None, fail_on: str) -> Verdict:
    """The verdict on the runs of one cycle.

    Args:
        runs: in any order.
        events: since the cycle began; they tell causes that the results leave open. None: not readable.
        fail_on: stopped (only a run that could not do its work is a failure), errors (also object errors), never.
    """
    if fail_on == "never":
        return Verdict(None)
    stopped = [run for run in runs if severity(run.result) == "stopped"]
    if stopped:
        return _judge_stopped(next((run for run in stopped if run.result in (*_REASONS, _EXTENSION)), stopped[0]), events)
    faulty = [run for run in runs if severity(run.result) == "errors"]
    if faulty and fail_on == "errors":
        objects = [error["dn"] for run in faulty for error in run.errors]
        named = f": {'; '.join(objects[:3])}" + (" and others" if len(objects) > 3 else "") if objects else ""
        return Verdict("object_errors", f"{_name(faulty[0])} ended with {faulty[0].result}{named}.")
    return Verdict(None)


def _judge_stopped(run: Run, events: Events | None) -> Verdict:
    sentence = f"{_name(run)} ended with {run.result}."
    if run.result == _DELETIONS:
        return Verdict("deletion_threshold", f"{sentence}{_deletion_words(events)}")
    if run.result == _EXTENSION:
        if run.on_directory or (events is not None and _EVENT_CLOUD_REFUSED not in events.counts):
            return Verdict("cycle_failed", sentence, "Read the errors of that run in the Synchronization Service, and its events.")
        if events is None:
            return Verdict(
                "cloud_sign_in_blocked",
                sentence,
                "Mostly the cloud refuses the engine's sign-in (an expired credential, MFA, conditional access), else the way to it is "
                "closed; the Application event log of the sync server says which.",
            )
        return Verdict("cloud_sign_in_blocked", f"{sentence} The cloud refused the engine (event 115).")
    reason = _REASONS.get(run.result, "cycle_failed")
    return Verdict(reason, sentence, None if run.on_directory else _CLOUD_REMEDIES.get(reason))


def judge_events(events: Events, fail_on: str) -> Verdict:
    """The verdict when only events can be read: less sharp, but the gravest faults leave a mark there."""
    if fail_on == "never":
        return Verdict(None)
    pending = _deletions(events)
    # Some builds write the same event for information on the limit: then what is pending lies below it.
    if _EVENT_DELETION_THRESHOLD in events.counts and (pending is None or pending[0] > pending[1]):
        return Verdict("deletion_threshold", f"The engine suppressed its deletions (event 116).{_deletion_words(events)}")
    if _EVENT_CLOUD_REFUSED in events.counts:
        return Verdict("cloud_sign_in_blocked", "The cloud refused the engine (event 115).")
    if _EVENT_OBJECT_ERROR in events.counts and fail_on == "errors":
        return Verdict(
            "object_errors", f"The engine reported {events.counts[_EVENT_OBJECT_ERROR]} export error(s) of single objects (event 6941)."
        )
    return Verdict(None)


def _deletions(events: Events | None) -> tuple[int, int] | None:
    """The numbers of event 116: pending deletions and limit, in this order in every language that is known; None where there are none."""
    for event in events.errors if events else ():
        if f"{event['provider']}/{event['id']}" != _EVENT_DELETION_THRESHOLD:
            continue
        numbers = [int(re.sub(r"\D", "", word)) for word in re.findall(r"\d{1,3}(?:[.,' \u00a0\u202f]\d{3})+|\d{1,9}", event["message"])]
        if len(numbers) >= 2:
            return numbers[0], numbers[1]
    return None


def _deletion_words(events: Events | None) -> str:
    numbers = _deletions(events)
    return f" {numbers[0]} deletions are pending, the limit is {numbers[1]}." if numbers else ""


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
