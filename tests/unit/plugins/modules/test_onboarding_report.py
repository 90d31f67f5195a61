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
    cloud[0]["id"] = "1"
    result = run(people=PEOPLE, accounts=accounts, sync={"changed": True}, cloud=cloud, report_directory=str(tmp_path / "new"))
    assert (result["changed"], result["summary"]["arrived"]) == (False, 1)
    assert any("Anna Huber" in line and "2026-11-24T09:31:10Z" in line for line in lines)
    texts = [Path(name).read_text(encoding="utf-8-sig") for name in result["files"]]
    assert json.loads(texts[0])["summary"] == result["summary"]
    assert "Anna Huber" in texts[1] and "hidden" not in "".join(texts)
    assert not Path(result["files"][0]).stat().st_mode & 0o007
    assert json.loads(texts[0])["run"] == result["run"] and result["people"][0]["sync"] == "carried"


def test_two_reports_of_one_second_are_two_reports(lines: list[str], tmp_path: Path) -> None:
    names = [name for _time in range(5) for name in run(people=PEOPLE, report_directory=str(tmp_path))["files"]]
    assert len(set(names)) == 10 == len(list(tmp_path.iterdir()))


def test_the_separator_is_a_matter_of_taste(lines: list[str], tmp_path: Path) -> None:
    files = run(people=PEOPLE, report_directory=str(tmp_path), csv_separator=";")["files"]
    assert '"Anna Huber";"anna@lab.example"' in Path(files[1]).read_text(encoding="utf-8-sig")
    assert run(people=PEOPLE, report_directory=str(tmp_path), csv_separator=";;")["failure_reason"] == "invalid_input"


def test_what_ended_the_run_is_told(lines: list[str], tmp_path: Path) -> None:
    failure = {"stage": "Look at the sync server", "failure_reason": "staging", "msg": "It is staging."}
    result = run(
        people=PEOPLE, failure=failure, faults=[{"row": None, "msg": "It is staging.", "stage": "sync"}], report_directory=str(tmp_path)
    )
    assert result["run"]["failed_stage"] == "Look at the sync server" and result["run"]["failure_reason"] == "staging"
    assert result["people"][0]["failure_reason"] == "staging"
    told = json.loads(Path(result["files"][0]).read_text(encoding="utf-8"))
    assert told["run"]["failure"] == "It is staging." and told["faults"][0]["stage"] == "sync"
    assert any("Ended at: Look at the sync server: staging" in line for line in lines)


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


@pytest.mark.parametrize(("callback", "beside"), [("default", False), ("ansible.builtin.minimal", False), ("ansible.posix.json", True)])
def test_the_table_does_not_break_a_document_on_standard_output(callback: str, beside: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[bool] = []
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", callback)
    monkeypatch.setattr(action.display, "display", lambda line, *rest, stderr=False, **options: shown.append(stderr))
    run(people=PEOPLE)
    assert shown and set(shown) == {beside}
