# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The engine `aadsync`: AAD Sync 1.0.4xx and Azure AD Connect 1.0.86xx to 1.0.91xx.

The executable DirectorySyncClientCmd.exe runs a cycle from its beginning to its end; a scheduled task of the product starts
it every three hours. There is no flag for a running cycle (the process is one, as long as it lives), and the run history comes
by WMI. A delta is started by the product's task, else, as a full one, by the executable: as a process of the WMI service or
in a one-shot task, never as a child of the shell, with which it would die. This is private to the collection.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Sequence

from .._remote._call import Answer, AnswerError, RemoteError, RemoteShell
from .._remote._clock import ClockLead
from .._remote._failures import access_is_denied
from .._remote._shape import ServerTime
from ._aadsync_scripts import FOLLOW, PROBE, READ_RUNS, START
from ._answers import read_history
from ._contract import EngineState, History, NotSent, OtherEngine, Pace, Probe, Started, Step, Survey, Watch
from ._fim_answers import AADSYNC_PROBE, AADSYNC_START, AADSYNC_STATE, interval_seconds, read_watch, watch_answer
from ._local_history import read_locally
from ._pace import limits, lock_seconds, round_trip, try_name
from ._plan import SCHEDULER_CYCLE
from ._retirement import retirement, version_numbers
from ._survey import has_scheduler, look_around, sentences, services_of, stopped_services

_EXE = "DirectorySyncClientCmd.exe"
_TASK = "Azure AD Sync Scheduler"
#: Azure AD Connect 1.0.8641 brought staging mode (version history)
_FIRST_WITH_STAGING = (1, 0, 8641, 0)
_WATCH_ANSWER = watch_answer(AADSYNC_STATE)
_MEANS = {
    "task": f"run the scheduled task {_TASK}",
    "process": f"start {_EXE} as a process of its own",
    "one_shot_task": f"start {_EXE} in a task of its own",
}


