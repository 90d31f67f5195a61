# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The simulated server of AAD Sync 1.0.4xx and Azure AD Connect 1.0: an executable that runs the cycle, and a scheduled task."""

from __future__ import annotations

from .options import AadSyncOptions, aad_connect_1_0_options
from .server import AadSyncServer

__all__ = ["AadSyncOptions", "AadSyncServer", "aad_connect_1_0_options"]
