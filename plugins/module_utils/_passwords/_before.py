# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What to do before anything is changed: look, refuse, predict, wait. Pure; private to the collection."""

from __future__ import annotations

from .._timestamps import format_utc
from ._actions import Action, FindPeople, Force, Look, ReadEvents, ReadHistory, Stop, Switch
from ._case import AHEAD, FRESH, REPAIRS, Case
from ._fulls import Trouble
from ._people import names_to_find, unresolved

#: what forcing brings with it
SIDE_EFFECTS = (
    "Passwords that were changed in the cloud are overwritten by those of the directory; with Entra Domain Services and the cloud password policy, "
    "PasswordPolicies of all synchronised people are cleared, so accounts whose password shall not expire have to be set so again."
)
ENABLING = "Switching a channel on sends the passwords of everybody in its scope."
#: seconds of a look at a busy engine
BUSY_PAUSE = 5.0


def blocked(case: Case) -> Stop | None:
    """What forbids everything, told from the look that recognised the engine."""
    probe = case.seen.probe
    if probe.blocker is not None:
        return Stop(probe.blocker.message, probe.blocker.reason, probe.blocker.remedy)
    if probe.state is not None and probe.state.suspended:
        return Stop("The scheduler is suspended: a configuration wizard is open or an upgrade runs.", "scheduler_suspended")
    if probe.state is not None and probe.state.staging:
        return Stop(
            "This server is in staging mode, where no passwords are synchronised.", "staging", "Point the task at the active server."
        )
    return None


def refused(case: Case) -> Stop | None:
    """What forbids it, told from the look at the channels; in check mode too."""
    seen, look = case.seen, case.seen.look
    if seen.local_problem is not None:
        return Stop(
            f"Password synchronisation is not open to this account: {seen.local_problem}.",
            "engine_access_denied",
            f"The account has to be {case.rights}, with a new logon after it was added.",
        )
    if seen.blocker is not None:
        return Stop(seen.blocker.message, seen.blocker.reason, seen.blocker.remedy)
    if look is None:
        return None
    if look.stopped:
        return Stop(f"The service {' and '.join(look.stopped)} does not run on the sync server.", "service_stopped")
    if look.admin is False:
        return Stop(
            f"The account may look at the sync engine, and not change it: it is not in the group {case.group}.",
            "engine_access_denied",
            f"The account has to be {case.rights}, with a new logon after it was added.",
        )
    if look.staging:
        return Stop(
            "This server is in staging mode, where no passwords are synchronised.", "staging", "Point the task at the active server."
        )
    if not look.clouds:
        return Stop("The engine has no Entra connector.", "entra_connector_missing")
    if len(look.clouds) > 1:
        return Stop(f"The engine has more than one Entra connector: {', '.join(look.clouds)}.", "entra_connector_ambiguous")
    if not look.channels:
        return Stop("The engine has no AD connector, so there is nothing whose passwords could be synchronised.", "engine_error")
    if case.unknown:
        known = ", ".join(one.name for one in look.channels)
        return Stop(
            f"connectors names {', '.join(case.unknown)}, which is no AD connector of this engine. Its AD connectors: {known}.",
            "invalid_input",
        )
    if look.blocker is not None:
        return Stop(look.blocker.message, look.blocker.reason, look.blocker.remedy)
    unread = [one for one in case.selected if one.enabled is None and one.readable]
    if unread:
        return Stop(f"The channel of {unread[0].name} could not be read: {unread[0].problem or 'it has no configuration'}.", "engine_error")
    if not look.unattended:
        return Stop(
            "Set-ADSyncAADPasswordSyncConfiguration of this build wants parameters that only somebody who signs in can give.",
            "engine_unsupported",
            "Force the synchronisation in the configuration wizard: switch password hash synchronisation off and on.",
        )
    if look.feature is False and (case.desired.state == "synced" or case.desired.enable):
        return Stop("Password hash synchronisation is off in the tenant.", "tenant_feature_off")
    off = [one.name for one in case.selected if one.enabled is False]
    if case.desired.state == "synced" and off:
        return Stop(f"Password hash synchronisation is off for {', '.join(off)}.", "password_sync_disabled")
    return None


