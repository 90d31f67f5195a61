# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Never in clear, and one sentence for what cannot be used, before anything is sent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from directories import Admin, ensure, options

from ansible_collections.hybrid.identity.plugins.module_utils._directory._connection import Directory
from ansible_collections.hybrid.identity.plugins.module_utils._directory._options import DirectoryOptions
from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from lab.certificates import make_authority
from lab.directory import SambaDirectory

PERSON = {"upn": "wire@lab.example", "display_name": "Wire"}
SECRET = "S3cret-in-the-address"


class Listener:
    """A server that keeps everything that it is sent."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.heard: list[bytes] = []
        self.connections = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                peer, _address = self._server.accept()
            except OSError:
                return
            self.connections += 1
            peer.settimeout(2)
            try:
                self.heard.append(peer.recv(65536))
                peer.sendall(bytes.fromhex("300c02010178070a010204000400"))  # an extended response: protocolError
                self.heard.append(peer.recv(65536))
            except OSError:
                pass
            peer.close()

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    yield server
    server.close()


@pytest.mark.parametrize(
    "address",
    [
        "ldap://127.0.0.1", "LDAP://127.0.0.1/", " ldap://127.0.0.1", "cldap://127.0.0.1", "ldapi://%2Fvar%2Frun", "http://127.0.0.1",
        "ldap://127.0.0.1:{port}", "ldap:127.0.0.1", "127.0.0.1:{port}", "127.0.0.1/x", "", "ldaps://",
    ],
)  # fmt: skip
@pytest.mark.parametrize("start_tls", [False, True])
def test_what_is_not_encrypted_is_refused_before_a_connection(listener: Listener, address: str, start_tls: bool) -> None:
    given = DirectoryOptions(
        address.format(port=listener.port), "svc@lab.example", SECRET, port=listener.port, start_tls=start_tls, timeout=2
    )
    with pytest.raises(HybridIdentityError) as caught, Directory(given):
        pass
    assert caught.value.reason == "invalid_input"
    assert "directory_server" in caught.value.message
    assert listener.connections == 0


@pytest.mark.parametrize("scheme", ["", "ldap://", "ldaps://"])
def test_no_user_name_of_an_address_is_told(listener: Listener, scheme: str) -> None:
    address = f"{scheme}admin:{SECRET}@127.0.0.1"
    with pytest.raises(HybridIdentityError) as caught, Directory(DirectoryOptions(address, "svc", "x", port=listener.port)):
        pass
    assert caught.value.reason == "invalid_input"
    assert SECRET not in str(caught.value.as_result()) and "admin" not in str(caught.value.as_result())
    assert SECRET not in DirectoryOptions(address, "svc", "x").where
    assert listener.connections == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"password": ""}, "password is empty"),
        ({"username": " "}, "username is empty"),
        ({"ca_cert": "/nowhere/ca.pem"}, "/nowhere/ca.pem does not exist"),
        ({"port": 0x10000}, "is no port"),
        ({"timeout": 0}, "too short"),
    ],
)
def test_one_sentence_for_what_cannot_be_used(listener: Listener, changes: dict[str, Any], words: str) -> None:
    given = {"server": "127.0.0.1", "username": "svc", "password": "x", "port": listener.port, **changes}
    with pytest.raises(HybridIdentityError) as caught, Directory(DirectoryOptions(**given)):
        pass
    assert (caught.value.reason, words in caught.value.message) == ("invalid_input", True)
    assert caught.value.message.count(". ") == 0
    assert listener.connections == 0


def test_a_file_without_a_certificate(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    with (
        pytest.raises(HybridIdentityError, match="holds no certificate"),
        Directory(DirectoryOptions("dc1", "svc", "x", ca_cert=str(file))),
    ):
        pass


def test_the_ports(samba: SambaDirectory) -> None:
    assert DirectoryOptions("dc1", "u", "p").effective_port == 636
    assert DirectoryOptions("dc1", "u", "p", start_tls=True).effective_port == 389
    assert DirectoryOptions("dc1", "u", "p", start_tls=True, port=10389).effective_port == 10389
    with Directory(options(samba, server=f"ldaps://{samba.address}")) as directory:
        assert directory.base_dn


def test_start_tls_encrypts_before_the_sign_in(samba: SambaDirectory, admin: Admin, tmp_path: Path) -> None:
    made = ensure(samba, PERSON, start_tls=True)
    assert (made["failure_reason"], made["summary"]["created"]) == (None, 1)
    assert made["warnings"] == []
    stranger = str(make_authority(tmp_path / "stranger").certificate_path)
    distrusted = ensure(samba, PERSON, start_tls=True, ca_cert=stranger)
    assert (distrusted["failure_reason"], "certificate" in distrusted["msg"].lower()) == ("unreachable", True)
    # The same address in a spelling that the certificate does not have: the name is checked on both ways.
    first, second, third, fourth = map(int, samba.address.split("."))
    spelled = f"{first}.{second}.{256 * third + fourth}"
    for start_tls in (True, False):
        unnamed = ensure(samba, PERSON, start_tls=start_tls, directory_server=spelled, server_name=None)
        assert (unnamed["failure_reason"], "is for dc1.lab.test" in unnamed["msg"]) == ("unreachable", True), unnamed["msg"]


def test_a_server_that_does_not_take_start_tls_hears_no_password(listener: Listener) -> None:
    given = DirectoryOptions("127.0.0.1", "svc@lab.example", SECRET, port=listener.port, start_tls=True, timeout=3)
    with pytest.raises(HybridIdentityError) as caught, Directory(given):
        pass
    assert caught.value.reason == "unreachable"
    assert listener.connections == 1
    heard = b"".join(listener.heard)
    assert b"1.3.6.1.4.1.1466.20037" in heard
    assert SECRET.encode() not in heard and b"svc@" not in heard


def test_an_unchecked_certificate_warns(samba: SambaDirectory, tmp_path: Path) -> None:
    trusting = ensure(samba, {"upn": "maria.huber@lab.example"}, validate_certs=False, ca_cert=None)
    assert trusting["failure_reason"] is None
    assert any("validate_certs" in warning for warning in trusting["warnings"])
    # also when nothing came of it
    assert ensure(samba, PERSON, validate_certs=False, password="wrong")["warnings"]
