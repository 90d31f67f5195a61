# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Counters and object errors of a run, as every engine of the FIM family writes them. Private to the collection."""

from __future__ import annotations

from typing import Iterable
from xml.parsers import expat

from .._printable import printable

# Counter names of a step result -> our words. A rename is an update of the object, a delete-add is both.
_IMPORT_COUNTERS: dict[str, tuple[str, ...]] = {
    "StageAdd": ("add",),
    "StageUpdate": ("update",),
    "StageRename": ("update",),
    "StageDelete": ("delete",),
    "StageDeleteAdd": ("delete", "add"),
    "StageFailure": ("failed",),
}
_EXPORT_COUNTERS: dict[str, tuple[str, ...]] = {
    "ExportAdd": ("add",),
    "ExportUpdate": ("update",),
    "ExportRename": ("update",),
    "ExportDelete": ("delete",),
    "ExportDeleteAdd": ("delete", "add"),
    "ExportFailure": ("failed",),
}
_SYNCHRONIZATION_COUNTERS: dict[str, tuple[str, ...]] = {"FlowFailure": ("failed",)}
_COUNTERS: dict[str, dict[str, tuple[str, ...]]] = {
    "import": _IMPORT_COUNTERS,
    "export": _EXPORT_COUNTERS,
    "synchronization": _SYNCHRONIZATION_COUNTERS,
}


#: elements inside a faulty object -> what they say of it
_WORDS = {"error-type": "type", "error-literal": "message", "error-message": "message", "cd-error": "message"}
#: an object whose name is an element inside it, and no attribute (errors of an import)
_NAMED_INSIDE = "ma-object-error"


def step_counts(steps: Iterable[dict[str, int]], kinds: Iterable[str]) -> dict[str, int]:
    """The counters of all steps of a run, summed: add, update, delete, failed; all four keys, always.

    Args:
        steps: counters by name, as the module has them (StageAdd) or as the run history's XML has them (stage-add).
        kinds: what the run does.
    """
    wanted = {counter: words for kind in kinds for counter, words in _COUNTERS.get(kind, {}).items()}
    counts = {"add": 0, "update": 0, "delete": 0, "failed": 0}
    for step in steps:
        for counter, number in step.items():
            for word in wanted.get("".join(part[:1].upper() + part[1:] for part in counter.split("-")), ()):
                counts[word] += int(number or 0)
    return counts


#: results are not logs: so many objects, and so much of the engine's list is read
_MOST_OBJECTS = 50
_MOST_CHARACTERS = 1_000_000


def object_errors(text: str) -> list[dict[str, str]]:
    """The objects that a step names as faulty.

    Args:
        text: the XML of SyncErrors or ConnectorDiscoveryErrors: elements with a `dn` attribute and, inside, `error-type`
            and often `error-literal` (schema: RunHistory.xsd of the FIM family). Anything else yields what can be read.

    Returns:
        [{dn, type, message}], at most 50 of them.
    """
    if not text.strip():
        return []
    reader = _ErrorReader()
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = reader.start, reader.end, reader.data
    # A document type could define entities that unfold without end; the engine's lists have none.
    parser.StartDoctypeDeclHandler = reader.refuse
    try:
        parser.Parse(text[:_MOST_CHARACTERS], True)
    except (expat.ExpatError, _Enough, ValueError):
        if not reader.found and not reader.full:
            return [{"dn": "", "type": "unreadable", "message": "The engine's error list could not be read."}]
    return reader.found


class _Enough(Exception):
    """Nothing more is wanted of the list."""


class _ErrorReader:
    """Reads the list in one pass: the words inside an element belong to the innermost object around them."""

    def __init__(self) -> None:
        self.found: list[dict[str, str]] = []
        self.full = False
        self._open: list[dict[str, str] | None] = []
        self._word: str | None = None
        self._characters: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rsplit(":", 1)[-1]
        self._word, self._characters = (_WORDS.get(name)), []
        if name == "dn":
            self._word = "dn"
        if "dn" not in attributes and name != _NAMED_INSIDE:
            self._open.append(None)
            return
        if len(self.found) >= _MOST_OBJECTS:
            self.full = True
            raise _Enough
        item = {"dn": printable(attributes.get("dn", ""), 1000), "type": attributes.get("error-type") or name, "message": ""}
        self.found.append(item)
        self._open.append(item)

    def data(self, characters: str) -> None:
        if self._word and len(self._characters) < 100:
            self._characters.append(characters)

    def end(self, _name: str) -> None:
        item = next((one for one in reversed(self._open[-20:]) if one is not None), None)
        if self._word and item is not None:
            words = printable("".join(self._characters), 1000 if self._word == "dn" else 300)
            if self._word == "message":
                words = f"{item['message']} {words}".strip()[:300]
            if words and not (self._word == "dn" and item["dn"]):
                item[self._word] = words
        self._word = None
        self._open.pop()

    @staticmethod
    def refuse(*_arguments: object) -> None:
        raise _Enough
