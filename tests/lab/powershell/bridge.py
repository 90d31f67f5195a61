# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The bridge from PowerShell stand-ins to the simulated cmdlets: one JSON line asks, one answers, on a Unix socket.

Values keep their types: moments and spans travel as ticks, strings behind a guard character (PowerShell 7 would turn
what looks like a date into one).
"""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable

from lab.connect import Caller, CmdletError
from lab.json_lines import JsonLineServer

Call = Callable[[Caller, str, dict[str, Any]], Any]
_EPOCH = datetime(1, 1, 1, tzinfo=timezone.utc)


class Bridge:
    """Listens for stand-ins. Every PowerShell run gets a session of its own, which stands for its caller."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._sessions: dict[str, Caller] = {}
        self._folder = tempfile.mkdtemp(prefix="lab-bridge-")
        self._server = JsonLineServer(Path(self._folder) / "bridge", self.answer)
        self.path = str(self._server.path)
        self.start = self._server.start

    def stop(self) -> None:
        """Stop listening."""
        self._server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def open_session(self, caller: Caller) -> str:
        """A name under which stand-ins act for this caller."""
        session = secrets.token_hex(8)
        self._sessions[session] = caller
        return session

    def close_session(self, session: str) -> None:
        """The run is over."""
        self._sessions.pop(session, None)

    def answer(self, line: bytes) -> bytes:
        """The answer to one question."""
        question = json.loads(line)
        try:
            value = self._call(self._sessions[question["session"]], question["name"], decode(question["parameters"]))
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
        return {"#datetime": _ticks(value - _EPOCH)}
    if isinstance(value, timedelta):
        return {"#timespan": _ticks(value)}
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
        if set(value) == {"#ticks"}:
            return _EPOCH + timedelta(microseconds=int(value["#ticks"]) // 10)
        return {key: decode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [decode(item) for item in value]
    return value


def _ticks(span: timedelta) -> int:
    return (span.days * 86400 + span.seconds) * 10_000_000 + span.microseconds * 10
