# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The module onboarding_batch as Ansible runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.hybrid.identity.plugins.modules import onboarding_batch
from lab.certificates import make_authority
from lab.entra import EntraServer

COLLECTION = Path(onboarding_batch.__file__).absolute().parents[2]
DEFAULTS = {"ou": "OU=Staff,DC=lab,DC=test", "usage_location": "DE", "licenses": ["SPE_E3"]}


def run(arguments: dict[str, Any]) -> dict[str, Any]:
    """Run the module in a process of its own."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AZURE_")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "ansible_collections.hybrid.identity.plugins.modules.onboarding_batch"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        env={**environ, "PYTHONPATH": str(COLLECTION.parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The options for a tenant with the domain lab.example."""
    folder = tmp_path_factory.mktemp("tenant")
    certificate = make_authority(folder).issue(["localhost"], ["127.0.0.1"], folder / "server")
    server = EntraServer(certificate=certificate, applications={"app": "a-secret", "reader": "a-secret"})
    server.set_permissions("reader", ["User.Read.All"])
    server.start()
    yield {
        "tenant_id": server.tenant_id,
        "client_id": "app",
        "client_secret": "a-secret",
        "graph_url": server.url,
        "authority_url": server.url,
        "ca_cert": str(certificate.authority_path),
    }
    server.stop()


@pytest.fixture
def tenant_without_licences(tenant: dict[str, Any]) -> dict[str, Any]:
    """The same for an application that may see people and domains and no licences."""
    return {**tenant, "client_id": "reader"}


def test_the_sample_of_the_collection_has_no_fault(tenant: dict[str, Any]) -> None:
    result = run({"src": str(COLLECTION / "playbooks" / "files" / "colleagues.csv"), **DEFAULTS, **tenant})
    assert result["faults"] == [] and not result["changed"]
    assert len(result["people"]) == len(result["accounts"]) == len(result["cloud"]) == 12
    names = " ".join(person["display_name"] for person in result["people"])
    for hostile in ('"Jo"', "O'Neill", "$(", ", Amy", "ü"):
        assert hostile in names
    assert all(person["sam_account_name"].isascii() for person in result["people"])
    assert result["seats"]["spe_e3"]["free"] == 25 and result["lookups"]["accounts"] == result["accounts"]
    assert set(result["verified_domains"]) == {"lab.example", "lab.onmicrosoft.com"}


def test_faults_of_form_and_content_together(tenant: dict[str, Any], tmp_path: Path) -> None:
    table = tmp_path / "people.csv"
    table.write_text(
        "upn;displaynam;licenses\na@corp.local;A;\n;B;\nb@lab.example;C\nb@lab.example;D;E9\nb@lab.example;E;\n", encoding="utf-8"
    )
    result = run({"src": str(table), **DEFAULTS, **tenant})
    assert result["failed"] and result["failure_reason"] == "invalid_input"
    assert result["msg"].startswith(result["faults"][0]["msg"])
    assert [(fault["row"], fault["upn"], fault["column"], fault["stage"]) for fault in result["faults"]] == [
        (None, None, None, "table"),
        (2, "a@corp.local", "upn", "table"),
        (3, None, "upn", "table"),
        (4, "b@lab.example", None, "table"),
        (5, "b@lab.example", "licenses", "licences"),
        (6, "b@lab.example", "upn", "table"),
    ]
    for fault, words in zip(
        result["faults"],
        (
            "row 1: unknown column 'displaynam' (did you mean 'display_name'?).",
            "row 2, column upn: the suffix 'corp.local'",
            "row 3, column upn: ",
            "row 4: 2 values for 3 columns",
            "row 5, column licenses: the tenant has no licence 'E9'",
            "row 6, column upn: 'b@lab.example' is there twice, first in row 5",
        ),
        strict=True,
    ):
        assert words in fault["msg"]
    assert result["accounts"] == result["cloud"] == []


def test_skip_leaves_out_rows_with_faults_and_stops_for_the_whole_table(tenant: dict[str, Any]) -> None:
    text = "upn;mail;title\na@lab.example;a@lab.example;x\nb@lab.example;b;x\nc@lab.example\n"
    result = run({"csv_text": text, "on_fault": "skip", **DEFAULTS, **tenant})
    assert not result.get("failed") and [person["row"] for person in result["people"]] == [2, 3, 4]
    assert [item["upn"] for item in result["accounts"]] == ["a@lab.example"]
    assert [item["upn"] for item in result["lookups"]["accounts"]] == ["a@lab.example", "b@lab.example"]
    assert "mail" not in result["lookups"]["accounts"][1]
    whole = run({"csv_text": text, "on_fault": "skip", **{**DEFAULTS, "licenses": ["E9"]}, **tenant})
    assert whole["failed"] and whole["accounts"] == []
    assert whole["faults"][0]["stage"] == "options" and len(whole["faults"]) == 3


