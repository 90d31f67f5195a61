# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The action plugin of onboarding_report: a table on the screen and files on the controller."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import Any, Mapping

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._report import as_csv, as_json, as_screen
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._verdict import judge_people, summarise

display = Display()

ARGUMENT_SPEC: dict[str, Any] = {
    "people": {"type": "list", "elements": "dict", "required": True},
    "accounts": {"type": "list", "elements": "dict", "default": []},
    "sync": {"type": "dict", "default": {}},
    "cloud": {"type": "list", "elements": "dict", "default": []},
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
        check_mode = bool(self._task.check_mode)
        verdicts = judge_people(params["people"], params["accounts"], params["sync"], params["cloud"], check_mode)
        summary = summarise(verdicts)
        for line in as_screen(verdicts):
            display.display(line)
        prediction = " (check mode: a prediction)" if check_mode else ""
        result: dict[str, Any] = {
            "changed": False,
            "people": verdicts,
            "summary": summary,
            "files": [],
            "failure_reason": None,
            "msg": f"{summary['arrived']} of {summary['people']} people are ready in Entra ID{prediction}.",
        }
        if params["report_directory"]:
            now = datetime.now(timezone.utc)
            report = {"written_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"), "check_mode": check_mode, "summary": summary, "people": verdicts}
            try:
                result["files"] = write_files(params["report_directory"], f"onboarding-{now:%Y%m%dT%H%M%SZ}", report)
            except HybridIdentityError as error:
                result.update(error.as_result())
        return result


def write_files(directory: str, stem: str, report: Mapping[str, Any]) -> list[str]:
    """Write the JSON and the CSV file, readable for the owner and the group only. Raises HybridIdentityError."""
    contents = {".json": as_json(report), ".csv": as_csv(report["people"])}
    written = []
    try:
        os.makedirs(directory, exist_ok=True)
        for suffix, text in contents.items():
            path = os.path.join(directory, stem + suffix)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
            with open(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            written.append(path)
    except OSError as error:
        raise HybridIdentityError("invalid_input", f"The report cannot be written to {directory}: {error.strerror}.") from None
    return written
