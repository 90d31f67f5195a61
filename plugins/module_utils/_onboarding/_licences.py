# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Whether the tenant has the licences that a table asks for. Pure; private to the collection."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Sequence

from ._faults import Fault
from ._people import Batch


def seats_of(skus: Iterable[Mapping[str, Any]], free: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """What a table may call each subscription for users (part number or id, in small letters) -> its id, part number and free seats.

    Args:
        skus: of GET /subscribedSkus.
        free: id (small letters) -> seats that are free.
    """
    seats: dict[str, dict[str, Any]] = {}
    for sku in skus:
        if sku.get("appliesTo", "User") == "User" and sku.get("skuId"):
            identity = str(sku["skuId"]).lower()
            part_number = str(sku.get("skuPartNumber") or identity)
            seats[identity] = seats[part_number.casefold()] = {"id": identity, "part_number": part_number, "free": free.get(identity, 0)}
    return seats


def check_licences(batch: Batch, defaults: Sequence[str], seats: Mapping[str, Mapping[str, Any]]) -> None:
    """Note a fault for every licence that the tenant does not have; one that comes from the defaults is said once."""
    known = ", ".join(sorted({str(seat["part_number"]) for seat in seats.values()})) or "none"
    for name in defaults:
        if name.strip() and name.strip().casefold() not in seats:
            text = f"option licenses: the tenant has no licence {name.strip()!r} for users; it has: {known}."
            batch.run_faults.append(Fault("options", text, column="licenses"))
    for person in batch.people:
        for name in [] if "licenses" in person.defaulted else person.shown["licenses"]:
            if name.casefold() not in seats:
                person.blame("licenses", f"the tenant has no licence {name!r} for users; it has: {known}", "licences")
