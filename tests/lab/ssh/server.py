# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The ssh server: who may sign in, and command lines through one of the two default shells that Windows hosts have."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Collection, Mapping
from typing import Any, Self

import asyncssh

from lab.lifetime import Killed, Lifetime, living
from lab.wsman.accounts import Accounts
from lab.wsman.faults import Fault, Faults
from lab.wsman.log import RequestLog
from lab.wsman.shell import Evaluator, RemoteCommand

from .keys import SshKeys

#: characters that cmd.exe takes as a command line, and those that CreateProcess takes
_LONGEST = {"cmd": 8191, "powershell": 32767}
_CODEPAGE = 437
_START_SECONDS = 10.0


class _Command(RemoteCommand):
    way = "ssh"


class SshServer:
    """An OpenSSH server on Windows, as far as clients can see.

    Args:
        evaluator: runs the command lines; called in a thread of its own for each.
        users: passwords by user name. Everybody may sign in with the client key of `keys`, too.
        keys: see lab.ssh.keys.
        faults: of their verbs, Command (before the command runs, or with `after` when it has run), Receive (when the output is due) and
            connect happen here; of their names, close_connection, hang and garbage.
        ssh_denied: users that no rule of sshd_config lets in; to a client that looks like wrong credentials.

    Attributes:
        default_shell: cmd or powershell; the registry's DefaultShell, read for every command.
        port: the real port once started.
        log: counters and the received commands.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        users: Mapping[str, str],
        keys: SshKeys,
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        faults: Faults | None = None,
        domain: str = "LAB",
        ssh_denied: Collection[str] = (),
        default_shell: str = "cmd",
    ) -> None:
        logging.getLogger("asyncssh").setLevel(logging.CRITICAL)
        self.address, self.port, self.default_shell = address, port, default_shell
        self.faults = faults if faults is not None else Faults()
        self.log = RequestLog()
        self._evaluator, self._keys = evaluator, keys
        self.accounts = Accounts(users, domain, ssh_denied)
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._refusing_until = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._listener: asyncssh.SSHAcceptor | None = None

    def start(self) -> None:
        """Listen in a thread of this process. Raises OSError when the port is taken."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ssh server", daemon=True)
        self._thread.start()
        self._listener = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(_START_SECONDS)
        self.port = self._listener.get_port()

    def stop(self) -> None:
        """End the connections, what runs in them, and the thread."""
        if self._loop is None or self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(_START_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_SECONDS)
        self._loop.close()
        self._loop = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    @property
    def open_connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    def cut_connections(self, refuse_seconds: float = 0.0) -> None:
        """End every connection in the middle of what it does, and every new one for some time."""
        self._refusing_until = time.monotonic() + refuse_seconds
        self.faults.note("cut", "connect")
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(_START_SECONDS)

    async def _listen(self) -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            self.address,
            self.port,
            server_factory=lambda: _Session(self),
            server_host_keys=[str(self._keys.host)],
            process_factory=self._process,
            encoding=None,
            server_version="OpenSSH_for_Windows_9.5",
        )

    async def _close(self) -> None:
        if self._listener is not None:
            self._listener.close()
            await self._cut()
            await asyncio.sleep(0.05)  # the channels' own last steps

    async def _cut(self) -> None:
        for connection in list(self._connections):
            connection.abort()

    # -- called by the sessions

    def connected(self, connection: asyncssh.SSHServerConnection) -> None:
        """A client is there; it may be turned away at once."""
        self.log.count(connections=1)
        if time.monotonic() < self._refusing_until:
            self.faults.note("refused", "connect")
            connection.abort()
        elif self.faults.take("connect"):
            connection.abort()
        else:
            self._connections.add(connection)

    def disconnected(self, connection: asyncssh.SSHServerConnection | None) -> None:
        """A client has gone."""
        if connection is not None:
            self._connections.discard(connection)

    def accepts_key(self, key: asyncssh.SSHKey) -> bool:
        """Whether accounts accept this key."""
        return key.export_public_key() == self._keys.client.with_suffix(".pub").read_bytes()

    async def _process(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        line, user = process.command or "", str(process.get_extra_info("username"))
        entry = self.log.command(user, line, {})
        # assumption: what runs in a session dies with its connection, as in a WinRM shell.
        lifetime = Lifetime()
        command = _Command(line, user, {}, _CODEPAGE, False, lambda data: self.log.stdin(entry, data), lifetime)
        command.processes = 2 if self.default_shell == "powershell" else 1
        connection = process.channel.get_connection()
        if await self._strikes(self.faults.take("Command"), connection, process):
            return
        reading = asyncio.ensure_future(_feed(process, command))
        running: asyncio.Future[Any] = asyncio.get_running_loop().run_in_executor(None, self._run, command, line)
        gone: asyncio.Future[Any] = asyncio.ensure_future(process.channel.wait_closed())
        await asyncio.wait({running, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            command.cancel(remove=True)
        lifetime.kill()
        code = await running
        reading.cancel()
        if not gone.done():
            gone.cancel()
            if not await self._strikes(self.faults.take("Receive") or self.faults.take("Command", pending=True), connection, process):
                await _answer(process, command, code if self.default_shell == "cmd" else int(code != 0))

    def _run(self, command: _Command, line: str) -> int:
        """In a thread: what the default shell does with the command line."""
        if len(line) > _LONGEST[self.default_shell]:
            command.write_err(b"The command line is too long.\r\n")
            return 1
        try:
            with living(command.lifetime):
                return int(self._evaluator(command))
        except Killed:
            return 1
        except Exception as error:
            if not command.lifetime.killed:
                self.log.failure(f"{type(error).__name__} in a command over ssh")
            return 1

    async def _strikes(self, fault: Fault | None, connection: Any, process: Any) -> bool:
        """Misbehave; True: there will be no answer."""
        if fault is None:
            return False
        if fault.name == "hang":
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(process.channel.wait_closed(), fault.seconds)
            return False
        if fault.name == "garbage":
            process.stdout.write(b"\xff\x00\xfe no answer")
            process.exit(0)
            return True
        connection.abort()
        return True


class _Session(asyncssh.SSHServer):
    """One connection's authentication."""

    def __init__(self, server: SshServer) -> None:
        self._server = server
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._server.connected(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.disconnected(self._connection)

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return not self._server.accounts.is_denied(username) and self._server.accounts.check(username, password)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        known = self._server.accounts.is_known(username) and not self._server.accounts.is_denied(username)
        return known and self._server.accepts_key(key)


async def _feed(process: asyncssh.SSHServerProcess[bytes], command: RemoteCommand) -> None:
    """Standard input, as it comes."""
    with contextlib.suppress(asyncssh.Error, OSError, asyncio.CancelledError):
        while data := await process.stdin.read(65536):
            command.feed(data, False)
        command.feed(b"", True)


async def _answer(process: asyncssh.SSHServerProcess[bytes], command: RemoteCommand, code: int) -> None:
    command.finish(code)
    chunks, _code = command.receive(0.0, 1 << 30)
    with contextlib.suppress(asyncssh.Error, OSError):
        for name, data in chunks:
            stream = process.stdout if name == "stdout" else process.stderr
            stream.write(data)
            await stream.drain()
        process.exit(code)
