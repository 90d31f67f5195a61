# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What is asked of a password synchronisation task. Pure; private to the collection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class DesiredPasswords:
    """A full password synchronisation that began late enough, channels that are on or off, or a look at what became of people.

    Attributes:
        state: synced, enabled or disabled. connectors: names as they were given; empty: every AD connector. users: as they were given.
        since: on the caller's clock; None without since and max_age. began: when the task did.
        observe_only: nothing is forced; the results of users, since then, are all that is asked for.
        durations in seconds; fail_on: never, failed_connectors, failed_named or failed_users, each of which includes the ones before it.
    """

    began: datetime
    state: str = "synced"
    connectors: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    since: datetime | None = None
    min_interval: float = 86400
    force: bool = False
    observe_only: bool = False
    wait: bool = True
    wait_timeout: float = 3600
    wait_sleep: float = 1
    quiet_period: float = 150
    fail_on: str = "failed_connectors"
    check_mode: bool = False

    @property
    def enable(self) -> bool:
        """Whether channels are to be on."""
        return self.state == "enabled"

    @property
    def names_matter(self) -> bool:
        """Whether what becomes of the named people decides on failure."""
        return bool(self.users) and self.fail_on in ("failed_named", "failed_users")
