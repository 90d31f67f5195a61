# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The lab's directory: seeds, binds, and what the connector reads. Skipped where Samba cannot run."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import ldap3
import pytest
from loopback import own_address
from patience import ends, wait_until

from lab import directory_template
from lab.certificates import make_authority
from lab.directory import DirectoryError, SambaDirectory, SambaMissing
from lab.directory_seed import GROUPS, GROUPS_OU, MANAGER_DN, MANAGER_UPN, SERVICE_OU, STAFF_OU
from lab.synchronisation import Changes, DirectoryObject

ADDRESS, ELSEWHERE = own_address(58), own_address(59)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("directory")


@pytest.fixture(scope="module")
def directory(cache: Path) -> Iterator[SambaDirectory]:
    directory = SambaDirectory(cache, make_authority(cache), ADDRESS)
    try:
        directory.start()
    except SambaMissing as missing:
        pytest.skip(str(missing))
    yield directory
    directory.stop()


@pytest.fixture
def admin(directory: SambaDirectory) -> Iterator[ldap3.Connection]:
    with _bind(directory, directory.admin_user, directory.admin_password) as connection:
        yield connection


def _bind(directory: SambaDirectory, user: str, password: str) -> ldap3.Connection:
    tls = ldap3.Tls(
        validate=ssl.CERT_REQUIRED,
        ca_certs_file=directory.authority_path,
        valid_names=[directory.host_name],
        sni=directory.host_name,
    )
    server = ldap3.Server(directory.ldaps_uri, tls=tls, get_info=ldap3.NONE)
    return ldap3.Connection(server, user=user, password=password, check_names=False, auto_bind=ldap3.AUTO_BIND_NO_TLS)


def _add_user(admin: ldap3.Connection, name: str, **attributes: object) -> str:
    dn = f"CN={name},{STAFF_OU}"
    values = {"sAMAccountName": name, "displayName": name, "userAccountControl": "546", **attributes}
    assert admin.add(dn, "user", values), admin.result
    return dn


def _only(changes: Changes) -> DirectoryObject:
    assert len(changes.objects) == 1, changes.objects
    return changes.objects[0]


def test_seeds_are_there(directory: SambaDirectory, admin: ldap3.Connection) -> None:
    for dn in (STAFF_OU, SERVICE_OU, GROUPS_OU, MANAGER_DN, *(f"CN={name},{GROUPS_OU}" for name in GROUPS)):
        assert admin.search(dn, "(objectClass=*)", ldap3.BASE, attributes=["userPrincipalName"]), dn
    admin.search(MANAGER_DN, "(objectClass=*)", ldap3.BASE, attributes=["userPrincipalName", "sAMAccountName"])
    assert admin.response[0]["raw_attributes"] == {"userPrincipalName": [MANAGER_UPN.encode()], "sAMAccountName": [b"maria.huber"]}
    admin.search(f"CN=Partitions,CN=Configuration,{directory.base_dn}", "(objectClass=*)", ldap3.BASE, attributes=["uPNSuffixes"])
    assert admin.response[0]["raw_attributes"]["uPNSuffixes"] == [b"lab.example"]


def test_the_onboarding_account_sets_a_password_over_ldaps(directory: SambaDirectory) -> None:
    with _bind(directory, directory.onboard_user, directory.onboard_password) as connection:
        password = '"Zz-Str0ng.Enough-1"'.encode("utf-16-le")
        dn = f"CN=With Password,{STAFF_OU}"
        values = {"sAMAccountName": "with.password", "userAccountControl": "512", "unicodePwd": password, "pwdLastSet": "0"}
        assert connection.add(dn, "user", values), connection.result
        assert connection.delete(dn)


def test_a_wrong_password_is_refused(directory: SambaDirectory) -> None:
    with pytest.raises(ldap3.core.exceptions.LDAPBindError):
        _bind(directory, directory.admin_user, "wrong")


def test_a_full_reading_has_users_groups_and_no_computers(directory: SambaDirectory) -> None:
    found = {entry.dn: entry for entry in directory.connector_reader().read_changes(None, True).objects}
    manager = found[MANAGER_DN]
    assert manager.attributes["userPrincipalName"] == [MANAGER_UPN.encode()]
    assert manager.attributes["objectGUID"] == [manager.guid.bytes_le]
    assert manager.attributes["cn"] == [b"Maria Huber"]
    assert b"user" in manager.attributes["objectClass"] and "adminDescription" not in manager.attributes
    assert found[f"CN=GG-Sales,{GROUPS_OU}"].attributes["objectClass"] == [b"top", b"group"]
    administrator = found[f"CN=Administrator,CN=Users,{directory.base_dn}"]
    assert administrator.attributes["isCriticalSystemObject"] == [b"TRUE"]
    assert not any(dn.startswith("CN=DC1,") or "<" in dn for dn in found)


