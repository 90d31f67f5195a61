# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The action plugin onboarding_report, without Ansible around it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from ansible_collections.hybrid.identity.plugins.action import onboarding_report as action
from ansible_collections.hybrid.identity.plugins.modules import onboarding_report as documented

PEOPLE = [{"display_name": "Anna Huber", "upn": "anna@lab.example"}]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was shown on the screen."""
    shown: list[str] = []
    monkeypatch.setattr(action.display, "display", lambda line, *rest, **options: shown.append(line))
    return shown


def run(check_mode: bool = False, **arguments: Any) -> dict[str, Any]:
    """Run the plugin for a task with these arguments."""
    task = SimpleNamespace(args=arguments, check_mode=check_mode, async_val=0, diff=False)
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=""))
    plugin = action.ActionModule(task, connection, SimpleNamespace(check_mode=check_mode), None, None, None)
    return plugin.run(task_vars={})


def test_table_and_files(lines: list[str], tmp_path: Path) -> None:
    cloud = [{"upn": "anna@lab.example", "state": "ready", "licenses": [], "arrived_at": "2026-11-24T09:31:10Z"}]
    accounts = [{"upn": "anna@lab.example", "action": "created", "password": "hidden"}]
    result = run(people=PEOPLE, accounts=accounts, sync={"changed": True}, cloud=cloud, report_directory=str(tmp_path / "new"))
    assert (result["changed"], result["summary"]["arrived"]) == (False, 1)
    assert any("Anna Huber" in line and "2026-11-24T09:31:10Z" in line for line in lines)
    texts = [Path(name).read_text(encoding="utf-8-sig") for name in result["files"]]
    assert json.loads(texts[0])["summary"] == result["summary"]
    assert "Anna Huber" in texts[1] and "hidden" not in "".join(texts)
    assert not Path(result["files"][0]).stat().st_mode & 0o007


def test_stages_that_were_not_reached(lines: list[str]) -> None:
    result = run(people=PEOPLE)
    assert result["files"] == [] and result["people"][0]["account"] == "not reached"
    assert set(result) == {*yaml.safe_load(documented.RETURN), "changed"}


def test_check_mode_says_so(lines: list[str]) -> None:
    assert "prediction" in run(check_mode=True, people=PEOPLE)["msg"]


def test_a_directory_that_cannot_be_written(lines: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run(people=PEOPLE, report_directory=str(tmp_path / "file"))
    assert result["failed"] and result["failure_reason"] == "invalid_input"
    assert result["people"]


def test_options_are_those_of_the_documentation() -> None:
    options = yaml.safe_load(documented.DOCUMENTATION)["options"]
    assert {name: option.get("default") for name, option in options.items()} == {
        name: spec.get("default") for name, spec in action.ARGUMENT_SPEC.items()
    }
