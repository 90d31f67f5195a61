# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Plays over simulated sync servers, and what each of them costs."""

from __future__ import annotations

import contextlib
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import procedures

import lab.estate
from lab.estate import Estate, EstateOptions, default_cache

from .plain_windows import BUSY, START, PlainHost, collections_folder

CYCLE = 6.0
#: what people wait for where they do not look, in seconds
SLEEP = 30
_TRIGGER = "hybrid.identity.dirsync_trigger"
_POWERSHELL = "ansible.windows.win_powershell"

Tasks = list[dict[str, Any]]
OURS: Tasks = [{"name": "last", _TRIGGER: {}}]
COVERED: Tasks = [{"name": "last", _TRIGGER: {"max_age": 600}}]
TWO_STEPS: Tasks = [
    {"name": "first", _TRIGGER: {"wait": False}, "register": "started"},
    {"name": "last", _TRIGGER: {"ticket": "{{ started.ticket }}"}},
]
NOTHING: Tasks = []


def loop(delay: int) -> Tasks:
    """Start, and look every so many seconds whether it is over."""
    until = {"until": "busy.output[0] == false", "retries": 100, "delay": delay}
    return [{"name": "first", _POWERSHELL: {"script": START}}, {"name": "last", _POWERSHELL: {"script": BUSY}, "register": "busy", **until}]


def sleep() -> Tasks:
    """Start, and hope."""
    return [{"name": "first", _POWERSHELL: {"script": START}}, {"name": "last", "ansible.builtin.pause": {"seconds": SLEEP}}]


def no_op(tasks: int) -> Tasks:
    """As many tasks that do nothing."""
    return [{"name": f"nothing {number}", "ansible.builtin.raw": "exit 0"} for number in range(tasks)]


@dataclass(frozen=True)
class Cost:
    """Of one play over so many servers.

    wall, cpu: seconds of the controller. requests, kilobytes (both ways), processes: of one server, on average. late: seconds from the end
    of the cycle to the moment at which the play knew of it, on average, and at most.
    """

    wall: float
    cpu: float
    requests: float
    kilobytes: float
    processes: float
    late: float
    latest: float

    def line(self) -> str:
        """In words."""
        return (
            f"{self.requests:.0f} requests, {self.kilobytes:.1f} KB, {self.processes:.1f} process starts, {self.cpu:.2f} s CPU, "
            f"{self.wall:.1f} s, end noticed after {self.late:.2f} s (at most {self.latest:.2f} s)"
        )


@contextlib.contextmanager
def servers(number: int, spawn_ms: int) -> Iterator[list[Estate]]:
    """So many sync servers, each with a cycle of CYCLE seconds, in this process."""
    plain = lab.estate.WindowsHost
    lab.estate.WindowsHost = PlainHost  # type: ignore[misc]
    try:
        with contextlib.ExitStack() as stack:
            options = EstateOptions(directory=False, tenant=False, powershell="none", cycle_seconds=CYCLE, process_start=spawn_ms / 1000)
            yield [stack.enter_context(Estate(options)) for _each in range(number)]
    finally:
        lab.estate.WindowsHost = plain  # type: ignore[misc]


def run(estates: list[Estate], tasks: Tasks, *, forks: int = 10) -> Cost:
    """One play. Raises RuntimeError where a task failed."""
    for estate in estates:
        estate.wsman.log.reset()
        estate.host.processes_started = 0
        estate.sync.wait_idle()
    cycles = [len(estate.sync.record.cycles) for estate in estates]
    hosts = {f"sync{number}": estate.connection_variables() for number, estate in enumerate(estates)}
    play = {"hosts": "all", "gather_facts": False, "tasks": tasks, "strategy": "ansible.builtin.linear"}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        told = Path(folder) / "told.jsonl"
        environment = {
            "ANSIBLE_COLLECTIONS_PATH": f"{procedures.VIEW}:{collections_folder()}",
            "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "told_at",
            "ANSIBLE_FORKS": str(forks),
            "BENCH_TOLD_AT": str(told),
            # A controller has its modules compiled; this checkout writes none beside its sources.
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(default_cache() / "bench-bytecode"),
        }
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = procedures.run_playbook(Path(folder), {"all": {"hosts": hosts}}, [play], environment=environment)
        wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        ends = {}
        for line in told.read_text().splitlines() if told.exists() else []:
            one = json.loads(line)
            if one["task"] == "last":
                ends[one["host"]] = one["at"]
    if done.returncode:
        raise RuntimeError(done.stdout[-3000:] + done.stderr[-1000:])
    late = []
    for number, estate in enumerate(estates):
        estate.sync.wait_idle()
        for cycle in estate.sync.record.cycles[cycles[number] :]:
            late.append(ends[f"sync{number}"] - (cycle.over or cycle.began))
    counts = [estate.wsman.log.snapshot() for estate in estates]
    return Cost(
        wall=wall,
        cpu=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        requests=mean(count["requests"] for count in counts),
        kilobytes=mean(count["bytes_in"] + count["bytes_out"] for count in counts) / 1024,
        processes=mean(estate.host.processes_started for estate in estates),
        late=mean(late) if late else 0.0,
        latest=max(late, default=0.0),
    )
