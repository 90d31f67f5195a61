# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Transports over every connection plugin, in this process, set up as the inventory of the estate sets them up."""

from __future__ import annotations

import threading
from typing import Any

from lab.connections import CONNECTIONS
from lab.estate import ACCOUNTS, Estate

_LOADING = threading.Lock()
#: variables that a plugin takes as they are
_EXTRAS = {"winrm": "ansible_winrm_", "psrp": "ansible_psrp_"}


def plugin(estate: Estate, name: str, user: str = "svc-sync", *, password: str | None = None, **changes: Any) -> Any:
    """The connection plugin of a way (see lab.connections), not connected yet; changes: variables of the inventory."""
    with _LOADING:  # Ansible's loaders are made for one thread
        from ansible.playbook.play_context import PlayContext
        from ansible.plugins.loader import connection_loader

        way = CONNECTIONS[name]
        variables = {**way.variables(estate, user, ACCOUNTS[user][0] if password is None else password), **changes}
        context = PlayContext()
        context.remote_addr, context.remote_user, context.port = (variables[f"ansible_{one}"] for one in ("host", "user", "port"))
        context.connection = way.plugin
        connection = connection_loader.get(way.plugin, context, None)
        prefix = _EXTRAS.get(way.plugin, "-")
        extras = {variable: value for variable, value in variables.items() if variable.startswith(prefix)}
        connection.set_options(var_options={**variables, "_extras": extras}, direct={})  # as the executor of tasks does
        return connection


def transport(estate: Estate, name: str, user: str = "svc-sync", **changes: Any) -> Any:
    """The same behind the transport of the action plugins."""
    from ansible_collections.hybrid.identity.plugins.plugin_utils._connection import ConnectionTransport

    return ConnectionTransport(plugin(estate, name, user, **changes), "sync1")
