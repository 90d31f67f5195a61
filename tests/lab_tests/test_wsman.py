# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The WS-Management server of the lab against real pywinrm."""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import spnego
from patience import LONG, ends, wait_until
from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError, WinRMTransportError, WSManFaultError
from winrm.protocol import Protocol

from lab.certificates import Certificate, make_authority
from lab.wsman import Faults, RemoteCommand, WsmanServer, sealing

PASSWORD = "s3cret: é"
USERS = {"svc-sync": PASSWORD, "visitor": "v", "OTHER\\svc-sync": "other's"}


def evaluate(command: RemoteCommand) -> int:
    """A host with a few commands."""
    verb, _unused, rest = command.line.partition(" ")
    if verb == "echo":
        command.write_out(f"{command.user}|{rest}|".encode() + command.read_stdin())
        command.write_err(b"warned")
        return 3
    if verb == "environment":
        command.write_out(repr((sorted(command.environment.items()), command.codepage, command.console_stdin)).encode())
    if verb == "big":
        command.write_out(b"x" * int(rest))
    if verb == "steps":
        for step in (b"one", b"two"):
            command.write_out(step)
            if command.cancelled.wait(0.1):
                return 7
    if verb == "wait":
        return 130 if command.cancelled.wait(20) else 0
    if verb == "raise":
        raise ValueError("a value that must not be seen")
    return 0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    folder = tmp_path_factory.mktemp("certificates")
    return make_authority(folder).issue(["sync1.lab.test", "localhost"], ["127.0.0.1"], folder / "sync1")


@pytest.fixture
def server(certificate: Certificate) -> Iterator[WsmanServer]:
    with WsmanServer(evaluate, USERS, certificate=certificate, remoting_denied=["Visitor"]) as server:
        yield server
        assert server.faults.active() == []


def connect(server: WsmanServer, certificate: Certificate | None = None, **options: Any) -> Protocol:
    """A pywinrm client; over HTTPS with validation when the certificate is given."""
    scheme, port = ("https", server.https_port) if certificate else ("http", server.http_port)
    settings = {"transport": "basic", "username": "svc-sync", "password": PASSWORD, "proxy": None, **options}
    if certificate:
        settings["ca_trust_path"] = str(certificate.authority_path)
    return Protocol(f"{scheme}://127.0.0.1:{port}/wsman", server_cert_validation="validate", **settings)


def execute(client: Protocol, line: str, stdin: bytes | None = None) -> tuple[bytes, bytes, int]:
    """Open a shell, run one command, close everything."""
    shell = client.open_shell(codepage=65001)
    command = client.run_command(shell, line, console_mode_stdin=stdin is None)
    if stdin is not None:
        client.send_command_input(shell, command, stdin, end=True)
    result = client.get_command_output(shell, command)
    client.cleanup_command(shell, command)
    client.close_shell(shell)
    return result


def running(client: Protocol, line: str) -> tuple[str, str]:
    """A shell and a command in it."""
    shell = client.open_shell()
    return shell, client.run_command(shell, line)


@pytest.mark.parametrize(
    ("https", "options", "auth"),
    [
        (False, {"transport": "plaintext"}, 0),
        (False, {"transport": "basic"}, 0),
        (False, {"transport": "ntlm"}, 3),
        (False, {"transport": "ntlm", "message_encryption": "never"}, 2),
        (True, {"transport": "ssl"}, 0),
        (True, {"transport": "basic"}, 0),
        (True, {"transport": "ntlm"}, 2),
        (True, {"transport": "ntlm", "message_encryption": "always"}, 3),
    ],
)
def test_every_authentication_runs_a_command(
    server: WsmanServer, certificate: Certificate, https: bool, options: dict[str, Any], auth: int
) -> None:
    result = execute(connect(server, certificate if https else None, **options), "echo hello world", "grüße".encode())
    assert result == ("svc-sync|hello world|grüße".encode(), b"warned", 3)
    counts = server.log.snapshot()
    once = ("Create", "Command", "Send", "Receive", "Signal", "Delete", "shells_opened", "shells_closed", "commands_started")
    assert {name: counts[name] for name in once} == dict.fromkeys(once, 1)
    assert (counts["auth"], counts["requests"], counts["connections"]) == (auth, 6 + auth, 1)
    assert 10_000 < counts["bytes_in"] < 20_000
    assert 5_000 < counts["bytes_out"] < 10_000


