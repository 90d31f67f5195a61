# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The base of the action plugins that go over the task's own connection. Private to the collection."""

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime, timezone
from typing import Any, Mapping, Sequence

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.errors import UnsupportedError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.hybrid.identity.plugins.module_utils._deadline import Deadline
from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import RemoteShell
from ansible_collections.hybrid.identity.plugins.module_utils._sync._options import CONNECTION_OPTIONS, INFO_SECONDS

from ._connection import ConnectionTransport

display = Display()

#: options of the connection that do not belong to the module alone
_ON_EVERY_WAY = ("server", "on_unreachable")
#: failure reasons with which a host may be told as unreachable
_NOT_GOT_AT = ("unreachable", "authentication_failed", "remoting_denied")


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
        arguments = {name: _plain(value) for name, value in self._task.args.items()}
        try:
            params = self._validate(arguments)
            if self._goes_by_module(arguments):
                result = dict(self._execute_module(module_name=self.MODULE, module_args=dict(self._task.args), task_vars=task_vars))
            else:
                result = self._over_connection(params, task_vars or {}, now)
        except HybridIdentityError as error:
            return error.as_result()
        if params["on_unreachable"] == "unreachable" and nothing_was_done(result):
            result.pop("failed", None)
            result["unreachable"] = True
        return result

    def _validate(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The options, with their defaults. Raises HybridIdentityError."""
        validator = ArgumentSpecValidator({**CONNECTION_OPTIONS, **self.OPTIONS}, mutually_exclusive=list(self.EXCLUSIVE))
        validation = validator.validate(arguments)
        sentences = [
            f"Unsupported parameters for {self.MODULE}: {error.msg}" if isinstance(error, UnsupportedError) else str(error.msg)
            for error in validation.errors
        ]
        if sentences:
            secrets = {str(arguments[name]) for name, option in CONNECTION_OPTIONS.items() if option.get("no_log") and arguments.get(name)}
            # The validators' own sentences end without a full stop, or with a list of names.
            text = str(remove_values(". ".join(sentence.rstrip(".") for sentence in sentences), secrets))
            raise HybridIdentityError("invalid_input", text + ".")
        return dict(validation.validated_parameters)

    def _goes_by_module(self, arguments: dict[str, Any]) -> bool:
        """Whether the Python module does it. Raises HybridIdentityError for what would be ignored, or cannot work, on the way that is taken."""
        named = bool(arguments.get("server"))
        if named and getattr(self._connection._shell, "_IS_WINDOWS", False):
            raise HybridIdentityError(
                "invalid_input",
                "server was given for a host that Ansible itself connects to as a Windows host, where no Python module can run: leave server out to "
                "use that connection, or add delegate_to: localhost to connect from there.",
            )
        if named or self._connection.transport == "local":
            return True
        ignored = [name for name in CONNECTION_OPTIONS if name not in _ON_EVERY_WAY and arguments.get(name) is not None]
        if ignored:
            raise HybridIdentityError(
                "invalid_input",
                f"{', '.join(ignored)} without server: the task goes over the connection of its host, which has settings of its own. Set them in the "
                "inventory (ansible_user, ansible_password, ansible_port and the variables of the connection plugin), or give server and "
                "delegate_to: localhost.",
            )
        if self._task.become or getattr(self._connection, "become", None) is not None:
            raise HybridIdentityError(
                "invalid_input",
                "become is not applied to what goes over a connection to Windows: set become: false for this task, and let the host's ansible_user be "
                "the account that shall do the work.",
            )
        return False

    def _over_connection(self, params: dict[str, Any], task_vars: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        """The procedure over the connection of the task. Raises HybridIdentityError."""
        name = str(self._task.delegate_to or task_vars.get("inventory_hostname") or "the sync server")
        transport = ConnectionTransport(self._connection, name)
        shell = RemoteShell(
            transport, Deadline(params.get("wait_timeout") or INFO_SECONDS), trace=lambda line: display.vvvv(line, host=name)
        )
        try:
            result = self.carry(shell, params, name, now)
        except HybridIdentityError as error:
            result = error.as_result()
        finally:
            shell.close()
        if transport.warnings:
            result["warnings"] = [*result.get("warnings", []), *transport.warnings]
        if not self._task.diff:
            result.pop("diff", None)
        return result

    def show(self, line: str) -> None:
        """Progress, shown at once while the task runs; on standard error, because standard output may be a document (a callback like json)."""
        display.display(line, stderr=True)


def nothing_was_done(result: Mapping[str, Any]) -> bool:
    """Whether a result says that the server could not be got at, and that nothing had been asked of it before."""
    if not result.get("failed") or result.get("changed") or result.get("failure_reason") not in _NOT_GOT_AT:
        return False
    sync = result.get("sync")
    return not (isinstance(sync, dict) and sync.get("requested_at"))


def _plain(value: Any) -> Any:
    """Without the tags that newer ansible-core puts on values: libraries want the real types."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
