# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The WS-Management server: listeners, one thread per connection, start and stop."""

from __future__ import annotations

import contextlib
import hashlib
import selectors
import socket
import threading
import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Self

from lab.wsman import http
from lab.wsman.accounts import Accounts
from lab.wsman.faults import Faults
from lab.wsman.log import RequestLog
from lab.wsman.service import Services, WinrsService
from lab.wsman.session import Session
from lab.wsman.shell import Evaluator, Shells

if TYPE_CHECKING:
    import ssl

    from lab.certificates import Certificate

_HANDSHAKE_SECONDS = 10.0
_STOP_PATIENCE = 0.2  # seconds given to all connection threads together


class WsmanServer:
    """A Windows host's WinRM listener, as far as clients can see.

    Args:
        evaluator: runs the command lines; called in a thread of its own for each command.
        users: passwords by user name.
        address: where to listen.
        http_port: 0 = any free port.
        https_port: 0 = any free port, None = no HTTPS. Without a certificate there is no HTTPS either.
        certificate: for HTTPS, see lab.certificates.
        faults: armed misbehaviour; also reachable as `.faults`.
        domain: NetBIOS name of the domain the users belong to.
        certificate_users: user names by the user principal name in a client's certificate (the listener's certificate mappings).
        remoting_denied: users that can sign in but get 'Access is denied' when they open a shell.

    Attributes:
        http_port, https_port: the real ports once started; https_port is None without HTTPS.
        log: counters and the received commands.
        offers: the kinds of authentication that are switched on (see lab.wsman.authentication.OFFERS); None = all of them.
    """

    offers: Collection[str] | None = None

    def __init__(
        self,
        evaluator: Evaluator,
        users: Mapping[str, str],
        *,
        address: str = "127.0.0.1",
        http_port: int = 0,
        https_port: int | None = 0,
        certificate: Certificate | None = None,
        faults: Faults | None = None,
        domain: str = "LAB",
        remoting_denied: Collection[str] = (),
        certificate_users: Mapping[str, str] | None = None,
    ) -> None:
        self.address = address
        self.http_port = http_port
        self.https_port = https_port if certificate else None
        self.faults = faults if faults is not None else Faults()
        self.log = RequestLog()
        self._certificate = certificate
        self._certificate_users = dict(certificate_users or {})
        self._accounts = Accounts(users, domain, remoting_denied)
        self._shells = Shells(evaluator, self.log)
        from lab.psrp.service import PsrpService  # it is built on this package

        self._service = Services(WinrsService(self._shells, self._accounts), PsrpService(self._shells, self._accounts, self.log))
        self._tls: ssl.SSLContext | None = None
        self._binding: bytes | None = None
        self._stopping = threading.Event()
        self._refusing_until = 0.0
        self._lock = threading.Lock()
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._listeners: dict[socket.socket, bool] = {}
        self._wake: tuple[socket.socket, socket.socket] | None = None
        self._accepting: threading.Thread | None = None

    @property
    def refusing(self) -> bool:
        """Whether it ends every new connection at the moment."""
        return time.monotonic() < self._refusing_until

    @property
    def open_shells(self) -> int:
        """How many shells are open."""
        return self._shells.open_now()

    @property
    def shell_idle_seconds(self) -> float | None:
        """Seconds without a request after which a shell ends whose client names no time of its own; None: two hours."""
        return self._shells.idle_seconds

    @shell_idle_seconds.setter
    def shell_idle_seconds(self, seconds: float | None) -> None:
        self._shells.idle_seconds = seconds

    def cut_connections(self, refuse_seconds: float = 0.0) -> None:
        """End every connection in the middle of what it does, and every new one for some time. Shells and their commands live on."""
        self._refusing_until = time.monotonic() + refuse_seconds
        self.faults.note("cut", "connect")
        with self._lock:
            connections = list(self._connections.values())
        for sock in connections:
            _hang_up(sock)

    def start(self) -> None:
        """Listen and serve in threads of this process. Raises OSError when a port is taken. A stopped server can be started again."""
        if self._accepting:
            return
        self._stopping.clear()
        try:
            self.http_port = self._listen(self.http_port, tls=False)
            if self._certificate and self.https_port is not None:
                self._prepare_tls(self._certificate)
                self.https_port = self._listen(self.https_port, tls=True)
        except BaseException:
            self._close_listeners()
            raise
        self._wake = socket.socketpair()
        self._accepting = threading.Thread(target=self._accept_all, name="wsman accept", daemon=True)
        self._accepting.start()

    def stop(self) -> None:
        """End connections, commands and threads; quick, also with clients in the middle of something."""
        if not self._accepting or not self._wake:
            return
        self._stopping.set()
        self._wake[1].send(b"x")
        self._accepting.join()
        for end in self._wake:
            end.close()
        self._accepting = self._wake = None
        with self._lock:
            connections = dict(self._connections)
        for sock in connections.values():
            _hang_up(sock)
        self._shells.stop()
        deadline = time.monotonic() + _STOP_PATIENCE
        for thread in connections:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._accounts.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def _listen(self, port: int, *, tls: bool) -> int:
        listener = socket.create_server((self.address, port), backlog=128)
        self._listeners[listener] = tls
        return int(listener.getsockname()[1])

    def _prepare_tls(self, certificate: Certificate) -> None:
        import ssl

        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate.certificate_path, certificate.key_path)
        if self._certificate_users:
            self._tls.verify_mode = ssl.CERT_OPTIONAL
            self._tls.load_verify_locations(certificate.authority_path)
        der = ssl.PEM_cert_to_DER_cert(certificate.certificate_path.read_text(encoding="ascii"))
        self._binding = b"tls-server-end-point:" + hashlib.sha256(der).digest()

    def _user_of(self, certificate: bytes | None) -> str:
        """The account that a client's certificate is mapped to; '' without a certificate or a mapping."""
        if not certificate or not self._certificate_users:
            return ""
        from lab.certificates import user_of

        return self._certificate_users.get(user_of(certificate), "")

    def _close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    def _accept_all(self) -> None:
        assert self._wake is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake[0], selectors.EVENT_READ)
            for listener in self._listeners:
                selector.register(listener, selectors.EVENT_READ)
            while not self._stopping.is_set():
                for key, _events in selector.select():
                    if key.fileobj in self._listeners and isinstance(key.fileobj, socket.socket):
                        with contextlib.suppress(OSError):  # the client may have gone again
                            self._take(key.fileobj.accept()[0], self._listeners[key.fileobj])
        self._close_listeners()

    def _take(self, sock: socket.socket, tls: bool) -> None:
        thread = threading.Thread(target=self._serve, args=(sock, tls), name="wsman connection", daemon=True)
        with self._lock:
            self._connections[thread] = sock
        thread.start()

    def _serve(self, sock: socket.socket, tls: bool) -> None:
        self.log.count(connections=1)
        try:
            if self.refusing:
                self.faults.note("refused", "connect")
                return
            if self.faults.take("connect"):
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client = ""
            if tls and self._tls:  # the handshake happens here, in the connection's thread: a slow client holds up nobody else
                sock.settimeout(_HANDSHAKE_SECONDS)
                secured = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                sock = secured
                with self._lock:
                    self._connections[threading.current_thread()] = sock
                secured.do_handshake()
                sock.settimeout(None)
                client = self._user_of(secured.getpeercert(binary_form=True))
            if self._stopping.is_set():
                return
            session = Session(
                self._service, self._accounts, self.faults, self.log, self._stopping, self._binding if tls else None, client, self.offers
            )
            http.serve(sock, session.respond, self.log, self._stopping)
        except OSError:  # hung up, by either side; a failed TLS handshake is one too
            pass
        finally:
            _hang_up(sock)
            sock.close()
            with self._lock:
                self._connections.pop(threading.current_thread(), None)


def _hang_up(sock: socket.socket) -> None:
    """Wake a thread that reads from the socket. Not SSLSocket's own shutdown, which takes the TLS object from under that thread."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
