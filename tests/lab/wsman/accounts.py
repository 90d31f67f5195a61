# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The accounts that may sign in, and the file through which pyspnego's NTLM acceptor gets to know them."""

from __future__ import annotations

import contextlib
import hmac
import os
import shutil
import tempfile
import threading
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

# The acceptor finds its accounts through an environment variable of the process. Several servers with different accounts may live in
# one process, so the variable is set only while one handshake message is worked on, by one thread at a time (about a millisecond).
_ENVIRONMENT_LOCK = threading.Lock()
_VARIABLE = "NTLM_USER_FILE"


class Accounts:
    """User names and passwords of one server.

    Args:
        users: passwords by name. A bare name belongs to the domain and is also found as 'DOMAIN\\name', '.\\name' and 'name@DOMAIN'.
        domain: NetBIOS name of the domain.
        denied: users that may sign in but not open shells.
    """

    def __init__(self, users: Mapping[str, str], domain: str, denied: Collection[str] = ()) -> None:
        self._domain = domain
        self._users = dict(users)
        self._passwords = {self.canonical(name): password for name, password in users.items()}
        self._denied = {self.canonical(name) for name in denied}
        self._folder: Path | None = None
        self._lock = threading.Lock()

    def canonical(self, name: str) -> str:
        """One spelling for all spellings of an account."""
        name = name.strip().lower()
        domain, separator, user = name.rpartition("\\")
        if separator:
            return user if domain in ("", ".", self._domain.lower()) else name
        user, separator, suffix = name.rpartition("@")
        if separator:
            return user if suffix.split(".")[0] == self._domain.lower() else name
        return name

    def is_denied(self, name: str) -> bool:
        """Whether this account may not open shells."""
        return self.canonical(name) in self._denied

    def is_known(self, name: str) -> bool:
        """Whether there is such an account."""
        return self.canonical(name) in self._passwords

    def check(self, name: str, password: str) -> bool:
        """Whether name and password belong together."""
        known = self._passwords.get(self.canonical(name))
        return known is not None and hmac.compare_digest(known.encode(), password.encode())

    @contextlib.contextmanager
    def for_acceptor(self) -> Iterator[None]:
        """While inside, an NTLM acceptor of this process knows these accounts."""
        with _ENVIRONMENT_LOCK:
            path = self._file()
            before = os.environ.get(_VARIABLE)
            os.environ[_VARIABLE] = str(path)
            try:
                yield
            finally:
                if before is None:
                    del os.environ[_VARIABLE]
                else:
                    os.environ[_VARIABLE] = before

    def close(self) -> None:
        """Remove the accounts file."""
        with self._lock:
            if self._folder:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None

    def _file(self) -> Path:
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="lab-wsman-"))
                with open(os.open(self._folder / "accounts", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                    file.writelines(f"{line}\n" for line in self._lines())
            return self._folder / "accounts"

    def _lines(self) -> Iterator[str]:
        """smbpasswd lines: hashes, so that no password lies on the disk and a password may contain a colon."""
        from spnego._ntlm_raw.crypto import ntowfv1  # lazy: see authentication

        for name, password in self._users.items():
            digest = ntowfv1(password).hex().upper()
            bare = self.canonical(name)
            # The acceptor compares the spelling, so every usual one is listed.
            spellings = {name}
            if "\\" not in bare and "@" not in bare:
                spellings |= {bare, f"{self._domain}\\{bare}", f".\\{bare}", f"{bare}@{self._domain}"}
            for spelling in sorted(spellings):
                yield f"{spelling}:0:{'0' * 32}:{digest}:[U]:LCT-00000000"
