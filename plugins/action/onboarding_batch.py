# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The action plugin of onboarding_batch: finds relative paths on the controller, then the module does the work."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._paths import absolute
from ansible_collections.hybrid.identity.plugins.modules import onboarding_batch
from ansible_collections.hybrid.identity.plugins.plugin_utils._here import done_here

_PATHS = ("src", "ca_cert", "certificate_path", "federated_token_file")


class ActionModule(ActionBase):
    """A module on localhost runs in the folder of the playbook, which is not where the command was given."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """See ActionBase.run."""
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if self._connection.transport == "local":
            folder = str((task_vars or {}).get("playbook_dir") or "")
            for name in _PATHS:
                if arguments.get(name):
                    arguments[name] = absolute(str(arguments[name]), folder)
            if isinstance(arguments.get("paths"), dict):
                arguments["paths"] = {name: absolute(str(path), folder) if path else "" for name, path in arguments["paths"].items()}
        spec, exclusive = onboarding_batch.ARGUMENT_SPEC, [onboarding_batch.SOURCES]
        result = done_here(self, spec, onboarding_batch.work, arguments, task_vars, exclusive=exclusive)
        if result is not None:
            return result
        return dict(self._execute_module(module_name="hybrid.identity.onboarding_batch", module_args=arguments, task_vars=task_vars))
