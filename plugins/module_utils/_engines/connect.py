# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The engine `connect`: Azure AD Connect 1.1.105 and later, Microsoft Entra Connect Sync 2.x (PowerShell module ADSync).

Recognised by its service and its version; its module is imported by full path. Over the network logon the scheduler cmdlets
work, the run history is refused (its named pipe lets no network logon in), which is why there is a local route; builds
before 1.4.18 have the WMI provider, which needs none. Builds before 1.1.443 have no flag for a running cycle, those before
1.1.281 do not say whether a start was taken, those before 1.1.130 do not tell which connectors run.
This is private to the collection.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Sequence

from .._failure import HybridIdentityError
from .._remote._call import AnswerError, RemoteError, RemoteShell
from .._remote._clock import ClockLead
from .._remote._failures import access_is_denied, as_failure
from .._remote._local_route import Errand
from .._remote._shape import ServerTime
from ._answers import read_connectors, read_survey
from ._connect_answers import PROBE_ANSWER, START_ANSWER, WATCH_ANSWER, read_state
from ._connect_objects import ConnectObjects
from ._connect_scripts import PROBE, READ_RUNS, START, WATCH
from ._contract import History, NotSent, OtherEngine, Pace, Probe, Started, Step, Survey, Watch
from ._local_history import read_both, read_locally, runs_errand
from ._object_contract import ObjectDriver
from ._pace import limits, round_trip
from ._plan import SCHEDULER_CYCLE
from ._retirement import retirement, version_numbers
from ._survey import has_scheduler, sentences, services_of, stopped_services

#: what the named pipe answers to network logons; a stopped service looks the same, so the service is asked first
_NO_ENDPOINT = "System.ServiceModel.EndpointNotFoundException"
#: AAD Sync and Azure AD Connect 1.0 have the module ADSync, but no scheduler cmdlets in it (they came with 1.1.105)
_NO_COMMAND = "System.Management.Automation.CommandNotFoundException"
_FIRST_WITHOUT_WMI = (1, 4, 18, 0)
#: brought Invoke-ADSyncSingleObjectSync
_FIRST_WITH_OBJECTS = (1, 6, 4, 0)
_OBJECTS = ConnectObjects()
#: what Import-Module and the registry say when the module is not where it belongs
_NOT_THERE = (
    "System.IO.FileNotFoundException",
    "System.IO.DirectoryNotFoundException",
    "System.Management.Automation.ItemNotFoundException",
    "System.Management.Automation.PSArgumentException",
)
#: the refusals of Start-ADSyncSyncCycle: a cycle or a connector runs, or the scheduler is suspended
_REFUSAL = "System.InvalidOperationException"


@dataclass(frozen=True)
class ConnectEngine:
    """See Engine. wmi: this server's build has the WMI provider. objects: it may have no such cmdlet yet."""

    wmi: bool = True
    name: str = "connect"
    can_run_full: bool = True
    has_scheduler: bool = True
    objects: ObjectDriver | None = _OBJECTS
    min_interval: int = 1800
    history_route: str = "local"
    plan: Sequence[Step] = SCHEDULER_CYCLE

    def recognises(self, survey: Survey) -> bool:
        """See Engine.recognises."""
        return "ADSync" in survey.services and has_scheduler(survey)

    def probe(self, shell: RemoteShell, *, history_seconds: float, survey: Survey | None = None, local: str = "never") -> Probe:
        """See Engine.probe. Its script makes the survey as well: most servers have this engine, and need one call only."""
        errand, carried = _carried(shell, local != "never")
        parameters = {"history_seconds": history_seconds, "wmi": True, "local_when": local, "local": carried}
        answer = shell.call("probe", PROBE, parameters, shape=PROBE_ANSWER, timeout=90, repeatable=True)
        data = answer.data
        found = read_survey(data["survey"], answer.bits, _module_has_scheduler(data))
        if not self.recognises(found):
            raise OtherEngine(found)
        version = found.wizard_version or found.engine_version
        support, note = retirement(version)
        numbers = version_numbers(version)
        return Probe(
            at=answer.server_utc,
            lead=answer.lead,
            version=version,
            support=support,
            support_note=note,
            services=services_of(found),
            state=read_state(data["state"]) if data["state"] else None,
            connectors=read_connectors(data["connectors"]),
            history=read_both(data["history"], errand, answer.lead, source="run_history"),
            problems=sentences(data["problems"]),
            blocker=_blocker(found, data["problems"]),
            driver=replace(
                self,
                wmi=numbers is None or numbers < _FIRST_WITHOUT_WMI,
                objects=None if numbers is not None and numbers < _FIRST_WITH_OBJECTS else self.objects,
            ),
        )

    def start(self, shell: RemoteShell, pace: Pace, *, full: bool, stop_when_active: bool, local: bool = False) -> Started:
        """See Engine.start."""
        errand, carried = _carried(shell, local)
        parameters = {
            **limits(pace),
            "policy": "Initial" if full else "Delta",
            "stop_when_active": stop_when_active,
            "wmi": self.wmi,
            "local": carried,
        }
        answer = shell.call("start", START, parameters, shape=START_ANSWER, timeout=pace.slice + 120, repeatable=False)
        data = answer.data
        trouble = RemoteError(data["trouble"]) if data["trouble"] else None
        if not data["sent"] and data["before"] is not None and trouble is None:
            before = read_state(data["before"])
            return Started(before.at, False, "something runs", before, _only_look(before, answer.lead), None)
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
        elif data["result"] not in (None, "", "Success"):  # builds before 1.1.281 return nothing
            refused = f"the engine answered {data['result']}"
        return Started(
            requested=data["requested"].at,
            accepted=refused is None,
            refused=refused,
            before=read_state(data["before"]),
            watch=_watch(data["watch"], errand, answer.lead) if data["watch"] else None,
            trouble=trouble,
            proves_own=data["result"] == "Success",  # a start that nothing answers may have been lost in somebody else's
        )

    def watch(
        self, shell: RemoteShell, pace: Pace, *, active: bool, next_start: ServerTime | None, since: datetime, local: bool = False
    ) -> Watch:
        """See Engine.watch."""
        errand, carried = _carried(shell, local)
        parameters = {
            **limits(pace),
            "wmi": self.wmi,
            "active": active,
            "next_start": next_start.text if next_start else None,
            "stop_when_active": False,
            "since": round_trip(since),
            "local": carried,
        }
        answer = shell.call("watch", WATCH, parameters, shape=WATCH_ANSWER, timeout=pace.slice + 120, repeatable=True)
        return _watch(answer.data, errand, answer.lead)

    def lost_start(self, *, full: bool) -> str | None:
        """See Engine.lost_start."""
        return None

    def read_history(self, shell: RemoteShell, *, since: datetime, server_now: datetime) -> History:
        """See Engine.read_history."""
        return read_locally(shell, READ_RUNS, since=since, server_now=server_now, source="run_history")


