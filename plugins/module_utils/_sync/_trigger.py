# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What the dirsync modules do over a given transport: find the engine, then trigger or tell. Private to the collection."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Callable, Mapping, Sequence

from .._engines import ENGINES
from .._engines._contract import Engine, History, Probe
from .._failure import HybridIdentityError
from .._remote._call import NoAnswer, RemoteShell
from .._remote._failures import failures_named
from .._timestamps import format_utc
from ._ensure_sync import ensure_sync, history_seconds
from ._options import read_wanted
from ._preflight import choose_active
from ._report import blank_result

_PASSWORD_EVENTS = ("654", "656", "657", "651", "611", "652", "655")


def trigger(
    shells: Sequence[tuple[str, RemoteShell]],
    params: Mapping[str, Any],
    *,
    now: datetime,
    check_mode: bool,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """dirsync_trigger over one shell, or over the one active server of several.

    Args:
        shells: (name of the server, transport to it).
        params: validated options. now: when the task began.

    Returns:
        The result keys. Raises HybridIdentityError with as many of them as are known.
    """
    known = {"server": shells[0][0] if len(shells) == 1 else None, **blank_result(now, params["type"])}
    try:
        wanted = read_wanted(params, now, check_mode)
        known.update(blank_result(wanted.since, params["type"]))
        (name, shell, engine, probe), unseen = _find_active(shells, params["engine"], history_seconds(wanted, now))
        known["server"] = name
        result = ensure_sync(engine, shell, probe, wanted, lambda line: progress(f"{name}: {line}"))
        unknown = [f"Whether {other} is active too is not known: {error.message}" for other, error in unseen.items()]
        return {**known, **result, "warnings": [*unknown, *result["warnings"]]}
    except HybridIdentityError as error:
        error.details = {**known, **error.details}
        raise


def _find_active(
    shells: Sequence[tuple[str, RemoteShell]], engine: str, seconds: float
) -> tuple[tuple[str, RemoteShell, Engine, Probe], dict[str, HybridIdentityError]]:
    """The only server, whatever it is like, or the active one of several; and why the engines of others could not be looked at."""
    if len(shells) == 1:
        name, shell = shells[0]
        with failures_named():
            return (name, shell, *find_engine(shell, engine, seconds)), {}
    found: list[tuple[str, RemoteShell, Engine, Probe]] = []
    unseen: dict[str, HybridIdentityError] = {}
    for name, shell in shells:
        try:
            with failures_named():
                driver, probe = find_engine(shell, engine, seconds)
            if probe.state is None and probe.blocker is not None:
                raise probe.blocker
            found.append((name, shell, driver, probe))
        except HybridIdentityError as error:
            unseen[name] = error
    return choose_active([(one, one[0], one[3]) for one in found], unseen), unseen


def inform(shell: RemoteShell, params: Mapping[str, Any], *, now: datetime) -> dict[str, Any]:
    """dirsync_info: what can be read, and which parts could not be and why. Changes nothing."""
    with failures_named():
        seconds = params["history_hours"] * 3600
        engine, probe = find_engine(shell, params["engine"], seconds)
        history = probe.history
        route = "direct" if history.runs is not None else None
        if history.runs is None and history.local_may_help and engine.history_route == "local":
            local = engine.read_history(shell, since=probe.at - timedelta(seconds=seconds), server_now=probe.at)
            history = History(local.runs, local.runs_problem, False, history.events, history.events_problem)
            route = "local" if local.runs is not None else None
    return _info(engine, probe, history, route)


def find_engine(shell: RemoteShell, name: str, seconds: float) -> tuple[Engine, Probe]:
    """The engine on the server behind a shell, and the look that recognised it.

    Args:
        name: auto, or the name of one engine.
        seconds: how far back the first look at the history reaches.

    Raises:
        HybridIdentityError: not_a_sync_server or engine_unsupported, with the last engine's words.
    """
    candidates = [engine for engine in ENGINES if name in ("auto", engine.name)]
    for position, engine in enumerate(candidates, start=1):
        try:
            return engine, engine.probe(shell, history_seconds=seconds)
        except NoAnswer as error:
            # Another operating system, or a PowerShell that is not allowed to run scripts.
            raise HybridIdentityError("not_a_sync_server", str(error)) from error
        except HybridIdentityError as error:
            if error.reason != "not_a_sync_server" or position == len(candidates):
                raise
    raise HybridIdentityError("invalid_input", f"There is no engine named {name!r}.")


def _info(engine: Engine, probe: Probe, history: History, route: str | None) -> dict[str, Any]:
    def here(moment: datetime | None) -> str | None:
        return None if moment is None else format_utc(moment - timedelta(seconds=probe.server_lead))

    newest: dict[tuple[str, str], Any] = {}
    for run in sorted(history.runs or [], key=lambda one: one.started):
        newest[(run.connector, run.profile)] = {
            "connector": run.connector,
            "profile": run.profile,
            "result": run.result,
            "started_at": here(run.started),
            "finished_at": here(run.ended),
            "counts": dict(run.counts),
        }
    state, events = probe.state, history.events
    problems = dict(probe.problems)
    if history.runs is None and history.runs_problem:
        problems["history"] = history.runs_problem
    if events is None and history.events_problem:
        problems["events"] = history.events_problem
    return {
        "changed": False,
        "engine": engine.name,
        "version": probe.version,
        "support": probe.support,
        "services": dict(probe.services),
        "scheduler": None
        if state is None
        else {
            "enabled": state.enabled,
            "suspended": state.suspended,
            "staging": state.staging,
            "in_progress": state.in_progress,
            "busy_connectors": list(state.busy),
            "next_start": here(state.next_start),
            "next_type": {"Delta": "delta", "Initial": "full"}.get(state.next_type, state.next_type.lower()),
            "interval": state.effective_interval,
            "allowed_interval": state.allowed_interval,
        },
        "connectors": list(probe.connectors),
        "last_runs": list(newest.values()),
        "password_sync": {
            "last_event": here(max((at for key, at in events.last.items() if key.rsplit("/", 1)[-1] in _PASSWORD_EVENTS), default=None))
            if events
            else None,
            "heartbeat": here(events.last.get("Directory Synchronization/654")) if events else None,
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
            "single_object": engine.single_object,
            "min_interval": engine.min_interval,
        },
        "blocked_by": probe.blocker.reason if probe.blocker else None,
        "problems": problems,
        "clock_skew": round(probe.server_lead, 1),
        "failure_reason": None,
        "msg": (probe.blocker.message if probe.blocker else probe.support_note),
    }