def unreadable(case: Case) -> Stop | None:
    """Why the event log cannot prove anything."""
    if case.seen.events_problem is not None:
        return Stop(
            f"The Application event log of the sync server cannot be read, so nothing could be proven: {case.seen.events_problem}.",
            "events_unavailable",
            "Add the account to Event Log Readers, or use a local administrator.",
        )
    if case.seen.history and case.seen.source is False:
        return Stop(
            "The sync server does not know the event source Directory Synchronization, so nothing could be proven.",
            "events_unavailable",
            "Repair the installation of the sync engine: its event source is not registered. Or check that this is the right server.",
        )
    return None


def old_failure(case: Case) -> Stop | None:
    """An earlier failure that forcing would run into again."""
    for channel in case.selected:
        trouble = case.trouble_before(channel)
        if not isinstance(trouble, Trouble):
            continue
        age = (case.seen.now - trouble.at).total_seconds()
        when = format_utc(trouble.at)
        if trouble.cause.reason == "first_sync_unfinished":
            words = f"The first full synchronisation of {channel.name} has not come to its end (event 613 at {when})."
            return Stop(words, "first_sync_unfinished")
        if age < FRESH and trouble.cause.reason in ("replication_denied", "fips_blocked"):
            words = f"Event {trouble.id} of {channel.name} at {when} says that hashes cannot be read ({trouble.cause.code})."
            return Stop(words, trouble.cause.reason, trouble.cause.remedy)
    return None


def warnings_before(case: Case) -> tuple[str, ...]:
    """What has to be said along with forcing."""
    found = [SIDE_EFFECTS]
    seen = case.seen
    if seen.probe.support == "refused":
        found.append(seen.probe.support_note)
    for part, words in (("staging", "Whether this server is in staging mode"), ("busy", "Whether a connector runs")):
        if seen.first_look is not None and part in seen.first_look.problems:
            found.append(f"{words} is not known: {seen.first_look.problems[part]}.")
    if seen.first_look is not None and seen.first_look.feature is None:
        problem = seen.first_look.problems.get("feature", "the engine does not say")
        found.append(f"Whether the tenant takes password hashes is not known: {problem}.")
    for channel in case.selected:
        trouble = case.trouble_before(channel)
        before = seen.marker is None or not isinstance(trouble, Trouble) or trouble.at <= seen.marker.at
        if isinstance(trouble, Trouble) and before and trouble.cause.reason in ("replication_denied", "fips_blocked"):
            found.append(f"Event {trouble.id} of {channel.name} ({trouble.cause.code}) has not been followed by a sign of health.")
    if not seen.reaches_back and not case.desired.force:
        found.append("The event log does not reach back far enough, so whether one ran a short while ago is not known.")
    return tuple(found)


# -- actions


def stop_blocked(case: Case) -> Action:
    stop = blocked(case)
    if stop is None:
        raise AssertionError("nothing is held against it")
    return stop


def stop_refused(case: Case) -> Action:
    stop = refused(case)
    if stop is None:
        raise AssertionError("nothing is held against it")
    return stop


def stop_unreadable(case: Case) -> Action:
    stop = unreadable(case)
    if stop is None:
        raise AssertionError("nothing is held against it")
    return stop


def stop_old_failure(case: Case) -> Action:
    stop = old_failure(case)
    if stop is None:
        raise AssertionError("nothing is held against it")
    return stop


def look(case: Case) -> Action:
    return Look(words="reading the password channels")


def read_history(case: Case) -> Action:
    return ReadHistory()


def find_people(case: Case) -> Action:
    return FindPeople(names_to_find(case.desired.users))


def nameless(case: Case) -> bool:
    """People are named in a way that this engine cannot tell who is meant by."""
    return bool(names_to_find(case.desired.users)) and not case.finds_people


def stop_nameless(case: Case) -> Action:
    words = ", ".join(names_to_find(case.desired.users)[:10])
    return Stop(
        f"This engine cannot tell who is meant by a user principal name or an account name, so nothing was started: {words}.",
        "invalid_input",
        "Name people by their distinguished name or source anchor.",
    )


def unknown_people(case: Case) -> Action:
    lost = unresolved(case.desired.users, case.seen)
    words = "; ".join(f"{one.asked}: {one.reason}" for one in lost[:10])
    return Stop(f"It is not clear who is meant, so nothing was started. {words}.", "invalid_input")


def future(case: Case) -> Action:
    return Stop("since lies in the future: no synchronisation can have begun after it.", "invalid_input")


