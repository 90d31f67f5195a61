# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The remote call over pywinrm when the transport is bad: deadlines, repetitions of what is safe, one shell, always closed."""

from __future__ import annotations

from typing import Any

import procedures
import pytest
from estates import MakeEstate
from patience import FOR_EVER, ends

from ansible_collections.hybrid.identity.plugins.module_utils._engines import _connect_scripts
from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import NoAnswer, RemoteShell
from ansible_collections.hybrid.identity.plugins.module_utils._remote._shape import anything
from ansible_collections.hybrid.identity.plugins.module_utils._remote._transport import ConnectionBroken, TransportError, Unreachable


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RemoteShell, "RETRY_PAUSES", (0.05, 0.1, 0.2))


def _probe(shell: RemoteShell, *, repeatable: bool = True) -> Any:
    return shell.call("probe", _connect_scripts.PROBE, {"history_seconds": 10}, shape=anything, timeout=20, repeatable=repeatable).data


@pytest.mark.parametrize(
    ("fault", "verb"),
    [
        ("close_connection", "Command"), ("close_connection", "Send"), ("close_connection", "Receive"), ("http_503", "Command"), ("http_503", "Receive"),
        ("quota", "Command"), ("busy", "Send"), ("operation_timeout", "Receive"), ("close_connection", "Signal"), ("unauthorized", "Receive"),
    ],
)  # fmt: skip
def test_what_is_safe_is_repeated(fault: str, verb: str, make_estate: MakeEstate) -> None:
    estate = make_estate()
    shell = procedures.open_shell(estate)
    _probe(shell)
    estate.faults.arm(fault, verb=verb)
    assert _probe(shell)["state"]["enabled"] is True
    assert estate.faults.active() == []
    shell.close()
    assert estate.wsman.log.shells_opened - estate.wsman.log.shells_closed <= 1, "only a shell whose connection broke may be left"


@pytest.mark.parametrize("verb", ["Command", "Receive"])
def test_what_is_not_safe_is_not_repeated(verb: str, make_estate: MakeEstate) -> None:
    estate = make_estate()
    shell = procedures.open_shell(estate)
    _probe(shell)
    started = estate.wsman.log.commands_started
    estate.faults.arm("close_connection", verb=verb)
    with pytest.raises(ConnectionBroken):
        _probe(shell, repeatable=False)
    assert estate.wsman.log.commands_started - started <= 1
    shell.close()


def test_repetitions_end(make_estate: MakeEstate) -> None:
    estate = make_estate()
    shell = procedures.open_shell(estate)
    estate.faults.arm("close_connection", verb="Command", times=9)
    with pytest.raises(TransportError):
        _probe(shell)
    assert len(estate.faults.active()) == 1
    estate.faults.clear()
    assert _probe(shell)["state"]["enabled"] is True, "a shell that failed can be used again"
    shell.close()


def test_a_server_that_goes_away_is_unreachable_only_before_it_answered(make_estate: MakeEstate) -> None:
    estate = make_estate()
    stranger = procedures.open_shell(estate, port=9)
    with pytest.raises(Unreachable):
        _probe(stranger)
    shell = procedures.open_shell(estate)
    _probe(shell)
    estate.wsman.stop()
    with pytest.raises(ConnectionBroken):
        _probe(shell)
    shell.close()
    estate.wsman.start()


def test_a_call_that_does_not_end_is_given_up(make_estate: MakeEstate) -> None:
    estate = make_estate(cycle_seconds=FOR_EVER)
    shell = procedures.open_shell(estate, operation_timeout=1)
    estate.sync.start_cycle()
    limits = {
        "seconds": FOR_EVER,
        "step_ms": 100,
        "confirm_seconds": 1,
        "stop_when_active": False,
        "idle_seconds": 0,
        "quiet_seconds": 5,
        "wmi": False,
        "active": True,
        "next_start": None,
    }
    with ends(), pytest.raises(ConnectionBroken):
        shell.call(
            "watch",
            _connect_scripts.WATCH,
            {**limits, "since": "2026-01-01T00:00:00.0000000Z"},
            shape=anything,
            timeout=2,
            repeatable=False,
        )
    shell.close()


def test_a_process_without_an_answer_is_no_answer(make_estate: MakeEstate) -> None:
    estate = make_estate()
    shell = procedures.open_shell(estate)
    with pytest.raises(NoAnswer) as caught:
        shell.call("broken", "param($p) exit 7", {"secret": "do-not-show"}, shape=anything, timeout=20, repeatable=False)
    assert "do-not-show" not in str(caught.value)
    shell.close()


def test_one_shell_for_many_calls(make_estate: MakeEstate) -> None:
    estate = make_estate()
    shell = procedures.open_shell(estate)
    for _round in range(5):
        _probe(shell)
    shell.close()
    shell.close()
    assert estate.wsman.log.shells_opened == estate.wsman.log.shells_closed == 1
