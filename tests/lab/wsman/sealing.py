# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Sealed messages: a SOAP body encrypted by the connection's security context (MS-WSMV 2.2.9.1: SPNEGO, Kerberos and CredSSP)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import spnego

#: word of the Authorization header -> what sealed messages are called after it
_PROTOCOLS = {
    "negotiate": "application/HTTP-SPNEGO-session-encrypted",
    "ntlm": "application/HTTP-SPNEGO-session-encrypted",
    "kerberos": "application/HTTP-Kerberos-session-encrypted",
    "credssp": "application/HTTP-CredSSP-session-encrypted",
}
#: bytes that CredSSP seals in one piece, which is what one TLS record holds
_PIECE = 16384
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


def content_type(scheme: str, message: bytes) -> str:
    """The Content-Type of a sealed message, by the scheme that the connection was authenticated with."""
    kind = "x-multi-encrypted" if scheme == "credssp" and len(message) > _PIECE else "encrypted"
    return f'multipart/{kind};protocol="{_PROTOCOLS[scheme]}";boundary="Encrypted Boundary"'


def unseal(context: spnego.ContextProxy, scheme: str, body: bytes) -> bytes:
    """The clear message. Raises BadSeal; the context is then out of step and the connection of no more use."""
    end = body.rfind(_END)
    heads = list(_HEAD.finditer(body, 0, max(end, 0)))
    if not heads or heads[0].start() != 0 or (len(heads) > 1 and scheme != "credssp"):
        raise BadSeal("not the framing of a sealed message")
    ends = [*(head.start() for head in heads[1:]), end]
    return b"".join(_unseal_piece(context, scheme, head, body[head.end() : until]) for head, until in zip(heads, ends, strict=True))


def _unseal_piece(context: spnego.ContextProxy, scheme: str, head: re.Match[bytes], sealed: bytes) -> bytes:
    from spnego.exceptions import SpnegoError

    if len(sealed) < 4 or head.group(1).decode("ascii", "replace").strip().lower() != _PROTOCOLS[scheme].lower():
        raise BadSeal("not the framing of a sealed message")
    header_length = int.from_bytes(sealed[:4], "little")
    try:
        message = context.unwrap_winrm(sealed[4 : 4 + header_length], sealed[4 + header_length :])
    except (SpnegoError, ValueError):
        raise BadSeal("the signature is wrong") from None
    # Kerberos may count its padding in (RFC 4121 has none, older ciphers have).
    if len(message) != int(head.group(2)):
        raise BadSeal("the length is wrong")
    return message


def seal(context: spnego.ContextProxy, scheme: str, message: bytes) -> bytes:
    """The body for `content_type`. Every call moves the context's sequence number: seal in the order of sending."""
    size = _PIECE if scheme == "credssp" else max(len(message), 1)
    pieces = [message[at : at + size] for at in range(0, len(message), size)] or [b""]
    return b"".join([*(_seal_piece(context, scheme, piece) for piece in pieces), _END, b"\r\n"])


def _seal_piece(context: spnego.ContextProxy, scheme: str, piece: bytes) -> bytes:
    wrapped = context.wrap_winrm(piece)
    length = len(piece) + wrapped.padding_length
    return b"".join((
        f"--Encrypted Boundary\r\n\tContent-Type: {_PROTOCOLS[scheme]}\r\n".encode(),
        f"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={length}\r\n".encode(),
        b"--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n",
        len(wrapped.header).to_bytes(4, "little"), wrapped.header, wrapped.data,
    ))  # fmt: skip
