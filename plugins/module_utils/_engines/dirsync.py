# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The engine `dirsync`: DirSync from build 6862 (June 2014), whose module DirSync lies in the install folder. Private to the collection."""

from __future__ import annotations

from dataclasses import dataclass

from ._contract import DirSyncFolder, Survey
from ._dirsync import DirSync


@dataclass(frozen=True)
class DirSyncEngine(DirSync):
    """See Engine."""

    name: str = "dirsync"

    def folder_of(self, survey: Survey) -> DirSyncFolder | None:
        """See DirSync.folder_of."""
        return next((folder for folder in survey.dirsync if folder.module), None)
