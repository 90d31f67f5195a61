# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""A loopback network for this test process alone, for everything that listens on a fixed port.

The ports of a directory are fixed, so whoever tests at the same time needs other addresses: the workers of one test run, and the test
runs of several checkouts. Each process takes a free 127.77.y.0/24, held by a lock on a file in the cache that they share; the lock is
gone with the process, however that ends.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from lab.estate import default_cache

_NETWORKS = [f"127.77.{number}" for number in range(1, 255)]
_held: list[tuple[str, int]] = []  # the network, and the descriptor that holds its lock


def own_address(host: int) -> str:
    """The address of this number (1 to 254) in this process's own network."""
    if not _held:
        _held.append(claim_network(default_cache() / "networks"))
    return f"{_held[0][0]}.{host}"


def claim_network(folder: Path) -> tuple[str, int]:
    """The first three numbers of a network that nobody holds, and the descriptor that holds it.

    Raises:
        RuntimeError: every network is held.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for network in _NETWORKS:
        holder = os.open(folder / f"{network}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(holder)
            continue
        return network, holder
    raise RuntimeError(f"Every loopback network of {folder} is held by a test run.")
