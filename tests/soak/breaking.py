# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""A way to a server that breaks off: after so many bytes, in one direction, on one of the connections, in one of several manners."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
from dataclasses import dataclass
from types import TracebackType

#: reset, closed, silent with the connection open, closed after which nobody listens any more, and cut in the middle of what was sent
KINDS = ("reset", "closed", "silent", "gone", "torn")
#: bytes that a further connection carries, in one direction
_FEWER_BYTES = 8_000
_CHUNK = 65536


@dataclass(frozen=True)
class Break:
    """Where it breaks: connection number (from 0), whether on the way to the server, after so many bytes, and how (see KINDS)."""

    connection: int
    to_server: bool
    after: int
    kind: str

    def __str__(self) -> str:
        """In words."""
        way = "to" if self.to_server else "from"
        return f"connection {self.connection} {self.kind} after {self.after} bytes {way} the server"


def break_of(chance: random.Random, most: int) -> Break:
    """A break at random.

    Args:
        chance: decides.
        most: bytes that the first connection carries, in one direction. In a part of the cases it breaks early on, in the handshakes.
    """
    connection = chance.choice((0, 0, 0, 0, 1, 2))
    most = min(most, _FEWER_BYTES) if connection else most
    after = int(most ** chance.random()) if chance.random() < 0.2 else chance.randrange(most)
    return Break(connection, chance.random() < 0.5, after, chance.choice(KINDS))


class BreakingWay:
    """Listens on 127.0.0.1 and passes on to a server until it breaks.

    Attributes:
        port: to which clients go.
        struck: whether it has broken.
    """

    def __init__(self, host: str, port: int, planned: Break) -> None:
        self._target, self._planned = (host, port), planned
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.struck = False
        self._over = threading.Event()
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()

    def __enter__(self) -> BreakingWay:
        threading.Thread(target=self._accept, name="breaking-way", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._close_listener()
        with self._lock:
            for side in self._open:
                with contextlib.suppress(OSError):
                    side.shutdown(socket.SHUT_RDWR)
                side.close()

    def _close_listener(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        number = 0
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target, 5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self._lock:
                self._open += [client, server]
            for to_server in (True, False):
                sides = (client, server) if to_server else (server, client)
                threading.Thread(target=self._pass_on, args=(number, to_server, *sides), daemon=True).start()
            number += 1

    def _pass_on(self, number: int, to_server: bool, source: socket.socket, target: socket.socket) -> None:
        planned = self._planned
        mine = number == planned.connection and to_server == planned.to_server
        left = planned.after
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                if mine and len(data) >= left:
                    self.struck = True
                    self._strike(data[:left], source, target)
                    return
                left -= len(data)
                target.sendall(data)
        for side in (source, target):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def _strike(self, head: bytes, source: socket.socket, target: socket.socket) -> None:
        kind = self._planned.kind
        if kind in ("torn", "silent"):
            target.sendall(head)
        if kind == "silent":
            self._over.wait(60)
            return
        if kind == "gone":
            self._close_listener()
        for side in (source, target):
            with contextlib.suppress(OSError):
                if kind == "reset":
                    side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                side.shutdown(socket.SHUT_RDWR)
        if kind == "reset":
            source.close()
            target.close()