def _module_has_scheduler(data: dict[str, Any]) -> bool | None:
    """Whether the module knows the scheduler's cmdlets; one that refuses them knows them too. None where there is no module to ask."""
    if data["state"]:
        return True
    error = data["problems"].get("scheduler")
    return None if error is None else not RemoteError(error).has_type(_NO_COMMAND)


def _only_look(state: Any, lead: ClockLead) -> Watch:
    """A look that begins no watching."""
    return Watch(state, state.active, None, None, None, lead)


def _blocker(survey: Survey, problems: dict[str, Any]) -> HybridIdentityError | None:
    """Why the engine cannot be driven, from the types and HRESULTs of the probe's errors."""
    stopped = stopped_services(survey, "ADSync")
    if stopped is not None:
        return stopped
    if survey.bits == 32:
        return HybridIdentityError(
            "module_missing", "Windows PowerShell on the sync server ran as a 32-bit process, and the ADSync module is 64-bit only."
        )
    if "module" in problems:
        error = RemoteError(problems["module"])
        if not access_is_denied(error) and any(error.has_type(name) for name in (*_NOT_THERE, _NO_COMMAND)):
            return HybridIdentityError("module_missing", f"The ADSync module cannot be loaded: {error}.")
        return as_failure(error)
    if "scheduler" in problems:
        return _scheduler_blocker(RemoteError(problems["scheduler"]), survey.services["ADSync"])
    return None


def _scheduler_blocker(error: RemoteError, service: int | None) -> HybridIdentityError:
    if error.has_type(_NO_COMMAND):
        return HybridIdentityError("engine_error", f"The module ADSync lacks a command of its scheduler: {error}.")
    if error.has_type(_NO_ENDPOINT):
        # A stopped service and a refused network logon look the same here; the service was asked before.
        reason = "service_stopped" if service is None else "engine_access_denied"
        return HybridIdentityError(reason, "The sync engine does not answer this logon on its management pipe.")
    return as_failure(error)


def _carried(shell: RemoteShell, wanted: bool) -> tuple[Errand | None, dict[str, Any] | None]:
    """The reading of the runs that a call carries along for the local route, and what its script gets of it."""
    errand = runs_errand(READ_RUNS) if wanted else None
    return errand, errand.parameters(shell) if errand is not None else None


def _watch(data: dict[str, Any], errand: Errand | None, lead: ClockLead) -> Watch:
    return Watch(
        state=read_state(data["state"]),
        active=data["active"],
        first_active=data["first_active"].at if data["first_active"] else None,
        idle_since=data["idle_since"].at if data["idle_since"] else None,
        history=read_both(data["history"], errand, lead, source="run_history"),
        trouble=RemoteError(data["trouble"]) if data["trouble"] else None,
        lead=lead,
    )
