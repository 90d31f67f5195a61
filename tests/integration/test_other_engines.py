# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Estates with an older engine: reached over WS-Management, and told apart by what the shipped probe finds on them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import procedures
import pytest
from estates import MakeEstate

from ansible_collections.hybrid.identity.plugins.module_utils._engines import _connect_scripts
from lab.control import Control
from lab.engines import ENGINES

_OLD = [name for name in ENGINES if name != "connect"]
_WITHOUT_FLAG = ("connect-1.1.105", "connect-1.1.281", "connect-1.1.380")


def _probe(estate: Any) -> Any:
    shell = procedures.open_shell(estate)
    try:
        return shell.call(
            "probe",
            _connect_scripts.PROBE,
            {"history_seconds": 600, "wmi": True},
            shape=lambda value, _where: value,
            timeout=60,
            repeatable=False,
        ).data
    finally:
        shell.close()


@pytest.mark.parametrize("engine", _OLD)
def test_an_estate_carries_any_engine(engine: str, make_estate: MakeEstate) -> None:
    estate = make_estate(engine=engine)
    data = _probe(estate)
    survey = data["survey"]
    version = estate.sync.options.product_version
    if engine.startswith("dirsync"):
        assert survey["services"] == {"FIMSynchronizationService": 4, "MSOnlineSyncScheduler": 4}
    elif engine.startswith("aadsync"):
        assert (survey["services"], survey["wizard_version"], data["state"]) == ({"ADSync": 4}, None, None)
        assert (survey["engine_version"], survey["exe"]) == (version, True)
    elif engine == "aad-connect-1.0":
        assert (survey["wizard_version"], data["state"]) == (version, None)
        assert data["problems"]["scheduler"]["type"] == "System.Management.Automation.CommandNotFoundException"
    else:
        assert survey["wizard_version"] == version
        assert (data["state"]["in_progress"] is None) == (engine in _WITHOUT_FLAG), "no SyncCycleInProgress before 1.1.443"
        assert data["history"]["source"] == ("run_history" if engine == "connect-1.4.18" else "wmi")


def test_a_running_lab_can_be_told_of_the_faults_of_its_engine(make_estate: MakeEstate, tmp_path: Any) -> None:
    estate = make_estate(engine="dirsync")
    control = Control(estate, tmp_path / "socket")
    control.start()
    assert b'"ok": true' in control.answer(b'{"do": "fault", "name": "start_refused"}')
    assert b'"ok": true' in control.answer(b'{"do": "set", "busy_start": "error", "stopped_services": ["MSOnlineSyncScheduler"]}')
    assert b'"ok": true' in control.answer(b'{"do": "stats"}')
    control.stop()
    assert estate.sync.faults.take("start_refused") is not None
    assert not estate.sync.start_cycle()


def test_the_command_lists_engines_and_refuses_others() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "lab"]
    listed = subprocess.run([*command, "engines"], capture_output=True, text=True, env=environment, check=True)
    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(ENGINES)
    refused = subprocess.run(
        [*command, "up", "--engine", "nonsense", "--no-directory", "--no-tenant"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert refused.returncode == 1
    assert "there is no engine 'nonsense'" in refused.stderr
