# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The action plugin of entra_user: does the module's work in the process of the task where it can be done there."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.hybrid.identity.plugins.modules import entra_user
from ansible_collections.hybrid.identity.plugins.plugin_utils._here import done_here


class ActionModule(ActionBase):
    """Changes nothing of what the module does, only where."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """See ActionBase.run."""
        super().run(tmp, task_vars)
        result = done_here(self, entra_user.ARGUMENT_SPEC, entra_user.work, self._task.args, task_vars)
        if result is not None:
            return result
        # As Ansible itself runs a module that has no action plugin.
        in_background = bool(self._task.async_val) and not self._connection.has_native_async
        result = dict(self._execute_module(module_name="hybrid.identity.entra_user", task_vars=task_vars, wrap_async=in_background))
        if not in_background:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result
