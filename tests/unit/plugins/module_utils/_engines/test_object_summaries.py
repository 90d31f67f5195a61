# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What the engine says of a single object, and what is made of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._engines._object_summaries import read_outcome
from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import RemoteError

DN = "CN=Amy,OU=Staff,DC=lab,DC=test"


def _summary(status: str, code: str | None = None, steps: Any = None, reason: str = "words") -> dict[str, Any]:
    error = None if code is None else {"errorCode": code, "reason": reason}
    return {"provisioningSteps": steps or [], "provisioningStatusInfo": {"status": status, "errorInformation": error}}


def _step(kind: str, status: str) -> dict[str, str]:
    return {"name": kind, "provisioningStepType": kind, "status": status, "description": f"{kind} is {status}"}


@pytest.mark.parametrize(
    ("summary", "result", "reason", "throttled"),
    [
        (_summary("success"), "success", None, False),
        (_summary("Success"), "success", None, False),
        (_summary("warning"), "warning", None, False),
        (_summary("skipped"), "skipped", None, False),
        (_summary("skipped", steps=[_step("scoping", "skipped")]), "skipped", "user_not_in_scope", False),
        (_summary("failure", "AttributeValueMustBeUnique"), "failure", "object_errors", False),
        (_summary("failure", "x", [_step("scoping", "Failure")]), "failure", "user_not_in_scope", False),
        (_summary("failure", "ThrottlingLimitExceeded"), "failure", "too_soon", True),
        (_summary("failure", "Too Many Requests"), "failure", "too_soon", True),
        (_summary("failure", "ObjectNotFound"), "failure", "invalid_input", False),
        (_summary("failure", "InvalidCredentials"), "failure", "connector_credentials", False),
        (_summary("failure"), "failure", "object_errors", False),
        (_summary("inProgress"), None, "engine_error", False),
        ({}, None, "engine_error", False),
        ({"statusInfo": {"status": "success"}}, "success", None, False),
        ({"ProvisioningStatusInfo": {"Status": "success"}}, "success", None, False),
        ({"provisioningStatusInfo": [], "provisioningSteps": 5}, None, "engine_error", False),
    ],
)
def test_what_is_made_of_a_summary(summary: Any, result: str | None, reason: str | None, throttled: bool) -> None:
    outcome = read_outcome(DN, "a line of words\r\n" + json.dumps(summary) + "\r\n", None)
    assert (outcome.dn, outcome.result, outcome.reason, outcome.throttled) == (DN, result, reason, throttled)


@pytest.mark.parametrize("text", ["", "{", "}{", "[]", "null", "<html>", "{" * 100_000, '{"a": NaN'])
def test_what_is_no_summary(text: str) -> None:
    outcome = read_outcome(DN, text, None)
    assert (outcome.result, outcome.reason) == (None, "engine_error")


def test_a_deletion_says_what_carries_it() -> None:
    assert "a cycle carries deletions" in read_outcome(DN, json.dumps(_summary("failure", "ObjectNotFound")), None).words


def test_an_error_of_the_cmdlet_is_no_success() -> None:
    error = RemoteError({"type": "System.Exception", "hresult": -2147024891, "message": "Zugriff verweigert"})
    assert (read_outcome(DN, json.dumps(_summary("success")), error).reason) == "engine_access_denied"


def test_words_of_the_server_cannot_draw_on_the_screen() -> None:
    outcome = read_outcome(DN, json.dumps(_summary("failure", "x", [_step("\x1b[2J", "failure")], "\x1b[31m\u202e")), None)
    assert not {"\x1b", "\u202e"} & set(outcome.words + outcome.steps[0].name)
