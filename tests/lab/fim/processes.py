# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Processes on the sync server: what Win32_Process.Create and scheduled tasks start, and what is the child of a shell."""

from __future__ import annotations

import itertools
import shlex
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lab.clock import Clock
from lab.connect import Caller
from lab.lifetime import Killed, Lifetime, living

from .options import FimOptions
from .texts import fim_refusal

#: return values of Win32_Process.Create (Microsoft)
SUCCESS, ACCESS_DENIED, UNKNOWN_FAILURE, PATH_NOT_FOUND = 0, 2, 8, 9
#: what a process that was ended leaves as its exit code
TERMINATED = 1


@dataclass
class Process:
    """A process that the lab knows. killed: set when somebody ends it. owner: who it runs as."""

    pid: int
    name: str
    command_line: str
    owner: Caller
    started: datetime
    parent: int
    killed: threading.Event = field(default_factory=threading.Event)
    exit_code: int | None = None


#: what a program does: gets its process and its arguments, returns its exit code
Program = Callable[[Process, list[str]], int]


def split_command(line: str) -> tuple[str, list[str]]:
    """The program and the arguments of a Windows command line."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.escape, lexer.commenters, lexer.quotes = True, "", "", '"'
    try:
        words = list(lexer)
    except ValueError:
        words = line.split()
    return (words[0], words[1:]) if words else ("", [])


class Processes:
    """The process table. Programs are known by their full path, in any letter case."""

    def __init__(self, clock: Clock, options: FimOptions) -> None:
        self._clock, self._options = clock, options
        self._lock = threading.Lock()
        self._numbers = itertools.count(1204, 4)
        self._programs: dict[str, Program] = {}
        self._running: dict[int, Process] = {}
        #: every process that was ever started, oldest first
        self.history: list[Process] = []
        #: whether Win32_Process.Create is allowed to this caller
        self.may_create: Callable[[Caller], bool] = lambda caller: caller.is_in("Administrators")

    def install(self, path: str, program: Program) -> None:
        """Make a program known."""
        self._programs[path.lower()] = program

    def uninstall(self, path: str) -> None:
        """Take it away."""
        self._programs.pop(path.lower(), None)

    def start(self, caller: Caller, line: str, parent: int = 0) -> Process | None:
        """Start a process; None when there is no such program."""
        path, arguments = split_command(line)
        program = self._programs.get(path.lower())
        if program is None:
            return None
        with self._lock:
            name = path.rsplit("\\", 1)[-1]
            process = Process(next(self._numbers), name, line, caller, self._clock.now(), parent)
            self._running[process.pid] = process
            self.history.append(process)

        lifetime = Lifetime()
        lifetime.when_killed(process.killed.set)

        def run() -> None:
            try:
                with living(lifetime):
                    process.exit_code = program(process, arguments)
            except Killed:
                process.exit_code = TERMINATED
            finally:
                with self._lock:
                    self._running.pop(process.pid, None)

        threading.Thread(target=run, name=f"process-{process.pid}", daemon=True).start()
        return process

    def create(self, caller: Caller, line: str) -> tuple[int, int]:
        """Win32_Process.Create: (return value, process id). The parent is the WMI provider host, so a dying shell takes nothing along."""
        if not self.may_create(caller):
            return ACCESS_DENIED, 0
        process = self.start(caller, line)
        return (PATH_NOT_FOUND, 0) if process is None else (SUCCESS, process.pid)

    def start_child(self, caller: Caller, p: dict[str, Any]) -> int:
        """A process that the caller's shell starts itself (`&`, Start-Process): it dies with the shell."""
        process = self.start(caller, str(p["line"]), parent=id(caller))
        if process is None:
            raise fim_refusal("unknown", self._options.language, str(p["line"]))
        return process.pid

    def shell_ended(self, caller: Caller) -> None:
        """The caller's shell ends: its job object takes its children along."""
        with self._lock:
            children = [process for process in self._running.values() if process.parent == id(caller)]
        for process in children:
            process.killed.set()

    def kill_all(self, name: str) -> int:
        """For tests and faults: end every process of a name; how many there were."""
        with self._lock:
            found = [process for process in self._running.values() if process.name.lower() == name.lower()]
        for process in found:
            process.killed.set()
        return len(found)

    # -- questions

    def get_process(self, caller: Caller, p: dict[str, Any]) -> list[dict[str, Any]]:
        """Get-Process -Name (without .exe)."""
        wanted = str(p["Name"]).lower()
        with self._lock:
            found = [process for process in self._running.values() if process.name.lower().removesuffix(".exe") == wanted]
        if not found:
            raise fim_refusal("no_process", self._options.language, str(p["Name"]))
        return [
            {"Name": process.name.rsplit(".", 1)[0], "Id": process.pid, "ProcessName": process.name.rsplit(".", 1)[0]} for process in found
        ]

    def as_wmi(self, caller: Caller) -> list[dict[str, Any]]:
        """Win32_Process. The command line of somebody else's process is shown to administrators only."""
        with self._lock:
            running = list(self._running.values())
        return [
            {
                "Name": process.name,
                "ProcessId": process.pid,
                "ParentProcessId": 0 if process.parent > 2**31 else process.parent,
                "CommandLine": process.command_line if caller.is_in("Administrators") or process.owner.user == caller.user else None,
                "CreationDate": process.started,
            }
            for process in running
        ]
