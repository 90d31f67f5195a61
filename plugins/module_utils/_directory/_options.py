# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Where the domain controller is and how to sign in; checked before anything is sent. Private to the collection."""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
from dataclasses import dataclass, field

from .._failure import HybridIdentityError

_LDAPS_PORT, _START_TLS_PORT = 636, 389
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9_])?\.?")
_ADDRESS = re.compile(r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?(?P<rest>.*)", re.DOTALL)

UNCHECKED_CERTIFICATE = (
    "The certificate of the domain controller is not checked (validate_certs: false): whoever answers under its name "
    "reads the password of this account and every new password."
)


@dataclass(frozen=True)
class DirectoryOptions:
    """Where the domain controller is and how to sign in.

    Attributes:
        server: a name or an address, without a scheme (ldaps:// is taken off).
        port: None for 636, or 389 with start_tls.
        ca_cert: PEM file of the authorities to trust. server_name: the name in its certificate, where it differs.
        timeout: seconds for one answer.
        start_tls: begin on the port for clear text and encrypt before anything is said; there is no way back to clear text.
    """

    server: str
    username: str
    password: str = field(repr=False)
    port: int | None = None
    ca_cert: str | None = None
    validate_certs: bool = True
    server_name: str | None = None
    timeout: int = 15
    start_tls: bool = False

    @property
    def host(self) -> str:
        """The server without a scheme and brackets."""
        return _split(self.server)[1].strip("[]")

    @property
    def effective_port(self) -> int:
        """The port, also where none is given."""
        return self.port or (_START_TLS_PORT if self.start_tls else _LDAPS_PORT)

    @property
    def where(self) -> str:
        """For sentences: name and port, and never what somebody may have written before an @."""
        return f"{self.host.rpartition('@')[2]}:{self.effective_port}"

    @property
    def warnings(self) -> list[str]:
        """What the operator should know about these options."""
        return [] if self.validate_certs else [UNCHECKED_CERTIFICATE]

    def check(self) -> None:
        """Raise HybridIdentityError (invalid_input) for what must not or cannot be used; nothing is sent before."""
        for fault in (self._address_fault(), self._credential_fault(), self._certificate_fault()):
            if fault:
                raise HybridIdentityError("invalid_input", fault)

    def _address_fault(self) -> str | None:
        scheme, rest = _split(self.server)
        if "@" in rest:
            return "directory_server has a user name in it: give it, and the password, in options of their own."
        if scheme and scheme != "ldaps":
            return (
                f"directory_server begins with {scheme}://, which is not encrypted: give the name alone, for LDAPS, "
                "or the name and start_tls: true."
            )
        if scheme and self.start_tls:
            return "directory_server begins with ldaps:// and start_tls is on: only one of them is possible."
        if not rest:
            return "directory_server is empty."
        if not (_is_address(rest.strip("[]")) or _HOST.fullmatch(rest)):
            return f"directory_server {rest[:100]!r} is neither the name nor the address of a server; a port belongs into port."
        if self.port is not None and not 0 < self.port < 65536:
            return f"port {self.port} is no port: 1 to 65535 is possible."
        if self.timeout < 1:
            return f"timeout {self.timeout} is too short: at least one second is needed."
        return None

    def _credential_fault(self) -> str | None:
        if not self.username.strip():
            return "username is empty: the directory would take the sign-in for an anonymous one."
        if not self.password:
            # RFC 4513, 5.1.2: a simple bind with a name and without a password succeeds as an anonymous one.
            return f"password is empty: the directory would take the sign-in of {self.username} for an anonymous one."
        return None

    def _certificate_fault(self) -> str | None:
        if not self.ca_cert:
            return None
        if not os.path.isfile(self.ca_cert):
            return f"ca_cert {self.ca_cert} does not exist, or is not a file."
        try:
            ssl.create_default_context(cafile=self.ca_cert)
        except (ssl.SSLError, OSError) as error:
            why = error.strerror if isinstance(error, PermissionError) else "it holds no certificate in PEM form"
            return f"ca_cert {self.ca_cert} cannot be used: {why}."
        return None


def hidden_in(server: str) -> list[str]:
    """The secrets that somebody wrote into an address before an @; such an address is refused, but Ansible tells its arguments."""
    userinfo = _split(server)[1].rpartition("@")[0]
    return [userinfo, userinfo.partition(":")[2]] if ":" in userinfo else []


def _split(server: str) -> tuple[str, str]:
    """Scheme in lower case (or empty) and the rest, without blanks and a final slash."""
    match = _ADDRESS.fullmatch(server.strip())
    if match is None:
        return "", server
    return (match["scheme"] or "").lower(), match["rest"].rstrip("/")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
