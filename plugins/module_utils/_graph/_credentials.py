# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The files of a sign-in, looked at before any connection: one sentence for each thing that can be wrong. Private to the collection."""

from __future__ import annotations

import os
import ssl
from typing import Any, Optional

from .._failure import HybridIdentityError
from .._printable import printable
from ._options import GraphOptions

try:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12
    from cryptography.x509 import load_pem_x509_certificate
except ImportError:  # it comes with msal, whose absence the module tells
    pass


def check_files(options: GraphOptions) -> None:
    """Raise HybridIdentityError (invalid_input) when a file of the options cannot serve."""
    if options.ca_cert:
        _check_authorities(options.ca_cert)
    if options.certificate_path:
        _check_certificate(options.certificate_path, options.certificate_password)
    if options.federated_token_file and not read_file("federated_token_file", options.federated_token_file).strip():
        raise _wrong(f"federated_token_file {printable(options.federated_token_file)} is empty")


def read_file(option: str, path: str) -> bytes:
    """The content of a file that an option names. Raises HybridIdentityError (invalid_input)."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError) as error:
        raise _wrong(f"{option} {printable(path)} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def is_pkcs12(path: str) -> bool:
    """Whether the name of a certificate file says PKCS #12."""
    return path.lower().endswith((".pfx", ".p12"))


def _check_authorities(path: str) -> None:
    if os.path.isdir(path):  # hashed names, as OpenSSL takes them
        return
    read_file("ca_cert", path)
    try:
        ssl.create_default_context(cafile=path)
    except (ssl.SSLError, OSError, ValueError):
        raise _wrong(f"ca_cert {printable(path)} has no certificate in PEM form") from None


def _check_certificate(path: str, password: Optional[str]) -> None:
    shown = f"certificate_path {printable(path)}"
    content = read_file("certificate_path", path)
    secret = password.encode() if password else None
    if is_pkcs12(path):
        key, certificate = _opened_pkcs12(content, secret, shown)
    else:
        key, certificate = _opened_pem(content, secret, shown)
    if key is None:
        raise _wrong(f"{shown} has a certificate without its private key")
    if certificate is None:
        raise _wrong(f"{shown} has a private key without its certificate")
    if key.public_key() != certificate.public_key():
        raise _wrong(f"{shown} has a private key that is not that of its first certificate")


def _opened_pkcs12(content: bytes, secret: Optional[bytes], shown: str) -> tuple[Any, Any]:
    try:
        key, certificate, _others = pkcs12.load_key_and_certificates(content, secret)
    except ValueError:
        needs = "another certificate_password" if secret else "a certificate_password"
        raise _wrong(f"{shown} cannot be opened: it is no PKCS #12 file, or needs {needs}") from None
    return key, certificate


def _opened_pem(content: bytes, secret: Optional[bytes], shown: str) -> tuple[Any, Any]:
    key = certificate = None
    if b"PRIVATE KEY-----" in content:
        encrypted = b"ENCRYPTED" in content
        try:
            key = serialization.load_pem_private_key(content[_start_of_key(content) :], secret if encrypted else None)
        except (ValueError, TypeError):
            why = (f"needs {'another' if secret else 'a'} certificate_password") if encrypted else "is broken"
            raise _wrong(f"{shown} has a private key that {why}") from None
    if b"BEGIN CERTIFICATE-----" in content:
        try:
            certificate = load_pem_x509_certificate(content[content.index(b"-----BEGIN CERTIFICATE") :])
        except ValueError:
            raise _wrong(f"{shown} has a broken certificate") from None
    if key is None and certificate is None:
        raise _wrong(f"{shown} has neither a certificate nor a private key in PEM form")
    return key, certificate


def _start_of_key(content: bytes) -> int:
    return content.rindex(b"-----BEGIN", 0, content.index(b"PRIVATE KEY-----"))


def _wrong(sentence: str) -> HybridIdentityError:
    return HybridIdentityError("invalid_input", f"{sentence}.")
