# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Kerberos in the estate: the lab's domain controller hands out the tickets, the sync server's listener has a key, this process is a client."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

from lab import directory_seed, kerberos_provision
from lab.directory_template import DirectoryError

#: what a machine needs: the Python parts have no wheels for Linux and are built where they are installed
PACKAGES = "libkrb5-dev krb5-user gcc python3-dev"
REALM = directory_seed.REALM
SERVER = "sync1.lab.test"
_PYTHON = "/usr/bin/python3"


def missing() -> str:
    """What this machine lacks, as the line that installs it; '' where it lacks nothing."""
    lacking = [name for name in ("gssapi", "krb5", "kerberos") if importlib.util.find_spec(name) is None]
    if shutil.which("kinit") is not None and not lacking:
        return ""
    return f"apt-get install {PACKAGES}; pip install -r tests/requirements-kerberos.txt"


@contextlib.contextmanager
def realm(configuration: Path, address: str, accounts: Mapping[str, str]) -> Iterator[None]:
    """While inside, this process is a member of the realm, as client and as the sync server.

    Args:
        configuration: smb.conf of the running domain. address: where its controller listens. accounts: passwords by name.

    Raises:
        DirectoryError: the accounts or keys could not be made.
    """
    with tempfile.TemporaryDirectory(prefix="lab-kerberos-") as name:
        folder = Path(name)
        keytab = folder / "sync1.keytab"
        services = {"sync1-host": [f"{kind}/{SERVER}" for kind in ("HTTP", "WSMAN", "HOST")]}
        request = {"realm": REALM, "base": directory_seed.SERVICE_OU, "accounts": dict(accounts), "services": services}
        command = [_PYTHON, "-I", kerberos_provision.__file__, str(configuration), str(keytab)]
        done = subprocess.run(command, input=json.dumps(request), text=True, capture_output=True, timeout=60, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise DirectoryError(f"The lab's domain could not be given the accounts of the sync server: {last}")
        (folder / "krb5.conf").write_text(_configuration(address), encoding="ascii")
        variables = {
            "KRB5_CONFIG": str(folder / "krb5.conf"),
            "KRB5_KTNAME": f"FILE:{keytab}",
            "KRB5CCNAME": f"FILE:{folder}/tickets",
            "KRB5RCACHENAME": "none:",
        }
        before = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _configuration(address: str) -> str:
    return textwrap.dedent(f"""\
        [libdefaults]
        default_realm = {REALM}
        dns_lookup_realm = false
        dns_lookup_kdc = false
        dns_canonicalize_hostname = false
        rdns = false
        udp_preference_limit = 1
        [realms]
        {REALM} = {{
          kdc = {address}
        }}
        [domain_realm]
        .{REALM.lower()} = {REALM}
        {REALM.lower()} = {REALM}
        """)
