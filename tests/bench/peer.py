# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""A hundred accounts from a playbook: one task of ad_users against a loop over community.general.ldap_entry.

The loop makes the same accounts: enabled, with a password. Most of the time of the one task is what the lab's controller takes to work out the
keys of a hundred passwords, which the loop has to wait for as well. The other collection comes with the package `ansible` from PyPI, and its
library python-ldap from Debian or from PyPI; both are kept in a folder of the cache.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import procedures
from directories import STAFF, running_directory

from lab.directory import SambaDirectory
from lab.estate import default_cache

from .accounts import people
from .bars import Bar

_PASSWORD = "Bench-Passw0rd.1"


class PeerMissing(Exception):
    """The other way cannot be gone on this machine; says what it would take."""


def against_loop(number: int, rounds: int) -> Bar:
    """Both from the start of ansible-playbook to its end. Raises PeerMissing."""
    collections, python = prepare()
    took: dict[str, list[float]] = {"ours": [], "loop": []}
    for at in range(rounds):
        for who in ("ours", "loop") if at % 2 == 0 else ("loop", "ours"):
            with running_directory(90) as samba, tempfile.TemporaryDirectory(prefix="bench-") as folder:
                task = _ours(samba, number) if who == "ours" else _loop(samba, number, python)
                took[who].append(_run(Path(folder), task, collections))
    return Bar(
        f"{number} accounts from a playbook, against a loop over community.general.ldap_entry",
        tuple(took["ours"]),
        tuple(took["loop"]),
        0.1,
        "s",
    )


def prepare() -> tuple[Path, str]:
    """The folder of the other collections and the Python for them; what is missing is fetched. Raises PeerMissing."""
    folder = default_cache() / "peer"
    python = folder / "bin" / "python"
    collections = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    if not python.exists():
        _fetch([sys.executable, "-m", "venv", str(folder)])
    if not (collections / "ansible_collections" / "community" / "general").is_dir():
        _fetch([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "ansible"])
    for one in (str(python), "/usr/bin/python3"):
        if subprocess.run([one, "-c", "import ldap"], capture_output=True, check=False).returncode == 0:
            return collections, one
    _fetch([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "python-ldap"])
    return collections, str(python)


def _fetch(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no words").splitlines()[-1]
        raise PeerMissing(f"{' '.join(command[1:])}: {last} (python-ldap is the Debian package python3-ldap)")


def _ours(samba: SambaDirectory, number: int) -> dict[str, Any]:
    options = {
        "directory_server": samba.address,
        "username": samba.onboard_user,
        "password": samba.onboard_password,
        "ca_cert": samba.authority_path,
        "server_name": samba.host_name,
        "default_ou": STAFF,
        "initial_password": _PASSWORD,
        "password_must_change": False,
        "users": people(number),
    }
    return {"hybrid.identity.ad_users": options}


def _loop(samba: SambaDirectory, number: int, python: str) -> dict[str, Any]:
    entries = [
        {
            "dn": f"CN={person['display_name']},{STAFF}",
            "attributes": {
                "sAMAccountName": person["sam_account_name"],
                "userPrincipalName": person["upn"],
                "displayName": person["display_name"],
                "givenName": person["given_name"],
                "sn": person["surname"],
                "department": person["department"],
                "userAccountControl": "512",
                # UTF-16 in the form in which the module passes it on byte for byte; everything in it is ASCII
                "unicodePwd": f'"{_PASSWORD}"'.encode("utf-16-le").decode("ascii"),
            },
        }
        for person in people(number)
    ]
    options = {
        "server_uri": samba.ldaps_uri,
        "bind_dn": samba.onboard_user,
        "bind_pw": samba.onboard_password,
        "ca_path": samba.authority_path,
        "dn": "{{ item.dn }}",
        "objectClass": "user",
        "attributes": "{{ item.attributes }}",
    }
    return {
        "community.general.ldap_entry": options,
        "loop": entries,
        "loop_control": {"label": "{{ item.dn }}"},
        "vars": {"ansible_python_interpreter": python},
    }


def _run(folder: Path, task: dict[str, Any], collections: Path) -> float:
    inventory = {"all": {"hosts": {"localhost": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}}}
    plays = [{"hosts": "localhost", "gather_facts": False, "tasks": [{"name": "Create them", **task}]}]
    path = {"ANSIBLE_COLLECTIONS_PATH": f"{procedures.VIEW}:{collections}"}
    began = time.perf_counter()
    done = procedures.run_playbook(folder, inventory, plays, environment=path)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError((done.stdout + done.stderr)[-2000:])
    return seconds
