# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""How long tests wait. On a busy machine every second of theirs may become ten, so none of them measures: they wait for what is to come
about, and tell what ends from what does not. Figures are measured by `make bench`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

#: seconds after which what has not come about will not come about any more
LONG = 60.0
#: seconds for which something hangs that nobody ends: much longer than any test waits
FOR_EVER = 600.0


def wait_until(condition: Callable[[], Any], what: str = "it did not come about", seconds: float = LONG) -> None:
    """Wait until a condition holds; the test fails when it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def stays(condition: Callable[[], Any], seconds: float = 0.5) -> bool:
    """Whether a condition holds for a while: a machine that is too busy to break it within that time proves nothing, and does no harm."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not condition():
            return False
        time.sleep(0.02)
    return True


@contextlib.contextmanager
def ends(seconds: float = LONG) -> Iterator[None]:
    """What stands inside ends by itself, although what it waits for does not."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds, "it waited for what does not end"
