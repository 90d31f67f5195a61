# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The report in its forms: a table of plain text for the screen, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from typing import Any, Mapping, Sequence

#: columns of the CSV file and of the JSON objects
FIELDS = ("person", "upn", "id", "account", "sync", "cloud", "licence", "arrived", "arrived_at", "failure_reason", "reason")
_SCREEN = (
    ("Person", "person", 30),
    ("User principal name", "upn", 44),
    ("Account", "account", 12),
    ("Sync", "sync", 12),
    ("Entra ID", "cloud", 12),
    ("Licence", "licence", 12),
    ("Arrived", "arrived_at", 20),
    ("Reason", "reason", 100),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_screen(verdicts: Sequence[Mapping[str, Any]]) -> list[str]:
    """The lines of a table; what is too long is cut, what is not printable is replaced."""
    rows = [[title for title, _key, _most in _SCREEN]]
    rows.extend([_fit(_shown(verdict, key), most) for _title, key, most in _SCREEN] for verdict in verdicts)
    widths = [max(_width(row[index]) for row in rows) for index in range(len(_SCREEN))]
    lines = ["  ".join(_pad(cell, width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]


def as_csv(verdicts: Sequence[Mapping[str, Any]]) -> str:
    """CSV with a byte order mark, so that spreadsheets read the umlauts. Nothing in it is taken for a formula.

    A value that begins like a formula gets an apostrophe before it (OWASP, "CSV Injection").
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(FIELDS)
    for verdict in verdicts:
        writer.writerow([_harmless(_plain(verdict.get(name))) for name in FIELDS])
    return "\ufeff" + text.getvalue()


def as_json(report: Mapping[str, Any]) -> str:
    """Indented JSON with all characters as they are; `people` has only the fields of the report."""
    people = [{name: verdict.get(name) for name in FIELDS} for verdict in report["people"]]
    return json.dumps({**report, "people": people}, indent=2, ensure_ascii=False) + "\n"


def _shown(verdict: Mapping[str, Any], key: str) -> str:
    if key == "arrived_at" and not verdict["arrived"]:
        return "-"
    return _plain(verdict.get(key)) or ("-" if key != "reason" else "")


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _fit(text: str, most: int) -> str:
    text = "".join(char if _is_printable(char) else "?" for char in text)
    if _width(text) <= most:
        return text
    while _width(text) > most - 3:
        text = text[:-1]
    return text + "..."


def _is_printable(char: str) -> bool:
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def _width(text: str) -> int:
    """Columns on the screen: wide characters take two, combining ones none."""
    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
