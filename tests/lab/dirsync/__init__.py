# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The simulated DirSync server, before and from build 6862: services of FIM, its own scheduler service, snap-in or module."""

from __future__ import annotations

from .options import LEGACY_FOLDER, DirSyncOptions, legacy_options
from .server import DirSyncServer

__all__ = ["LEGACY_FOLDER", "DirSyncOptions", "DirSyncServer", "legacy_options"]
