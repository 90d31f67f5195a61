# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What DirSync is before and from build 6862: two services of FIM's kind, one command to start, and nothing that says that it runs.

Every run bears the service's account, and a start while something runs may be ignored in silence: only the lock on the server,
under which is looked and started, makes a cycle one's own. This is private to the collection.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Sequence

from .._remote._call import Answer, AnswerError, RemoteError, RemoteShell
from .._remote._failures import access_is_denied, service_is_away
from .._remote._shape import ServerTime
from ._answers import read_history
from ._contract import DirSyncFolder, EngineState, History, NotSent, OtherEngine, Pace, Probe, Started, Step, Survey, Watch
from ._dirsync_passwords import SERVICES, DirSyncPasswords
from ._dirsync_scripts import FOLLOW, PROBE, READ_RUNS, START
from ._fim_answers import DIRSYNC_PROBE, DIRSYNC_START, DIRSYNC_STATE, clock_seconds, read_watch, watch_answer
from ._local_history import read_locally
from ._pace import limits, lock_seconds, round_trip
from ._plan import DIRSYNC_CYCLE
from ._retirement import retirement_of_dirsync
from ._survey import look_around, sentences, services_of, stopped_services

_WATCH_ANSWER = watch_answer(DIRSYNC_STATE)
#: errors of a start that has not been taken
_REFUSALS = ("System.InvalidOperationException", "System.Management.Automation.RuntimeException")
_FLAG = r"FullSyncNeeded in HKLM\SOFTWARE\Microsoft\MSOLCoExistence"


@dataclass(frozen=True)
class DirSync:
    """See Engine. folder: where it is installed; interval: of its scheduler, in seconds. The rest is in the two engines."""

    folder: str = ""
    interval: float | None = None
    name: str = ""
    can_run_full: bool = True
    has_scheduler: bool = True
    objects: None = None
    min_interval: int = 10800
    history_route: str = "local"
    plan: Sequence[Step] = DIRSYNC_CYCLE

    @property
    def passwords(self) -> DirSyncPasswords:
        """Its password part (see driver_of)."""
        return DirSyncPasswords(self.folder)

    def folder_of(self, survey: Survey) -> DirSyncFolder | None:
        """The folder of this generation on a server with DirSync; None where the server has the other one."""
        raise NotImplementedError

    def recognises(self, survey: Survey) -> bool:
        """See Engine.recognises."""
        return all(name in survey.services for name in SERVICES) and self.folder_of(survey) is not None

    def probe(self, shell: RemoteShell, *, history_seconds: float, survey: Survey | None = None, local: str = "never") -> Probe:
        """See Engine.probe."""
        if survey is None:
            survey, _problems = look_around(shell)
        folder = self.folder_of(survey)
        if not self.recognises(survey) or folder is None:
            raise OtherEngine(survey)
        parameters = {"history_seconds": history_seconds, "folder": folder.path}
        answer = shell.call("probe", PROBE, parameters, shape=DIRSYNC_PROBE, timeout=90, repeatable=True)
        data = answer.data
        driver = replace(self, folder=folder.path, interval=clock_seconds(data["interval"]))
        support, note = retirement_of_dirsync(folder.version)
        history = read_history(data["history"])
        return Probe(
            at=answer.server_utc,
            lead=answer.lead,
            version=folder.version,
            support=support,
            support_note=note,
            services=services_of(survey),
            state=driver._state(data["state"]),
            connectors=history.connectors if history is not None else (),
            history=history,
            problems=sentences(data["problems"]),
            blocker=stopped_services(survey, *SERVICES),
            driver=driver,
        )

    def _state(self, data: dict[str, Any]) -> EngineState:
        """It has neither a switch for its scheduler (but for the service itself) nor staging; its next start is nowhere to be read."""
        return EngineState(
            at=data["at"].at,
            in_progress=data["in_progress"],
            busy=tuple(data["busy"]),
            enabled=None,
            suspended=None,
            staging=False,
            next_start=None,
            next_type=None,
            allowed_interval=None,
            effective_interval=self.interval,
            source="wmi",
        )

    def start(self, shell: RemoteShell, pace: Pace, *, full: bool, stop_when_active: bool, local: bool = False) -> Started:
        """See Engine.start."""
        parameters = {
            **limits(pace),
            "full": full,
            "folder": self.folder,
            "lock_seconds": lock_seconds(pace),
            "stop_when_active": stop_when_active,
        }
        answer = shell.call("start", START, parameters, shape=DIRSYNC_START, timeout=pace.slice + 60, repeatable=False)
        return self._started(answer, full)

    def _started(self, answer: Answer, full: bool) -> Started:
        data = answer.data
        trouble = RemoteError(data["trouble"]) if data["trouble"] else None
        if data["before"] is None or (trouble is not None and not data["sent"]):
            if data["before"] is not None and trouble is not None and full and data["how"] is not None and not data["flag_written"]:
                words = f"{_FLAG} could not be written, and this build knows no other way to a full cycle: {trouble}"
                return Started(data["before"]["at"].at, False, words, self._state(data["before"]), None, None, for_good=True)
            raise NotSent(trouble or AnswerError("the start ended before it was asked for, and does not say why"))
        before = self._state(data["before"])
        if not data["sent"]:
            return Started(before.at, False, "something runs", before, Watch(before, True, None, None, None, answer.lead), None)
        if data["requested"] is None:
            raise AnswerError("the start was asked for, and does not say when")
        watch = read_watch(data["watch"], self._state, answer.lead) if data["watch"] else None
        if data["refusal"]:
            refusal = RemoteError(data["refusal"])
            left = self._left(data["flag_left"])
            if access_is_denied(refusal):
                raise NotSent(refusal)
            if service_is_away(refusal) or not any(refusal.has_type(name) for name in _REFUSALS):
                raise refusal  # the call itself failed: whether it was taken up is not known
            return Started(data["requested"].at, False, refusal.sentence(), before, watch, None, warnings=left)
        was_set = data["flag"] == 1 and not data["flag_written"]
        return Started(
            requested=data["requested"].at,
            accepted=True,
            refused=None,
            before=before,
            watch=watch,
            trouble=trouble,
            proves_own=data["locked"] and data["appeared"],
            full=full or was_set,
            warnings=(f"{_FLAG} was set already, so the delta that was asked for is a full cycle.",) if was_set and not full else (),
        )

    @staticmethod
    def _left(error: dict[str, Any] | None) -> tuple[str, ...]:
        if error is None:
            return ()
        return (f"{_FLAG} was set for this start and could not be put back, so the next cycle is a full one: {RemoteError(error)}",)

    def watch(
        self, shell: RemoteShell, pace: Pace, *, active: bool, next_start: ServerTime | None, since: datetime, local: bool = False
    ) -> Watch:
        """See Engine.watch."""
        parameters = {**limits(pace), "active": active, "stop_when_active": False, "since": round_trip(since)}
        answer = shell.call("watch", FOLLOW, parameters, shape=_WATCH_ANSWER, timeout=pace.slice + 60, repeatable=True)
        return read_watch(answer.data, self._state, answer.lead)

    def lost_start(self, *, full: bool) -> str | None:
        """See Engine.lost_start."""
        return f"If no cycle came of this start, {_FLAG} may have been left set, and the next cycle is a full one." if full else None

    def read_history(self, shell: RemoteShell, *, since: datetime, server_now: datetime) -> History:
        """See Engine.read_history."""
        return read_locally(shell, READ_RUNS, since=since, server_now=server_now, source="wmi")
