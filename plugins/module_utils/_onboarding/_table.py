# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Reading a table of colleagues: CSV text with its encoding and delimiter found out, or a list of dictionaries."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Sequence, Union

from ._columns import COLUMNS, LISTS, column_of, unknown
from ._faults import Fault

_DELIMITERS = ";\t,"
# Excel: the first line may say what separates the cells; it is no row.
_SEPARATOR_LINE = re.compile(r'^"?sep=(.)"?[;,\t]*[ \t]*(\r\n|\r|\n|$)', re.IGNORECASE)
_MARKED = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass
class Record:
    """One person as written; `row` is the number in `place`, which is how faults call it ('row 3')."""

    place: str
    row: int
    values: dict[str, Union[str, list[str], dict[str, Any]]] = field(default_factory=dict)


@dataclass
class Table:
    """What was read, what was wrong with its form, and what somebody should look at although it was readable."""

    records: list[Record] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def blame(self, place: str, row: Optional[int], text: str, column: str = "", upn: str = "") -> None:
        """Note a fault; the sentence begins with the place."""
        self.faults.append(Fault("table", f"{place}{f', column {column}' if column else ''}: {text}.", row, upn, column))


def read_csv(data: bytes, name: str, own: Optional[Mapping[str, str]] = None) -> Table:
    """Read CSV text: semicolon, comma or tab, or what a line `sep=` says; quotes as in RFC 4180.

    Args:
        data: the content of the file: with a byte order mark as that says, else UTF-8, else Windows-1252 with a warning.
        name: of the file, for sentences.
        own: header -> column, for headers that are not known.

    Returns:
        The table. Rows are counted as a spreadsheet does, the header is row 1. Empty rows are left out.
    """
    table = Table()
    text = _decode(data, name, table)
    if text is None:
        return table
    if "\0" in text:
        table.faults.append(Fault("table", f"{name} holds NUL characters: save it as CSV UTF-8."))
        return table
    return read_text(text, name, own, table)


def read_text(text: str, name: str, own: Optional[Mapping[str, str]] = None, table: Optional[Table] = None) -> Table:
    """Read CSV text that is decoded already, as read_csv does."""
    table = table or Table()
    text = text[1:] if text.startswith("\ufeff") else text
    separator = _SEPARATOR_LINE.match(text)
    if separator:
        text = text[separator.end() :]
    header = _first_record(text)
    delimiter = separator.group(1) if separator else max(_DELIMITERS, key=lambda candidate: _outside_quotes(header, candidate))
    rows: list[tuple[int, list[str]]] = []
    try:
        for number, cells in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), start=1):
            if any(cell.strip() for cell in cells):
                rows.append((number, cells))
    except csv.Error as error:
        number = rows[-1][0] + 1 if rows else 1
        table.blame(f"row {number}", None, f"the quotes of this row are not as they should be ({error})")
    if rows:
        _take_rows(table, rows, delimiter, own or {})
    if not table.records and not table.faults:
        table.faults.append(Fault("table", f"{name} holds no people."))
    return table


def _take_rows(table: Table, rows: Sequence[tuple[int, list[str]]], delimiter: str, own: Mapping[str, str]) -> None:
    at, headers = rows[0]
    width = len(headers)
    # A spreadsheet writes separators for columns that once were used: nameless ones at the end, with nothing in them, are none.
    while (
        width and not headers[width - 1].strip() and not any(cell.strip() for _row, cells in rows[1:] for cell in cells[width - 1 : width])
    ):
        width -= 1
    columns = [column_of(header, own) for header in headers[:width]]
    _check_header(table, headers[:width], columns, at)
    if "upn" not in columns:
        return
    upn_at = columns.index("upn")
    for row, cells in rows[1:]:
        place = f"row {row}"
        upn = cells[upn_at].strip() if upn_at < len(cells) else ""
        if any(cell.strip() for cell in cells[width:]):
            table.blame(place, row, f"{len(cells)} values for {width} columns; a value with {delimiter!r} in it needs quotes", upn=upn)
        elif len(cells) < width:
            table.blame(place, row, f"{len(cells)} values for {width} columns; empty cells need their {delimiter!r} too", upn=upn)
        else:
            values: dict[str, Any] = {column: _split(column, cell) for column, cell in zip(columns, cells) if column}
            table.records.append(Record(place, row, values))


