# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What DirSync, AAD Sync and the older builds of Azure AD Connect share: a synchronisation engine of the FIM family and Windows around it.

Behaviour follows Microsoft's published references (Run History XML, MIIS_RunHistory, MIIS_ManagementAgent) and field
scripts; what has no source is marked `assumption`.
"""

from __future__ import annotations

from .engine import FimEngine
from .options import FIM_FAULTS, FimOptions
from .server import FimServer

__all__ = ["FIM_FAULTS", "FimEngine", "FimOptions", "FimServer"]
