# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What the scripts of the connect engine promise to return, and how it is read. Private to the collection."""

from __future__ import annotations

from typing import Any

from .._remote._call import RemoteError
from .._remote._failures import access_is_denied
from .._remote._shape import end, error_object, finite, flag, list_of, optional, record, table_of, text, timestamp, whole
from ._contract import Connector, EngineState, Events, History, Run
from ._run_details import object_errors, step_counts

STATE = record(
    at=timestamp,
    in_progress=optional(flag),
    busy=list_of(text, 200),
    enabled=flag,
    suspended=flag,
    staging=flag,
    next_start=end,
    next_type=text,
    allowed_interval=finite,
    effective_interval=finite,
)
_CONNECTORS = list_of(record(name=text, id=text, type=text), 200)
_STEP = record(counts=table_of(whole, 50), errors=text, discovery=text)
_RUNS = list_of(
    record(
        connector=text, connector_id=text, profile=text, number=whole, result=text, started=timestamp, ended=end, steps=list_of(_STEP, 100)
    ),
    500,
)
_EVENTS = record(
    counts=table_of(record(times=whole, last=timestamp)),
    errors=list_of(record(provider=text, id=whole, at=timestamp, message=text), 200),
)
HISTORY = record(
    at=timestamp, runs=optional(_RUNS), runs_error=optional(error_object), events=optional(_EVENTS), events_error=optional(error_object)
)
WATCH_ANSWER = record(
    state=STATE,
    active=flag,
    first_active=optional(timestamp),
    idle_since=optional(timestamp),
    history=optional(HISTORY),
    trouble=optional(error_object),
)
PROBE_ANSWER = record(
    services=table_of(optional(whole), 50),
    version=optional(text),
    problems=table_of(error_object, 50),
    connectors=_CONNECTORS,
    state=optional(STATE),
    history=optional(HISTORY),
)
START_ANSWER = record(
    sent=flag,
    before=optional(STATE),
    requested=optional(timestamp),
    result=optional(text),
    refusal=optional(error_object),
    watch=optional(WATCH_ANSWER),
    trouble=optional(error_object),
)
RUNS_ANSWER = record(at=timestamp, runs=_RUNS, connectors=_CONNECTORS, problem=optional(error_object))

#: the fixed identifier of the Entra connector (Microsoft, ADSync reference)
ENTRA_CONNECTOR = "b891884f-051e-4a83-95af-2544101c9083"

# Run profile names are the product's own and are not translated.
_KINDS = (("Import", "import"), ("Synchronization", "synchronization"), ("Export", "export"))


def read_state(data: dict[str, Any]) -> EngineState:
    """A look at the engine."""
    return EngineState(
        at=data["at"].at,
        in_progress=data["in_progress"],
        busy=tuple(data["busy"]),
        enabled=data["enabled"],
        suspended=data["suspended"],
        staging=data["staging"],
        next_start=data["next_start"],
        next_type=data["next_type"],
        allowed_interval=float(data["allowed_interval"]),
        effective_interval=float(data["effective_interval"]),
    )


def read_connectors(data: list[dict[str, Any]]) -> tuple[Connector, ...]:
    """The connectors of the engine."""
    return tuple(Connector(item["name"], item["id"].lower(), item["type"], item["type"] == "AD") for item in data)


def read_history(data: dict[str, Any] | None) -> History | None:
    """Runs and events as the direct way has them; None where they were not read."""
    if data is None:
        return None
    runs_error = RemoteError(data["runs_error"]) if data["runs_error"] else None
    events_error = RemoteError(data["events_error"]) if data["events_error"] else None
    return History(
        at=data["at"].at,
        runs=None if data["runs"] is None else read_runs(data["runs"]),
        runs_problem=str(runs_error) if runs_error else ("the engine was not asked" if data["runs"] is None else None),
        # A network logon gets EndpointNotFoundException; whether every build says it so is not known, so only a plain denial rules it out.
        local_may_help=runs_error is not None and not access_is_denied(runs_error),
        events=_read_events(data["events"]) if data["events"] is not None else None,
        events_problem=str(events_error) if events_error else None,
    )


def _read_events(data: dict[str, Any]) -> Events:
    return Events(
        counts={key: item["times"] for key, item in data["counts"].items()},
        last={key: item["last"].at for key, item in data["counts"].items()},
        errors=[{**item, "at": item["at"].at} for item in data["errors"]],
    )


def read_runs(data: list[dict[str, Any]]) -> tuple[Run, ...]:
    """The runs of a history, in the order in which they came."""
    return tuple(_read_run(item) for item in data)


def _read_run(data: dict[str, Any]) -> Run:
    started, ended = data["started"].at, data["ended"].at if data["ended"] else None
    kind = next((kind for word, kind in _KINDS if word in data["profile"]), "other")
    return Run(
        connector=data["connector"],
        connector_id=data["connector_id"].lower(),
        on_directory=data["connector_id"].lower() != ENTRA_CONNECTOR,
        profile=data["profile"],
        kind=kind,
        full=data["profile"].startswith("Full"),
        number=data["number"],
        result=data["result"],
        started=started,
        # While a run goes on, its EndDate is empty or lies before its StartDate.
        ended=ended if ended is not None and ended >= started else None,
        counts=step_counts([step["counts"] for step in data["steps"]], kind),
        errors=[error for step in data["steps"] for text in (step["errors"], step["discovery"]) for error in object_errors(text)],
    )
