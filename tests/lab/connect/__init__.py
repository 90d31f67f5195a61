# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The simulated Entra Connect Sync 2.6 server: one state, and everything that can be asked of it as a simulated cmdlet.

Behaviour follows the product's public documentation and field reports; what has no source is marked `assumption`.
"""

from __future__ import annotations

from .errors import Caller, CmdletError
from .options import FAULTS, PLACES, ConnectOptions
from .record import CycleTruth, ServerRecord, StartRequest, TaskTruth
from .server import ConnectServer

__all__ = [
    "FAULTS",
    "PLACES",
    "Caller",
    "CmdletError",
    "ConnectOptions",
    "ConnectServer",
    "CycleTruth",
    "ServerRecord",
    "StartRequest",
    "TaskTruth",
]
