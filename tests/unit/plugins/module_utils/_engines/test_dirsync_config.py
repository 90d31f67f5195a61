# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Another interval in the configuration file of DirSync's scheduler, and every other byte as it was; intervals as Windows writes them."""

from __future__ import annotations

import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._engines._aadsync_scheduler import iso_duration
from ansible_collections.hybrid.identity.plugins.module_utils._engines._dirsync_config import clock_text, read_interval, with_interval
from ansible_collections.hybrid.identity.plugins.module_utils._engines._fim_answers import clock_seconds, interval_seconds

_CONFIG = (
    '<?xml version="1.0"?>\r\n<configuration>\n\t<appSettings>\r\n    <!-- Größe: <add key="SyncTimeInterval" value="9:9:9" /> -->\r\n'
    '    <add key="Other" value="3:0:0"/>\r\n    <add  value = "3:0:0"\r\n  key=\'SyncTimeInterval\'   />  \r\n  </appSettings>\n</configuration>'
)


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b"\xef\xbb\xbf"), ("utf-8", b""), ("cp1252", b""), ("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff"), ("utf-16-le", b""),
        ("utf-16-be", b""),
    ],
)  # fmt: skip
def test_every_other_byte_stays(encoding: str, mark: bytes) -> None:
    content = mark + _CONFIG.encode(encoding)
    assert read_interval(content) == "3:0:0"
    changed = with_interval(content, "0:30:0")
    wanted = _CONFIG.replace('value = "3:0:0"', 'value = "0:30:0"')
    assert changed == mark + wanted.encode(encoding)
    assert with_interval(changed or b"", "3:0:0") == content


def test_bytes_that_are_no_text_of_any_encoding_stay_too() -> None:
    content = b'\x00\x81\xff<add key="SyncTimeInterval" value="3:0:0"/>\xfe\r'
    assert with_interval(content, "1:0:0") == b'\x00\x81\xff<add key="SyncTimeInterval" value="1:0:0"/>\xfe\r'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<configuration/>",
        '<!-- <add key="SyncTimeInterval" value="3:0:0"/> -->',
        '<add key="SyncTimeInterval" value="3:0:0"/><add key="SyncTimeInterval" value="4:0:0"/>',
        '<add key="SyncTimeInterval"/>',
        '<add key="SyncTimeInterval" value="1:0:0" value="2:0:0"/>',
        '<add key="NoSyncTimeInterval" value="3:0:0"/>',
    ],
)
def test_what_is_not_there_exactly_once_is_not_touched(text: str) -> None:
    assert read_interval(text.encode()) is None
    assert with_interval(text.encode(), "1:0:0") is None


def test_half_a_character_is_no_file() -> None:
    assert read_interval(b"\xff\xfe<\0a") is None


@pytest.mark.parametrize(("seconds", "clock", "iso"), [(10800, "3:0:0", "PT3H"), (300, "0:5:0", "PT5M"), (90061, "25:1:1", "PT25H1M1S")])
def test_intervals_are_read_back_as_they_were_written(seconds: int, clock: str, iso: str) -> None:
    assert (clock_text(seconds), iso_duration(seconds)) == (clock, iso)
    assert (clock_seconds(clock), interval_seconds(iso)) == (seconds, seconds)
