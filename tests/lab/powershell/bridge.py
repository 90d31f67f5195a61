# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The bridge from PowerShell stand-ins to the simulated cmdlets: one JSON line asks, one answers, on a Unix socket.

Values keep their types: moments and spans travel as ticks, strings behind a guard character (PowerShell 7 would turn
what looks like a date into one).
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import socketserver
import struct
import tempfile
import threading
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable

from lab.clock import LocalTime, UnspecifiedTime, ticks
from lab.connect import Caller, CmdletError
from lab.lifetime import Killed, Lifetime, current, living

Call = Callable[[Caller, str, dict[str, Any]], Any]
_EPOCH = datetime(1, 1, 1, tzinfo=timezone.utc)


@dataclass
class _Session:
    """One PowerShell run: who it acts for, what its life depends on, and the process that runs it (0 until it has asked something)."""

    caller: Caller
    lifetime: Lifetime | None
    process: int = 0


class Bridge:
    """Listens for stand-ins. Every PowerShell run gets a session of its own, which stands for its caller.

    A run that was opened in the thread of a shell's command dies with it: its process is killed (see lab.lifetime).
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._lock = threading.Lock()
        self._sessions: dict[str, _Session] = {}
        self._folder = tempfile.mkdtemp(prefix="lab-bridge-")
        self.path = str(Path(self._folder) / "bridge")
        self._server = socketserver.ThreadingUnixStreamServer(self.path, self._handler())
        self._server.daemon_threads = True
        os.chmod(self.path, 0o600)

    def _handler(self) -> type[socketserver.StreamRequestHandler]:
        bridge = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                credentials = self.connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
                process = int(struct.unpack("3i", credentials)[0])
                try:
                    for line in self.rfile:
                        self.wfile.write(bridge.answer(line, process) + b"\n")
                        self.wfile.flush()
                except (Killed, ConnectionError):  # nobody is there any more to hear an answer
                    return

        return Handler

    def start(self) -> None:
        """Listen in a thread."""
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="bridge", daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def open_session(self, caller: Caller) -> str:
        """A name under which stand-ins act for this caller."""
        name = secrets.token_hex(8)
        session = _Session(caller, current())
        with self._lock:
            self._sessions[name] = session
        if session.lifetime is not None:
            # A warm process that has just ended its run belongs to another one before its session is closed: a moment is left for that.
            session.lifetime.when_killed(lambda: threading.Timer(0.2, self._kill, (name,)).start())
        return name

    def close_session(self, session: str) -> None:
        """The run is over; its process, if it is a warm one, belongs to another run from now on."""
        with self._lock:
            self._sessions.pop(session, None)

    def _kill(self, name: str) -> None:
        """Kill the process of a run that is not over. One that has asked nothing yet dies with its first question."""
        with self._lock:
            session = self._sessions.get(name)
            if session is not None and session.process:
                try:
                    os.kill(session.process, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def answer(self, line: bytes, process: int = 0) -> bytes:
        """The answer to one question.

        Args:
            process: who asks.

        Raises:
            Killed: the run has been killed.
        """
        question = json.loads(line)
        with self._lock:
            session = self._sessions.get(question["session"])
            if session is not None:
                session.process = process
        if session is None:
            raise Killed
        if session.lifetime is not None and session.lifetime.killed:
            self._kill(question["session"])
        try:
            with living(session.lifetime):
                value = self._call(session.caller, question["name"], decode(question["parameters"]))
            document: dict[str, Any] = {"value": encode(value)}
        except CmdletError as error:
            document = {
                "error": {
                    "type": "~" + error.type,
                    "hresult": error.hresult,
                    "error_id": "~" + error.error_id,
                    "category": "~" + error.category,
                }
            }
            document["error"].update({"message": "~" + error.message, "terminating": error.terminating})
        return json.dumps(document, ensure_ascii=True).encode("ascii")


def encode(value: Any) -> Any:
    """A value with its type, for PowerShell."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return "~" + value
    if isinstance(value, datetime):
        kind = "Unspecified" if isinstance(value, UnspecifiedTime) else "Local" if isinstance(value, LocalTime) else "Utc"
        return {"#datetime": ticks(value), "#kind": "~" + kind}
    if isinstance(value, timedelta):
        return {"#timespan": (value.days * 86400 + value.seconds) * 10_000_000 + value.microseconds * 10}
    if isinstance(value, uuid.UUID):
        return {"#guid": "~" + str(value)}
    if isinstance(value, dict):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    raise TypeError(f"a {type(value).__name__} cannot cross the bridge")


def decode(value: Any) -> Any:
    """A parameter value that a stand-in sent."""
    if isinstance(value, dict):
        if set(value) == {"#span"}:
            return timedelta(microseconds=int(value["#span"]) // 10)
        if set(value) == {"#ticks"}:
            return _EPOCH + timedelta(microseconds=int(value["#ticks"]) // 10)
        return {key: decode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [decode(item) for item in value]
    return value
