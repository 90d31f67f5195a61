# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The report in its forms: lines of plain text for the screen, CSV and JSON. Pure; private to the collection."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from typing import Any, Mapping, Sequence

from .._printable import printable
from ._run import both_clocks, local_text
from ._verdict import STAGES, WORDS

#: columns of the CSV file and of the JSON objects
FIELDS = (
    "row", "person", "upn", "id", "account", "sync", "cloud", "licence", "password", "arrived", "arrived_at", "arrived_at_local",
    "failure_reason", "reason", "what_to_do", "password_reason",
)  # fmt: skip
_SCREEN = (
    ("Person", "person", 30),
    ("User principal name", "upn", 44),
    ("Account", "account", 12),
    ("Sync", "sync", 12),
    ("Entra ID", "cloud", 12),
    ("Licence", "licence", 12),
    ("Password", "password", 14),
    ("Arrived", "arrived_at", 48),
)
# What a spreadsheet takes for the beginning of a formula, in its ASCII, small and full-width forms (OWASP, "CSV Injection").
_SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212"
# Behind a separator too: a spreadsheet with the separator of another locale cuts a quoted cell there.
_FORMULA = re.compile(rf"(^|[;,|\t\r\n])(\s*)(?=[{_SIGNS}])")
_BLANKS_FIRST = ("\t", "\r", "\n")
_WHOSE = {"own": "started by this run (own)", "foreign": "not started by this run (foreign)"}
_MOST_NAMES = 10
_MOST_FAULTS = 50


def as_screen(report: Mapping[str, Any]) -> list[str]:
    """The lines for a screen; what is too long is cut, what is not printable is replaced.

    Args:
        report: run, people (verdicts), faults.
    """
    verdicts = report["people"]
    lines = [*_about_the_run(report["run"], len(verdicts)), ""]
    if verdicts:
        lines += [*_table(verdicts), ""]
    lines += _about_faults(report.get("faults") or [])
    lines += _about_the_missing([verdict for verdict in verdicts if not verdict["arrived"]], bool(report.get("faults")))
    lines += _about_passwords(verdicts)
    return lines + _legend(verdicts)


def as_csv(verdicts: Sequence[Mapping[str, Any]], separator: str = ",") -> str:
    """CSV with a byte order mark, so that spreadsheets read the umlauts. Every cell is quoted, and none is taken for a formula.

    Args:
        verdicts: of judge_people.
        separator: between the cells, one character.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerow(FIELDS)
    for verdict in _told(verdicts):
        writer.writerow([_harmless(_plain(verdict.get(name))) for name in FIELDS])
    return "\ufeff" + text.getvalue()


def as_json(report: Mapping[str, Any]) -> str:
    """Indented JSON with all characters as they are; `people` has only the fields of the report."""
    people = [{name: verdict.get(name) for name in FIELDS} for verdict in _told(report["people"])]
    return json.dumps({**report, "people": people}, indent=2, ensure_ascii=False) + "\n"


def _told(verdicts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            **verdict,
            "arrived_at": verdict.get("arrived_at") if verdict["arrived"] else None,
            "arrived_at_local": local_text(verdict.get("arrived_at")) if verdict["arrived"] else None,
        }
        for verdict in verdicts
    ]


# -- the screen


def _about_the_run(run: Mapping[str, Any], number: int) -> list[str]:
    mode = " - check mode: nothing was written, all of it is a prediction" if run.get("check_mode") else ""
    lines = [f"Onboarding of {number} people, begun {both_clocks(run.get('started_at'))}{mode}"]
    if run.get("domain_controller"):
        lines.append(f"Domain controller: {run['domain_controller']}; last change of these accounts: {both_clocks(run.get('watermark'))}")
    if run.get("sync_server"):
        lines.append(f"Sync server: {run['sync_server']}, engine {run.get('engine') or 'unknown'} {run.get('engine_version') or ''}")
    cycle = run.get("cycle") or {}
    if cycle.get("ownership"):
        ended = f", ended {both_clocks(cycle['finished_at'])}" if cycle.get("finished_at") else ""
        whose = _WHOSE.get(str(cycle["ownership"]), str(cycle["ownership"]))
        lines.append(f"Cycle: {cycle.get('type')}, {whose}, {cycle.get('state')}{ended}; evidence: {', '.join(run.get('evidence') or [])}")
    if run.get("failed_stage"):
        reason = f"{run['failure_reason']}: " if run.get("failure_reason") else ""
        lines.append(f"Ended at: {run['failed_stage']}: {reason}{run.get('failure')}")
    return [_fit(" ".join(line.split()), 400) for line in lines]


def _table(verdicts: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [[title for title, _key, _most in _SCREEN]]
    rows.extend([_fit(_shown(verdict, key), most) for _title, key, most in _SCREEN] for verdict in verdicts)
    widths = [max(_width(row[index]) for row in rows) for index in range(len(_SCREEN))]
    lines = ["  ".join(_pad(cell, width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]


def _about_faults(faults: Sequence[Mapping[str, Any]]) -> list[str]:
    if not faults:
        return []
    shown = [f"  {_fit(str(fault.get('msg') or ''), 400)}" for fault in faults[:_MOST_FAULTS]]
    more = [f"  and {len(faults) - _MOST_FAULTS} more"] if len(faults) > _MOST_FAULTS else []
    return [f"What is wrong ({len(faults)}):", *shown, *more, ""]


def _about_the_missing(verdicts: Sequence[Mapping[str, Any]], faults_told: bool) -> list[str]:
    """Why somebody has not arrived and what to do, once for all who share the reason."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for verdict in verdicts:
        if faults_told and verdict["account"] == "refused" and verdict["failure_reason"] != "batch_refused":
            continue  # the fault itself stands above
        key = (str(verdict["failure_reason"] or ""), str(verdict["reason"]), str(verdict["what_to_do"]))
        groups.setdefault(key, []).append(str(verdict["upn"] or verdict["person"]))
    lines = []
    for (word, reason, remedy), names in groups.items():
        text = " ".join(part for part in (f"{word}: {reason}" if word else reason, remedy) if part)
        lines += [f"  {_fit(_names(names), 400)}", f"    {_fit(text, 600)}"]
    return ["Not arrived:", *lines, ""] if lines else []


