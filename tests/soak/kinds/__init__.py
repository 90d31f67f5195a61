# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The kinds of fault of the campaign. Each is a function that sets one up in a scenario, with what is random about it."""

from __future__ import annotations

import random

from ..scenario import Scenario
from . import connection, engine, machine, others
from .register import KINDS

__all__ = ["KINDS", "build", "connection", "engine", "machine", "others"]


def build(seed: int, *, powershell: bool) -> Scenario:
    """The scenario of a seed. Consecutive seeds go through all kinds in turn.

    Args:
        powershell: whether there is an engine for a share of the runs.
    """
    names = list(KINDS)
    rng = random.Random(seed)
    scenario = Scenario(seed, names[seed % len(names)], rng)
    scenario.transport = "connection" if rng.random() < 0.2 else "winrm"
    scenario.powershell = powershell and rng.random() < 0.15
    scenario.estate = {
        "cycle_seconds": rng.uniform(0.3, 1.0),
        "clock_offset": rng.choice([0.0, 0.0, 0.4, -0.4, 30.0, -30.0, 900.0]),
        "language": rng.choice(["en", "en", "de"]),
    }
    scenario.connect = {
        "running_has_end_date": rng.random() < 0.6,
        "date_kind": rng.choice(["utc", "utc", "unspecified", "local"]),
        "history_refuses_network_logon": rng.random() < 0.8,
        "flag_lag": rng.choice([0.0, 0.0, 0.0, 0.15]),
        "next_start_known": rng.random() < 0.9,
    }
    scenario.params = {"wait_timeout": rng.randint(4, 7), "wait_sleep": rng.choice([0.1, 0.2, 0.4])}
    if scenario.powershell:
        scenario.params["wait_timeout"] += 8
    KINDS[scenario.kind](scenario)
    if rng.random() < 0.15 and scenario.kind not in ("nothing", "repeated", "slow start of powershell.exe"):
        name = rng.choice([one for one in names if one not in ("nothing", "repeated", "slow start of powershell.exe", "clock jumps")])
        KINDS[name](scenario)
    return scenario
