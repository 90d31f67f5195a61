# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What a version that the cloud refuses makes of the end of a task. Pure; private to the collection.

A calendar keeps nobody's synchronisation from running. But where the cloud is known to refuse a version, that a cycle came to
its end says nothing: only the result of its export does.
"""

from __future__ import annotations

from dataclasses import replace

from ._actions import Action, Stop
from ._case import Case
from ._observed import Observed
from ._run_results import severity

#: events by which the engines tell that an export to the cloud has ended (DirSync: 4)
_EXPORT_EVENTS = ("Directory Synchronization/4", "Directory Synchronization/114")
#: causes of a failure at the cloud connector that stand for themselves
_OWN_CAUSES = ("cloud_sign_in_blocked", "connector_credentials", "deletion_threshold")
#: failures of a cycle that may have come from the refusal
_OPEN_CAUSES = ("cycle_failed", "connector_unreachable")


def retired(seen: Observed) -> tuple[str, ...]:
    """The one warning of a version that the cloud refuses."""
    return (seen.probe.support_note,) if seen.probe.support == "refused" else ()


def judged_by_support(case: Case, action: Action) -> Action:
    """An action as it is, or the end of a task in the light of the refusal."""
    if not isinstance(action, Stop) or case.seen.probe.support != "refused":
        return action
    if action.reason is None:
        return action if not _needs_export(case) or _exported(case) else _not_shown(case, action)
    at_a_directory = case.proof.cycle is not None and not _failed_at_the_cloud(case)
    if action.reason in _OWN_CAUSES and not at_a_directory:
        return replace(action, sentence=f"{action.sentence} {case.seen.probe.support_note}")
    if action.reason in _OPEN_CAUSES and _failed_at_the_cloud(case):
        return Stop(
            f"{action.sentence} {case.seen.probe.support_note}", "engine_unsupported", changed=action.changed, warnings=action.warnings
        )
    return action


def _needs_export(case: Case) -> bool:
    """Success of a cycle that was followed to its end, and that has to export."""
    return case.requested and case.desired.wait and not case.seen.state.staging


def _exported(case: Case) -> bool:
    """Whether the export of this cycle is known to have ended: by its run, or by its event."""
    cycle, history, request = case.proof.cycle, case.seen.history, case.seen.request
    if cycle is not None and any(run.does("export") and not run.on_directory and severity(run.result) != "stopped" for run in cycle.runs):
        return True
    if history is None or history.events is None or request is None:
        return False
    return any(history.events.last[event] >= request.at for event in _EXPORT_EVENTS if event in history.events.last)


def _not_shown(case: Case, action: Stop) -> Stop:
    words = "Nothing shows that the cloud took what this cycle exported, and the version is one that it refuses"
    return replace(action, sentence=f"{action.sentence} {words}.", reason="not_confirmed")


def _failed_at_the_cloud(case: Case) -> bool:
    cycle = case.proof.cycle
    return cycle is not None and any(severity(run.result) == "stopped" and not run.on_directory for run in cycle.runs)
