# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The transport of the Python modules: pywinrm's Protocol, one shell for the whole task. Private to the collection."""

from __future__ import annotations

import contextlib
import time
import traceback
from dataclasses import dataclass, field

from ._transport import AuthenticationFailed, ConnectionBroken, Output, RemotingDenied, TransportError, Unreachable

# pywinrm speaks WS-Management, NTLM, Kerberos and message encryption, so that we do not have to.
WINRM_IMPORT_ERROR: str | None
try:
    import requests.exceptions
    import winrm.exceptions
    import winrm.protocol
except ImportError:
    WINRM_IMPORT_ERROR = traceback.format_exc()
else:
    WINRM_IMPORT_ERROR = None

#: WSManFault code of a listener that knows the account but refuses it (Win32 ERROR_ACCESS_DENIED)
_ACCESS_DENIED = 5


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


class WinrmTransport:
    """Carries calls with pywinrm; the shell is opened with the first call and given back by close()."""

    def __init__(self, options: WinrmOptions) -> None:
        self._options = options
        self._protocol: winrm.protocol.Protocol | None = None
        self._shell_id: str | None = None
        self._connected_before = False

    def execute(self, command_line: str, standard_input: bytes, timeout: float) -> Output:
        """See Transport.execute."""
        deadline = time.monotonic() + timeout
        protocol, shell_id = self._open_shell()
        program, *arguments = command_line.split(" ")
        try:
            # A console as standard input would keep `$input` empty.
            command = protocol.run_command(shell_id, program, arguments, console_mode_stdin=False)
            protocol.send_command_input(shell_id, command, standard_input, end=True)
            output = self._receive(protocol, shell_id, command, deadline)
            protocol.cleanup_command(shell_id, command)
            return output
        except Exception as error:
            self._abandon()
            if isinstance(error, TransportError):
                raise
            raise ConnectionBroken(f"The connection to {self._options.endpoint} ended in the middle of a call: {_words(error)}.") from error

    def _receive(self, protocol: winrm.protocol.Protocol, shell_id: str, command: str, deadline: float) -> Output:
        stdout, stderr = [], []
        while True:
            try:
                out, err, exit_code, done = protocol.get_command_output_raw(shell_id, command)
            except winrm.exceptions.WinRMOperationTimeoutError:
                out, err, exit_code, done = b"", b"", 0, False  # nothing new within the operation timeout: ask again
            stdout.append(out)
            stderr.append(err)
            if done:
                return Output(b"".join(stdout), b"".join(stderr), exit_code)
            if time.monotonic() > deadline:
                with contextlib.suppress(Exception):
                    protocol.cleanup_command(shell_id, command)
                raise ConnectionBroken(f"The call on {self._options.endpoint} did not end in its time.")

    def _open_shell(self) -> tuple[winrm.protocol.Protocol, str]:
        """The connection and the shell on it, opened when there is none."""
        if self._protocol is not None and self._shell_id is not None:
            return self._protocol, self._shell_id
        options = self._options
        try:
            self._protocol = winrm.protocol.Protocol(
                endpoint=options.endpoint,
                transport=options.authentication,  # type: ignore[arg-type]  # a word of pywinrm, checked by the argument spec
                username=options.username,
                password=options.password,
                server_cert_validation="validate" if options.validate_certs else "ignore",
                ca_trust_path=options.ca_cert or "legacy_requests",
                cert_pem=options.client_certificate,
                cert_key_pem=options.client_key,
                kerberos_hostname_override=options.kerberos_hostname,
                operation_timeout_sec=options.operation_timeout,
                read_timeout_sec=options.operation_timeout + 10,
            )
            self._shell_id = self._protocol.open_shell(codepage=65001)
            self._connected_before = True
            return self._protocol, self._shell_id
        except winrm.exceptions.InvalidCredentialsError as error:
            self._abandon()
            raise AuthenticationFailed(f"The server at {options.endpoint} did not accept the credentials of {options.username}.") from error
        except winrm.exceptions.WSManFaultError as error:
            self._abandon()
            if error.wsman_fault_code == _ACCESS_DENIED:
                raise RemotingDenied(
                    f"The server at {options.endpoint} does not let {options.username} in for remote management."
                ) from error
            raise ConnectionBroken(f"The server at {options.endpoint} did not open a shell: {_words(error)}.") from error
        except Exception as error:
            self._abandon()
            # Once the server has answered, a refused connection is an interruption, not a wrong address.
            kind = ConnectionBroken if self._connected_before else Unreachable
            raise kind(f"No connection to {options.endpoint}: {_words(error)}.") from error

    def _abandon(self) -> None:
        """Forget a connection that cannot be trusted any more; a sealed message of an old connection is refused on a new one."""
        if self._protocol is not None:
            if self._shell_id is not None:
                with contextlib.suppress(Exception):
                    self._protocol.close_shell(self._shell_id, close_session=False)
            with contextlib.suppress(Exception):
                self._protocol.transport.close_session()
        self._protocol = None
        self._shell_id = None

    def close(self) -> None:
        """See Transport.close."""
        self._abandon()


def _words(error: BaseException) -> str:
    """What went wrong in a few words; the whole text of requests is long and names internals."""
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate was not accepted (" + _cause(error) + ")"
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "the connection timed out"
    if isinstance(error, requests.exceptions.ReadTimeout):
        return "no answer within the read timeout"
    if isinstance(error, requests.exceptions.ConnectionError):
        return _cause(error)
    return str(error).strip().rstrip(".").splitlines()[0] if str(error).strip() else type(error).__name__


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
