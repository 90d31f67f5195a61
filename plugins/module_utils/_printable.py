# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Foreign text made fit for a screen, a log line, a CSV file. Private to the collection."""

from __future__ import annotations

import re
import unicodedata

# What a terminal takes for a command (ECMA-48), with ESC or in its one-character form: strings up to their end, control sequences, the rest.
_COMMANDS = re.compile(
    r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|\x1b[ -/]*[0-~]?"
)
_USERINFO = re.compile(r"(//)[^/?#@\s]*@")
#: zero-width joiner and non-joiner: spelling in scripts that need them, a disguise elsewhere
_JOINERS = "\u200c\u200d"
#: the first script whose spelling needs joiners (Arabic); what lies before is Latin, Greek, Cyrillic, Armenian, Hebrew
_JOINING_FROM = 0x0600


def printable(text: str, limit: int = 300) -> str:
    """One line of text that does nothing but show.

    Terminal commands are taken out; line ends, tabs and runs of blanks become one blank; every other character that controls instead of
    showing (C0, C1, direction marks, isolates, zero-width characters, byte order marks, half surrogates, private and unassigned ones) is
    written as its escape, such as \\u202e. Joiners stay between letters of scripts that need them.

    Args:
        text: of anybody.
        limit: the most characters of the result; what is longer is cut and ends in '...'. The work does not grow beyond the limit.

    Returns:
        The text; encodable as UTF-8, never longer than `limit`.
    """
    words = " ".join(_COMMANDS.sub("", text[: limit * 8 + 64]).split())
    shown: list[str] = []
    length = 0
    for place, character in enumerate(words):
        piece = character if _shows(words, place) else _escaped(character)
        length += len(piece)
        if length > limit:
            return ("".join(shown)[: max(limit - 3, 0)] + "...")[:limit]
        shown.append(piece)
    return "".join(shown)


def without_userinfo(text: str) -> str:
    """The text without the user names and passwords of the addresses in it."""
    return _USERINFO.sub(r"\1", text)


def _shows(words: str, place: int) -> bool:
    character = words[place]
    if character in _JOINERS:
        return 0 < place < len(words) - 1 and _joins(words[place - 1]) and _joins(words[place + 1])
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def _joins(character: str) -> bool:
    return ord(character) >= _JOINING_FROM and unicodedata.category(character)[0] in "LM"


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
