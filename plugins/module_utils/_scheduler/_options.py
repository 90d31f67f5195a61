# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The options of dirsync_scheduler, the same for the Python module and the action plugin. Private to the collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

from .._failure import HybridIdentityError
from .._sync._options import ENGINE_OPTION

SCHEDULER_OPTIONS: dict[str, Any] = {
    **ENGINE_OPTION,
    "enabled": {"type": "bool"},
    "interval": {"type": "int"},
    "next_type": {"type": "str", "choices": ["delta", "full"]},
    "wait_timeout": {"type": "int", "default": 1800},
}
#: the task scheduler of Windows knows no longer interval, and every engine has to run far more often
LONGEST = 31 * 86400


@dataclass(frozen=True)
class DesiredSchedule:
    """What the scheduler shall be like; None: as it is. interval: in seconds, 0 is the engine's default."""

    enabled: bool | None = None
    interval: int | None = None
    next_type: str | None = None
    wait_timeout: float = 1800.0
    check_mode: bool = False


def read_desired(params: Mapping[str, Any], check_mode: bool) -> DesiredSchedule:
    """What the options of dirsync_scheduler ask for.

    Raises:
        HybridIdentityError: invalid_input.
    """
    desired = DesiredSchedule(params.get("enabled"), params.get("interval"), params.get("next_type"), params["wait_timeout"], check_mode)
    if desired.enabled is None and desired.interval is None and desired.next_type is None:
        raise HybridIdentityError("invalid_input", "Nothing was asked for: give enabled, interval or next_type.")
    if desired.interval is not None and not 0 <= desired.interval <= LONGEST:
        raise HybridIdentityError(
            "invalid_input", f"interval is {desired.interval}, it has to be 0 (the engine's default) or seconds up to {LONGEST}."
        )
    if desired.wait_timeout < 1:
        raise HybridIdentityError("invalid_input", f"wait_timeout is {params['wait_timeout']}, it has to be at least 1.")
    return desired
