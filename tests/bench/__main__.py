# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""`make bench`: every bar, one line each, and as JSON in tests/output/bench.json; exit code 1 when one is missed.

It takes a few minutes. BENCH_PEOPLE=1000 BENCH_ROUNDS=3 in the environment measure as the bars are meant; BENCH_ONLY takes names of parts,
with commas.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from . import accounts, cloud, peer
from .bars import Bar
from .demonstration import demonstration

_FILE = Path(__file__).parent.parent / "output" / "bench.json"


def main() -> int:
    """Measure; 0 when every bar is met."""
    number, rounds = int(os.environ.get("BENCH_PEOPLE") or 300), int(os.environ.get("BENCH_ROUNDS") or 1)
    parts: dict[str, Callable[[], list[Bar]]] = {
        "create": lambda: [accounts.creating(number, rounds)],
        "far": lambda: [accounts.creating_from_far_away(number, rounds)],
        "rerun": lambda: [accounts.rerun(number, rounds)],
        "ldap": lambda: accounts.operations(number),
        "graph": lambda: cloud.operations(number),
        "cloud": lambda: [cloud.from_far_away(number, rounds)],
        "demo": lambda: demonstration(rounds),
        "loop": lambda: [peer.against_loop(min(number, 100), rounds)],
    }
    wanted = [name for name in (os.environ.get("BENCH_ONLY") or "").split(",") if name] or list(parts)
    print("what: ours, reference, ratio (min..max), bar, ok|MISSED", flush=True)
    bars: list[Bar] = []
    unmeasured: dict[str, str] = {}
    for name in wanted:
        try:
            for bar in parts[name]():
                print(bar.line(), flush=True)
                bars.append(bar)
        except peer.PeerMissing as error:
            unmeasured[name] = str(error)
            print(f"{name}: not measured, because {error}: MISSED", flush=True)
    _FILE.parent.mkdir(exist_ok=True)
    told = {"people": number, "rounds": rounds, "bars": [bar.as_json() for bar in bars], "not_measured": unmeasured}
    _FILE.write_text(json.dumps(told, indent=2) + "\n")
    return 0 if not unmeasured and all(bar.is_met for bar in bars) else 1


if __name__ == "__main__":
    sys.exit(main())
