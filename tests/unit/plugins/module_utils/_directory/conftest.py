# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""One domain controller for each file of tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from directories import Admin, running_directory

from ansible_collections.hybrid.identity.plugins.module_utils._directory import _ensure_accounts
from lab.directory import SambaDirectory


@pytest.fixture(scope="module")
def samba() -> Iterator[SambaDirectory]:
    """A freshly seeded domain controller."""
    with running_directory(59) as directory:
        yield directory


@pytest.fixture(scope="module")
def admin(samba: SambaDirectory) -> Admin:
    """Somebody who works in the directory by hand."""
    return Admin(samba)


@pytest.fixture(autouse=True)
def no_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests do not wait for the second to pass."""
    monkeypatch.setattr(_ensure_accounts, "_SETTLE", 0.0)
