# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What tests know of PowerShell on this machine, and where coverage of the scripts is recorded."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable

from lab.estate import Estate
from lab.powershell.runner import find_powershell

#: tables that tests print at the end of a run: title -> rows, each a list of cells
TABLES: dict[str, list[list[str]]] = {}
MakeEstate = Callable[..., Estate]

POWERSHELL = find_powershell()
NO_POWERSHELL = "no PowerShell found: set HYBRID_IDENTITY_PWSH to an engine, or put pwsh on PATH"
COVERAGE = tempfile.mkdtemp(prefix="hybrid-identity-coverage-")
atexit.register(shutil.rmtree, COVERAGE, ignore_errors=True)
