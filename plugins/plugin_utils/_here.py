# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""A module's work in the process of its task, where a process of its own would add nothing but its start. Private to the collection.

On the controller a module with a local connection is run by the Python that runs the task already: packing it, starting a process and
loading its libraries once more is most of the time that a task for a few people takes. What the work reads, writes and returns is the same,
and its arguments, with their secrets, do not leave the process.
"""

from __future__ import annotations

import contextlib
import os
import sys
from datetime import date
from typing import Any, Callable, Iterator, Mapping, NoReturn, Sequence

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.hybrid.identity.plugins.module_utils._module_exit import ModuleLike

display = Display()


class _Left(Exception):
    """Leads out of the work, as the end of its process would. result: of the module."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__()
        self.result = result


class HereModule:
    """What work asks of AnsibleModule. See ModuleLike."""

    def __init__(self, params: dict[str, Any], secrets: set[str], *, check_mode: bool, diff: bool) -> None:
        self.params, self.no_log_values = params, secrets
        self.check_mode, self._diff = check_mode, diff
        self._warnings: list[str] = []

    def warn(self, warning: str) -> None:
        """Shown by Ansible."""
        self._warnings.append(warning)

    def debug(self, msg: str) -> None:
        """Shown when Ansible is debugged."""
        display.debug(msg)

    def exit_json(self, **result: Any) -> NoReturn:
        """Leave, with the secrets taken out of the result as AnsibleModule does it."""
        result.setdefault("invocation", {"module_args": self.params})
        kept = {name: value for name, value in result.items() if value is None or isinstance(value, bool)}
        cleaned = {**remove_values(result, self.no_log_values), **kept}
        if self._warnings:
            cleaned["warnings"] = list(remove_values(self._warnings, self.no_log_values))
        raise _Left(cleaned)

    def fail_json(self, msg: str, **result: Any) -> NoReturn:
        """Leave, with a failure. A traceback is for the log of a process that does not end here."""
        result.pop("exception", None)
        self.exit_json(msg=msg, failed=True, **result)


def done_here(
    action: ActionBase,
    spec: Mapping[str, Any],
    work: Callable[[ModuleLike], None],
    arguments: Mapping[str, Any],
    task_vars: Mapping[str, Any] | None,
    *,
    exclusive: Sequence[Sequence[str]] = (),
) -> dict[str, Any] | None:
    """The result of a module whose work is done in this process.

    Args:
        action: of the task.
        spec, exclusive: argument spec of the module, and which options exclude each other.
        work: everything that the module does once its arguments are read; it leaves by exit_json or fail_json.
        arguments: of the task.
        task_vars: of the task.

    Returns:
        None where it has to be the module in a process of its own: another machine, Python or account, an environment or a time-out in the
        background of its own, and arguments that are not as they should be, because the module says that in Ansible's usual words.
    """
    if not _is_this_process(action, task_vars or {}):
        return None
    validation = ArgumentSpecValidator(dict(spec), mutually_exclusive=[list(group) for group in exclusive]).validate(plain(arguments))
    if validation.errors.messages:
        return None
    secrets = {str(value) for value in validation._no_log_values if value}  # pylint: disable=protected-access  # there is no public way
    task = action._task
    module = HereModule(dict(validation.validated_parameters), secrets, check_mode=bool(task.check_mode), diff=bool(task.diff))
    with _in_folder(action._loader.get_basedir()):
        try:
            work(module)
        except _Left as left:
            return left.result
    raise AssertionError("work leaves by exit_json or fail_json")


def _is_this_process(action: ActionBase, task_vars: Mapping[str, Any]) -> bool:
    task, connection = action._task, action._connection
    if getattr(connection, "transport", "") != "local" or task.become or task.async_val or task.delegate_to or any(task.environment or []):
        return False
    interpreter = task_vars.get("ansible_python_interpreter")
    return bool(interpreter) and _environment(str(action._templar.template(interpreter))) == _environment(sys.executable)


def _environment(python: str) -> tuple[str, str]:
    """What a path of a Python leads to: the folder, which makes the environment, and the program. There are several names for one of them."""
    return os.path.realpath(os.path.dirname(python)), os.path.realpath(python)


@contextlib.contextmanager
def _in_folder(folder: str) -> Iterator[None]:
    """Relative paths mean what they mean to a module with a local connection. The process belongs to this task alone."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def plain(value: Any) -> Any:
    """Values as a module gets them: without tags of Ansible, decrypted, and with texts for dates."""
    if value is None or isinstance(value, bool):
        return value
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    return str(value)
