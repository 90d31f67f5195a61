# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The demonstration: the twelve people of the sample CSV file go the whole way, and a second run finds nothing to do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from lab.estate import Estate

INITIAL_PASSWORD = "W3lcome.to-the-lab"
ROOT = Path(__file__).resolve().parents[2]


def run_demo(estate: Estate) -> int:
    """Run the playbook twice in a started estate; 0 when everybody arrived and the second run changed nothing."""
    reports = ROOT / ".cache" / "demo"
    reports.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="lab-demo-") as folder:
        inventory = estate.inventory()
        inventory["all"]["hosts"]["localhost"].update(
            onboarding_csv=str(ROOT / "playbooks" / "files" / "colleagues.csv"),
            onboarding_initial_password=INITIAL_PASSWORD,
            onboarding_report_directory=str(reports),
        )
        file = Path(folder) / "inventory.yml"
        file.touch(mode=0o600)
        file.write_text(yaml.safe_dump(inventory, allow_unicode=True), encoding="utf-8")
        print(
            f"The estate is up (the sync server runs its scripts with {estate.host.mode}). Twelve new colleagues stand at the door.\n",
            flush=True,
        )
        first = _run(file, Path(folder))
        if first.code != 0:
            print("\ndemo: the first run failed.", file=sys.stderr)
            return 1
        print("\nThe same playbook once more: everything is as it should be already.\n", flush=True)
        second = _run(file, Path(folder))
    print(f"\nfirst run: {first.seconds:.0f} s, changed={first.changed}; second run: {second.seconds:.0f} s, changed={second.changed}")
    print(f"reports: {reports}")
    return 0 if second.code == 0 and second.changed == 0 else 1


class _Done:
    def __init__(self, code: int, seconds: float, output: str) -> None:
        self.code, self.seconds = code, seconds
        self.changed = sum(int(number) for number in re.findall(r"changed=(\d+)", output))


def _run(inventory: Path, folder: Path) -> _Done:
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".view"),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "False",
        "PYTHONUNBUFFERED": "1",
    }
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory), str(ROOT / "playbooks" / "onboard.yml")]
    began = time.monotonic()
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=folder) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            print(line, end="", flush=True)
    return _Done(process.returncode, time.monotonic() - began, "".join(lines))
