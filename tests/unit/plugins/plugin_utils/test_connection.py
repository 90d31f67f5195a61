# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The transport over Ansible's own winrm connection plugin, against servers that do what no server should."""

from __future__ import annotations

import copy
import time
from pathlib import Path
from typing import Any

import hostile_server
import pytest
from ansible.errors import AnsibleError
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader
from hostile_server import HostileServer
from patience import FOR_EVER, ends, wait_until

from ansible_collections.hybrid.identity.plugins.module_utils._remote import _in_time
from ansible_collections.hybrid.identity.plugins.module_utils._remote._transport import (
    AuthenticationFailed,
    BadCertificate,
    ConnectionBroken,
    MissingLibrary,
    NoCredentials,
    TransportError,
    Unreachable,
)
from ansible_collections.hybrid.identity.plugins.plugin_utils import _connection
from ansible_collections.hybrid.identity.plugins.plugin_utils._connection import ConnectionTransport
from lab.certificates import make_authority
from lab.wsman import RemoteCommand, WsmanServer

_PASSWORD = "Passw0rd.Of.The.Test"
_CALL = ("PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand AA==", b"x\n")


def _plugin(port: int, kind: str = "winrm", **changes: Any) -> Any:
    variables = {
        "ansible_host": "127.0.0.1", "ansible_port": port, "ansible_user": "svc-sync", "ansible_password": _PASSWORD,
        "ansible_winrm_scheme": "http", "ansible_winrm_transport": "ntlm",
    }  # fmt: skip
    plugin = connection_loader.get(kind, PlayContext(), None)
    chosen = {name: value for name, value in {**variables, **changes}.items() if value is not None}
    plugin.set_options(
        var_options={**chosen, "_extras": {name: value for name, value in chosen.items() if name.startswith("ansible_winrm_")}}
    )
    return plugin


def _failure(plugin: Any, timeout: float = 30.0) -> TransportError:
    """What a call ends with; it, the end of the transport and Ansible's own closing wait for nobody who does not answer."""
    transport = ConnectionTransport(plugin, "sync1")
    with ends(timeout + 20), pytest.raises(TransportError) as caught:
        transport.execute(*_CALL, timeout)
    with ends(20):
        transport.close()
    with ends(20):
        plugin.close()
    assert _PASSWORD not in str(caught.value) + str(caught.value.remedy)
    return caught.value


@pytest.mark.parametrize(("behaviour", "authentication"), [
    (None, "basic"), (hostile_server.hang, "ntlm"), (hostile_server.drip_head, "basic"), (hostile_server.drip_body, "ntlm"),
])  # fmt: skip
def test_a_server_that_never_finishes_its_answer_is_left_in_time(behaviour: Any, authentication: str) -> None:
    with HostileServer(behaviour) as server:
        error = _failure(_plugin(server.port, ansible_winrm_transport=authentication), timeout=1.5)
    assert isinstance(error, Unreachable), "nothing has run"
    assert "abandoned" in str(error)


def test_an_answer_without_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_in_time, "_MAX_GROWTH", 32 * 1024 * 1024)
    with HostileServer(hostile_server.flood) as server:
        assert "no end" in str(_failure(_plugin(server.port), timeout=120)), "the size ended it, and not the time"


def test_output_that_is_too_large_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_connection, "MAX_OUTPUT", 10_000)

    def large(command: RemoteCommand) -> int:
        command.write_out(b"x" * 10_001)
        return 0

    with WsmanServer(large, {"svc-sync": _PASSWORD}) as server:
        error = _failure(_plugin(server.http_port))
        assert isinstance(error, ConnectionBroken)
        assert "too large" in str(error)


@pytest.mark.parametrize(("verb", "authentication"), [("Command", "basic"), ("Send", "ntlm"), ("Receive", "ntlm"), ("Receive", "basic")])
def test_a_call_that_hangs_is_abandoned_and_its_shell_is_given_back(verb: str, authentication: str) -> None:
    def evaluate(command: RemoteCommand) -> int:
        command.read_stdin()
        return 0

    with WsmanServer(evaluate, {"svc-sync": _PASSWORD}) as server:
        plugin = _plugin(server.http_port, ansible_winrm_transport=authentication)
        transport = ConnectionTransport(plugin, "sync1")
        assert transport.execute(*_CALL, 30).exit_code == 0
        server.faults.arm("hang", verb=verb, seconds=FOR_EVER)
        with ends(20), pytest.raises(ConnectionBroken, match="the connection plugin would have waited longer"):
            transport.execute(*_CALL, 1)
        assert transport.execute(*_CALL, 30).exit_code == 0, "the next call goes over a connection of its own"
        with ends(20):
            transport.close()
            plugin.close()
        wait_until(lambda: server.log.shells_opened == server.log.shells_closed == 2)


def test_a_shell_that_is_opened_too_late_is_given_back() -> None:
    with WsmanServer(lambda command: 0, {"svc-sync": _PASSWORD}) as server:
        server.faults.arm("hang", verb="Create", seconds=2)
        assert isinstance(_failure(_plugin(server.http_port), timeout=1), Unreachable)
        wait_until(lambda: server.log.shells_closed == 1)


def test_closing_takes_five_seconds_at_most() -> None:
    with WsmanServer(lambda command: 0, {"svc-sync": _PASSWORD}) as server:
        plugin = _plugin(server.http_port)
        transport = ConnectionTransport(plugin, "sync1")
        transport.execute(*_CALL, 30)
        server.faults.arm("hang", verb="Delete", seconds=FOR_EVER)
        began = time.monotonic()
        with ends(20):
            transport.close()
            plugin.close()
        assert time.monotonic() - began > 4, "it had the chance"


