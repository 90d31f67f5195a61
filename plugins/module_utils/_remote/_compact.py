# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Scripts as they travel: without what only people read. Private to the collection."""

from __future__ import annotations


def compact(script: str) -> str:
    """A script without indentation, empty lines and lines that are comments: every call carries its script, and WinRM wraps it three times.

    Meant for the collection's own scripts, which have no strings over several lines.
    """
    lines = (line.strip() for line in script.splitlines())
    return "".join(line + "\n" for line in lines if line and not line.startswith("#"))
