# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Onboardings that are killed at a random point and run again: is everybody there once and whole, and does the file of passwords hold?"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from directories import GROUPS, STAFF, options
from estates import POWERSHELL
from loopback import own_address
from procedures import VIEW

from ansible_collections.hybrid.identity.plugins.module_utils._directory._connection import Directory
from ansible_collections.hybrid.identity.plugins.module_utils._directory._names import Entry
from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from lab.estate import CLIENT_SECRET, Estate, EstateOptions

ROOT = Path(__file__).resolve().parents[2]
_FEWEST, _MOST = 12, 40
#: tasks of the role, and the seconds after the beginning of one of them in which it is killed
_TASKS, _LONGEST = 14, 3.0
#: in the environment of every process of a run, so that all of them are found, in whatever session they are
_MARK = "HYBRID_IDENTITY_KILLED_RUN"
_VAULT_SECRET = "The-vault-of-the-campaign"
_BOSS = "maria.huber"


@dataclass
class Killed:
    """One onboarding. task, after: how many tasks had begun when it was killed, so many seconds later, whatever the machine was doing besides.

    reached: how far it had come. violations: what is wrong in the end.
    """

    seed: int
    people: int
    task: int
    after: float
    reached: str = ""
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """One line."""
        wrong = "; ".join(self.violations) or "ok"
        return f"seed {self.seed}: {self.people} people, killed {self.after:.2f} s after task {self.task} ({self.reached}): {wrong}"


def kill_and_run_again(seed: int) -> Killed:
    """Onboard some people, kill all of it at a random point, onboard again, and judge the directory, the tenant and the files.

    Args:
        seed: of the people and of the point.
    """
    chance = random.Random(seed)
    people = _people(chance)
    outcome = Killed(seed, len(people), chance.randint(0, _TASKS), chance.uniform(0.0, _LONGEST))
    chosen = EstateOptions(directory_address=own_address(93), cycle_seconds=1.0, powershell=POWERSHELL or "none", seats=_MOST)
    with Estate(chosen) as estate, tempfile.TemporaryDirectory(prefix="killed-") as name:
        run = _Run(estate, Path(name), people)
        run.start()
        while run.process.poll() is None and run.tasks_begun() < outcome.task:
            time.sleep(0.02)
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.process.wait(outcome.after)
            outcome.reached = "it had ended"
        run.kill()
        outcome.reached = outcome.reached or _reached(estate, run, people)
        run.start()
        code = run.process.wait(300)
        run.kill()
        if code:
            outcome.violations.append(f"the second run ended with {code}: {run.last_words()}")
        outcome.violations += (
            _wrong_in_directory(estate, run, people) + _wrong_in_tenant(estate, people) + _wrong_in_files(estate, run, people)
        )
    return outcome


def _people(chance: random.Random) -> list[dict[str, str]]:
    """Rows of a table: some lead others of the same table, some are led by somebody who is there."""
    people: list[dict[str, str]] = []
    for number in range(chance.randint(_FEWEST, _MOST)):
        sam = f"k{number:02}.{chance.randrange(10**6):06}"
        leaders = [_BOSS, *(person["sam_account_name"] for person in people)]
        groups = chance.sample(["GG-AllStaff", "GG-Sales", "GG-Licensed"], chance.randint(0, 3))
        people.append(
            {
                "given_name": f"Given{number}",
                "surname": f"Family{number}",
                "upn": f"{sam}@lab.example",
                "sam_account_name": sam,
                "mail": f"{sam}@lab.example",
                "employee_id": str(50_000 + number),
                "manager": chance.choice(leaders),
                "groups": "|".join(groups),
            }
        )
    chance.shuffle(people)
    return people


