# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The module ad_users as Ansible runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from directories import STAFF, running_directory

from ansible_collections.hybrid.identity.plugins.modules import ad_users
from lab.directory import SambaDirectory

COLLECTION = Path(ad_users.__file__).absolute().parents[2]
SECRET = "S3cret-in-the-address"


def run(**arguments: Any) -> tuple[dict[str, Any], str]:
    """Run the module in a process of its own; its result, and everything that it said."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "ansible_collections.hybrid.identity.plugins.modules.ad_users"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        env={"PYTHONPATH": str(COLLECTION.parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return dict(json.loads(done.stdout)), done.stdout


@pytest.fixture(scope="module")
def samba() -> Iterator[SambaDirectory]:
    """A freshly seeded domain controller."""
    with running_directory(73) as directory:
        yield directory


def connection(samba: SambaDirectory) -> dict[str, Any]:
    """The options for the connection."""
    return {
        "directory_server": samba.address,
        "username": samba.onboard_user,
        "password": samba.onboard_password,
        "ca_cert": samba.authority_path,
        "server_name": samba.host_name,
    }


@pytest.mark.parametrize("scheme", ["ldap://", "cldap://", "ldaps://", ""])
def test_a_password_in_the_address_is_seen_nowhere(scheme: str) -> None:
    users = [{"upn": "a@lab.example", "display_name": "A"}]
    result, said = run(directory_server=f"{scheme}admin:{SECRET}@dc1", username="svc", password="x-password", users=users)
    assert (result["failed"], result["failure_reason"]) == (True, "invalid_input")
    assert SECRET not in said and "x-password" not in said


def test_groups_are_taken_in_every_form(samba: SambaDirectory) -> None:
    person = {"upn": "forms@lab.example", "display_name": "Forms"}
    forms: list[Any] = [["GG-Sales"], {"add": ["GG-Licensed"]}, {"set": ["GG-AllStaff"]}, {"set": []}, None, []]
    told = []
    for groups in forms:
        result, _said = run(
            **connection(samba),
            users=[{**person, "groups": groups}],
            default_ou=STAFF,
            initial_password="Start-Passw0rd.1",
            _ansible_diff=True,
        )
        assert result["failure_reason"] is None, result["msg"]
        told.append((result["accounts"][0]["changed"], result["diff"]["after"].get(person["upn"], {}).get("groups")))
    sales, licensed, staff = (f"CN=GG-{name},OU=Groups,DC=lab,DC=test" for name in ("Sales", "Licensed", "AllStaff"))
    assert told == [(True, [sales]), (True, [licensed, sales]), (True, [staff]), (True, []), (False, None), (False, None)]


def test_no_certificate_check_warns_and_an_empty_password_fails(samba: SambaDirectory) -> None:
    users = [{"upn": "maria.huber@lab.example"}]
    result, _said = run(**{**connection(samba), "validate_certs": False}, users=users)
    assert (result["failure_reason"], result["changed"]) == (None, False)
    assert any("validate_certs" in str(warning) for warning in result["warnings"])
    result, _said = run(**{**connection(samba), "password": ""}, users=users)
    assert (result["failed"], result["failure_reason"]) == (True, "invalid_input")
