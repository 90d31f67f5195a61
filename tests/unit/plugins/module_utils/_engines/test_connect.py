# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""How the connect engine reads the answer of its probe; the scripts themselves run in tests/integration."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._engines._contract import Probe
from ansible_collections.hybrid.identity.plugins.module_utils._engines._retirement import retirement, retirement_of_dirsync, version_numbers
from ansible_collections.hybrid.identity.plugins.module_utils._engines.connect import ConnectEngine
from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import Answer
from ansible_collections.hybrid.identity.plugins.module_utils._remote._clock import ClockLead

RUNNING, STOPPED = 4, 1


def probe(bits: int = 64, lead: float = 0.0, took: float = 0.0, way: float = 0.0, **changes: Any) -> Probe:
    """The probe of a server without a readable scheduler whose answer has just come in.

    Args:
        bits: of the remote process. lead: seconds that its clock is ahead. took, way: seconds of the script and of everything else.
        changes: to the data of the script.
    """
    version = changes.pop("version", "2.6.92.0")
    survey = {
        "services": changes.pop("services", {"ADSync": RUNNING}),
        "wizard": bool(version),
        "wizard_version": version or None,
        "bin_folder": "C:\\Program Files\\Microsoft Azure AD Sync\\Bin",
        "engine_version": None,
        "exe": False,
        "dirsync": [],
    }
    data = {"survey": survey, "problems": {}, "connectors": [], "state": None, "history": None, **changes}
    clock = datetime.now(timezone.utc) + timedelta(seconds=lead)
    asked = datetime.now(timezone.utc).timestamp() - took - way

    class Shell:
        def call(self, *_arguments: Any, shape: Any, **_options: Any) -> Answer:
            told = ClockLead.measured(clock.timestamp(), asked, asked + took + way, took)
            return Answer(shape(data, "the answer"), clock, told, bits)

    return ConnectEngine().probe(Shell(), history_seconds=60)  # type: ignore[arg-type]


def error(name: str, hresult: int = -2146233088) -> dict[str, Any]:
    """An error object as the envelope makes it."""
    return {
        "type": name,
        "hresult": hresult,
        "causes": [{"type": name, "hresult": hresult}],
        "message": "Worte",
        "error_id": "",
        "category": "",
        "script_stack": "",
    }


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"bits": 32}, "module_missing"),
        ({"services": {"ADSync": STOPPED}}, "service_stopped"),
        ({"problems": {"module": error("System.IO.FileNotFoundException")}}, "module_missing"),
        ({"problems": {"module": error("System.ServiceModel.EndpointNotFoundException")}}, "engine_error"),
        ({"problems": {"module": error("System.Management.Automation.ItemNotFoundException")}}, "module_missing"),
        ({"problems": {"scheduler": error("System.Something")}}, "engine_error"),
        (
            {"version": "1.1.105.0", "problems": {"scheduler": error("System.Management.Automation.CommandNotFoundException")}},
            "engine_error",
        ),
        ({"problems": {"module": error("System.Management.Automation.CommandNotFoundException")}}, "module_missing"),
        ({"problems": {"scheduler": error("System.ServiceModel.EndpointNotFoundException")}}, "engine_access_denied"),
        (
            {"services": {"ADSync": None}, "problems": {"scheduler": error("System.ServiceModel.EndpointNotFoundException")}},
            "service_stopped",
        ),
        ({"problems": {"scheduler": error("System.Runtime.InteropServices.COMException", -2147024891)}}, "engine_access_denied"),
        ({"problems": {"connectors": error("System.Runtime.InteropServices.COMException", -2147024891)}}, None),
    ],
)
def test_what_blocks_the_engine(changes: dict[str, Any], reason: str | None) -> None:
    blocker = probe(**changes).blocker
    assert (blocker.reason if blocker else None) == reason


@pytest.mark.parametrize("service", [RUNNING, None], ids=["running", "not listed"])
@pytest.mark.parametrize("part", ["module", "scheduler"])
@pytest.mark.parametrize(
    "code", [0x80080005, 0x80070422, 0x80070426, 0x8007045B, 0x800706BA, 0x800706BE, 0x80010108, 0x800401FD, 0x8007041D, 0x8007042C]
)
def test_a_service_that_is_or_goes_down_is_told_as_such(code: int, part: str, service: int | None) -> None:
    gone = error("System.Runtime.InteropServices.COMException", code - (1 << 32))
    blocker = probe(services={"ADSync": service}, problems={part: gone}).blocker
    assert blocker is not None
    assert blocker.reason == "service_stopped"
    assert f"0x{code:08X}" in blocker.message


