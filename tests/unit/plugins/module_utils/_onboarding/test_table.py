# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Reading tables of colleagues."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._columns import ALIASES, COLUMNS, plain
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._table import Table, read_csv, read_people

ROWS = [["upn", "display_name", "groups"], ["a@x.example", 'Joanna "Jo" Smith', "G1|G2"], ["b@x.example", "Baker, Amy; $(x)", ""]]


def sentences(table: Table) -> list[str]:
    """What is wrong with a table."""
    return [fault.msg for fault in table.faults]


def write(delimiter: str, encoding: str) -> bytes:
    """The rows as a CSV file."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(ROWS)
    return text.getvalue().encode(encoding)


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_delimiters_and_byte_order_mark(delimiter: str, encoding: str) -> None:
    table = read_csv(write(delimiter, encoding), "people.csv")
    assert table.faults == []
    assert [record.place for record in table.records] == ["row 2", "row 3"]
    assert table.records[0].values == {"upn": "a@x.example", "display_name": 'Joanna "Jo" Smith', "groups": ["G1", "G2"]}
    assert table.records[1].values["display_name"] == "Baker, Amy; $(x)"


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=("Cs",)), min_size=1), st.sampled_from(";,\t"))
def test_any_text_is_read_back(value: str, delimiter: str) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows([["upn", "title"], ["a@x.example", value]])
    table = read_csv(text.getvalue().encode(), "people.csv")
    assert table.faults == []
    assert table.records[0].values["title"] == value.strip()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("upn;departmnt\na@x;b", ["row 1: unknown column 'departmnt' (did you mean 'department'?)"]),
        ("display_name;upm\na;b", ["unknown column 'upm' (did you mean 'upn'?)", "the column upn is missing"]),
        ("upn;Title;title\na;b;c", ["column title is there twice, as 'Title' and 'title'"]),
        ("upn;Vorname;given_name\na;b;c", ["column given_name is there twice, as 'Vorname' and 'given_name'"]),
        ("upn;Vorname;Name\na;b;c", ["for family names call the column surname"]),
        ("upn;password\na;b", ["passwords do not belong"]),
        ("upn;\na;b", ["a column has no name"]),
        ("upn,title\na@x,Head, Sales", ["row 2: 3 values for 2 columns"]),
        ("upn,title,phone\na@x,Head", ["row 2: 2 values for 3 columns"]),
        ('upn,title\na@x,"open', ["row 2: the quotes"]),
        ("upn,title\n", ["people.csv holds no people"]),
        ("", ["people.csv holds no people"]),
        ("upn\na\0b", ["NUL"]),
    ],
)
def test_faults_of_the_form(data: str, words: list[str]) -> None:
    faults = sentences(read_csv(data.encode(), "people.csv"))
    assert len(faults) == len(words)
    for fault, word in zip(faults, words, strict=True):
        assert word in fault and fault.endswith(".")


def test_windows_1252_is_read_with_a_warning() -> None:
    table = read_csv("upn;surname\na@x;Müller\n".encode("cp1252"), "people.csv")
    assert sentences(table) == [] and table.records[0].values["surname"] == "Müller"
    assert "Windows-1252" in table.warnings[0] and "line 2: 'a@x;Müller'" in table.warnings[0]
    (fault,) = sentences(read_csv(b"upn\na\x81b\n", "people.csv"))
    assert "neither UTF-8 nor Windows-1252" in fault


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_says_the_encoding(encoding: str) -> None:
    table = read_csv("upn\tsurname\na@x\tŻółć\n".encode(encoding), "people.txt")
    assert sentences(table) == table.warnings == []
    assert table.records[0].values["surname"] == "Żółć"


@pytest.mark.parametrize("line", ["sep=;\r\n", "SEP=;\n", '"sep=;"\n', "sep=;;;\n"])
def test_a_line_that_names_the_separator_is_no_row(line: str) -> None:
    table = read_csv(f"{line}upn;title\na@x;Head, Sales, and, more\n".encode("utf-8-sig"), "people.csv")
    assert sentences(table) == []
    assert [(record.row, record.values) for record in table.records] == [(2, {"upn": "a@x", "title": "Head, Sales, and, more"})]


def test_the_line_beats_what_the_header_looks_like() -> None:
    table = read_csv(b"sep=|\nupn|title\na@x|b;c\n", "people.csv")
    assert table.records[0].values == {"upn": "a@x", "title": "b;c"}


def test_trailing_separators_are_no_columns() -> None:
    table = read_csv(b"upn;title;;;\na@x;b;;;\nc@x;d\n", "people.csv")
    assert sentences(table) == [] and len(table.records) == 2
    (fault,) = sentences(read_csv(b"upn;title;;\na@x;b;c;\n", "people.csv"))
    assert "a column has no name" in fault


def test_faults_of_the_header_stop_the_run_and_those_of_rows_do_not() -> None:
    assert [fault.stops_the_run for fault in read_csv(b"upn;x y z\na;b", "p").faults] == [True]
    (fault,) = read_csv(b"upn;title\na@x", "p").faults
    assert (fault.row, fault.upn, fault.stage, fault.stops_the_run) == (2, "a@x", "table", False)


def test_empty_rows_are_left_out_and_rows_counted_as_a_spreadsheet_does() -> None:
    table = read_csv(b"upn;title\r\n;\r\na@x;b\r\n\r\n  ;\r\nc@x;\r\n", "people.csv")
    assert [(record.place, record.row, record.values) for record in table.records] == [
        ("row 3", 3, {"upn": "a@x", "title": "b"}),
        ("row 6", 6, {"upn": "c@x", "title": ""}),
    ]


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("Vorname", "given_name"),
        ("NACHNAME", "surname"),
        ("Prénom", "given_name"),
        ("apellidos", "surname"),
        ("E-Mail", "mail"),
        ("Adresse e-mail", "mail"),
        ("Büro", "office"),
        ("Buero", "office"),
        ("Führungskraft", "manager"),
        ("numéro d\u2019employé", "employee_id"),
        ("Lizenzen", "licenses"),
        ("name", "name"),
    ],
)
def test_headers_in_other_languages(header: str, column: str) -> None:
    table = read_csv(f"upn;{header}\na@x;b\n".encode(), "people.csv")
    assert sentences(table) == [] and column in table.records[0].values


def test_headers_named_by_the_caller_go_first() -> None:
    table = read_csv(
        b"Anmeldung;Pers.Nr.;Vorname\na@x;17;Huber\n", "p", {"anmeldung": "upn", "pers.nr.": "employee_id", "Vorname": "surname"}
    )
    assert sentences(table) == []
    assert table.records[0].values == {"upn": "a@x", "employee_id": "17", "surname": "Huber"}


def test_no_alias_means_two_columns() -> None:
    seen: dict[str, str] = {}
    for column, aliases in ALIASES.items():
        for alias in [column, *aliases]:
            assert seen.setdefault(plain(alias), column) == column, alias
    assert set(ALIASES) == set(COLUMNS)


def test_headers_as_people_write_them() -> None:
    table = read_csv(b"UPN;Given Name;sam-account-name\na@x;Anna;anna", "people.csv")
    assert table.records[0].values == {"upn": "a@x", "given_name": "Anna", "sam_account_name": "anna"}


def test_lists_of_people() -> None:
    table = read_people(
        [
            {"upn": "a@x", "groups": ["G1", " "], "licenses": "E3|E5", "employee_id": 17, "mail": None},
            {"upnn": "x", "ou": ["x"]},
            {"upn": {"x": 1}},
        ]
    )
    assert table.records[0].values == {"upn": "a@x", "groups": ["G1"], "licenses": ["E3", "E5"], "employee_id": "17"}
    assert sentences(table) == [
        "person 2: unknown column 'upnn' (did you mean 'upn'?).",
        "person 2, column ou: a list is not possible here.",
        "person 3, column upn: a dictionary is not possible here.",
    ]
    assert sentences(read_people([])) == ["The list holds no people."]
    assert "is not a dictionary" in sentences(read_people(["x"]))[0]
    assert "two values" in sentences(read_people([{"upn": "a@x", "Vorname": "A", "given_name": "B"}]))[0]


def test_groups_of_a_list_may_be_added_removed_and_set() -> None:
    table = read_people([{"upn": "a@x", "groups": {"add": ["G1"], "remove": ["G2"]}}, {"upn": "b@x", "groups": {"delete": ["G1"]}}])
    assert table.records[0].values["groups"] == {"add": ["G1"], "remove": ["G2"]}
    assert sentences(table) == ["person 2, column groups: a dictionary is not possible here."]


def test_columns_are_those_of_the_documentation() -> None:
    from ansible_collections.hybrid.identity.plugins.modules import onboarding_batch

    assert all(f"C({column})" in onboarding_batch.DOCUMENTATION for column in COLUMNS)
