# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The pywinrm transport against servers that do what no server should."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import hostile_server
import pytest
from hostile_server import HostileServer
from patience import FOR_EVER, ends, wait_until

from ansible_collections.hybrid.identity.plugins.module_utils._remote import _in_time, _winrm
from ansible_collections.hybrid.identity.plugins.module_utils._remote._transport import (
    AuthenticationFailed,
    BadCertificate,
    ConnectionBroken,
    MissingLibrary,
    NoCredentials,
    TransportError,
    Unreachable,
)
from ansible_collections.hybrid.identity.plugins.module_utils._remote._winrm import WinrmOptions, WinrmTransport
from lab.certificates import make_authority
from lab.wsman import RemoteCommand, WsmanServer

_PASSWORD = "Passw0rd.Of.The.Test"
_CALL = ("PowerShell -EncodedCommand AA==", b"x\n")


def _transport(port: int, **changes: Any) -> WinrmTransport:
    options = {"server": "127.0.0.1", "username": "svc-sync", "password": _PASSWORD, "port": port, "use_tls": False}
    return WinrmTransport(WinrmOptions(**{**options, **changes}))


def _failure(transport: WinrmTransport, timeout: float = 30.0) -> TransportError:
    """What a call ends with; it and the end of the transport wait for nobody who does not answer."""
    with ends(timeout + 20), pytest.raises(TransportError) as caught:
        transport.execute(*_CALL, timeout)
    with ends(20):
        transport.close()
    assert _PASSWORD not in str(caught.value) + str(caught.value.remedy)
    return caught.value


@pytest.mark.parametrize(("behaviour", "authentication"), [
    (None, "ntlm"), (hostile_server.hang, "basic"), (hostile_server.drip_head, "ntlm"), (hostile_server.drip_body, "ntlm"), (hostile_server.drip_body, "basic"),
])  # fmt: skip
def test_a_server_that_never_finishes_its_answer_is_left_in_time(behaviour: Any, authentication: str) -> None:
    with HostileServer(behaviour) as server:
        error = _failure(_transport(server.port, authentication=authentication), timeout=1.6)
    assert isinstance(error, Unreachable), "nothing has run"
    assert "within 2 s" in str(error)


def test_an_answer_without_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_in_time, "_MAX_GROWTH", 32 * 1024 * 1024)
    with HostileServer(hostile_server.flood) as server:
        error = _failure(_transport(server.port), timeout=120)
    assert isinstance(error, ConnectionBroken)
    assert "no end" in str(error)
    wait_until(lambda: all(thread.name != "remote call" for thread in threading.enumerate()), "the thread that read goes on")


def test_output_without_end_is_cut_off() -> None:
    stop = threading.Event()

    def endless(command: RemoteCommand) -> int:
        while not stop.is_set():
            command.write_out(b"x" * 100_000)
        return 0

    with WsmanServer(endless, {"svc-sync": _PASSWORD}) as server:
        original, _winrm.MAX_OUTPUT = _winrm.MAX_OUTPUT, 1_000_000
        try:
            error = _failure(_transport(server.http_port, authentication="basic"), timeout=30)
        finally:
            _winrm.MAX_OUTPUT = original
            stop.set()
        assert isinstance(error, ConnectionBroken)
        assert server.log.shells_opened == server.log.shells_closed == 1


@pytest.mark.parametrize(("verb", "authentication"), [
    ("Create", "ntlm"), ("Command", "ntlm"), ("Send", "basic"), ("Receive", "ntlm"), ("Receive", "basic"), ("Signal", "ntlm"),
])  # fmt: skip
def test_a_call_that_hangs_anywhere_is_left_in_time_and_its_shell_is_given_back(verb: str, authentication: str) -> None:
    def evaluate(command: RemoteCommand) -> int:
        command.read_stdin()
        return 0

    with WsmanServer(evaluate, {"svc-sync": _PASSWORD}) as server:
        transport = _transport(server.http_port, authentication=authentication)
        if verb != "Create":
            assert transport.execute(*_CALL, 30).exit_code == 0
        server.faults.arm("hang", verb=verb, seconds=3)
        error = _failure(transport, timeout=1)
        assert isinstance(error, Unreachable if verb == "Create" else ConnectionBroken)
        wait_until(lambda: server.log.shells_opened == server.log.shells_closed > 0, str(server.log.snapshot()))
        assert transport.execute(*_CALL, 30).exit_code == 0, "the next call opens a shell of its own"
        transport.close()


