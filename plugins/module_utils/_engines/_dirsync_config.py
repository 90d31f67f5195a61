# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The configuration file of DirSync's scheduler, as bytes: another interval goes in, and every other byte stays. Pure; private to the collection.

Source of the key SyncTimeInterval and of its form h:m:s: field articles (see the class DirSync). An XML parser would write the file anew, with
other quotes, line ends and spaces; so the one attribute is found, and what lies around it is not touched.
"""

from __future__ import annotations

import re

KEY = "SyncTimeInterval"
#: byte order marks, and how an XML document without one begins (XML 1.0, appendix F) -> encoding of what follows
_BEGINNINGS = (
    (b"\xef\xbb\xbf", "latin-1"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_ELEMENT = re.compile(r"<add\s[^<>]*>")
_KEY_ATTRIBUTE = re.compile(r"""\skey\s*=\s*(["'])""" + KEY + r"""\1""")
_VALUE_ATTRIBUTE = re.compile(r"""\svalue\s*=\s*(["'])([^"'<>]*)\1""")


def read_interval(content: bytes) -> str | None:
    """The text of the interval; None where it is not there exactly once."""
    found = _find(content)
    return None if found is None else found[0][found[1] : found[2]]


def with_interval(content: bytes, interval: str) -> bytes | None:
    """The file with another interval; None where the present one is not there exactly once."""
    found = _find(content)
    if found is None:
        return None
    text, begin, end, encoding = found
    return (text[:begin] + interval + text[end:]).encode(encoding)


def clock_text(seconds: int) -> str:
    """Seconds as the scheduler reads them: 3:0:0."""
    return f"{seconds // 3600}:{seconds % 3600 // 60}:{seconds % 60}"


def _find(content: bytes) -> tuple[str, int, int, str] | None:
    """The text of the whole file, begin and end of the interval in it, and how it becomes the same bytes again.

    Every encoding of one byte a character, and UTF-8, have the letters that are looked for where ASCII has them: latin-1 brings any byte back.
    """
    encoding = next((encoding for beginning, encoding in _BEGINNINGS if content.startswith(beginning)), "latin-1")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return None
    # What stands in a comment is blotted out, so that places stay where they are.
    plain = _COMMENT.sub(lambda comment: " " * len(comment.group()), text)
    elements = [element for element in _ELEMENT.finditer(plain) if _KEY_ATTRIBUTE.search(element.group())]
    if len(elements) != 1:
        return None
    values = list(_VALUE_ATTRIBUTE.finditer(elements[0].group()))
    if len(values) != 1:
        return None
    offset = elements[0].start()
    return text, offset + values[0].start(2), offset + values[0].end(2), encoding
