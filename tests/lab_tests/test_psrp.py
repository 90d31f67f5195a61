# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Runspaces of the lab against Ansible's own psrp connection plugin: what is different from a process in a shell."""

from __future__ import annotations

import base64
import contextlib
import re
import threading
from collections.abc import Iterator
from typing import Any

import connections
import pytest
from patience import LONG, wait_until

from lab.estate import Estate, EstateOptions
from lab.psrp.clixml import errors_of
from lab.wsman import RemoteCommand, WsmanServer

pytest.importorskip("pypsrp")

PREFIX = "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand "


def encoded(script: str) -> str:
    """The command line that the plugin recognises."""
    return PREFIX + base64.b64encode(script.encode("utf-16-le")).decode()


def connect(server: WsmanServer) -> Any:
    """The plugin over NTLM with sealed messages."""
    from ansible.playbook.play_context import PlayContext
    from ansible.plugins.loader import connection_loader

    variables = {
        "ansible_host": "127.0.0.1", "ansible_port": server.http_port, "ansible_user": "svc-sync", "ansible_password": "p",
        "ansible_psrp_protocol": "http", "ansible_psrp_auth": "ntlm",
    }  # fmt: skip
    plugin = connection_loader.get("psrp", PlayContext(), None)
    plugin.set_options(var_options={**variables, "_extras": {}})
    return plugin


@pytest.fixture
def seen() -> list[RemoteCommand]:
    """The commands that the evaluator was given."""
    return []


@pytest.fixture
def server(seen: list[RemoteCommand]) -> Iterator[WsmanServer]:
    """Its evaluator tells what it was given, in two lines; `exit N` ends with that code, `fail` with an error, `wait` when it is killed."""

    def evaluate(command: RemoteCommand) -> int:
        seen.append(command)
        if command.script == "wait":
            command.lifetime.wait(20)
            return 0
        command.write_out(f"{command.way}\r\n".encode() + command.read_stdin())
        if command.script == "fail":
            command.write_err(b'#< CLIXML\r\n<Objs Version="1.1.0.1"><S S="Error">no good_x000D__x000A_</S><S S="warning">x</S></Objs>')
            return 1
        found = re.search(r"exit (\d+)$", command.script or "")
        return int(found.group(1)) if found else 0

    with WsmanServer(evaluate, {"svc-sync": "p"}) as started:
        yield started
        assert started.log.failures == []


def test_a_script_runs_inside_the_runspace(server: WsmanServer, seen: list[RemoteCommand]) -> None:
    plugin = connect(server)
    code, out, err = plugin.exec_command(encoded("Get-Date"), in_data=b"line 1\nline \xc3\xa4\n", sudoable=False)
    assert (code, out.decode(), err) == (0, "psrp\r\nline 1\r\nline ä", b""), "objects, joined without a last line end"
    assert [command.script for command in seen] == ["Get-Date"]
    assert server.log.audit[0].stdin == "line 1\nline ä\n"
    plugin.close()
    assert server.log.shells_opened == server.log.shells_closed == 1


def test_what_does_not_begin_as_it_should_is_a_script_itself(server: WsmanServer, seen: list[RemoteCommand]) -> None:
    """Another spelling of the same words: the plugin does not decode it, and the runspace would start a process for it."""
    plugin = connect(server)
    line = "powershell.exe" + encoded("Get-Date").removeprefix("PowerShell")
    plugin.exec_command(line.replace(" -EncodedCommand ", " -encodedcommand "), in_data=None, sudoable=False)
    assert seen[0].script is not None and seen[0].script.startswith("powershell.exe ")
    assert seen[0].script.endswith("\nexit $LASTEXITCODE")
    plugin.close()


@pytest.mark.parametrize(("script", "code", "words"), [("exit 5", 5, ""), ("fail", 1, "no good"), ("fine", 0, "")])
def test_exit_codes_and_errors_come_over_the_host_and_as_records(script: str, code: int, words: str, server: WsmanServer) -> None:
    plugin = connect(server)
    for _twice in range(2):
        found, _out, err = plugin.exec_command(encoded(script), in_data=b"x\n", sudoable=False)
        assert found == code
        assert err.decode().strip() == words
    plugin.close()


def test_what_runs_dies_with_the_runspace_and_not_with_the_script(server: WsmanServer, seen: list[RemoteCommand]) -> None:
    plugin = connect(server)
    plugin.exec_command(encoded("first"), in_data=b"x\n", sudoable=False)

    def wait() -> None:
        with contextlib.suppress(Exception):
            plugin.exec_command(encoded("wait"), in_data=b"x\n", sudoable=False)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    wait_until(lambda: len(seen) == 2)
    first, second = seen
    assert first.shell is second.shell
    assert not first.shell.killed, "children of the first script are children of the runspace's process, and go on"
    server._shells.close(next(iter(server._shells._shells.values())))
    assert second.lifetime.killed
    assert second.shell.killed
    thread.join(LONG)


def test_large_input_and_output_come_in_fragments(server: WsmanServer) -> None:
    plugin = connect(server)
    line = base64.b64encode(bytes(range(256)) * 4000)
    _code, out, _err = plugin.exec_command(encoded("x" * 300_000), in_data=line + b"\n", sudoable=False)
    assert out == b"psrp\r\n" + line
    assert server.log.Send > 2
    plugin.close()


def test_the_pool_is_one_process_and_has_no_console(powershell: str) -> None:
    with Estate(EstateOptions(directory=False, tenant=False, powershell=powershell)) as estate:
        plugin = connections.plugin(estate, "psrp ntlm")
        code, out, err = plugin.exec_command(encoded("@($input) -join '+'; 'ä€'"), in_data=b"a\nb\n", sudoable=False)
        assert (code, out.decode().split("\r\n")) == (0, ["a+b", "ä€"]), err
        code, out, err = plugin.exec_command(
            encoded("$ErrorActionPreference = 'Stop'; [Console]::OutputEncoding = [Text.Encoding]::UTF8; 'still here'"),
            in_data=b"x\n",
            sudoable=False,
        )
        assert (code, b"still here" in out) == (1, False), out
        code, _out, _err = plugin.exec_command(encoded("exit 7"), in_data=b"x\n", sudoable=False)
        assert code == 7
        plugin.close()
        assert estate.host.processes_started == 1
        plugin = connections.plugin(estate, "winrm ntlm")
        code, out, _err = plugin.exec_command(
            encoded("[Console]::OutputEncoding = [Text.Encoding]::UTF8; 'ok'"), in_data=b"x\n", sudoable=False
        )
        assert (code, out.strip()) == (0, b"ok"), "a process has one"
        plugin.close()


def test_children_of_a_runspace_die_with_it(powershell: str) -> None:
    ended: list[Any] = []
    with Estate(EstateOptions(directory=False, tenant=False, powershell=powershell)) as estate:
        estate.sync.shell_ended = ended.append  # type: ignore[union-attr]
        plugin = connections.plugin(estate, "psrp ntlm")
        plugin.exec_command(encoded("1"), in_data=b"x\n", sudoable=False)
        assert ended == []
        plugin.close()
        assert len(ended) == 1


def test_errors_of_a_process() -> None:
    document = '#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="x"><S S="Error">a_x000D__x000A_</S><S S="Error">b</S><Obj S="progress"/></Objs>'
    assert errors_of(document) == ["a", "b"]
    assert errors_of("a native program's words\r\n") == ["a native program's words"]
    assert errors_of("") == []
