# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What aad_password_sync does over given shells: find the engine and the active server, then synchronise. Private to the collection."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Callable, Mapping, Sequence

from .._deadline import Deadline
from .._engines._contract import Engine
from .._engines._password_contract import PasswordDriver
from .._engines._password_drivers import driver_of
from .._failure import HybridIdentityError, told_with
from .._remote._call import RemoteShell
from .._remote._failures import failures_named
from .._sync._trigger import find_active
from ._act import RESERVE, ensure_passwords
from ._options import read_desired
from ._report import blank_result

#: seconds of run history that the first look takes along: none of it is needed here
_HISTORY_SECONDS = 60.0


def synchronise(
    shells: Sequence[tuple[str, RemoteShell]],
    params: Mapping[str, Any],
    *,
    now: datetime,
    check_mode: bool,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """aad_password_sync over one shell, or over the one active server of several.

    Args:
        shells: (name of the server, shell to it). Their deadlines are moved: see RESERVE.
        params: validated options. now: when the task began.

    Returns:
        The result keys. Raises HybridIdentityError with as many of them as are known.
    """
    known: dict[str, Any] = {"server": shells[0][0] if len(shells) == 1 else None, **blank_result()}
    with told_with(known):
        desired = read_desired(params, now, check_mode)
        (name, shell, engine, probe), unseen = find_active(shells, params["engine"], _HISTORY_SECONDS)
        known.update(server=name, engine=engine.name, version=probe.version)
        driver = _driver(engine)
        if desired.state != "synced" and not driver.can_switch:
            raise HybridIdentityError(
                "engine_unsupported",
                f"The engine {engine.name} has no command that switches password synchronisation on or off.",
                remedy="Do it in its configuration wizard.",
            )
        deadline = Deadline(shell.deadline.left())
        shell.deadline = Deadline(deadline.left() + RESERVE)
        with failures_named():
            result = ensure_passwords(engine, driver, shell, probe, desired, deadline, lambda line: progress(f"{name}: {line}"))
        unknown = [f"Whether {other} is active too is not known: {error.message}" for other, error in unseen.items()]
        return {**known, **result, "warnings": [*unknown, *result["warnings"]]}


def _driver(engine: Engine) -> PasswordDriver:
    driver = driver_of(engine)
    if driver is None:
        raise HybridIdentityError(
            "engine_unsupported", f"Password synchronisation of the engine {engine.name} cannot be driven by this release."
        )
    return driver
