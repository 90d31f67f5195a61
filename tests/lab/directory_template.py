# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The kept template of a provisioned domain, and the folder of one run copied from it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from lab import directory_provision
from lab.directory_seed import DOMAIN, HOST, REALM, seed

SAMBA = Path("/usr/sbin/samba")
_PYTHON = Path("/usr/bin/python3")  # the Samba modules exist for the system's Python only
_MEMORY = Path("/dev/shm")
_PREFIX = "hybrid-identity-directory-"
_FOLDERS = ("private", "state", "cache", "lock", "run", "ncalrpc", "winbindd", "ntp", "bind-dns", "log", "private/tls", "state/sysvol")
_PACKAGES = "samba, samba-ad-dc, samba-ad-provision, samba-dsdb-modules and python3-samba"


class DirectoryError(RuntimeError):
    """The lab's directory did not start; the message is one sentence for the user."""


class SambaMissing(DirectoryError):
    """Samba is not installed, or this user may not run it on the ports of a directory."""


def require_samba() -> None:
    """Raise SambaMissing when the programs are not there."""
    provision_files = Path("/usr/share/samba/setup/provision.ldif")
    if not (SAMBA.is_file() and _PYTHON.is_file() and provision_files.is_file()):
        raise SambaMissing(f"The lab's directory needs Samba as an Active Directory controller: install the Debian packages {_PACKAGES}.")


def template(cache_folder: Path) -> Path:
    """The folder of the provisioned domain, made on first use (some seconds).

    Safe against two processes at once (one makes, the other waits) and against a killed one: a template appears by one rename.
    The name carries a digest of what it is made from, so a changed seed or another Samba never meets an old template.

    Raises:
        SambaMissing: a Samba package is missing.
        DirectoryError: the provisioning failed.
    """
    recipe = json.dumps(seed(), sort_keys=True).encode() + Path(directory_provision.__file__).read_bytes()
    status = SAMBA.stat()
    digest = hashlib.sha256(recipe + f"{status.st_size} {status.st_mtime_ns}".encode()).hexdigest()[:16]
    cache_folder.mkdir(parents=True, exist_ok=True)
    made = cache_folder / f"directory-{digest}"
    if made.is_dir():
        return made
    with open(cache_folder / ".directory.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if made.is_dir():
            return made
        with _scratch(fast_folder(cache_folder)) as scratch:
            _provision(scratch / "domain")
            half = cache_folder / f"directory-{digest}.new"
            shutil.rmtree(half, ignore_errors=True)
            shutil.copytree(scratch / "domain", half)
            half.rename(made)
    return made


def _provision(folder: Path) -> None:
    address = "127.0.0.1"  # nothing listens yet; the address of a run is written into its own configuration
    conf = write_configuration(folder, address)
    command = [str(_PYTHON), "-I", directory_provision.__file__, str(conf), address]
    done = subprocess.run(command, input=json.dumps(seed()), text=True, capture_output=True, timeout=120, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        if "ModuleNotFoundError" in last:
            raise SambaMissing(f"The lab's directory needs Samba's Python modules ({last}): install the Debian packages {_PACKAGES}.")
        raise DirectoryError(f"The lab's domain could not be provisioned: {last}")


def fast_folder(otherwise: Path) -> Path:
    """Memory instead of a disk where there is some: the databases are synchronised to disk after every write."""
    return _MEMORY if os.access(_MEMORY, os.W_OK) else otherwise


@contextlib.contextmanager
def run_folder(made: Path) -> Iterator[Path]:
    """A copy of the template for one run; removed afterwards, or by a later run if this process is killed."""
    with _scratch(fast_folder(Path(tempfile.gettempdir()))) as scratch:
        shutil.copytree(made, scratch / "domain")
        yield scratch / "domain"


@contextlib.contextmanager
def _scratch(parent: Path) -> Iterator[Path]:
    _sweep(parent)
    making = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    with open(making / ".alive", "w") as alive:
        _try_lock(alive)
        # Only now under the name that others sweep: they never meet it unlocked while this process lives.
        folder = making.rename(parent / making.name.replace(_PREFIX, _PREFIX + "run-"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sweep(parent: Path) -> None:
    """Remove what killed runs left behind: their lock is free."""
    for left in parent.glob(_PREFIX + "run-*"):
        with contextlib.suppress(OSError), open(left / ".alive") as alive:
            if _try_lock(alive):
                shutil.rmtree(left, ignore_errors=True)


def write_configuration(folder: Path, address: str, *, kerberos: bool = False) -> Path:
    """Write smb.conf, the only file of a domain that names its folder; returns its path.

    One process, only LDAP, and tickets where they are wanted. `/8` because Samba does not find a /32
    interface; two shares because provisioning refuses a file without them.
    """
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "ntp").chmod(0o750)
    conf = folder / "smb.conf"
    conf.write_text(
        textwrap.dedent(f"""\
        [global]
        netbios name = {HOST.upper()}
        workgroup = {DOMAIN}
        realm = {REALM}
        server role = active directory domain controller
        server services = ldap, cldap{", kdc" if kerberos else ""}
        dcerpc endpoint servers = epmapper
        interfaces = {address}/8
        bind interfaces only = yes
        ldap server require strong auth = allow_sasl_over_tls
        dsdb:schema update allowed = true
        tls certfile = {folder}/private/tls/cert.pem
        tls keyfile = {folder}/private/tls/key.pem
        tls cafile = {folder}/private/tls/ca.pem
        private dir = {folder}/private
        state directory = {folder}/state
        cache directory = {folder}/cache
        lock directory = {folder}/lock
        pid directory = {folder}/run
        ncalrpc dir = {folder}/ncalrpc
        winbindd socket directory = {folder}/winbindd
        ntp signd socket directory = {folder}/ntp
        binddns dir = {folder}/bind-dns
        log file = {folder}/log/log.samba
        log level = 1
        disable netbios = yes
        load printers = no
        printing = bsd
        printcap name = /dev/null
        [sysvol]
        path = {folder}/state/sysvol
        read only = no
        [netlogon]
        path = {folder}/state/sysvol/{REALM.lower()}/scripts
        read only = no
        """)
    )
    return conf
