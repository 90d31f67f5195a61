# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Every engine generation that the lab simulates, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from lab.aadsync import AadSyncOptions, AadSyncServer, aad_connect_1_0_options
from lab.clock import Clock
from lab.connect import FAULTS, Caller, ConnectOptions, ConnectServer
from lab.connect.record import ServerRecord
from lab.dirsync import DirSyncOptions, DirSyncServer, legacy_options
from lab.fim import FIM_FAULTS
from lab.old_connect import OldConnectOptions, OldConnectServer
from lab.synchronisation import SourceDirectory, SyncTarget

RunTask = Callable[[Caller, str, str], int]


class SyncServer(Protocol):
    """What hosts and estates need of a simulated sync server, whatever its generation. `options`, `engine`, `events` and `windows` differ."""

    clock: Clock
    options: Any
    engine: Any
    events: Any
    windows: Any
    run_task: RunTask
    record: ServerRecord
    break_connection: Callable[[str, dict[str, Any]], None]

    @property
    def cycles(self) -> list[Any]:
        """Every cycle so far, oldest first."""

    def configure(self, **changes: Any) -> None:
        """Change options while the server runs."""

    def arm(self, name: str, times: int = 1, **details: Any) -> None:
        """Arm a fault."""

    def start_cycle(self, full: bool = False, origin: str = "scheduled") -> bool:
        """Start a cycle as the product's own scheduler does."""

    def wait_idle(self, timeout: float = 30.0) -> bool:
        """Wait until nothing runs."""

    def call(self, caller: Caller, name: str, parameters: dict[str, Any]) -> Any:
        """Call a cmdlet as a caller."""

    def stop(self) -> None:
        """End every thread."""


def _old_connect(version: str) -> Callable[[], ConnectOptions]:
    return lambda: OldConnectOptions(product_version=version)


#: name -> how its server is set up
ENGINES: dict[str, Callable[[], ConnectOptions]] = {
    "connect": ConnectOptions,
    "dirsync_legacy": legacy_options,
    "dirsync": DirSyncOptions,
    "aadsync": AadSyncOptions,
    "aadsync-exe": lambda: AadSyncOptions(task="missing"),
    "aad-connect-1.0": aad_connect_1_0_options,
    "connect-1.1.105": _old_connect("1.1.105.0"),
    "connect-1.1.281": _old_connect("1.1.281.0"),
    "connect-1.1.380": _old_connect("1.1.380.0"),
    "connect-1.3": _old_connect("1.3.21.0"),
    "connect-1.4.18": _old_connect("1.4.18.0"),
}
#: the faults of every generation
ENGINE_FAULTS = {**FAULTS, **FIM_FAULTS}


def make_server(
    name: str, clock: Clock, directory: SourceDirectory | None, tenant: SyncTarget | None, settings: dict[str, Any]
) -> SyncServer:
    """The server of an engine generation.

    Args:
        name: one of ENGINES.
        settings: options of that server that differ from its defaults.

    Raises:
        ValueError: there is no such engine. AttributeError: it has no such option.
    """
    if name not in ENGINES:
        raise ValueError(f"there is no engine {name!r}; there are: {', '.join(ENGINES)}")
    options = ENGINES[name]()
    options.change(**settings)
    if isinstance(options, DirSyncOptions):
        return DirSyncServer(clock, directory=directory, tenant=tenant, options=options)
    if isinstance(options, AadSyncOptions):
        return AadSyncServer(clock, directory=directory, tenant=tenant, options=options)
    if isinstance(options, OldConnectOptions):
        return OldConnectServer(clock, directory=directory, tenant=tenant, options=options)
    return ConnectServer(clock, directory=directory, tenant=tenant, options=options)
