# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""A user as Microsoft Graph describes one: what is asked for, and what is taken for an answer. Pure; private to the collection."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Mapping, Optional

from .._printable import printable
from ._answers import Answer
from ._failures import GraphFailure, invalid_answer

#: what has to be selected: the default answer of Graph has none of the on-premises properties
SELECTED = (
    "id,userPrincipalName,createdDateTime,usageLocation,assignedLicenses,"
    "onPremisesImmutableId,onPremisesSyncEnabled,onPremisesLastSyncDateTime,onPremisesUserPrincipalName,onPremisesProvisioningErrors"
)
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True)
class CloudUser:
    """A user of the tenant. Empty text: Graph has no value. What is only shown is printable; `upn` and `anchor` are as they came."""

    id: str
    upn: str
    created_at: str
    usage_location: str
    skus: frozenset[str]  # ids in lower case
    anchor: str
    synced: bool
    synced_at: str
    on_premises_upn: str
    conflicts: tuple[str, ...]  # 'UserPrincipalName anna@corp.example': names and addresses that somebody else has

    @property
    def shown(self) -> str:
        """The user principal name for a sentence."""
        return printable(self.upn, 120)


def read_user(item: Mapping[str, Any], what: str) -> CloudUser:
    """Read a user of an answer that selected SELECTED.

    Every selected property has to be there with its type: a property that is not there says nothing, and above all not that there is no
    licence or no conflict.

    Raises:
        GraphFailure: graph_invalid.
    """
    identity = item.get("id")
    if not isinstance(identity, str) or not _ID.fullmatch(identity):
        raise invalid_answer(what, "a user has no id")
    synced = _given(item, "onPremisesSyncEnabled", what)
    if synced is not None and not isinstance(synced, bool):
        raise _wrong("onPremisesSyncEnabled", what)
    anchor = _text(item, "onPremisesImmutableId", what)
    if synced and not anchor:
        raise _wrong("onPremisesImmutableId", what)
    name = _text(item, "userPrincipalName", what)
    if not name:
        raise _wrong("userPrincipalName", what)
    return CloudUser(
        id=identity,
        upn=name,
        created_at=printable(_text(item, "createdDateTime", what), 40),
        usage_location=printable(_text(item, "usageLocation", what), 10),
        skus=frozenset(_sku(licence, what) for licence in _objects(item, "assignedLicenses", what)),
        anchor=anchor,
        synced=synced is True,
        synced_at=printable(_text(item, "onPremisesLastSyncDateTime", what), 40),
        on_premises_upn=_text(item, "onPremisesUserPrincipalName", what),
        conflicts=tuple(_conflicts(item, what)),
    )


def read_one(answer: Answer, what: str) -> Optional[CloudUser]:
    """The user of an answer to GET /users/{key}; None when Graph says that there is none. Raises GraphFailure for anything else."""
    if answer.absent:
        return None
    if not answer.ok:
        raise answer.failure(what, "User.Read.All")
    return read_user(answer.body, what)


def _conflicts(item: Mapping[str, Any], what: str) -> list[str]:
    found = []
    for error in _objects(item, "onPremisesProvisioningErrors", what):
        # The only category there is is PropertyConflict; one that is not known is no better.
        found.append(printable(f"{error.get('propertyCausingError')} {error.get('value')}", 200))
    return found


def _sku(licence: Mapping[str, Any], what: str) -> str:
    sku = licence.get("skuId")
    if not isinstance(sku, str) or not sku:
        raise _wrong("assignedLicenses", what)
    return sku.lower()


def _objects(item: Mapping[str, Any], name: str, what: str) -> list[dict[str, Any]]:
    value = _given(item, name, what)
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise _wrong(name, what)
    return value


def _text(item: Mapping[str, Any], name: str, what: str) -> str:
    value = _given(item, name, what)
    if value is not None and not isinstance(value, str):
        raise _wrong(name, what)
    return value or ""


def _given(item: Mapping[str, Any], name: str, what: str) -> Any:
    if name not in item:
        raise invalid_answer(what, f"a user has no {name}, which was asked for")
    return item[name]


def _wrong(name: str, what: str) -> GraphFailure:
    return invalid_answer(what, f"the {name} of a user is none")
