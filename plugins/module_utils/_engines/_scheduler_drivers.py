# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Which engine has which scheduler. Private to the collection."""

from __future__ import annotations

from typing import Callable, Mapping

from ._aadsync_scheduler import AadSyncScheduler
from ._connect_scheduler import ConnectScheduler
from ._contract import Engine, Probe
from ._dirsync_scheduler import DirSyncScheduler
from ._retirement import version_numbers
from ._scheduler_contract import SchedulerDriver

#: the first build on which another interval counts at once (version history)
_FIRST_AT_ONCE = (1, 1, 281, 0)


def _connect(engine: Engine, probe: Probe) -> SchedulerDriver:
    numbers = version_numbers(probe.version)
    return ConnectScheduler(at_once=numbers is None or numbers >= _FIRST_AT_ONCE)


def _dirsync(engine: Engine, probe: Probe) -> SchedulerDriver:
    return DirSyncScheduler(folder=str(getattr(engine, "folder", "")))


#: name of an engine -> its scheduler as a server has it; an engine may also bring it along as its attribute `scheduler`
SCHEDULERS: Mapping[str, Callable[[Engine, Probe], SchedulerDriver]] = {
    "connect": _connect,
    "aadsync": lambda engine, probe: AadSyncScheduler(),
    "dirsync": _dirsync,
    "dirsync_legacy": _dirsync,
}


def scheduler_of(engine: Engine, probe: Probe) -> SchedulerDriver | None:
    """The scheduler of an engine; None where it has none that can be set.

    Args:
        engine: as the server has it. probe: the look that recognised it.
    """
    own: SchedulerDriver | None = getattr(engine, "scheduler", None)
    if own is not None:
        return own
    make = SCHEDULERS.get(engine.name)
    return None if make is None else make(engine, probe)
