# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The engines, one file each, and the registry of them. Private to the collection."""

from __future__ import annotations

from ._contract import Engine
from .aadsync import AadSyncEngine
from .connect import ConnectEngine
from .dirsync import DirSyncEngine
from .dirsync_legacy import DirSyncLegacyEngine

#: every engine that can be driven, the likeliest first: with engine=auto the first one looks what is installed
ENGINES: tuple[Engine, ...] = (ConnectEngine(), AadSyncEngine(), DirSyncEngine(), DirSyncLegacyEngine())
