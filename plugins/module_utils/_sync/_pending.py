# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What to do while a cycle is pending: one that this task has started, or one of somebody else that it awaits. Pure; private to the collection."""

from __future__ import annotations

from .._remote._failures import as_failure
from .._remote._transport import TransportError
from ._actions import Action, Look, ReadHistory, Stop
from ._case import TROUBLE, TROUBLE_PAUSE, Case
from ._observed import LOST
from ._run_results import Verdict, judge_events, judge_runs


def trouble(case: Case) -> Action:
    trouble = case.seen.trouble
    if trouble is None:
        raise AssertionError("every look was answered")
    if case.requested and trouble.seconds < TROUBLE and not case.time_is_over:
        return Look(
            confirm=case.confirm_left,
            pause=TROUBLE_PAUSE,
            words="the sync server does not answer; looking again for what became of the start",
        )
    if case.pending and case.time_is_over and isinstance(trouble.error, TransportError):
        return time_over(case)  # the call was given up because the time was over
    failure = as_failure(trouble.error)
    return Stop(f"{case.asked}{failure.message}", failure.reason, failure.remedy)


def judged(case: Case, sentence: str) -> Stop:
    """The end of a cycle whose runs were read and lack nothing that carries."""
    proof, seen = case.proof, case.seen
    if proof.cycle is None or proof.parts is None:
        raise AssertionError("no runs of the cycle were read")
    events = seen.history.events if seen.history else None
    verdict = judge_runs(proof.cycle.runs, events, case.desired.fail_on)
    return stop(verdict, sentence, warnings_of_parts(case))


def stop(verdict: Verdict, sentence: str, warnings: tuple[str, ...]) -> Stop:
    if verdict.reason is not None:
        return Stop(verdict.sentence, verdict.reason, verdict.remedy, warnings=warnings)
    return Stop(sentence, warnings=warnings)


def warnings_of_parts(case: Case) -> tuple[str, ...]:
    parts, found = case.proof.parts, []
    if parts is not None and parts.missing:
        found.append(f"The cycle lacks {', '.join(parts.missing)}: what was asked for has been carried, the rest is not verified.")
    if parts is not None and not parts.connectors_known:
        found.append("The connectors of the engine could not be read, so it is not verified that all of them took part.")
    if case.seen.state.staging:
        found.append("The server is in staging mode: it imported and synchronised, and exported nothing.")
    return tuple(found)


def proven(case: Case) -> Action:
    ending = "has finished, and its results are verified" if case.proof.state == "verified" else f"has {case.proof.state}"
    if not case.requested:
        return judged(case, "A cycle of somebody else covered it and has finished.")
    if case.seen.request is not None and case.seen.request.answer == LOST:
        return judged(case, "The connection ended during the start; a cycle that began after it covers the watermark.")
    return judged(case, f"The {case.desired.type} cycle was started and {ending}.")


def seen_running(case: Case) -> Action:
    if case.seen.request is not None and case.seen.request.answer == LOST:
        return Stop("The connection ended during the start; a cycle that began after it was seen running.")
    return Stop(f"The {case.desired.type} cycle was started and seen running.")


def time_over(case: Case) -> Action:
    if not case.seen_of_it:
        return Stop(f"{case.asked}Nothing was seen of a cycle when the time was over.", "not_confirmed")
    words = f"{case.what[0].upper()}{case.what[1:]} was not seen to end within {case.desired.wait_timeout:.0f} s."
    return Stop(f"{case.asked}{words}", "wait_timeout" if case.requested else "busy_timeout")


def follow(case: Case) -> Action:
    busy = ", ".join(case.seen.state.busy)
    return Look(words=f"{case.what} is running" + (f" ({busy})" if busy else ""))


def confirm(case: Case) -> Action:
    return Look(confirm=case.confirm_left, words="waiting for the cycle to begin")


