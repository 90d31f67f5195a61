# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The run history by the local route, the same for every engine. Private to the collection."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from .._remote._call import Answer, AnswerError, RemoteError, RemoteShell
from .._remote._clock import ClockLead
from .._remote._failures import service_is_away
from .._remote._local_route import Errand, LocalRouteClosed, call_locally
from ._answers import RUNS_ANSWER, read_connectors, read_history, read_runs
from ._contract import History
from ._pace import round_trip


def read_locally(shell: RemoteShell, script: str, *, since: datetime, server_now: datetime, source: str) -> History:
    """Run a script that reads the runs since a moment outside the network logon. What is forbidden stands in the answer.

    Args:
        source: where that script has its runs from, as evidence.

    Raises:
        RemoteError: the service of the engine is away.
    """
    parameters = {"since": round_trip(since)}
    try:
        answer = call_locally(shell, "read_runs", script, parameters, shape=RUNS_ANSWER, timeout=60, server_now=server_now)
    except (LocalRouteClosed, AnswerError, RemoteError) as error:
        if isinstance(error, RemoteError) and service_is_away(error):
            raise
        return _unread(server_now, error)
    return _read(answer, source)


def runs_errand(script: str) -> Errand:
    """The same script, to be carried along by one that reads directly first."""
    return Errand(script, RUNS_ANSWER)


def read_both(data: dict[str, Any] | None, errand: Errand | None, lead: ClockLead, *, source: str) -> History | None:
    """Runs and events as the direct way has them, and the runs by the local route where the errand was run.

    Args:
        data: of HISTORY; None where nothing was read. errand: what was carried along. lead: of the call.
        source: where the errand has its runs from, as evidence.
    """
    direct = read_history(data)
    if direct is None or errand is None or data is None or not data["local"]:
        return direct
    try:
        local = _read(errand.open(data["local"], lead), source)
    except (LocalRouteClosed, AnswerError, RemoteError) as error:
        if isinstance(error, RemoteError) and service_is_away(error):
            return direct  # whoever asks for it by itself is told
        local = _unread(direct.at, error)
    return replace(
        local, events=direct.events, events_problem=direct.events_problem, local_may_help=direct.local_may_help, local_was_tried=True
    )


def _read(answer: Answer, source: str) -> History:
    connectors = read_connectors(answer.data["connectors"])
    return History(answer.data["at"].at, read_runs(answer.data["runs"], connectors), None, False, None, None, connectors, source)


def _unread(at: datetime, error: LocalRouteClosed | AnswerError | RemoteError) -> History:
    if isinstance(error, LocalRouteClosed):
        return History(at, None, str(error), True, None, None)
    what = (
        "the run history that came back makes no sense"
        if isinstance(error, AnswerError)
        else "the engine refused its run history in the local route too"
    )
    return History(at, None, f"{what}: {error}", False, None, None)
