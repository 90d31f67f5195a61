# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Text from elsewhere, made fit for a screen, a log line or a table cell. Pure; private to the collection."""

from __future__ import annotations

import re
import unicodedata

# What a terminal obeys: CSI and OSC sequences as a whole, so that their parameters do not stay behind as words.
_SEQUENCES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)|\x9b[0-?]*[ -/]*[@-~]|\x1b.?", re.DOTALL)


def printable(text: str, limit: int = 300) -> str:
    """One line without anything that a terminal, a spreadsheet or a reader's eye would obey.

    Args:
        text: from a server, a directory or a tenant.
        limit: characters at most; what is longer ends in three dots.

    Returns:
        The words. Line ends and other white space become single blanks; control characters, escape sequences, direction
        marks, isolates and other format characters are taken out.
    """
    plain = _SEQUENCES.sub("", text[: 20 * limit])
    kept = "".join(
        " " if character.isspace() else character
        for character in plain
        if character.isspace() or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    )
    words = " ".join(kept.split())
    return words if len(words) <= limit else words[: max(limit - 3, 0)].rstrip() + "..."
