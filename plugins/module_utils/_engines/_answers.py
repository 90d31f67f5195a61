# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What the scripts of every engine promise to return of runs, events and connectors, and how it is read. Private to the collection."""

from __future__ import annotations

from typing import Any, Sequence

from .._remote._call import RemoteError
from .._remote._failures import access_is_denied
from .._remote._local_route import ERRAND_ANSWER
from .._remote._shape import end, error_object, flag, list_of, optional, record, table_of, text, timestamp, whole
from ._contract import Connector, DirSyncFolder, Events, History, Run, Survey
from ._run_details import object_errors, step_counts
from ._run_kinds import kinds_of, with_confirmations

CONNECTORS = list_of(record(name=text, id=text, type=text), 200)
_STEP = record(counts=table_of(whole, 50), errors=text, discovery=text, number=optional(whole), type=optional(text), subtype=optional(text))
RUNS = list_of(
    record(
        connector=text,
        connector_id=text,
        profile=text,
        number=whole,
        result=text,
        started=timestamp,
        ended=end,
        account=optional(text),
        steps=list_of(_STEP, 100),
    ),
    500,
)
_EVENTS = record(
    counts=table_of(record(times=whole, last=timestamp)),
    errors=list_of(record(provider=text, id=whole, at=timestamp, message=text), 200),
)
HISTORY = record(
    at=timestamp,
    source=text,
    runs=optional(RUNS),
    runs_error=optional(error_object),
    wmi_error=optional(error_object),
    events=optional(_EVENTS),
    events_error=optional(error_object),
    connectors=optional(CONNECTORS),
    local=ERRAND_ANSWER,
)
RUNS_ANSWER = record(at=timestamp, runs=RUNS, connectors=CONNECTORS, problem=optional(error_object))
SURVEY = record(
    services=table_of(optional(whole), 50),
    wizard=flag,
    wizard_version=optional(text),
    bin_folder=optional(text),
    engine_version=optional(text),
    exe=flag,
    dirsync=list_of(record(path=text, module=flag, console_file=flag, version=optional(text)), 10),
)
SURVEY_ANSWER = record(survey=SURVEY, problems=table_of(error_object, 50))

#: the fixed identifier of the Entra connector (Microsoft, ADSync reference)
ENTRA_CONNECTOR = "b891884f-051e-4a83-95af-2544101c9083"
#: what an AD connector is called by the module, and by the WMI provider
_DIRECTORY_TYPES = ("AD", "Active Directory")
#: an error of WMI that says that there is no such provider on this server (WBEM_E_INVALID_NAMESPACE, WBEM_E_INVALID_CLASS)
_NO_PROVIDER = ("0x8004100e", "0x80041010")


def read_survey(data: dict[str, Any], bits: int, scheduler: bool | None) -> Survey:
    """What is installed. scheduler: the module has the scheduler's cmdlets; None where it was not looked at."""
    folders = tuple(DirSyncFolder(one["path"], one["module"], one["console_file"], one["version"] or None) for one in data["dirsync"])
    return Survey(
        services=data["services"],
        wizard=data["wizard"],
        wizard_version=data["wizard_version"] or None,
        bin_folder=data["bin_folder"] or None,
        engine_version=data["engine_version"] or None,
        exe=data["exe"],
        scheduler=scheduler,
        dirsync=folders,
        bits=bits,
    )


def read_connectors(data: list[dict[str, Any]]) -> tuple[Connector, ...]:
    """The connectors of the engine."""
    return tuple(Connector(item["name"], item["id"].lower(), item["type"], item["type"] in _DIRECTORY_TYPES) for item in data)


def read_history(data: dict[str, Any] | None) -> History | None:
    """Runs and events as the direct way has them; None where they were not read."""
    if data is None:
        return None
    runs_error = RemoteError(data["runs_error"]) if data["runs_error"] else None
    events_error = RemoteError(data["events_error"]) if data["events_error"] else None
    connectors = read_connectors(data["connectors"] or [])
    return History(
        at=data["at"].at,
        runs=None if data["runs"] is None else read_runs(data["runs"], connectors),
        runs_problem=_runs_problem(data, runs_error),
        # A network logon gets EndpointNotFoundException; whether every build says it so is not known, so only a plain denial rules it out.
        local_may_help=runs_error is not None and not access_is_denied(runs_error) and not provider_is_missing(runs_error),
        events=_read_events(data["events"]) if data["events"] is not None else None,
        events_problem=str(events_error) if events_error else None,
        connectors=connectors,
        source=data["source"],
    )


def provider_is_missing(error: RemoteError) -> bool:
    """Whether WMI says that it has no such provider: no other logon would find one. A CIM error tells its code in the error id alone."""
    return any(code in error.error_id.lower() for code in _NO_PROVIDER)


def _runs_problem(data: dict[str, Any], runs_error: RemoteError | None) -> str | None:
    if runs_error is None:
        return "the engine was not asked" if data["runs"] is None else None
    words = str(runs_error)
    wmi = RemoteError(data["wmi_error"]) if data["wmi_error"] else None
    return words if wmi is None or provider_is_missing(wmi) else f"{words}; by WMI: {wmi}"


def _read_events(data: dict[str, Any]) -> Events:
    return Events(
        counts={key: item["times"] for key, item in data["counts"].items()},
        last={key: item["last"].at for key, item in data["counts"].items()},
        errors=[{**item, "at": item["at"].at} for item in data["errors"]],
    )


def read_runs(data: list[dict[str, Any]], connectors: Sequence[Connector] = ()) -> tuple[Run, ...]:
    """The runs of a history. connectors: as far as they are known, they say which ones are of a directory."""
    directories = {one.identifier: one.on_directory for one in connectors}
    return with_confirmations(_read_run(item, directories) for item in data)


def _read_run(data: dict[str, Any], directories: dict[str, bool]) -> Run:
    started, ended = data["started"].at, data["ended"].at if data["ended"] else None
    steps = sorted(data["steps"], key=lambda step: step["number"] or 0)
    kinds = kinds_of([(step["type"] or "", step["subtype"] or "") for step in steps], data["profile"])
    identifier = data["connector_id"].lower()
    return Run(
        connector=data["connector"],
        connector_id=identifier,
        on_directory=directories.get(identifier, identifier != ENTRA_CONNECTOR),
        profile=data["profile"],
        kind=kinds.kinds[0],
        full=kinds.full,
        number=data["number"],
        result=data["result"],
        started=started,
        # While a run goes on, its EndDate is empty or lies before its StartDate.
        ended=ended if ended is not None and ended >= started else None,
        counts=step_counts([step["counts"] for step in steps], kinds.kinds),
        errors=[error for step in steps for text in (step["errors"], step["discovery"]) for error in object_errors(text)],
        also=kinds.kinds[1:],
        account=data["account"] or None,
    )
