# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What tests know of PowerShell on this machine, and where coverage of the scripts is recorded."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable

import pytest

from lab.estate import Estate
from lab.powershell.runner import find_powershell

#: property of a test (record_property) that is printed at the end of a run: [title of the table, names of its columns, cells of a row]
TABLE_ROW = "table row"
MakeEstate = Callable[..., Estate]

#: for tests of decisions: what scripts and fakes answer is compared by test_scripts and test_script_corners, and tables run both
WITH_FAKES = pytest.mark.parametrize("scripts_with", ["fakes"], indirect=True)

POWERSHELL = find_powershell()
NO_POWERSHELL = "no PowerShell found: set HYBRID_IDENTITY_PWSH to an engine, or put pwsh on PATH"
_SHARED = "HYBRID_IDENTITY_COVERAGE"


def _coverage_folder() -> str:
    """A folder for the whole test run: the workers of pytest-xdist inherit the one of the process that started them."""
    if _SHARED not in os.environ:
        os.environ[_SHARED] = tempfile.mkdtemp(prefix="hybrid-identity-coverage-")
        atexit.register(shutil.rmtree, os.environ[_SHARED], ignore_errors=True)
    return os.environ[_SHARED]


COVERAGE = _coverage_folder()
