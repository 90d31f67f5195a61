# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What is wrong with a row, or with the whole run, before anything has been written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Mapping, Optional

#: where something can be wrong, in the order in which faults of one row are told
STAGES = ("options", "table", "directory", "licences", "cloud", "sync")


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Args:
        stage: one of STAGES.
        msg: one sentence: where, what, what to do.
        row: of the table as a spreadsheet counts (the header is row 1), or the place in a list, from 1; None for a fault of the whole run.
        upn: of the person, as far as it is known.
        column: of the table, or the option; empty when it is neither.
        reason: a key of REMEDIES.
    """

    stage: str
    msg: str
    row: Optional[int] = None
    upn: str = ""
    column: str = ""
    reason: str = "invalid_input"

    @property
    def stops_the_run(self) -> bool:
        """Whether it is a fault of the whole run and not of one row."""
        return self.row is None

    def as_result(self) -> dict[str, Any]:
        """The item of the result key `faults`."""
        return {
            "row": self.row,
            "upn": self.upn or None,
            "column": self.column or None,
            "stage": self.stage,
            "msg": self.msg,
            "failure_reason": self.reason,
        }


def from_result(item: Mapping[str, Any]) -> Fault:
    """The other way round."""
    return Fault(
        str(item.get("stage") or "table"), str(item.get("msg") or ""), item.get("row"), str(item.get("upn") or ""),
        str(item.get("column") or ""), str(item.get("failure_reason") or "invalid_input"),
    )  # fmt: skip


def in_order(faults: Iterable[Fault]) -> list[Fault]:
    """By row, then by stage; those of the whole run come first. Nothing is told twice."""
    once = dict.fromkeys(faults)
    return sorted(once, key=lambda fault: (fault.row is not None, fault.row or 0, STAGES.index(fault.stage)))
