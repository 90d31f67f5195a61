# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""HTTPS with a thread per connection: keep-alive, handshake in the connection's thread, one write per answer."""

from __future__ import annotations

import contextlib
import http.server
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lab.certificates import Certificate

_HANDSHAKE_SECONDS = 10.0
_MOST_BYTES = 4 * 1024 * 1024


@dataclass
class Answer:
    """What goes back on the wire."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    drip: float = 0.0  # seconds between two bytes of the body
    withheld: int = 0  # bytes that are promised and do not come


# method, target (path with query), headers with lower-case names, body
Application = Callable[[str, str, Mapping[str, str], bytes], Answer]


class HttpsListener:
    """Serves an application on one address.

    Args:
        application: called for every request, in the connection's thread.
        certificate: of the server.
    """

    def __init__(self, application: Application, certificate: Certificate, address: str, port: int) -> None:
        self.application = application
        self.address, self.port = address, port
        self._certificate = certificate
        self._socket: socket.socket | None = None
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen; `port` then is the real one. Raises OSError when the port is taken."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate.certificate_path, self._certificate.key_path)
        self._socket = socket.create_server((self.address, self.port), backlog=128)
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, args=(self._socket, context), name="entra-accept", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the port and all connections."""
        listening, self._socket = self._socket, None
        if listening is None:
            return
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread
        listening.close()
        if self._thread is not None:
            self._thread.join(5)
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, listening: socket.socket, context: ssl.SSLContext) -> None:
        while True:
            try:
                connection, peer = listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection, peer, context), name="entra-connection", daemon=True).start()

    def _serve(self, connection: socket.socket, peer: tuple[str, int], context: ssl.SSLContext) -> None:
        with contextlib.suppress(OSError), connection:  # a client that hangs up, or does not trust the certificate
            connection.settimeout(_HANDSHAKE_SECONDS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with context.wrap_socket(connection, server_side=True) as secured:
                secured.settimeout(None)
                with self._lock:
                    self._connections.add(secured)
                try:
                    if self._socket is not None:
                        _Handler(self.application, secured, peer)
                finally:
                    with self._lock:
                        self._connections.discard(secured)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body leave together

    def __init__(self, application: Application, connection: socket.socket, peer: tuple[str, int]) -> None:
        self._application = application
        super().__init__(connection, peer, None)  # type: ignore[arg-type]  # there is no socketserver behind it

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > _MOST_BYTES or "transfer-encoding" in headers:
            self.close_connection = True
            answer = Answer(411 if "transfer-encoding" in headers else 413)
        else:
            body = self.rfile.read(int(length))
            answer = self._application(self.command, self.path, headers, body)
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body) + answer.withheld))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if answer.drip:
            self.wfile.flush()
            for byte in answer.body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(answer.drip)
        else:
            self.wfile.write(answer.body)
        self.close_connection = self.close_connection or answer.withheld > 0

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on standard error."""
