# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Single objects on the engine `connect`, 1.6.4 and later (module ADSyncDiagnostics). Private to the collection.

The cmdlet is for an elevated session and reads what the named pipe keeps from network logons, so it runs in a one-shot task; and because
the scheduler is off meanwhile, in one that outlives the shell: a connection that is cut in the middle must not leave it off.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Sequence

from .._remote._call import AnswerError, RemoteError, RemoteShell
from .._remote._lasting import run_lasting
from .._remote._local_route import call_locally
from .._remote._shape import Misshapen, error_object, flag, list_of, optional, record, text, timestamp
from ._connect_answers import STATE, read_state
from ._connect_object_scripts import LOOK, RESTORE, SYNCHRONISE
from ._contract import EngineState
from ._engine_state import LeftOff
from ._object_contract import ObjectOutcome, ObjectsDone, ObjectsLook
from ._object_summaries import THROTTLED, read_outcome
from ._packed import unpacked

#: bytes that the summaries may come to when they are unpacked
_MOST = 64 * 1024 * 1024
_LOOK_ANSWER = record(state=STATE, left_off=optional(record(folder=text, running=flag)))
_RESTORE_ANSWER = record(on=flag)
_DONE = record(before=STATE, requested=optional(timestamp), after=STATE, packed=text, problem=optional(error_object))
_ROWS = list_of(record(dn=text, text=text, error=optional(error_object)), 10000)


@dataclass(frozen=True)
class ConnectObjects:
    """See ObjectDriver. pause: Microsoft asks for five minutes."""

    since: str = "1.6.4"
    pause: float = 300.0

    def synchronise(
        self, shell: RemoteShell, names: Sequence[str], *, proceed_when_off: bool, stamp: str, seconds: float, server_now: datetime
    ) -> ObjectsDone:
        """See ObjectDriver.synchronise."""
        parameters = {"objects": list(names), "proceed_when_off": proceed_when_off, "seconds": seconds, "throttled": THROTTLED}
        answer = run_lasting(
            shell, "objects", SYNCHRONISE, parameters, shape=_DONE, timeout=shell.deadline.left(), stamp=stamp, server_now=server_now
        )
        data = answer.data
        left_off: str | None = None
        after = read_state(data["after"])
        before = read_state(data["before"])
        if before.enabled and not after.enabled:
            left_off = str(RemoteError(data["problem"])) if data["problem"] else "the engine took it and did not do it"
        return ObjectsDone(data["requested"].at if data["requested"] else None, before, after, _outcomes(data["packed"]), left_off)

    def look(self, shell: RemoteShell) -> ObjectsLook:
        """See ObjectDriver.look."""
        answer = shell.call("look", LOOK, {}, shape=_LOOK_ANSWER, timeout=60, repeatable=True)
        left = answer.data["left_off"]
        return ObjectsLook(read_state(answer.data["state"]), LeftOff(left["folder"], left["running"]) if left else None)

    def restore(self, shell: RemoteShell, left_off: LeftOff, *, server_now: datetime) -> EngineState:
        """See ObjectDriver.restore."""
        answer = call_locally(
            shell, "restore", RESTORE, {"folder": left_off.folder}, shape=_RESTORE_ANSWER, timeout=60, server_now=server_now
        )
        if not answer.data["on"]:
            raise AnswerError("the engine took the order to switch its scheduler on and did not do it")
        return self.look(shell).state


def _outcomes(packed: str) -> tuple[ObjectOutcome, ...]:
    """What came of each object. Raises AnswerError."""
    if not packed:
        return ()
    plain = unpacked(packed, _MOST, "what the engine says of the objects")
    try:
        rows: list[dict[str, Any]] = _ROWS(json.loads(plain.decode("utf-8-sig")), "the summaries")
    except Misshapen as error:
        raise AnswerError(str(error)) from None
    except (ValueError, RecursionError):
        raise AnswerError("the summaries of the objects could not be unpacked") from None
    return tuple(read_outcome(row["dn"], row["text"], RemoteError(row["error"]) if row["error"] else None) for row in rows)
