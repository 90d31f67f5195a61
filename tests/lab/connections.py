# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The ways to a sync server of the estate, as variables of an inventory: one name for each connection plugin with each way to sign in."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import kerberos

if TYPE_CHECKING:
    from lab.estate import Estate


@dataclass(frozen=True)
class Connection:
    """One way.

    plugin: the connection plugin. needs: Python modules on this side. variables: of the inventory; they may say who, and hold the right password.
    """

    plugin: str
    needs: tuple[str, ...]
    variables: Callable[[Estate, str, str], dict[str, Any]]


def _winrm(transport: str, *, tls: bool = False) -> Callable[[Estate, str, str], dict[str, Any]]:
    def variables(estate: Estate, user: str, password: str) -> dict[str, Any]:
        return {**estate.connection_variables(user=user, transport=transport, tls=tls), "ansible_password": password}

    return variables


def _winrm_kerberos(estate: Estate, user: str, password: str) -> dict[str, Any]:
    return {
        **_winrm("kerberos")(estate, user, password),
        "ansible_user": f"{user}@{kerberos.REALM}",
        # The server is an address here, and tickets are for names.
        "ansible_winrm_kerberos_hostname_override": kerberos.SERVER,
        "ansible_winrm_kinit_env_vars": ["KRB5_CONFIG"],
    }


def _psrp_kerberos(estate: Estate, user: str, password: str) -> dict[str, Any]:
    named = {"ansible_user": f"{user}@{kerberos.REALM}", "ansible_psrp_negotiate_hostname_override": kerberos.SERVER}
    return {**_psrp("kerberos")(estate, user, password), **named}


def _winrm_certificate(estate: Estate, user: str, password: str) -> dict[str, Any]:
    certificate = estate.client_certificate(user if _is_right(user, password) else "svc-unmapped")
    return {
        **estate.connection_variables(user=user, transport="certificate", tls=True),
        "ansible_winrm_cert_pem": str(certificate.certificate_path),
        "ansible_winrm_cert_key_pem": str(certificate.key_path),
    }


def _is_right(user: str, password: str) -> bool:
    """Whether to take the right key or certificate, where one stands for the password."""
    from lab.estate import ACCOUNTS

    return password == ACCOUNTS[user][0]


def _psrp(auth: str, *, tls: bool = False) -> Callable[[Estate, str, str], dict[str, Any]]:
    def variables(estate: Estate, user: str, password: str) -> dict[str, Any]:
        found: dict[str, Any] = {
            "ansible_connection": "psrp",
            "ansible_host": "127.0.0.1",
            "ansible_port": estate.wsman.https_port if tls else estate.wsman.http_port,
            "ansible_psrp_protocol": "https" if tls else "http",
            "ansible_psrp_auth": auth,
            "ansible_user": user,
            "ansible_password": password,
        }
        if tls:
            found["ansible_psrp_ca_cert"] = estate.authority_path
        return found

    return variables


def _ssh(default_shell: str) -> Callable[[Estate, str, str], dict[str, Any]]:
    def variables(estate: Estate, user: str, password: str) -> dict[str, Any]:
        from lab.ssh import make_keys

        estate.ssh.default_shell = default_shell
        keys = make_keys(estate.options.cache / "ssh")
        known = keys.known_hosts(estate.ssh.port, Path(estate.host.temp))
        return {
            "ansible_connection": "ssh",
            "ansible_host": "127.0.0.1",
            "ansible_port": estate.ssh.port,
            "ansible_shell_type": default_shell,
            "ansible_user": user,
            # A key stands for the password: older releases of ansible-core need a program for passwords that is not everywhere.
            "ansible_ssh_private_key_file": str(keys.client if _is_right(user, password) else keys.stranger),
            # No settings of the machine that the tests run on, and no connection that outlives them.
            "ansible_ssh_args": f"-F /dev/null -o UserKnownHostsFile={known} -o IdentitiesOnly=yes -o ControlMaster=no",
        }

    return variables


CONNECTIONS: dict[str, Connection] = {
    "winrm basic": Connection("winrm", (), _winrm("basic", tls=True)),
    "winrm ntlm": Connection("winrm", (), _winrm("ntlm")),
    "winrm certificate": Connection("winrm", (), _winrm_certificate),
    "winrm kerberos": Connection("winrm", (), _winrm_kerberos),
    "winrm credssp": Connection("winrm", ("requests_credssp",), _winrm("credssp")),
    "psrp basic": Connection("psrp", ("pypsrp",), _psrp("basic", tls=True)),
    "psrp ntlm": Connection("psrp", ("pypsrp",), _psrp("ntlm")),
    "psrp kerberos": Connection("psrp", ("pypsrp",), _psrp_kerberos),
    "psrp credssp": Connection("psrp", ("pypsrp", "requests_credssp"), _psrp("credssp")),
    "ssh cmd": Connection("ssh", ("asyncssh",), _ssh("cmd")),
    "ssh powershell": Connection("ssh", ("asyncssh",), _ssh("powershell")),
}


def missing(name: str) -> str:
    """Why a way cannot be gone on this machine; '' where it can."""
    if name.endswith("kerberos") and kerberos.missing():
        return f"not run: {kerberos.missing()}"
    lacking = [module for module in CONNECTIONS[name].needs if importlib.util.find_spec(module) is None]
    if name.startswith("ssh") and shutil.which("ssh") is None:
        lacking.append("ssh")
    return f"not run: {', '.join(lacking)} missing" if lacking else ""
