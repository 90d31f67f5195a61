# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What the tests share: estates, with PowerShell and with fakes, and the closing words on both."""

from __future__ import annotations

import collections
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import connections
import pytest
from estates import COVERAGE, NO_POWERSHELL, POWERSHELL, TABLE_ROW, MakeEstate

from lab.estate import Estate, EstateOptions
from lab.powershell.runner import share

_RAN_WITH = "scripts_with"
_ran: collections.Counter[str] = collections.Counter()
_tables: dict[str, list[list[str]]] = {}


@pytest.fixture(scope="session", params=["fakes", "powershell"])
def scripts_with(request: pytest.FixtureRequest) -> str:
    """Every test that asks for it runs twice: with the fakes, and with the shipped scripts in PowerShell."""
    if request.param == "powershell" and POWERSHELL is None:
        pytest.skip(NO_POWERSHELL)
    return str(request.param)


@pytest.fixture(scope="session")
def powershell() -> str:
    """The path of a PowerShell engine; the test is skipped where there is none."""
    if POWERSHELL is None:
        pytest.skip(NO_POWERSHELL)
    return POWERSHELL


@pytest.fixture
def make_estate(scripts_with: str) -> Iterator[MakeEstate]:
    """Starts estates (without directory and tenant, unless asked for) and stops them after the test."""
    estates: list[Estate] = []

    def make(**options: Any) -> Estate:
        defaults: dict[str, Any] = {"directory": False, "tenant": False, "cycle_seconds": 0.6, "coverage": COVERAGE}
        chosen = EstateOptions(powershell=POWERSHELL or "" if scripts_with == "powershell" else "none", **{**defaults, **options})
        estate = Estate(chosen)
        estate.start()
        estates.append(estate)
        return estate

    yield make
    for estate in estates:
        failures = estate.wsman.log.failures
        estate.stop()
        assert failures == []


def pytest_configure(config: pytest.Config) -> None:
    """The process that starts the workers keeps one PowerShell warm for all of them."""
    if POWERSHELL and getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        share(POWERSHELL)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note with what a test runs: the note travels with its report from a worker to the process that counts."""
    fixtures = getattr(item, "fixturenames", ())
    if "scripts_with" in fixtures:
        item.user_properties.append((_RAN_WITH, item.callspec.params["scripts_with"]))  # type: ignore[attr-defined]
    elif "powershell" in fixtures:
        item.user_properties.append((_RAN_WITH, "powershell"))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count what ran with what, and keep the rows of tables; a skipped test has not run."""
    if report.when != "call" or report.skipped:
        return
    for name, value in report.user_properties:
        if name == _RAN_WITH:
            _ran[str(value)] += 1
        elif name == TABLE_ROW:
            title, columns, cells = cast("tuple[str, list[str], list[str]]", value)
            _tables.setdefault(title, [columns]).append(cells)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many tests ran with PowerShell and how many with fakes, and why; and which statements of the scripts ran."""
    write = terminalreporter.write_line
    for line in connections.table(terminalreporter.stats):
        write(line)
    why = f"engine: {POWERSHELL}" if POWERSHELL else NO_POWERSHELL
    write(f"scripts: {_ran['powershell']} tests ran them in PowerShell, {_ran['fakes']} ran their Python fakes ({why})")
    for title, rows in _tables.items():
        write(title)
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for row in [rows[0], *sorted(rows[1:])]:
            write("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    measure = Path(POWERSHELL).with_name("pwsh-coverage") if POWERSHELL else None
    if measure is None or not measure.exists() or not _ran["powershell"]:
        return
    from shipped_scripts import write_scripts

    with tempfile.TemporaryDirectory() as folder:
        files = write_scripts(Path(folder))
        done = subprocess.run([measure, COVERAGE, *files], capture_output=True, text=True, check=False)
        for line in done.stdout.splitlines():
            write("statement coverage: " + line.replace(folder + "/", ""))
