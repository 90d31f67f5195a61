# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""No secret of an onboarding is anywhere but where it was given and in the encrypted file, however much is shown and kept."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import ansible_runner
import procedures
import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from loopback import own_address
from process_list import ProcessList

from lab.directory import SambaMissing
from lab.estate import ACCOUNTS, CLIENT_SECRET, Estate, EstateOptions

PLAYBOOK = Path(__file__).resolve().parents[2] / "playbooks" / "onboard.yml"
VAULT_SECRET = "The-vault-of-this-test"
GIVEN = "Given-By.Hand-4711"
TABLE = """given_name;surname;upn;mail;manager;groups
Ada;Kept;ada.kept@lab.example;ada.kept@lab.example;maria.huber;GG-Sales
Ben;Kept;ben.kept@lab.example;ben.kept@lab.example;ada.kept;GG-AllStaff
Cem;Kept;cem.kept@lab.example;;ben.kept;
"""


@pytest.fixture(scope="module")
def estate() -> Iterator[Estate]:
    """A small company."""
    chosen = Estate(EstateOptions(directory_address=own_address(66), cycle_seconds=0.5, powershell="none"))
    try:
        chosen.start()
    except SambaMissing as error:
        pytest.skip(str(error))
    yield chosen
    chosen.stop()


class Desk:
    """A folder from which somebody onboards, with everything that is kept of it.

    Attributes:
        given: the files that hold secrets because they were given in them, and the one that is encrypted.
    """

    def __init__(self, estate: Estate, folder: Path) -> None:
        self.folder = folder
        self.passwords = folder / "handed over" / "passwords.yml"
        self.table, self.vault = folder / "people.csv", folder / "vault.secret"
        self.table.write_text(TABLE, encoding="utf-8")
        self.vault.write_text(VAULT_SECRET)
        self.inventory = estate.inventory()
        self.inventory["all"]["hosts"]["localhost"].update(
            onboarding_csv=str(self.table),
            onboarding_passwords={"ada.kept@lab.example": GIVEN},
            onboarding_generate_passwords=True,
            onboarding_password_file=str(self.passwords),
            onboarding_report_directory=str(folder / "reports"),
        )
        (folder / "inventory").mkdir()
        self.hosts = folder / "inventory" / "hosts.yml"
        self.hosts.write_text(yaml.safe_dump(self.inventory), encoding="utf-8")
        self.given = {self.vault, self.hosts, folder / "inventory.yml"}
        (folder / "tmp").mkdir()
        self.environment = {
            "ANSIBLE_COLLECTIONS_PATH": str(procedures.VIEW),
            "ANSIBLE_HOME": str(folder / "ansible"),
            "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
            "ANSIBLE_REMOTE_TMP": str(folder / "tmp"),
            "TMPDIR": str(folder / "tmp"),
        }

    def secrets(self, estate: Estate) -> set[str]:
        """Everything that nobody may see, in the forms in which it may be carried."""
        vault = VaultLib([("any", VaultSecret(VAULT_SECRET.encode()))])
        generated = yaml.safe_load(vault.decrypt(self.passwords.read_bytes()))
        assert sorted(generated) == ["ben.kept@lab.example", "cem.kept@lab.example"]
        plain = {*generated.values(), GIVEN, VAULT_SECRET, CLIENT_SECRET, estate.directory.onboard_password, ACCOUNTS["svc-sync"][0]}
        return plain | {json.dumps(secret)[1:-1] for secret in plain}

    def kept(self) -> dict[str, bytes]:
        """Everything that is left in the folder and was not given."""
        files = [file for file in self.folder.rglob("*") if file.is_file() and not file.is_symlink() and file not in self.given]
        return {str(file.relative_to(self.folder)): file.read_bytes() for file in files}


def found_in(secrets: set[str], texts: dict[str, bytes]) -> list[str]:
    """The names of the texts that hold a secret."""
    return [name for name, text in texts.items() if any(secret.encode() in text for secret in secrets)]


def test_no_secret_is_left_by_a_run_whatever_shows_and_keeps_it(estate: Estate, tmp_path: Path) -> None:
    desk = Desk(estate, tmp_path)
    vault = f"--vault-password-file {desk.vault}"
    with ProcessList() as processes:
        run = ansible_runner.run(
            private_data_dir=str(tmp_path),
            inventory=str(desk.hosts),
            playbook=str(PLAYBOOK),
            cmdline=f"{vault} --diff",
            verbosity=5,
            quiet=True,
            suppress_env_files=True,
            envvars={**desk.environment, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        )
    said = run.stdout.read()
    assert run.rc == 0, said[-3000:]
    assert "Look at the accounts in Active Directory" in said
    assert "AnsiballZ" not in said, "no module was packed for a process of its own"
    events = list((tmp_path / "artifacts").rglob("job_events/*.json"))
    assert len(events) > 20
    # Once more, which finds all of it done, and once with a fault, in which much is told about what was given.
    again = procedures.run_playbook(tmp_path, desk.inventory, PLAYBOOK, *vault.split(), "--diff", "-vvvvv", environment=desk.environment)
    assert again.returncode == 0, again.stdout[-3000:]
    desk.inventory["all"]["hosts"]["localhost"].update(onboarding_directory_port="no number", onboarding_authority_url="http://in.clear")
    faulty = procedures.run_playbook(tmp_path, desk.inventory, PLAYBOOK, *vault.split(), "--diff", "-vvvvv", environment=desk.environment)
    assert faulty.returncode != 0 and "no number" in faulty.stdout

    secrets = desk.secrets(estate)
    shown = {f"{name} run": (done.stdout + done.stderr).encode() for name, done in (("second", again), ("faulty", faulty))}
    told_by_lab = {"requests": str(estate.tenant.requests).encode(), "calls": str(estate.wsman.log.audit).encode()}
    assert found_in(secrets, {"said": said.encode(), **shown, **desk.kept(), **told_by_lab}) == []
    assert not any(secret.encode() in text for text in processes.seen for secret in secrets)
    assert len(processes.seen) > 10
    assert desk.passwords.read_bytes().startswith(b"$ANSIBLE_VAULT;")
