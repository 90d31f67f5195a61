# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What people write today to synchronise: ansible.windows.win_powershell, and what its server answers.

The module's wrapper cannot run outside Windows, so the lab reads which cmdlet is in what was uploaded, calls it, and answers as the module does.
What goes up, and what Ansible does with it, is real.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import BOOTSTRAP
from lab.estate import default_cache
from lab.windows.command_line import encoded_script
from lab.windows.host import WindowsHost
from lab.wsman import RemoteCommand

START = "Start-ADSyncSyncCycle -PolicyType Delta | Out-Null"
BUSY = "(Get-ADSyncScheduler).SyncCycleInProgress"
_WITHIN = "ansible_collections/ansible/windows/"


def collections_folder() -> Path:
    """A folder with the collection ansible.windows, of the PyPI package `ansible`; it is fetched once."""
    folder = default_cache() / "bench-collections"
    if not (folder / _WITHIN / "plugins" / "modules" / "win_powershell.ps1").exists():
        with tempfile.TemporaryDirectory() as download:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", download, "ansible"]
            subprocess.run(command, check=True)
            (wheel,) = Path(download).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder, [name for name in archive.namelist() if name.startswith(_WITHIN)])
    return folder


class PlainHost(WindowsHost):
    """A host that also takes win_powershell and raw."""

    def evaluate(self, command: RemoteCommand) -> int:
        """See WindowsHost.evaluate."""
        script = encoded_script(command.line)
        if script == BOOTSTRAP or script is None:
            return super().evaluate(command)
        self._process_starts()
        given = command.read_stdin()
        if given:
            answer = self._answer(command.user, _plain(given))
            command.write_out(json.dumps(answer).encode() + b"\r\n")
        return 0

    def _answer(self, user: str, uploaded: str) -> dict[str, Any]:
        caller = self.caller(user, network_logon=True)
        output: list[Any] = []
        if "Start-ADSyncSyncCycle" in uploaded:
            self.server.call(caller, "Start-ADSyncSyncCycle", {"PolicyType": "Delta"})
        elif "Get-ADSyncScheduler" in uploaded:
            output = [self.server.call(caller, "Get-ADSyncScheduler", {})["SyncCycleInProgress"]]
        else:
            raise RuntimeError("an upload without a cmdlet that is known")
        streams: dict[str, Any] = {name: [] for name in ("error", "warning", "verbose", "debug", "information")}
        return {"changed": True, "result": {}, "host_out": "", "host_err": "", "output": output, **streams}


def _plain(given: bytes) -> str:
    """What was uploaded, and what is encoded in it."""
    text = given.decode("utf-8", errors="replace")
    encoded = [base64.b64decode(one + "=" * (-len(one) % 4)) for one in re.findall(r"[A-Za-z0-9+/]{24,400}", text) if "ADSync" not in text]
    return text + "".join(one.decode("utf-8", errors="ignore") for one in encoded)
