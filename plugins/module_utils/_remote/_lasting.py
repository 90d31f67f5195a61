# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Work that outlives its shell: a script in a one-shot task on the server that nobody stops, repeats or sweeps while it runs.

A script dies with its WinRM shell, and its `finally` with it. What must come to its end once it was begun is therefore no child of the shell:
a task runs it, keeps its answer for a minute, and removes itself. The way is the local route's (logon type S4U, a folder that only the account
can open); what differs is that there is one try, that a lost answer says nothing, and that nothing is cleaned up behind a living task.
This is private to the collection.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

from ._call import Answer, AnswerError, RemoteError, RemoteShell, open_envelope, read_envelope, request_document
from ._lasting_script import LASTING, LASTING_RUNNER
from ._local_route import LocalRouteClosed
from ._shape import Shape, flag, optional, record, text, whole
from ._transport import ConnectionBroken

_LEFTOVER_HOURS = 3
#: seconds of a call that belong to what is around the task: starting PowerShell, registering, the task's removing itself
_AROUND = 12.0
_OUTER_SHAPE = record(answered=flag, text=optional(text), state=whole, last_result=whole)
_RUNNING = 4


def new_stamp(server_now: datetime) -> str:
    """What the names of the tasks of one piece of work end with: the server's clock, and something that nobody else has."""
    return f"{server_now:%Y%m%d%H%M%S}-{secrets.token_hex(6)}"


def run_lasting(
    shell: RemoteShell,
    name: str,
    script: str,
    parameters: dict[str, Any],
    *,
    shape: Shape,
    timeout: float,
    stamp: str,
    server_now: datetime,
) -> Answer:
    """Run a script in a task that outlives the shell. It is sent once.

    Args:
        shell, name, script, parameters, shape: as in RemoteShell.call.
        timeout: seconds for which the answer is awaited; the work goes on without anybody who listens.
        stamp: of new_stamp; the task is called `work-` and the stamp. server_now: the server's clock, so that what is long over can be told.

    Raises:
        LocalRouteClosed: the task could not be written or started: nothing has run.
        RemoteError: the script itself failed.
        ConnectionBroken, NoAnswer, AnswerError: whether it has run, or runs still, is not known.
        TransportError: it was not sent.
    """
    marker = "#" + secrets.token_hex(8) + "#"
    outer_parameters = {
        "name": "work-" + stamp,
        "request": request_document(script, {**parameters, "stamp": stamp}, marker),
        "runner": LASTING_RUNNER,
        "leftover": f"work-{server_now - timedelta(hours=_LEFTOVER_HOURS):%Y%m%d%H%M%S}",
        "seconds": max(timeout - _AROUND, 1.0),
    }
    try:
        outer = shell.call(name + " (lasting)", LASTING, outer_parameters, shape=_OUTER_SHAPE, timeout=timeout, repeatable=False)
    except RemoteError as error:
        raise LocalRouteClosed(
            f"the account may not run a one-shot scheduled task on the server ({error.type}, 0x{error.hresult & 0xFFFFFFFF:08X}): "
            "that takes a local administrator with the right to log on as a batch job"
        ) from error
    if not outer.data["answered"]:
        state, result = outer.data["state"], outer.data["last_result"]
        words = f"(state {state}, last result 0x{result & 0xFFFFFFFF:08X})"
        if state == _RUNNING:
            raise ConnectionBroken(f"The work on the server did not end in time, and goes on {words}.")
        raise ConnectionBroken(f"The task on the server ended without an answer {words}.")
    envelope = read_envelope((outer.data["text"] or "").encode("ascii", errors="replace"), marker)
    if envelope is None:
        raise AnswerError("the answer of the scheduled task could not be read")
    return open_envelope(envelope, shape, outer.lead)
