# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Faults that a test arms by name: the server then misbehaves a given number of times."""

from __future__ import annotations

import dataclasses
import threading
import time
from dataclasses import dataclass

#: fault -> what the server does instead of answering
FAULTS = {
    "close_connection": "closes the connection and sends nothing",
    "truncated": "sends a part of the answer and closes the connection (the work has been done)",
    "garbage": "sends bytes that are no answer, in the place of one (the work has been done)",
    "html": "answers 200 with a web page, as a captive portal or a proxy does",
    "slow": "sends the answer one byte each `seconds` (the work has been done)",
    "hang": "waits for `seconds` and answers then",
    "operation_timeout": "says that there was nothing to say within the operation time-out",
    "quota": "says that the account has too many operations",
    "busy": "says that the resource is in use",
    "http_500": "answers 500 without a word",
    "http_502": "answers 502, as a gateway in between does",
    "http_503": "answers 503",
    "redirect": "answers 307 and names `location`",
    "unauthorized": "forgets that the connection was authenticated",
}
NAMES = frozenset(FAULTS)
VERBS = frozenset({"connect", "auth", "Create", "Command", "Send", "Receive", "Signal", "Delete"})
#: faults that spoil an answer, so that the work is done first in any case
_SPOIL = frozenset({"truncated", "garbage", "slow"})


@dataclass
class Fault:
    """One armed fault.

    Attributes:
        name: one of NAMES.
        verb: the request it waits for; None = any request with a message. 'auth' are the legs of the authentication,
            'connect' is the connection itself, which is closed as soon as it is there.
        times: how often it still strikes.
        after: do the work of the request first, then misbehave.
        seconds: how long 'hang' hangs, or 'slow' takes for a byte.
        skip: how many matching requests still pass before the first strike.
        location: where 'redirect' sends the client.
        pending: it also strikes a request that is being worked on while it is armed, when its answer is due.
    """

    name: str
    verb: str | None = None
    times: int = 1
    after: bool = False
    seconds: float = 30.0
    skip: int = 0
    location: str = ""
    pending: bool = False

    def matches(self, verb: str) -> bool:
        """Whether a request of this verb concerns the fault."""
        return verb == self.verb if self.verb else verb not in ("auth", "connect")


@dataclass(frozen=True)
class Struck:
    """A fault that has struck: its name, the verb that it struck, whether the work had been done, and when (time.time())."""

    name: str
    verb: str
    after: bool
    at: float


class Faults:
    """The armed faults of one server; may be armed before and while the server runs, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[Fault] = []
        self._struck: list[Struck] = []

    def arm(
        self,
        name: str,
        *,
        verb: str | None = None,
        times: int = 1,
        after: bool = False,
        seconds: float = 30.0,
        skip: int = 0,
        location: str = "",
        pending: bool = False,
    ) -> None:
        """Arm a fault (see Fault for the options). Raises ValueError for an unknown name or verb."""
        if name not in NAMES:
            raise ValueError(f"unknown fault {name!r}: one of {', '.join(sorted(NAMES))}")
        if verb is not None and verb not in VERBS:
            raise ValueError(f"unknown verb {verb!r}: one of {', '.join(sorted(VERBS))}")
        with self._lock:
            self._armed.append(Fault(name, verb, times, after or name in _SPOIL, seconds, skip, location, pending))

    def clear(self) -> None:
        """Disarm everything."""
        with self._lock:
            self._armed.clear()

    def active(self) -> list[Fault]:
        """Copies of the faults that have not struck as often as they were armed for."""
        with self._lock:
            return [dataclasses.replace(fault) for fault in self._armed]

    def note(self, name: str, verb: str) -> None:
        """Write down what struck without having been armed here."""
        with self._lock:
            self._struck.append(Struck(name, verb, False, time.time()))

    def struck(self) -> list[Struck]:
        """What has struck so far, oldest first."""
        with self._lock:
            return list(self._struck)

    def take(self, verb: str, *, pending: bool = False) -> Fault | None:
        """Count down for a request of this verb and return the fault that strikes it, if one does.

        Args:
            pending: the request has been worked on already; only faults that were armed for such a one strike it.
        """
        with self._lock:
            for fault in self._armed:
                if not fault.matches(verb) or (pending and not fault.pending):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                if fault.times <= 0:
                    self._armed.remove(fault)
                self._struck.append(Struck(fault.name, verb, fault.after or pending, time.time()))
                return dataclasses.replace(fault)
        return None
