# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The transport of the Python modules: pywinrm's Protocol, one shell for the whole task. Private to the collection."""

from __future__ import annotations

import contextlib
import math
import threading
import traceback
from dataclasses import dataclass, field
from typing import Any

from .._deadline import Deadline
from ._causes import Settings, explain, speaks_tls, tidy, words_of
from ._in_time import TimeIsOver, TooLarge, begin, in_time
from ._transport import MAX_OUTPUT, ConnectionBroken, Output, RemotingDenied, TransportError, Unreachable

# pywinrm speaks WS-Management, NTLM, Kerberos and message encryption, so that we do not have to.
WINRM_IMPORT_ERROR: str | None
try:
    import requests
    import requests.exceptions
    import winrm.exceptions
    import winrm.protocol
    import winrm.transport
except ImportError:
    WINRM_IMPORT_ERROR = traceback.format_exc()
else:
    WINRM_IMPORT_ERROR = None

    class WithoutRedirects(winrm.transport.Transport):
        """pywinrm's HTTP side, but whoever answers with a redirect gets neither the message nor the credentials sent on."""

        def build_session(self) -> requests.Session:
            """See the class of pywinrm."""
            session = super().build_session()
            session.max_redirects = 0
            return session

        def setup_encryption(self, session: requests.Session) -> None:
            """See the class of pywinrm; this sends the first message, from within build_session."""
            session.max_redirects = 0
            super().setup_encryption(session)


#: WSManFault code of a listener that knows the account but refuses it (Win32 ERROR_ACCESS_DENIED)
_ACCESS_DENIED = 5
#: seconds by which a read may outlast the operation that it waits for
_READ_MARGIN = 10
#: seconds that a call has for its own end once its time is over, before its thread is left behind
_GRACE = 0.7
#: seconds for giving everything back
_CLOSING = 5.0


@dataclass(frozen=True)
class WinrmOptions:
    """Where the WinRM listener is and how to sign in.

    authentication is a word of pywinrm: ntlm, kerberos, basic, credssp, certificate. timeouts are in seconds.
    """

    server: str
    username: str | None
    password: str | None = field(repr=False, default=None)
    port: int | None = None
    use_tls: bool = True
    authentication: str = "ntlm"
    validate_certs: bool = True
    ca_cert: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    kerberos_hostname: str | None = None
    operation_timeout: int = 20

    @property
    def endpoint(self) -> str:
        """The address of the listener; an IPv6 address gets its brackets."""
        scheme, port = ("https", 5986) if self.use_tls else ("http", 5985)
        host = f"[{self.server}]" if ":" in self.server and not self.server.startswith("[") else self.server
        return f"{scheme}://{host}:{self.port or port}/wsman"


@dataclass
class _Session:
    """One connection with one shell on it. It belongs to the thread that uses it; an abandoned one is used by nobody else again."""

    protocol: winrm.protocol.Protocol | None = None
    shell_id: str | None = None
    abandoned: bool = False


