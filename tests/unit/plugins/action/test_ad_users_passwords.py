# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Initial passwords as ansible-playbook runs ad_users: who gets one, where it is then, and where it never is."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import procedures
import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from directories import GROUPS, STAFF, entry, running_directory
from directories import options as sign_in
from process_list import ProcessList

from ansible_collections.hybrid.identity.plugins.module_utils._directory._connection import Directory
from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from lab.directory import SambaDirectory

VAULT_SECRET = "The-vault-of-the-tests"
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}


@pytest.fixture(scope="module")
def samba() -> Iterator[SambaDirectory]:
    """A freshly seeded domain controller."""
    with running_directory(74) as directory:
        yield directory


class Desk:
    """A folder from which ad_users is run by ansible-playbook."""

    def __init__(self, samba: SambaDirectory, folder: Path) -> None:
        self.samba, self.folder = samba, folder
        self.file = folder / "handed over" / "passwords.yml"
        self.said = ""
        (folder / "vault.secret").write_text(VAULT_SECRET)

    def run(self, *people: str, arguments: tuple[str, ...] = ("-vvvvv", "--diff"), vault: bool = True, **params: Any) -> dict[str, Any]:
        """The result of a task; everything that was said is kept. An option that is `...` is not given."""
        (result,) = self.run_each(*people, variants=[params], arguments=arguments, vault=vault)
        return result

    def run_each(
        self, *people: str, variants: list[dict[str, Any]], arguments: tuple[str, ...] = (), vault: bool = True
    ) -> list[dict[str, Any]]:
        """The results of tasks of one run, each with options of its own."""
        users = [{"upn": f"{name}@lab.example", "display_name": name.title()} for name in people]
        options = {
            "directory_server": self.samba.address,
            "username": self.samba.onboard_user,
            "password": self.samba.onboard_password,
            "ca_cert": self.samba.authority_path,
            "server_name": self.samba.host_name,
            "default_ou": STAFF,
            "users": users,
            "generate_passwords": True,
            "password_file": str(self.file),
            "password_must_change": False,
        }
        steps: list[dict[str, Any]] = []
        for number, params in enumerate(variants):
            given = {name: value for name, value in {**options, **params}.items() if value is not ...}
            steps.append({"hybrid.identity.ad_users": given, "register": "told", "ignore_errors": True})
            steps.append({"keep": {"path": str(self.folder / f"told-{number}.json"), "value": "{{ told | to_json }}"}, "diff": False})
        secret = ("--vault-id", f"onboarding@{self.folder / 'vault.secret'}") if vault else ()
        inventory = {"all": {"hosts": {"localhost": LOCAL}}}
        done = procedures.run_playbook(
            self.folder,
            inventory,
            [{"hosts": "localhost", "gather_facts": False, "tasks": steps}],
            *secret,
            *arguments,
            environment={"ANSIBLE_LOCAL_TEMP": str(self.folder / "tmp"), "ANSIBLE_REMOTE_TMP": str(self.folder / "tmp")},
        )
        self.said = done.stdout + done.stderr
        assert done.returncode == 0, self.said
        return [dict(json.loads((self.folder / f"told-{number}.json").read_text())) for number in range(len(variants))]

    def handed_over(self, file: Path | None = None) -> dict[str, str]:
        """What is in the file."""
        content = (file or self.file).read_bytes()
        assert content.startswith(b"$ANSIBLE_VAULT;")
        return dict(yaml.safe_load(VaultLib([("any", VaultSecret(VAULT_SECRET.encode()))]).decrypt(content)))

    def signs_in(self, upn: str, password: str) -> bool:
        """Whether the password is the one of the account."""
        try:
            with Directory(sign_in(self.samba, username=upn, password=password)):
                return True
        except HybridIdentityError:
            return False


@pytest.fixture
def desk(samba: SambaDirectory, tmp_path: Path) -> Desk:
    """A folder of its own for each test."""
    return Desk(samba, tmp_path)


def test_everybody_gets_another_password_that_is_seen_nowhere_but_in_the_encrypted_file(desk: Desk) -> None:
    people = ("gena", "genb", "genc")
    predicted = desk.run(*people, arguments=("--check", "--diff", "-vvvvv"))
    assert (predicted["summary"]["created"], predicted["changed"], predicted["password_files"]) == (3, True, [])
    assert all("password" in account["changes"] for account in predicted["accounts"])
    assert not desk.file.parent.exists()
    assert entry(desk.samba, "gena@lab.example") is None

    with ProcessList() as processes:
        result = desk.run(*people)
    assert (result["failure_reason"], result["summary"]["created"], result["password_files"]) == (None, 3, [str(desk.file)])
    assert stat.S_IMODE(desk.file.stat().st_mode) == 0o600
    passwords = desk.handed_over()
    assert sorted(passwords) == [f"{name}@lab.example" for name in people]
    assert len(set(passwords.values())) == 3
    for upn, password in passwords.items():
        assert len(password) == 20
        assert desk.signs_in(upn, password)
        assert password not in desk.said and password not in json.dumps(result)
        assert not any(password.encode() in shown for shown in processes.seen)
    assert len(processes.seen) > 10
    assert [file.name for file in desk.file.parent.iterdir()] == ["passwords.yml"]
    for file in (file for file in desk.folder.rglob("*") if file.is_file()):
        assert not any(password.encode() in file.read_bytes() for password in passwords.values()), file

    content, written = desk.file.read_bytes(), desk.file.stat()
    again = desk.run(*people)
    assert (again["changed"], again["summary"]["unchanged"], again["password_files"]) == (False, 3, [])
    later = desk.run(*people, "gend")
    second = desk.file.with_name("passwords-2.yml")
    assert (later["summary"]["created"], later["password_files"]) == (1, [str(second)])
    assert list(desk.handed_over(second)) == ["gend@lab.example"]
    assert (desk.file.read_bytes(), desk.file.stat().st_ino) == (content, written.st_ino)


