# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Synchronising: dirsync_trigger against what people write today (win_powershell and a loop, or a fixed sleep), on one and on many servers."""

from __future__ import annotations

from .bars import Bar, fixed
from .plays import COVERED, CYCLE, NOTHING, OURS, SLEEP, TWO_STEPS, Cost, loop, no_op, run, servers, sleep

_DELAY = 10


def _tell(what: str, cost: Cost) -> None:
    print(f"  {what}: {cost.line()}", flush=True)


def one_server(rounds: int, spawn_ms: int) -> list[Bar]:
    """Requests, bytes, process starts and lateness on one server."""
    ours: list[Cost] = []
    plain: list[Cost] = []
    slept: list[Cost] = []
    covered: list[Cost] = []
    with servers(1, spawn_ms) as estates:
        for _round in range(rounds):
            ours.append(run(estates, OURS))
            covered.append(run(estates, COVERED))
            plain.append(run(estates, loop(_DELAY)))
            slept.append(run(estates, sleep()))
    modelled = _modelled(spawn_ms)
    for what, costs in (("ours", ours), ("ours, covered", covered), (f"loop every {_DELAY} s", plain), (f"sleep of {SLEEP} s", slept)):
        _tell(f"1 server{modelled}, {what}", costs[-1])
    starts_after = spawn_ms / 1000  # the one-shot task's: what reads the runs begins when the end has been seen
    return [
        Bar(f"bytes of a cycle{modelled}, against the loop", _of(ours, "kilobytes"), _of(plain, "kilobytes"), 1 / 15, "KB"),
        Bar(f"requests of a cycle{modelled}, against the loop", _of(ours, "requests"), _of(plain, "requests"), 1.0, "requests"),
        fixed(f"process starts of a cycle{modelled}", _of(ours, "processes"), 3.0, "starts"),
        fixed(f"process starts where it is covered{modelled}", _of(covered, "processes"), 2.0, "starts"),
        fixed(f"end noticed{modelled}", _of(ours, "latest"), 1.0 + starts_after, "s late"),
        Bar(f"end noticed{modelled}, against the loop", _of(ours, "late"), _of(plain, "late"), 1.0, "s late"),
        Bar(f"end noticed{modelled}, against the sleep", _of(ours, "late"), _of(slept, "late"), 0.2, "s late"),
    ]


def several_servers(number: int, rounds: int, spawn_ms: int) -> list[Bar]:
    """As many servers as forks: CPU of the controller for each of them, and the wall time.

    The loop looks twice at each, as it does at one server. With more servers than forks it comes to many of them when their cycle is long over.
    """
    modelled = _modelled(spawn_ms)
    ours: list[float] = []
    plain: list[float] = []
    with servers(number, spawn_ms) as estates:
        for _round in range(rounds):
            nothing = run(estates, NOTHING).cpu
            one, every = run(estates, OURS), run(estates, loop(_DELAY))
            ours.append((one.cpu - nothing) / number)
            plain.append((every.cpu - nothing) / number)
    _tell(f"{number} servers{modelled}, one step", one)
    _tell(f"{number} servers{modelled}, loop every {_DELAY} s", every)
    name = f"{number} servers{modelled}: controller CPU for each, without the start of ansible-playbook, against the loop"
    return [Bar(name, tuple(ours), tuple(plain), 0.5, "s")]


def many_servers(number: int, spawn_ms: int, most: float | None) -> list[Bar]:
    """Wall time of two steps over that of a play that does nothing. most: cycles; None where nothing is asked but to be faster than the loop."""
    modelled = _modelled(spawn_ms)
    with servers(number, spawn_ms) as estates:
        nothing = run(estates, no_op(2)).wall
        one, two, plain = run(estates, OURS), run(estates, TWO_STEPS), run(estates, loop(_DELAY))
    for what, cost in (("one step", one), ("two steps", two), (f"loop every {_DELAY} s", plain)):
        _tell(f"{number} servers{modelled}, {what}", cost)
    name = f"{number} servers{modelled}: two steps without the play of as many raw tasks"
    bars = [Bar(f"{name}, against the loop", (two.wall - nothing,), (plain.wall - nothing,), 1.0, "s")]
    if most is not None:
        bars.append(fixed(name, ((two.wall - nothing) / CYCLE,), most, "cycles"))
    return bars


def _modelled(spawn_ms: int) -> str:
    return f", {spawn_ms} ms for the start of a process" if spawn_ms else ""


def _of(costs: list[Cost], name: str) -> tuple[float, ...]:
    return tuple(float(getattr(cost, name)) for cost in costs)
