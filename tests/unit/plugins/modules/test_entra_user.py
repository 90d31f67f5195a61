# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The module entra_user as Ansible runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

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


@pytest.mark.parametrize("option", sorted(entra_user.ARGUMENT_SPEC))
def test_every_option_is_documented_with_its_default(option: str) -> None:
    from ansible_collections.hybrid.identity.plugins.doc_fragments.graph import ModuleDocFragment

    documented = {**yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"], **yaml.safe_load(entra_user.DOCUMENTATION)["options"]}
    spec = entra_user.ARGUMENT_SPEC[option]
    for key in ("type", "default", "choices", "elements"):
        assert documented[option].get(key) == spec.get(key)
