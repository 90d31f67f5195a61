# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The action plugin of ad_users: generates initial passwords on the controller and hands them over, then the module does the work."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.hybrid.identity.plugins.module_utils._directory._passwords import (
    ALPHABET,
    LENGTH,
    PasswordRule,
    names_of,
    person_key,
    read_passwords,
)
from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._paths import absolute
from ansible_collections.hybrid.identity.plugins.modules import ad_users
from ansible_collections.hybrid.identity.plugins.plugin_utils._here import done_here
from ansible_collections.hybrid.identity.plugins.plugin_utils._password_file import PasswordFiles

_MODULE = "hybrid.identity.ad_users"


class ActionModule(ActionBase):
    """Everything but passwords is the module's.

    The passwords of single people go to the module as one text: that is one secret to mask instead of thousands, and with a local connection
    it is never in a file, because the module goes to Python through a pipe.
    """

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """See ActionBase.run."""
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        with self._through_a_pipe():
            try:
                if boolean(arguments.get("generate_passwords") or False, strict=False):
                    return self._generate(arguments, task_vars or {})
            except HybridIdentityError as error:
                return error.as_result()
            return self._module(_gathered(arguments, {}), task_vars)

    def _generate(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Look who needs a password, hand over those of them who have none, and only then write accounts. Raises HybridIdentityError."""
        predicts = bool(self._task.check_mode)
        look = self._look(_gathered(arguments, {}), task_vars)
        users = arguments.get("users")
        if look.get("failed") or look.get("unreachable") or not isinstance(users, Sequence) or not isinstance(look.get("accounts"), list):
            return look
        needing = _needing(users, look["accounts"], read_passwords(_plain(arguments.get("passwords"))) or {})
        files = None
        if needing:
            path = absolute(str(arguments["password_file"]), str(task_vars.get("playbook_dir") or ""))
            vault_id = str(arguments.get("password_vault_id") or "") or None
            files = PasswordFiles(path, self._loader._vault.secrets or [], vault_id)
            files.known()
        if predicts or not look.get("changed"):
            return {**look, "password_files": []}
        rule = PasswordRule(int(arguments.get("password_length") or LENGTH), str(arguments.get("password_alphabet") or ALPHABET))
        labels = {number: str(account.get("upn") or _key_of(users[number])) for number, account in needing.items()}
        made = {
            labels[number]: partial(rule.make, names_of(str(account.get("sam_account_name") or ""), _display_name(users[number])))
            for number, account in needing.items()
        }
        handed = files.hand_over(made) if files else {}
        own = {_key_of(users[number]): handed[label][0] for number, label in labels.items()}
        result = self._module(_gathered(arguments, own), task_vars)
        return {**result, "password_files": sorted({path for _password, path in handed.values()})}

    def _look(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """What the module would do."""
        before = self._task.check_mode
        self._task.check_mode = True
        try:
            return self._module(arguments, task_vars)
        finally:
            self._task.check_mode = before

    def _module(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        result = done_here(self, ad_users.OPTIONS, ad_users.work, arguments, task_vars)
        if result is not None:
            return result
        return dict(self._execute_module(module_name=_MODULE, module_args=dict(arguments), task_vars=task_vars))

    @contextlib.contextmanager
    def _through_a_pipe(self) -> Iterator[None]:
        """With a local connection, so that not even a killed run leaves a file with secrets behind; elsewhere as the connection is set."""
        if self._connection.transport != "local" or self._task.become:
            yield
            return
        try:
            before = self._connection.get_option("pipelining")
            self._connection.set_option("pipelining", True)
        except (KeyError, AttributeError):
            yield
            return
        try:
            yield
        finally:
            self._connection.set_option("pipelining", before)


def _gathered(arguments: Mapping[str, Any], generated: Mapping[str, str]) -> dict[str, Any]:
    """The arguments with all passwords of single people in one text. What is not as it should be stays: the module says what is wrong with it."""
    users, passwords = arguments.get("users"), read_passwords(_plain(arguments.get("passwords")))
    if (
        not isinstance(users, Sequence)
        or isinstance(users, str)
        or not all(isinstance(user, Mapping) for user in users)
        or passwords is None
    ):
        return dict(arguments)
    keys = [_key_of(user) for user in users]
    # Rows that name the same person are a fault; each keeps what it has until that is said.
    own = (
        {key: str(user["password"]) for key, user in zip(keys, users) if key and user.get("password")}
        if len(set(keys)) == len(keys)
        else {}
    )
    every = {**passwords, **generated, **own}
    if not every:
        return dict(arguments)
    left = [{name: value for name, value in user.items() if name != "password" or _key_of(user) not in own} for user in users]
    return {**arguments, "users": left, "passwords": json.dumps(every)}


def _needing(users: Sequence[Any], accounts: Sequence[Any], passwords: Mapping[str, str]) -> dict[int, Mapping[str, Any]]:
    """By their number in the batch those who get a password and have none of their own."""
    return {
        number: account
        for number, (user, account) in enumerate(zip(users, accounts))
        if "password" in (account.get("changes") or []) and not user.get("password") and _key_of(user) not in passwords
    }


def _key_of(user: Mapping[str, Any]) -> str:
    return person_key(user.get("upn")) or person_key(user.get("identity"))


def _display_name(user: Mapping[str, Any]) -> str:
    """Every name that may become a part of the display name."""
    return " ".join(str(user.get(option) or "") for option in ("display_name", "given_name", "surname", "upn"))


def _plain(value: Any) -> Any:
    """A dictionary of real texts: newer ansible-core puts tags on values, and encrypted ones are texts only when they are asked to be."""
    if isinstance(value, Mapping):
        return {str(name): str(text) for name, text in value.items() if text is not None}
    return None if value is None else str(value)
