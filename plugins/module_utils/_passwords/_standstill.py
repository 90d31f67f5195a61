# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Why the channels send nothing by themselves, told from the look that recognised the engine and from the event log. Pure; private to the collection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Sequence

from .._timestamps import format_utc
from ._fulls import trouble_of
from ._health import DEAD, SIGNS
from ._observed import Observed

#: what shows that something is done, or is about to be
_HOPE = (*SIGNS, "agent_starting", "full_began", "batch")


@dataclass(frozen=True)
class Standstill:
    """A sentence, and the failure reason that it is, if it is one."""

    words: str
    reason: str | None = None


def standstill(seen: Observed) -> Standstill | None:
    """Why nothing more is to be expected; None: something may come."""
    probe = seen.probe
    if probe.blocker is not None and probe.blocker.reason == "service_stopped":
        return Standstill(probe.blocker.message, probe.blocker.reason)
    if probe.state is not None and probe.state.staging:
        return Standstill("This server is in staging mode, where no passwords are synchronised.", "staging")
    forests = [one.identifier for one in probe.connectors if one.on_directory]
    return _of_troubles(seen, forests) or _of_silence(seen)


def _of_troubles(seen: Observed, forests: Sequence[str]) -> Standstill | None:
    """Every forest has failed in a way that does not pass by itself."""
    troubles = [trouble_of(seen.journal.marks_of(one, everywhere=True), one) for one in forests]
    lasting = [one for one in troubles if one is not None and one.lasts]
    if not lasting or len(lasting) < len(forests):
        return None
    first = lasting[0]
    code = f" ({first.cause.code})" if first.cause.code else ""
    at = format_utc(first.at - timedelta(seconds=seen.lead.middle))
    words = f"Event {first.id}{code} of {at} says that passwords do not go up."
    return Standstill(f"{words} {first.cause.remedy or ''}".rstrip(), first.cause.reason)


def _of_silence(seen: Observed) -> Standstill | None:
    """The log reaches back far enough, and no channel has sent anything, or said that it is there, in all that time."""
    journal, limit = seen.journal, seen.now - timedelta(seconds=DEAD)
    if journal.oldest is None or journal.oldest > limit or journal.rolled:
        return None
    if any(mark.sign.kind in _HOPE and mark.sign.at > limit for mark in journal.marks.values()):
        return None
    hours = f"{DEAD / 3600:.0f} hours"
    return Standstill(f"Password synchronisation has shown no sign of life for {hours}: it is off, or its service has to be restarted.")
