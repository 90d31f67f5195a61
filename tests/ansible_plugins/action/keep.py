# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""`keep`: writes a value into a file of the controller as JSON, for a test to read; in check mode too, and without a process of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """path: of the file. value: what is written; text is taken for JSON already."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """See ActionBase.run."""
        super().run(tmp, task_vars)
        value = self._task.args["value"]
        Path(str(self._task.args["path"])).write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
        return {"changed": False}
