# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Connector space and metaverse: which objects are in scope, and what has to be exported."""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass, field
from typing import Any

from lab.synchronisation import DirectoryObject, ExportedUser

from .options import ConnectOptions

_DISABLED = 0x2


@dataclass
class StagedObject:
    """An object of the directory as last imported."""

    guid: uuid.UUID
    dn: str
    attributes: dict[str, list[bytes]] = field(default_factory=dict)
    deleted: bool = False

    def text(self, name: str) -> str | None:
        """The first value of an attribute as text; attribute names are compared without case."""
        values = self.attributes.get(name.lower())
        return values[0].decode("utf-8", errors="replace") if values else None

    def texts(self, name: str) -> list[str]:
        """All values of an attribute as text."""
        return [value.decode("utf-8", errors="replace") for value in self.attributes.get(name.lower(), [])]


class IdentityStore:
    """What the engine knows: staged by imports, evaluated by synchronisations, drained by exports."""

    def __init__(self, options: ConnectOptions) -> None:
        self._options = options
        self.staged: dict[uuid.UUID, StagedObject] = {}
        self.pending: dict[uuid.UUID, ExportedUser] = {}
        self._exported: dict[uuid.UUID, ExportedUser] = {}
        self._anchors: dict[uuid.UUID, str] = {}
        self._changed: set[uuid.UUID] = set()

    def stage(self, change: DirectoryObject) -> str | None:
        """Take an imported object; the stage counter that it moves (StageAdd, ...), None for what is not a user."""
        known = self.staged.get(change.guid)
        if known is None:
            classes = [value.decode() for value in change.attributes.get("objectClass", [])]
            if change.deleted or "user" not in classes or "computer" in classes:
                return None
            known = self.staged[change.guid] = StagedObject(change.guid, change.dn)
            counter = "StageAdd"
        else:
            counter = "StageDelete" if change.deleted else ("StageRename" if change.dn and change.dn != known.dn else "StageUpdate")
        known.deleted = change.deleted
        known.dn = change.dn or known.dn
        for name, values in change.attributes.items():
            if values:
                known.attributes[name.lower()] = list(values)
            else:
                known.attributes.pop(name.lower(), None)
        self._changed.add(change.guid)
        return counter

    def synchronise(self, full: bool) -> int:
        """Evaluate what was staged; the number of objects that were looked at."""
        guids = set(self.staged) if full else set(self._changed)
        self._changed.clear()
        for guid in guids:
            self._evaluate(self.staged[guid])
        return len(guids)

    def _evaluate(self, staged: StagedObject) -> None:
        before = self._exported.get(staged.guid)
        if staged.deleted or not self.in_scope(staged):
            self.pending.pop(staged.guid, None)
            if before is not None:
                self.pending[staged.guid] = ExportedUser("delete", before.source_anchor)
            return
        # The anchor never changes once it has been used.
        anchor = self._anchors.setdefault(staged.guid, source_anchor(staged))
        wanted = self._cloud_attributes(staged)
        if before is None:
            self.pending[staged.guid] = ExportedUser("add", anchor, wanted)
            return
        differing = {name: value for name, value in wanted.items() if before.attributes.get(name) != value}
        if differing:
            self.pending[staged.guid] = ExportedUser("update", anchor, differing)
        else:
            self.pending.pop(staged.guid, None)

    def exported(self, guid: uuid.UUID) -> None:
        """An export was accepted by the cloud."""
        change = self.pending.pop(guid)
        if change.operation == "delete":
            self._exported.pop(guid, None)
            return
        attributes = dict(self._exported[guid].attributes) if guid in self._exported else {}
        self._exported[guid] = ExportedUser("add", change.source_anchor, {**attributes, **change.attributes})

    def in_scope(self, staged: StagedObject) -> bool:
        """The default rules: OU filter, adminDescription, critical system objects, service accounts of the product."""
        dn = staged.dn.lower()
        if self._options.synchronised_ous and not any(dn.endswith("," + ou.lower()) for ou in self._options.synchronised_ous):
            return False
        name = staged.text("sAMAccountName") or ""
        return not (
            (staged.text("isCriticalSystemObject") or "").upper() == "TRUE"
            or (staged.text("adminDescription") or "").startswith("User_")
            or not name
            or name.startswith(("AAD_", "MSOL_"))
            or name == "SUPPORT_388945a0"
            or "\\0acnf:" in dn
        )

    def _cloud_attributes(self, staged: StagedObject) -> dict[str, Any]:
        control = int(staged.text("userAccountControl") or "512")
        upn = staged.text("userPrincipalName") or f"{staged.text('sAMAccountName')}@{self._options.directory_connector}"
        prefix, _at, suffix = upn.partition("@")
        if suffix.lower() not in {domain.lower() for domain in self._options.verified_domains}:
            upn = f"{staged.text('mailNickname') or (staged.text('mail') or prefix).split('@')[0]}@{self._options.initial_domain}"
        attributes = {
            "userPrincipalName": upn,
            "displayName": staged.text("displayName") or staged.text("cn"),
            "givenName": staged.text("givenName"),
            "surname": staged.text("sn"),
            "mail": staged.text("mail"),
            "department": staged.text("department"),
            "jobTitle": staged.text("title"),
            "employeeId": staged.text("employeeID"),
            "accountEnabled": not control & _DISABLED,
            "mailNickname": staged.text("mailNickname") or prefix,
            "proxyAddresses": sorted(staged.texts("proxyAddresses")),
            "onPremisesSamAccountName": staged.text("sAMAccountName"),
            "onPremisesDistinguishedName": staged.dn,
            "onPremisesUserPrincipalName": staged.text("userPrincipalName"),
        }
        return {name: value for name, value in attributes.items() if value is not None and value != []}


def source_anchor(staged: StagedObject) -> str:
    """base64 of the 16 bytes of ms-DS-ConsistencyGuid, else of objectGUID."""
    consistency = staged.attributes.get("ms-ds-consistencyguid")
    return base64.b64encode(consistency[0] if consistency else staged.guid.bytes_le).decode("ascii")
