# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The engine `connect`: Azure AD Connect 1.1 and later, Microsoft Entra Connect Sync 2.x (PowerShell module ADSync).

Recognised by its service; its module is imported by full path. Over the network logon the scheduler cmdlets work, the
run history is refused (its named pipe lets no network logon in), which is why there is a local route.
This is private to the collection.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Sequence

from .._failure import HybridIdentityError
from .._remote._call import AnswerError, RemoteError, RemoteShell
from .._remote._failures import access_is_denied, as_failure, service_is_away
from .._remote._local_route import LocalRouteClosed, call_locally
from .._remote._shape import ServerTime
from ._connect_answers import PROBE_ANSWER, RUNS_ANSWER, START_ANSWER, WATCH_ANSWER, read_connectors, read_history, read_runs, read_state
from ._connect_scripts import PROBE, READ_RUNS, START, WATCH
from ._contract import History, NotSent, Pace, Probe, Started, Step, Watch
from ._plan import SCHEDULER_CYCLE

#: the engine's service status (System.ServiceProcess.ServiceControllerStatus.Running)
_RUNNING = 4
#: what the named pipe answers to network logons; a stopped service looks the same, so the service is asked first
_NO_ENDPOINT = "System.ServiceModel.EndpointNotFoundException"
#: AAD Sync and Azure AD Connect 1.0 have the module ADSync, but no scheduler cmdlets in it (they came with 1.1.105)
_NO_COMMAND = "System.Management.Automation.CommandNotFoundException"
_FIRST_WITH_SCHEDULER = (1, 1, 105, 0)
#: what Import-Module and the registry say when the module is not where it belongs
_NOT_THERE = (
    "System.IO.FileNotFoundException",
    "System.IO.DirectoryNotFoundException",
    "System.Management.Automation.ItemNotFoundException",
    "System.Management.Automation.PSArgumentException",
)
#: the refusals of Start-ADSyncSyncCycle: a cycle or a connector runs, or the scheduler is suspended
_REFUSAL = "System.InvalidOperationException"
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
    plan: Sequence[Step] = SCHEDULER_CYCLE

    def probe(self, shell: RemoteShell, *, history_seconds: float) -> Probe:
        """See Engine.probe."""
        answer = shell.call("probe", PROBE, {"history_seconds": history_seconds}, shape=PROBE_ANSWER, timeout=90, repeatable=True)
        data = answer.data
        services: dict[str, int | None] = data["services"]
        _require_engine(services)
        support, note = retirement(data["version"], answer.server_utc.date())
        return Probe(
            at=answer.server_utc,
            lead=answer.lead,
            version=data["version"] or None,
            support=support,
            support_note=note,
            services={
                name: status if status is None else ("running" if status == _RUNNING else "stopped") for name, status in services.items()
            },
            state=read_state(data["state"]) if data["state"] else None,
            connectors=read_connectors(data["connectors"]),
            history=read_history(data["history"]),
            problems={part: RemoteError(error).sentence() for part, error in data["problems"].items()},
            blocker=_blocker(data, answer.bits),
        )

    def start(self, shell: RemoteShell, pace: Pace, *, full: bool, stop_when_active: bool) -> Started:
        """See Engine.start."""
        parameters = {"policy": "Initial" if full else "Delta", "stop_when_active": stop_when_active, **_limits(pace)}
        answer = shell.call("start", START, parameters, shape=START_ANSWER, timeout=pace.slice + 60, repeatable=False)
        data = answer.data
        trouble = RemoteError(data["trouble"]) if data["trouble"] else None
        if not data["sent"]:
            raise NotSent(trouble or AnswerError("the start ended before it was asked for, and does not say why"))
        if data["before"] is None or data["requested"] is None:
            raise AnswerError("the start was asked for, and does not say when")
        refused = None
        if data["refusal"]:
            refusal = RemoteError(data["refusal"])
            if access_is_denied(refusal):
                raise NotSent(refusal)
            if not refusal.has_type(_REFUSAL):
                raise refusal  # the call itself failed: whether the engine took it up is not known
            refused = refusal.sentence()
        elif data["result"] not in ("", "Success"):  # builds before 1.1.281 return nothing
            refused = f"the engine answered {data['result']}"
        return Started(
            requested=data["requested"].at,
            accepted=refused is None,
            refused=refused,
            before=read_state(data["before"]),
            watch=_watch(data["watch"], answer.lead) if data["watch"] else None,
            trouble=trouble,
        )

    def watch(self, shell: RemoteShell, pace: Pace, *, active: bool, next_start: ServerTime | None, since: datetime) -> Watch:
        """See Engine.watch."""
        parameters = {
            **_limits(pace),
            "active": active,
            "next_start": next_start.text if next_start else None,
            "stop_when_active": False,
            "since": _dot_net(since),
        }
        answer = shell.call("watch", WATCH, parameters, shape=WATCH_ANSWER, timeout=pace.slice + 60, repeatable=True)
        return _watch(answer.data, answer.lead)

    def read_history(self, shell: RemoteShell, *, since: datetime, server_now: datetime) -> History:
        """See Engine.read_history."""
        parameters = {"since": _dot_net(since)}
        try:
            answer = call_locally(shell, "read_runs", READ_RUNS, parameters, shape=RUNS_ANSWER, timeout=60, server_now=server_now)
        except LocalRouteClosed as error:
            return History(server_now, None, str(error), True, None, None)
        except AnswerError as error:
            return History(server_now, None, f"the run history that came back makes no sense: {error}", False, None, None)
        except RemoteError as error:
            if service_is_away(error):
                raise
            return History(server_now, None, f"the engine refused its run history in the local route too: {error}", False, None, None)
        data = answer.data
        return History(data["at"].at, read_runs(data["runs"]), None, False, None, None, read_connectors(data["connectors"]))


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
    service = data["services"]["ADSync"]
    if service not in (None, _RUNNING):
        return HybridIdentityError("service_stopped", "The service ADSync does not run on the sync server.")
    if bits == 32:
        return HybridIdentityError(
            "module_missing", "Windows PowerShell on the sync server ran as a 32-bit process, and the ADSync module is 64-bit only."
        )
    if "module" in data["problems"]:
        error = RemoteError(data["problems"]["module"])
        if not access_is_denied(error) and any(error.has_type(name) for name in (*_NOT_THERE, _NO_COMMAND)):
            return HybridIdentityError("module_missing", f"The ADSync module cannot be loaded: {error}.")
        return as_failure(error)
    if "scheduler" in data["problems"]:
        return _scheduler_blocker(RemoteError(data["problems"]["scheduler"]), service, data["version"])
    return None


