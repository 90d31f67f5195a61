# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Until when the cloud takes which product version: one table, read with this machine's clock. Pure; private to the collection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timezone


@dataclass(frozen=True)
class Retirement:
    """Versions below a number, from the row before on: what they are called, and the day from which the cloud refuses them."""

    below: tuple[int, ...]
    product: str
    refused_from: date


#: lowest versions first (Microsoft: deprecated DirSync, decommission of Azure AD Connect 1.x, harden-update-ad-fs-pingfederate).
#: Azure AD Connect began with 1.0.8641; DirSync counts its versions in the same way and has a row of its own.
RETIREMENTS = (
    Retirement((1, 0, 8641, 0), "AAD Sync", date(2021, 4, 1)),
    Retirement((2, 0, 0, 0), "Azure AD Connect", date(2023, 10, 1)),
    Retirement((2, 5, 79, 0), "Entra Connect Sync", date(2026, 10, 1)),
)
DIRSYNC = Retirement((), "DirSync", date(2021, 4, 1))
_NEWEST = "Entra Connect Sync"


def retirement(version: str | None, today: date | None = None) -> tuple[str, str]:
    """Whether the cloud takes a version of AAD Sync, Azure AD Connect or Entra Connect Sync on a day (today, in UTC).

    Returns:
        (supported, refused or unknown; a sentence with the date).
    """
    numbers = version_numbers(version)
    if numbers is None:
        return "unknown", "The version of the sync engine could not be read, so it is not known whether the cloud accepts it."
    row = next((row for row in RETIREMENTS if numbers < row.below), None)
    if row is None:
        return "supported", f"{_NEWEST} {version} is accepted by the cloud."
    return _on(row, str(version), today)


def retirement_of_dirsync(version: str | None, today: date | None = None) -> tuple[str, str]:
    """The same for DirSync, of which every version has the same date."""
    return _on(DIRSYNC, version or "", today)


def _on(row: Retirement, version: str, today: date | None) -> tuple[str, str]:
    today = today or datetime.now(timezone.utc).date()
    name = f"{row.product} {version}".strip()
    day = f"{row.refused_from.day} {row.refused_from:%B %Y}"
    if today >= row.refused_from:
        return "refused", f"{name} has been refused by the cloud since {day}."
    return "supported", f"{name} is accepted by the cloud until {day}."


def version_numbers(version: str | None) -> tuple[int, ...] | None:
    """The four numbers of a product version, or None when it is not one."""
    parts = (version or "").split(".")
    if len(parts) < 3 or not all(part.isascii() and part.isdigit() and len(part) < 9 for part in parts[:4]):
        return None
    return tuple(int(part) for part in (parts + ["0"])[:4])
