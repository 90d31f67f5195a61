# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Characters that do not belong into the name of anything. Pure; private to the collection."""

from __future__ import annotations

import unicodedata

# Marks and isolates turn the direction of what follows, so that it is not what it looks like (Unicode, UAX #9 and TR #36).
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_UNSEEN = frozenset("\u00ad\u034f\u180e\u200b\u2060\u2061\u2062\u2063\u2064\ufeff")
_JOINERS = frozenset("\u200c\u200d")
#: scripts that are spelt with joiners between letters
_JOINING = (
    "ARABIC", "SYRIAC", "MONGOLIAN", "DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL", "TELUGU", "KANNADA", "MALAYALAM",
    "SINHALA", "KHMER", "MYANMAR", "TIBETAN",
)  # fmt: skip


def hidden_character(text: str) -> str:
    """What a text has that nobody sees, in words; empty when there is nothing."""
    for place, char in enumerate(text):
        category = unicodedata.category(char)
        if char in _TURNING:
            return f"a direction mark ({_code(char)})"
        if char in _UNSEEN:
            return f"a character without width ({_code(char)})"
        if char in _JOINERS and not (_joins(text[place - 1 : place]) and _joins(text[place + 1 : place + 2])):
            return f"a joiner where nothing is joined ({_code(char)})"
        if category in ("Zl", "Zp") or char in "\r\n\x85":
            return "a line end"
        if category in ("Cc", "Cs"):
            return f"a control character ({_code(char)})"
    return ""


def _joins(char: str) -> bool:
    return bool(char) and unicodedata.name(char, "").startswith(_JOINING)


def _code(char: str) -> str:
    return f"U+{ord(char):04X}"
