# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""A scheduler that is off because of a task that synchronises single objects: waited for while that lives, switched on when it died.

Private to the collection.
"""

from __future__ import annotations

import time
from typing import Callable

from .._engines._contract import EngineState
from .._engines._object_contract import ObjectDriver
from .._failure import HybridIdentityError
from .._printable import printable
from .._remote._call import RemoteError, RemoteShell
from .._remote._failures import CALL_FAILURES
from .._remote._local_route import LocalRouteClosed

#: seconds between two looks at work that lives
_PAUSE = 1.0
#: seconds for which looks may fail after work was sent: the server may come back
_TROUBLE = 60.0
RESTORED = "The scheduler was off because a task that synchronised single objects had died: it was switched on again."


def bring_back(
    driver: ObjectDriver, shell: RemoteShell, state: EngineState, progress: Callable[[str], None]
) -> tuple[EngineState, tuple[str, ...]]:
    """Before a task begins on a server whose scheduler is off: as it was before somebody's single objects, and what has to be said of it.

    A look that the server refuses changes nothing: the scheduler is off, and that is judged as it is everywhere.

    Raises:
        HybridIdentityError: busy_timeout, while such work lives. CallFailure: a look failed.
    """
    try:
        left = driver.look(shell).left_off
    except RemoteError as error:
        return state, (f"Whether the scheduler is off because of single objects is not known: {error}.",)
    while left is not None and left.running:
        if shell.deadline.over:
            raise HybridIdentityError("busy_timeout", "Another task synchronises single objects, and the scheduler is off meanwhile.")
        progress("another task synchronises single objects; waiting for its end")
        time.sleep(min(_PAUSE, shell.deadline.left()))
        look = driver.look(shell)
        state, left = look.state, look.left_off
    if left is None:
        return state, ()
    try:
        return driver.restore(shell, left, server_now=state.at), (RESTORED,)
    except (LocalRouteClosed, *CALL_FAILURES) as error:
        return state, (_still_off(error),)


def look_afterwards(
    driver: ObjectDriver, shell: RemoteShell, state: EngineState, progress: Callable[[str], None]
) -> tuple[EngineState, str | None]:
    """After work whose answer was lost, or that failed: wait until it is over, and switch on what it left off.

    Args:
        state: the newest look.

    Returns:
        The look at the end, and why the scheduler may be off still; None where it is not.
    """
    began = time.monotonic()
    while True:
        try:
            look = driver.look(shell)
            state = look.state
            if look.left_off is None:
                return state, None
            if not look.left_off.running:
                return driver.restore(shell, look.left_off, server_now=state.at), None
            problem = "The work on the server goes on, and switches the scheduler on at its end."
            progress("the work on the server goes on; waiting for its end")
        except (LocalRouteClosed, *CALL_FAILURES) as error:
            problem = _still_off(error)
            if time.monotonic() - began > _TROUBLE:
                return state, problem
        if shell.deadline.over:
            return state, problem
        time.sleep(min(_PAUSE, shell.deadline.left()))


def _still_off(error: Exception) -> str:
    words = printable(str(error), 400).rstrip(".")
    return f"The scheduler may be off because of a task that synchronised single objects ({words}); the next task switches it on."