def test_closing_takes_five_seconds_at_most() -> None:
    with WsmanServer(lambda command: 0, {"svc-sync": _PASSWORD}) as server:
        transport = _transport(server.http_port, authentication="basic")
        transport.execute(*_CALL, 30)
        server.faults.arm("hang", verb="Delete", seconds=FOR_EVER)
        began = time.monotonic()
        with ends(20):
            transport.close()
        assert time.monotonic() - began > 4, "it had the chance"


@pytest.mark.parametrize("authentication", ["ntlm", "basic"])
def test_a_redirect_is_not_followed(authentication: str) -> None:
    with HostileServer(hostile_server.hang) as elsewhere, HostileServer(hostile_server.redirect) as server:
        server.elsewhere = elsewhere.port
        error = _failure(_transport(server.port, authentication=authentication))
        assert elsewhere.received == []
    assert isinstance(error, Unreachable)
    assert "sends the call on" in str(error)


# -- causes


def test_every_cause_has_its_own_sentence(tmp_path: Path) -> None:
    authority, stranger = make_authority(tmp_path / "one"), make_authority(tmp_path / "two")
    certificate = authority.issue(["sync1.lab.test"], ["127.0.0.2"], tmp_path / "server")
    trusted = {"use_tls": True, "ca_cert": str(authority.certificate_path)}
    sentences = set()

    def check(transport: WinrmTransport, kind: type[TransportError], words: str, remedy: str) -> None:
        error = _failure(transport)
        assert error.__class__ is kind, error
        assert words in str(error)
        assert remedy in str(error.remedy)
        sentences.add(str(error).replace(transport._options.endpoint, ""))

    with (
        WsmanServer(lambda command: 0, {"svc-sync": _PASSWORD}, certificate=certificate) as server,
        HostileServer(hostile_server.bad_request) as plain,
        HostileServer(hostile_server.not_found) as web,
    ):
        http, https = server.http_port, server.https_port or 0
        check(_transport(http, server="no-such-name.invalid"), Unreachable, "does not resolve", "DNS")
        check(_transport(9), Unreachable, "refused the connection", "listener")
        check(_transport(plain.port, use_tls=True), Unreachable, "speaks plain http", "use_tls to false")
        check(_transport(https), Unreachable, "speaks TLS", "use_tls to true")
        check(_transport(https, use_tls=True, ca_cert=str(stranger.certificate_path)), BadCertificate, "not trusted", "ca_cert")
        check(_transport(https, **trusted), BadCertificate, "another name", "name that is in the certificate")
        check(_transport(https, use_tls=True, ca_cert="/no/such/file"), BadCertificate, "does not exist", "ca_cert")
        check(_transport(http, password=None), NoCredentials, "no credentials", "username and password")
        check(_transport(http, username=None), NoCredentials, "no credentials", "username and password")
        check(_transport(web.port), Unreachable, "no WinRM listener", "what else listens")
        error = _failure(_transport(http, password="wrong"))
        assert error.__class__ is AuthenticationFailed
        sentences.add(str(error))
    assert len(sentences) == 11


def test_a_server_that_has_only_tls_1_0_is_named_with_its_remedy() -> None:
    with HostileServer(hostile_server.only_tls_1_0) as server:
        error = _failure(_transport(server.port, use_tls=True))
    assert isinstance(error, Unreachable)
    assert "TLS 1.0 alone" in str(error)
    assert "Enable TLS 1.2 on it" in str(error.remedy)
    assert "use_tls to false" in str(error.remedy)


@pytest.mark.parametrize(("authentication", "flag", "package"), [
    ("kerberos", "HAVE_KERBEROS", "pywinrm[kerberos]"), ("credssp", "HAVE_CREDSSP", "requests-credssp"), ("ntlm", "HAVE_NTLM", "requests-ntlm"),
])  # fmt: skip
def test_a_missing_library_is_named(authentication: str, flag: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"winrm.transport.{flag}", False)
    error = _failure(_transport(9, authentication=authentication))
    assert isinstance(error, MissingLibrary)
    assert package in str(error.remedy)


def test_pywinrm_itself_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_winrm, "WINRM_IMPORT_ERROR", "No module named 'winrm'")
    error = _failure(_transport(9))
    assert isinstance(error, MissingLibrary)
    assert "pip install pywinrm" in str(error.remedy)


@pytest.mark.parametrize(("changes", "words"), [
    ({"authentication": "basic"}, ["basic over http"]),
    ({"use_tls": True, "validate_certs": False}, ["not checked"]),
    ({"use_tls": True, "authentication": "basic"}, []),
    ({}, []),
    ({"validate_certs": False}, []),
])  # fmt: skip
def test_what_is_open_to_others_is_warned_of(changes: dict[str, Any], words: list[str]) -> None:
    warnings = _transport(1, **changes).warnings
    assert len(warnings) == len(words)
    for warning, word in zip(warnings, words):
        assert word in warning
