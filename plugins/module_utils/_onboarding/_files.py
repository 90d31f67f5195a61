# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Report files: names that are nobody else's, whole or not there, never through a link. Private to the collection."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import Mapping

from .._failure import HybridIdentityError
from .._whole_files import ForeignLink, create_hidden, fill, open_folder, reveal

# Personal data: nobody but the owner and the group reads it.
_FILE_MODE, _FOLDER_MODE = 0o640, 0o750


def write_files(directory: str, stem: str, contents: Mapping[str, str]) -> list[str]:
    """Write files whose names have not been there before; each appears with its whole content.

    Args:
        directory: absolute; made if needed. A link that belongs to somebody else is refused.
        stem: of the names; random letters are added to it.
        contents: suffix -> text.

    Returns:
        Their paths, in the order of `contents`.

    Raises:
        HybridIdentityError: invalid_input.
    """
    made: list[str] = []
    try:
        os.makedirs(directory, mode=_FOLDER_MODE, exist_ok=True)
        folder = open_folder(directory)
        try:
            name = f"{stem}-{secrets.token_hex(3)}"
            for suffix, text in contents.items():
                hidden = f".{name}{suffix}.part"
                handle = create_hidden(folder, hidden, _FILE_MODE)
                made.append(hidden)
                fill(handle, text.encode("utf-8"))
            for suffix in contents:
                reveal(folder, f".{name}{suffix}.part", f"{name}{suffix}", _FILE_MODE)
            os.fsync(folder)
        finally:
            for leftover in made:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(leftover, dir_fd=folder)
            os.close(folder)
    except ForeignLink:
        raise HybridIdentityError(
            "invalid_input", f"The report cannot be written to {directory}: it is a link that belongs to somebody else."
        ) from None
    except OSError as error:
        raise HybridIdentityError("invalid_input", f"The report cannot be written to {directory}: {error.strerror}.") from None
    return [os.path.join(directory, name + suffix) for suffix in contents]
