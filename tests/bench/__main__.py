# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""`make bench`: every bar, one line each, and as JSON in tests/output/bench.json; exit code 1 when one is missed.

BENCH_PEOPLE (1000) and BENCH_ROUNDS (3) in the environment make it shorter; BENCH_ONLY takes names of parts, with commas.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from . import accounts, cloud, figures
from .bars import Bar
from .demonstration import demonstration

_FILE = Path(__file__).parent.parent / "output" / "bench.json"


def main() -> int:
    """Measure; 0 when every bar is met."""
    number, rounds = int(os.environ.get("BENCH_PEOPLE") or 1000), int(os.environ.get("BENCH_ROUNDS") or 3)
    parts: dict[str, Callable[[], list[Bar]]] = {
        "create": lambda: [accounts.creating(number, rounds)],
        "far": lambda: [accounts.creating_from_far_away(number, rounds)],
        "rerun": lambda: [accounts.rerun(number, rounds)],
        "ldap": lambda: accounts.operations(number),
        "graph": lambda: cloud.operations(number),
        "cloud": lambda: [cloud.from_far_away(number, rounds)],
        "demo": lambda: demonstration(rounds),
        "cycle": figures.cycle,
        "lab": lambda: figures.lab(rounds),
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