def test_an_unknown_error_is_told_as_what_it_is() -> None:
    blocker = probe(problems={"scheduler": error("Vendor.StrangeException", -2146233000)}).blocker
    assert blocker is not None
    assert blocker.reason == "engine_error"
    assert "Vendor.StrangeException, 0x80131558" in blocker.message
    assert "installation" not in blocker.remedy


@pytest.mark.parametrize("lead", [0.0, 900.0, -900.0])
@pytest.mark.parametrize("took", [0.0, 20.0])
@pytest.mark.parametrize("way", [0.0, 3.0])
def test_the_lead_of_the_clock_is_an_interval(lead: float, took: float, way: float) -> None:
    told = probe(lead=lead, took=took, way=way).lead
    assert told.high == pytest.approx(lead + way, abs=0.5), "what was spent on the way may all have been spent before the script"
    assert told.low == pytest.approx(lead, abs=0.5), "or all of it behind"


def test_two_exchanges_narrow_the_interval_and_a_clock_that_was_set_begins_anew() -> None:
    slow, quick = ClockLead(0.0, 4.0), ClockLead(-0.1, 0.3)
    assert slow.narrowed(quick) == ClockLead(0.0, 0.3)
    assert slow.narrowed(ClockLead(3600.0, 3601.0)) == ClockLead(3600.0, 3601.0)
    assert (slow.middle, slow.width) == (2.0, 4.0)


@pytest.mark.parametrize(
    ("ended", "over"),
    [
        ("2026-11-24T12:00:05.0000000Z", True),
        ("2026-11-24T12:00:00.0000000Z", True),
        (None, False),
        ("0001-01-01T00:00:00.0000000Z", False),
        ("2026-11-24T11:59:59.0000000Z", False),
    ],
)
def test_a_run_is_over_when_its_end_does_not_lie_before_its_start(ended: str | None, over: bool) -> None:
    run = {"connector": "corp.example", "connector_id": "AB", "profile": "Delta Import", "number": 1, "result": "success", "steps": []}
    now = "2026-11-24T13:00:00.0000000Z"
    first = probe(
        history={"at": now, "source": "run_history", "runs": [{**run, "started": "2026-11-24T12:00:00.0000000Z", "ended": ended}]}
    )
    assert first.history is not None
    (read,) = first.history.runs or ()
    assert (read.ended is not None) is over
    assert (read.kind, read.on_directory, read.connector_id) == ("import", True, "ab")


def test_services_are_told_as_words() -> None:
    services = {"ADSync": RUNNING, "FIMSynchronizationService": STOPPED, "AADConnectProvisioningAgent": None}
    assert probe(services=services).services == {
        "ADSync": "running", "FIMSynchronizationService": "stopped", "AADConnectProvisioningAgent": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("version", "numbers"),
    [("2.6.92.0", (2, 6, 92, 0)), ("2.5.79", (2, 5, 79, 0)), ("2.5", None), ("2.5.x.0", None), ("", None), (None, None)],
)
def test_version_numbers(version: str | None, numbers: tuple[int, ...] | None) -> None:
    assert version_numbers(version) == numbers


@pytest.mark.parametrize(
    ("version", "day", "support"),
    [
        ("2.5.78.0", date(2026, 9, 30), "supported"), ("2.5.78.0", date(2026, 10, 1), "refused"), ("2.5.79.0", date(2027, 1, 1), "supported"),
        ("2.6.92.0", date(2026, 11, 24), "supported"), (None, date(2026, 11, 24), "unknown"), ("garbage", date(2026, 11, 24), "unknown"),
        ("1.6.16", date(2026, 11, 24), "refused"), ("1.6.16.0", date(2023, 9, 30), "supported"), ("1.6.16.0", date(2023, 10, 1), "refused"),
        ("1.0.8641.0", date(2021, 4, 1), "supported"), ("1.0.8641.0", date(2023, 10, 1), "refused"),
        ("1.0.494.501", date(2021, 3, 31), "supported"), ("1.0.494.501", date(2021, 4, 1), "refused"),
    ],
)  # fmt: skip
def test_retirement(version: str | None, day: date, support: str) -> None:
    assert retirement(version, day)[0] == support


def test_retirement_of_dirsync_says_the_day() -> None:
    assert retirement_of_dirsync("1.0.7020.0", date(2021, 3, 31))[0] == "supported"
    support, note = retirement_of_dirsync(None, date(2021, 4, 1))
    assert (support, note) == ("refused", "DirSync has been refused by the cloud since 1 April 2021.")
