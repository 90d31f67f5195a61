# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Many runs at once: threads in a few processes, because a run mostly waits."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from estates import POWERSHELL

from lab.powershell.runner import PowerShellRunner

from .execute import execute
from .judge import judge
from .kinds import build
from .report import Row, failed, row_of
from .stalls import STALLS

#: runs at the same time in one process
_THREADS = 10


def run_seed(seed: int, *, details: bool = False) -> Row:
    """Run the scenario of a seed and judge it. Never raises."""
    scenario = build(seed, powershell=POWERSHELL is not None)
    try:
        observed = execute(scenario)
        return row_of(observed, judge(observed), details=details)
    except Exception:
        return failed(scenario, traceback.format_exc().strip().replace("\n", " | "))


def run_here(seeds: Sequence[int], told: Callable[[Row], None], *, threads: int = _THREADS, details: bool = False) -> None:
    """Run seeds in threads of this process; `told` gets each row, in the order of their ends."""
    STALLS.start()
    if POWERSHELL is not None:  # its warm server ends with the thread that started it
        PowerShellRunner(POWERSHELL, {}).start()
    with ThreadPoolExecutor(threads, "soak") as pool:
        for future in [pool.submit(run_seed, seed, details=details) for seed in seeds]:
            future.add_done_callback(lambda done: told(done.result()))


def run_everywhere(seeds: Sequence[int], told: Callable[[Row], None], *, processes: int | None = None) -> None:
    """Run seeds on all processors; `told` gets each row in this process."""
    number = min(processes or os.cpu_count() or 1, len(seeds))
    context = multiprocessing.get_context("spawn")
    rows: multiprocessing.Queue[Row] = context.Queue()
    workers = [context.Process(target=_work, args=(list(seeds[at::number]), rows), name=f"soak {at}") for at in range(number)]
    for worker in workers:
        worker.start()
    missing = len(seeds)
    while missing:
        with contextlib.suppress(queue.Empty):
            told(rows.get(timeout=1))
            missing -= 1
            continue
        if not any(worker.is_alive() for worker in workers) and rows.empty():
            raise RuntimeError(f"{missing} runs got lost: a process of the campaign ended early")
    for worker in workers:
        worker.join()


def _work(seeds: list[int], rows: multiprocessing.Queue[Row]) -> None:
    run_here(seeds, rows.put)
    rows.close()
    rows.join_thread()
    os._exit(0)  # tasks that did not end hang in daemon threads, and some libraries wait for theirs