def is_future(case: Case) -> bool:
    since = case.desired.since
    return since is not None and since > case.desired.began + AHEAD


def follow(case: Case) -> Action:
    """Covered by one that runs, or people are asked for: read what it did and does."""
    starts = [full.record for channel in case.selected for full in [case.last_full(channel)] if full is not None]
    return ReadEvents(0.0, start=max(min(starts) - 1, 0), words="a full password synchronisation covers it; reading what it does")


def covered(case: Case) -> Action:
    return Stop("A full password synchronisation has covered it already; nothing was started.")


def wait_for_other(case: Case) -> Action:
    names = ", ".join(channel.name for channel, _full in case.in_the_way)
    return ReadEvents(20.0, words=f"waiting for a full password synchronisation that began too early ({names})")


def other_too_long(case: Case) -> Action:
    names = ", ".join(channel.name for channel, _full in case.in_the_way)
    return Stop(
        f"A full password synchronisation of {names} that began too early was not seen to end in {case.desired.wait_timeout:.0f} s.",
        "busy_timeout",
    )


def too_soon(case: Case) -> Action:
    words = "; ".join(f"the last one of {channel.name} began at {format_utc(full.started)}" for channel, full in case.too_soon)
    return Stop(
        f"Microsoft says to run it once, and min_interval is {case.desired.min_interval:.0f} s: {words}.",
        "too_soon",
        "Ask for an earlier since, wait, or set force if it has to be.",
    )


def predicted(case: Case) -> Action:
    names = ", ".join(one.name for one in case.uncovered)
    return Stop(f"A full password synchronisation of {names} would be forced.", changed=True, warnings=warnings_before(case))


def wait_for_rest(case: Case) -> Action:
    names = ", ".join(case.seen.busy or (case.seen.look.busy if case.seen.look else ()))
    return Look(BUSY_PAUSE, words=f"waiting for connectors that are busy ({names})")


def busy_too_long(case: Case) -> Action:
    names = ", ".join(case.seen.busy or (case.seen.look.busy if case.seen.look else ()))
    words = f": {names}" if names else ""
    return Stop(f"The engine was busy for {case.desired.wait_timeout:.0f} s{words}.", "busy_timeout")


def is_busy(case: Case) -> bool:
    """A connector that would be saved runs just now, or anything where all of it would be restarted; after each refusal it is looked at anew."""
    look = case.seen.look
    if look is None:
        return False
    return bool(look.busy) if case.restarts else any(one.name in look.busy for one in case.uncovered)


def force(case: Case) -> Action:
    return Force(tuple(one.identifier for one in case.uncovered))


# -- enabled and disabled


def wrong(case: Case) -> list[str]:
    """Identifiers of channels that are not as they shall be."""
    return [one.identifier for one in case.selected if one.enabled is not case.desired.enable]


def switch(case: Case) -> Action:
    return Switch(tuple(wrong(case)), case.desired.enable)


def switch_predicted(case: Case) -> Action:
    names = ", ".join(one.name for one in case.selected if one.identifier in wrong(case))
    word = "on" if case.desired.enable else "off"
    return Stop(f"The channel of {names} would be switched {word}.", changed=True, warnings=(ENABLING,) if case.desired.enable else ())


def as_wanted(case: Case) -> Action:
    word = "on" if case.desired.enable else "off"
    return Stop(f"Every channel is {word} already; nothing was changed.")


def switch_ended(case: Case) -> Action:
    word = "on" if case.desired.enable else "off"
    warnings = (ENABLING,) if case.desired.enable else ()
    seen = case.seen
    bad = [one for one in case.selected if one.enabled is not case.desired.enable]
    if not bad:
        lost = "The answer was lost; read back, " if seen.switch_lost else ""
        return Stop(f"{lost}{'e' if lost else 'E'}very channel is {word}.", warnings=warnings)
    names = ", ".join(one.name for one in bad)
    if seen.switch_lost:
        return Stop(f"The answer to switching was lost, and the channel of {names} is not {word}: {seen.switch_lost}", "not_confirmed")
    errors = [one.error for one in (seen.switched or {}).values() if one.error]
    return Stop(
        f"The channel of {names} was not switched {word}: {errors[0] if errors else 'the engine said yes and did nothing'}.", "engine_error"
    )


def can_still_repair(case: Case) -> bool:
    return case.seen.repairs < REPAIRS and case.seen.reserve_left > 0
