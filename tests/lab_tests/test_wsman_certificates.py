# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The certificates of the lab."""

from __future__ import annotations

import json
import ssl
import stat
from pathlib import Path

from cryptography import x509

from lab.certificates import make_authority


def test_certificates_are_kept_and_made_anew_when_needed(tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    certificate = authority.issue(["a.lab.test"], ["127.0.0.1"], tmp_path / "servers" / "a")
    first = certificate.certificate_path.read_bytes()
    assert make_authority(tmp_path) == authority
    assert authority.issue(["a.lab.test"], ["127.0.0.1"], tmp_path / "servers" / "a").certificate_path.read_bytes() == first
    assert authority.issue(["b.lab.test"], ["127.0.0.1"], tmp_path / "servers" / "a").certificate_path.read_bytes() != first
    for key in (authority.key_path, certificate.key_path):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_old_and_foreign_certificates_are_replaced(tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    certificate = authority.issue(["a.lab.test"], [], tmp_path / "a")
    first = certificate.certificate_path.read_bytes()
    note = tmp_path / "a.json"
    note.write_text(json.dumps({**json.loads(note.read_text()), "until": "2020-01-01T00:00:00+00:00"}))
    second = authority.issue(["a.lab.test"], [], tmp_path / "a").certificate_path.read_bytes()
    assert second != first
    (tmp_path / "authority.key").unlink()
    third = make_authority(tmp_path).issue(["a.lab.test"], [], tmp_path / "a").certificate_path.read_bytes()
    assert third != second


def test_names_and_chain(tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    certificate = authority.issue(["a.lab.test", "b"], ["127.0.0.1", "::1"], tmp_path / "a")
    parsed = x509.load_pem_x509_certificate(certificate.certificate_path.read_bytes())
    names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.lab.test", "b"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    parsed.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate_path.read_bytes()))
    # The way a client verifies, strict as newer Pythons do by default.
    client, server = ssl.create_default_context(cafile=certificate.authority_path), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    server.load_cert_chain(certificate.certificate_path, certificate.key_path)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client_side = client.wrap_bio(to_client, to_server, server_hostname="a.lab.test")
    server_side = server.wrap_bio(to_server, to_client, server_side=True)
    done = set()
    for _unused in range(6):
        for side in (client_side, server_side):
            try:
                side.do_handshake()
                done.add(side.server_side)
            except ssl.SSLWantReadError:
                pass
    assert done == {False, True}