def read_people(people: Sequence[Any], own: Optional[Mapping[str, str]] = None) -> Table:
    """Take a list of dictionaries with the same names as the columns; groups and licenses may be lists.

    `groups` may also be a dictionary with `add`, `remove` and `set`, as ad_users takes it.
    """
    table = Table()
    for number, person in enumerate(people, start=1):
        place = f"person {number}"
        if not isinstance(person, Mapping):
            table.blame(place, number, f"{person!r} is not a dictionary with the columns as keys")
            continue
        record = Record(place, number)
        upn = str(next((value for key, value in person.items() if column_of(str(key), own or {}) == "upn"), "") or "")
        for key, value in person.items():
            column = column_of(str(key), own or {})
            if column is None:
                table.blame(place, number, unknown(str(key)), upn=upn)
            elif column in record.values:
                table.blame(place, number, "there are two values", column, upn)
            elif value is not None:
                _take_value(table, record, column, value, upn)
        table.records.append(record)
    if not table.records and not table.faults:
        table.faults.append(Fault("table", "The list holds no people."))
    return table


def _take_value(table: Table, record: Record, column: str, value: Any, upn: str) -> None:
    if isinstance(value, (list, tuple)):
        if column in LISTS:
            record.values[column] = [str(item).strip() for item in value if str(item).strip()]
        else:
            table.blame(record.place, record.row, "a list is not possible here", column, upn)
    elif isinstance(value, Mapping):
        if column == "groups" and value and set(value) <= {"add", "remove", "set"}:
            record.values[column] = dict(value)
        else:
            table.blame(record.place, record.row, "a dictionary is not possible here", column, upn)
    else:
        record.values[column] = _split(column, str(value))


def _decode(data: bytes, name: str, table: Table) -> Optional[str]:
    for mark, encoding in _MARKED:
        if data.startswith(mark):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError:
                table.faults.append(Fault("table", f"{name} begins as {encoding.upper()} text and is not: save it as CSV UTF-8."))
                return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        table.faults.append(Fault("table", f"{name} is neither UTF-8 nor Windows-1252 text (line {line}): save it as CSV UTF-8."))
        return None
    sample = text.splitlines()[line - 1].strip()[:60]
    table.warnings.append(
        f"{name} is not UTF-8 text, so it was read as Windows-1252. Check the names with special letters, first line {line}: {sample!r}."
    )
    return text


def _split(column: str, cell: str) -> Union[str, list[str]]:
    if column in LISTS:
        return [item.strip() for item in cell.split("|") if item.strip()]
    return cell.strip()


def _check_header(table: Table, headers: Sequence[str], columns: Sequence[Optional[str]], row: int) -> None:
    """Faults of the header are faults of the whole run: nobody knows what the rows below it mean."""
    place = f"row {row}"
    for header, column in zip(headers, columns):
        if not header.strip():
            table.blame(place, None, "a column has no name")
        elif column is None:
            table.blame(place, None, unknown(header.strip()))
    for column in COLUMNS:
        names = [header.strip() for header, known in zip(headers, columns) if known == column]
        if len(names) > 1:
            written = " and ".join(repr(header) for header in names)
            table.blame(place, None, f"column {column} is there twice, as {written}")
    if "upn" not in columns:
        table.blame(place, None, "the column upn is missing")
    # 'Name' beside 'Vorname' is a surname to whoever wrote it; taken by its word it would rename people.
    if "name" in columns and "given_name" in columns and "surname" not in columns:
        table.blame(
            place,
            None,
            "'name' is the name of the object in Active Directory; for family names call the column surname, or add such a column",
        )


def _first_record(text: str) -> str:
    """The header: up to the first line end outside quotes, of the first line that is not empty."""
    for line in text.splitlines():
        if line.strip():
            return line
    return ""


def _outside_quotes(line: str, character: str) -> int:
    return sum(part.count(character) for part in line.split('"')[::2])
