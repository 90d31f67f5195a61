# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""HTTP/1.1 with keep-alive over one accepted socket: just what WS-Management clients use."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from lab.wsman.log import RequestLog

_MAX_LINE = 64 * 1024  # NTLM and SPNEGO tokens travel in header lines
_MAX_HEADERS = 100
_MAX_BODY = 16 * 1024 * 1024
_REASONS = {
    200: "OK", 307: "Temporary Redirect", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 405: "Method Not Allowed", 411: "Length Required",
    413: "Request Entity Too Large", 500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable",
}  # fmt: skip


@dataclass(frozen=True)
class Request:
    """One request; names of the headers in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Response:
    """One answer. With `drop` nothing is sent and the connection is closed; with `close` it is closed after the answer.

    `cut`: only this share of the bytes is sent, and the connection closed. `pace`: seconds between one byte and the next.
    """

    status: int
    body: bytes = b""
    content_type: str = "application/soap+xml;charset=UTF-8"
    headers: list[tuple[str, str]] = field(default_factory=list)
    close: bool = False
    drop: bool = False
    cut: float = 1.0
    pace: float = 0.0

    def to_bytes(self) -> bytes:
        """Head and body in one piece."""
        lines = [f"HTTP/1.1 {self.status} {_REASONS[self.status]}", "Server: Microsoft-HTTPAPI/2.0"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.body:
            lines.append(f"Content-Type: {self.content_type}")
        if self.close:
            lines.append("Connection: close")
        lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


class _Refused(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def serve(sock: socket.socket, respond: Callable[[Request], Response], log: RequestLog, stopping: threading.Event) -> None:
    """Answer requests until the client or `respond` ends the connection, or `stopping` a slow answer. The caller closes the socket."""
    with sock.makefile("rb") as stream:
        while True:
            try:
                request = _read(stream, sock, log)
                if request is None:
                    return
                response = respond(request)
            except _Refused as refused:
                response = Response(refused.status, close=True)
            if response.drop:
                return
            answer = response.to_bytes()
            log.count(bytes_out=len(answer))
            if response.cut < 1.0:
                sock.sendall(answer[: max(1, int(len(answer) * response.cut))])
                return
            if response.pace:
                for at in range(len(answer)):
                    sock.sendall(answer[at : at + 1])
                    if stopping.wait(response.pace):
                        return
                continue
            sock.sendall(answer)  # one piece: two would meet Nagle and delayed acknowledgements, 40 ms each
            if response.close:
                return


def _line(stream: BinaryIO) -> bytes:
    line = stream.readline(_MAX_LINE + 1)
    if len(line) > _MAX_LINE:
        raise _Refused(400)
    return line


def _read(stream: BinaryIO, sock: socket.socket, log: RequestLog) -> Request | None:
    """Read one request; None at the end of the connection."""
    line = _line(stream)
    if not line:
        return None
    size = len(line)
    start = line.decode("latin-1").split()
    if len(start) != 3 or not start[2].startswith("HTTP/1."):
        raise _Refused(400)
    headers: dict[str, str] = {}
    for _unused in range(_MAX_HEADERS + 1):
        line = _line(stream)
        size += len(line)
        if line in (b"\r\n", b"\n"):
            break
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            if not line:
                return None
            raise _Refused(400)
        headers[name.strip().lower()] = value.strip()
    else:
        raise _Refused(400)
    body = _body(stream, sock, headers)
    if body is None:
        return None
    log.count(requests=1, bytes_in=size + len(body))
    return Request(start[0], start[1], headers, body)


def _body(stream: BinaryIO, sock: socket.socket, headers: dict[str, str]) -> bytes | None:
    if "transfer-encoding" in headers:
        raise _Refused(411)
    length = headers.get("content-length", "0")
    if not length.isdigit():
        raise _Refused(400)
    if int(length) > _MAX_BODY:
        raise _Refused(413)
    if headers.get("expect", "").lower() == "100-continue":
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = stream.read(int(length))
    return body if len(body) == int(length) else None
