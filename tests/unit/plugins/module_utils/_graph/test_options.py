# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What is wrong with the options for Graph is one sentence, before any connection."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509 import CertificateBuilder, Name, random_serial_number

from ansible_collections.hybrid.identity.plugins.module_utils._deadline import Deadline
from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._graph._answers import Call
from ansible_collections.hybrid.identity.plugins.module_utils._graph._client import GraphClient
from ansible_collections.hybrid.identity.plugins.module_utils._graph._options import read_graph_options

PARAMS = {"tenant_id": "corp.example", "client_id": "app", "client_secret": "s3cr3t-of-the-app"}
PASSWORD = "p4ss-of-the-key"


@pytest.fixture(autouse=True)
def _no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in this file may reach for the network."""

    def refuse(*arguments: Any, **options: Any) -> Any:
        raise AssertionError(f"a connection was tried: {arguments}")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def wrong(**changes: Any) -> str:
    """The sentence on wrong options."""
    with pytest.raises(HybridIdentityError) as caught:
        client = GraphClient(read_graph_options({**PARAMS, **changes}, {}), Deadline(5))
        client.call(Call("GET", "/organization"), "testing")
    assert caught.value.reason == "invalid_input"
    text = str(caught.value.as_result())
    assert "s3cr3t" not in text and PASSWORD not in text and "hunter2" not in text
    assert caught.value.message.count(". ") == 0 and caught.value.message.endswith(".")
    return caught.value.message


@pytest.mark.parametrize("option", ["graph_url", "authority_url"])
@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://graph.example", "in clear"),
        ("HTTP://graph.example", "in clear"),
        ("ftp://graph.example", "in clear"),
        ("graph.example", "in clear"),
        ("http://anna:hunter2@graph.example", "in clear"),
        ("https://anna:hunter2@graph.example", "a user name or a password"),
        ("https://hunter2@graph.example/v1.0", "a user name or a password"),
        ("https://", "form https://host"),
        ("https://graph.example:99999", "not an address"),
        ("https://graph.example:0", "form https://host"),
        ("https://[::1", "not an address"),
        ("https://graph.example?x=1", "form https://host"),
        ("https://graph.example#x", "form https://host"),
        ("https://graph\u202e.example", "form https://host"),
        ("https://graph example", "form https://host"),
    ],
)
def test_addresses(option: str, url: str, words: str) -> None:
    sentence = wrong(**{option: url})
    assert option in sentence and words in sentence


@pytest.mark.parametrize("tenant", ["a/b", "a?b", "../x", "a b", "\x1b[31mx", "x@y"])
def test_a_tenant_is_an_id_or_a_domain(tenant: str) -> None:
    sentence = wrong(tenant_id=tenant)
    assert "tenant_id" in sentence and "\x1b" not in sentence


def test_a_client_is_an_id() -> None:
    assert "client_id" in wrong(client_id="app\r\nX: y")


@pytest.fixture(scope="module")
def material() -> dict[str, Any]:
    """Two keys and a certificate of the first."""
    keys = [rsa.generate_private_key(65537, 2048) for _number in range(2)]
    now = datetime.now(UTC)
    builder = CertificateBuilder(Name([]), Name([]), keys[0].public_key(), random_serial_number(), now, now + timedelta(days=1))
    certificate = builder.sign(keys[0], hashes.SHA256())

    def pem(key: Any, password: str = "") -> bytes:
        lock: Any = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
        text: bytes = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
        return text

    def box(key: Any, cert: Any) -> bytes:
        return pkcs12.serialize_key_and_certificates(b"app", key, cert, None, serialization.BestAvailableEncryption(PASSWORD.encode()))

    shown = certificate.public_bytes(serialization.Encoding.PEM)
    return {
        "certificate only.pem": shown,
        "key only.pem": pem(keys[0]),
        "other key.pem": pem(keys[1]) + shown,
        "locked.pem": shown + pem(keys[0], PASSWORD),
        "broken key.pem": shown + b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "broken certificate.pem": pem(keys[0]) + b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "nothing.pem": b"hello\n",
        "empty.pem": b"",
        "binary.pem": bytes(range(256)),
        "whole.pem": pem(keys[0]) + shown,
        "whole.pfx": box(keys[0], certificate),
        "certificate only.pfx": box(None, certificate),
        "nothing.pfx": b"hello\n",
    }


@pytest.mark.parametrize(
    ("name", "password", "words"),
    [
        ("certificate only.pem", None, "without its private key"),
        ("key only.pem", None, "without its certificate"),
        ("other key.pem", None, "not that of its first certificate"),
        ("locked.pem", None, "needs a certificate_password"),
        ("locked.pem", "hunter2", "needs another certificate_password"),
        ("broken key.pem", None, "private key that is broken"),
        ("broken certificate.pem", None, "broken certificate"),
        ("nothing.pem", None, "neither"),
        ("empty.pem", None, "neither"),
        ("binary.pem", None, "neither"),
        ("missing.pem", None, "No such file"),
        ("whole.pfx", None, "certificate_password"),
        ("whole.pfx", "hunter2", "another certificate_password"),
        ("certificate only.pfx", PASSWORD, "without its private key"),
        ("nothing.pfx", None, "no PKCS #12 file"),
    ],
)
def test_certificates(material: dict[str, Any], tmp_path: Path, name: str, password: str | None, words: str) -> None:
    if name in material:
        (tmp_path / name).write_bytes(material[name])
    sentence = wrong(client_secret=None, certificate_path=str(tmp_path / name), certificate_password=password)
    assert "certificate_path" in sentence and words in sentence


@pytest.mark.parametrize(
    ("name", "password"), [("whole.pem", None), ("whole.pem", "unneeded"), ("locked.pem", PASSWORD), ("whole.pfx", PASSWORD)]
)
def test_certificates_that_serve(material: dict[str, Any], tmp_path: Path, name: str, password: str | None) -> None:
    (tmp_path / name).write_bytes(material[name])
    params = {**PARAMS, "client_secret": None, "certificate_path": str(tmp_path / name), "certificate_password": password}
    GraphClient(read_graph_options(params, {}), Deadline(5)).close()


def test_authorities(tmp_path: Path, material: dict[str, Any]) -> None:
    assert "cannot be read: No such file" in wrong(ca_cert=str(tmp_path / "missing"))
    (tmp_path / "text").write_text("hello")
    assert "no certificate in PEM form" in wrong(ca_cert=str(tmp_path / "text"))
    (tmp_path / "good").write_bytes(material["certificate only.pem"])
    for good in ("good", ""):
        GraphClient(read_graph_options({**PARAMS, "ca_cert": str(tmp_path / good)}, {}), Deadline(5)).close()


def test_federated_token(tmp_path: Path) -> None:
    assert "No such file" in wrong(client_secret=None, federated_token_file=str(tmp_path / "missing"))
    (tmp_path / "empty").write_text(" \n")
    assert "is empty" in wrong(client_secret=None, federated_token_file=str(tmp_path / "empty"))