class WinrmTransport:
    """Carries calls with pywinrm; the shell is opened with the first call and given back by close()."""

    def __init__(self, options: WinrmOptions) -> None:
        self._options = options
        self._session: _Session | None = None
        self._connected_before = False
        self._giving_back: list[threading.Thread] = []
        self._settings = Settings(
            where=options.endpoint,
            account=options.username or "this account",
            trust="ca_cert",
            plain="use_tls to false",
            secure="use_tls to true, with the port of the https listener (5986 as a rule)",
            credentials="username and password (or client_certificate and client_key)",
        )
        self.warnings = _warnings(options)

    def execute(self, command_line: str, standard_input: bytes, timeout: float) -> Output:
        """See Transport.execute."""
        if WINRM_IMPORT_ERROR is not None:
            raise explain("pywinrm is not installed", self._settings, interrupted=False)
        deadline = Deadline(timeout)
        session = self._session = self._session or _Session()
        try:
            if session.shell_id is None:
                # A shell that is opened too late is not lost: the thread deletes it.
                in_time(lambda: self._open_shell(session, deadline), timeout + _GRACE, ends_well=True)
            protocol, shell_id = session.protocol, session.shell_id
            return in_time(lambda: self._carry(protocol, shell_id, command_line, standard_input, deadline), deadline.left() + _GRACE)
        except BaseException as error:
            self._give_up(session)
            if isinstance(error, TimeIsOver):
                raise self._late(session, timeout) from error
            if isinstance(error, TooLarge):
                raise ConnectionBroken(f"What came from {self._options.endpoint} had no end: the call was given up.") from error
            raise

    def _late(self, session: _Session, timeout: float) -> TransportError:
        endpoint = self._options.endpoint
        if session.shell_id is None and not self._connected_before:
            return Unreachable(
                f"{endpoint} did not let a shell be opened within {timeout:.0f} s: it takes the connection, but does not answer."
            )
        return ConnectionBroken(f"The call on {endpoint} did not end within its {timeout:.0f} s.")

    def _carry(self, protocol: Any, shell_id: Any, command_line: str, standard_input: bytes, deadline: Deadline) -> Output:
        """One command in an open shell, in a thread that may be abandoned."""
        program, *arguments = command_line.split(" ")
        try:
            _bound(protocol, deadline)
            # A console as standard input would keep `$input` empty.
            command = protocol.run_command(shell_id, program, arguments, console_mode_stdin=False)
            protocol.send_command_input(shell_id, command, standard_input, end=True)
            output = self._receive(protocol, shell_id, command, deadline)
            protocol.cleanup_command(shell_id, command)
            return output
        except (TransportError, TimeIsOver):
            raise
        except Exception as error:
            raise ConnectionBroken(f"The connection to {self._options.endpoint} ended in the middle of a call: {_words(error)}.") from error

    def _receive(self, protocol: winrm.protocol.Protocol, shell_id: str, command: str, deadline: Deadline) -> Output:
        stdout, stderr, size = [], [], 0
        while True:
            _bound(protocol, deadline)
            try:
                out, err, exit_code, done = protocol.get_command_output_raw(shell_id, command)
            except winrm.exceptions.WinRMOperationTimeoutError:
                out, err, exit_code, done = b"", b"", 0, False  # nothing new within the operation timeout: ask again
            stdout.append(out)
            stderr.append(err)
            size += len(out) + len(err)
            if size > MAX_OUTPUT:
                raise ConnectionBroken(f"What came from {self._options.endpoint} had no end: the call was given up after {size} bytes.")
            if done:
                return Output(b"".join(stdout), b"".join(stderr), exit_code)
            if deadline.over:
                raise TimeIsOver

    def _open_shell(self, session: _Session, deadline: Deadline) -> None:
        """Open the connection and the shell on it, in a thread that may be abandoned."""
        options = self._options
        try:
            session.protocol = self._protocol()
            _bound(session.protocol, deadline)
            session.shell_id = session.protocol.open_shell(codepage=65001)
            self._connected_before = True
        except Exception as error:
            fault = getattr(error, "wsman_fault_code", None)
            if fault == _ACCESS_DENIED:
                raise RemotingDenied(f"{options.endpoint} does not let {self._settings.account} in for remote management.") from error
            if isinstance(error, winrm.exceptions.WSManFaultError):
                raise ConnectionBroken(f"{options.endpoint} did not open a shell: {_words(error)}.") from error
            # Once the server has answered, a refused connection is an interruption, not a wrong address.
            ask = None if options.use_tls else self._speaks_tls
            raise explain(words_of(error), self._settings, interrupted=self._connected_before, speaks_tls=ask) from error
        finally:
            if session.abandoned:
                self._delete_shell(session)

    def _speaks_tls(self) -> bool:
        return speaks_tls(self._options.server.strip("[]"), self._options.port or 5985)

    def _protocol(self) -> winrm.protocol.Protocol:
        """A connection that is not open yet, and follows no redirect: what it sends belongs to the server that was named."""
        options = self._options
        how: dict[str, Any] = {
            "endpoint": options.endpoint,
            "username": options.username,
            "password": options.password,
            "server_cert_validation": "validate" if options.validate_certs else "ignore",
            "ca_trust_path": options.ca_cert or "legacy_requests",
            "cert_pem": options.client_certificate,
            "cert_key_pem": options.client_key,
            "kerberos_hostname_override": options.kerberos_hostname,
            "service": "HTTP",  # of the service principal; the class of the transport knows none by itself
        }
        seconds = options.operation_timeout
        authentication: Any = options.authentication  # a word of pywinrm, checked by the argument spec
        protocol = winrm.protocol.Protocol(
            transport=authentication, operation_timeout_sec=seconds, read_timeout_sec=seconds + _READ_MARGIN, **how
        )
        protocol.transport = WithoutRedirects(auth_method=authentication, read_timeout_sec=seconds + _READ_MARGIN, **how)
        return protocol

    # -- the end

    def _give_up(self, session: _Session) -> None:
        """Forget a session that cannot be trusted any more. Its shell is deleted in the background: that also ends what runs in it."""
        session.abandoned = True
        self._session = None
        if session.shell_id is not None:
            self._giving_back.append(begin(lambda: self._delete_shell(session)))

    def _delete_shell(self, session: _Session) -> None:
        """Delete the shell over a connection of its own: the old one may hang, and messages that were sealed for it are refused on another."""
        shell_id, session.shell_id = session.shell_id, None
        if shell_id is None:
            return
        with contextlib.suppress(Exception):
            protocol = self._protocol()
            _bound(protocol, Deadline(_CLOSING))
            protocol.close_shell(shell_id)

    def close(self) -> None:
        """See Transport.close."""
        session, self._session = self._session, None
        if session is not None and session.protocol is not None and session.shell_id is not None:
            protocol, shell_id = session.protocol, session.shell_id
            self._giving_back.append(begin(lambda: _close(protocol, shell_id)))
        deadline = Deadline(_CLOSING)
        for thread in self._giving_back:
            thread.join(deadline.left())
        self._giving_back = []


