# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Registry and files of the sync server."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from typing import Any

from lab.connect import Caller

from .options import FimOptions
from .texts import fim_refusal

#: a registry value: its kind (String, DWord) and what it holds
Value = tuple[str, Any]


class Registry:
    """Keys below HKLM:. Everybody reads, administrators write."""

    def __init__(self, options: FimOptions) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._keys: dict[str, dict[str, tuple[str, Value]]] = {}
        #: what callers wrote: (path, name, value), None for a removal
        self.written: list[tuple[str, str, Any]] = []

    def set(self, path: str, name: str, value: Any, kind: str = "String") -> None:
        """Set a value; the key comes into being."""
        with self._lock:
            self._keys.setdefault(path.lower().rstrip("\\"), {})[name.lower()] = (name, (kind, value))

    def add_key(self, path: str) -> None:
        """Make a key without values."""
        self._keys.setdefault(path.lower().rstrip("\\"), {})

    def remove(self, path: str, name: str | None = None) -> None:
        """Remove a value, or the key."""
        with self._lock:
            if name is None:
                self._keys.pop(path.lower().rstrip("\\"), None)
            else:
                self._keys.get(path.lower().rstrip("\\"), {}).pop(name.lower(), None)

    def read(self, path: str, name: str) -> Any:
        """A value, or None."""
        found = self._keys.get(path.lower().rstrip("\\"), {}).get(name.lower())
        return None if found is None else found[1][1]

    def has_key(self, path: str) -> bool:
        """Whether the key exists (or one below it)."""
        wanted = path.lower().rstrip("\\")
        return any(key == wanted or key.startswith(wanted + "\\") for key in self._keys)

    # -- cmdlets

    def get_values(self, caller: Caller, p: dict[str, Any]) -> dict[str, Any]:
        """Get-ItemProperty: all values of a key, or the one that was asked for."""
        path, name = str(p["path"]), p.get("name")
        if not self.has_key(path):
            raise fim_refusal("no_path", self._options.language, path)
        values = self._keys.get(path.lower().rstrip("\\"), {})
        if not name:
            return {shown: value for shown, (_kind, value) in values.values()}
        found = values.get(str(name).lower())
        if found is None:
            raise fim_refusal("no_value", self._options.language, path, str(name))
        return {str(name): found[1][1]}

    def registry_value(self, caller: Caller, p: dict[str, Any]) -> Any:
        """Get-ItemProperty -LiteralPath -Name: the value alone."""
        return self.get_values(caller, p)[str(p["name"])]

    def set_value(self, caller: Caller, p: dict[str, Any]) -> None:
        """Set-ItemProperty, New-ItemProperty. kind: the registry type, or None to keep it (DWord for numbers)."""
        path, name, value = str(p["path"]), str(p["name"]), p.get("value")
        if not self.has_key(path):
            raise fim_refusal("no_path", self._options.language, path)
        if not caller.is_in("Administrators") or not self._options.registry_writable:
            raise fim_refusal("no_registry_right", self._options.language)
        known = self._keys.get(path.lower().rstrip("\\"), {}).get(name.lower())
        kind = str(p.get("kind") or (known[1][0] if known else ("DWord" if isinstance(value, int) else "String")))
        self.set(path, name, int(value) if kind == "DWord" and value is not None else value, kind)
        self.written.append((path, name, value))

    def remove_value(self, caller: Caller, p: dict[str, Any]) -> None:
        """Remove-ItemProperty."""
        self.get_values(caller, p)
        if not caller.is_in("Administrators") or not self._options.registry_writable:
            raise fim_refusal("no_registry_right", self._options.language)
        self.remove(str(p["path"]), str(p["name"]))
        self.written.append((str(p["path"]), str(p["name"]), None))


class Files:
    """Files by their Windows path: bytes, and a version where they have one. Administrators write below Program Files."""

    def __init__(self, options: FimOptions) -> None:
        self._options = options
        self._content: dict[str, bytes] = {}
        self._versions: dict[str, Callable[[], str]] = {}
        self.written: list[str] = []

    def add(self, path: str, content: bytes = b"", version: Callable[[], str] | None = None) -> None:
        """Put a file there."""
        self._content[path.lower()] = content
        if version is not None:
            self._versions[path.lower()] = version

    def remove(self, path: str) -> None:
        """Take a file away."""
        self._content.pop(path.lower(), None)

    def exists(self, path: str) -> bool:
        """Whether there is such a file, or a folder with files in it."""
        wanted = path.lower().rstrip("\\")
        return any(known == wanted or known.startswith(wanted + "\\") for known in self._content)

    def content(self, path: str) -> bytes:
        """For tests: what is in it."""
        return self._content[path.lower()]

    # -- cmdlets

    def file_version(self, caller: Caller, p: dict[str, Any]) -> str:
        """(Get-Item).VersionInfo.FileVersion; empty for a file without one."""
        path = str(p["path"])
        if not self.exists(path):
            raise fim_refusal("no_path", self._options.language, path)
        return self._versions.get(path.lower(), lambda: "")()

    def read(self, caller: Caller, p: dict[str, Any]) -> str:
        """The bytes, as base64."""
        path = str(p["path"])
        if path.lower() not in self._content:
            raise fim_refusal("no_file", self._options.language, path)
        return base64.b64encode(self._content[path.lower()]).decode("ascii")

    def write(self, caller: Caller, p: dict[str, Any]) -> None:
        """Replace the bytes (base64)."""
        path = str(p["path"])
        if not caller.is_in("Administrators"):
            raise fim_refusal("no_file_right", self._options.language, path)
        self._content[path.lower()] = base64.b64decode(str(p["bytes"]))
        self.written.append(path)
