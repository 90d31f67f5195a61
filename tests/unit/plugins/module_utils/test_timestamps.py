# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Times as they travel."""

from __future__ import annotations

import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._timestamps import format_utc, parse_utc


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-24T12:00:00Z", "2026-11-24T12:00:00.000Z"), ("2026-11-24T12:00:00.1234567Z", "2026-11-24T12:00:00.123Z"),
        ("2026-11-24 12:00:00", "2026-11-24T12:00:00.000Z"), ("2026-11-24T12:00:00+02:00", "2026-11-24T10:00:00.000Z"),
        ("2026-11-24T12:00:00.5-0130", "2026-11-24T13:30:00.500Z"),
    ],
)  # fmt: skip
def test_timestamps(text: str, expected: str) -> None:
    assert format_utc(parse_utc(text)) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "24.11.2026", "2026-11-24"])
def test_what_is_no_timestamp(text: str) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        parse_utc(text)
