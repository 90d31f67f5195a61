# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""A server that does what no server should: takes connections and hangs, drips, never stops, or sends callers elsewhere."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Callable

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml;charset=UTF-8\r\n"


class HostileServer:
    """Listens on a free port of the loopback address until the end of the block.

    Args:
        behaviour: what it does with a connection once a request has begun to come; None takes no connection at all (they wait).
    """

    def __init__(self, behaviour: Callable[[HostileServer, socket.socket], None] | None) -> None:
        self._behaviour = behaviour
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.port = int(self._listener.getsockname()[1])
        self.over = threading.Event()
        #: the first bytes of every connection
        self.received: list[bytes] = []
        #: where a redirect goes to
        self.elsewhere = 0
        self._open: list[socket.socket] = []

    def __enter__(self) -> HostileServer:
        if self._behaviour is not None:
            threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.over.set()
        for one in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        assert self._behaviour is not None
        with contextlib.suppress(OSError), connection:
            self.received.append(connection.recv(65536))
            self._behaviour(self, connection)


def hang(server: HostileServer, connection: socket.socket) -> None:
    """Takes the request and never answers."""
    server.over.wait()


def drip_head(server: HostileServer, connection: socket.socket) -> None:
    """One byte of a head that has no end, again and again."""
    connection.sendall(_HEAD + b"X-Endless: ")
    while not server.over.wait(0.1):
        connection.sendall(b"x")


def drip_body(server: HostileServer, connection: socket.socket) -> None:
    """One byte of a long body, again and again."""
    connection.sendall(_HEAD + b"Content-Length: 100000\r\n\r\n")
    while not server.over.wait(0.1):
        connection.sendall(b" ")


def flood(server: HostileServer, connection: socket.socket) -> None:
    """A body without end, as fast as it goes."""
    connection.sendall(_HEAD + b"\r\n")
    block = b" " * 65536
    while not server.over.is_set():
        connection.sendall(block)


def cut(server: HostileServer, connection: socket.socket) -> None:
    """Ends the connection without a word, as a TLS port does when http comes."""


def redirect(server: HostileServer, connection: socket.socket) -> None:
    """Sends the caller, and what it was about to say, to another address."""
    connection.sendall(
        f"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:{server.elsewhere}/wsman\r\nContent-Length: 0\r\n\r\n".encode()
    )


def bad_request(server: HostileServer, connection: socket.socket) -> None:
    """What http.sys says to a TLS greeting on a plain port."""
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def not_found(server: HostileServer, connection: socket.socket) -> None:
    """Another web server."""
    connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def only_tls_1_0(server: HostileServer, connection: socket.socket) -> None:
    """Answers a hello that offers TLS 1.2 and later as a server does that has 1.0 alone: with the alert protocol_version."""
    connection.sendall(b"\x15\x03\x01\x00\x02\x02\x46")
