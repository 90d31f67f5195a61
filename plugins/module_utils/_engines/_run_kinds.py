# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What a run does, by the types of its steps, else by the words of its profile. Pure; private to the collection.

The types are those of <step-type> in the run history of the FIM family; an import that does not stop in the connector space
(subtype to-cs) is synchronised in the same step. Names of profiles are the product's own and are not translated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Iterable, Sequence

from ._contract import Run

_WORDS = (("Import", "import"), ("Sync", "synchronization"), ("Export", "export"))


@dataclass(frozen=True)
class Kinds:
    """The kinds of a run's steps in their order, `other` where nothing tells; full: every one of them looks at everything."""

    kinds: tuple[str, ...]
    full: bool


def kinds_of(types: Sequence[tuple[str, str]], profile: str) -> Kinds:
    """The kinds of a run.

    Args:
        types: (type, subtype) of its steps in their order; empty texts where the history does not tell.
        profile: the name of its run profile.
    """
    found: list[tuple[str, bool]] = []
    for step in types:
        found += _of_step(*step)
    if not found or not all(type_name for type_name, _subtype in types):
        found = [(kind, profile.startswith("Full")) for word, kind in _WORDS if word in profile]
    kinds = tuple(dict.fromkeys(kind for kind, _full in found)) or ("other",)
    return Kinds(kinds, bool(found) and all(full for kind, full in found if kind != "export") and kinds != ("export",))


def _of_step(type_name: str, subtype: str) -> list[tuple[str, bool]]:
    if type_name == "export":
        return [("export", False)]
    if type_name == "apply-rules":
        return [("synchronization", subtype == "reevaluate-flow-connectors")]
    if type_name == "full-import-reevaluate-rules":
        return [("import", True), ("synchronization", True)]
    if type_name in ("delta-import", "full-import"):
        reads = ("import", type_name == "full-import")
        return [reads] if subtype in ("to-cs", "to-file") else [reads, ("synchronization", False)]
    return []


def with_confirmations(runs: Iterable[Run]) -> tuple[Run, ...]:
    """Runs whose imports from the cloud right after an export to it are what they are: they read back what was exported, and begin no cycle."""
    marked: list[Run] = []
    before: Run | None = None
    for run in sorted(runs, key=lambda one: (one.started, one.number)):
        reads_back = (
            before is not None
            and before.does("export")
            and before.connector_id == run.connector_id
            and not run.on_directory
            and (run.kind, run.also) == ("import", ())
        )
        marked.append(replace(run, kind="confirmation") if reads_back else run)
        before = run
    return tuple(marked)
