# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The password channel of a simulated sync server: hashes, events, the cmdlets that switch it.

Behaviour follows the product's public documentation and field reports; what has no source is marked `assumption`.
"""

from __future__ import annotations

from .channels import Channel, Person
from .cmdlets import PasswordCmdlets
from .texts import FAILURES

__all__ = ["FAILURES", "Channel", "PasswordCmdlets", "Person"]
