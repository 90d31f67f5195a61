# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The campaign from the command line: `make soak`, with SOAK_SEED (the first seed) and SOAK_RUNS (how many) in the environment."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from .campaign import run_everywhere, run_seed
from .report import Row, summary
from .stalls import STALLS

_SEED = 20261124
_RUNS = 530
#: the whole story of every run with a violation
_STORIES = Path(__file__).parent.parent / "output" / "soak.txt"


def main() -> int:
    """Run it; 0 when nothing was wrong."""
    first, runs = int(os.environ.get("SOAK_SEED") or _SEED), int(os.environ.get("SOAK_RUNS") or _RUNS)
    began = time.monotonic()
    rows: list[Row] = []
    if runs == 1:
        STALLS.start()
        rows.append(run_seed(first, details=True))
        print("\n".join(rows[0].details))
    else:
        print(f"{runs} runs from seed {first}", flush=True)

        def told(row: Row) -> None:
            rows.append(row)
            if len(rows) % 50 == 0:
                wrong = sum(bool(one.violations) for one in rows)
                print(f"{len(rows)} runs after {time.monotonic() - began:.0f} s, {wrong} with violations", flush=True)

        run_everywhere(range(first, first + runs), told)
    stories = [
        line for row in rows if row.violations for line in (f"=== seed {row.seed}", *(str(one) for one in row.violations), *row.details)
    ]
    _STORIES.parent.mkdir(exist_ok=True)
    _STORIES.write_text("\n".join(stories) + "\n", encoding="utf-8")
    print("\n".join(summary(sorted(rows, key=lambda row: row.seed), time.monotonic() - began)), flush=True)
    return 1 if any(row.violations for row in rows) else 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
