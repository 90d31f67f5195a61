# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Reads changes from the directory as the synchronisation's connector does: with the DirSync control, over LDAPS."""

from __future__ import annotations

import re
import ssl
import uuid
from typing import Any

import ldap3
from ldap3.core.exceptions import LDAPException, LDAPExtensionError

from lab.synchronisation import Changes, DirectoryObject

WANTED = (
    "objectClass",
    "objectGUID",
    "cn",
    "name",
    "parentGUID",
    "isDeleted",
    "sAMAccountName",
    "userPrincipalName",
    "displayName",
    "givenName",
    "sn",
    "mail",
    "proxyAddresses",
    "mailNickname",
    "department",
    "title",
    "employeeID",
    "objectSid",
    "pwdLastSet",
    "userAccountControl",
    "mS-DS-ConsistencyGuid",
    "adminDescription",
    "isCriticalSystemObject",
)
_CANONICAL = {name.lower(): name for name in WANTED}
_FILTER = "(&(|(objectClass=user)(objectClass=contact)(objectClass=group))(!(objectClass=computer)))"
_EXTENDED = re.compile(r"^(?:<(?:GUID|SID)=[^>]*>;)+")


class ConnectorReader:
    """lab.synchronisation.SourceDirectory on a real directory.

    Args:
        address, host_name: where the directory listens, and the name in its certificate.
        authority_path: PEM file of the authority to trust.
        base_dn: head of the naming context (DirSync takes no other base).
        user, password: account with the replication rights, for a simple bind ('LAB\\\\MSOL_lab').
    """

    def __init__(self, address: str, host_name: str, authority_path: str, base_dn: str, user: str, password: str) -> None:
        self._base_dn = base_dn
        self._user, self._password = user, password
        # ldap3 compares the certificate with names only, never with the address: it is told the name to expect.
        tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=authority_path, valid_names=[host_name], sni=host_name)
        self._server = ldap3.Server(address, port=636, use_ssl=True, tls=tls, get_info=ldap3.NONE, connect_timeout=5)

    def read_changes(self, cookie: bytes | None, full: bool) -> Changes:
        """Users, contacts and groups that changed since `cookie`; all living ones when `full` or without a cookie.

        Values are the directory's own bytes (objectGUID and objectSid binary, text in UTF-8); attributes as in WANTED.

        Raises:
            ConnectionError: the directory cannot be reached, or it refuses the connector's account.
            ValueError: the directory does not know the cookie.
        """
        since = b"" if full or cookie is None else cookie
        try:
            connection = ldap3.Connection(
                self._server,
                user=self._user,
                password=self._password,
                check_names=False,
                return_empty_attributes=False,  # else every attribute that did not change looks like a cleared one
                auto_bind=ldap3.AUTO_BIND_NO_TLS,
                receive_timeout=30,
            )
        except (LDAPException, OSError) as error:
            raise ConnectionError(f"the directory cannot be read: {type(error).__name__}") from error
        try:
            return self._read(connection, since)
        except LDAPExtensionError as error:
            raise ValueError("the directory does not accept this cookie") from error
        except (LDAPException, OSError) as error:
            raise ConnectionError(f"the directory stopped answering: {type(error).__name__}") from error
        finally:
            connection.unbind()

    def _read(self, connection: ldap3.Connection, since: bytes) -> Changes:
        question = connection.extend.microsoft.dir_sync(
            self._base_dn,
            _FILTER,
            attributes=list(WANTED),
            cookie=since or None,
            object_security=False,
            ancestors_first=True,
            public_data_only=False,
            incremental_values=True,
        )
        objects: list[DirectoryObject] = []
        while True:
            for entry in question.loop() or []:
                found = _object(entry)
                # A first reading has nothing to delete: tombstones are news only after a cookie.
                if found is not None and (since or not found.deleted):
                    objects.append(found)
            if not question.more_results:
                return Changes(bytes(question.cookie), objects)


def _object(entry: dict[str, Any]) -> DirectoryObject | None:
    if entry.get("type") != "searchResEntry":  # referrals
        return None
    received = {_CANONICAL.get(name.lower(), ""): list(values or []) for name, values in entry["raw_attributes"].items()}
    attributes = {name: values for name, values in received.items() if name}
    if "name" in attributes:  # the control answers with the replicated name only; cn is the naming attribute of all three classes
        attributes.setdefault("cn", attributes["name"])
    guid = uuid.UUID(bytes_le=bytes(attributes["objectGUID"][0]))
    deleted = attributes.get("isDeleted", [])[:1] == [b"TRUE"]
    return DirectoryObject(guid, _EXTENDED.sub("", entry["dn"]), deleted, attributes)
