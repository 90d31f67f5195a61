# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Runs, looks and observations for the tests of decisions: everything happens in seconds after one noon."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.hybrid.identity.plugins.module_utils._engines._contract import Connector, EngineState, Events, History, Probe, Run
from ansible_collections.hybrid.identity.plugins.module_utils._engines._plan import SCHEDULER_CYCLE
from ansible_collections.hybrid.identity.plugins.module_utils._remote._clock import ClockLead
from ansible_collections.hybrid.identity.plugins.module_utils._remote._shape import ServerTime
from ansible_collections.hybrid.identity.plugins.module_utils._sync._desired import DesiredCycle
from ansible_collections.hybrid.identity.plugins.module_utils._sync._observed import ACCEPTED, Observed, Request

NOON = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
ORDER = [("import", True), ("import", False), ("synchronization", True), ("synchronization", False), ("export", False), ("export", True)]
CONNECTORS = (Connector("corp.example", "ad", "AD", True), Connector("corp.onmicrosoft.com - AAD", "cloud", "Extensible2", False))
_WORDS = {"import": "Import", "synchronization": "Synchronization"}


def at(seconds: float) -> datetime:
    """So many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def run(
    begin: float, kind: str = "import", directory: bool = True, result: str = "success", seconds: float = 5, full: bool = False, **more: Any
) -> Run:
    """A run; one that goes on has no end."""
    profile = {"export": "Export", "other": "Lauf", "confirmation": "Confirming Import"}.get(
        kind
    ) or f"{'Full' if full else 'Delta'} {_WORDS[kind]}"
    ended = None if result == "in-progress" else at(begin + seconds)
    identifier = "ad" if directory else "cloud"
    values = {"connector": identifier, "connector_id": identifier, "on_directory": directory, "profile": profile, "kind": kind}
    values.update(full=full and kind != "export", number=1)
    return Run(**{**values, "result": result, "started": at(begin), "ended": ended, **more})


def cycle(begin: float, steps: int = 6, full: bool = False) -> list[Run]:
    """The first steps of a cycle, one every ten seconds."""
    return [run(begin + 10 * n, kind, directory, full=full) for n, (kind, directory) in enumerate(ORDER[:steps])]


def state(
    seconds: float, in_progress: bool | None = False, busy: tuple[str, ...] = (), next_start: str = "one", **changes: Any
) -> EngineState:
    """A look at so many seconds after noon."""
    values: dict[str, Any] = {"enabled": True, "suspended": False, "staging": False, "next_type": "Delta"}
    values.update(allowed_interval=1800.0, effective_interval=1800.0, next_start=ServerTime(next_start, NOON))
    return EngineState(at=at(seconds), in_progress=in_progress, busy=busy, **{**values, **changes})


def history(seconds: float, runs: list[Run] | None, local: bool = False, events: Events | None = None) -> History:
    """A reading at so many seconds after noon; without runs it was refused, and the local route may help or not."""
    return History(at(seconds), None if runs is None else tuple(runs), "refused" if runs is None else None, local, events, None)


def probe(seconds: float = 0, **changes: Any) -> Probe:
    """A first look at an idle engine; changes to its state are told apart from those to the probe."""
    look = {name: changes.pop(name) for name in list(changes) if name in ("enabled", "suspended", "staging", "in_progress", "busy")}
    values: dict[str, Any] = {
        "at": at(seconds),
        "lead": ClockLead(0, 0),
        "version": "2.6.92.0",
        "support": "supported",
        "support_note": "old",
    }
    values.update(services={}, state=state(seconds, **look), connectors=CONNECTORS, history=None, problems={}, blocker=None)
    return Probe(**{**values, **changes})


def desired(seconds: float = 0, **changes: Any) -> DesiredCycle:
    """What was in the directory so many seconds after noon."""
    return DesiredCycle(at(seconds), **changes)


def request(seconds: float = 10, answer: str = ACCEPTED, words: str = "", **changes: Any) -> Request:
    """A start so many seconds after noon."""
    return Request(at(seconds), answer, words, **{"next_start": ServerTime("one", NOON), **changes})


def observed(
    look: EngineState | None = None, *, idle: float | None = None, active: float | None = None, seen: float | None = None, **changes: Any
) -> Observed:
    """What is known: the newest look; since when the engine is idle or active; when a cycle was first seen."""
    look = look or state(1)
    if idle is None and active is None:
        idle, active = (None, (look.at - NOON).total_seconds()) if look.active else ((look.at - NOON).total_seconds(), None)
    first = changes.pop("probe", None) or probe()
    known = Observed(
        probe=first,
        plan=SCHEDULER_CYCLE,
        state=look,
        connectors=first.connectors,
        lead=first.lead,
        time_left=100.0,
        idle_since=None if idle is None else at(idle),
        active_since=None if active is None else at(active),
        cycle_seen=None if seen is None else at(seen),
    )
    return replace(known, **changes)
