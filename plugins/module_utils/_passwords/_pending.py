# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What to do once a full password synchronisation is pending, own or foreign. Pure; private to the collection."""

from __future__ import annotations

from .._remote._failures import as_failure
from ._actions import Action, Force, Look, ReadEvents, Stop, Switch
from ._before import wait_for_rest, warnings_before
from ._case import LOST_SHOWS, RESTART_SHOWS, SENDINGS, TROUBLE, TROUBLE_PAUSE, Case
from ._proof import Proof

#: seconds of one long poll of the event log
POLL = 20.0


def trouble(case: Case) -> Action:
    trouble = case.seen.trouble
    if trouble is None:
        raise AssertionError("every look was answered")
    if case.requested and case.left_off and case.seen.reserve_left > 0:
        return Look(TROUBLE_PAUSE, words="the sync server does not answer; looking whether every channel is on", spare=True)
    if (case.requested or case.seen.switch_lost) and trouble.seconds < TROUBLE and not case.time_is_over:
        return Look(TROUBLE_PAUSE, words="the sync server does not answer; looking again for what became of it")
    failure = as_failure(trouble.error)
    if case.left_off and not case.can_switch:
        return Stop(
            f"{case.asked}Whether the engine runs again is not known. {failure.message}",
            failure.reason,
            failure.remedy,
            warnings=warnings_after(case),
        )
    if case.left_off:
        return channel_left_off(case, f"{failure.message} ")
    return Stop(f"{case.asked}{failure.message}", failure.reason, failure.remedy, warnings=warnings_after(case))


def look_after(case: Case) -> Action:
    """After a lost answer, and after repairs: nobody knows whether the channels are on."""
    return Look(words="reading the channels back", spare=True)


def work_runs(case: Case) -> bool:
    look = case.seen.look
    return look is not None and any(running for name, running in look.tasks.items() if name.startswith("work-"))


def look_again(case: Case) -> Action:
    return Look(TROUBLE_PAUSE, words="the work on the server goes on; waiting for its end", spare=True)


def repair(case: Case) -> Action:
    return Switch(tuple(one.identifier for one in case.left_off), True, repair=True)


def stop_left_off(case: Case) -> Action:
    return channel_left_off(case) if case.can_switch else service_left_down(case)


def service_left_down(case: Case) -> Stop:
    """A service that forcing restarted does not come back."""
    sent, look = case.seen.sent, case.seen.look
    names = look.stopped if look is not None and look.stopped else sent.outcome.stopped if sent is not None and sent.outcome else ()
    words = " and ".join(names) or "of the engine"
    return Stop(
        f"The service {words} was restarted and does not run again. A full password synchronisation is armed and begins when it runs.",
        "service_stopped",
        f"Find out why it does not start (Application and System event log), and start {words}; nothing has to be armed again.",
        warnings=warnings_after(case),
    )


def channel_left_off(case: Case, why: str = "") -> Stop:
    names = ", ".join(one.name for one in case.left_off)
    words = f"PASSWORD SYNCHRONISATION OF {names} IS OFF, or could not be seen to be on. {why}{case.asked.strip()}"
    remedy = (
        "Switch it on at once (Set-ADSyncAADPasswordSyncConfiguration -Enable $true, or the configuration wizard); "
        "a task in \\hybrid.identity on the sync server tries to, every minute."
    )
    return Stop(words, "channel_left_off", remedy, warnings=warnings_after(case))


def read_after_force(case: Case) -> Action:
    marker = case.seen.marker
    return ReadEvents(0.0, start=marker.record if marker else 0, words="reading what the engine does")


def read(case: Case) -> Action:
    counts = [proof.users for proof in case.proofs.values()]
    done, asked = sum(one.succeeded for one in counts), sum(one.requested for one in counts)
    return ReadEvents(POLL, words=f"full password synchronisation: {done} of {asked} people so far")


def read_people(case: Case) -> Action:
    return ReadEvents(POLL, words="waiting for the results of the people who were named")


