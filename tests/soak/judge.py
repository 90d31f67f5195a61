# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The judge: is what the task says better than what the server did? Pure decisions over one run.

The words of the result mean what the documentation of dirsync_trigger says: started (accepted) < confirmed (seen running, or its traces) <
finished (it has ended) < verified (every AD connector imported at or after the watermark, was synchronised, and an export to the cloud ran).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lab.connect import CycleTruth, ServerRecord, StartRequest

from .execute import Observed, Outcome

#: seconds that a task may take beyond wait_timeout
_BEYOND = 5.0
#: seconds by which clocks that are read one after the other may differ
_TICK = 0.005

#: every kind of violation, the gravest first
VIOLATIONS = (
    "verified without proof",
    "finished without a cycle",
    "finished while it runs on",
    "confirmed without a cycle",
    "started without a start",
    "own though somebody else's",
    "start forgotten",
    "second start",
    "covered and started again",
    "credentials sent elsewhere",
    "raised",
    "too long",
    "task left",
    "folder left",
    "task folder left",
    "shell left",
    "fault of the lab",
)


@dataclass(frozen=True)
class Violation:
    """One thing that must not be: one of VIOLATIONS, and the particulars."""

    kind: str
    words: str


def judge(observed: Observed) -> list[Violation]:
    """Everything that is wrong with a run."""
    found: list[Violation] = []
    for outcome in observed.outcomes:
        found += _judge_time(outcome, float(observed.scenario.params["wait_timeout"]))
        if outcome.raised:
            lines = outcome.raised.strip().splitlines()
            place = [line.strip() for line in lines if line.strip().startswith("File ")][-1:]
            found.append(Violation("raised", " ".join([lines[-1], *place])))
        found += _judge_starts(observed.record, outcome)
        if outcome.result is not None:
            found += _judge_verdict(observed, outcome, outcome.result)
    found += _judge_repetition(observed)
    found += _judge_leftovers(observed)
    if (
        observed.elsewhere and observed.scenario.transport == "winrm"
    ):  # where Ansible's own connection plugin goes is not for the task to say
        found.append(Violation("credentials sent elsewhere", ", ".join(observed.elsewhere)))
    found += [Violation("fault of the lab", words) for words in observed.lab_failures]
    return found


def _judge_time(outcome: Outcome, wait_timeout: float) -> list[Violation]:
    took, allowed = outcome.returned - outcome.called, wait_timeout + _BEYOND
    if outcome.ended and took <= allowed + outcome.stalled:
        return []
    words = f"{took:.1f} s, allowed {allowed:.0f} s" + ("" if outcome.ended else ", and it had not ended then")
    return [Violation("too long", words)]


def _own_starts(record: ServerRecord, outcome: Outcome) -> list[StartRequest]:
    """The accepted requests of this task, also such as arrived when it had ended."""
    mine = [one for one in record.starts_of(outcome.user) if one.outcome == "accepted" and one.at >= outcome.called]
    return [one for one in mine if outcome.until is None or one.at < outcome.until]


def _judge_starts(record: ServerRecord, outcome: Outcome) -> list[Violation]:
    accepted = _own_starts(record, outcome)
    found = []
    if len(accepted) > 1:
        found.append(Violation("second start", f"{len(accepted)} starts of one task were accepted"))
    if accepted and outcome.result is not None:
        changed, ownership = outcome.result.get("changed"), (outcome.result.get("sync") or {}).get("ownership")
        if not changed or ownership is None:
            late = ", after the task had ended" if accepted[0].at > outcome.returned else ""
            found.append(Violation("start forgotten", f"accepted{late}, and the result says changed {changed}, ownership {ownership}"))
    return found


def _judge_verdict(observed: Observed, outcome: Outcome, result: dict[str, Any]) -> list[Violation]:
    record, scenario = observed.record, observed.scenario
    sync = result.get("sync") or {}
    state, ownership = sync.get("state"), sync.get("ownership")
    accepted = _own_starts(record, outcome)
    found = []
    if ownership == "own":
        found += _judge_ownership(record, outcome, result, accepted)
    if result.get("failed") or result.get("failure_reason"):
        return found  # a failure is no verdict on the watermark; what it says of the start has been judged
    words = f"changed {result.get('changed')}, {ownership}, {state}: {result.get('msg')}"
    full = scenario.params.get("type") == "full"
    waited = scenario.params.get("wait", True)
    counting = _counting_cycles(record, outcome)
    if state == "verified" and not record.carried_since(
        outcome.since - _TICK, outcome.returned, export=not scenario.connect.get("staging"), full=full
    ):
        found.append(Violation("verified without proof", words))
    if state in ("finished", "verified"):
        ended = any(one.over is not None and one.over <= outcome.returned for one in counting)
        if not ended and not record.carried_since(outcome.since - _TICK, outcome.returned, export=False):
            found.append(Violation("finished without a cycle", words))
        if _runs_on(record, outcome, result, accepted):
            found.append(Violation("finished while it runs on", words))
    if state == "confirmed" and not counting:
        planned = any("interval_changed" in what or "service is back" in what for _at, what in record.happenings)
        if not (planned and result.get("warnings")):  # a next start that moved is a hint; with a warning it may be taken for one
            found.append(Violation("confirmed without a cycle", words))
    if state in ("started", None) and waited and not accepted:
        found.append(Violation("started without a start", words))
    return found


