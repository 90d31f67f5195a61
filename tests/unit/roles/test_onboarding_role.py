# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The role onboarding as files: its variables are documented, and its tasks can be reached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._columns import ALIASES, plain

ROOT = Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles" / "onboarding"


def load(path: str) -> Any:
    """A YAML file of the role."""
    return yaml.safe_load((ROLE / path).read_text(encoding="utf-8"))


def tasks() -> list[dict[str, Any]]:
    """All tasks, those of blocks too."""
    found: list[dict[str, Any]] = []

    def take(items: list[dict[str, Any]]) -> None:
        for item in items:
            found.append(item)
            for part in ("block", "rescue", "always"):
                take(item.get(part, []))

    for file in sorted((ROLE / "tasks").glob("*.yml")):
        take(yaml.safe_load(file.read_text(encoding="utf-8")))
    return found


def test_every_variable_is_documented_and_has_a_default() -> None:
    options = load("meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    assert set(load("defaults/main.yml")) == set(options)
    readme = (ROLE / "README.md").read_text(encoding="utf-8")
    assert [name for name in options if f"| `{name}` |" not in readme] == []
    for name, option in options.items():
        assert option["description"], name
        assert not option.get("choices") or "" in option["choices"], f"{name} cannot be left unanswered in a survey"


def test_every_variable_is_used() -> None:
    text = "".join(file.read_text(encoding="utf-8") for folder in ("tasks", "vars") for file in (ROLE / folder).glob("*.yml"))
    assert [name for name in load("defaults/main.yml") if name not in text] == []


def test_tasks_are_imported_so_that_tags_reach_them() -> None:
    assert not [task for task in tasks() if any("include" in key for key in task)]
    assert all(task["tags"] == ["onboarding"] for task in load("tasks/main.yml"))


def test_what_is_handed_on_is_no_variable_of_the_role() -> None:
    """A workflow passes it to the next job as extra variables, which nothing overrides."""
    (stats,) = [task["ansible.builtin.set_stats"]["data"] for task in tasks() if "ansible.builtin.set_stats" in task]
    assert not set(stats) & set(load("defaults/main.yml"))
    readme = (ROLE / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in readme for name in stats)


def test_the_guide_names_no_header_that_is_not_understood() -> None:
    guide = (ROOT / "docs" / "docsite" / "rst" / "guide_onboarding.rst").read_text(encoding="utf-8")
    rows = guide[guide.index("     - other names that are understood") :]
    for column, aliases in ALIASES.items():
        cells = rows[rows.index(f"* - ``{column}``") :].split("\n   * - ``")[0]
        told = {plain(name) for name in cells.split("\n     - ")[2].split("\n\n")[0].split(",")}
        known = {plain(alias) for alias in aliases}
        assert told - {""} <= known | {""}, f"{column}: the guide names {told - known}"
