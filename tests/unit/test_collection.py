# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The collection as a whole: its metadata, its documentation, its house rules."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))


def _module(name: str) -> Any:
    return importlib.import_module(f"ansible_collections.hybrid.identity.plugins.modules.{name}")


def test_action_group_is_all_modules() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())
    assert runtime["action_groups"]["all"] == MODULES
    assert runtime["requires_ansible"] == ">=2.16.0"


def test_requirements_agree() -> None:
    def wanted(path: str) -> set[str]:
        return {line for line in (ROOT / path).read_text().splitlines() if line and not line.startswith("#")}

    assert wanted("requirements.txt") == wanted("meta/ee-requirements.txt")
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    for before, line in zip(lines, lines[1:], strict=False):
        assert line.startswith("#") or before.startswith("# "), f"{line} is not justified"


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_tasks_that_ansible_understands(name: str, tmp_path: Path) -> None:
    tasks = yaml.safe_load(_module(name).EXAMPLES)
    assert tasks
    for task in tasks:
        assert task["name"]
        assert any("." in key for key in task), "modules are named in full"
    playbook = tmp_path / "examples.yml"
    playbook.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    program = Path(sys.executable).with_name("ansible-playbook")
    view = next(entry for entry in sys.path if (Path(entry) / "ansible_collections" / "hybrid").is_dir())
    environment = {"ANSIBLE_COLLECTIONS_PATH": str(Path(view).resolve()), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    done = subprocess.run(
        [program, "--syntax-check", "-i", "localhost,", playbook], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", MODULES)
def test_documentation_says_what_is_expected(name: str) -> None:
    document = yaml.safe_load(_module(name).DOCUMENTATION)
    assert document["module"] == name
    assert document["version_added"] == "0.1.0"
    assert "hybrid.identity.attributes" in document["extends_documentation_fragment"]
    assert "check_mode" in document["attributes"]
    returned = yaml.safe_load(_module(name).RETURN)
    assert {"failure_reason", "msg"} <= set(returned)
    for key, value in returned.items():
        assert value["description"], key
        assert value["type"], key


def test_failure_reasons_used_are_failure_reasons_documented() -> None:
    from ansible_collections.hybrid.identity.plugins.module_utils._failure import REMEDIES, HybridIdentityError

    used = set()
    for path in (ROOT / "plugins").rglob("*.py"):
        used |= set(re.findall(r"(?:HybridIdentityError|GraphFailure)\(\s*\"([a-z_]+)\"", path.read_text()))
    assert used <= set(REMEDIES)
    with pytest.raises(ValueError, match="unknown failure reason"):
        raise HybridIdentityError("weather", "It rains.")


@pytest.mark.parametrize(("tool", "page"), [("troubleshooting_guide", "guide_troubleshooting"), ("decision_table", "guide_decisions")])
def test_written_pages_are_up_to_date(tool: str, page: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, 'tools'); import {tool} as t; print(t.guide(), end='')"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == (ROOT / "docs" / "docsite" / "rst" / f"{page}.rst").read_text()


# -- the house

_ORDER = ("modules", "action", "plugin_utils")
_LAYERS = {"_remote": 0, "_engines": 1}


def _imports(path: Path) -> set[Path]:
    """Files of plugins/ that a file of plugins/ imports while it is loaded."""
    found = set()
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            base = path.parents[node.level - 1]
            parts = (node.module or "").split(".") if node.module else []
        elif (node.module or "").startswith("ansible_collections.hybrid.identity."):
            base, parts = ROOT, node.module.split(".")[3:]
        else:
            continue
        target = base.joinpath(*parts)
        for candidate in [target.with_suffix(".py"), target / "__init__.py", *(target / f"{name.name}.py" for name in node.names)]:
            if candidate.exists():
                found.add(candidate.resolve())
    return found


def _graph() -> dict[Path, set[Path]]:
    return {path.resolve(): _imports(path.resolve()) for path in (ROOT / "plugins").rglob("*.py")}


def test_no_circle() -> None:
    graph = _graph()
    state: dict[Path, int] = {}

    def visit(path: Path, trail: list[Path]) -> None:
        if state.get(path) == 2:
            return
        assert state.get(path) != 1, " -> ".join(one.name for one in [*trail, path])
        state[path] = 1
        for target in graph.get(path, ()):
            if target != path:
                visit(target, [*trail, path])
        state[path] = 2

    for path in graph:
        visit(path, [])


def test_arrows_go_one_way() -> None:
    for path, targets in _graph().items():
        room = path.relative_to(ROOT / "plugins").parts
        for target in targets:
            to = target.relative_to(ROOT / "plugins").parts
            if room[0] == "module_utils":
                assert to[0] == "module_utils", f"{room} -> {to}"
            if "_remote" in room:
                assert "_engines" not in to, f"a transport knows an engine: {room} -> {to}"
            if "_engines" in room:
                assert to[-1] not in ("_winrm.py", "_connection.py"), f"an engine knows a transport: {room} -> {to}"


def test_no_file_is_a_hall() -> None:
    for path in [*(ROOT / "plugins").rglob("*.py"), *(ROOT / "tests" / "lab").rglob("*.py")]:
        tree = ast.parse(path.read_text())
        constants = sum(
            (node.end_lineno or 0) - node.lineno
            for node in tree.body
            if isinstance(node, (ast.Assign, ast.AnnAssign, ast.Expr)) and isinstance(node.value, (ast.Constant, ast.BinOp))
        )
        code = [line for line in path.read_text().splitlines() if line.strip() and not line.strip().startswith("#")]
        assert len(code) - constants <= 320, f"{path.relative_to(ROOT)} has {len(code) - constants} lines of code"
