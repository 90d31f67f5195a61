# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The action plugin of dirsync_info: the same procedure as the module, over the task's own connection."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ansible_collections.hybrid.identity.plugins.module_utils._passwords._inform import inform
from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import RemoteShell
from ansible_collections.hybrid.identity.plugins.module_utils._sync._options import INFO_OPTIONS
from ansible_collections.hybrid.identity.plugins.plugin_utils._action import ConnectionAction


class ActionModule(ConnectionAction):
    """See ConnectionAction."""

    MODULE = "hybrid.identity.dirsync_info"
    OPTIONS = INFO_OPTIONS

    def carry(self, shell: RemoteShell, params: dict[str, Any], name: str, now: datetime) -> dict[str, Any]:
        """See ConnectionAction.carry."""
        return {"server": name, **inform(shell, params, now=now)}
