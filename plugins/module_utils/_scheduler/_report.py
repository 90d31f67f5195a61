# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What dirsync_scheduler reports: always the same keys. Pure; private to the collection."""

from __future__ import annotations

from typing import Any

from .._engines._scheduler_contract import Schedule
from .._printable import printable
from ._decide import Observed, Stop

#: the settings as results show them; intervals in seconds
_KEYS = ("enabled", "interval", "effective_interval", "allowed_interval", "next_type", "suspended", "staging")


def blank_result() -> dict[str, Any]:
    """All result keys of a task that did not come to know its engine."""
    return {"changed": False, "engine": None, "version": None, "scheduler": {"before": None, "after": None}}


def result_keys(seen: Observed, stop: Stop) -> dict[str, Any]:
    """The result keys at the end of a task."""
    before = seen.first.schedule if seen.first is not None and seen.first.missing is None else None
    shown = {"before": settings(before), "after": settings(stop.after)}
    return {
        "changed": stop.changed,
        "scheduler": shown,
        "failure_reason": None,
        "msg": printable(stop.sentence, 1000),
        "warnings": [printable(warning, 600) for warning in dict.fromkeys(stop.warnings)],
        "diff": {"before": shown["before"] or {}, "after": shown["after"] or {}},
    }


def settings(schedule: Schedule | None) -> dict[str, Any] | None:
    """The settings, None where they could not be read."""
    return None if schedule is None else {key: getattr(schedule, key) for key in _KEYS}
