# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What dirsync_info tells of a sync server. Private to the collection."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Callable, Mapping

from .._engines._contract import Engine, EngineState, History, Probe
from .._printable import printable
from .._remote._call import RemoteShell
from .._remote._failures import failures_named
from .._timestamps import format_utc
from ._report import clock_keys, here, run_keys
from ._trigger import find_engine

_RUN_KEYS = ("connector", "profile", "result", "started_at", "finished_at", "counts")
_TYPES = {"Delta": "delta", "Initial": "full"}
#: reads more of the password synchronisation: keys, and why something is missing
ReadPasswords = Callable[[RemoteShell, Engine, Probe], "tuple[dict[str, Any], str | None]"]
_PASSWORD_EVENTS = ("654", "656", "657", "651", "611", "652", "655")


def inform(shell: RemoteShell, params: Mapping[str, Any], *, now: datetime, passwords: ReadPasswords | None = None) -> dict[str, Any]:
    """dirsync_info: what can be read, and which parts could not be and why. Changes nothing.

    Args:
        passwords: reads more of the password synchronisation; None leaves it at what the look has anyway.
    """
    with failures_named():
        seconds = params["history_hours"] * 3600
        engine, probe = find_engine(shell, params["engine"], seconds, "always")
        history = probe.history or History(probe.at, None, None, False, None, None)
        route = None if history.runs is None else "local" if history.local_was_tried else "direct"
        if history.runs is None and history.local_may_help and not history.local_was_tried and engine.history_route == "local":
            local = engine.read_history(shell, since=probe.at - timedelta(seconds=seconds), server_now=probe.at)
            history = replace(local, events=history.events, events_problem=history.events_problem)
            route = "local" if local.runs is not None else None
        found, missing = passwords(shell, engine, probe) if passwords is not None else ({}, None)
    told = _info(engine, probe, history, route)
    told["password_sync"].update(found)
    if missing is not None:
        told["problems"]["password_sync"] = printable(missing, 600)
    return told


def _info(engine: Engine, probe: Probe, history: History, route: str | None) -> dict[str, Any]:
    def time(at: datetime | None) -> str | None:
        return format_utc(here(at, probe.lead))

    newest: dict[tuple[str, str], Any] = {}
    for run in sorted(history.runs or (), key=lambda one: one.started):
        keys = run_keys(run, probe.lead)
        newest[(run.connector, run.profile)] = {name: keys[name] for name in _RUN_KEYS}
    state, events = probe.state, history.events
    problems = dict(probe.problems)
    if history.runs is None and history.runs_problem:
        problems["history"] = history.runs_problem
    if events is None and history.events_problem:
        problems["events"] = history.events_problem
    return {
        "changed": False,
        "engine": engine.name,
        "version": printable(probe.version, 50) if probe.version else None,
        "support": probe.support,
        "services": {printable(name, 100): status for name, status in probe.services.items()},
        "scheduler": None if state is None else _scheduler(state, time(state.next_start.at) if state.next_start else None),
        "connectors": [
            {"name": printable(one.name), "id": printable(one.identifier, 100), "type": printable(one.type), "directory": one.on_directory}
            for one in probe.connectors
        ],
        "last_runs": list(newest.values()),
        "password_sync": {
            "last_event": time(max((at for key, at in events.last.items() if key.rsplit("/", 1)[-1] in _PASSWORD_EVENTS), default=None))
            if events
            else None,
            "heartbeat": time(events.last.get("Directory Synchronization/654")) if events else None,
            "feature": None,
            "connectors": None,
        },
        "access": {
            "scheduler": state is not None,
            "history": route,
            "events": events is not None,
            "services": "services" not in probe.problems,
        },
        "capabilities": {
            "full": engine.can_run_full,
            "scheduler": engine.has_scheduler,
            "single_object": engine.objects is not None,
            "min_interval": engine.min_interval,
        },
        "blocked_by": probe.blocker.reason if probe.blocker else None,
        "problems": {printable(part, 100): printable(words, 600) for part, words in problems.items()},
        **clock_keys(probe.lead),
        "failure_reason": None,
        "msg": printable(probe.blocker.message if probe.blocker else probe.support_note, 1000),
    }


def _scheduler(state: EngineState, next_start: str | None) -> dict[str, Any]:
    return {
        "enabled": state.enabled,
        "suspended": state.suspended,
        "staging": state.staging,
        "in_progress": state.in_progress,
        "busy_connectors": [printable(name) for name in state.busy],
        "next_start": next_start,
        "next_type": None if state.next_type is None else _TYPES.get(state.next_type, printable(state.next_type).lower()),
        "interval": state.effective_interval,
        "allowed_interval": state.allowed_interval,
    }
