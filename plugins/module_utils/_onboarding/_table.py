# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Reading a table of colleagues: CSV text with its delimiter found out, or a list of dictionaries."""

from __future__ import annotations

import csv
import difflib
import io
from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence, Union

#: column -> the most characters that Active Directory (schema: rangeUpper) or Entra ID takes; 0: not a text of its own
COLUMNS: dict[str, int] = {
    "given_name": 64,
    "surname": 64,
    "display_name": 256,
    "upn": 113,
    "sam_account_name": 20,
    "mail": 256,
    "department": 64,
    "title": 128,
    "company": 64,
    "employee_id": 16,
    "office": 128,
    "phone": 64,
    "mobile": 64,
    "manager": 0,
    "groups": 0,
    "ou": 0,
    "usage_location": 0,
    "licenses": 0,
}
#: columns with several values, separated by |
LISTS = ("groups", "licenses")
_DELIMITERS = ";\t,"


@dataclass
class Record:
    """One person as written; `place` is how faults call it ('row 3')."""

    place: str
    values: dict[str, Union[str, list[str]]] = field(default_factory=dict)


@dataclass
class Table:
    """What was read, and what was wrong with its form (one sentence each)."""

    records: list[Record] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def read_csv(data: bytes, name: str) -> Table:
    """Read CSV text: UTF-8 with or without a byte order mark; semicolon, comma or tab; quotes as in RFC 4180.

    Args:
        data: the content of the file.
        name: of the file, for sentences.

    Returns:
        The table. Rows are counted as a spreadsheet does, the header is row 1. Empty rows are left out.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data[: error.start].count(b"\n") + 1
        return Table(faults=[f"{name} is not UTF-8 text (line {row}): save it as CSV UTF-8."])
    if "\0" in text:
        return Table(faults=[f"{name} holds NUL characters: save it as CSV UTF-8."])
    header = _first_record(text)
    delimiter = max(_DELIMITERS, key=lambda candidate: _outside_quotes(header, candidate))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    table = Table()
    columns: list[str] = []
    row = 0
    try:
        for cells in reader:
            row += 1
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = [_column(cell) for cell in cells]
                table.faults.extend(_header_faults(columns, f"row {row}"))
                continue
            extra = [cell for cell in cells[len(columns) :] if cell.strip()]
            if extra:
                table.faults.append(
                    f"row {row}: {len(cells)} values for {len(columns)} columns; a value with {delimiter!r} in it needs quotes."
                )
                continue
            values = {column: _split(column, cell) for column, cell in zip(columns, cells) if column in COLUMNS}
            table.records.append(Record(f"row {row}", values))
    except csv.Error as error:
        table.faults.append(f"row {row + 1}: the quotes of this row are not as they should be ({error}).")
    if not table.records and not table.faults:
        table.faults.append(f"{name} holds no people.")
    return table


def read_people(people: Sequence[Mapping[str, Any]]) -> Table:
    """Take a list of dictionaries with the same names as the columns; groups and licenses may be lists."""
    table = Table()
    for number, person in enumerate(people, start=1):
        place = f"person {number}"
        record = Record(place)
        for key, value in person.items():
            column = _column(str(key))
            if column not in COLUMNS:
                table.faults.append(_unknown(column, place))
            elif isinstance(value, (list, tuple)):
                if column in LISTS:
                    record.values[column] = [str(item).strip() for item in value if str(item).strip()]
                else:
                    table.faults.append(f"{place}, column {column}: a list is not possible here.")
            elif isinstance(value, Mapping):
                table.faults.append(f"{place}, column {column}: a dictionary is not possible here.")
            elif value is not None:
                record.values[column] = _split(column, str(value))
        table.records.append(record)
    if not table.records:
        table.faults.append("The list holds no people.")
    return table


def _split(column: str, cell: str) -> Union[str, list[str]]:
    if column in LISTS:
        return [item.strip() for item in cell.split("|") if item.strip()]
    return cell.strip()


def _column(name: str) -> str:
    """'Given Name' and 'given-name' are given_name."""
    return "_".join(name.strip().lower().replace("-", " ").replace("_", " ").split())


def _header_faults(columns: Sequence[str], place: str) -> list[str]:
    faults = [_unknown(column, place) for column in columns if column not in COLUMNS]
    faults.extend(f"{place}: column {column} is there twice." for column in sorted({name for name in columns if columns.count(name) > 1}))
    if "upn" not in columns:
        faults.append(f"{place}: the column upn is missing.")
    return faults


def _unknown(column: str, place: str) -> str:
    if not column:
        return f"{place}: a column has no name."
    if column.startswith(("password", "passwort", "initial_password")):
        return f"{place}: unknown column {column!r}; passwords do not belong into this table."
    close = difflib.get_close_matches(column, COLUMNS, n=1, cutoff=0.6)
    hint = f" (did you mean {close[0]!r}?)" if close else f"; known columns are {', '.join(COLUMNS)}"
    return f"{place}: unknown column {column!r}{hint}."


def _first_record(text: str) -> str:
    """The header: up to the first line end outside quotes, of the first line that is not empty."""
    for line in text.splitlines():
        if line.strip():
            return line
    return ""


def _outside_quotes(line: str, character: str) -> int:
    return sum(part.count(character) for part in line.split('"')[::2])
