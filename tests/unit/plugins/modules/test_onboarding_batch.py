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
    server = EntraServer(certificate=certificate, applications={"app": "a-secret"})
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


def test_the_sample_of_the_collection_has_no_fault(tenant: dict[str, Any]) -> None:
    result = run({"src": str(COLLECTION / "playbooks" / "files" / "colleagues.csv"), **DEFAULTS, **tenant})
    assert result["faults"] == [] and not result["changed"]
    assert len(result["people"]) == len(result["accounts"]) == len(result["cloud"]) == 12
    names = " ".join(person["name"] for person in result["people"])
    for hostile in ('"Jo"', "O'Neill", "$(", ", Amy", "ü"):
        assert hostile in names
    assert all(person["sam_account_name"].isascii() for person in result["people"])
    assert set(result["verified_domains"]) == {"lab.example", "lab.onmicrosoft.com"}


def test_faults_of_form_and_content_together(tenant: dict[str, Any], tmp_path: Path) -> None:
    table = tmp_path / "people.csv"
    table.write_text("upn;displayname\na@corp.local;A\n;B\nb@lab.example;C\nb@lab.example;D\n", encoding="utf-8")
    result = run({"src": str(table), **DEFAULTS, **tenant})
    assert result["failed"] and result["failure_reason"] == "invalid_input"
    assert result["msg"].startswith(result["faults"][0])
    text = "\n".join(result["faults"])
    for words in (
        "did you mean 'display_name'?",
        "row 2, column upn: the suffix 'corp.local'",
        "row 3, column upn: ",
        "row 5, column upn: 'b@lab.example' is there twice, first in row 4",
    ):
        assert words in text
    assert result["accounts"] == result["cloud"] == []


def test_without_a_tenant_a_warning_says_that_suffixes_were_not_checked() -> None:
    result = run({"people": [{"upn": "a@x.example", "display_name": "A"}], **DEFAULTS})
    assert result["verified_domains"] is None and "not checked" in str(result["warnings"])
    given = run({"people": [{"upn": "a@x.example", "display_name": "A"}], "verified_domains": ["X.example"], **DEFAULTS})
    assert "warnings" not in given and given["accounts"]


def test_missing_file_and_wrong_secret(tenant: dict[str, Any]) -> None:
    missing = run({"src": "/nonexistent.csv"})
    assert (missing["failed"], missing["failure_reason"]) == (True, "invalid_input")
    assert "/nonexistent.csv cannot be read" in missing["msg"]
    wrong = run({"people": [{"upn": "a@lab.example"}], **{**tenant, "client_secret": "no"}})
    assert wrong["failure_reason"] == "authentication_failed"
