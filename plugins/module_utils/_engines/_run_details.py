# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Counters and object errors of a run, as every engine of the FIM family writes them. Private to the collection."""

from __future__ import annotations

from typing import Iterable
from xml.etree import ElementTree

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


def step_counts(steps: Iterable[dict[str, int]], kind: str) -> dict[str, int]:
    """The counters of all steps of a run, summed: add, update, delete, failed; all four keys, always."""
    counts = {"add": 0, "update": 0, "delete": 0, "failed": 0}
    for step in steps:
        for counter, words in _COUNTERS.get(kind, {}).items():
            for word in words:
                counts[word] += int(step.get(counter) or 0)
    return counts


def object_errors(text: str) -> list[dict[str, str]]:
    """The objects that a step names as faulty.

    Args:
        text: the XML of SyncErrors or ConnectorDiscoveryErrors: elements with a `dn` attribute and, inside, `error-type`
            and often `error-literal` (schema: RunHistory.xsd of the FIM family). Anything else yields what can be read.

    Returns:
        [{dn, type, message}], at most 50 of them: results are not logs.
    """
    if not text.strip():
        return []
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return [{"dn": "", "type": "unreadable", "message": "The engine's error list could not be read."}]
    found = []
    for element in root.iter():
        dn = element.get("dn")
        if dn is None:
            continue
        kinds = [node.text or "" for node in element.iter() if _local(node.tag) == "error-type"]
        words = [node.text or "" for node in element.iter() if _local(node.tag) in ("error-literal", "error-message", "cd-error")]
        found.append(
            {
                "dn": dn,
                "type": (kinds[0] if kinds else element.get("error-type") or _local(element.tag)).strip(),
                "message": " ".join(word.strip() for word in words if word.strip())[:300],
            }
        )
    return found[:50]


def _local(tag: str) -> str:
    return tag.rsplit("}", 1)[-1]
