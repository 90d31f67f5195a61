# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""A WS-Management (WinRM) server for tests: authentication, message encryption, WinRS shells and faults like a Windows host's."""

from __future__ import annotations

from lab.wsman.faults import FAULTS, Fault, Faults, Struck
from lab.wsman.log import AuditRecord, RequestLog
from lab.wsman.server import WsmanServer
from lab.wsman.shell import Evaluator, RemoteCommand

__all__ = ["FAULTS", "AuditRecord", "Evaluator", "Fault", "Faults", "RemoteCommand", "RequestLog", "Struck", "WsmanServer"]