class _Run:
    """ansible-playbook on the table, as often as wanted, each time with all of its processes."""

    def __init__(self, estate: Estate, folder: Path, people: list[dict[str, str]]) -> None:
        self.folder, self._estate = folder, estate
        self.passwords = folder / "handed over" / "passwords.yml"
        self.process: subprocess.Popen[bytes]
        self._token = secrets.token_hex(16)
        table = folder / "table.csv"
        with table.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(people[0]), delimiter=";")
            writer.writeheader()
            writer.writerows(people)
        inventory = estate.inventory()
        inventory["all"]["hosts"]["localhost"].update(
            onboarding_csv=str(table),
            onboarding_generate_passwords=True,
            onboarding_password_file=str(self.passwords),
            onboarding_password_must_change=False,
            onboarding_report_directory=str(folder / "reports"),
        )
        (folder / "inventory.yml").write_text(yaml.safe_dump(inventory, allow_unicode=True), encoding="utf-8")
        (folder / "vault.secret").write_text(_VAULT_SECRET)
        self.own_files = {folder / "inventory.yml", folder / "vault.secret"}

    def start(self) -> None:
        """Begin; in a session of its own."""
        environment = {
            **os.environ,
            _MARK: self._token,
            "ANSIBLE_COLLECTIONS_PATH": str(VIEW),
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_LOCALHOST_WARNING": "False",
        }
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        command = [
            program,
            "-i",
            "inventory.yml",
            "--vault-password-file",
            "vault.secret",
            str(ROOT / "playbooks" / "onboard.yml"),
            "-vvvvv",
        ]
        with (self.folder / "said").open("ab") as said:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment, cwd=self.folder, start_new_session=True
            )

    def kill(self) -> None:
        """Everything that this run has started, also what went into a session of its own."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        mark = f"{_MARK}={self._token}".encode()
        while found := [pid for pid in _processes() if mark in _environment(pid)]:
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        self.process.wait()

    def tasks_begun(self) -> int:
        """How many tasks of the first run have begun."""
        return (self.folder / "said").read_bytes().count(b"TASK [")

    def last_words(self) -> str:
        """Of the last run."""
        return (self.folder / "said").read_text(encoding="utf-8", errors="replace").strip()[-600:].replace("\n", " | ")

    def handed_over(self) -> list[tuple[str, str]]:
        """Everybody and his or her password, from every file."""
        vault = VaultLib([("any", VaultSecret(_VAULT_SECRET.encode()))])
        files = sorted(self.passwords.parent.glob("passwords*.yml")) if self.passwords.parent.exists() else []
        return [pair for file in files for pair in yaml.safe_load(vault.decrypt(file.read_bytes())).items()]


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def _admin(estate: Estate) -> Directory:
    samba = estate.directory
    return Directory(options(samba, username=samba.admin_user, password=samba.admin_password))


def _accounts(estate: Estate) -> list[Entry]:
    with _admin(estate) as directory:
        wanted = ["userPrincipalName", "employeeID", "userAccountControl", "manager", "memberOf", "sAMAccountName", "pwdLastSet"]
        return directory.search(["(&(objectClass=user)(employeeID=5*))"], wanted, base=STAFF)


def _reached(estate: Estate, run: _Run, people: list[dict[str, str]]) -> str:
    made = len(_accounts(estate))
    file = "passwords handed over" if run.passwords.exists() else "no passwords yet"
    arrived = sum(bool(user.get("assignedLicenses")) for user in estate.tenant.users())
    return f"{file}, {made} of {len(people)} accounts, {arrived} licensed"


def _wrong_in_directory(estate: Estate, run: _Run, people: list[dict[str, str]]) -> list[str]:
    wrong = []
    found = _accounts(estate)
    times = Counter((entry.text("userPrincipalName") or "").lower() for entry in found)
    by_upn = {(entry.text("userPrincipalName") or "").lower(): entry for entry in found}
    by_sam = {(entry.text("sAMAccountName") or "").lower(): entry.dn for entry in found}
    handed = run.handed_over()
    told = Counter(upn for upn, _password in handed)
    passwords = dict(handed)
    if extra := set(times) - {person["upn"] for person in people}:
        wrong.append(f"accounts that nobody asked for: {sorted(extra)}")
    for person in people:
        upn = person["upn"]
        if times[upn] != 1:
            wrong.append(f"{upn} is there {times[upn]} times")
            continue
        entry = by_upn[upn]
        if entry.number("userAccountControl") != 512:
            wrong.append(f"{upn} has userAccountControl {entry.number('userAccountControl')}")
        boss = by_sam.get(person["manager"], f"CN=Maria Huber,{STAFF}")
        if (entry.text("manager") or "").lower() != boss.lower():
            wrong.append(f"{upn} has the manager {entry.text('manager')}, not {boss}")
        groups = {f"CN={name},{GROUPS}".lower() for name in person["groups"].split("|") if name}
        if {name.lower() for name in entry.texts("memberOf")} != groups:
            wrong.append(f"{upn} is in {entry.texts('memberOf')}")
        if told[upn] != 1:
            wrong.append(f"{upn} is handed over {told[upn]} times")
        elif not _signs_in(estate, upn, passwords[upn]):
            wrong.append(f"the password of {upn} does not work")
    return wrong


def _signs_in(estate: Estate, upn: str, password: str) -> bool:
    try:
        with Directory(options(estate.directory, username=upn, password=password)):
            return True
    except HybridIdentityError:
        return False


def _wrong_in_tenant(estate: Estate, people: list[dict[str, str]]) -> list[str]:
    users = estate.tenant.users()
    times = Counter(str(user["userPrincipalName"]).lower() for user in users)
    by_upn = {str(user["userPrincipalName"]).lower(): user for user in users}
    wrong = [f"{person['upn']} is {times[person['upn']]} times in the tenant" for person in people if times[person["upn"]] != 1]
    for person in people:
        user = by_upn.get(person["upn"], {})
        if user and (len(user["assignedLicenses"]) != 1 or user["usageLocation"] != "DE"):
            wrong.append(f"{person['upn']} has {len(user['assignedLicenses'])} licences and the location {user['usageLocation']}")
    return wrong


def _wrong_in_files(estate: Estate, run: _Run, people: list[dict[str, str]]) -> list[str]:
    wrong = []
    reports = [json.loads(file.read_text(encoding="utf-8")) for file in sorted((run.folder / "reports").glob("*.json"))]
    arrived = [{one["upn"] for one in report["people"] if one["arrived"]} for report in reports]
    if {person["upn"] for person in people} not in arrived:
        wrong.append("no report says that everybody arrived")
    hidden = [password for _upn, password in run.handed_over()] + [CLIENT_SECRET, estate.directory.onboard_password]
    for file in (file for file in run.folder.rglob("*") if file.is_file() and file not in run.own_files):
        content = file.read_bytes()
        if any(password.encode() in content for password in hidden):
            wrong.append(f"a secret is in {file.relative_to(run.folder)}")
    if not run.passwords.exists():
        wrong.append("there is no file of passwords")
    elif run.passwords.stat().st_mode & 0o077:
        wrong.append("others can read the file of passwords")
    return wrong


def main() -> int:
    """The campaign: SOAK_KILLS of them (40), from seed SOAK_SEED; 0 when nothing was wrong."""
    first, number = int(os.environ.get("SOAK_SEED") or 20261124), int(os.environ.get("SOAK_KILLS") or 40)
    print(f"{number} onboardings that are killed, from seed {first}", flush=True)
    wrong = 0
    for seed in range(first, first + number):
        outcome = kill_and_run_again(seed)
        wrong += bool(outcome.violations)
        print(outcome, flush=True)
    print(f"{number} onboardings killed and run again, {wrong} of them with violations", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
