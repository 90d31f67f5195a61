# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""When a host may be told as unreachable."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.hybrid.identity.plugins.plugin_utils._action import nothing_was_done

_REFUSED: dict[str, Any] = {"failed": True, "changed": False, "failure_reason": "unreachable", "sync": {"requested_at": None}}


@pytest.mark.parametrize("reason", ["unreachable", "authentication_failed", "remoting_denied"])
def test_only_where_nothing_was_done(reason: str) -> None:
    result = {**_REFUSED, "failure_reason": reason}
    assert nothing_was_done(result)
    assert nothing_was_done({key: value for key, value in result.items() if key != "sync"}), "dirsync_info has none"
    assert not nothing_was_done({**result, "changed": True})
    assert not nothing_was_done({**result, "sync": {"requested_at": "2026-11-24T09:30:00Z"}}), "a start was sent"
    assert not nothing_was_done({**result, "failed": False})


@pytest.mark.parametrize("reason", ["staging", "wait_timeout", "invalid_input", "not_a_sync_server", None])
def test_other_reasons_are_failures(reason: str | None) -> None:
    assert not nothing_was_done({**_REFUSED, "failure_reason": reason})
