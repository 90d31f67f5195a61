# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Breaking off at every step of forcing: within five minutes of the server's clock everything is as it was, and what was said is true."""

from __future__ import annotations

import threading
import time
from typing import Any

import procedures
import pytest
from estates import MakeEstate
from patience import LONG, wait_until

from ansible_collections.hybrid.identity.plugins.module_utils._deadline import Deadline
from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import RemoteShell
from ansible_collections.hybrid.identity.plugins.module_utils._remote._transport import Output
from ansible_collections.hybrid.identity.plugins.module_utils._remote._winrm import WinrmOptions, WinrmTransport
from lab.estate import ACCOUNTS, Estate

_SET, _ADD = "Set-ADSyncAADPasswordSyncConfiguration", "Add-ADSyncConnector"
#: place -> at which call of which cmdlet
PLACES: dict[str, dict[str, Any]] = {
    "before the flag": {"cmdlet": _ADD, "moment": "before"},
    "after the flag": {"cmdlet": _ADD, "moment": "after"},
    "after off": {"cmdlet": _SET, "moment": "after"},
    "after on": {"cmdlet": _SET, "moment": "after", "skip": 1},
    "between two forests": {"cmdlet": _ADD, "moment": "before", "skip": 1},
    "after off of the second": {"cmdlet": _SET, "moment": "after", "skip": 2},
}
BREAKS = ("script", "connection", "controller", "both")


class Died(BaseException):
    """The controller has been killed: nothing that it holds is given back."""


class MortalTransport:
    """Carries calls until the controller dies. What it has sent goes on without it."""

    def __init__(self, inner: WinrmTransport, dead: threading.Event) -> None:
        self._inner, self._dead = inner, dead
        self.warnings: list[str] = []

    def execute(self, command_line: str, standard_input: bytes, timeout: float) -> Output:
        """See Transport."""
        answers: list[Output | BaseException] = []

        def work() -> None:
            try:
                answers.append(self._inner.execute(command_line, standard_input, timeout))
            except Exception as error:
                answers.append(error)

        threading.Thread(target=work, daemon=True).start()
        while not answers:
            if self._dead.wait(0.02):
                raise Died
        if isinstance(answers[0], BaseException):
            raise answers[0]
        return answers[0]

    def close(self) -> None:
        """See Transport."""
        if not self._dead.is_set():
            self._inner.close()


def _shell(estate: Estate, dead: threading.Event, seconds: float) -> RemoteShell:
    options = {"server": "127.0.0.1", "port": estate.wsman.http_port, "use_tls": False}
    transport = WinrmTransport(WinrmOptions(**options, username="svc-password", password=ACCOUNTS["svc-password"][0]))  # type: ignore[arg-type]
    return RemoteShell(MortalTransport(transport, dead), Deadline(seconds))


def _is_clean(estate: Estate) -> bool:
    left = estate.left_behind()
    return not any(left[name] for name in ("tasks", "orphans", "task_folders", "folders"))


def _as_before(estate: Estate) -> bool:
    return all(one.enabled and not one.flag for one in estate.sync.channels.all) and _is_clean(estate)


def _five_minutes_later(estate: Estate) -> None:
    """The guardian is due after three minutes and comes again every minute."""
    for _minute in range(5):
        if _as_before(estate):
            return
        estate.sync.clock.jump(60)
        time.sleep(0.8)
    wait_until(lambda: _as_before(estate), f"{estate.left_behind()} {[(one.enabled, one.flag) for one in estate.sync.channels.all]}")


#: What a script leaves when it dies is PowerShell's matter too; what comes after a lost connection is the controller's alone.
_SCRIPTS = {"script": ("fakes", "powershell"), "connection": ("fakes",), "controller": ("fakes",), "both": ("fakes", "powershell")}


