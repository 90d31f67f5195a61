# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What the server counts and remembers. Nothing of the authentication (headers, tokens, passwords) ever comes here."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass

_COUNTERS = (
    "requests", "auth", "Create", "Command", "Send", "Receive", "Signal", "Delete",
    "bytes_in", "bytes_out", "connections", "shells_opened", "shells_closed", "commands_started",
)  # fmt: skip
_AUDIT_COMMANDS = 500
_AUDIT_STDIN = 256 * 1024  # bytes kept of one command's standard input


@dataclass(frozen=True)
class AuditRecord:
    """One received command: who, the whole command line, the shell's environment, (the beginning of) standard input, and when (time.time())."""

    user: str
    line: str
    environment: dict[str, str]
    stdin: str
    at: float = 0.0


class AuditEntry:
    """A command while it is being recorded."""

    def __init__(self, user: str, line: str, environment: dict[str, str]) -> None:
        self.user = user
        self.line = line
        self.environment = dict(environment)
        self.stdin = bytearray()
        self.at = time.time()


class RequestLog:
    """Counters per verb and of bytes (HTTP heads included, TLS not), and a bounded list of the commands received.

    `auth` counts the requests that were answered by the authentication alone (401, or 200 without a message).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(_COUNTERS, 0)
        self._entries: deque[AuditEntry] = deque(maxlen=_AUDIT_COMMANDS)
        self._failures: deque[str] = deque(maxlen=50)

    def count(self, **increments: int) -> None:
        """Add to counters by name. Unknown names are ignored (a client may ask for a verb that is not served)."""
        with self._lock:
            for name, increment in increments.items():
                if name in self._counts:
                    self._counts[name] += increment

    def snapshot(self) -> dict[str, int]:
        """All counters by name, at one moment."""
        with self._lock:
            return dict(self._counts)

    def reset(self) -> None:
        """Counters to zero, lists emptied."""
        with self._lock:
            self._counts = dict.fromkeys(_COUNTERS, 0)
            self._entries.clear()
            self._failures.clear()

    def __getattr__(self, name: str) -> int:
        """The counters as attributes: `log.Receive`, `log.bytes_in`."""
        if name in _COUNTERS:
            with self._lock:
                return self._counts[name]
        raise AttributeError(name)

    @property
    def audit(self) -> list[AuditRecord]:
        """The last commands received, oldest first."""
        with self._lock:
            return [AuditRecord(e.user, e.line, dict(e.environment), e.stdin.decode("utf-8", "replace"), e.at) for e in self._entries]

    @property
    def failures(self) -> list[str]:
        """Faults of the lab's own code: an evaluator that raised (type and places, no values)."""
        with self._lock:
            return list(self._failures)

    def command(self, user: str, line: str, environment: dict[str, str]) -> AuditEntry:
        """Remember a command; the entry is later handed to `stdin`."""
        entry = AuditEntry(user, line, environment)
        with self._lock:
            self._counts["commands_started"] += 1
            self._entries.append(entry)
        return entry

    def stdin(self, entry: AuditEntry, data: bytes) -> None:
        """Remember input that was sent to a command, up to a bound."""
        with self._lock:
            entry.stdin += data[: max(0, _AUDIT_STDIN - len(entry.stdin))]

    def failure(self, text: str) -> None:
        """Remember that the lab's own code failed."""
        with self._lock:
            self._failures.append(text)