def _scheduler_blocker(error: RemoteError, service: int | None, version: str) -> HybridIdentityError:
    if error.has_type(_NO_COMMAND):
        numbers = version_numbers(version)
        if numbers is not None and numbers >= _FIRST_WITH_SCHEDULER:
            return HybridIdentityError("engine_error", f"Azure AD Connect {version} lacks a command of its scheduler: {error}.")
        words = "its module has no scheduler, so it is AAD Sync or Azure AD Connect 1.0, which the cloud has refused for years"
        return HybridIdentityError("engine_unsupported", f"The sync engine is too old: {words}.")
    if error.has_type(_NO_ENDPOINT):
        # A stopped service and a refused network logon look the same here; the service was asked before.
        reason = "service_stopped" if service is None else "engine_access_denied"
        return HybridIdentityError(reason, "The sync engine does not answer this logon on its management pipe.")
    return as_failure(error)


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
    if len(parts) < 3 or not all(part.isascii() and part.isdigit() and len(part) < 9 for part in parts[:4]):
        return None
    return tuple(int(part) for part in (parts + ["0"])[:4])


def _limits(pace: Pace) -> dict[str, float]:
    return {
        "seconds": pace.slice,
        "step_ms": int(pace.step * 1000),
        "confirm_seconds": pace.confirm,
        "idle_seconds": pace.idle,
    }


def _dot_net(moment: datetime) -> str:
    """Round-trip text as .NET writes it: seven digits, Z. For bounds only: what is compared on the server travels as it was written there."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


def _watch(data: dict[str, Any], lead: Any) -> Watch:
    return Watch(
        state=read_state(data["state"]),
        active=data["active"],
        first_active=data["first_active"].at if data["first_active"] else None,
        idle_since=data["idle_since"].at if data["idle_since"] else None,
        history=read_history(data["history"]),
        trouble=RemoteError(data["trouble"]) if data["trouble"] else None,
        lead=lead,
    )
