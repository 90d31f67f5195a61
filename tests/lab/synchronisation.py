# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What passes between the directory, the simulated sync engine and the simulated tenant."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol


@dataclass
class DirectoryObject:
    """One object as the connector reads it; `attributes` holds only what changed, a cleared attribute as an empty list."""

    guid: uuid.UUID
    dn: str
    deleted: bool
    attributes: dict[str, list[bytes]] = field(default_factory=dict)


@dataclass
class Changes:
    """An answer of the directory: what changed since a cookie, and the cookie for the next question."""

    cookie: bytes
    objects: list[DirectoryObject]


class SourceDirectory(Protocol):
    """The directory that an engine imports from."""

    def read_changes(self, cookie: bytes | None, full: bool) -> Changes:
        """Everything (`full`, or no cookie), or what changed since the cookie. Raises ConnectionError when it cannot be reached."""


@dataclass
class ExportedUser:
    """One change that the engine exports to the tenant; attributes are named as Microsoft Graph names them."""

    operation: Literal["add", "update", "delete"]
    source_anchor: str
    attributes: dict[str, Any] = field(default_factory=dict)


class SyncTarget(Protocol):
    """The tenant that an engine exports to."""

    def apply(self, change: ExportedUser) -> str | None:
        """Take one change; None when exported, else the engine's error type (for example AttributeValueMustBeUnique)."""
