# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Authentication of one TCP connection.

Basic and the client's certificate count for one request; NTLM (raw or in SPNEGO), Kerberos and CredSSP once for the connection.
"""

from __future__ import annotations

import base64
import binascii
import functools
import logging
import tempfile
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.wsman.accounts import Accounts

if TYPE_CHECKING:  # 70 ms of import: only when the first NTLM client comes
    import spnego

_HEADER = "WWW-Authenticate"
#: what a listener can offer, by the words of winrm/config/service/auth
OFFERS = {"Negotiate": "Negotiate", "Kerberos": "Kerberos", "CredSSP": "CredSSP", "Basic": 'Basic realm="WSMAN"'}
#: the scheme of a client that shows a certificate in its TLS handshake
MUTUAL = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"


@dataclass(frozen=True)
class Verdict:
    """What the authentication says about one request.

    Attributes:
        user: the principal; '' = answer 401 with these headers.
        headers: for the answer, in both cases.
    """

    user: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)


class ConnectionAuthentication:
    """The state of the authentication of one connection.

    Args:
        accounts: who may sign in.
        binding: application data of the channel binding ('tls-server-end-point:' + hash) on TLS, else None.
        client: the account that the certificate of the client stands for; '' without one.
        offers: keys of OFFERS; None = all of them.

    Attributes:
        scheme: what the connection was authenticated with, in lower case.
    """

    def __init__(self, accounts: Accounts, binding: bytes | None, client: str = "", offers: Collection[str] | None = None) -> None:
        self._offers = {name.lower(): value for name, value in OFFERS.items() if offers is None or name in offers}
        self.scheme = ""
        self._client = client
        self._accounts = accounts
        self._binding = binding
        self._handshake: spnego.ContextProxy | None = None
        self._user = ""

    @property
    def context(self) -> spnego.ContextProxy | None:
        """The finished security context, for sealing; None without one."""
        return self._handshake if self._user else None

    def judge(self, header: str | None) -> Verdict:
        """Judge a request by its Authorization header; without one the connection must have been authenticated before."""
        if header is None:
            return Verdict(self._user) if self._user else self.refuse()
        if header.strip().lower() == MUTUAL:
            # assumption: a certificate that no account is mapped to is answered like a wrong password.
            return Verdict(self._client) if self._client else self.refuse()
        scheme, _unused, value = header.strip().partition(" ")
        try:
            token = base64.b64decode(value.strip(), validate=True)
        except (binascii.Error, ValueError):
            return self.refuse()
        if ("negotiate" if scheme.lower() == "ntlm" else scheme.lower()) not in self._offers:
            return self.refuse()
        if scheme.lower() == "basic":
            return self._basic(token)
        if scheme.lower() in ("negotiate", "ntlm", "kerberos", "credssp"):
            return self._handshake_step(scheme, token)
        return self.refuse()

    def refuse(self) -> Verdict:
        """Forget what was agreed and offer the schemes again."""
        self._handshake, self._user = None, ""
        return Verdict(headers=[(_HEADER, value) for value in self._offers.values()])

    def _basic(self, token: bytes) -> Verdict:
        try:
            text = token.decode("utf-8")
        except UnicodeDecodeError:  # requests, and with it pywinrm, encodes Latin-1
            text = token.decode("latin-1")
        name, separator, password = text.partition(":")
        if separator and self._accounts.check(name, password):
            return Verdict(name)
        return self.refuse()

    def _handshake_step(self, scheme: str, token: bytes) -> Verdict:
        with self._accounts.for_acceptor():
            try:
                if self._handshake is None or self._user:
                    self._user, self.scheme = "", scheme.lower()
                    self._handshake = self._acceptor(token)  # Kerberos may have no key here
                answer = self._handshake.step(token)
            except Exception:
                return self.refuse()
        headers = [(_HEADER, f"{scheme} {base64.b64encode(answer).decode()}")] if answer else []
        if not self._handshake.complete:
            return Verdict(headers=headers)
        self._user = self._handshake.client_principal or ""
        return Verdict(self._user, headers) if self._user else self.refuse()

    def _acceptor(self, token: bytes) -> spnego.ContextProxy:
        import spnego.channel_bindings

        logging.getLogger("spnego").setLevel(logging.INFO)  # its debug lines hold the tokens
        options: dict[str, Any] = {"hostname": "sync-server", "service": "HTTP"}
        if self._binding:
            # assumption: CbtHardeningLevel Strict. Windows' default Relaxed also lets clients in that send no binding at all.
            options["channel_bindings"] = spnego.channel_bindings.GssChannelBindings(application_data=self._binding)
        if self.scheme == "credssp":
            # The connection's own TLS, if it has one, is not bound: the TLS inside is, to its key.
            inner = spnego.server(
                protocol="negotiate", options=spnego.NegotiateOptions.use_negotiate, hostname="sync-server", service="HTTP"
            )
            return spnego.server(protocol="credssp", credssp_negotiate_context=inner, credssp_tls_context=_tls_of_credssp())
        if self.scheme == "kerberos":
            return spnego.server(protocol="kerberos", **options)
        # Always pyspnego's own NTLM: a GSSAPI library on the machine would look for accounts of its own.
        raw = token.startswith(b"NTLMSSP\0")
        own = spnego.NegotiateOptions.use_ntlm if raw else spnego.NegotiateOptions.use_negotiate
        return spnego.server(protocol="ntlm" if raw else "negotiate", options=own, **options)


@functools.cache
def _tls_of_credssp() -> Any:
    """The TLS side of CredSSP, with a certificate of its own as on Windows. Making a key takes a moment, so one serves the whole process."""
    import ssl

    import spnego.tls

    context = spnego.tls.default_tls_context(usage="accept")
    # assumption: TLS 1.2, as on every Windows Server up to 2019; pywinrm counts the trailers of 1.3 wrongly.
    context.context.maximum_version = ssl.TLSVersion.TLSv1_2
    certificate, key, public_key = spnego.tls.generate_tls_certificate()
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate + key)
        file.flush()
        context.context.load_cert_chain(file.name)
    context.public_key = public_key
    return context
