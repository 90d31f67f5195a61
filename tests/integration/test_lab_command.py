# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The command `lab`: tidy, and gone when its parent is gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import procedures
import pytest
from loopback import own_address
from patience import LONG, wait_until

from lab.directory_template import SambaMissing, require_samba


def _environment(cache: Path) -> dict[str, str]:
    paths = f"{procedures.VIEW}:{Path(__file__).resolve().parents[1]}"
    return {
        **os.environ,
        "PYTHONPATH": paths,
        "HYBRID_IDENTITY_LAB_CACHE": str(cache),
        "HYBRID_IDENTITY_PWSH": "none",
        "PYTHONUNBUFFERED": "1",
    }


def _lab(cache: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "lab", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=_environment(cache)
    )


def _until_ready(lab: subprocess.Popen[str]) -> None:
    assert lab.stdout is not None
    lines = []
    for line in lab.stdout:
        lines.append(line)
        if line.startswith("# ready"):
            return
    raise AssertionError("".join(lines))


def _family(root: int) -> list[int]:
    """A process and everything below it."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    family, queue = [], [root]
    while queue:
        process = queue.pop()
        family.append(process)
        queue += children.get(process, [])
    return family


def _memory(processes: list[int]) -> float:
    """Proportional memory in MB."""
    total = 0
    for process in processes:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def _alive(processes: list[int]) -> list[int]:
    return [
        process for process in processes if Path(f"/proc/{process}").exists() and " Z " not in Path(f"/proc/{process}/stat").read_text()
    ]


def _all_gone(processes: list[int]) -> None:
    wait_until(lambda: not _alive(processes), "something lives on")


def test_help_explains_it(tmp_path: Path) -> None:
    lab = _lab(tmp_path, "--help")
    assert lab.stdout is not None
    words = lab.stdout.read()
    assert lab.wait(LONG) == 0
    for word in ("sync server", "Active Directory", "Entra ID", "lab up", "lab demo", "HYBRID_IDENTITY_PWSH"):
        assert word in words


def test_whole_estate_starts_twice_and_leaves_nothing(tmp_path: Path) -> None:
    try:
        require_samba()
    except SambaMissing as error:
        pytest.skip(str(error))
    for _round in range(2):
        lab = _lab(tmp_path, "up", "--directory-address", own_address(62))
        _until_ready(lab)
        family = _family(lab.pid)
        megabytes = _memory(family)
        lab.send_signal(signal.SIGINT)
        assert lab.wait(LONG) == 0
        _all_gone(family)
    print(f"\n{megabytes:.0f} MB in {len(family)} processes")
    assert megabytes <= 300


@pytest.mark.parametrize("victim", ["parent", "lab"])
def test_nothing_is_left_when_somebody_is_killed(victim: str, tmp_path: Path) -> None:
    script = "import subprocess, sys, time; lab = subprocess.Popen([sys.executable, '-m', 'lab', 'up', '--no-directory', '--no-tenant']); time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=_environment(tmp_path))
    _until_ready(parent)
    family = _family(parent.pid)
    assert len(family) >= 2
    os.kill(parent.pid if victim == "parent" else family[1], signal.SIGKILL)
    _all_gone(family[1:])
    parent.kill()
    parent.wait(LONG)


def test_inventory_control_and_faults(tmp_path: Path) -> None:
    socket, inventory = tmp_path / "socket", tmp_path / "inventory.yml"
    lab = _lab(tmp_path, "up", "--no-directory", "--no-tenant", "--control", str(socket), "--inventory", str(inventory))
    _until_ready(lab)
    assert inventory.stat().st_mode & 0o077 == 0
    for question, good in (
        ({"do": "set", "staging": True}, True),
        ({"do": "fault", "name": "slow_start", "seconds": 1}, True),
        ({"do": "fault", "name": "close_connection", "verb": "Receive"}, True),
        ({"do": "stats"}, True),
        ({"do": "set", "stagging": True}, False),
        ({"do": "fault", "name": "earthquake"}, False),
        ({"do": "dance"}, False),
    ):
        told = _lab(tmp_path, "tell", json.dumps(question), "--control", str(socket))
        assert told.stdout is not None
        words = told.stdout.read()
        assert (told.wait(LONG) == 0) is good, words
    lab.send_signal(signal.SIGTERM)
    assert lab.wait(LONG) == 0
    assert not socket.exists()


def test_what_is_missing_is_said_in_one_sentence(tmp_path: Path) -> None:
    told = _lab(tmp_path, "tell", "{}", "--control", str(tmp_path / "none"))
    assert told.stdout is not None
    words = told.stdout.read()
    assert told.wait(LONG) == 1
    assert words.startswith("lab: ")
    assert words.count("\n") == 1
