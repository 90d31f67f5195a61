# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The keys of the lab's ssh server and of its clients, kept on disk and reused."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SshKeys:
    """Files in OpenSSH's format: the server's key, the key that every account accepts, and one that none does."""

    host: Path
    client: Path
    stranger: Path

    def known_hosts(self, port: int, folder: Path) -> Path:
        """A file in `folder` that makes the server on this port of the loopback address known."""
        kind, key = self.host.with_suffix(".pub").read_text(encoding="ascii").split()[:2]
        path = folder / f"known_hosts-{port}"
        path.write_text(f"[127.0.0.1]:{port} {kind} {key}\n", encoding="ascii")
        return path


def make_keys(folder: Path) -> SshKeys:
    """Make the keys of a folder, or return those kept there."""
    import asyncssh

    folder.mkdir(parents=True, exist_ok=True)
    keys = SshKeys(folder / "host", folder / "client", folder / "stranger")
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for path in (keys.host, keys.client, keys.stranger):
            if not path.with_suffix(".pub").is_file():
                key = asyncssh.generate_private_key("ssh-ed25519")
                with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                    file.write(key.export_private_key())
                path.with_suffix(".pub").write_bytes(key.export_public_key())
    return keys
