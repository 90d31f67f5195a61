# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The ssh server of the lab: who gets in, and what the two default shells make of a command line."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import LONG, wait_until

from lab.wsman import RemoteCommand

asyncssh = pytest.importorskip("asyncssh")

from lab.ssh import SshServer, make_keys  # after the look for the library that it is built on


@pytest.fixture
def seen() -> list[RemoteCommand]:
    """The commands that the evaluator was given."""
    return []


@pytest.fixture
def server(tmp_path: Path, seen: list[RemoteCommand]) -> Iterator[SshServer]:
    """Gives the input back; `exit N` ends with that code, `wait` when it is killed."""

    def evaluate(command: RemoteCommand) -> int:
        seen.append(command)
        if command.line == "wait":
            command.lifetime.wait(20)
            return 0
        command.write_out(command.read_stdin())
        command.write_err(b"noise")
        return int(command.line.partition("exit ")[2] or 0)

    with SshServer(evaluate, {"svc-sync": "p", "svc-out": "q"}, make_keys(tmp_path), ssh_denied=["svc-out"]) as started:
        yield started
        assert started.log.failures == []


def run(
    server: SshServer, line: str, given: bytes = b"x\n", *, user: str = "svc-sync", password: str | None = None, key: Path | None = None
):  # type: ignore[no-untyped-def]
    """What asyncssh's own client gets: exit code, standard output, standard error."""
    keys = server._keys

    async def call() -> tuple[int, bytes, bytes]:
        how = {"password": password, "client_keys": None} if password is not None else {"client_keys": [str(key or keys.client)]}
        known = str(keys.known_hosts(server.port, keys.host.parent))
        async with asyncssh.connect(
            "127.0.0.1", server.port, username=user, known_hosts=known, config=None, agent_path=None, **how
        ) as connection:
            done = await connection.run(line, input=given, encoding=None, check=False)
            return done.exit_status, done.stdout, done.stderr

    return asyncio.run(asyncio.wait_for(call(), LONG))


def test_keys_and_passwords(server: SshServer) -> None:
    assert run(server, "line")[0] == 0
    assert run(server, "line", password="p")[0] == 0
    for refused in (
        {"password": "wrong"},
        {"key": server._keys.stranger},
        {"user": "svc-out"},
        {"user": "svc-out", "password": "q"},
        {"user": "nobody"},
    ):
        with pytest.raises(asyncssh.PermissionDenied):
            run(server, "line", **refused)
    assert server.log.commands_started == 2


@pytest.mark.parametrize(("shell", "code", "processes"), [("cmd", 5, 1), ("powershell", 1, 2)])
def test_default_shells(shell: str, code: int, processes: int, server: SshServer, seen: list[RemoteCommand]) -> None:
    server.default_shell = shell
    assert run(server, "exit 5", b"a\nb\n") == (code, b"a\nb\n", b"noise")
    assert run(server, "fine")[0] == 0
    assert seen[0].processes == processes
    assert seen[0].way == "ssh"
    assert server.log.audit[0].stdin == "a\nb\n"
    long, _out, err = run(server, "x" * 9000)
    assert (long, b"too long" in err) == ((1, True) if shell == "cmd" else (0, False))
    assert run(server, "x" * 40_000)[0] == 1


def test_what_runs_dies_with_its_connection(server: SshServer, seen: list[RemoteCommand]) -> None:
    async def leave() -> None:
        keys = server._keys
        async with asyncssh.connect(
            "127.0.0.1", server.port, username="svc-sync", known_hosts=None, config=None, agent_path=None, client_keys=[str(keys.client)]
        ) as connection:
            await connection.create_process("wait")
            while not seen:
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(leave(), LONG))
    wait_until(lambda: seen[0].lifetime.killed)


def test_connections_are_cut_and_refused(server: SshServer) -> None:
    server.cut_connections(refuse_seconds=2.0)
    with pytest.raises((asyncssh.Error, OSError)):
        run(server, "line")
    wait_until(lambda: time.monotonic() > server._refusing_until)
    assert run(server, "line")[0] == 0
    server.faults.arm("close_connection", verb="Receive")
    with contextlib.suppress(asyncssh.Error, OSError):
        assert run(server, "line")[0] is None
    assert server.log.commands_started == 2
    server.faults.arm("close_connection", verb="Command")
    with contextlib.suppress(asyncssh.Error, OSError):
        assert run(server, "line")[0] is None
    assert server.faults.active() == []
