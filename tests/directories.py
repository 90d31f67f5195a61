# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What tests of accounts share: ad_users against a real domain controller, people that are there before, and a dump of everything."""

from __future__ import annotations

import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ldap3
import pytest
from loopback import own_address

from ansible_collections.hybrid.identity.plugins.module_utils._directory._connection import Directory
from ansible_collections.hybrid.identity.plugins.module_utils._directory._options import DirectoryOptions
from ansible_collections.hybrid.identity.plugins.modules.ad_users import OPTIONS, USER_OPTIONS, carry
from lab.certificates import make_authority
from lab.directory import SambaDirectory, SambaMissing
from lab.estate import default_cache

BASE = "DC=lab,DC=test"
STAFF, SERVICE, GROUPS = (f"OU={name},{BASE}" for name in ("Staff", "Service", "Groups"))
PASSWORD = "Start-Passw0rd.1"
OLD_PASSWORD = "0ld-Passw0rd.they.have"
#: change by themselves with every write or logon
_VOLATILE = {"usnchanged", "whenchanged", "replpropertymetadata", "lastlogon", "lastlogontimestamp", "logoncount", "dscorepropagationdata"}
_PASSWORD_NUMBERS = {0x9005A: "(password)", 0x9007D: "(password)"}


@contextmanager
def running_directory(host: int) -> Iterator[SambaDirectory]:
    """A freshly seeded domain controller on this address of our own network; the test is skipped where Samba is not installed."""
    cache = default_cache()
    cache.mkdir(parents=True, exist_ok=True)
    directory = SambaDirectory(cache / "directory", make_authority(cache / "authority"), own_address(host))
    try:
        directory.start()
    except SambaMissing as error:
        pytest.skip(str(error))
    try:
        yield directory
    finally:
        directory.stop()


def options(samba: SambaDirectory, **changes: Any) -> DirectoryOptions:
    """To sign in as the account that onboards."""
    given = {
        "server": samba.address,
        "username": samba.onboard_user,
        "password": samba.onboard_password,
        "ca_cert": samba.authority_path,
        "server_name": samba.host_name,
    }
    return DirectoryOptions(**{**given, **changes})


def ensure(samba: SambaDirectory, *users: dict[str, Any], check_mode: bool = False, **params: Any) -> dict[str, Any]:
    """ad_users in this process; passwords stay unless something else is said."""
    defaults = {name: option.get("default") for name, option in OPTIONS.items()}
    blank = {name: option.get("default") for name, option in USER_OPTIONS.items()}
    connection: dict[str, Any] = {"directory_server": samba.address, "username": samba.onboard_user, "password": samba.onboard_password}
    # Whoever signs in afterwards to show that a password works could not if it had to be changed.
    connection.update(ca_cert=samba.authority_path, server_name=samba.host_name, password_must_change=False)
    people = [{**blank, **user} for user in users]
    return carry({**defaults, **connection, "default_ou": STAFF, "initial_password": PASSWORD, "users": people, **params}, check_mode)


def entry(samba: SambaDirectory, upn: str, *attributes: str) -> Any:
    """An account as it is in the directory, None when there is none."""
    with Directory(options(samba)) as directory:
        found = directory.search([f"(userPrincipalName={upn})"], ["userAccountControl", "pwdLastSet", *attributes])
    return found[0] if found else None


class Admin:
    """Somebody who works in the directory by hand, with all rights and without our code."""

    def __init__(self, samba: SambaDirectory) -> None:
        tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=samba.authority_path, valid_names=[samba.host_name], sni=samba.host_name)
        server = ldap3.Server(samba.address, port=636, use_ssl=True, tls=tls, get_info=ldap3.NONE)
        self._connection = ldap3.Connection(
            server, samba.admin_user, samba.admin_password, auto_bind=True, check_names=False, auto_referrals=False
        )

    def _done(self, worked: bool) -> None:
        assert worked, self._connection.result

    def add(self, dn: str, object_class: str, **attributes: Any) -> str:
        """Create an object; its distinguished name."""
        self._done(self._connection.add(dn, object_class, attributes))
        return dn

    def add_person(
        self, cn: str, sam: str, *, ou: str = STAFF, password: str | None = OLD_PASSWORD, control: int = 512, **more: Any
    ) -> str:
        """Create an account; its distinguished name. Without a password it is half-made."""
        attributes = {"sAMAccountName": sam, "userPrincipalName": f"{sam}@lab.example", "userAccountControl": str(control), **more}
        if password:
            attributes["unicodePwd"] = f'"{password}"'.encode("utf-16-le")
        return self.add(f"CN={cn},{ou}", "user", **attributes)

    def add_group(self, cn: str, sam: str | None = None, *, ou: str = GROUPS) -> str:
        """Create a global security group; its distinguished name."""
        return self.add(f"CN={cn},{ou}", "group", sAMAccountName=sam or cn, groupType="-2147483646")

    def replace(self, dn: str, **attributes: Any) -> None:
        """Give attributes other values; an empty list clears."""
        changes = {name: [(ldap3.MODIFY_REPLACE, value if isinstance(value, list) else [value])] for name, value in attributes.items()}
        self._done(self._connection.modify(dn, changes))

    def join(self, group: str, *members: str) -> None:
        """Put members into a group."""
        self._done(self._connection.modify(group, {"member": [(ldap3.MODIFY_ADD, list(members))]}))

    def delete(self, dn: str) -> None:
        """Delete an object."""
        self._done(self._connection.delete(dn))

    def read(self, dn: str, *attributes: str) -> dict[str, list[bytes]]:
        """Raw values, by attribute."""
        self._done(self._connection.search(dn, "(objectClass=*)", ldap3.BASE, attributes=list(attributes) or ["*"]))
        return dict(self._connection.response[0]["raw_attributes"])

    def dump(self) -> dict[str, dict[str, Any]]:
        """Every object of the domain by objectGUID, with its name, every attribute, and how often its password was set."""
        wanted = ["*", "replPropertyMetaData", "memberOf"]
        assert self._connection.search(BASE, "(objectClass=*)", ldap3.SUBTREE, attributes=wanted), self._connection.result
        objects = {}
        for answer in self._connection.response:
            if answer.get("type") != "searchResEntry":
                continue
            raw = answer["raw_attributes"]
            values: dict[str, Any] = {name: sorted(found) for name, found in raw.items() if name.lower() not in _VOLATILE and found}
            values["(dn)"] = answer["dn"]
            values["(password)"] = _password_versions(raw.get("replPropertyMetaData") or [b""])
            objects[raw["objectGUID"][0].hex()] = values
        return objects


def differences(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> dict[str, set[str]]:
    """The attributes that differ between two dumps, by the distinguished name that the object had before."""
    found: dict[str, set[str]] = {}
    for guid in before.keys() | after.keys():
        then, now = before.get(guid, {}), after.get(guid, {})
        changed = {name for name in then.keys() | now.keys() if then.get(name) != now.get(name)}
        if changed:
            found[str((then or now)["(dn)"])] = changed
    return found


def _password_versions(values: list[bytes]) -> list[tuple[str, int]]:
    raw = values[0]
    count = struct.unpack_from("<I", raw, 8)[0] if len(raw) >= 16 else 0
    items = (struct.unpack_from("<II", raw, 16 + 48 * place) for place in range(count))
    return [(_PASSWORD_NUMBERS[number], version) for number, version in items if number in _PASSWORD_NUMBERS]
