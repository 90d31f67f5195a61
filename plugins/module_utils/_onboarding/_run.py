# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The run itself, for the report: when, where, whose cycle, on what evidence, and where it ended. Pure."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Mapping, Optional

from .._timestamps import parse_utc


def describe_run(
    directory: Mapping[str, Any],
    sync: Mapping[str, Any],
    failure: Mapping[str, Any],
    *,
    started_at: str,
    written_at: str,
    check_mode: bool,
) -> dict[str, Any]:
    """The run as a dictionary of plain values; what is not known is None.

    Args:
        directory: the whole result of ad_users. sync: that of dirsync_trigger. Both are empty when the stage was not reached.
        failure: stage, failure_reason and msg of what ended the run early, or empty.
        started_at, written_at: ISO 8601 in UTC.
        check_mode: nothing was written.
    """
    cycle = sync.get("sync") or {}
    return {
        "started_at": started_at or written_at,
        "started_at_local": local_text(started_at or written_at),
        "written_at": written_at,
        "check_mode": check_mode,
        "domain_controller": directory.get("domain_controller"),
        "watermark": directory.get("watermark"),
        "sync_server": sync.get("server"),
        "engine": sync.get("engine"),
        "engine_version": sync.get("version"),
        "cycle": {name: cycle.get(name) for name in ("type", "ownership", "state", "since", "started_at", "finished_at", "duration")},
        "evidence": list(sync.get("evidence") or []),
        "failed_stage": failure.get("stage") or None,
        "failure_reason": failure.get("failure_reason") or None,
        "failure": " ".join(str(failure.get("msg") or "").split()) or None,
    }


def local_text(utc: Optional[str], zone: Optional[timezone] = None) -> Optional[str]:
    """ISO 8601 text in the zone of this machine, with its offset; None for what is no time.

    Args:
        utc: ISO 8601 text.
        zone: instead of that of this machine; for tests.
    """
    moment = _moment(utc)
    return None if moment is None else moment.astimezone(zone).isoformat(timespec="seconds")


def both_clocks(utc: Optional[str]) -> str:
    """UTC, and the clock on the wall beside it where that is another one: `2026-11-24T17:24:27Z (18:24:27 CET)`."""
    moment = _moment(utc)
    if moment is None:
        return str(utc or "")
    text = moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    wall = moment.astimezone()
    if not wall.utcoffset():
        return text
    day = "" if wall.date() == moment.astimezone(timezone.utc).date() else wall.strftime("%Y-%m-%d ")
    return f"{text} ({day}{wall.strftime('%H:%M:%S %Z')})"


def _moment(text: Optional[str]) -> Optional[datetime]:
    try:
        return parse_utc(str(text)) if text else None
    except ValueError:
        return None