def _about_passwords(verdicts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Why passwords were not seen to be taken, once for all who share the reason; whoever did not arrive because of it stands above."""
    groups: dict[tuple[str, str], list[str]] = {}
    for verdict in verdicts:
        if verdict["arrived"] and verdict.get("password_reason"):
            groups.setdefault((str(verdict["password"]), str(verdict["password_reason"])), []).append(
                str(verdict["upn"] or verdict["person"])
            )
    lines = []
    for (word, reason), names in groups.items():
        lines += [f"  {_fit(_names(names), 400)}", f"    {_fit(f'{word}: {reason}', 600)}"]
    return ["Passwords:", *lines, ""] if lines else []


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_NAMES]) + (f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else "")


def _legend(verdicts: Sequence[Mapping[str, Any]]) -> list[str]:
    used = {str(verdict[stage]) for verdict in verdicts for stage in STAGES}
    return [f"{word}: {meaning}" for word, meaning in WORDS.items() if word in used]


def _shown(verdict: Mapping[str, Any], key: str) -> str:
    if key == "arrived_at":
        return both_clocks(verdict.get(key)) if verdict["arrived"] else "-"
    return _plain(verdict.get(key)) or "-"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _harmless(text: str) -> str:
    """Text that no spreadsheet calculates with: an apostrophe before every sign that could begin a formula."""
    text = "".join(char if char in _BLANKS_FIRST else _visible(char) for char in text)
    harmless = _FORMULA.sub(r"\1'\2", text)
    return f"'{harmless}" if harmless.startswith(_BLANKS_FIRST) else harmless


def _fit(text: str, most: int) -> str:
    text = printable(text, limit=most)
    if _width(text) <= most:
        return text
    while _width(text) > most - 3:
        text = text[:-1]
    return text + "..."


def _visible(char: str) -> str:
    """The character; nothing for one that is not seen, a question mark for one that a terminal would obey."""
    category = unicodedata.category(char)
    return "" if category == "Cf" else "?" if category in ("Cc", "Cs", "Co", "Cn", "Zl", "Zp") else char


def _width(text: str) -> int:
    """Columns on the screen: wide characters take two, combining ones none."""
    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
