# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Figures that only an idle machine tells: what a cycle costs, how late its end is noticed, how soon the lab is ready."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import procedures
from estates import POWERSHELL
from loopback import own_address

from lab.estate import Estate, EstateOptions

from .bars import Bar, fixed

_TASK = {"hybrid.identity.dirsync_trigger": {"wait_timeout": 60}}


def cycle() -> list[Bar]:
    """A task over the winrm connection plugin (NTLM over http) whose cycle takes twenty seconds."""
    estate = Estate(EstateOptions(directory=False, tenant=False, cycle_seconds=20, powershell=POWERSHELL or "none"))
    with estate, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        inventory = {"all": {"hosts": {"sync1": estate.connection_variables()}}}
        (result,) = procedures.task_results(Path(folder), inventory, "sync1", dict(_TASK))
        if result["sync"]["state"] != "verified":
            raise RuntimeError(result["msg"])
        cost = estate.wsman.log.snapshot()
        finished = estate.sync.cycles[0].finished
        noticed = datetime.fromisoformat(result["sync"]["finished_at"].replace("Z", "+00:00"))
    late = (noticed - finished).total_seconds() + abs(result["clock_skew"])
    return [
        fixed("how late the end of a cycle of 20 s is noticed", (late,), 1.5, "s"),
        fixed("requests for it", (float(cost["requests"]),), 30.0, "requests"),
        fixed("bytes for it, both ways", ((cost["bytes_in"] + cost["bytes_out"]) / 1024,), 90.0, "KB"),
    ]


def lab(rounds: int) -> list[Bar]:
    """`lab up` until it is ready, with nothing kept from earlier runs, and with a template of the directory."""
    first: list[float] = []
    later: list[float] = []
    for _round in range(rounds):
        with tempfile.TemporaryDirectory(prefix="bench-") as cache:
            first.append(_ready_after(cache))
            later.append(_ready_after(cache))
    return [fixed("the lab's first start", tuple(first), 6.0, "s"), fixed("the lab's later starts", tuple(later), 2.0, "s")]


def _ready_after(cache: str) -> float:
    environment = {**os.environ, "HYBRID_IDENTITY_LAB_CACHE": cache, "HYBRID_IDENTITY_PWSH": "none", "PYTHONUNBUFFERED": "1"}
    began = time.monotonic()
    command = [sys.executable, "-m", "lab", "up", "--directory-address", own_address(92)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            for line in process.stdout or ():
                if line.startswith("# ready"):
                    return time.monotonic() - began
        finally:
            process.send_signal(signal.SIGINT)
    raise RuntimeError("the lab did not become ready")
