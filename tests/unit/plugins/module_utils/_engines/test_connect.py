# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""How the connect engine reads the answer of its probe; the scripts themselves run in tests/integration."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._engines._contract import Probe
from ansible_collections.hybrid.identity.plugins.module_utils._engines.connect import ConnectEngine, version_numbers
from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import Answer

RUNNING, STOPPED = 4, 1


def probe(bits: int = 64, lead: float = 0.0, took: float = 0.0, way: float = 0.0, **changes: Any) -> Probe:
    """The probe of a server without a readable scheduler whose answer has just come in.

    Args:
        bits: of the remote process. lead: seconds that its clock is ahead. took, way: seconds of the script and of everything else.
        changes: to the data of the script.
    """
    data = {
        "services": {"ADSync": RUNNING},
        "version": "2.6.92.0",
        "problems": {},
        "connectors": [],
        "state": None,
        "history": None,
        **changes,
    }
    clock = datetime.now(timezone.utc) + timedelta(seconds=lead)
    answered = time.monotonic()
    answer = Answer(data, clock, int(took * 1000), bits, answered - took - way, answered)

    class Shell:
        def call(self, *_arguments: Any, **_options: Any) -> Answer:
            return answer

    return ConnectEngine().probe(Shell(), history_seconds=60)  # type: ignore[arg-type]


def error(name: str, hresult: int = -2146233088) -> dict[str, Any]:
    """An error object as the envelope makes it."""
    return {"type": name, "hresult": hresult, "causes": [{"type": name, "hresult": hresult}], "message": "Worte"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"bits": 32}, "module_missing"),
        ({"services": {"ADSync": STOPPED}}, "service_stopped"),
        ({"problems": {"module": error("System.IO.FileNotFoundException")}}, "module_missing"),
        ({"problems": {"module": error("System.ServiceModel.EndpointNotFoundException")}}, "module_missing"),
        ({"problems": {"module": error("System.Management.Automation.CommandNotFoundException")}}, "module_missing"),
        ({"problems": {"scheduler": error("System.Management.Automation.CommandNotFoundException")}}, "engine_unsupported"),
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


@pytest.mark.parametrize("lead", [0.0, 900.0, -900.0])
@pytest.mark.parametrize("took", [0.0, 20.0])
@pytest.mark.parametrize("way", [0.0, 3.0])
def test_the_lead_of_the_clock_is_never_told_too_low(lead: float, took: float, way: float) -> None:
    told = probe(lead=lead, took=took, way=way).server_lead
    assert told == pytest.approx(lead + way, abs=0.5), "what was spent on the way may all have been spent before the script"


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
    history = {"runs": [{**run, "started": "2026-11-24T12:00:00.0000000Z", "ended": ended}], "events": None}
    (read,) = probe(history=history).history.runs or []
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
