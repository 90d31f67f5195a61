# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The module entra_user as Ansible runs it."""

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
from patience import ends

from ansible_collections.hybrid.identity.plugins.modules import entra_user
from lab.certificates import make_authority
from lab.entra import EntraServer
from lab.synchronisation import ExportedUser

ANCHOR, GUID = "1wfM9xV8fUSHbcAbDlqeOA==", "f7cc07d7-7c15-447d-876d-c01b0e5a9e38"
SECRET = "a-secret-that-must-not-show"


def run(module: str, arguments: dict[str, Any], **environ: str) -> tuple[dict[str, Any], str]:
    """Run a module in a process of its own; returns the result and everything it wrote."""
    root = Path(entra_user.__file__).absolute().parents[4]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", f"ansible_collections.hybrid.identity.plugins.modules.{module}"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        env={**os.environ, "PYTHONPATH": str(root.parent), **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    result = json.loads(done.stdout)
    # ansible-core 2.22 lets a module name its secrets to the controller, which masks them everywhere and drops the list.
    shown = {key: value for key, value in result.items() if not key.endswith("secrets")}
    return result, json.dumps(shown) + done.stderr


def test_arrival_licence_and_no_secret(tmp_path: Path) -> None:
    certificate = make_authority(tmp_path).issue(["localhost"], ["127.0.0.1"], tmp_path / "server")
    tenant = EntraServer(certificate=certificate, applications={"app": SECRET})
    tenant.start()
    try:
        tenant.apply(ExportedUser("add", ANCHOR, {"userPrincipalName": "anna@lab.example", "displayName": "Anna"}))
        arguments = {
            "client_id": "app",
            "graph_url": tenant.url,
            "authority_url": tenant.url,
            "ca_cert": str(certificate.authority_path),
            "users": [{"upn": "anna@lab.example", "object_guid": GUID, "usage_location": "DE", "licenses": ["SPE_E3"]}],
            "wait_sleep": 0.1,
            "wait_timeout": 10,
            "_ansible_diff": True,
        }
        environ = {"AZURE_TENANT": tenant.tenant_id, "AZURE_SECRET": SECRET}
        result, output = run("entra_user", arguments, **environ)
        assert result["changed"] and result["users"][0]["state"] == "ready" and result["diff"]
        assert set(result["users"][0]) == set(yaml.safe_load(entra_user.RETURN)["users"]["contains"])
        assert SECRET not in output
        again, _output = run("entra_user", {**arguments, "client_secret": SECRET}, **environ)
        assert not again["changed"]
        wrong, output = run("entra_user", {**arguments, "client_secret": "another-secret"}, **environ)
        assert wrong["failed"] and wrong["failure_reason"] == "authentication_failed"
        assert "another-secret" not in output
    finally:
        tenant.stop()


@pytest.fixture
def tenant(tmp_path: Path) -> Iterator[EntraServer]:
    """A running tenant with Anna in it; its options for the module are in `arguments`."""
    certificate = make_authority(tmp_path).issue(["localhost"], ["127.0.0.1"], tmp_path / "server")
    server = EntraServer(certificate=certificate, applications={"app": SECRET})
    server.start()
    server.apply(ExportedUser("add", ANCHOR, {"userPrincipalName": "anna@lab.example", "displayName": "Anna"}))
    ARGUMENTS.update(
        tenant_id=server.tenant_id,
        client_id="app",
        client_secret=SECRET,
        graph_url=server.url,
        authority_url=server.url,
        ca_cert=str(certificate.authority_path),
        users=[{"upn": "anna@lab.example", "source_anchor": ANCHOR, "usage_location": "DE", "licenses": ["SPE_E3"]}],
        wait_sleep=0.5,
        wait_timeout=20,
    )
    yield server
    server.stop()


ARGUMENTS: dict[str, Any] = {}


def outcome(**changes: Any) -> dict[str, Any]:
    """The result of the module with the options of `tenant`."""
    return run("entra_user", {**ARGUMENTS, **changes})[0]


@pytest.mark.parametrize("option", ["graph_url", "authority_url"])
def test_an_address_in_clear_is_refused_before_any_connection(tenant: EntraServer, option: str) -> None:
    result = outcome(**{option: tenant.url.replace("https://", "http://anna:hunter2@")})
    assert result["failed"] and result["failure_reason"] == "invalid_input"
    assert "hunter2" not in json.dumps({key: value for key, value in result.items() if key != "invocation"})
    assert tenant.requests == []


def test_a_person_does_not_conflict_with_himself(tenant: EntraServer) -> None:
    tenant.options.filter_lag = 3600
    result = outcome()
    assert (result["failure_reason"], result["users"][0]["state"]) == (None, "ready")


@pytest.mark.parametrize("kind", ["html", "empty list"])
def test_nonsense_is_no_missing_licence(tenant: EntraServer, kind: str) -> None:
    tenant.spoil(kind, 1000, path="subscribedSkus")
    assert outcome()["failure_reason"] == "graph_invalid"


@pytest.mark.parametrize("kind", ["missing part", "html"])
def test_nonsense_is_no_missing_person(tenant: EntraServer, kind: str) -> None:
    tenant.spoil(kind, 1000, path="$batch")
    result = outcome(wait_timeout=6)
    assert result["failed"] and result["failure_reason"] == "graph_invalid"


def test_a_disturbed_sign_in_is_outlasted_or_named(tenant: EntraServer) -> None:
    tenant.spoil("503", 2, path="oauth2")
    assert outcome()["users"][0]["state"] == "ready"
    tenant.spoil("html", 1000, path="oauth2")
    result = outcome(wait_timeout=0)
    assert result["failure_reason"] == "unreachable" and "sign-in" in result["msg"]


@pytest.mark.parametrize("asked", ["-7", "nan"])
def test_an_odd_pause_is_no_failure_and_no_storm(tenant: EntraServer, asked: str) -> None:
    tenant.throttle(2, asked)
    result = outcome()
    assert result["users"][0]["state"] == "ready"
    assert len(tenant.requests) < 40


@pytest.mark.parametrize("path", ["oauth2", "$batch"])
def test_a_dripping_answer_ends_with_the_time(tenant: EntraServer, path: str) -> None:
    tenant.spoil("dripping", 1000, path=path)
    with ends():
        result = outcome(wait_timeout=1)
    assert result["failed"] and result["failure_reason"] == "unreachable"


def test_endless_pages_end(tenant: EntraServer) -> None:
    tenant.spoil(f"next {tenant.url}/v1.0/subscribedSkus?$skiptoken={{page}}", 10**9, path="subscribedSkus")
    with ends():
        assert outcome(wait_timeout=3)["failed"]


def test_a_licence_is_ready_when_a_later_read_shows_it(tenant: EntraServer) -> None:
    tenant.options.licence_read_lag = 3600
    result = outcome(wait_timeout=4)
    assert (result["failure_reason"], result["changed"]) == ("not_confirmed", True)
    tenant.options.licence_read_lag = 0
    assert sum(record.path.endswith("assignLicense") and record.in_batch for record in tenant.requests) == 1


@pytest.mark.parametrize("option", sorted(entra_user.ARGUMENT_SPEC))
def test_every_option_is_documented_with_its_default(option: str) -> None:
    from ansible_collections.hybrid.identity.plugins.doc_fragments.graph import ModuleDocFragment

    documented = {**yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"], **yaml.safe_load(entra_user.DOCUMENTATION)["options"]}
    spec = entra_user.ARGUMENT_SPEC[option]
    for key in ("type", "default", "choices", "elements"):
        assert documented[option].get(key) == spec.get(key)
