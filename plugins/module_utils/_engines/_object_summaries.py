# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What Invoke-ADSyncSingleObjectSync says of an object. Pure; private to the collection.

Microsoft documents its output as JSON "similar to" the resource type provisioningObjectSummary of Microsoft Graph; how it writes the names of
keys is not documented, so they are compared without case. Which error codes there are is not documented either: those that are told
apart here are an assumption, and whatever else fails is `object_errors` in the engine's own words.
"""

from __future__ import annotations

import json
from typing import Any

from .._printable import printable
from .._remote._call import RemoteError
from .._remote._failures import as_failure
from ._object_contract import ObjectOutcome, ObjectStep

#: what the error code of an object looks like that was not done because too many were (a pattern, compared without case)
THROTTLED = "throttl|toomanyrequests"
#: parts of error codes, in lower case -> failure reason
_CODES = (
    ("notinscope", "user_not_in_scope"),
    ("filter", "user_not_in_scope"),
    ("objectnotfound", "invalid_input"),
    ("credential", "connector_credentials"),
    ("connection", "connector_unreachable"),
)
_RESULTS = ("success", "warning", "failure", "skipped")
_DELETED = "single objects are added and updated, never deleted: a cycle carries deletions"
_MOST_STEPS = 50


def read_outcome(dn: str, text: str, error: RemoteError | None) -> ObjectOutcome:
    """What came of an object.

    Args:
        text: what the cmdlet wrote. error: what it threw.
    """
    if error is not None:
        return ObjectOutcome(dn, None, (), as_failure(error).reason, str(error))
    summary = _summary(text)
    if summary is None:
        return ObjectOutcome(dn, None, (), "engine_error", "the answer of the engine is no summary of an object")
    steps = tuple(_step(one) for one in _items(summary.get("provisioningsteps")))[:_MOST_STEPS]
    status = _table(summary.get("provisioningstatusinfo") or summary.get("statusinfo"))
    told = _table(status.get("errorinformation"))
    result = _word(status.get("status")).lower()
    code, words = _word(told.get("errorcode")), _word(told.get("reason")) or _word(told.get("additionaldetails"))
    if result not in _RESULTS:
        return ObjectOutcome(dn, None, steps, "engine_error", f"the engine says {result or 'nothing'} of the object")
    if result != "failure":
        out = next((step for step in steps if step.type.lower() == "scoping" and step.status.lower() in ("skipped", "failure")), None)
        if result == "skipped" and out is not None:
            return ObjectOutcome(dn, result, steps, "user_not_in_scope", out.description or out.name)
        return ObjectOutcome(dn, result, steps, None, words)
    folded = code.replace(" ", "").lower()
    if any(part in folded for part in THROTTLED.split("|")):
        return ObjectOutcome(dn, result, steps, "too_soon", words or code, throttled=True)
    reason = next((reason for part, reason in _CODES if part in folded), None) or _reason_of(steps)
    sentence = f"{words or 'no reason is given'} [{code or 'no code'}]"
    return ObjectOutcome(dn, result, steps, reason, f"{sentence}; {_DELETED}" if reason == "invalid_input" else sentence)


def _reason_of(steps: tuple[ObjectStep, ...]) -> str:
    """Of a failure without a code that is known: an object that is out of scope fails at a step that is of this type."""
    failed = next((step for step in steps if step.status.lower() == "failure"), None)
    return "user_not_in_scope" if failed is not None and failed.type.lower() == "scoping" else "object_errors"


def _summary(text: str) -> dict[str, Any] | None:
    """The summary in what was written, its keys in lower case; whatever stands before it or behind it is no part of it."""
    begin, end = text.find("{"), text.rfind("}")
    try:
        found = _lowered(json.loads(text[begin : end + 1]))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _lowered(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key).lower(): _lowered(item) for key, item in value.items()}
    return [_lowered(item) for item in value] if isinstance(value, list) else value


def _step(data: dict[str, Any]) -> ObjectStep:
    return ObjectStep(
        _word(data.get("name")), _word(data.get("provisioningsteptype")), _word(data.get("status")), _word(data.get("description"))
    )


def _items(value: Any) -> list[dict[str, Any]]:
    return [_table(item) for item in value] if isinstance(value, list) else []


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _word(value: Any) -> str:
    return printable(value, 600) if isinstance(value, str) else ""
