# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The lab's Active Directory: a Samba domain controller on a loopback address of its own.

The ports of a directory are fixed (389, 636), so each instance has its own address of 127.0.0.0/8 instead of its own ports.
Listening there needs root, or the capability CAP_NET_BIND_SERVICE, or a private network namespace.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from pathlib import Path

from lab import directory_seed
from lab.certificates import Authority
from lab.directory_reader import ConnectorReader
from lab.directory_template import SAMBA, DirectoryError, SambaMissing, require_samba, run_folder, template, write_configuration

__all__ = ["DirectoryError", "SambaDirectory", "SambaMissing"]

_PORTS = (389, 636)
_KERBEROS_PORT = 88
_READY_SECONDS = 30.0


class SambaDirectory:
    """A seeded domain controller (domain LAB, lab.test); see lab.directory_seed for its objects and passwords.

    Every start begins again from the seeds. The controller ends with the process that started it, however that ends.

    Args:
        cache_folder: where the provisioned template and the certificate are kept between runs.
        authority: signs the controller's certificate.
        address: loopback address to listen on, one per directory that runs at the same time.
        kerberos: it hands out tickets, too (port 88).

    Attributes:
        configuration: path of smb.conf once started.
    """

    def __init__(self, cache_folder: Path | str, authority: Authority, address: str = "127.0.0.53", *, kerberos: bool = False) -> None:
        self._kerberos = kerberos
        self.configuration = Path()
        self._cache_folder = Path(cache_folder)
        self._authority = authority
        self.address = address
        self.ldaps_uri = f"ldaps://{address}:636"
        self.authority_path = str(authority.certificate_path)
        self.host_name = directory_seed.HOST_NAME
        self.base_dn = directory_seed.BASE_DN
        self.admin_user = f"{directory_seed.DOMAIN}\\Administrator"
        self.admin_password = directory_seed.ADMIN_PASSWORD
        self.onboard_user = f"{directory_seed.DOMAIN}\\{directory_seed.ONBOARD_USER}"
        self.onboard_password = directory_seed.ONBOARD_PASSWORD
        self._process: subprocess.Popen[bytes] | None = None
        self._cleanup = contextlib.ExitStack()

    def start(self) -> None:
        """Provision if this is the first time, and return when the directory answers.

        Raises:
            SambaMissing: Samba is not installed, or this user may not listen on ports 389 and 636.
            DirectoryError: provisioning or the start failed, or the address is in use.
        """
        require_samba()
        self._require_ports()
        with contextlib.ExitStack() as cleanup:
            folder = cleanup.enter_context(run_folder(template(self._cache_folder)))
            self._install_certificate(folder)
            conf = self.configuration = write_configuration(folder, self.address, kerberos=self._kerberos)
            log = cleanup.enter_context(open(folder / "log" / "stdout", "w+b"))
            # Interactive with a pipe on standard input: Samba leaves at its end of file, so it cannot outlive this process.
            command = [str(SAMBA), "-i", "--no-process-group", "-M", "single", "-s", str(conf), "--debug-stdout"]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT)
            cleanup.callback(self._end_process)
            self._wait_ready(folder / "log" / "stdout")
            self._cleanup = cleanup.pop_all()

    @property
    def _ports(self) -> tuple[int, ...]:
        return (*_PORTS, _KERBEROS_PORT) if self._kerberos else _PORTS

    def stop(self) -> None:
        """End the controller and forget what was written to it."""
        self._cleanup.close()

    def connector_reader(self) -> ConnectorReader:
        """The connector's view of the directory (lab.synchronisation.SourceDirectory), with the account MSOL_lab."""
        user = f"{directory_seed.DOMAIN}\\{directory_seed.CONNECTOR_USER}"
        return ConnectorReader(self.address, self.host_name, self.authority_path, self.base_dn, user, directory_seed.CONNECTOR_PASSWORD)

    def _require_ports(self) -> None:
        for port in self._ports:
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((self.address, port))
                    probe.listen(1)
                except PermissionError:
                    raise SambaMissing(
                        f"The lab's directory may not listen on {self.address}:{port}: run the lab as root, with the capability "
                        "CAP_NET_BIND_SERVICE, or in a network namespace of its own (unshare -Urn)."
                    ) from None
                except OSError as error:
                    raise DirectoryError(f"The lab's directory cannot listen on {self.address}:{port}: {error.strerror}.") from None

    def _install_certificate(self, folder: Path) -> None:
        stem = self._cache_folder / f"directory-{self.address}"
        issued = self._authority.issue([self.host_name], [self.address], stem)
        target = folder / "private" / "tls"
        target.mkdir(parents=True, exist_ok=True)
        for source, name in ((issued.certificate_path, "cert.pem"), (issued.key_path, "key.pem"), (issued.authority_path, "ca.pem")):
            shutil.copyfile(source, target / name)
        (target / "key.pem").chmod(0o600)  # Samba refuses a key that others can read

    def _wait_ready(self, log: Path) -> None:
        until = time.monotonic() + _READY_SECONDS
        for port in self._ports:
            while True:
                if self._process is None or self._process.poll() is not None:
                    raise DirectoryError(f"The lab's directory ended while starting: {_last_line(log)}")
                try:
                    socket.create_connection((self.address, port), 0.2).close()
                    break
                except OSError:
                    if time.monotonic() > until:
                        raise DirectoryError(f"The lab's directory does not answer on {self.address}:{port}.") from None
                    time.sleep(0.01)

    def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else "no message"
