# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""`make bench`: every bar, one line each, and as JSON in tests/output/bench.json; exit code 1 when one is missed.

It takes a few minutes. BENCH_PEOPLE (300) is for Active Directory: 1000, and BENCH_ROUNDS=3, measure longer and more surely. The bars of
the tenant and of the loop are about BENCH_CLOUD=1000 and BENCH_LOOP=100 people. BENCH_ONLY takes names of parts, with commas. Other work on
the machine goes mostly into the time of the lab's servers, which both ways have to wait for, and so makes ratios worse than they are.
BENCH_SERVERS (50): how many sync servers there are.
--spawn-ms models the start of a process on a sync server for the parts that have one; without it they run without and with 600.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from . import accounts, cloud, engines, figures, peer
from .bars import Bar
from .demonstration import demonstration

_FILE = Path(__file__).parent.parent / "output" / "bench.json"


def _given(name: str, default: int) -> int:
    return int(os.environ.get(f"BENCH_{name}") or default)


def main() -> int:
    """Measure; 0 when every bar is met."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--spawn-ms", type=int, default=None, help="milliseconds that the start of a process takes on a sync server")
    given = parser.parse_args().spawn_ms
    spawns = (0, 600) if given is None else (given,)
    servers = _given("SERVERS", 50)
    number, rounds = _given("PEOPLE", 300), _given("ROUNDS", 1)
    in_tenant, in_loop = _given("CLOUD", 1000), _given("LOOP", 100)
    parts: dict[str, Callable[[], list[Bar]]] = {
        "create": lambda: [accounts.creating(number, rounds)],
        "far": lambda: [accounts.creating_from_far_away(number, rounds)],
        "rerun": lambda: [accounts.rerun(number, rounds)],
        "ldap": lambda: accounts.operations(number),
        "graph": lambda: cloud.operations(in_tenant),
        "cloud": lambda: [cloud.from_far_away(in_tenant, rounds)],
        "demo": lambda: demonstration(rounds),
        "short cycle": figures.cycle,
        "lab": lambda: figures.lab(rounds),
        "cycle": lambda: [figure for spawn in spawns for figure in engines.one_server(1 if spawn else rounds, spawn)],
        "several": lambda: [figure for spawn in spawns for figure in engines.several_servers(10, 1 if spawn else rounds, spawn)],
        "many": lambda: [figure for spawn in spawns for figure in engines.many_servers(servers, spawn, None if spawn else 1.5)],
        "loop": lambda: [peer.against_loop(in_loop, rounds)],
    }
    wanted = [name for name in (os.environ.get("BENCH_ONLY") or "").split(",") if name] or list(parts)
    print("what: ours, reference, ratio (min..max), bar, ok|MISSED", flush=True)
    bars: list[Bar] = []
    unmeasured: dict[str, str] = {}
    for name in wanted:
        try:
            for figure in parts[name]():
                print(figure.line(), flush=True)
                bars.append(figure)
        except peer.PeerMissing as error:
            unmeasured[name] = str(error)
            print(f"{name}: not measured, because {error}: MISSED", flush=True)
    _FILE.parent.mkdir(exist_ok=True)
    sizes = {"people": number, "rounds": rounds, "people_in_tenant": in_tenant, "people_in_loop": in_loop}
    told = {**sizes, "bars": [figure.as_json() for figure in bars], "not_measured": unmeasured}
    _FILE.write_text(json.dumps(told, indent=2) + "\n")
    return 0 if not unmeasured and all(figure.is_met for figure in bars) else 1


if __name__ == "__main__":
    sys.exit(main())
