# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The Python transport of the dirsync modules: AnsibleModule around the procedures, pywinrm underneath. Private to the collection."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule, env_fallback

from .._deadline import Deadline
from .._failure import HybridIdentityError
from .._module_exit import leave
from .._remote._call import RemoteShell
from .._remote._winrm import WinrmTransport
from ._options import CONNECTION_OPTIONS, ENVIRONMENT, INFO_SECONDS, read_winrm_options

Procedure = Callable[["list[tuple[str, RemoteShell]]", AnsibleModule, datetime], "dict[str, Any]"]


def argument_spec(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a module and those of the connection; some of the latter may come from the environment."""
    connection = {name: dict(option) for name, option in CONNECTION_OPTIONS.items()}
    for name, variable in ENVIRONMENT.items():
        connection[name]["fallback"] = (env_fallback, [variable])
    return {**connection, **options}


def run(module: AnsibleModule, procedure: Procedure) -> None:
    """Connect to the servers, do the work, leave through exit_json or fail_json. Everything that was opened is closed."""
    now = datetime.now(timezone.utc)
    deadline = Deadline(module.params.get("wait_timeout") or INFO_SECONDS)
    leave(module, lambda: _over_shells(module, procedure, now, deadline))


def _over_shells(module: AnsibleModule, procedure: Procedure, now: datetime, deadline: Deadline) -> dict[str, Any]:
    if not module.params.get("server"):
        raise HybridIdentityError("invalid_input", "server is missing: on localhost the task has to say which sync server it means.")
    shells: list[tuple[str, RemoteShell]] = []
    warnings: list[str] = []
    try:
        for name in module.params["server"]:
            transport = WinrmTransport(read_winrm_options(module.params, name))
            warnings += transport.warnings
            shells.append((name, RemoteShell(transport, deadline, trace=module.debug)))
        result = procedure(shells, module, now)
        return {**result, "warnings": [*result.get("warnings", []), *warnings]}
    except HybridIdentityError as error:
        error.details["warnings"] = [*error.details.get("warnings", []), *warnings]
        raise
    finally:
        for _name, shell in shells:
            shell.close()