@pytest.mark.parametrize(
    ("breaks", "scripts_with"), [(breaks, scripts) for breaks in BREAKS for scripts in _SCRIPTS[breaks]], indirect=["scripts_with"]
)
@pytest.mark.parametrize("place", PLACES)
def test_broken_off(place: str, breaks: str, make_estate: MakeEstate) -> None:
    estate = make_estate(connect={"more_directories": ("fabrikam.test",), "password_seconds": 0.3})
    dead = threading.Event()
    if breaks == "connection":
        estate.sync.arm("connection", **PLACES[place], fault="cut", refuse=1.0)
    elif breaks in ("controller", "both"):
        estate.sync.break_connection = lambda name, details: dead.set()
        estate.sync.arm("connection", **PLACES[place], fault="cut")
    if breaks in ("script", "both"):
        estate.sync.arm("script_killed", **PLACES[place])
    result: dict[str, Any] | None = None
    try:
        # A script that died leaves nothing to wait for: the time is waited out.
        seconds = 15 if breaks == "script" else LONG
        result = procedures.passwords(estate, shell=_shell(estate, dead, seconds), wait_timeout=seconds)
    except Died:
        assert breaks in ("controller", "both")
    said = "died" if result is None else f"{result['failure_reason'] or 'success'}: {result['msg'][:110]}"
    print(f"{place:26} {breaks:12} {said}")
    assert estate.sync.faults.armed() == [], "it struck"
    assert (result is None) is (breaks in ("controller", "both"))
    _five_minutes_later(estate)
    fulls = [len(one.fulls) for one in estate.sync.channels.all]
    if result is not None:
        assert result["left_off"] == []
        assert result["changed"] or not estate.sync.passwords.switched, "what was switched is told as a change"
        for one, number in zip(result["connectors"], fulls):
            if one["state"] in ("finished", "verified"):
                assert number >= 1, "nothing is finished that did not run"
        if result["failure_reason"] is None:
            assert fulls == [1, 1]
    if breaks in ("connection", "controller"):
        assert fulls == [1, 1], "the work is no child of the shell"
    assert all(user == "svc-password" for _at, user, _name, _on in estate.sync.passwords.switched)


@pytest.mark.parametrize("scripts_with", ["fakes"], indirect=True)
@pytest.mark.parametrize(("verb", "after"), [("Command", False), ("Command", True), ("Send", False), ("Send", True), ("Receive", False)])
def test_the_exchange_is_lost(verb: str, after: bool, make_estate: MakeEstate) -> None:
    estate = make_estate(connect={"password_seconds": 0.3})

    def progress(line: str) -> None:
        if "forcing" in line:
            estate.faults.arm("close_connection", verb=verb, after=after)

    result = procedures.passwords(estate, progress=progress, wait_timeout=LONG)
    print(f"{verb} {'after' if after else 'before'} sending: {result['failure_reason'] or 'success'}: {result['msg'][:130]}")
    assert estate.faults.active() == []
    _five_minutes_later(estate)
    fulls = len(estate.sync.channels.all[0].fulls)
    assert fulls <= 1, "it is never sent twice"
    if result["failure_reason"] is None:
        assert fulls == 1
        assert result["connectors"][0]["state"] in ("finished", "verified")
    else:
        assert result["failure_reason"] == "not_confirmed"
        assert fulls == 0
        assert result["changed"] is False


def test_off_meets_a_dead_script_and_an_unreachable_server(make_estate: MakeEstate) -> None:
    """The reserve is used up, nobody can look: it is told first, and the guardian puts it right."""
    estate = make_estate()
    estate.sync.arm("connection", **PLACES["after off"], fault="cut", refuse=600)
    estate.sync.arm("script_killed", **PLACES["after off"])
    from ansible_collections.hybrid.identity.plugins.module_utils._passwords import _synchronise

    reserve = _synchronise.RESERVE
    _synchronise.RESERVE = 2.0  # type: ignore[misc]
    try:
        result = procedures.passwords(estate, wait_timeout=8)
    finally:
        _synchronise.RESERVE = reserve  # type: ignore[misc]
    assert (result["failure_reason"], result["left_off"], result["changed"]) == ("channel_left_off", ["lab.test"], True)
    assert result["msg"].startswith("PASSWORD SYNCHRONISATION OF lab.test IS OFF")
    _five_minutes_later(estate)
