# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""galaxy.yml and meta/runtime.yml, as far as no checker reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_ROOT = Path(__file__).resolve().parents[2]


def _read(name: str) -> Any:
    return yaml.safe_load((_ROOT / name).read_text(encoding="utf-8"))


def test_authors_are_short_enough_for_galaxy() -> None:
    assert all(len(author) <= 64 for author in _read("galaxy.yml")["authors"])


def test_nothing_that_git_ignores_is_built() -> None:
    ignored = {line.rstrip("/") for line in (_ROOT / ".gitignore").read_text().splitlines() if line.endswith("/")} - {"__pycache__"}
    built = ignored - set(_read("galaxy.yml")["build_ignore"])
    assert built == set()
    assert {".hypothesis", ".ansible", "reports"} <= set(_read("galaxy.yml")["build_ignore"])


def test_every_module_is_in_the_group_of_all_and_the_others_are_parts_of_it() -> None:
    groups = _read("meta/runtime.yml")["action_groups"]
    assert sorted(groups["all"]) == sorted(path.stem for path in (_ROOT / "plugins" / "modules").glob("*.py"))
    for name, members in groups.items():
        assert set(members) <= set(groups["all"]), name
