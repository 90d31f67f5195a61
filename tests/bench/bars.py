# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""A bar: what was measured of ours and of the reference, and whether the ratio is good enough. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Bar:
    """One line.

    Attributes:
        name: what was compared.
        ours, reference: one number for each round, in the same unit; a reference that is fixed is the same in every round.
        most: the highest ratio that is good.
        unit: of the numbers.
    """

    name: str
    ours: tuple[float, ...]
    reference: tuple[float, ...]
    most: float
    unit: str

    @property
    def ratios(self) -> tuple[float, ...]:
        """Of each round."""
        return tuple(own / other for own, other in zip(self.ours, self.reference, strict=True))

    @property
    def ratio(self) -> float:
        """Of the medians."""
        return median(self.ours) / median(self.reference)

    @property
    def is_met(self) -> bool:
        """Whether the ratio is good enough."""
        return self.ratio <= self.most

    def line(self) -> str:
        """`name: ours, reference, ratio (min..max), bar, ok|MISSED`."""
        verdict = "ok" if self.is_met else "MISSED"
        low, high = min(self.ratios), max(self.ratios)
        return (
            f"{self.name}: {median(self.ours):.3f} {self.unit}, {median(self.reference):.3f} {self.unit}, "
            f"{self.ratio:.3f} ({low:.3f}..{high:.3f}), {self.most:g}, {verdict}"
        )

    def as_json(self) -> dict[str, Any]:
        """Everything of it."""
        return {
            "name": self.name,
            "ours": list(self.ours),
            "reference": list(self.reference),
            "unit": self.unit,
            "ratio": self.ratio,
            "ratio_min": min(self.ratios),
            "ratio_max": max(self.ratios),
            "bar": self.most,
            "met": self.is_met,
        }


def fixed(name: str, ours: tuple[float, ...], most: float, unit: str) -> Bar:
    """A bar that is a number itself, not a comparison."""
    return Bar(name, ours, tuple(1.0 for _own in ours), most, unit)
