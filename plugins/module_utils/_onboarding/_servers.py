# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Which of several domain controllers answers. Private to the collection."""

from __future__ import annotations

import socket
import ssl
from typing import Optional, Sequence

#: seconds for one controller; the next one is asked then
PATIENCE = 5.0
_START_TLS = 389


def first_that_answers(servers: Sequence[str], port: int, patience: float = PATIENCE) -> tuple[Optional[str], list[str]]:
    """The first controller that answers on its port, and what the others said.

    Args:
        servers: names or addresses, in the order of preference.
        port: for LDAP over TLS, where a handshake has to come about (whether the certificate is valid is judged later, by
            whoever sends a password); on the port of StartTLS a connection is enough.
        patience: seconds for each.
    """
    silent: list[str] = []
    for server in servers:
        try:
            with socket.create_connection((server, port), timeout=patience) as connection:
                if port != _START_TLS:
                    _shake_hands(connection, server)
            return server, silent
        except OSError as error:  # ssl.SSLError and socket.timeout are among them
            silent.append(f"{server}: {error.strerror or 'no answer' if not isinstance(error, ssl.SSLError) else 'no TLS'}")
    return None, silent


def _shake_hands(connection: socket.socket, server: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with context.wrap_socket(connection, server_hostname=None if _is_address(server) else server):
        pass


def _is_address(server: str) -> bool:
    return ":" in server or server.replace(".", "").isdigit()
