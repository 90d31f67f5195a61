# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Report files: names that are nobody else's, whole or not there, never through a link. Private to the collection."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from typing import Mapping

from .._failure import HybridIdentityError

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
        folder = _open_folder(directory)
        try:
            name = f"{stem}-{secrets.token_hex(3)}"
            for suffix, text in contents.items():
                _write_hidden(folder, f".{name}{suffix}.part", text, made)
            for suffix in contents:
                _reveal(folder, f".{name}{suffix}.part", f"{name}{suffix}")
            os.fsync(folder)
        finally:
            for leftover in made:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(leftover, dir_fd=folder)
            os.close(folder)
    except OSError as error:
        raise HybridIdentityError("invalid_input", f"The report cannot be written to {directory}: {error.strerror}.") from None
    return [os.path.join(directory, name + suffix) for suffix in contents]


def _open_folder(directory: str) -> int:
    """Held open from here on, so that nobody can put another folder into its place."""
    there = os.lstat(directory)
    if stat.S_ISLNK(there.st_mode) and there.st_uid not in (0, os.geteuid()):
        raise HybridIdentityError(
            "invalid_input", f"The report cannot be written to {directory}: it is a link that belongs to somebody else."
        )
    return os.open(directory, os.O_RDONLY | os.O_DIRECTORY)


def _write_hidden(folder: int, name: str, text: str, made: list[str]) -> None:
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _FILE_MODE, dir_fd=folder)
    made.append(name)
    with open(handle, "w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _reveal(folder: int, hidden: str, name: str) -> None:
    """Give the file its name, but not that of another file."""
    try:
        os.link(hidden, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: the name is taken first, then the content moves onto it
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _FILE_MODE, dir_fd=folder))
        os.replace(hidden, name, src_dir_fd=folder, dst_dir_fd=folder)
