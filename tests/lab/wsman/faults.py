# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Faults that a test arms by name: the server then misbehaves a given number of times."""

from __future__ import annotations

import dataclasses
import threading
from dataclasses import dataclass

NAMES = frozenset({"close_connection", "operation_timeout", "quota", "busy", "http_503", "hang", "unauthorized"})
VERBS = frozenset({"auth", "Create", "Command", "Send", "Receive", "Signal", "Delete"})


@dataclass
class Fault:
    """One armed fault.

    Attributes:
        name: one of NAMES.
        verb: the request it waits for; None = any request with a message (not the authentication legs, verb 'auth').
        times: how often it still strikes.
        after: do the work of the request first, then misbehave.
        seconds: how long 'hang' hangs; the request is answered afterwards.
        skip: how many matching requests still pass before the first strike.
    """

    name: str
    verb: str | None = None
    times: int = 1
    after: bool = False
    seconds: float = 30.0
    skip: int = 0

    def matches(self, verb: str) -> bool:
        """Whether a request of this verb concerns the fault."""
        return verb == self.verb if self.verb else verb != "auth"


class Faults:
    """The armed faults of one server; may be armed before and while the server runs, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[Fault] = []

    def arm(self, name: str, *, verb: str | None = None, times: int = 1, after: bool = False, seconds: float = 30.0, skip: int = 0) -> None:
        """Arm a fault (see Fault for the options). Raises ValueError for an unknown name or verb."""
        if name not in NAMES:
            raise ValueError(f"unknown fault {name!r}: one of {', '.join(sorted(NAMES))}")
        if verb is not None and verb not in VERBS:
            raise ValueError(f"unknown verb {verb!r}: one of {', '.join(sorted(VERBS))}")
        with self._lock:
            self._armed.append(Fault(name, verb, times, after, seconds, skip))

    def clear(self) -> None:
        """Disarm everything."""
        with self._lock:
            self._armed.clear()

    def active(self) -> list[Fault]:
        """Copies of the faults that have not struck as often as they were armed for."""
        with self._lock:
            return [dataclasses.replace(fault) for fault in self._armed]

    def take(self, verb: str) -> Fault | None:
        """Count down for a request of this verb and return the fault that strikes it, if one does."""
        with self._lock:
            for fault in self._armed:
                if not fault.matches(verb):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                if fault.times <= 0:
                    self._armed.remove(fault)
                return dataclasses.replace(fault)
        return None