def look_before_again(case: Case) -> bool:
    """It may have to be sent again, and what the server was seen to do is old, or the engine was busy."""
    sent, look = case.seen.sent, case.seen.look
    if sent is None or look is None or not case.restarts or case.time_is_over or case.seen.sendings >= SENDINGS:
        return False
    old = (look.at - sent.at).total_seconds() < RESTART_SHOWS
    return (old or bool(case.seen.busy or look.busy)) and nothing_came(case)


def look_once_more(case: Case) -> Action:
    look = case.seen.look
    return wait_for_rest(case) if case.seen.busy or (look is not None and look.busy) else look_after(case)


def may_force_again(case: Case) -> bool:
    """Arming and restarting once more does no harm, and only then it is certain that it was done."""
    if not case.restarts or case.seen.sendings >= SENDINGS or case.time_is_over or case.seen.blocker is not None:
        return False
    return nothing_came(case)


def force_again(case: Case) -> Action:
    if case.seen.sent is None:
        raise AssertionError("nothing was sent")
    return Force(case.seen.sent.connectors)


def nothing_came(case: Case) -> bool:
    """The answer was lost, and nothing at all shows that the work was ever begun; or, where it restarts the engine, that this was done."""
    sent, look = case.seen.sent, case.seen.look
    if not case.lost or sent is None or look is None or case.seen.looked_at is None:
        return False
    if (case.seen.now - sent.at).total_seconds() < (RESTART_SHOWS if case.restarts else LOST_SHOWS):
        return False
    if case.working if case.restarts else any(sent.stamp in name for name in look.tasks):
        return False
    behind = case.seen.marker.record if case.seen.marker else 0
    signs = [
        mark
        for channel in case.selected
        if channel.identifier in sent.connectors
        for mark in case.seen.journal.marks_of(channel.identifier)
        if mark.sign.record > behind and mark.sign.kind.startswith(("agent_", "full_"))
    ]
    return not signs and not any(one.flag for one in look.channels if one.identifier in sent.connectors)


def stop_nothing_came(case: Case) -> Action:
    if case.seen.sent is None:
        raise AssertionError("nothing was sent")
    if case.restarts:
        words = f"{case.asked}The engine runs, and no restart was seen to follow: {case.seen.sent.words}"
        return Stop(words, "not_confirmed", "Run the task again.", warnings=warnings_after(case))
    return Stop(
        f"{case.asked}Every channel is on, and nothing shows that it began: {case.seen.sent.words}",
        "not_confirmed",
        "Run the task again.",
        changed=False,
    )


def begun(case: Case) -> Action:
    return Stop(f"{_began(case)} and seen to begin.", warnings=warnings_after(case))


def time_over(case: Case) -> Action:
    names = ", ".join(one.name for one in case.selected if not case.proof(one).settled)
    seen_of = any(proof.started is not None for proof in case.proofs.values())
    words = f"The full password synchronisation of {names} was not seen to end within {case.desired.wait_timeout:.0f} s."
    if not seen_of:
        words = f"Nothing was seen of a full password synchronisation of {names} within {case.desired.wait_timeout:.0f} s."
    return Stop(
        f"{case.asked}{words}",
        "wait_timeout" if seen_of else "not_confirmed",
        "It goes on by itself: run the task again with the same since, or raise wait_timeout." if seen_of else None,
        warnings=warnings_after(case),
    )


