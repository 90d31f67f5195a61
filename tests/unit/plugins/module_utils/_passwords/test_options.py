# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Options of aad_password_sync that do not go together."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._passwords._desired import DesiredPasswords
from ansible_collections.hybrid.identity.plugins.module_utils._passwords._options import PASSWORD_OPTIONS, read_desired

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)
ANCHOR = "1pWVvcEE9U+ZYlPTbvyQ5Q=="


def read(**params: Any) -> DesiredPasswords:
    defaults = {name: option.get("default") for name, option in PASSWORD_OPTIONS.items()}
    return read_desired({**defaults, **params}, NOW, False)


def test_who_only_looks_names_people_and_a_time() -> None:
    wanted = read(observe_only=True, users=[ANCHOR, "CN=A,DC=contoso,DC=com"], max_age=60)
    assert (wanted.observe_only, wanted.since, wanted.fail_on) == (True, NOW - timedelta(seconds=60), "failed_named")


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"max_age": 60}, "needs users"),
        ({"users": [ANCHOR]}, "needs users, and since or max_age"),
        ({"users": ["amy@contoso.com"], "max_age": 60}, "amy@contoso.com is neither"),
        ({"users": [ANCHOR], "max_age": 60, "force": True}, "force belongs to forcing"),
        ({"users": [ANCHOR], "max_age": 60, "connectors": ["contoso.com"]}, "connectors belongs to forcing"),
        ({"state": "enabled"}, "observe_only belongs to state=synced"),
    ],
)
def test_what_does_not_go_together_with_only_looking(params: dict[str, Any], words: str) -> None:
    with pytest.raises(HybridIdentityError, match=words) as caught:
        read(observe_only=True, **params)
    assert caught.value.reason == "invalid_input"
