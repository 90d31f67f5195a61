# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Faults that are armed and wait for their moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from typing import Any

from .options import FAULTS


class ArmedFaults:
    """Counts armed faults down as they strike."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[dict[str, Any]] = []

    def arm(self, name: str, times: int = 1, **details: Any) -> None:
        """Arm a fault of FAULTS for so many times. Raises KeyError for a name that does not exist."""
        if name not in FAULTS:
            raise KeyError(f"there is no fault {name!r}; there are: {', '.join(FAULTS)}")
        with self._lock:
            self._armed.append({"name": name, "times": times, **details})

    def take(self, name: str, fits: Callable[[dict[str, Any]], bool] = lambda fault: True) -> dict[str, Any] | None:
        """The first armed fault of this name that fits, counted down; None when there is none."""
        return self.take_any((name,), fits)

    def take_any(self, names: Collection[str], fits: Callable[[dict[str, Any]], bool] = lambda fault: True) -> dict[str, Any] | None:
        """The same for any of several names. A fault with `skip` lets so many occasions pass."""
        with self._lock:
            for fault in self._armed:
                if fault["name"] in names and fits(fault):
                    if fault.get("skip", 0) > 0:
                        fault["skip"] -= 1
                        continue
                    fault["times"] -= 1
                    if fault["times"] <= 0:
                        self._armed.remove(fault)
                    return fault
        return None

    def armed(self) -> list[dict[str, Any]]:
        """What has not struck as often as it was armed for."""
        with self._lock:
            return [dict(fault) for fault in self._armed]

    def clear(self) -> None:
        """Disarm everything."""
        with self._lock:
            self._armed.clear()
