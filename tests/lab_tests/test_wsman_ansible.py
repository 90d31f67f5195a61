# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The WS-Management server of the lab against Ansible's own winrm connection plugin."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.certificates import make_authority
from lab.wsman import RemoteCommand, WsmanServer

ANSIBLE_PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")

# An action plugin beside the playbook: what an action with standard input does with the connection.
ACTION = """
from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        code, out, err = self._connection.exec_command(self._task.args["command"], in_data=self._task.args["input"].encode(), sudoable=False)
        return {"code": code, "out": out.decode(), "err": err.decode()}
"""


def script(line: str) -> str:
    """The script of an encoded command line; older releases of ansible-core encode a command that is encoded already once more."""
    while " -EncodedCommand " in line:
        line = base64.b64decode(line.rpartition(" -EncodedCommand ")[2]).decode("utf-16-le")
    return line


def evaluate(command: RemoteCommand) -> int:
    """Shows user and input."""
    command.write_out(f"{command.user}:".encode() + command.read_stdin())
    return 5 if script(command.line) == "Get-Date" else 0


@pytest.mark.skipif(not ANSIBLE_PLAYBOOK.exists(), reason="ansible-core is not installed beside this Python")
def test_winrm_connection_plugin(tmp_path: Path) -> None:
    authority = make_authority(tmp_path / "certificates")
    certificate = authority.issue(["localhost"], ["127.0.0.1"], tmp_path / "certificates" / "sync1")
    (tmp_path / "action_plugins").mkdir()
    (tmp_path / "action_plugins" / "send_input.py").write_text(ACTION)
    encoded = base64.b64encode("Get-Date".encode("utf-16-le")).decode()
    command = f"PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand {encoded}"
    tasks = [
        {"ansible.builtin.raw": "Get-Item", "register": "raw"},
        {"send_input": {"command": command, "input": "line 1\nline 2"}, "register": "piped"},
        {
            "ansible.builtin.assert": {
                "that": [
                    "raw.rc == 0",
                    "raw.stdout == 'LAB\\\\svc-sync:'",
                    "piped.code == 5",
                    "piped.out == 'LAB\\\\svc-sync:line 1\\nline 2'",
                ]
            }
        },
    ]
    (tmp_path / "ansible.cfg").write_text("[defaults]\n")
    (tmp_path / "play.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    shared = {"ansible_connection": "winrm", "ansible_host": "127.0.0.1", "ansible_user": "LAB\\svc-sync", "ansible_password": "p"}
    with WsmanServer(evaluate, {"svc-sync": "p"}, certificate=certificate) as server:
        plain = {"ansible_port": server.http_port, "ansible_winrm_scheme": "http"}
        secure = {
            "ansible_port": server.https_port,
            "ansible_winrm_scheme": "https",
            "ansible_winrm_ca_trust_path": str(authority.certificate_path),
        }
        hosts = {
            "sealed": {**shared, **plain, "ansible_winrm_transport": "ntlm"},
            "ntlm": {**shared, **secure, "ansible_winrm_transport": "ntlm"},
            "basic": {**shared, **secure, "ansible_winrm_transport": "basic"},
        }
        (tmp_path / "hosts.yml").write_text(json.dumps({"all": {"hosts": hosts}}))
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
            "ANSIBLE_HOME": str(tmp_path / "home"),
            "NO_PROXY": "127.0.0.1",
        }
        run = subprocess.run(
            [str(ANSIBLE_PLAYBOOK), "-i", str(tmp_path / "hosts.yml"), str(tmp_path / "play.yml")],
            env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert run.returncode == 0, run.stdout + run.stderr
        audit = sorted((script(record.line), record.stdin, record.user) for record in server.log.audit)
        counts = server.log.snapshot()
    assert counts["shells_opened"] == counts["shells_closed"] == 6  # one shell per host and task
    assert counts["commands_started"] == 6
    assert audit[:3] == [("Get-Date", "line 1\nline 2", "LAB\\svc-sync")] * 3
    assert all("Get-Item" in line and stdin == "" for line, stdin, _user in audit[3:])
