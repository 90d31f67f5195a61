# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Transports over every connection plugin and over pywinrm, in this process, set up as inventory and options set them up; and the table of them."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path
from typing import Any

from ansible_collections.hybrid.identity.plugins.module_utils._remote._winrm import WinrmOptions, WinrmTransport
from lab import kerberos
from lab.connections import CONNECTIONS, missing
from lab.estate import ACCOUNTS, Estate

#: every way: the connection plugins, and the transport of the modules
WAYS = (*CONNECTIONS, *(f"pywinrm {authentication}" for authentication in ("basic", "ntlm", "certificate", "kerberos", "credssp")))
_LOADING = threading.Lock()
#: variables that a plugin takes as they are
_EXTRAS = {"winrm": "ansible_winrm_", "psrp": "ansible_psrp_"}


def why_not(way: str) -> str:
    """Why a way cannot be gone on this machine; '' where it can."""
    return missing(way.removeprefix("py"))


def plugin(estate: Estate, way: str, user: str = "svc-sync", *, password: str | None = None, **changes: Any) -> Any:
    """The connection plugin of a way (see lab.connections), not connected yet; changes: variables of the inventory."""
    with _LOADING:  # Ansible's loaders are made for one thread
        from ansible.playbook.play_context import PlayContext
        from ansible.plugins.loader import connection_loader

        kind = CONNECTIONS[way].plugin
        variables = {**CONNECTIONS[way].variables(estate, user, ACCOUNTS[user][0] if password is None else password), **changes}
        context = PlayContext()
        context.remote_addr, context.remote_user, context.port = (variables[f"ansible_{one}"] for one in ("host", "user", "port"))
        context.connection = kind
        connection = connection_loader.get(kind, context, None)
        prefix = _EXTRAS.get(kind, "-")
        extras = {variable: value for variable, value in variables.items() if variable.startswith(prefix)}
        connection.set_options(var_options={**variables, "_extras": extras}, direct={})  # as the executor of tasks does
        return connection


def transport(estate: Estate, way: str, user: str = "svc-sync", *, password: str | None = None, **changes: Any) -> Any:
    """The transport of the action plugins over a connection plugin, or that of the modules; changes: variables of the inventory."""
    if way.startswith("pywinrm "):
        return WinrmTransport(_options(estate, way.removeprefix("pywinrm "), user, password))
    from ansible_collections.hybrid.identity.plugins.plugin_utils._connection import ConnectionTransport

    return ConnectionTransport(plugin(estate, way, user, password=password, **changes), "sync1")


def _options(estate: Estate, authentication: str, user: str, password: str | None) -> WinrmOptions:
    tls = authentication in ("basic", "certificate")
    options: dict[str, Any] = {
        "server": "127.0.0.1",
        "username": user,
        "password": ACCOUNTS[user][0] if password is None else password,
        "port": estate.wsman.https_port if tls else estate.wsman.http_port,
        "use_tls": tls,
        "ca_cert": estate.authority_path if tls else None,
        "authentication": authentication,
    }
    if authentication == "certificate":
        certificate = estate.client_certificate(user if password is None else "svc-unmapped")
        options.update(client_certificate=str(certificate.certificate_path), client_key=str(certificate.key_path))
    if authentication == "kerberos":
        options.update(username=f"{user}@{kerberos.REALM}", kerberos_hostname=kerberos.SERVER)
        _get_ticket(estate, options["username"], options["password"])
    return WinrmOptions(**options)


def _get_ticket(estate: Estate, principal: str, password: str) -> None:
    """Kerberos takes the ticket that is there, as the modules do; a wrong password leaves none."""
    tickets = Path(estate.host.temp) / "tickets"
    tickets.unlink(missing_ok=True)
    os.environ["KRB5CCNAME"] = f"FILE:{tickets}"
    subprocess.run(["kinit", principal], input=f"{password}\n", text=True, capture_output=True, check=False)


def table(reports: dict[str, list[Any]]) -> list[str]:
    """The table connection x case of what the tests have recorded (property 'connection cell'), as lines; none where nothing was recorded.

    Args:
        reports: of pytest's terminal, by outcome.
    """
    cells: dict[str, dict[str, str]] = {}
    notes: list[str] = []
    for outcome, word in (("passed", "ok"), ("skipped", "-"), ("failed", "FAILED"), ("error", "FAILED")):
        for report in reports.get(outcome, []):
            for name, value in getattr(report, "user_properties", []):
                if name != "connection cell":
                    continue
                way, case, note = value
                cells.setdefault(way, {})[case] = word
                if note and f"{way}: {note}" not in notes:
                    notes.append(f"{way}: {note}")
    if not cells:
        return []
    cases = list(dict.fromkeys(case for row in cells.values() for case in row))
    first = max(len(way) for way in cells)
    lines = ["connection".ljust(first) + "".join(f" | {case}" for case in cases)]
    for way in sorted(cells, key=WAYS.index):
        lines.append(way.ljust(first) + "".join(f" | {cells[way].get(case, 'MISSING').ljust(len(case))}" for case in cases))
    return [*lines, *notes]