def judged(case: Case) -> Action:
    """Everything has settled: what is to be said of it."""
    desired = case.desired
    warnings = warnings_after(case)
    failed = [(one, case.proof(one)) for one in case.selected if case.proof(one).state == "failed"]
    if failed and desired.fail_on != "never":
        names = ", ".join(one.name for one, _proof in failed)
        reason, remedy, words = _why(failed[0][1])
        return Stop(f"{case.asked}It failed for {names}: {words}.", reason, remedy, warnings=warnings)
    open_ends = [one.name for one in case.selected if case.proof(one).state in ("not_confirmed", "requested", None)]
    if open_ends:
        words = f"{case.asked}For {', '.join(open_ends)} the events do not show that it came to its end."
        return Stop(words, "not_confirmed", "Run the task again, with a larger Application log if that rolled over.", warnings=warnings)
    missing = [one for one in case.people if one.result != "succeeded"]
    if missing and desired.names_matter:
        words = "; ".join(f"{one.asked} {one.result}" + (f" ({one.reason})" if one.reason else "") for one in missing[:5])
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        return Stop(
            f"{_ended(case)}, and not everybody who was named has a new password: {words}{more}.", "password_sync_failed", warnings=warnings
        )
    if case.requested and case.seen.probe.support == "refused" and not any(proof.users.succeeded for proof in case.proofs.values()):
        words = f"{case.asked}{case.seen.probe.support_note} Nothing shows that it took a single password."
        return Stop(words, "not_confirmed", "Upgrade the sync engine.", warnings=warnings)
    users = [proof.users for proof in case.proofs.values()]
    bad = sum(one.failed + one.retrying + one.pending for one in users)
    if bad and desired.fail_on == "failed_users":
        asked = sum(one.requested for one in users)
        return Stop(f"{_ended(case)}, and {bad} of {asked} people have no new password.", "password_sync_failed", warnings=warnings)
    tail = f" {bad} people have no new password." if bad else ""
    if failed:
        tail = f" It failed for {', '.join(one.name for one, _proof in failed)}.{tail}"
    return Stop(f"{_ended(case)}.{tail}", warnings=warnings)


def _why(proof: Proof) -> tuple[str, str | None, str]:
    if proof.trouble is not None:
        cause = proof.trouble.cause
        code = f" ({cause.code})" if cause.code else ""
        return (
            cause.reason or "password_sync_failed",
            cause.remedy,
            f"event {proof.trouble.id}{code}: {proof.trouble.words}".rstrip(". \r\n"),
        )
    return "password_sync_failed", None, proof.error or "the engine says that it failed"


def _began(case: Case) -> str:
    if not case.requested:
        return "A full password synchronisation that this task did not start covers it"
    if case.lost:
        return "A full password synchronisation was forced, and the answer was lost; it was looked for"
    return "A full password synchronisation was forced"


def _ended(case: Case) -> str:
    states = {proof.state for proof in case.proofs.values()}
    if not case.requested:
        return "A full password synchronisation that this task did not start covers it and has ended"
    head = "A full password synchronisation was forced"
    if case.lost:
        head += " (the answer was lost, and it was looked for)"
    if states == {"verified"}:
        return f"{head} and has finished; the engine says so itself"
    if "confirmed" in states:
        return f"{head} and seems to have finished: passwords were sent, then nothing more"
    return f"{head} and has finished"


def warnings_after(case: Case) -> tuple[str, ...]:
    found = list(warnings_before(case)) if case.requested else []
    if case.off_meanwhile:
        names = ", ".join(one.name for one in case.off_meanwhile)
        found.append(f"The channel of {names} was switched off by somebody else meanwhile; it was left as it is.")
    sent, look = case.seen.sent, case.seen.look
    found += sent.outcome.warnings if sent is not None and sent.outcome is not None else ()
    if case.requested and not case.left_off and look is not None and look.stopped:
        found.append(f"The service {' and '.join(look.stopped)} came back after the restart, and was stopped by somebody else since.")
    if case.seen.unlooked is not None:
        found.append(f"The channels could not be read again at the end: {case.seen.unlooked}.")
    if case.seen.journal.rolled:
        found.append("The event log rolled over meanwhile: numbers of people are not complete. Enlarge the Application log.")
    if case.requested and any(proof.unmarked for proof in case.proofs.values()):
        found.append(
            "This engine did not write when a full synchronisation began, so it is told from traffic, and whether one ran before is not known."
        )
    for channel in case.selected:
        proof = case.proofs.get(channel.identifier)
        if proof is not None and proof.error and proof.state != "failed":
            found.append(f"{channel.name}: {proof.error}.")
    return tuple(found)
