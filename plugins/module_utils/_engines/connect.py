# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The engine `connect`: Azure AD Connect 1.1 and later, Microsoft Entra Connect Sync 2.x (PowerShell module ADSync).

Recognised by its service; its module is imported by full path. Over the network logon the scheduler cmdlets work, the
run history is refused (its named pipe lets no network logon in), which is why there is a local route.
This is private to the collection.
"""

from __future__ import annotations

import time
from datetime import date, datetime
from typing import Any

from .._failure import HybridIdentityError
from .._remote._call import Answer, RemoteError, RemoteShell
from .._remote._local_route import LocalRouteClosed, call_locally
from .._timestamps import parse_utc
from ._connect_scripts import FOLLOW, PROBE, READ_RUNS, START
from ._contract import EngineState, Events, Followed, History, Pace, Probe, Run, Started
from ._run_details import object_errors, step_counts

#: the engine's service status (System.ServiceProcess.ServiceControllerStatus.Running)
_RUNNING = 4
#: E_ACCESSDENIED, in the COM class factory's error for callers outside the ADSync groups
_E_ACCESSDENIED = -2147024891
#: what the named pipe answers to network logons; a stopped service looks the same, so the service is asked first
_NO_ENDPOINT = "System.ServiceModel.EndpointNotFoundException"
#: AAD Sync and Azure AD Connect 1.0 have the module ADSync, but no scheduler cmdlets in it (they came with 1.1.105)
_NO_COMMAND = "System.Management.Automation.CommandNotFoundException"
#: below this build every synchronisation fails, from the day on (learn.microsoft.com, harden-update-ad-fs-pingfederate)
_FLOOR = (2, 5, 79, 0)
_FLOOR_FROM = date(2026, 10, 1)

_OTHER_ENGINES = (
    (("FIMSynchronizationService", "MSOnlineSyncScheduler"), "it runs DirSync, which the cloud has refused since 1 April 2021"),
    (("FIMSynchronizationService",), "it runs Forefront or Microsoft Identity Manager, which is not a sync engine of Entra ID"),
    (
        ("AADConnectProvisioningAgent",),
        "it runs the Entra Cloud Sync agent, which is driven through Microsoft Graph and not through this server",
    ),
)


class ConnectEngine:
    """See Engine."""

    name = "connect"
    can_run_full = True
    has_scheduler = True
    single_object = False
    min_interval = 1800
    history_route = "local"

    def probe(self, shell: RemoteShell, *, history_seconds: float) -> Probe:
        """See Engine.probe."""
        answer = shell.call("probe", PROBE, {"history_seconds": history_seconds}, timeout=90, repeatable=True)
        data = answer.data
        services: dict[str, int | None] = data["services"]
        _require_engine(services)
        support, note = retirement(data["version"], answer.server_utc.date())
        return Probe(
            at=answer.server_utc,
            server_lead=_server_lead(answer),
            version=data["version"] or None,
            support=support,
            support_note=note,
            services={
                name: status if status is None else ("running" if status == _RUNNING else "stopped") for name, status in services.items()
            },
            state=_state(data["state"]) if data["state"] else None,
            connectors=[
                {"name": item["name"], "id": item["id"], "type": item["type"], "directory": item["type"] == "AD"}
                for item in data["connectors"]
            ],
            history=_history(data["history"]),
            problems={part: _sentence(error) for part, error in data["problems"].items()},
            blocker=_blocker(data, answer.bits),
        )

    def start(self, shell: RemoteShell, pace: Pace, *, full: bool, stop_when_active: bool) -> Started:
        """See Engine.start."""
        parameters = {"policy": "Initial" if full else "Delta", "stop_when_active": stop_when_active, **_limits(pace)}
        answer = shell.call("start", START, parameters, timeout=pace.slice + 60, repeatable=False)
        data = answer.data
        refused = None
        if data["refusal"]:
            if RemoteError(data["refusal"]).has_hresult(_E_ACCESSDENIED):
                raise HybridIdentityError("engine_access_denied", "The sync engine does not let this account start a cycle (0x80070005).")
            refused = _sentence(data["refusal"])
        elif data["result"] not in ("", "Success"):  # builds before 1.1.281 return nothing
            refused = f"the engine answered {data['result']}"
        return Started(
            requested=parse_utc(data["requested"]), refused=refused, before=_state(data["before"]), followed=_followed(data["followed"])
        )

    def follow(self, shell: RemoteShell, pace: Pace, *, before: EngineState | None, since: datetime) -> Followed:
        """See Engine.follow."""
        parameters = {
            **_limits(pace),
            "active": before is None,
            "next_start_before": None if before is None or before.next_start is None else _dot_net(before.next_start),
            "stop_when_active": False,
            "since": _dot_net(since),
        }
        return _followed(shell.call("follow", FOLLOW, parameters, timeout=pace.slice + 60, repeatable=True).data)

    def read_history(self, shell: RemoteShell, *, since: datetime, server_now: datetime) -> History:
        """See Engine.read_history."""
        try:
            answer = call_locally(shell, "read_runs", READ_RUNS, {"since": _dot_net(since)}, timeout=60, server_now=server_now)
        except LocalRouteClosed as error:
            return History(None, str(error), True, None, None)
        except RemoteError as error:
            return History(None, f"the engine refused its run history in the local route too ({error.type})", False, None, None)
        return History([_run(item) for item in answer.data["runs"]], None, False, None, None)


def _require_engine(services: dict[str, int | None]) -> None:
    """Refuse a server without this engine; say which other one it has."""
    if "ADSync" in services:
        return
    for names, words in _OTHER_ENGINES:
        if all(name in services for name in names):
            reason = "engine_unsupported" if "MSOnlineSyncScheduler" in names else "not_a_sync_server"
            raise HybridIdentityError(reason, f"This server has no Entra Connect Sync: {words}.")
    raise HybridIdentityError(
        "not_a_sync_server", "This server has no sync engine: neither the ADSync service nor an older engine is installed."
    )


def _blocker(data: dict[str, Any], bits: int) -> HybridIdentityError | None:
    """Why the engine cannot be driven, from the types and HRESULTs of the probe's errors."""
    if data["services"]["ADSync"] not in (None, _RUNNING):
        return HybridIdentityError("service_stopped", "The service ADSync does not run on the sync server.")
    if bits == 32:
        return HybridIdentityError(
            "module_missing", "Windows PowerShell on the sync server ran as a 32-bit process, and the ADSync module is 64-bit only."
        )
    for part in ("module", "scheduler"):
        if part in data["problems"]:
            error = RemoteError(data["problems"][part])
            if error.has_hresult(_E_ACCESSDENIED):
                return HybridIdentityError("engine_access_denied", "The sync engine does not let this account in (0x80070005).")
            if error.has_type(_NO_COMMAND) and part == "scheduler":
                words = "its module has no scheduler, so it is AAD Sync or Azure AD Connect 1.0, which the cloud has refused for years"
                return HybridIdentityError("engine_unsupported", f"The sync engine is too old: {words}.")
            if error.has_type(_NO_ENDPOINT) and part == "scheduler":
                # A stopped service and a refused network logon look the same here; the service was asked before.
                reason = "service_stopped" if data["services"]["ADSync"] is None else "engine_access_denied"
                return HybridIdentityError(reason, "The sync engine does not answer this logon on its management pipe.")
            return HybridIdentityError("module_missing", f"The ADSync module cannot be used ({part}): {_sentence(data['problems'][part])}.")
    return None