@pytest.mark.parametrize("transport", ["basic", "ntlm"])
@pytest.mark.parametrize("name", ["svc-sync", "LAB\\svc-sync", ".\\svc-sync", "lab\\SVC-Sync", "svc-sync@LAB"])
def test_spellings_of_an_account(server: WsmanServer, transport: str, name: str) -> None:
    assert execute(connect(server, transport=transport, username=name), "echo", b"")[0] == f"{name}||".encode()


def test_sealed_messages_do_not_show_their_content(server: WsmanServer, monkeypatch: pytest.MonkeyPatch) -> None:
    bodies: list[bytes] = []
    send = requests.Session.send

    def spy(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        response = send(session, request, **options)
        bodies.extend((request.body if isinstance(request.body, bytes) else b"", response.content))
        return response

    monkeypatch.setattr(requests.Session, "send", spy)
    execute(connect(server, transport="ntlm"), "echo hello", b"x" * 300_000)
    assert not any(b"Envelope" in body for body in bodies)
    bodies.clear()
    execute(connect(server, transport="basic"), "echo hello", b"")
    assert any(b"Envelope" in body for body in bodies)


@pytest.mark.parametrize(
    ("https", "options"),
    [
        (False, {"transport": "basic", "password": "wrong"}),
        (False, {"transport": "ntlm", "password": "wrong"}),
        (False, {"transport": "ntlm", "username": "nobody"}),
        (False, {"transport": "ntlm", "username": "OTHER\\svc-sync"}),
        (True, {"transport": "ntlm", "password": "wrong"}),
        (True, {"transport": "ntlm", "send_cbt": False}),
    ],
)
def test_refused(server: WsmanServer, certificate: Certificate, https: bool, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidCredentialsError):
        connect(server, certificate if https else None, **options).open_shell()
    assert server.log.snapshot()["Create"] == 0


def test_certificate_of_a_stranger_is_not_trusted(server: WsmanServer, tmp_path: Path) -> None:
    stranger = make_authority(tmp_path).issue(["localhost"], ["127.0.0.1"], tmp_path / "other")
    with pytest.raises(requests.exceptions.SSLError):
        connect(server, stranger).open_shell()
    assert execute(connect(server), "echo", b"") == (b"svc-sync||", b"warned", 3)


def test_accounts_of_two_servers_in_one_process() -> None:
    with WsmanServer(evaluate, {"a": "one"}) as first, WsmanServer(evaluate, {"a": "two"}) as second:
        assert execute(connect(first, transport="ntlm", username="a", password="one"), "echo", b"")[2] == 3
        assert execute(connect(second, transport="ntlm", username="a", password="two"), "echo", b"")[2] == 3
        with pytest.raises(InvalidCredentialsError):
            connect(second, transport="ntlm", username="a", password="one").open_shell()


def test_401_leaves_the_connection_open(server: WsmanServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=5)
    statuses = []
    for headers in ({}, {"Authorization": "Basic bm8="}, {"Authorization": "Negotiate bm8="}, {"Authorization": "Kerberos bm8="}):
        connection.request("POST", "/wsman", b"<x/>", headers)
        response = connection.getresponse()
        assert response.headers.get_all("WWW-Authenticate") == ["Negotiate", "Kerberos", "CredSSP", 'Basic realm="WSMAN"']
        response.read()
        statuses.append(response.status)
    connection.close()
    assert statuses == [401] * 4
    assert server.log.snapshot()["connections"] == 1


def test_sealed_body_on_a_new_connection_is_a_bad_request(server: WsmanServer) -> None:
    client = connect(server, transport="ntlm")
    shell = client.open_shell()
    assert client.transport.session
    client.transport.session.close()  # the next message goes over a new connection, sealed for the old one
    with pytest.raises(WinRMTransportError) as caught:
        client.run_command(shell, "echo")
    assert caught.value.code == 400


def test_remoting_denied(server: WsmanServer) -> None:
    with pytest.raises(WSManFaultError) as caught:
        connect(server, transport="ntlm", username="LAB\\visitor", password="v").open_shell()
    fault = caught.value
    assert (fault.code, fault.wsman_fault_code, fault.fault_subcode) == (500, 5, "w:AccessDenied")
    assert server.log.snapshot()["shells_opened"] == 0


def test_environment_codepage_and_console(server: WsmanServer) -> None:
    client = connect(server)
    shell = client.open_shell(codepage=65001, env_vars={"A": "1 & <2>", "B": "ü"})
    command = client.run_command(shell, "environment", console_mode_stdin=False)
    assert client.get_command_output(shell, command)[0] == repr(([("A", "1 & <2>"), ("B", "ü")], 65001, False)).encode()
    command = client.run_command(shell, "environment")
    assert client.get_command_output(shell, command)[0].endswith(b", True)")
    command = client.run_command(shell, "echo", ["a", "b c"])  # a console: what is sent does not reach standard input
    client.send_command_input(shell, command, b"lost", end=True)
    assert client.get_command_output(shell, command)[0] == b"svc-sync|a b c|"


def test_input_in_pieces_and_after_the_end(server: WsmanServer) -> None:
    client = connect(server)
    shell = client.open_shell()
    command = client.run_command(shell, "wait", console_mode_stdin=False)
    client.send_command_input(shell, command, b"x", end=True)
    with pytest.raises(WSManFaultError) as caught:
        client.send_command_input(shell, command, b"more", end=True)
    assert caught.value.wsman_fault_code == 109
    command = client.run_command(shell, "echo", console_mode_stdin=False)
    for number in range(5):
        client.send_command_input(shell, command, f"{number}".encode() * 100_000, end=number == 4)
    out = client.get_command_output(shell, command)[0]
    assert out == b"svc-sync||" + b"".join(f"{number}".encode() * 100_000 for number in range(5))


def test_output_comes_in_pieces_that_fit_the_envelope(server: WsmanServer) -> None:
    client = connect(server)
    shell, command = running(client, "big 400000")
    sizes = []
    done = False
    while not done:
        out, _err, code, done = client.get_command_output_raw(shell, command)
        sizes.append(len(out))
        assert code == (0 if done else -1)
    assert sum(sizes) == 400_000
    assert len(sizes) == 4
    assert max(sizes) * 4 / 3 < client.max_env_sz


def test_output_is_visible_at_once(server: WsmanServer) -> None:
    client = connect(server)
    shell, command = running(client, "steps")
    first = client.get_command_output_raw(shell, command)
    second = client.get_command_output_raw(shell, command)
    third = client.get_command_output_raw(shell, command)
    assert [first[0], second[0], third[0]] == [b"one", b"two", b""]
    assert [first[3], second[3], third[3]] == [False, False, True]


@pytest.mark.parametrize("transport", ["basic", "ntlm"])
def test_receive_waits_for_the_operation_timeout(server: WsmanServer, transport: str) -> None:
    client = connect(server, transport=transport, operation_timeout_sec=1, read_timeout_sec=5)
    shell, command = running(client, "wait")
    start = time.monotonic()
    with pytest.raises(WinRMOperationTimeoutError):
        client.get_command_output_raw(shell, command)
    assert time.monotonic() - start > 0.95
    client.close_shell(shell)


def test_unknown_shell_and_command(server: WsmanServer) -> None:
    client = connect(server)
    shell, command = running(client, "echo")
    client.get_command_output(shell, command)
    client.cleanup_command(shell, command)
    with pytest.raises(WSManFaultError) as caught:
        client.get_command_output_raw(shell, command)
    assert caught.value.wsman_fault_code == 2150858995
    with pytest.raises(WSManFaultError) as caught:
        connect(server, username="OTHER\\svc-sync", password="other's").run_command(shell, "echo")
    assert caught.value.wsman_fault_code == 2150858843
    client.close_shell(shell, close_session=False)
    with pytest.raises(WSManFaultError) as caught:
        client.run_command(shell, "echo")
    assert (caught.value.wsman_fault_code, caught.value.fault_subcode) == (2150858843, "w:InvalidSelectors")


def test_terminate_cancels_and_ends_a_waiting_receive(server: WsmanServer) -> None:
    client, other = connect(server), connect(server)
    shell, command = running(client, "wait")
    caught: list[int | None] = []

    def receive() -> None:
        try:
            other.get_command_output_raw(shell, command)
        except WSManFaultError as fault:
            caught.append(fault.wsman_fault_code)

    thread = threading.Thread(target=receive)
    thread.start()
    wait_until(lambda: any(one.waiting for one in server._shells._shells.values()))
    client.cleanup_command(shell, command)
    thread.join(LONG)
    assert caught == [995]


def test_evaluator_that_raises(server: WsmanServer) -> None:
    out, err, code = execute(connect(server), "raise")
    assert (out, err, code) == (b"", b"lab: the evaluator failed with ValueError\r\n", 1)
    assert server.log.failures[0].startswith("ValueError at ")
    assert "must not be seen" not in str(server.log.failures)


@pytest.mark.parametrize("transport", ["basic", "ntlm"])
@pytest.mark.parametrize(
    ("name", "verb", "code", "wmi"),
    [("busy", "Send", 170, None), ("quota", "Command", None, 0x803381A6), ("quota", None, None, 0x803381A6)],
)
def test_soap_faults(server: WsmanServer, transport: str, name: str, verb: str | None, code: int | None, wmi: int | None) -> None:
    server.faults.arm(name, verb=verb)
    client = connect(server, transport=transport)
    with pytest.raises(WSManFaultError) as caught:
        execute(client, "echo", b"")
    assert (caught.value.wsman_fault_code, caught.value.wmierror_code, caught.value.code) == (code, wmi, 500)
    assert execute(client, "echo", b"")[2] == 3  # the connection is still good


def test_operation_timeout_faults_are_counted_down(server: WsmanServer) -> None:
    server.faults.arm("operation_timeout", verb="Receive", times=2)
    assert execute(connect(server), "echo", b"")[2] == 3
    assert server.log.snapshot()["Receive"] == 3


@pytest.mark.parametrize("transport", ["basic", "ntlm"])
def test_http_faults(server: WsmanServer, transport: str) -> None:
    server.faults.arm("http_503", verb="Create")
    with pytest.raises(WinRMTransportError) as caught:
        connect(server, transport=transport).open_shell()
    assert caught.value.code == 503
    server.faults.arm("unauthorized", verb="Command", times=2)  # twice: an NTLM client signs in once more by itself
    client = connect(server, transport=transport, message_encryption="never")
    shell = client.open_shell()
    with pytest.raises(InvalidCredentialsError):
        client.run_command(shell, "echo")
    server.faults.clear()


@pytest.mark.parametrize("after", [False, True])
def test_close_connection(server: WsmanServer, after: bool) -> None:
    server.faults.arm("close_connection", verb="Command", after=after)
    client = connect(server)
    shell = client.open_shell()
    with pytest.raises(requests.exceptions.ConnectionError):
        client.run_command(shell, "echo")
    assert server.log.snapshot()["commands_started"] == int(after)


def test_hang_and_skip(server: WsmanServer) -> None:
    server.faults.arm("hang", verb="Create", seconds=1.0, skip=1)
    client = connect(server)
    times = []
    for _unused in range(3):
        start = time.monotonic()
        client.open_shell()
        times.append(time.monotonic() - start)
    assert max(times) == times[1] > 0.95


def test_unknown_faults_are_refused() -> None:
    with pytest.raises(ValueError, match="close_connection"):
        Faults().arm("close")
    with pytest.raises(ValueError, match="Receive"):
        Faults().arm("hang", verb="receive")


def test_audit_has_commands_and_input_but_no_authentication(server: WsmanServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="lab")
    execute(connect(server, transport="ntlm"), "echo hello", b"in")
    execute(connect(server), "echo again", b"")
    assert [(record.user, record.line, record.stdin) for record in server.log.audit] == [
        ("svc-sync", "echo hello", "in"),
        ("svc-sync", "echo again", ""),
    ]
    assert PASSWORD not in repr((server.log.audit, server.log.failures, server.log.snapshot(), caplog.text))
    server.log.reset()
    assert not server.log.audit
    assert set(server.log.snapshot().values()) == {0}


@pytest.mark.parametrize("https", [False, True])
def test_stop_is_quick_and_leaves_nothing(certificate: Certificate, https: bool) -> None:
    before = set(threading.enumerate())
    server = WsmanServer(evaluate, USERS, certificate=certificate)
    with ends(5):
        server.start()
    client = connect(server, certificate if https else None, transport="ntlm")
    shell, command = running(client, "wait")
    failed: list[BaseException] = []

    def receive() -> None:
        try:
            client.get_command_output_raw(shell, command)
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=receive)
    thread.start()
    wait_until(lambda: server.log.snapshot()["Receive"])
    with ends(15):  # a Receive waits for twenty seconds
        server.stop()
    thread.join(LONG)
    assert isinstance(failed[0], requests.exceptions.RequestException)
    assert set(threading.enumerate()) == before
    with pytest.raises(requests.exceptions.ConnectionError):
        connect(server).open_shell()
    port = server.http_port
    server.start()  # the host is back, on the same port
    assert server.http_port == port
    assert execute(connect(server), "echo", b"")[2] == 3
    server.stop()


