# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The local route: a call that runs outside the network logon, in a one-shot scheduled task on the server.

The engine's named pipe refuses network logons; a task with logon type S4U is none. The request lies in a folder that is made with its access
list in one step, and that only the connecting user (and the system) can open. Every try has a name of its own: a script dies with its shell,
so its `finally` may never run, and the next try removes what the one before it left. What no try came to remove is swept by a later call.
Source of the way round: field reports of a scheduled task with logon type S4U, run as a member of ADSyncAdmins.
This is private to the collection.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from .._deadline import Deadline
from ._call import Answer, AnswerError, NoAnswer, RemoteError, RemoteShell, open_envelope, read_envelope, request_document
from ._clock import ClockLead
from ._local_route_script import CARRIED_ALONG, LOCAL_ROUTE, RUNNER
from ._shape import Shape, error_object, flag, optional, record, text, whole
from ._transport import ConnectionBroken, TransportError

#: how old (in hours) a left-over has to be before it is swept: no call lives that long
_LEFTOVER_HOURS = 1
#: seconds between two tries; one more try than pauses
_PAUSES = (1.0, 3.0)
#: seconds of a try that belong to what is around the task: starting PowerShell, registering, removing
_AROUND = 10.0
#: seconds that the local route needs at least; a task that is cut off in its middle is left behind on the server
LEAST_SECONDS = 3.0
#: seconds for removing what the tries left, after the last of them has failed
_CLEANING = 3.0
_OUTER = {"text": optional(text), "state": optional(whole), "last_result": optional(whole)}
_OUTER_SHAPE = record(answered=flag, **_OUTER)
#: what a script returns that carried an errand along; nothing where there was no need or no time for it
ERRAND_ANSWER = optional(record(answered=optional(flag), error=optional(error_object), **_OUTER))


class LocalRouteClosed(Exception):
    """The local route cannot be used; the message is one sentence that names what is missing."""


@dataclass(frozen=True)
class Errand:
    """A script that another one runs by the local route, where it finds that it has to: that saves the start of a process.

    script: it must be safe to repeat, and its parameters are the other script's affair. shape: what it promises to return.
    """

    script: str
    shape: Shape
    _marker: str = field(default_factory=lambda: "#" + secrets.token_hex(8) + "#")

    def parameters(self, shell: RemoteShell) -> dict[str, Any]:
        """What the script that carries it gets as one of its own parameters."""
        return {
            "code": CARRIED_ALONG,
            "route": LOCAL_ROUTE,
            "script": self.script,
            "runner": RUNNER,
            "marker": self._marker,
            "tag": shell.tag,
            "seconds": shell.deadline.left(),
            "least": LEAST_SECONDS,
        }

    def open(self, data: dict[str, Any], lead: ClockLead) -> Answer:
        """The answer of the script.

        Args:
            data: of ERRAND_ANSWER. lead: of the call that carried it.

        Raises:
            LocalRouteClosed, RemoteError, AnswerError: as call_locally does.
        """
        if data["error"]:
            raise _no_task(RemoteError(data["error"]))
        return _opened(data, self._marker, self.shape, lead)


def call_locally(
    shell: RemoteShell,
    name: str,
    script: str,
    parameters: dict[str, Any],
    *,
    shape: Shape,
    timeout: float,
    server_now: datetime,
) -> Answer:
    """Run a script on the server outside the network logon; it must be safe to repeat.

    Args:
        shell: the direct transport to the server.
        name, script, parameters: as in RemoteShell.call.
        timeout: seconds for all of it, tries and pauses included (removing what failed tries left may take three seconds more).
        server_now: the server's clock, which names the task, so that left-overs can be told from living ones.
        shape: what the script promises to return.

    Raises:
        LocalRouteClosed: the task could not be registered, did not start, or gave no answer.
        RemoteError: the script itself failed.
        AnswerError: its answer is not what it promises.
        TransportError: the call could not be carried (after three tries).
    """
    deadline = Deadline(min(timeout, shell.deadline.left()))
    marker = "#" + secrets.token_hex(8) + "#"
    route = _Route(shell, name + " (local)", request_document(script, parameters, marker), server_now)
    try:
        outer = route.call(deadline)
    except RemoteError as error:
        raise _no_task(error) from error
    except AnswerError as error:
        raise LocalRouteClosed(f"the answer of the scheduled task makes no sense: {error}") from error
    return _opened(outer.data, marker, shape, outer.lead)


def _no_task(error: RemoteError) -> LocalRouteClosed:
    return LocalRouteClosed(
        f"the account may not run a one-shot scheduled task on the server ({error.type}, 0x{error.hresult & 0xFFFFFFFF:08X}): "
        "that takes a local administrator with the right to log on as a batch job"
    )


def _opened(outer: dict[str, Any], marker: str, shape: Shape, lead: ClockLead) -> Answer:
    """The answer that a task left, from what the script says that looked after it."""
    if not outer["answered"]:
        state, result = outer["state"] or 0, outer["last_result"] or 0
        raise LocalRouteClosed(f"the scheduled task gave no answer (state {state}, last result 0x{result & 0xFFFFFFFF:08X})")
    envelope = read_envelope((outer["text"] or "").encode("ascii", errors="replace"), marker)
    if envelope is None:
        raise LocalRouteClosed("the answer of the scheduled task could not be read")
    return open_envelope(envelope, shape, lead)


class _Route:
    """The tries of one call."""

    def __init__(self, shell: RemoteShell, name: str, request: str, server_now: datetime) -> None:
        self._shell, self._name, self._request, self._now = shell, name, request, server_now
        self._earlier: list[str] = []

    def call(self, deadline: Deadline) -> Answer:
        """Try, and try again where the connection broke: the outer call is not repeated by itself, because each try needs a name of its own."""
        pauses = list(_PAUSES)
        while True:
            left = deadline.left()
            try:
                return self._once(self._request, max(left - min(_AROUND, left / 2), 1.0), left)
            except (ConnectionBroken, NoAnswer):
                if not pauses or deadline.left() <= pauses[0]:
                    self._clean(deadline)
                    raise
                time.sleep(pauses.pop(0))
            except TransportError:
                if self._earlier[1:]:  # one try at least may have begun before the server went away
                    self._clean(deadline)
                raise

    def _once(self, request: str, seconds: float, timeout: float) -> Answer:
        name = f"{self._now:%Y%m%d%H%M%S}-{self._shell.tag}{secrets.token_hex(2)}"
        parameters = {
            "name": name,
            "tag": self._shell.tag,
            "earlier": list(self._earlier),
            "leftover": f"{self._now - timedelta(hours=_LEFTOVER_HOURS):%Y%m%d%H%M%S}",
            "request": request,
            "runner": RUNNER,
            "seconds": seconds,
        }
        self._earlier.append(name)
        return self._shell.call(self._name, LOCAL_ROUTE, parameters, shape=_OUTER_SHAPE, timeout=timeout, repeatable=False)

    def _clean(self, deadline: Deadline) -> None:
        """Remove what the tries left, if the server can still be got at; otherwise a later call sweeps it."""
        with contextlib.suppress(TransportError, RemoteError, AnswerError):
            self._once("", 0.0, max(deadline.left(), _CLEANING))