def test_people_as_text() -> None:
    yaml_text = "- upn: a@x.example\n  given_name: A\n  employee_id: 00123\n  phone: 0049\n  mail: ~\n  groups: [G1]\n"
    (person,) = run({"people": yaml_text, **DEFAULTS})["accounts"]
    assert person == {"upn": "a@x.example", "given_name": "A", "employee_id": "00123", "phone": "0049", "groups": ["G1"]}
    (person,) = run({"people": '[{"upn": "a@x.example", "given_name": "\\u00c4", "mail": null}]', **DEFAULTS})["accounts"]
    assert person == {"upn": "a@x.example", "given_name": "Ä"}
    for text, words in (("a: [", "neither YAML nor JSON (line 1)"), ("word", "not a list of dictionaries")):
        result = run({"people": text, **DEFAULTS})
        assert result["failure_reason"] == "invalid_input" and words in result["msg"]


def test_one_source_and_no_more() -> None:
    assert "there is none" in run(DEFAULTS)["msg"]
    assert "mutually exclusive" in run({"people": [{"upn": "a@x.example"}], "csv_text": "upn\n", **DEFAULTS})["msg"]


def test_columns_named_by_the_caller() -> None:
    result = run({"csv_text": "Konto;Vorname\na@x.example;A\n", "columns": {"Konto": "upn"}, **DEFAULTS})
    assert result["accounts"] == [{"upn": "a@x.example", "given_name": "A"}]
    wrong = run({"csv_text": "Konto\na@x.example\n", "columns": {"Konto": "unknown"}, **DEFAULTS})
    assert wrong["failure_reason"] == "invalid_input" and "'unknown' is not a column" in wrong["msg"]


def test_a_table_in_windows_1252_is_read_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_bytes("sep=;\r\nupn;Nachname\r\na@x.example;Müller\r\n".encode("cp1252"))
    result = run({"src": str(tmp_path / "people.csv"), **DEFAULTS})
    assert result["accounts"] == [{"upn": "a@x.example", "surname": "Müller"}]
    assert "Windows-1252" in str(result["warnings"])


def test_controllers_that_do_not_answer() -> None:
    people = {"people": [{"upn": "a@x.example"}], "directory_port": 1, **DEFAULTS}
    result = run({**people, "directory_servers": ["127.0.0.1", "127.0.0.2"]})
    (fault,) = result["faults"]
    assert (fault["failure_reason"], fault["stage"], fault["row"]) == ("unreachable", "directory", None)
    assert "127.0.0.1: Connection refused; 127.0.0.2: Connection refused" in fault["msg"]
    assert run({**people, "directory_servers": ["127.0.0.1"]})["directory_server"] == "127.0.0.1", "one is left to whoever uses it"


def test_without_the_right_to_read_licences_a_warning_says_so(tenant_without_licences: dict[str, Any]) -> None:
    result = run({"people": [{"upn": "a@lab.example"}], **DEFAULTS, **tenant_without_licences})
    assert result["faults"] == [] and result["seats"] == {}
    assert "free seats were not checked" in str(result["warnings"])


def test_without_a_tenant_a_warning_says_that_suffixes_were_not_checked() -> None:
    result = run({"people": [{"upn": "a@x.example", "display_name": "A"}], **DEFAULTS})
    assert result["verified_domains"] is None and "not checked" in str(result["warnings"])
    given = run({"people": [{"upn": "a@x.example", "display_name": "A"}], "verified_domains": ["X.example"], **DEFAULTS})
    assert "warnings" not in given and given["accounts"]


def test_missing_file_and_wrong_secret(tenant: dict[str, Any]) -> None:
    missing = run({"src": "/nonexistent.csv"})
    assert (missing["failed"], missing["failure_reason"]) == (True, "invalid_input")
    assert "/nonexistent.csv cannot be read" in missing["msg"]
    assert missing["faults"] == missing["people"] == []
    wrong = run({"people": [{"upn": "a@lab.example", "mail": "x"}], **{**tenant, "client_secret": "no"}})
    assert wrong["failure_reason"] == "authentication_failed"
    assert [fault["stage"] for fault in wrong["faults"]] == ["cloud", "table"]


def test_options_are_those_of_the_documentation() -> None:
    options = yaml.safe_load(onboarding_batch.DOCUMENTATION)["options"]
    own = {name: spec for name, spec in onboarding_batch.ARGUMENT_SPEC.items() if name not in onboarding_batch.GRAPH_OPTIONS}
    assert {name: (option["type"], option.get("default")) for name, option in options.items()} == {
        name: (spec["type"], spec.get("default")) for name, spec in own.items()
    }
