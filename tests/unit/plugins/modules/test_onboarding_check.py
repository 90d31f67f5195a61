# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The action plugin onboarding_check, without Ansible around it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

from ansible_collections.hybrid.identity.plugins.action import onboarding_check as action
from ansible_collections.hybrid.identity.plugins.modules import onboarding_check as documented

BATCH = {
    "people": [{"row": 2, "place": "row 2", "upn": "a@x.example", "display_name": "A", "defaulted": []}],
    "lookups": {"accounts": [{"upn": "a@x.example"}], "cloud": [{"upn": "a@x.example", "usage_location": "", "licenses": []}]},
    "faults": [],
    "seats": {},
}
FAULT = {"row": 2, "upn": "a@x.example", "column": "mail", "stage": "table", "msg": "row 2: x.", "failure_reason": "invalid_input"}


def run(check_mode: bool = False, **arguments: Any) -> dict[str, Any]:
    """Run the plugin for a task with these arguments."""
    task = SimpleNamespace(args={"batch": BATCH, **arguments}, check_mode=check_mode, async_val=0, diff=False)
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=""))
    plugin = action.ActionModule(task, connection, SimpleNamespace(check_mode=check_mode), None, None, None)
    return plugin.run(task_vars={})


def test_everybody_goes_on() -> None:
    result = run()
    assert [item["upn"] for item in result["accounts"]] == ["a@x.example"]
    assert set(result) == {*yaml.safe_load(documented.RETURN), "changed"}
    assert run(check_mode=True)["run_accounts"] is False


def test_a_fault_stops_and_is_told() -> None:
    result = run(batch={**BATCH, "faults": [FAULT]})
    assert result["failed"] and result["failure_reason"] == "invalid_input"
    assert result["faults"] == [FAULT] and result["msg"] == "row 2: x. Nothing was written."
    left = run(batch={**BATCH, "faults": [FAULT]}, on_fault="skip")
    assert left["failed"] and "Nobody is left" in left["msg"]


def test_a_report_that_could_not_be_written_is_found_before_anything_is(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run(report_directory=str(tmp_path / "file" / "reports"), on_fault="skip")
    (fault,) = result["faults"]
    assert result["failed"] and fault["stage"] == "options" and "is not a directory" in fault["msg"]
    assert not run(report_directory=str(tmp_path / "new" / "reports")).get("failed")
    assert not (tmp_path / "new").exists(), "looking makes nothing"


def test_options_are_those_of_the_documentation() -> None:
    options = yaml.safe_load(documented.DOCUMENTATION)["options"]
    assert {name: option.get("default") for name, option in options.items()} == {
        name: spec.get("default") for name, spec in action.ARGUMENT_SPEC.items()
    }
