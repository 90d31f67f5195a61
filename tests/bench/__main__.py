# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""`make bench`: every bar, one line each, and as JSON in tests/output/bench.json; exit code 1 when one is missed.

BENCH_PEOPLE (1000), BENCH_ROUNDS (3) and BENCH_SERVERS (50) in the environment make it shorter; BENCH_ONLY takes names of parts, with commas.
--spawn-ms models the start of a process on a sync server for the parts that have one; without it they run without and with 600.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from . import accounts, cloud, engines
from .bars import Bar
from .demonstration import demonstration

_FILE = Path(__file__).parent.parent / "output" / "bench.json"


def main() -> int:
    """Measure; 0 when every bar is met."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--spawn-ms", type=int, default=None, help="milliseconds that the start of a process takes on a sync server")
    given = parser.parse_args().spawn_ms
    spawns = (0, 600) if given is None else (given,)
    servers = int(os.environ.get("BENCH_SERVERS") or 50)
    number, rounds = int(os.environ.get("BENCH_PEOPLE") or 1000), int(os.environ.get("BENCH_ROUNDS") or 3)
    parts: dict[str, Callable[[], list[Bar]]] = {
        "create": lambda: [accounts.creating(number, rounds)],
        "far": lambda: [accounts.creating_from_far_away(number, rounds)],
        "rerun": lambda: [accounts.rerun(number, rounds)],
        "ldap": lambda: accounts.operations(number),
        "graph": lambda: cloud.operations(number),
        "cloud": lambda: [cloud.from_far_away(number, rounds)],
        "demo": lambda: demonstration(rounds),
        "cycle": lambda: [figure for spawn in spawns for figure in engines.one_server(1 if spawn else rounds, spawn)],
        "several": lambda: [figure for spawn in spawns for figure in engines.several_servers(10, 1 if spawn else rounds, spawn)],
        "many": lambda: [figure for spawn in spawns for figure in engines.many_servers(servers, spawn, None if spawn else 1.5)],
    }
    wanted = [name for name in (os.environ.get("BENCH_ONLY") or "").split(",") if name] or list(parts)
    print("what: ours, reference, ratio (min..max), bar, ok|MISSED", flush=True)
    bars: list[Bar] = []
    for name in wanted:
        for figure in parts[name]():
            print(figure.line(), flush=True)
            bars.append(figure)
    _FILE.parent.mkdir(exist_ok=True)
    _FILE.write_text(json.dumps({"people": number, "rounds": rounds, "bars": [figure.as_json() for figure in bars]}, indent=2) + "\n")
    return 0 if all(figure.is_met for figure in bars) else 1


if __name__ == "__main__":
    sys.exit(main())