# -- causes


def test_every_cause_has_its_own_sentence(tmp_path: Path) -> None:
    authority, stranger = make_authority(tmp_path / "one"), make_authority(tmp_path / "two")
    certificate = authority.issue(["sync1.lab.test"], ["127.0.0.2"], tmp_path / "server")
    sentences = set()

    def check(plugin: Any, kind: type[TransportError], words: str, remedy: str) -> None:
        error = _failure(plugin)
        assert error.__class__ is kind, error
        assert words in str(error)
        assert remedy in str(error.remedy)
        assert "sync1" in str(error) or kind is MissingLibrary
        sentences.add(str(error))

    def secure(port: int, authority_file: Any) -> Any:
        return _plugin(port, ansible_winrm_scheme="https", ansible_winrm_ca_trust_path=str(authority_file))

    with (
        WsmanServer(lambda command: 0, {"svc-sync": _PASSWORD}, certificate=certificate) as server,
        HostileServer(hostile_server.bad_request) as plain,
        HostileServer(hostile_server.not_found) as web,
    ):
        http, https = server.http_port, server.https_port or 0
        check(_plugin(http, ansible_host="no-such-name.invalid"), Unreachable, "does not resolve", "DNS")
        check(_plugin(9), Unreachable, "refused the connection", "listener")
        check(_plugin(plain.port, ansible_winrm_scheme="https"), Unreachable, "speaks plain http", "ansible_winrm_scheme to http")
        check(_plugin(https), Unreachable, "speaks TLS", "ansible_winrm_scheme to https")
        check(secure(https, stranger.certificate_path), BadCertificate, "not trusted", "ansible_winrm_ca_trust_path")
        check(secure(https, authority.certificate_path), BadCertificate, "another name", "name that is in the certificate")
        check(_plugin(http, ansible_password=None), NoCredentials, "no credentials", "ansible_user and ansible_password")
        check(_plugin(web.port), Unreachable, "no WinRM listener", "what else listens")
        error = _failure(_plugin(http, ansible_password="wrong"))
        assert error.__class__ is AuthenticationFailed
        sentences.add(str(error))
    assert len(sentences) == 9


@pytest.mark.parametrize(("text", "package"), [
    ("winrm or requests is not installed: No module named 'winrm'", "pywinrm"),
    ("pypsrp or dependencies are not installed: No module named 'pypsrp'", "pypsrp"),
    ("kerberos: WinRM Kerberos authentication requested but the python kerberos library is not installed. Please install the pykerberos library", "[kerberos]"),
    ("kerberos: requested auth method is kerberos, but pykerberos is not installed", "[kerberos]"),
    ("credssp: requests auth method is credssp, but requests-credssp is not installed", "requests-credssp"),
    ("Cannot use CredSSP auth as requests-credssp is not installed: No module named 'requests_credssp'", "requests-credssp"),
    ("Kerberos auth failure when calling kinit cmd 'kinit': [Errno 2] No such file or directory: 'kinit'", "krb5-user"),
])  # fmt: skip
def test_a_missing_library_is_named(text: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The texts are those of ansible-core, pywinrm and pypsrp."""
    plugin = _plugin(9)

    def refuse(self: Any) -> None:
        raise AnsibleError(text)

    monkeypatch.setattr(type(plugin), "_connect", refuse)
    error = _failure(plugin)
    assert isinstance(error, MissingLibrary)
    assert package in str(error.remedy)


@pytest.mark.parametrize(("kind", "changes", "words"), [
    ("winrm", {"ansible_winrm_transport": "basic"}, ["basic over http"]),
    ("winrm", {"ansible_winrm_transport": None, "ansible_user": "x"}, ["basic over http"]),
    ("winrm", {"ansible_winrm_transport": None, "ansible_user": "x@y"}, []),
    ("winrm", {"ansible_winrm_message_encryption": "never"}, ["without encryption"]),
    ("winrm", {"ansible_winrm_scheme": "https", "ansible_winrm_server_cert_validation": "ignore"}, ["not checked"]),
    ("winrm", {"ansible_winrm_scheme": "https", "ansible_winrm_transport": "basic"}, []),
    ("winrm", {}, []),
    ("psrp", {"ansible_psrp_protocol": "http", "ansible_psrp_auth": "basic"}, ["basic over http"]),
    ("psrp", {"ansible_psrp_protocol": "http", "ansible_psrp_message_encryption": "never"}, ["without encryption"]),
    ("psrp", {"ansible_psrp_protocol": "https", "ansible_psrp_cert_validation": "ignore"}, ["not checked"]),
    ("psrp", {"ansible_psrp_protocol": "http", "ansible_psrp_auth": "ntlm"}, []),
    ("local", {}, []),
])  # fmt: skip
def test_what_is_open_to_others_is_warned_of(kind: str, changes: dict[str, Any], words: list[str]) -> None:
    warnings = ConnectionTransport(_plugin(5985, kind, **changes), "sync1").warnings
    assert len(warnings) == len(words)
    for warning, word in zip(warnings, words):
        assert word in warning


def test_a_plugin_that_was_never_used_can_be_copied() -> None:
    """What takes the place of an abandoned plugin has its options, and nothing of its state."""
    with WsmanServer(lambda command: 0, {"svc-sync": _PASSWORD}) as server:
        plugin = _plugin(server.http_port)
        unused = copy.copy(plugin)
        plugin._connect()
        assert not unused.connected
        assert unused.get_option("port") == server.http_port
        plugin.close()