def test_a_client_that_does_not_shake_hands_holds_up_nobody(server: WsmanServer, certificate: Certificate) -> None:
    assert server.https_port
    with socket.create_connection(("127.0.0.1", server.https_port)):
        assert execute(connect(server, certificate, transport="ssl"), "echo", b"")[2] == 3


def test_negotiate_with_spnego_tokens(server: WsmanServer) -> None:
    """What pypsrp and Windows send under Negotiate: NTLM wrapped in SPNEGO, messages sealed."""
    context = spnego.client(
        "LAB\\svc-sync", PASSWORD, protocol="negotiate", hostname="127.0.0.1", options=spnego.NegotiateOptions.use_negotiate
    )
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=5)
    token = context.step()
    while token:
        connection.request("POST", "/wsman", b"", {"Authorization": f"Negotiate {base64.b64encode(token).decode()}"})
        response = connection.getresponse()
        response.read()
        token = (
            context.step(base64.b64decode((response.headers["WWW-Authenticate"] or "").partition(" ")[2])) if not context.complete else None
        )
    assert (response.status, context.complete) == (200, True)
    message = b"<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope'><s:Header/><s:Body/></s:Envelope>"
    body, kind = sealing.seal(context, "negotiate", message), sealing.content_type("negotiate", message)
    connection.request("POST", "/wsman", body, {"Content-Type": kind})
    response = connection.getresponse()
    assert response.status == 500
    assert response.headers["Content-Type"] == kind
    assert b"a:DestinationUnreachable" in sealing.unseal(
        context, "negotiate", response.read()
    )  # an action that is not served, sealed as well
    connection.request("POST", "/wsman", body, {"Content-Type": kind})  # replayed
    assert connection.getresponse().status == 400
    connection.close()


