# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Certificates of the lab: one authority per folder, server certificates signed by it, all kept on disk and reused."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # `cryptography` takes some 40 ms to import: only when something has to be made
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_VALID = timedelta(days=730)
_SPARE = timedelta(days=7)  # a kept certificate with less time left than this is made anew
#: object identifier of a user principal name among the alternative names (szOID_NT_PRINCIPAL_NAME)
USER_PRINCIPAL_NAME = "1.3.6.1.4.1.311.20.2.3"
_BACKDATED = timedelta(days=1)  # a machine of the estate may be behind real time


@dataclass(frozen=True)
class Certificate:
    """A server certificate: PEM files of the certificate, its private key (PKCS #8, no pass phrase) and the authority that signed it."""

    certificate_path: Path
    key_path: Path
    authority_path: Path


@dataclass(frozen=True)
class Authority:
    """The lab's certification authority. `certificate_path` is what clients are told to trust (PEM)."""

    certificate_path: Path
    key_path: Path

    def issue(self, names: Sequence[str], ips: Sequence[str], stem: Path | str, *, user: str = "") -> Certificate:
        """Issue a server certificate, or return the kept one if it has the same names and time left.

        Args:
            names: DNS names, the first one is also the common name.
            ips: IP addresses in text form.
            stem: path without suffix; '<stem>.pem', '<stem>.key' and '<stem>.json' are written.
            user: user principal name; with it the certificate is a client's, and that is its name.
        """
        stem = Path(stem)
        pem, key, note = (stem.with_name(stem.name + suffix) for suffix in (".pem", ".key", ".json"))
        stem.parent.mkdir(parents=True, exist_ok=True)
        wanted: dict[str, Any] = {"names": list(names), "ips": list(ips), **({"user": user} if user else {})}
        wanted["authority"] = hashlib.sha256(self.certificate_path.read_bytes()).hexdigest()
        with _locked(stem.parent):
            if not (_is_kept(note, wanted) and pem.is_file() and key.is_file()):
                until = _issue(self, names, ips, user, pem, key)
                _write(note, json.dumps({**wanted, "until": until.isoformat()}).encode())
        return Certificate(pem, key, self.certificate_path)


def make_authority(folder: Path | str) -> Authority:
    """Make the authority of a folder, or return the one kept there ('authority.pem', 'authority.key')."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    authority = Authority(folder / "authority.pem", folder / "authority.key")
    note = folder / "authority.json"
    with _locked(folder):
        if not (_is_kept(note, {}) and authority.certificate_path.is_file() and authority.key_path.is_file()):
            until = _make_root(authority)
            _write(note, json.dumps({"until": until.isoformat()}).encode())
    return authority


def _is_kept(note: Path, wanted: dict[str, Any]) -> bool:
    """Whether the note beside a certificate says that it is the wanted one and still good (no certificate parsing: start is quick)."""
    try:
        kept = json.loads(note.read_bytes())
        until = datetime.fromisoformat(kept.pop("until"))
    except (OSError, ValueError, KeyError):
        return False
    return bool(kept == wanted and until > datetime.now(UTC) + _SPARE)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Two labs may share the folder: one makes, the other waits and reuses."""
    with open(folder / ".certificates.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: Path, data: bytes, mode: int = 0o644) -> None:
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
    os.replace(temporary, path)


def _new_key(path: Path) -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(path, pem, 0o600)
    return key


def _builder(subject: x509.Name, issuer: x509.Name, until: datetime) -> x509.CertificateBuilder:
    from cryptography import x509

    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).serial_number(x509.random_serial_number())
    return builder.not_valid_before(datetime.now(UTC) - _BACKDATED).not_valid_after(until)


def _name(common_name: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _key_usage(**used: bool) -> x509.KeyUsage:
    from cryptography import x509

    usages = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
    )
    return x509.KeyUsage(**{usage: used.get(usage, False) for usage in usages}, encipher_only=False, decipher_only=False)


def _make_root(authority: Authority) -> datetime:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    key = _new_key(authority.key_path)
    name = _name("hybrid.identity lab authority")
    until = datetime.now(UTC) + 2 * _VALID
    # Key usage and both key identifiers: newer Pythons verify strictly (RFC 5280) and refuse an authority without them.
    builder = _builder(name, name, until).public_key(key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    _write(authority.certificate_path, builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return until


def _issue(authority: Authority, names: Sequence[str], ips: Sequence[str], user: str, pem: Path, key_path: Path) -> datetime:
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509.oid import ExtendedKeyUsageOID

    root = x509.load_pem_x509_certificate(authority.certificate_path.read_bytes())
    root_key = serialization.load_pem_private_key(authority.key_path.read_bytes(), None)
    if not isinstance(root_key, EllipticCurvePrivateKey):
        raise TypeError("the key of the lab authority is not an elliptic curve key")
    key = _new_key(key_path)
    usage = ExtendedKeyUsageOID.CLIENT_AUTH if user else ExtendedKeyUsageOID.SERVER_AUTH
    until = datetime.now(UTC) + _VALID
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    principal_name = x509.ObjectIdentifier(USER_PRINCIPAL_NAME)
    alternatives += [x509.IPAddress(ipaddress.ip_address(ip)) for ip in ips]
    if user:
        # As Windows maps a client's certificate to an account: the user principal name as a UTF8String among the alternative names.
        text = user.encode()
        alternatives.append(x509.OtherName(principal_name, bytes((0x0C, len(text))) + text))
    builder = _builder(_name((*names, *ips, user)[0]), root.subject, until).public_key(key.public_key())
    builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(digital_signature=True, key_agreement=True), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
    # SHA-256: the hash of the signature is also the one of the channel binding (RFC 5929, tls-server-end-point).
    _write(pem, builder.sign(root_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return until


def user_of(certificate: bytes) -> str:
    """The user principal name in a client's certificate (DER); '' without one."""
    from cryptography import x509

    parsed = x509.load_der_x509_certificate(certificate)
    try:
        names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    principal_name = x509.ObjectIdentifier(USER_PRINCIPAL_NAME)
    found = [name.value[2:].decode() for name in names if isinstance(name, x509.OtherName) and name.type_id == principal_name]
    return found[0] if found else ""
