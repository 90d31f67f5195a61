# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What one run of the campaign is: how the server is set up, what goes wrong and where, what the task asks for."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Scenario:
    """One run. Everything follows from the seed.

    Attributes:
        kind: the fault, one of soak.kinds.KINDS.
        transport: winrm (pywinrm in this process) or connection (Ansible's winrm connection plugin).
        estate, connect: options of the estate and of its sync server.
        happens: armed faults of the sync server: (name, details).
        breaks: armed faults of its WS-Management server: (name, details).
        history: what happened before the task: (what, details), see soak.estates.
        user: the account of the task. params: its options.
        since_before: the watermark lies so many seconds before the history (None: it is the beginning of the task).
        begins: what somebody does just before the task, without waiting for its end.
        repeat: the same task (with the same `since`) is run a second time when the first has ended.
        second_task: another account runs the same task at the same time.
        shell_idle: seconds after which an idle shell ends.
    """

    seed: int
    kind: str
    random: random.Random
    transport: str = "winrm"
    powershell: bool = False
    user: str = "svc-sync"
    estate: dict[str, Any] = field(default_factory=dict)
    connect: dict[str, Any] = field(default_factory=dict)
    happens: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    breaks: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    history: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    since_before: float | None = None
    begins: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    params: dict[str, Any] = field(default_factory=dict)
    repeat: bool = False
    second_task: bool = False
    shell_idle: float | None = None

    def happen(self, name: str, **details: Any) -> None:
        """Arm a fault of the sync server."""
        self.happens.append((name, details))

    def break_(self, name: str, **details: Any) -> None:
        """Arm a fault of the WS-Management server."""
        self.breaks.append((name, details))

    @property
    def cycle_seconds(self) -> float:
        """How long a cycle takes."""
        return float(self.estate["cycle_seconds"])

    def describe(self) -> list[str]:
        """What is special about it, one line each."""
        lines = [f"kind {self.kind}, over {self.transport}, scripts in {'PowerShell' if self.powershell else 'fakes'}, account {self.user}"]
        lines.append(f"estate {self.estate}, server {self.connect}, task {self.params}")
        lines += [f"armed: {name} {details}" for name, details in (*self.happens, *self.breaks)]
        lines += [f"before: {name} {details}" for name, details in (*self.history, *self.begins)]
        for words, value in (("since before that, s", self.since_before), ("idle shells end after, s", self.shell_idle)):
            lines += [] if value is None else [f"{words}: {value:g}"]
        lines += ["a second task with the same since"] if self.repeat else []
        lines += ["another task at the same time"] if self.second_task else []
        return lines
