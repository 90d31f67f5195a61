# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Run profiles of the FIM family, the types of their steps, and the plans of the products.

The types and subtypes are those of <step-type> in Microsoft's run history and run profile XML.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StepKind:
    """The type of a run step; subtype is an import-subtype or an apply-rules-subtype."""

    type: str
    subtype: str = ""

    @property
    def imports(self) -> bool:
        """Whether the step reads from the connected system."""
        return self.type in ("delta-import", "full-import", "full-import-reevaluate-rules")

    @property
    def synchronises(self) -> bool:
        """Whether the step applies the rules: a step of its own, or an import that does not stop in the connector space."""
        return self.type == "apply-rules" or (self.imports and self.subtype != "to-cs")

    @property
    def exports(self) -> bool:
        """Whether the step writes to the connected system."""
        return self.type == "export"

    @property
    def full(self) -> bool:
        """Whether the step looks at everything."""
        return self.type.startswith("full-import") or self.subtype == "reevaluate-flow-connectors"


DELTA_IMPORT = StepKind("delta-import", "to-cs")
FULL_IMPORT = StepKind("full-import", "to-cs")
DELTA_SYNC = StepKind("apply-rules", "apply-pending")
FULL_SYNC = StepKind("apply-rules", "reevaluate-flow-connectors")
DELTA_IMPORT_DELTA_SYNC = StepKind("delta-import")
FULL_IMPORT_FULL_SYNC = StepKind("full-import-reevaluate-rules")
EXPORT = StepKind("export")


@dataclass(frozen=True)
class Phase:
    """One run of a cycle: on which connector, by which profile, of which steps; share is its part of the cycle's time."""

    directory: bool
    profile: str
    steps: tuple[StepKind, ...]
    share: float


# Delta import, delta sync, export on both connectors; `initial` with full imports and syncs (field article on the exe).
# The order is the one that Microsoft documents for the scheduler of 1.1; for 1.0 it is an assumption.
AZURE_DELTA = (
    Phase(True, "Delta Import", (DELTA_IMPORT,), 0.15),
    Phase(False, "Delta Import", (DELTA_IMPORT,), 0.15),
    Phase(True, "Delta Synchronization", (DELTA_SYNC,), 0.2),
    Phase(False, "Delta Synchronization", (DELTA_SYNC,), 0.1),
    Phase(False, "Export", (EXPORT,), 0.2),
    Phase(True, "Export", (EXPORT,), 0.1),
)
AZURE_FULL = (
    Phase(True, "Full Import", (FULL_IMPORT,), 0.15),
    Phase(False, "Full Import", (FULL_IMPORT,), 0.15),
    Phase(True, "Full Synchronization", (FULL_SYNC,), 0.2),
    Phase(False, "Full Synchronization", (FULL_SYNC,), 0.1),
    Phase(False, "Export", (EXPORT,), 0.2),
    Phase(True, "Export", (EXPORT,), 0.1),
)

# assumption: names and order of DirSync's run profiles; no source in reach lists them. DirSync writes back to AD in hybrid set-ups only.
DIRSYNC_DELTA = (
    Phase(False, "Delta Import Delta Sync", (DELTA_IMPORT_DELTA_SYNC,), 0.2),
    Phase(True, "Delta Import Delta Sync", (DELTA_IMPORT_DELTA_SYNC,), 0.3),
    Phase(False, "Export", (EXPORT,), 0.3),
    Phase(False, "Delta Confirming Import", (DELTA_IMPORT,), 0.1),
)
DIRSYNC_FULL = (
    Phase(False, "Full Import Full Sync", (FULL_IMPORT_FULL_SYNC,), 0.2),
    Phase(True, "Full Import Full Sync", (FULL_IMPORT_FULL_SYNC,), 0.3),
    Phase(False, "Export", (EXPORT,), 0.3),
    Phase(False, "Delta Confirming Import", (DELTA_IMPORT,), 0.1),
)

Plan = tuple[Phase, ...]


def kinds_of(profile: str) -> tuple[StepKind, ...]:
    """The steps of a profile of one of the products; empty when no product has it."""
    for plan in (AZURE_DELTA, AZURE_FULL, DIRSYNC_DELTA, DIRSYNC_FULL):
        for phase in plan:
            if phase.profile == profile:
                return phase.steps
    return ()