@dataclass(frozen=True)
class AadSyncEngine:
    """See Engine. folder: where the executable lies; staged: what is known of staging mode (see EngineState)."""

    folder: str = ""
    staged: bool | None = None
    name: str = "aadsync"
    can_run_full: bool = True
    has_scheduler: bool = True
    objects: None = None
    min_interval: int = 10800
    history_route: str = "local"
    plan: Sequence[Step] = SCHEDULER_CYCLE

    def recognises(self, survey: Survey) -> bool:
        """See Engine.recognises."""
        return "ADSync" in survey.services and not has_scheduler(survey)

    def probe(self, shell: RemoteShell, *, history_seconds: float, survey: Survey | None = None, local: str = "never") -> Probe:
        """See Engine.probe."""
        if survey is None:
            survey, _problems = look_around(shell)
        if not self.recognises(survey):
            raise OtherEngine(survey)
        version = survey.wizard_version or survey.engine_version
        numbers = version_numbers(version)
        driver = replace(
            self, folder=survey.bin_folder or "", staged=False if numbers is not None and numbers < _FIRST_WITH_STAGING else None
        )
        answer = shell.call("probe", PROBE, {"history_seconds": history_seconds}, shape=AADSYNC_PROBE, timeout=90, repeatable=True)
        data = answer.data
        support, note = retirement(version)
        history = read_history(data["history"])
        return Probe(
            at=answer.server_utc,
            lead=answer.lead,
            version=version,
            support=support,
            support_note=note,
            services=services_of(survey),
            state=driver._state(data["state"]),
            connectors=history.connectors if history is not None else (),
            history=history,
            problems=sentences(data["problems"]),
            blocker=stopped_services(survey, "ADSync"),
            driver=driver,
            warnings=driver._warnings(data["state"]["task"], data["administrator"]),
        )

    def _state(self, data: dict[str, Any]) -> EngineState:
        task = data["task"]
        interval = interval_seconds(task["interval"])
        return EngineState(
            at=data["at"].at,
            in_progress=data["in_progress"],
            busy=tuple(data["busy"]),
            enabled=task["enabled"],
            suspended=None,
            staging=self.staged,
            next_start=task["next_start"],
            next_type=None,
            allowed_interval=None,
            effective_interval=interval,
            source="process" if data["in_progress"] or data["problem"] else "wmi",
        )

    def _warnings(self, task: dict[str, Any], administrator: bool) -> tuple[str, ...]:
        found = []
        if self.staged is None:
            found.append("Whether this server is in staging mode cannot be read on Azure AD Connect 1.0.")
        if not task["seen"]:
            denied = not administrator or (task["problem"] is not None and access_is_denied(RemoteError(task["problem"])))
            found.append(
                f"This account cannot see the scheduled task {_TASK}, if there is one: whether the scheduler is on is not known."
                if denied
                else f"The scheduled task {_TASK} is missing: nothing starts cycles on this server by itself."
            )
        return tuple(found)

    def start(self, shell: RemoteShell, pace: Pace, *, full: bool, stop_when_active: bool, local: bool = False) -> Started:
        """See Engine.start."""
        parameters = {
            **limits(pace),
            "full": full,
            "exe": f"{self.folder}\\{_EXE}",
            "name": try_name(),
            "lock_seconds": lock_seconds(pace),
            "stop_when_active": stop_when_active,
        }
        answer = shell.call("start", START, parameters, shape=AADSYNC_START, timeout=pace.slice + 60, repeatable=False)
        return self._started(answer, full)

    def _started(self, answer: Answer, full: bool) -> Started:
        data = answer.data
        trouble = RemoteError(data["trouble"]) if data["trouble"] else None
        if data["before"] is None or (trouble is not None and not data["sent"]):
            raise NotSent(trouble or AnswerError("the start ended before it was asked for, and does not say why"))
        before = self._state(data["before"])
        if not data["sent"]:
            return Started(before.at, False, "something runs", before, Watch(before, True, None, None, None, answer.lead), None)
        if data["requested"] is None:
            raise AnswerError("the start was asked for, and does not say when")
        if data["means"] is None:
            if trouble is not None:
                raise trouble
            tried = [f"{_MEANS.get(one['means'], one['means'])}: {RemoteError(one['error'])}" for one in data["attempts"]]
            words = "this account could neither " + ", nor ".join(tried)
            return Started(data["requested"].at, False, words, before, None, None, for_good=True)
        return Started(
            requested=data["requested"].at,
            accepted=True,
            refused=None,
            before=before,
            watch=read_watch(data["watch"], self._state, answer.lead) if data["watch"] else None,
            trouble=trouble,
            proves_own=data["locked"] and data["appeared"] and _is_ours(data),
            full=full,
        )

    def watch(
        self, shell: RemoteShell, pace: Pace, *, active: bool, next_start: ServerTime | None, since: datetime, local: bool = False
    ) -> Watch:
        """See Engine.watch. The next start says nothing here: the task's own schedule goes on whatever is started besides."""
        parameters = {**limits(pace), "active": active, "stop_when_active": False, "since": round_trip(since)}
        answer = shell.call("watch", FOLLOW, parameters, shape=_WATCH_ANSWER, timeout=pace.slice + 60, repeatable=True)
        return self._watched(answer.data, answer.lead)

    def _watched(self, data: dict[str, Any], lead: ClockLead) -> Watch:
        return read_watch(data, self._state, lead)

    def lost_start(self, *, full: bool) -> str | None:
        """See Engine.lost_start."""
        return None

    def read_history(self, shell: RemoteShell, *, since: datetime, server_now: datetime) -> History:
        """See Engine.read_history."""
        return read_locally(shell, READ_RUNS, since=since, server_now=server_now, source="wmi")


def _is_ours(data: dict[str, Any]) -> bool:
    """Whether the first run after the start is of the account that it was started under; the product's task has an account of its own."""
    if data["means"] == "task" or not data["accounts"] or not data["accounts"][0]:
        return bool(data["means"] == "task")
    return _bare(data["accounts"][0]) == _bare(data["account"])


def _bare(account: str) -> str:
    return account.rsplit("\\", 1)[-1].casefold()
