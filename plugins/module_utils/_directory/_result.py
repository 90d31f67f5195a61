# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What ad_users tells: the result keys, whatever has happened so far. Pure; private to the collection."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Sequence

from .._timestamps import format_utc
from ._faults import holds_password
from ._half_made import DISABLED
from ._plan import describe
from ._row import Row

ACTIONS = ("created", "corrected", "repaired", "unchanged", "failed", "refused")
_NOTHING_WRONG = "nothing is wrong with this row; nothing was written because of other rows."


def result_of(
    rows: Sequence[Row], *, host_name: str, lead: float, watermark: datetime | None, predicted: bool, warnings: Sequence[str]
) -> dict[str, Any]:
    """The result keys of ad_users.

    Args:
        rows: as far as they have come; a fault in any of them means that the batch was refused.
        host_name, lead: of the controller, and the seconds that its clock is ahead.
        watermark: on this machine's clock, None for now.
        predicted: whether plans count as done, as in check mode.
    """
    refused = any(row.faults for row in rows)
    accounts = [_refused(row) if refused else _told(row, predicted) for row in rows]
    summary = {action: sum(item["action"] == action for item in accounts) for action in ACTIONS}
    words = ", ".join(f"{number} {action}" for action, number in summary.items() if number) or "nothing to do"
    now = datetime.now(timezone.utc)
    return {
        "changed": any(item["changed"] for item in accounts),
        "accounts": accounts,
        "summary": summary,
        "watermark": format_utc(min(watermark, now) if watermark else now),
        "domain_controller": host_name,
        "clock_skew": round(lead, 1),
        "faults": [fault for row in rows for fault in row.faults],
        "failure_reason": None,
        "msg": f"{len(accounts)} accounts: {words}.",
        "warnings": list(warnings),
        "diff": {"before": {}, "after": {}} if refused else _diff(rows, predicted),
    }


def _upn(row: Row) -> str | None:
    return row.account.upn or (row.entry.text("userPrincipalName") if row.entry else None)


def _known(row: Row) -> dict[str, Any]:
    """What is known of the account itself; where a new one would be is not told as if it were there."""
    entry = row.entry
    new_sam = row.account.new_sam if entry is None else None
    return {
        "upn": _upn(row),
        "sam_account_name": row.account.sam or (entry.text("sAMAccountName") if entry else None) or new_sam,
        "distinguished_name": row.dn if entry else None,
        "object_guid": entry.guid if entry else None,
        "sid": entry.sid if entry else None,
        "source_anchor": entry.source_anchor if entry else None,
        "enabled": _enabled(row),
    }


def _enabled(row: Row) -> bool | None:
    """Whether the account can be used, as it is known to be now or, for what was planned and not refused, will be; None where nobody knows."""
    entry, plan = row.entry, row.plan
    if plan is not None and plan.control is not None and not row.faults:
        return None if row.failure is not None else not plan.control & DISABLED
    flags = entry.text("userAccountControl") if entry else None
    return None if entry is None or flags is None else not entry.number("userAccountControl") & DISABLED


def _refused(row: Row) -> dict[str, Any]:
    known = _known(row)
    if row.entry is not None:
        known["sam_account_name"] = row.entry.text("sAMAccountName")
    return {
        **known,
        "changed": False,
        "action": "refused",
        "changes": [],
        "faults": list(row.faults),
        "failure_reason": "invalid_input" if row.faults else "batch_refused",
        "msg": " ".join(row.faults) or f"{row.account.key}: {_NOTHING_WRONG}",
    }


def _told(row: Row, predicted: bool) -> dict[str, Any]:
    plan = row.plan
    action = plan.action if plan else "unchanged"
    changes = sorted(row.done)
    if predicted and plan:
        changes = plan.changes
    elif row.failure is None and not row.done:
        action = "unchanged"  # others were quicker, with all of it
    return {
        **_known(row),
        # Told as a change where nobody knows: better one that was none than none that was one.
        "changed": bool(changes) or row.unsure or (predicted and action == "created"),
        "action": "failed" if row.failure else action,
        "changes": changes,
        "faults": [],
        "failure_reason": row.failure.reason if row.failure else None,
        "msg": row.failure.message if row.failure else "",
    }


def _diff(rows: Sequence[Row], predicted: bool) -> dict[str, Any]:
    """What was changed, by user principal name. Passwords have no part in it, whatever attribute they are in."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for row in rows:
        if row.plan is None or row.plan.action == "unchanged" or not (predicted or row.done):
            continue
        key = _upn(row) or row.account.key
        then, now = describe(row.plan, row.entry, row.dn)
        if row.plan.manager_row is not None:
            now["manager"] = row.account.manager
        before[key] = None if then is None else _shown(then)
        after[key] = _shown(now)
    return {"before": before, "after": after}


def _shown(values: dict[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in sorted(values) if not holds_password(name)}
