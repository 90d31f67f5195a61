# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The run history by the local route, the same for every engine. Private to the collection."""

from __future__ import annotations

from datetime import datetime

from .._remote._call import AnswerError, RemoteError, RemoteShell
from .._remote._failures import service_is_away
from .._remote._local_route import LocalRouteClosed, call_locally
from ._answers import RUNS_ANSWER, read_connectors, read_runs
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
    except LocalRouteClosed as error:
        return History(server_now, None, str(error), True, None, None)
    except AnswerError as error:
        return History(server_now, None, f"the run history that came back makes no sense: {error}", False, None, None)
    except RemoteError as error:
        if service_is_away(error):
            raise
        return History(server_now, None, f"the engine refused its run history in the local route too: {error}", False, None, None)
    connectors = read_connectors(answer.data["connectors"])
    return History(answer.data["at"].at, read_runs(answer.data["runs"], connectors), None, False, None, None, connectors, source)
