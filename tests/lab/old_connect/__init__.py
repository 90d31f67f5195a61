# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The simulated server of Azure AD Connect 1.1 to 1.4 and later: the newest engine without what its build does not have yet."""

from __future__ import annotations

from .server import OldConnectOptions, OldConnectServer

__all__ = ["OldConnectOptions", "OldConnectServer"]
