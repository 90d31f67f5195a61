# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Reading tables of colleagues."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._table import COLUMNS, read_csv, read_people

ROWS = [["upn", "display_name", "groups"], ["a@x.example", 'Joanna "Jo" Smith', "G1|G2"], ["b@x.example", "Baker, Amy; $(x)", ""]]


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
        ("upn;Title;title\na;b;c", ["column title is there twice"]),
        ("upn;password\na;b", ["passwords do not belong"]),
        ("upn;\na;b", ["a column has no name"]),
        ("upn,title\na@x,Head, Sales", ["row 2: 3 values for 2 columns"]),
        ('upn,title\na@x,"open', ["row 2: the quotes"]),
        ("upn,title\n", ["people.csv holds no people"]),
        ("", ["people.csv holds no people"]),
        ("upn\na\0b", ["NUL"]),
    ],
)
def test_faults_of_the_form(data: str, words: list[str]) -> None:
    faults = read_csv(data.encode(), "people.csv").faults
    assert len(faults) == len(words)
    for fault, word in zip(faults, words, strict=True):
        assert word in fault and fault.endswith(".")


def test_not_utf8_is_said_with_the_line() -> None:
    (fault,) = read_csv("upn;surname\na@x;Müller\n".encode("cp1252"), "people.csv").faults
    assert "not UTF-8 text (line 2)" in fault


def test_empty_rows_are_left_out_and_rows_counted_as_a_spreadsheet_does() -> None:
    table = read_csv(b"upn;title\r\n;\r\na@x;b\r\n\r\n  ;\r\nc@x\r\n", "people.csv")
    assert [(record.place, record.values) for record in table.records] == [
        ("row 3", {"upn": "a@x", "title": "b"}),
        ("row 6", {"upn": "c@x"}),
    ]


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
    assert table.faults == [
        "person 2: unknown column 'upnn' (did you mean 'upn'?).",
        "person 2, column ou: a list is not possible here.",
        "person 3, column upn: a dictionary is not possible here.",
    ]
    assert read_people([]).faults == ["The list holds no people."]


def test_columns_are_those_of_the_documentation() -> None:
    from ansible_collections.hybrid.identity.plugins.modules import onboarding_batch

    assert all(f"C({column})" in onboarding_batch.DOCUMENTATION for column in COLUMNS)
