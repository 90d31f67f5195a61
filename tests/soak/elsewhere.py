# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Another host, to which a hostile server sends the task: it asks for credentials and writes down whether it got any."""

from __future__ import annotations

import socket
import threading
from types import TracebackType


class Elsewhere:
    """Listens on another address of this machine."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.2", 0))
        self._seen: list[str] = []
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.2:{self._listener.getsockname()[1]}/wsman"

    def credentials(self) -> list[str]:
        """The schemes of the Authorization headers that were sent here."""
        with self._lock:
            return list(self._seen)

    def __enter__(self) -> Elsewhere:
        threading.Thread(target=self._accept, name="elsewhere", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        answer = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n"
        try:
            with connection:
                connection.settimeout(5)
                while data := connection.recv(65536):
                    for line in data.split(b"\r\n"):
                        name, _colon, value = line.partition(b":")
                        if name.strip().lower() == b"authorization":
                            with self._lock:
                                self._seen.append(value.split()[0].decode("ascii", "replace"))
                    connection.sendall(answer)
        except OSError:
            return
