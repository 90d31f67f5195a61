# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Looking for the results of people by name, forcing nothing: what the ordinary channel does by itself. Pure; private to the collection.

The event log is all that is asked, so whoever may read it may look.
"""

from __future__ import annotations

from datetime import timedelta

from .._timestamps import format_utc
from ._actions import Action, ReadEvents, ReadSince, Stop
from ._case import Case
from ._health import DEAD
from ._pending import POLL

#: results after which nothing more is awaited
_ENDS = ("succeeded", "failed")
_MARGIN = timedelta(seconds=60)
_SHOWN = 5


def begin(case: Case) -> Action:
    """Far enough back to see whether the channels are alive, and who had a password in the cloud before."""
    alive = case.seen.now - timedelta(seconds=DEAD)
    return ReadSince(min(case.threshold, alive) - _MARGIN)


def is_complete(case: Case) -> bool:
    return all(one.result in _ENDS for one in case.people)


def read_on(case: Case) -> Action:
    done = sum(one.result in _ENDS for one in case.people)
    return ReadEvents(POLL, words=f"passwords: results of {done} of {len(case.people)} people so far")


def told(case: Case) -> Action:
    """What is known of everybody."""
    people, desired = case.people, case.desired
    missing = [one for one in people if one.result != "succeeded"]
    head = f"The cloud has taken the passwords of {len(people) - len(missing)} of {len(people)} people since {format_utc(desired.since)}."
    why = case.standstill if missing else None
    warnings = (why.words,) if why is not None else ()
    if not missing or not desired.names_matter:
        return Stop(head, warnings=warnings)
    words = "; ".join(f"{one.asked} {one.result}" + (f" ({one.reason})" if one.reason else "") for one in missing[:_SHOWN])
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    if any(one.result == "failed" for one in missing):
        return Stop(f"{head} {words}{more}.", "password_sync_failed", warnings=warnings)
    if why is not None and why.reason is not None:
        return Stop(f"{head} {words}{more}.", why.reason, warnings=warnings)
    remedy = "The engine sends new and changed passwords by itself, every two minutes: run the task again."
    return Stop(f"{head} {words}{more}.", "not_confirmed", remedy, warnings=warnings)
