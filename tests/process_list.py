# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What others see of the processes of this machine."""

from __future__ import annotations

import threading
from pathlib import Path


class ProcessList:
    """Everything that other processes can see of the arguments and environments of processes while it runs."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._end = threading.Event()
        self._watcher = threading.Thread(target=self._watch)

    def __enter__(self) -> ProcessList:
        self._watcher.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._end.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._end.wait(0.02):
            for file in (*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")):
                try:
                    self.seen.add(file.read_bytes())
                except OSError:
                    continue
