# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Command lines as they reach the sync server."""

from __future__ import annotations

import base64
import binascii
import re

_ENCODED = re.compile(
    r"^\s*(?:cmd(?:\.exe)?\s+/c\s+)?\"?powershell(?:\.exe)?\"?\s.*?-EncodedCommand\s+([A-Za-z0-9+/=]+)\s*$", re.IGNORECASE | re.DOTALL
)
_FILE = re.compile(r"-File\s+\"([^\"]+)\"", re.IGNORECASE)


def encoded_script(line: str) -> str | None:
    """The script of a `powershell -EncodedCommand` line, or None.

    ansible-core 2.16 to 2.18 encode such a line once more for WinRM; both shells are taken off.
    """
    script = None
    while True:
        match = _ENCODED.match(line)
        if not match:
            return script
        try:
            script = base64.b64decode(match.group(1), validate=True).decode("utf-16-le")
        except (binascii.Error, UnicodeDecodeError):
            return script
        line = script


def script_file(arguments: str) -> str | None:
    """The path of `powershell -File "..."`, or None."""
    match = _FILE.search(arguments)
    return match.group(1) if match else None