def test_without_a_vault_secret_nobody_is_created(desk: Desk) -> None:
    for check in ((), ("--check",)):
        result = desk.run("nobody", vault=False, arguments=check)
        assert (result["failed"], result["failure_reason"], result.get("changed", False)) == (True, "invalid_input", False)
        assert "vault secret" in result["msg"]
    result = desk.run("nobody", password_vault_id="another")
    assert (result["failure_reason"], "'another'" in result["msg"]) == ("invalid_input", True)
    assert entry(desk.samba, "nobody@lab.example") is None
    assert not desk.file.parent.exists()
    # Whoever has nobody to create needs none.
    assert desk.run("maria.huber", vault=False)["failure_reason"] is None


def test_nothing_is_written_through_a_link_or_over_what_is_there(desk: Desk) -> None:
    desk.file.parent.mkdir()
    elsewhere = desk.folder / "elsewhere"
    desk.file.symlink_to(elsewhere)
    result = desk.run("linked")
    assert (result["failure_reason"], "is a link" in result["msg"]) == ("invalid_input", True)
    assert not elsewhere.exists()
    desk.file.unlink()
    desk.file.write_text("linked@lab.example: in-clear\n")
    result = desk.run("linked")
    assert (result["failure_reason"], "not encrypted" in result["msg"]) == ("invalid_input", True)
    desk.file.write_bytes(VaultLib().encrypt("linked@lab.example: x", VaultSecret(b"somebody else's")))
    content = desk.file.read_bytes()
    result = desk.run("linked")
    assert (result["failure_reason"], "opens it" in result["msg"]) == ("invalid_input", True)
    assert desk.file.read_bytes() == content
    assert entry(desk.samba, "linked@lab.example") is None


def test_the_file_is_there_before_the_first_account_and_holds_for_the_next_run(desk: Desk) -> None:
    refused = desk.run("early", default_ou=GROUPS)  # where the account that onboards may create nobody
    assert refused["failure_reason"] == "directory_denied"
    assert refused["password_files"] == [str(desk.file)]
    passwords = desk.handed_over()
    content = desk.file.read_bytes()
    made = desk.run("early")
    assert (made["summary"]["created"], made["password_files"]) == (1, [str(desk.file)])
    assert desk.signs_in("early@lab.example", passwords["early@lab.example"])
    assert desk.file.read_bytes() == content
    assert [file.name for file in desk.file.parent.iterdir()] == ["passwords.yml"]


def test_first_passwords_have_to_be_changed_and_a_warning_says_so_once(desk: Desk) -> None:
    feature = "UserForcePasswordChangeOnLogonEnabled"
    made = desk.run("musta", "mustb", arguments=(), password_must_change=...)
    assert made["failure_reason"] is None, made["msg"]
    assert "".join(desk.said.split()).count(feature) == 1
    assert entry(desk.samba, "musta@lab.example").text("pwdLastSet") == "0"
    again = desk.run("musta", "mustb", arguments=(), password_must_change=...)
    assert (again["changed"], feature in "".join(desk.said.split())) == (False, False)
    desk.run("mustc", arguments=(), password_must_change=False)
    assert feature not in "".join(desk.said.split())
    assert entry(desk.samba, "mustc@lab.example").text("pwdLastSet") != "0"


def test_own_passwords_go_before_generated_ones_and_are_seen_nowhere(desk: Desk) -> None:
    given = {"Owna@lab.example": "Given-By.Hand-1", "ghost@lab.example": "Given-To.Nobody-1"}
    users = [
        {"upn": "owna@lab.example", "display_name": "A"},
        {"upn": "ownb@lab.example", "display_name": "B", "password": "In-The.Row-22"},
        {"upn": "ownc@lab.example", "display_name": "C"},
    ]
    result = desk.run(users=users, passwords=given)
    assert result["failure_reason"] is None, result["msg"]
    passwords = desk.handed_over()
    assert list(passwords) == ["ownc@lab.example"]
    for upn, password in {"owna@lab.example": "Given-By.Hand-1", "ownb@lab.example": "In-The.Row-22", **passwords}.items():
        assert desk.signs_in(upn, password)
        assert password not in json.dumps(result) and password not in desk.said
    broken = desk.run(users=[{**users[0], "titel": "Dr"}], passwords=given)
    assert "titel" in broken["msg"]
    assert "Given-By.Hand-1" not in json.dumps(broken) + desk.said


def test_what_cannot_be_is_one_sentence(desk: Desk) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"initial_password": "Shared-Passw0rd.1"}, "only one of them"),
        ({"update_password": "always"}, "on every run"),
        ({"password_file": None}, "needs password_file"),
        ({"password_length": 6}, "can be guessed"),
        ({"password_alphabet": "abc def"}, "blank"),
        ({"password_alphabet": "0123456789"}, "capital letters"),
    ]
    for (_params, words), result in zip(cases, desk.run_each("never", variants=[params for params, _words in cases])):
        assert (result["failure_reason"], words in result["msg"]) == ("invalid_input", True), result["msg"]
    assert not desk.file.parent.exists()
    assert entry(desk.samba, "never@lab.example") is None


def test_ansible_vault_opens_the_file(desk: Desk) -> None:
    desk.run("opened")
    program = Path(sys.executable).with_name("ansible-vault")
    command = [program, "view", "--vault-id", f"onboarding@{desk.folder / 'vault.secret'}", desk.file]
    shown = subprocess.run(
        command, capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin", "HOME": str(desk.folder)}
    ).stdout
    assert yaml.safe_load(shown) == desk.handed_over()
