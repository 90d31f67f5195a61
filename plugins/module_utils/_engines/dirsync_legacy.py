# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The engine `dirsync_legacy`: DirSync before build 6862, with the snap-in Coexistence-Configuration or its console file. Private to the collection."""

from __future__ import annotations

from dataclasses import dataclass

from ._contract import DirSyncFolder, Survey
from ._dirsync import DirSync

#: the snap-in is registered with Windows, so it may be had without any folder
_NO_FOLDER = DirSyncFolder("", False, False, None)


@dataclass(frozen=True)
class DirSyncLegacyEngine(DirSync):
    """See Engine."""

    name: str = "dirsync_legacy"

    def folder_of(self, survey: Survey) -> DirSyncFolder | None:
        """See DirSync.folder_of."""
        if any(folder.module for folder in survey.dirsync):
            return None
        with_console = next((folder for folder in survey.dirsync if folder.console_file), None)
        return with_console or next(iter(survey.dirsync), _NO_FOLDER)
