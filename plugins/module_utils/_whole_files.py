# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Files that are whole or not there, never take the place of another one, and never go through a link. Private to the collection."""

from __future__ import annotations

import os
import stat


class ForeignLink(Exception):
    """A folder is a link that belongs to somebody else."""


def open_folder(directory: str) -> int:
    """Held open from here on, so that nobody can put another folder into its place. Raises ForeignLink, OSError."""
    there = os.lstat(directory)
    if stat.S_ISLNK(there.st_mode) and there.st_uid not in (0, os.geteuid()):
        raise ForeignLink(directory)
    return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def create_hidden(folder: int, name: str, mode: int) -> int:
    """A new empty file, open for writing. Raises OSError."""
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=folder)


def fill(handle: int, content: bytes) -> None:
    """Write a new file; it is on the disk when this returns. The handle is closed. Raises OSError."""
    with open(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)


def reveal(folder: int, hidden: str, name: str, mode: int) -> None:
    """Give a file its name, but not that of another file. Raises FileExistsError."""
    try:
        os.link(hidden, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: the name is taken first, then the content moves onto it
        os.close(create_hidden(folder, name, mode))
        os.replace(hidden, name, src_dir_fd=folder, dst_dir_fd=folder)