def retirement(version: str | None, today: date) -> tuple[str, str]:
    """Whether the cloud still takes this version on a day: supported, refused or unknown; and a sentence."""
    numbers = version_numbers(version)
    if numbers is None:
        return "unknown", "The version of Entra Connect Sync could not be read."
    if numbers >= _FLOOR:
        return "supported", f"Entra Connect Sync {version} is accepted by the cloud."
    if today >= _FLOOR_FROM:
        return "refused", f"Entra Connect Sync {version} is below 2.5.79.0: since 1 October 2026 all its synchronisation fails."
    return "supported", f"Entra Connect Sync {version} is accepted by the cloud until 30 September 2026."


def version_numbers(version: str | None) -> tuple[int, ...] | None:
    """The four numbers of a product version, or None when it is not one."""
    parts = (version or "").split(".")
    if len(parts) < 3 or not all(part.isdigit() for part in parts[:4]):
        return None
    return tuple(int(part) for part in (parts + ["0"])[:4])


def _server_lead(answer: Answer) -> float:
    """How many seconds the server's clock is ahead of the caller's, at most.

    The envelope read the server's clock at its end. On the caller's clock that was no earlier than the question plus the
    time that the script took, so the figure is the highest that is possible: a watermark moved by it is never too early.
    """
    asked_wall = time.time() - (time.monotonic() - answer.asked)
    return answer.server_utc.timestamp() - (asked_wall + answer.duration_ms / 1000)


