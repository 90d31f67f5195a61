# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""When the work of a module is done in the process of its task, and that it is the same work there."""

from __future__ import annotations

import os
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import procedures
import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._module_exit import ModuleLike, leave
from ansible_collections.hybrid.identity.plugins.plugin_utils._here import done_here, plain

SECRET = "Never-T0.be.seen"
SPEC: dict[str, Any] = {
    "password": {"type": "str", "no_log": True},
    "people": {"type": "list", "elements": "dict", "options": {"pin": {"type": "str", "no_log": True}}},
    "number": {"type": "int", "default": 3},
    "src": {"type": "path"},
    "csv": {"type": "str"},
}


def action(folder: Path, **changes: Any) -> Any:
    """An action plugin as far as it matters here: on the controller, with nothing special."""
    task = {"become": False, "async_val": 0, "delegate_to": None, "environment": [{}], "check_mode": False, "diff": True}
    names: dict[str, Any] = {name: changes.pop(name, value) for name, value in task.items()}
    return SimpleNamespace(
        _task=SimpleNamespace(**names),
        _connection=SimpleNamespace(transport=changes.pop("transport", "local")),
        _templar=SimpleNamespace(template=lambda value: value),
        _loader=SimpleNamespace(get_basedir=lambda: str(folder)),
    )


def tell(module: ModuleLike) -> None:
    """Work that tells everything that it has got."""
    module.warn(f"the password is {SECRET}")
    leave(
        module,
        lambda: {"changed": True, "params": dict(module.params), "where": os.getcwd(), "msg": f"told {SECRET}", "diff": {"after": 1}},
    )


VARS = {"ansible_python_interpreter": sys.executable}


def test_it_is_done_here_with_the_secrets_covered(tmp_path: Path) -> None:
    before = os.getcwd()
    arguments = {"password": SECRET, "people": [{"pin": "0815-pin"}], "number": "7", "src": "people.csv"}
    result = done_here(action(tmp_path), SPEC, tell, arguments, VARS)
    assert result is not None
    assert (result["changed"], result["params"]["number"], result["where"]) == (True, 7, str(tmp_path))
    assert SECRET not in str(result) and "0815-pin" not in str(result)
    assert result["invocation"]["module_args"]["password"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    assert result["warnings"] == ["the password is ********"]
    assert os.getcwd() == before


def test_a_failure_has_its_reason_and_no_diff_that_was_not_asked_for(tmp_path: Path) -> None:
    def refuse(module: ModuleLike) -> None:
        def raise_it() -> dict[str, Any]:
            raise HybridIdentityError("staging", "It is in staging mode.", diff={})

        leave(module, raise_it)

    result = done_here(action(tmp_path, diff=False), SPEC, refuse, {}, VARS)
    assert result is not None
    assert (result["failed"], result["failure_reason"], "diff" in result) == (True, "staging", False)


@pytest.mark.parametrize(
    "changes",
    [
        {"become": True},
        {"async_val": 60},
        {"delegate_to": "jump"},
        {"environment": [{"HTTPS_PROXY": "http://proxy"}]},
        {"transport": "ssh"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_elsewhere_it_is_the_module(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert done_here(action(tmp_path, **changes), SPEC, tell, {}, VARS) is None


@pytest.mark.parametrize("variables", [{}, {"ansible_python_interpreter": "/usr/bin/python3"}, {"ansible_python_interpreter": "auto"}])
def test_another_python_is_another_process(tmp_path: Path, variables: dict[str, Any]) -> None:
    assert done_here(action(tmp_path), SPEC, tell, {}, variables) is None


@pytest.mark.parametrize("arguments", [{"surprise": 1}, {"number": "many"}, {"src": "a", "csv": "b"}], ids=["unknown", "type", "exclusive"])
def test_what_is_wrong_with_the_arguments_is_said_by_the_module(tmp_path: Path, arguments: dict[str, Any]) -> None:
    assert done_here(action(tmp_path), SPEC, tell, arguments, VARS, exclusive=[("src", "csv")]) is None


def test_values_are_plain() -> None:
    class Tagged(str):
        pass

    class Encrypted:
        def __str__(self) -> str:
            return "opened"

    given = {Tagged("a"): [Tagged("x"), 1, True, None, 1.5], "when": date(2026, 11, 24), "vault": Encrypted()}
    made = plain(given)
    assert made == {"a": ["x", 1, True, None, 1.5], "when": "2026-11-24", "vault": "opened"}
    assert [type(key) for key in made] == [str, str, str] and type(made["a"][0]) is str


def test_the_result_is_the_same_wherever_the_work_is_done(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("upn;mail\nanna@lab.example;nonsense\nbo@lab.example;\n", encoding="utf-8")
    task = {"hybrid.identity.onboarding_batch": {"src": "people.csv", "verified_domains": ["lab.example"], "on_fault": "skip"}}
    inventory = {"all": {"hosts": {"localhost": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}}}
    here, there = procedures.task_results(tmp_path, inventory, "localhost", task, {**task, "environment": {"LANG": "C.UTF-8"}})
    assert [fault["column"] for fault in here["faults"]] == ["mail"]
    for result in (here, there):
        result.pop("invocation", None)
    assert here == there
