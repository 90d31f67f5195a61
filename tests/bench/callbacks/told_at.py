# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""A callback plugin that writes down when each task of each host ended: one JSON line, for `make bench`."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    """Writes to the file that BENCH_TOLD_AT names."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "told_at"

    def _write(self, result: Any, well: bool) -> None:
        line = {"host": result._host.get_name(), "task": result._task.get_name(), "at": time.time(), "ok": well}
        with open(os.environ["BENCH_TOLD_AT"], "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def v2_runner_on_ok(self, result: Any) -> None:
        """A task went well."""
        self._write(result, True)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """A task failed."""
        self._write(result, False)
