# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Sealed messages: a SOAP body encrypted by the connection's security context (MS-WSMV 2.2.9.1, SPNEGO)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import spnego

_PROTOCOL = "application/HTTP-SPNEGO-session-encrypted"
CONTENT_TYPE = f'multipart/encrypted;protocol="{_PROTOCOL}";boundary="Encrypted Boundary"'
_END = b"--Encrypted Boundary--"
_HEAD = re.compile(
    rb"--Encrypted Boundary\r\n\s*Content-Type: ([^\r\n]+)\r\n\s*OriginalContent: type=[^\r\n]*?;Length=(\d+)\r\n"
    rb"--Encrypted Boundary\r\n\s*Content-Type: application/octet-stream\r\n"
)


class BadSeal(Exception):
    """The body is not a sealed message of this connection."""


def is_sealed(content_type: str) -> bool:
    """Whether a request with this Content-Type claims to be sealed."""
    return content_type.strip().lower().startswith(("multipart/encrypted", "multipart/x-multi-encrypted"))


def unseal(context: spnego.ContextProxy, body: bytes) -> bytes:
    """The clear message. Raises BadSeal; the context is then out of step and the connection of no more use."""
    from spnego.exceptions import SpnegoError

    head = _HEAD.match(body)
    end = body.rfind(_END)
    if not head or end < head.end() + 4 or head.group(1).decode("ascii", "replace").strip().lower() != _PROTOCOL.lower():
        raise BadSeal("not the framing of a sealed message")
    sealed = body[head.end() : end]
    header_length = int.from_bytes(sealed[:4], "little")
    try:
        message = context.unwrap_winrm(sealed[4 : 4 + header_length], sealed[4 + header_length :])
    except (SpnegoError, ValueError):
        raise BadSeal("the signature is wrong") from None
    if len(message) != int(head.group(2)):
        raise BadSeal("the length is wrong")
    return message


def seal(context: spnego.ContextProxy, message: bytes) -> bytes:
    """The body for CONTENT_TYPE. Every call moves the context's sequence number: seal in the order of sending."""
    wrapped = context.wrap_winrm(message)
    length = len(message) + wrapped.padding_length
    return b"".join((
        f"--Encrypted Boundary\r\n\tContent-Type: {_PROTOCOL}\r\n".encode(),
        f"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={length}\r\n".encode(),
        b"--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n",
        len(wrapped.header).to_bytes(4, "little"), wrapped.header, wrapped.data, _END, b"\r\n",
    ))  # fmt: skip
