# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Where a relative path leads on the controller. Private to the collection."""

from __future__ import annotations

import os
from typing import Optional

_COLLECTION = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))


def absolute(path: str, playbook_folder: Optional[str], working_folder: Optional[str] = None) -> str:
    """The absolute path: of the working folder if something is there, else of the playbook's folder if something is there.

    Args:
        path: as given, with or without a tilde.
        playbook_folder: of the playbook; one inside this collection does not count, since nobody keeps files there.
        working_folder: in which the command was given; for tests.

    Returns:
        An absolute path, that of the working folder where nothing is anywhere.
    """
    path = os.path.expanduser(path)
    here = os.path.abspath(os.path.join(working_folder or os.getcwd(), path))
    if os.path.isabs(path) or os.path.exists(here) or not playbook_folder or _is_ours(playbook_folder):
        return here
    there = os.path.abspath(os.path.join(playbook_folder, path))
    return there if os.path.exists(there) else here


def _is_ours(folder: str) -> bool:
    real = os.path.realpath(folder)
    return real == _COLLECTION or real.startswith(_COLLECTION + os.sep)