def read(case: Case) -> Action:
    return ReadHistory(case.history_since)


def settle(case: Case) -> Action:
    rest = max(case.rest - case.seen.idle_seconds, 0.5)
    return Look(seconds=rest + 1, confirm=rest, words="the engine is at rest; looking whether more follows")


def nothing_began(case: Case) -> Action:
    return Stop(f"{case.asked}The run history shows no cycle that began after it.", "not_confirmed")


def plan_unknown(case: Case) -> Action:
    proof = case.proof
    if proof.cycle is None:
        raise AssertionError("no runs of the cycle were read")
    events = case.seen.history.events if case.seen.history else None
    verdict = judge_runs(proof.cycle.runs, events, case.desired.fail_on)
    profiles = ", ".join(dict.fromkeys(run.profile for run in proof.cycle.runs))
    warning = f"What the runs of this cycle do is not known ({profiles}), so it is not verified that it carried anything."
    return stop(verdict, f"{case.what[0].upper()}{case.what[1:]} has finished.", (warning,))


def cut_short(case: Case) -> Action:
    proof = case.proof
    if proof.cycle is None or proof.parts is None:
        raise AssertionError("no runs of the cycle were read")
    events = case.seen.history.events if case.seen.history else None
    verdict = judge_runs(proof.cycle.runs, events, "stopped")
    if verdict.reason is not None:
        if case.desired.fail_on == "never" and not proof.parts.absent:
            ended = "; ".join(f"{run.profile} on {run.connector} ended with {run.result}" for run in proof.cycle.stopped)
            return Stop(f"The cycle has ended, and not all of it did its work: {ended}.", warnings=warnings_of_parts(case))
        return stop(verdict, "", ())
    if proof.cycle.running:
        names = ", ".join(f"{run.profile} on {run.connector}" for run in proof.cycle.running)
        return Stop(f"{case.asked}The cycle was cut short: {names} never ended.", "cycle_failed")
    words = f"{case.asked}The cycle was cut short: it lacks {', '.join(proof.parts.lacking)}."
    if case.seen.state.staging is None and not any(run.does("export") for run in proof.cycle.runs):
        remedy = "Look whether this server is in staging mode, where nothing is exported: it cannot be read here."
        return Stop(words, "cycle_failed", remedy)
    return Stop(words, "cycle_failed")


def unreadable(case: Case) -> Action:
    """The runs cannot be read: looks and events are all there is."""
    seen, history = case.seen, case.seen.history
    problem = history.runs_problem if history and history.runs_problem else "the engine was not asked"
    warnings = [f"The results of the runs could not be read, so they are not verified: {problem}."]
    if history is not None and history.events is None and history.events_problem:
        warnings.append(f"The events could not be read either: {history.events_problem}.")
    if case.proof.state in (None, "started"):
        return Stop(f"{case.asked}Nothing shows that a cycle began.", "not_confirmed", warnings=tuple(warnings))
    if seen.state.staging:
        warnings.append("The server is in staging mode: it imported and synchronised, and exported nothing.")
    if case.proof.state == "confirmed":
        warnings.append("That a cycle ran is taken from the time of the next one alone, which moves for other reasons too.")
    if history is not None and history.events is not None:
        warnings += [f"Event {one['id']} of {one['provider']}: {one['message']}" for one in history.events.errors]
        verdict = judge_events(history.events, case.desired.fail_on)
        if verdict.reason is not None:
            return Stop(f"{case.asked}{verdict.sentence}", verdict.reason, verdict.remedy, warnings=tuple(warnings))
    if seen.request is not None and seen.request.answer == LOST:
        return Stop("The connection ended during the start; a cycle ran after it.", warnings=tuple(warnings))
    return Stop(f"The {case.desired.type} cycle was started and {ended(case)}.", warnings=tuple(warnings))


def ended(case: Case) -> str:
    return "has finished" if case.proof.state == "finished" else "seems to have run"
