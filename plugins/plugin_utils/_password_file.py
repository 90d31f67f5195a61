# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The file in which initial passwords are handed over: encrypted, whole or not there, never overwritten. Private to the collection."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from typing import Any, Callable, Mapping, Sequence

import yaml
from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib, is_encrypted, match_encrypt_secret

from ansible_collections.hybrid.identity.plugins.module_utils._directory._passwords import person_key
from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._whole_files import ForeignLink, create_hidden, fill, open_folder, reveal

_FILE_MODE, _FOLDER_MODE = 0o600, 0o700
#: more than this is no file of passwords (bytes)
_LARGEST = 64 * 1024 * 1024


class PasswordFiles:
    """A file of passwords and those beside it: name.yml, name-2.yml, name-3.yml, ... up to the first that is not there.

    Args:
        path: absolute, of the first.
        vault_secrets: of the loader, pairs of vault id and secret.
        vault_id: whose secret encrypts; None for the first.

    Raises:
        HybridIdentityError: invalid_input, when there is no such secret.
    """

    def __init__(self, path: str, vault_secrets: Sequence[tuple[str, Any]], vault_id: str | None) -> None:
        self._stem, self._suffix = os.path.splitext(path)
        self._vault = VaultLib(list(vault_secrets))
        try:
            found = match_encrypt_secret(list(vault_secrets), encrypt_vault_id=vault_id or None) if vault_secrets else None
        except AnsibleError:
            found = None
        if not found:
            which = f"with the id {vault_id!r}" if vault_id else "at all"
            raise HybridIdentityError(
                "invalid_input",
                f"There is no vault secret {which}, so the passwords cannot be written to {path}. Nobody was created.",
                remedy="Give it with --vault-id, --vault-password-file or --ask-vault-pass, or in AWX as a vault credential.",
            )
        self._vault_id, self._secret = found

    def known(self) -> tuple[dict[str, tuple[str, str]], str]:
        """By person_key the password that is in a file already and the path of that file; and the path of the first that is not there.

        Raises:
            HybridIdentityError: invalid_input, when there is something that cannot be read.
        """
        found: dict[str, tuple[str, str]] = {}
        for number in range(1, 100_000):
            path = self._stem + (f"-{number}" if number > 1 else "") + self._suffix
            text = _read(path)
            if text is None:
                return found, path
            found.update((person_key(name), (password, path)) for name, password in self._open(path, text).items())
        raise HybridIdentityError(
            "invalid_input", f"There are too many files beside {self._stem}{self._suffix}; give another password_file."
        )

    def hand_over(self, people: Mapping[str, Callable[[], str]]) -> dict[str, tuple[str, str]]:
        """A password for each, which is in a file when this returns.

        Args:
            people: from the user principal name to what makes a password. Who is in a file already keeps that one.

        Returns:
            By the same names the password and the path of its file.

        Raises:
            HybridIdentityError: invalid_input; then nothing is in a file that was not before.
        """
        while True:
            found, path = self.known()
            made = {name: make() for name, make in people.items() if person_key(name) not in found}
            if made and not self._write(path, made):
                continue  # another run was quicker: what it has written holds
            found.update((person_key(name), (password, path)) for name, password in made.items())
            return {name: found[person_key(name)] for name in people}

    def _open(self, path: str, text: bytes) -> dict[str, str]:
        if not is_encrypted(text):
            raise HybridIdentityError(
                "invalid_input", f"{path} is there and is not encrypted with ansible-vault: give another password_file."
            )
        try:
            content = yaml.safe_load(self._vault.decrypt(text))
        except (AnsibleError, yaml.YAMLError, UnicodeDecodeError):
            # Without the reason: a parser quotes what it could not read.
            raise HybridIdentityError(
                "invalid_input", f"{path} is there and none of the vault secrets opens it: give that secret too, or another password_file."
            ) from None
        if not isinstance(content, dict) or not all(isinstance(password, str) for password in content.values()):
            raise HybridIdentityError("invalid_input", f"{path} is there and holds no passwords: give another password_file.")
        return {str(name): password for name, password in content.items()}

    def _write(self, path: str, passwords: Mapping[str, str]) -> bool:
        """Write a new file; False when there is one of that name by now."""
        text = yaml.safe_dump(dict(passwords), allow_unicode=True, width=10_000, sort_keys=True)
        content = self._vault.encrypt(text, self._secret, self._vault_id)
        directory, name = os.path.split(path)
        hidden = f".{name}.{secrets.token_hex(8)}.part"
        try:
            os.makedirs(directory, mode=_FOLDER_MODE, exist_ok=True)
            folder = open_folder(directory)
            try:
                handle = create_hidden(folder, hidden, _FILE_MODE)
                try:
                    os.fchmod(handle, _FILE_MODE)  # whatever the umask takes away or a folder adds
                    fill(handle, content)
                    reveal(folder, hidden, name, _FILE_MODE)
                except FileExistsError:
                    return False
                finally:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(hidden, dir_fd=folder)
                os.fsync(folder)
            finally:
                os.close(folder)
        except ForeignLink:
            raise _unusable(directory, "lies in a folder that is a link of somebody else") from None
        except OSError as error:
            raise _unusable(path, f"cannot be written: {error.strerror}") from None
        return True


def _unusable(path: str, why: str) -> HybridIdentityError:
    return HybridIdentityError("invalid_input", f"The password file {path} {why}. Nobody was created.")


def _read(path: str) -> bytes | None:
    """The content of a file, None when there is nothing of that name."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        why = "is a link, which is never followed" if error.errno == errno.ELOOP else f"is there and cannot be read: {error.strerror}"
        raise _unusable(path, why) from None
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _unusable(path, "is there and is no file")
        return file.read(_LARGEST)
