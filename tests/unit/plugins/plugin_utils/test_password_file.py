# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What is left where the file of passwords cannot be written; everything else about it is in test_ad_users_passwords."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultSecret

from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.plugin_utils import _password_file


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int, content: bytes) -> None:
        with open(handle, "wb") as file:
            file.write(content[:20])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_password_file, "fill", full)
    files = _password_file.PasswordFiles(str(tmp_path / "passwords.yml"), [("default", VaultSecret(b"secret"))], None)
    with pytest.raises(HybridIdentityError, match="No space left on device"):
        files.hand_over({"amy@lab.example": lambda: "Password-Of-Amy-1"})
    assert list(tmp_path.iterdir()) == []
