# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The action plugin of onboarding_check: puts together what was looked at, and says who goes on."""

from __future__ import annotations

import os
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._faults import Fault, from_result
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._paths import absolute
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._selection import Looks, Selection, select

ARGUMENT_SPEC: dict[str, Any] = {
    "batch": {"type": "dict", "required": True},
    "directory": {"type": "dict", "default": {}},
    "cloud": {"type": "dict", "default": {}},
    "sync": {"type": "dict", "default": {}},
    "on_fault": {"type": "str", "default": "stop", "choices": ["stop", "skip"]},
    "report_directory": {"type": "path"},
}


class ActionModule(ActionBase):
    """Runs on the controller; there is no module behind it."""

    _supports_check_mode = True
    _supports_async = False
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """See ActionBase.run."""
        super().run(tmp, task_vars)
        validation = ArgumentSpecValidator(ARGUMENT_SPEC).validate(dict(self._task.args))
        if validation.error_messages:
            raise AnsibleActionFail("; ".join(validation.error_messages))
        params = validation.validated_parameters
        batch = params["batch"]
        faults = [from_result(fault) for fault in batch.get("faults") or []]
        folder = str((task_vars or {}).get("playbook_dir") or "")
        if params["report_directory"]:
            faults += unwritable(absolute(params["report_directory"], folder))
        lookups = batch.get("lookups") or {}
        looks = Looks(
            people=batch.get("people") or [],
            accounts=lookups.get("accounts") or [],
            cloud=lookups.get("cloud") or [],
            faults=faults,
            seats=batch.get("seats") or {},
            directory=params["directory"],
            tenant=params["cloud"],
            sync=params["sync"],
        )
        return outcome(select(looks, params["on_fault"], bool(self._task.check_mode)))


def unwritable(folder: str) -> list[Fault]:
    """The fault of a report directory that cannot be written, found before anything else is."""
    there = folder
    while not os.path.lexists(there) and os.path.dirname(there) != there:
        there = os.path.dirname(there)
    if os.path.isdir(there) and os.access(there, os.W_OK | os.X_OK):
        return []
    why = "is not a directory" if os.path.exists(there) and not os.path.isdir(there) else "cannot be written"
    return [Fault("options", f"report_directory: {folder} cannot hold the report, because {there} {why}.", column="report_directory")]


def outcome(selection: Selection) -> dict[str, Any]:
    """The result of the task."""
    faults = [fault.as_result() for fault in selection.faults]
    result: dict[str, Any] = {
        "changed": False,
        "faults": faults,
        "people": selection.people,
        "accounts": selection.accounts,
        "cloud": selection.cloud,
        "run_accounts": selection.run_accounts,
        "run_sync": selection.run_sync,
        "run_cloud": selection.run_cloud,
        "failure_reason": None,
        "msg": f"{len(selection.accounts)} of {len(selection.people)} people go on.",
    }
    if selection.stopped_by:
        more = f" (And {len(faults) - 1} more, see faults.)" if len(faults) > 1 else ""
        nothing = " Nothing was written." if selection.stopped_by != "nobody" else " Nobody is left; nothing was written."
        first = faults[0]["msg"] if faults else "The table holds no people."
        result.update(failed=True, failure_reason=selection.reason, msg=first + more + nothing)
    return result
