# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The task over both transports, in this process: what the module does, and what the action plugin does."""

from __future__ import annotations

import threading
from typing import Any

import procedures

from ansible_collections.hybrid.identity.plugins.module_utils._deadline import Deadline
from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import RemoteShell
from lab.estate import Estate

_LOADING = threading.Lock()


def trigger(estate: Estate, transport: str, user: str, params: dict[str, Any]) -> dict[str, Any]:
    """dirsync_trigger over a transport (winrm or connection); a failure comes back as its result, anything else is raised."""
    if transport == "winrm":
        return procedures.trigger(estate, user, **params)
    shell = RemoteShell(connection_transport(estate, user), Deadline(params["wait_timeout"]))
    return procedures.trigger_over([("sync1", shell)], **params)


def connection_transport(estate: Estate, user: str) -> Any:
    """Ansible's own winrm connection plugin, set up as the inventory of the estate sets it up, behind the transport of the action plugin."""
    with _LOADING:  # Ansible's loaders are made for one thread
        from ansible.playbook.play_context import PlayContext
        from ansible.plugins.loader import connection_loader

        from ansible_collections.hybrid.identity.plugins.plugin_utils._connection import ConnectionTransport

        variables = estate.connection_variables(user=user)
        context = PlayContext()
        context.remote_addr = variables["ansible_host"]
        connection = connection_loader.get("winrm", context, None)
        connection.set_options(var_options={**variables, "_extras": {}}, direct={})  # as the executor of tasks does
    return ConnectionTransport(connection, "sync1")