def _counting_cycles(record: ServerRecord, outcome: Outcome) -> list[CycleTruth]:
    """The cycles that began, or at least imported from a directory, at or after the watermark, while the task ran or before."""
    since = outcome.since - _TICK
    with record.lock:
        imported = {
            run.cycle
            for run in record.runs
            if run.kind == "import" and run.connector.is_directory and since <= run.began <= outcome.returned
        }
        return [one for one in record.cycles if since <= one.began <= outcome.returned or one.number in imported]


def _judge_ownership(record: ServerRecord, outcome: Outcome, result: dict[str, Any], accepted: list[StartRequest]) -> list[Violation]:
    if not accepted:
        return [Violation("own though somebody else's", "no start of this task was ever accepted")]
    mine = {one.cycle for one in accepted if one.cycle is not None}
    with record.lock:
        seen = any(run.cycle in mine for run in record.runs)
    if not seen:
        return []  # accepted, and it left no run: from outside, another cycle at that time looks the same
    shown = {(run.get("connector"), run.get("number")) for run in result.get("runs") or []}
    with record.lock:
        strangers = sorted({str(run.cycle) for run in record.runs if (run.connector.name, run.number) in shown and run.cycle not in mine})
    if strangers:
        return [Violation("own though somebody else's", f"it shows runs of cycle {', '.join(strangers)}, its own is {sorted(mine)}")]
    return []


def _runs_on(record: ServerRecord, outcome: Outcome, result: dict[str, Any], accepted: list[StartRequest]) -> bool:
    """Whether the cycle that is said to have ended had not when the task ended."""
    mine = {one.cycle for one in accepted}
    shown = {(run.get("connector"), run.get("number")) for run in result.get("runs") or []}
    with record.lock:
        theirs = {run.cycle for run in record.runs if (run.connector.name, run.number) in shown and run.cycle is not None}
        claimed = [one for one in record.cycles if one.number in (theirs or mine)]
    return any(one.over is None or one.over > outcome.returned + _TICK for one in claimed)


def _judge_repetition(observed: Observed) -> list[Violation]:
    """The same task once more, when the first one had proven that everything was carried: nothing is to be done."""
    if not observed.scenario.repeat or len(observed.outcomes) < 2:
        return []
    first, second = observed.outcomes[0], observed.outcomes[-1]
    if first.result is None or first.result.get("failed") or (first.result.get("sync") or {}).get("state") != "verified":
        return []
    scenario = observed.scenario
    imports = [
        run.began for run in observed.record.runs if run.kind == "import" and run.connector.is_directory and run.began >= first.since
    ]
    # By how much the second task cannot know the clock of the server: the start of a process, and what this machine needs.
    unknown = float(scenario.estate.get("process_start", 0.0)) + second.stalled + (3.0 if scenario.powershell else 0.4)
    margin = min(imports, default=first.since) - first.since
    if second.result is not None and second.result.get("changed") and margin > unknown:
        return [Violation("covered and started again", str(second.result.get("msg")))]
    return []


def _judge_leftovers(observed: Observed) -> list[Violation]:
    left = observed.left
    if could_not_tidy(observed) or not all(one.ended for one in observed.outcomes):
        return []
    found = []
    kinds = (("tasks", "task left"), ("orphans", "task left"), ("folders", "folder left"), ("task_folders", "task folder left"))
    for key, kind in kinds:
        if left[key]:
            found.append(Violation(kind, ", ".join(left[key])))
    if left["shells"] > len(observed.struck):
        found.append(Violation("shell left", f"{left['shells']} open, {len(observed.struck)} faults of the connection"))
    return found


def could_not_tidy(observed: Observed) -> bool:
    """Whether this task could take nothing away any more.

    Its connection broke and did not come back, or no time was left after it; or the time was over, and this machine was too busy to
    finish what had been begun.
    """
    wait_timeout = float(observed.scenario.params["wait_timeout"])
    if any(one.returned - one.called >= wait_timeout and one.stalled >= 0.5 for one in observed.outcomes):
        return True
    if not observed.struck:
        return False
    last = max(one.at for one in observed.struck)
    if any(at > last for at in observed.commands):
        return False
    return observed.cut_off or any(one.returned - one.called >= wait_timeout - 1.0 for one in observed.outcomes)
