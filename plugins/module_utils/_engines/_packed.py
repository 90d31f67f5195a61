# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Long answers go back packed: both ends of that. Private to the collection."""

from __future__ import annotations

import base64
import binascii
import zlib

from .._printable import printable
from .._remote._call import AnswerError

PACK = r"""
function ConvertTo-Packed($Rows, $Depth) {
    $memory = New-Object -TypeName System.IO.MemoryStream
    $packer = New-Object -TypeName System.IO.Compression.GZipStream -ArgumentList $memory, ([System.IO.Compression.CompressionMode]::Compress)
    $bytes = [System.Text.Encoding]::UTF8.GetBytes((ConvertTo-Json -InputObject @($Rows) -Compress -Depth $Depth))
    $packer.Write($bytes, 0, $bytes.Length)
    $packer.Close()
    return [Convert]::ToBase64String($memory.ToArray())
}
"""


def unpacked(packed: str, most: int, what: str) -> bytes:
    """What ConvertTo-Packed packed: JSON in UTF-8.

    Args:
        most: bytes that it may come to. what: what it is, for the sentence of the error.

    Raises:
        AnswerError: it is larger, or was never packed like that.
    """
    try:
        expander = zlib.decompressobj(16 + zlib.MAX_WBITS)
        plain = expander.decompress(base64.b64decode(packed, validate=True), most)
    except (ValueError, binascii.Error, zlib.error) as error:
        raise AnswerError(f"{what} makes no sense: {printable(type(error).__name__)}") from None
    if expander.unconsumed_tail:
        raise AnswerError(f"{what} is larger than any script returns")
    if not expander.eof:
        raise AnswerError(f"{what} is not whole")
    return plain
