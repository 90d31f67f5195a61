# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What the words of libraries and of ssh stand for."""

from __future__ import annotations

import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._remote._causes import Settings, explain, ssh_ran_nothing
from ansible_collections.hybrid.identity.plugins.module_utils._remote._transport import (
    AuthenticationFailed,
    BadCertificate,
    ConnectionBroken,
    TransportError,
    Unreachable,
)

_SETTINGS = Settings(where="sync1", account="svc-sync", trust="t", plain="p", secure="s", credentials="c")
_SENT = 'Data could not be sent to remote host "sync1". Make sure this host can be reached over ssh: '


@pytest.mark.parametrize(("words", "kind"), [
    ("svc-sync@sync1: Permission denied (publickey,password,keyboard-interactive).", AuthenticationFailed),
    ("Warning: Permanently added 'sync1' to the list of known hosts.\r\nsvc-sync@sync1: Permission denied (publickey).", AuthenticationFailed),
    ("ssh: connect to host sync1 port 22: Connection refused", Unreachable),
    ("ssh: connect to host sync1 port 22: Connection timed out", Unreachable),
    ("ssh: connect to host sync1 port 22: No route to host", Unreachable),
    ("ssh: Could not resolve hostname sync1: Name or service not known", Unreachable),
    ("kex_exchange_identification: Connection closed by remote host", Unreachable),
    ("Connection timed out during banner exchange", Unreachable),
    ("No ED25519 host key is known for sync1 and you have requested strict checking.\r\nHost key verification failed.", BadCertificate),
])  # fmt: skip
def test_ssh_that_never_began(words: str, kind: type[TransportError]) -> None:
    assert ssh_ran_nothing(_SENT + words)
    assert isinstance(explain(_SENT + words, _SETTINGS, interrupted=False), kind)
    if kind is Unreachable:
        assert isinstance(explain(_SENT + words, _SETTINGS, interrupted=True), ConnectionBroken)


@pytest.mark.parametrize(
    "words",
    [
        "Connection to sync1 closed by remote host.",
        "client_loop: send disconnect: Broken pipe",
        "Read from remote host sync1: Connection reset by peer",
        "Timeout, server sync1 not responding.",
        "Connection reset by 10.0.0.5 port 22",
        "Shared connection to sync1 closed.",
        "",
    ],
)
def test_ssh_that_may_have_run_something(words: str) -> None:
    assert not ssh_ran_nothing(_SENT + words)


@pytest.mark.parametrize(("words", "part"), [
    ("credssp: Received error status from the server: (3221225581) STATUS_LOGON_FAILURE 0xc000006d", "for CredSSP"),
    ("SpnegoError (9): Received NTStatus in TSRequest from acceptor, Context: Public key exchange (InvalidTokenError)", "for CredSSP"),
    ("The server did not response CredSSP being an available authentication method - actual: 'Negotiate'", "does not offer"),
    ("The server did not response with one of the following authentication methods Negotiate, Kerberos, NTLM - actual: 'Basic'", "does not offer"),
    ("Preauthentication failed -1765328360 (Krb5Error)", "Kerberos did not let"),
    ("Client 'x@LAB.TEST' not found in Kerberos database -1765328378", "Kerberos did not let"),
    ("Cannot contact any KDC for realm 'LAB.TEST'", "Kerberos did not let"),
])  # fmt: skip
def test_refusals_of_kerberos_and_credssp(words: str, part: str) -> None:
    error = explain(words, _SETTINGS, interrupted=False)
    assert isinstance(error, AuthenticationFailed)
    assert part in str(error)