# -- answers that are none


def raw(server: WsmanServer) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=LONG)


def ask(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
    """One request with Basic credentials that opens a shell."""
    token = base64.b64encode(b"visitor2:v").decode()
    body = (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
        'xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"><s:Header>'
        "<a:Action>http://schemas.xmlsoap.org/ws/2004/09/transfer/Create</a:Action><a:MessageID>uuid:1</a:MessageID>"
        "<w:ResourceURI>http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd</w:ResourceURI></s:Header><s:Body/></s:Envelope>"
    )
    connection.request("POST", "/wsman", body, {"Authorization": f"Basic {token}", "Content-Type": "application/soap+xml;charset=UTF-8"})
    return connection.getresponse()


@pytest.fixture
def plain_server() -> Iterator[WsmanServer]:
    with WsmanServer(evaluate, {"visitor2": "v"}) as server:
        yield server


def test_answers_that_are_spoilt(plain_server: WsmanServer) -> None:
    plain_server.faults.arm("truncated", verb="Create")
    with pytest.raises(http.client.IncompleteRead):
        ask(raw(plain_server)).read()
    assert plain_server.open_shells == 1, "the work has been done"
    plain_server.faults.arm("garbage", verb="Create")
    answer = ask(raw(plain_server))
    assert answer.status == 200
    assert b"Envelope" not in answer.read()
    plain_server.faults.arm("html", verb="Create")
    answer = ask(raw(plain_server))
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html")
    for name, status in (("http_500", 500), ("http_502", 502), ("http_503", 503)):
        plain_server.faults.arm(name, verb="Create")
        assert ask(raw(plain_server)).status == status
    assert plain_server.open_shells == 2
    assert [one.name for one in plain_server.faults.struck()] == ["truncated", "garbage", "html", "http_500", "http_502", "http_503"]


def test_an_answer_that_leads_elsewhere(plain_server: WsmanServer) -> None:
    plain_server.faults.arm("redirect", location="http://127.0.0.2:1/wsman")
    answer = ask(raw(plain_server))
    assert (answer.status, answer.headers["Location"]) == (307, "http://127.0.0.2:1/wsman")


def test_an_answer_that_comes_byte_by_byte(plain_server: WsmanServer) -> None:
    plain_server.faults.arm("slow", seconds=0.2)
    pieces: list[bytes] = []

    def read() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            pieces.append(ask(raw(plain_server)).read())

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(1.0)
    assert thread.is_alive(), "a thousand bytes take minutes"
    assert pieces == []


def test_connections_are_cut_and_refused_and_shells_live_on(plain_server: WsmanServer) -> None:
    connection = raw(plain_server)
    ask(connection).read()
    plain_server.cut_connections(refuse_seconds=2.0)
    with pytest.raises((http.client.HTTPException, OSError)):
        ask(connection)
    with pytest.raises((http.client.HTTPException, OSError)):
        ask(raw(plain_server))
    assert plain_server.open_shells == 1
    wait_until(lambda: not plain_server.refusing)
    assert ask(raw(plain_server)).status == 200
    plain_server.faults.arm("close_connection", verb="connect")
    with pytest.raises((http.client.HTTPException, OSError)):
        ask(raw(plain_server))


def test_an_idle_shell_ends(plain_server: WsmanServer) -> None:
    plain_server.shell_idle_seconds = 0.3
    ask(raw(plain_server)).read()
    assert plain_server.log.shells_opened == 1
    wait_until(lambda: plain_server.open_shells == 0)
    assert plain_server.log.shells_closed == 1


def test_a_fault_that_strikes_what_is_being_answered(plain_server: WsmanServer) -> None:
    client = connect(plain_server, username="visitor2", password="v")
    shell = client.open_shell()
    command = client.run_command(shell, "wait")
    lost: list[Exception] = []

    def receive() -> None:
        try:
            client.get_command_output(shell, command)
        except Exception as error:
            lost.append(error)

    thread = threading.Thread(target=receive)
    thread.start()
    wait_until(lambda: any(one.waiting for one in plain_server._shells._shells.values()))
    plain_server.faults.arm("close_connection", verb="Receive", pending=True)
    plain_server._shells.command(plain_server._shells.get(shell, "visitor2"), command).finish(0)
    thread.join(LONG)
    assert len(lost) == 1
    assert plain_server.faults.active() == []
    assert plain_server.faults.struck()[0].after is True
