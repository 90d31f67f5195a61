# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Standard error of a PowerShell process as CLIXML, taken apart into the streams that a runspace has."""

from __future__ import annotations

import re
from xml.etree import ElementTree

_HEAD = "#< CLIXML"
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


def errors_of(stderr: str) -> list[str]:
    """The error texts of a standard error, one entry a record; other streams in it are left out.

    What is no CLIXML is one error as it stands (a native program's own words).
    """
    errors: list[str] = []
    for line in stderr.splitlines():
        if line.startswith("<Objs"):
            errors += _error_lines(line)
        elif line.strip() and not line.startswith(_HEAD):
            errors.append(line)
    return errors


def _error_lines(document: str) -> list[str]:
    try:
        root = ElementTree.fromstring(document)
    except ElementTree.ParseError:
        return [document]
    lines = [node.text or "" for node in root if node.get("S") == "Error"]
    text = _ESCAPED.sub(lambda match: chr(int(match.group(1), 16)), "".join(lines))
    return [line for line in text.splitlines() if line.strip()]
