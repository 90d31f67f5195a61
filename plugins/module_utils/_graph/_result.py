# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The result of entra_user. Pure; private to the collection."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence

from ._failures import GraphFailure
from ._people import Person


def outcome(people: Sequence[Person], check_mode: bool) -> dict[str, Any]:
    """The result of the module.

    Raises:
        GraphFailure: nothing can be said about anybody, and nothing was written.
    """
    if people and all(person.unseen is not None and not person.changes for person in people):
        raise people[0].unseen or GraphFailure("unreachable", "Microsoft Graph gave no answer.")
    users = [person.result() for person in people]
    summary = {state: sum(1 for user in users if user["state"] == state) for state in ("ready", "missing", "conflict", "failed")}
    summary["changed"] = sum(1 for user in users if user["changed"])
    bad: Optional[dict[str, Any]] = next((user for user in users if user["failure_reason"]), None)
    more = sum(1 for user in users if user["failure_reason"]) - 1
    result: dict[str, Any] = {
        "changed": summary["changed"] > 0,
        "users": users,
        "summary": summary,
        "failure_reason": bad["failure_reason"] if bad else None,
        "msg": f"{summary['ready']} of {len(users)} people are ready in Entra ID.",
        "diff": _diff(users),
    }
    if bad:
        result["failed"] = True
        remedy = GraphFailure(bad["failure_reason"], "").remedy
        result["msg"] = f"{bad['msg']}{f' And {more} more people are not ready.' if more > 0 else ''} {remedy}"
    elif check_mode and summary["missing"]:
        result["msg"] += f" {summary['missing']} are not there yet."
    return result


def _diff(users: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "before_header": user["upn"],
            "after_header": user["upn"],
            "before": {name: change["before"] for name, change in user["changes"].items()},
            "after": {name: change["after"] for name, change in user["changes"].items()},
        }
        for user in users
        if user["changes"]
    ]
