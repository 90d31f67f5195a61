# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The action plugin of onboarding_report: a table on the screen and files on the controller."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._files import write_files
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._password_stage import PasswordLook
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._paths import absolute
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._report import as_csv, as_json, as_screen
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._run import describe_run
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._verdict import judge_people, summarise

display = Display()

#: callbacks that write standard output for people
_FOR_PEOPLE = ("default", "minimal", "oneline", "yaml", "debug", "dense", "selective", "unixy", "diy")

ARGUMENT_SPEC: dict[str, Any] = {
    "people": {"type": "list", "elements": "dict", "required": True},
    "accounts": {"type": "list", "elements": "dict", "default": []},
    "directory": {"type": "dict", "default": {}},
    "sync": {"type": "dict", "default": {}},
    "cloud": {"type": "list", "elements": "dict", "default": []},
    "faults": {"type": "list", "elements": "dict", "default": []},
    "failure": {"type": "dict", "default": {}},
    "passwords": {"type": "dict", "default": {}},
    "new_people": {"type": "list", "elements": "str", "default": []},
    "passwords_required": {"type": "bool", "default": False},
    "started_at": {"type": "str"},
    "report_directory": {"type": "path"},
    "csv_separator": {"type": "str", "default": ","},
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
        now = datetime.now(timezone.utc)
        accounts = params["accounts"] or params["directory"].get("accounts") or []
        passwords = PasswordLook(params["passwords"], params["new_people"], params["passwords_required"])
        verdicts = judge_people(params["people"], accounts, params["sync"], params["cloud"], check_mode, params["failure"], passwords)
        summary = summarise(verdicts)
        written_at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        run = describe_run(
            params["directory"],
            params["sync"],
            params["failure"],
            started_at=params["started_at"] or "",
            written_at=written_at,
            check_mode=check_mode,
        )
        report = {
            "written_at": written_at, "check_mode": check_mode, "run": run, "summary": summary, "faults": params["faults"], "people": verdicts,
        }  # fmt: skip
        # Where standard output is a document of a callback's own (json, AWX), a table in it would break it.
        beside = str(constants.config.get_config_value("DEFAULT_STDOUT_CALLBACK")).rsplit(".", 1)[-1] not in _FOR_PEOPLE
        for line in as_screen(report):
            display.display(line, stderr=beside)
        prediction = " (check mode: a prediction)" if check_mode else ""
        result: dict[str, Any] = {
            "changed": False,
            "run": run,
            "people": verdicts,
            "summary": summary,
            "files": [],
            "failure_reason": None,
            "msg": f"{summary['arrived']} of {summary['people']} people are ready in Entra ID{prediction}.",
        }
        if params["report_directory"]:
            folder = absolute(params["report_directory"], str((task_vars or {}).get("playbook_dir") or ""))
            try:
                if len(params["csv_separator"]) != 1 or params["csv_separator"] in '"\r\n':
                    raise HybridIdentityError(
                        "invalid_input", f"csv_separator {params['csv_separator']!r} is not one character for between cells."
                    )
                contents = {".json": as_json(report), ".csv": as_csv(verdicts, params["csv_separator"])}
                result["files"] = write_files(folder, f"onboarding-{now:%Y%m%dT%H%M%SZ}", contents)
                display.display(f"Report files: {', '.join(result['files'])}", stderr=beside)
            except HybridIdentityError as error:
                result.update(error.as_result())
        return result