def _close(protocol: winrm.protocol.Protocol, shell_id: str) -> None:
    with contextlib.suppress(Exception):
        _bound(protocol, Deadline(_CLOSING))
        protocol.close_shell(shell_id)
    with contextlib.suppress(Exception):
        protocol.transport.close_session()


def _bound(protocol: winrm.protocol.Protocol, deadline: Deadline) -> None:
    """Let the next requests wait no longer than there is time: then the end of the time is an orderly end."""
    most = protocol.read_timeout_sec - _READ_MARGIN
    protocol.operation_timeout_sec = max(1, min(most, math.ceil(deadline.left())))


def _warnings(options: WinrmOptions) -> list[str]:
    found = []
    if options.authentication == "basic" and not options.use_tls:
        found.append(
            f"The password for {options.server} goes over the network as it is (basic over http): set use_tls, or another authentication."
        )
    if options.use_tls and not options.validate_certs:
        found.append(f"The certificate of {options.server} is not checked, so another machine can stand in for it: set ca_cert instead.")
    return found


def _words(error: BaseException) -> str:
    """What ended a call, in a few words; the whole text of requests is long and names internals."""
    if isinstance(error, requests.exceptions.ReadTimeout):
        return "no answer within the read timeout"
    if isinstance(error, requests.exceptions.ConnectionError):
        return _cause(error)
    return tidy(str(error)) or type(error).__name__


def _cause(error: BaseException) -> str:
    """The innermost reason of a requests exception, for example 'Connection refused'."""
    innermost: BaseException = error
    while True:
        reason = getattr(innermost, "reason", None)
        following = reason if isinstance(reason, BaseException) else next((a for a in innermost.args if isinstance(a, BaseException)), None)
        following = following or innermost.__cause__ or innermost.__context__
        if following is None or following is innermost:
            break
        innermost = following
    if isinstance(innermost, OSError) and innermost.strerror:
        return innermost.strerror
    return str(innermost).rsplit(": ", 1)[-1].rstrip(".") or type(innermost).__name__