def test_changes_after_a_cookie(directory: SambaDirectory, admin: ldap3.Connection) -> None:
    reader = directory.connector_reader()
    start = reader.read_changes(None, True)
    dn = _add_user(admin, "delta.one", department="Sales", title="Clerk")
    added = reader.read_changes(start.cookie, False)
    user = _only(added)
    assert (user.dn, user.deleted) == (dn, False)
    assert user.attributes["department"] == [b"Sales"]

    assert admin.modify(dn, {"department": [(ldap3.MODIFY_DELETE, [])], "title": [(ldap3.MODIFY_REPLACE, ["Head"])]}), admin.result
    modified = reader.read_changes(added.cookie, False)
    changed = _only(modified)
    assert changed.guid == user.guid
    assert changed.attributes["department"] == [] and changed.attributes["title"] == [b"Head"]
    assert "displayName" not in changed.attributes
    assert reader.read_changes(modified.cookie, False).objects == []

    assert admin.modify_dn(dn, "CN=delta.one", new_superior=SERVICE_OU), admin.result
    moved = reader.read_changes(modified.cookie, False)
    assert _only(moved).dn == f"CN=delta.one,{SERVICE_OU}"
    assert len(_only(moved).attributes["parentGUID"][0]) == 16

    assert admin.delete(f"CN=delta.one,{SERVICE_OU}"), admin.result
    gone = _only(reader.read_changes(moved.cookie, False))
    assert (gone.guid, gone.deleted) == (user.guid, True)
    assert user.guid not in {entry.guid for entry in reader.read_changes(None, True).objects}


def test_full_wins_over_a_cookie(directory: SambaDirectory) -> None:
    reader = directory.connector_reader()
    everything = reader.read_changes(None, True)
    assert len(reader.read_changes(everything.cookie, True).objects) == len(everything.objects) > 10


def test_a_contact_and_a_written_anchor_are_read(directory: SambaDirectory, admin: ldap3.Connection) -> None:
    reader = directory.connector_reader()
    cookie = reader.read_changes(None, True).cookie
    dn = f"CN=Partner,{STAFF_OU}"
    assert admin.add(dn, "contact", {"displayName": "Partner"}), admin.result
    contact = reader.read_changes(cookie, False)
    assert b"contact" in _only(contact).attributes["objectClass"]
    assert admin.delete(dn)
    anchor = uuid.uuid4().bytes_le
    dn = _add_user(admin, "with.anchor", **{"mS-DS-ConsistencyGuid": anchor})
    written = [entry for entry in reader.read_changes(contact.cookie, False).objects if not entry.deleted]
    assert [entry.attributes["mS-DS-ConsistencyGuid"] for entry in written] == [[anchor]]
    assert admin.delete(dn)


def test_a_foreign_cookie_is_refused(directory: SambaDirectory) -> None:
    with pytest.raises(ValueError, match="cookie"):
        directory.connector_reader().read_changes(b"nonsense", False)


def test_unreachable(cache: Path) -> None:
    elsewhere = SambaDirectory(cache, make_authority(cache), ELSEWHERE)
    with pytest.raises(ConnectionError):
        elsewhere.connector_reader().read_changes(None, True)


def test_an_address_in_use_is_said(directory: SambaDirectory, cache: Path) -> None:
    with pytest.raises(DirectoryError, match=rf"{ADDRESS}:389: Address already in use"):
        SambaDirectory(cache, make_authority(cache), ADDRESS).start()


def test_samba_missing_names_the_packages(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory_template, "SAMBA", cache / "no-samba")
    with pytest.raises(SambaMissing, match="samba-ad-provision"):
        SambaDirectory(cache, make_authority(cache), ELSEWHERE).start()


def test_a_port_that_may_not_be_used_is_said(directory: SambaDirectory, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refused)
    with pytest.raises(SambaMissing, match="CAP_NET_BIND_SERVICE"):
        SambaDirectory(cache, make_authority(cache), ELSEWHERE).start()


def test_a_second_start_is_quick_and_begins_from_the_seeds(directory: SambaDirectory, admin: ldap3.Connection, cache: Path) -> None:
    _add_user(admin, "not.there.later")
    other = SambaDirectory(cache, make_authority(cache), ELSEWHERE)
    with ends(30):  # some 0.3 s on an idle machine; provisioning again would take longer
        other.start()
    try:
        names = {entry.dn.split(",")[0] for entry in other.connector_reader().read_changes(None, True).objects}
    finally:
        other.stop()
    assert "CN=Maria Huber" in names and "CN=not.there.later" not in names


_KILLED = """
import os, signal, sys
from lab.certificates import make_authority
from lab.directory import SambaDirectory
directory = SambaDirectory(sys.argv[1], make_authority(sys.argv[1]), sys.argv[2])
directory.start()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_controller_dies_with_a_killed_parent(directory: SambaDirectory, cache: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(
        [sys.executable, "-c", _KILLED, str(cache), ELSEWHERE], env=environment, capture_output=True, timeout=60, check=False
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    wait_until(_nobody_listens, "the controller still listens")


def _nobody_listens() -> bool:
    try:
        socket.create_connection((ELSEWHERE, 636), 0.2).close()
    except OSError:
        return True
    return False


def test_the_folder_of_a_killed_run_is_swept_and_a_living_one_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory_template, "fast_folder", lambda otherwise: tmp_path)
    made = tmp_path / "made"
    made.mkdir()
    dead = tmp_path / "hybrid-identity-directory-run-dead"
    dead.mkdir()
    (dead / ".alive").touch()
    with directory_template.run_folder(made) as first, directory_template.run_folder(made) as second:
        assert not dead.exists()
        assert first.is_dir() and second.is_dir() and first != second
    assert list(tmp_path.iterdir()) == [made]


def test_a_half_made_template_is_replaced(cache: Path, directory: SambaDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def provisioned(folder: Path) -> None:
        folder.mkdir()
        (folder / "whole").touch()

    monkeypatch.setattr(directory_template, "_provision", provisioned)
    name = next(folder.name for folder in cache.glob("directory-*") if folder.is_dir())
    half = tmp_path / f"{name}.new"
    half.mkdir()
    (half / "half").touch()
    made = directory_template.template(tmp_path)
    assert [file.name for file in made.iterdir()] == ["whole"] and not half.exists()
