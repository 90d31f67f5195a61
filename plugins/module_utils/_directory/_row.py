# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""One row of a batch: what is desired, what was found, what is planned and what became of it. Private to the collection."""

from __future__ import annotations

from dataclasses import dataclass, field

from ._connection import DirectoryFailure
from ._desired import DesiredAccount
from ._names import Entry
from ._plan import Plan


@dataclass
class Row:
    """Filled step by step.

    Attributes:
        account: what is desired. entry: the account that was found, None for a new one.
        faults: sentences; with one of them anywhere nothing is written.
        parent: the place of a new account, or the given one of another, in the directory's own spelling; None is "stays where it is".
        name: the name that a new account gets, or the given one of another; None is "keeps its name".
        dn: where the account is now.
        done: names of what was changed. failure: why it is not as desired. unsure: something more may have been changed.
    """

    account: DesiredAccount
    faults: list[str] = field(default_factory=list)
    entry: Entry | None = None
    parent: str | None = None
    name: str | None = None
    plan: Plan | None = None
    dn: str | None = None
    done: set[str] = field(default_factory=set)
    failure: DirectoryFailure | None = None
    unsure: bool = False

    def fault(self, sentence: str) -> None:
        """Keep what is wrong with it."""
        self.faults.append(f"{self.account.key}: {sentence}")
