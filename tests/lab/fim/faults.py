# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Faults of a FIM-family server that are armed and wait for their turn."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from .options import FIM_FAULTS


class FimFaults:
    """Counts armed faults down as they strike."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[dict[str, Any]] = []

    def arm(self, name: str, times: int = 1, **details: Any) -> None:
        """Arm a fault of FIM_FAULTS for so many times. Raises KeyError for a name that does not exist."""
        if name not in FIM_FAULTS:
            raise KeyError(f"there is no fault {name!r}; there are: {', '.join(FIM_FAULTS)}")
        with self._lock:
            self._armed.append({"name": name, "times": times, **details})

    def take(self, name: str, fits: Callable[[dict[str, Any]], bool] = lambda fault: True) -> dict[str, Any] | None:
        """The first armed fault of this name that fits, counted down; None when there is none."""
        with self._lock:
            for fault in self._armed:
                if fault["name"] == name and fits(fault):
                    fault["times"] -= 1
                    if fault["times"] <= 0:
                        self._armed.remove(fault)
                    return fault
        return None

    def clear(self) -> None:
        """Disarm everything."""
        with self._lock:
            self._armed.clear()
