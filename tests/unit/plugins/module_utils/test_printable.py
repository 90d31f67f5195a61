# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Foreign text does nothing but show."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.hybrid.identity.plugins.module_utils._printable import printable, without_userinfo


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, äöü, 日本語, Ω", "plain text, äöü, 日本語, Ω"),
        ("two\r\nlines\tand\u2028more\x0b", "two lines and more"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPdevice\x1b\\text", "text"),
        ("\x9b31mred", "red"),
        ("\x1b(Btext", "text"),
        ("end\x1b", "end"),
        ("bell\x07 nul\x00 del\x7f", "bell\\x07 nul\\x00 del\\x7f"),
        ("a\u202eb\u2066c\u2069d\u200fe", "a\\u202eb\\u2066c\\u2069d\\u200fe"),
        ("an\u200bna \ufeffx\u00ad", "an\\u200bna \\ufeffx\\xad"),
        ("an\u200dna", "an\\u200dna"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\u200cx\u200d", "\\u200cx\\u200d"),
        ("half \ud800", "half \\ud800"),
        ("\U000e0041\ue000\uffff", "\\U000e0041\\ue000\\uffff"),
        ("", ""),
    ],
)
def test_examples(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_long_text_is_cut() -> None:
    assert printable("x" * 301) == "x" * 297 + "..."
    assert printable("x" * 300) == "x" * 300
    assert printable("\u202e" * 300, 10) == "\\u202e..."
    assert printable("abcdef", 2) == ".."
    began = time.process_time()
    printable("\x1b[" * 5_000_000)
    assert time.process_time() - began < 1, "what is cut off is not looked at"


@given(st.text(st.characters(exclude_categories=())), st.integers(0, 50))
@example("\x1b" * 10, 5)
@example("\x9d\x9b\x1b]", 5)
def test_nothing_that_controls_is_left(text: str, limit: int) -> None:
    shown = printable(text, limit)
    assert len(shown) <= limit
    shown.encode()
    for place, character in enumerate(shown):
        if character in "\u200c\u200d":
            assert 0 < place < len(shown) - 1
        else:
            assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    assert printable(shown, limit) == shown


def test_addresses_lose_their_user() -> None:
    assert without_userinfo("at https://anna:hunter2@host/x and //b@c") == "at https://host/x and //c"
    assert without_userinfo("mail anna@corp.example, https://host/a@b") == "mail anna@corp.example, https://host/a@b"