def _limits(pace: Pace) -> dict[str, float]:
    return {"seconds": pace.slice, "step_ms": int(pace.step * 1000), "confirm_seconds": pace.confirm}


def _dot_net(moment: datetime) -> str:
    """Round-trip text as .NET writes it: seven digits, Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


def _state(data: dict[str, Any]) -> EngineState:
    return EngineState(
        at=parse_utc(data["at"]),
        in_progress=data["in_progress"],
        busy=tuple(data["busy"]),
        enabled=data["enabled"],
        suspended=data["suspended"],
        staging=data["staging"],
        next_start=parse_utc(data["next_start"]) if data["next_start"] else None,
        next_type=data["next_type"],
        allowed_interval=float(data["allowed_interval"]),
        effective_interval=float(data["effective_interval"]),
    )


def _followed(data: dict[str, Any]) -> Followed:
    return Followed(
        state=_state(data["state"]),
        first_active=parse_utc(data["first_active"]) if data["first_active"] else None,
        ended=parse_utc(data["ended"]) if data["ended"] else None,
        history=_history(data["history"]) if data.get("history") else None,
    )


def _history(data: dict[str, Any] | None) -> History:
    if data is None:
        return History(None, "the engine was not asked", False, None, None)
    runs = None if data["runs"] is None else [_run(item) for item in data["runs"]]
    events = None
    if data["events"] is not None:
        found = data["events"]
        events = Events(
            counts={key: int(item["times"]) for key, item in found["counts"].items()},
            last={key: parse_utc(item["last"]) for key, item in found["counts"].items()},
            first=parse_utc(found["first"]) if found["first"] else None,
            errors=list(found["errors"]),
        )
    runs_error, events_error = data.get("runs_error"), data.get("events_error")
    return History(
        runs=runs,
        runs_problem=_sentence(runs_error) if runs_error else None,
        # A network logon gets EndpointNotFoundException; whether every build says it so is not known, so only a plain denial rules it out.
        local_may_help=runs_error is not None and not RemoteError(runs_error).has_hresult(_E_ACCESSDENIED),
        events=events,
        events_problem=_sentence(events_error) if events_error else None,
    )


#: the fixed identifier of the Entra connector (Microsoft, ADSync reference)
_ENTRA_CONNECTOR = "b891884f-051e-4a83-95af-2544101c9083"

# Run profile names are the product's own and are not translated.
_KINDS = (("Import", "import"), ("Synchronization", "synchronization"), ("Export", "export"))


def _run(data: dict[str, Any]) -> Run:
    started, ended = parse_utc(data["started"]), parse_utc(data["ended"]) if data["ended"] else None
    kind = next((kind for word, kind in _KINDS if word in data["profile"]), "other")
    return Run(
        connector=data["connector"],
        connector_id=data["connector_id"].lower(),
        on_directory=data["connector_id"].lower() != _ENTRA_CONNECTOR,
        profile=data["profile"],
        kind=kind,
        number=data["number"],
        result=data["result"],
        started=started,
        # While a run goes on, its EndDate is empty or lies before its StartDate.
        ended=ended if ended is not None and ended >= started else None,
        counts=step_counts([step["counts"] for step in data["steps"]], kind),
        errors=[error for step in data["steps"] for text in (step["errors"], step["discovery"]) for error in object_errors(text)],
    )


def _sentence(error: dict[str, Any]) -> str:
    """The server's own words with the marks by which it can be looked up; never used to decide anything."""
    lines = str(error.get("message") or "").strip().splitlines()
    words = lines[0].rstrip(".")[:300] if lines else "no message"
    return f"{words} [{error.get('type')}, 0x{int(error.get('hresult') or 0) & 0xFFFFFFFF:08X}]"
