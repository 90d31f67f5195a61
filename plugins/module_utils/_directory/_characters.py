# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Characters that do not belong into the name of a person, because nobody sees them. Pure; private to the collection."""

from __future__ import annotations

import unicodedata

#: zero width non-joiner and zero width joiner
_JOINERS = "\u200c\u200d"
#: Unicode Standard, chapters 9, 12 to 14 and 16: scripts that spell with joiners
_JOINING_SCRIPTS = (
    "ARABIC", "SYRIAC", "MANDAIC", "NKO", "MONGOLIAN", "PHAGS-PA", "DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL", "TELUGU",
    "KANNADA", "MALAYALAM", "SINHALA", "TIBETAN", "MYANMAR", "KHMER",
)  # fmt: skip
#: canonical combining class of a virama
_VIRAMA = 9


def unseen_character(text: str, *, lines: bool = False) -> str | None:
    """The first control, line end, direction mark, isolate or zero-width character as `U+200B`, or None.

    Args:
        text: any text.
        lines: whether tabs and line ends are text, as in a note.

    A joiner is spelling between letters of a script that has joined forms, and after a virama.
    """
    for place, char in enumerate(text):
        if lines and char in "\t\r\n":
            continue
        if unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            continue
        if char in _JOINERS and _is_spelling(text, place):
            continue
        return f"U+{ord(char):04X}"
    return None


def _is_spelling(text: str, place: int) -> bool:
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    if not _joins(before):
        return False
    return unicodedata.combining(before) == _VIRAMA or _joins(after)


def _joins(char: str) -> bool:
    """Whether it is a letter, or a mark on one, of a script with joined forms."""
    return bool(char) and unicodedata.category(char)[0] in "LM" and unicodedata.name(char, "").startswith(_JOINING_SCRIPTS)
