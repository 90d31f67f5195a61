# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Speaking to a running lab from another process: one JSON line asks, one answers, on a Unix socket of the owner's."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from lab.connect import ConnectServer
from lab.engines import ENGINE_FAULTS
from lab.estate import Estate
from lab.json_lines import JsonLineServer


class Control:
    """Answers the questions of `lab tell`."""

    def __init__(self, estate: Estate, path: Path) -> None:
        self._estate = estate
        self.path = path
        self._server = JsonLineServer(path, self.answer)
        self.start, self.stop = self._server.start, self._server.stop

    def answer(self, line: bytes) -> bytes:
        """The answer to one line; a mistake is answered with a sentence."""
        try:
            question = json.loads(line)
            value: Any = self._do(str(question.pop("do")), question)
            document = {"ok": True, "value": value}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            document = {"ok": False, "error": str(error)}
        return json.dumps(document, default=str).encode()

    def _do(self, verb: str, details: dict[str, Any]) -> Any:
        estate = self._estate
        if verb == "set":
            return estate.sync.configure(**details)
        if verb == "fault":
            name = str(details.pop("name"))
            return estate.sync.arm(name, **details) if name in ENGINE_FAULTS else estate.faults.arm(name, **details)
        if verb == "cycle":
            return estate.sync.start_cycle(bool(details.get("full")))
        if verb == "cycles":
            return [vars(cycle) for cycle in estate.sync.cycles]
        if verb == "stats":
            return {**estate.wsman.log.snapshot(), "processes": estate.host.processes_started, "tasks": estate.sync.windows.task_names()}
        if verb == "record":
            happened = estate.sync.record.as_lines() if isinstance(estate.sync, ConnectServer) else []
            return {"happened": happened, "left": estate.left_behind()}
        raise ValueError(f"unknown: {verb}; there are: set, fault, cycle, cycles, stats, record")


def tell(path: Path, question: dict[str, Any]) -> dict[str, Any]:
    """Ask a running lab."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(json.dumps(question).encode() + b"\n")
        answer: dict[str, Any] = json.loads(connection.makefile("rb").readline())
        return answer
