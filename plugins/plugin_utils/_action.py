# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The base of the action plugins that go over the task's own connection. Private to the collection."""

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime, timezone
from typing import Any, Sequence

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.hybrid.identity.plugins.module_utils._deadline import Deadline
from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import RemoteShell
from ansible_collections.hybrid.identity.plugins.module_utils._sync._options import CONNECTION_OPTIONS, INFO_SECONDS

from ._connection import ConnectionTransport

display = Display()


class ConnectionAction(ActionBase):
    """Runs a procedure over the connection of the task, or hands over to the Python module of the same name.

    The module takes over where there is no Windows host behind the connection: with O(server) given, or on localhost.
    """

    _supports_check_mode = True
    _supports_async = False

    #: fully qualified name of the module, its options beside the connection, and which of them exclude each other
    MODULE: str
    OPTIONS: dict[str, Any]
    EXCLUSIVE: Sequence[tuple[str, ...]] = ()

    @abstractmethod
    def carry(self, shell: RemoteShell, params: dict[str, Any], name: str, now: datetime) -> dict[str, Any]:
        """Do the work. Raises HybridIdentityError."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """See ActionBase.run."""
        now = datetime.now(timezone.utc)
        super().run(tmp, task_vars)
        if self._task.args.get("server") or self._connection.transport == "local":
            return dict(self._execute_module(module_name=self.MODULE, module_args=dict(self._task.args), task_vars=task_vars))
        validator = ArgumentSpecValidator({**CONNECTION_OPTIONS, **self.OPTIONS}, mutually_exclusive=list(self.EXCLUSIVE))
        validation = validator.validate({name: _plain(value) for name, value in self._task.args.items()})
        if validation.error_messages:
            raise AnsibleActionFail("; ".join(validation.error_messages))
        name = str((task_vars or {}).get("inventory_hostname") or self._task.delegate_to or "the sync server")
        if self._task.delegate_to:
            name = str(self._task.delegate_to)
        deadline = Deadline(validation.validated_parameters.get("wait_timeout") or INFO_SECONDS)
        shell = RemoteShell(ConnectionTransport(self._connection, name), deadline, trace=lambda line: display.vvvv(line, host=name))
        try:
            result = self.carry(shell, validation.validated_parameters, name, now)
        except HybridIdentityError as error:
            result = error.as_result()
        finally:
            shell.close()
        if not self._task.diff:
            result.pop("diff", None)
        return result

    def show(self, line: str) -> None:
        """Progress, shown at once while the task runs."""
        display.display(line)


def _plain(value: Any) -> Any:
    """Without the tags that newer ansible-core puts on values: libraries want the real types."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
