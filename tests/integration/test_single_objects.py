# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""dirsync_trigger with `objects`: what was asked of the engine, and how its scheduler was left, is held against what the task says."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import procedures
import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from estates import COVERAGE, POWERSHELL

from ansible_collections.hybrid.identity.plugins.module_utils._engines._connect_objects import ConnectObjects
from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import RemoteError
from ansible_collections.hybrid.identity.plugins.module_utils._sync import _objects_decide
from ansible_collections.hybrid.identity.plugins.module_utils._sync._objects_desired import read_objects
from ansible_collections.hybrid.identity.plugins.module_utils._sync._options import TRIGGER_EXCLUSIVE, TRIGGER_OPTIONS
from lab.connect.errors import CmdletError
from lab.estate import Estate, EstateOptions

AMY, BEN, ZOË = (f"CN={name},OU=Staff,DC=lab,DC=test" for name in ("Amy Example", "Ben Beispiel", "Zoë Müller"))
OUTSIDE = "CN=Guest,OU=Elsewhere,DC=lab,DC=test"
_SCHEDULER = "hybrid.identity-scheduler-20261124093000-0123456789ab"
_SID = "S-1-5-21-1004336348-1177238915-682003330-1104"


def _server(powershell: str) -> Estate:
    return Estate(EstateOptions(directory=False, tenant=False, cycle_seconds=0.6, coverage=COVERAGE, powershell=powershell))


@pytest.fixture(scope="module")
def with_fakes() -> Iterator[Estate]:
    """One server for the whole file; each test leaves it as it was."""
    with _server("none") as estate:
        yield estate


@pytest.fixture(scope="module")
def with_either(scripts_with: str) -> Iterator[Estate]:
    """The same, with fakes and with PowerShell, for what runs every statement."""
    with _server(POWERSHELL or "" if scripts_with == "powershell" else "none") as estate:
        yield estate


@pytest.fixture
def estate(with_fakes: Estate) -> Iterator[Estate]:
    """See _as_it_was."""
    yield from _as_it_was(with_fakes)


@pytest.fixture
def either(with_either: Estate) -> Iterator[Estate]:
    """See _as_it_was."""
    yield from _as_it_was(with_either)


def _as_it_was(estate: Estate) -> Iterator[Estate]:
    """A server with an empty record; afterwards nothing is left on it and nothing waits for its moment."""
    estate.sync.record.objects.clear()
    estate.sync.record.switches.clear()
    yield estate
    assert estate.sync.faults.armed() == []
    estate.sync.configure(throttle_objects=10, staging=False, enabled=True, suspended=False, object_seconds=0.05, throttle_seconds=300.0)
    windows = estate.sync.windows
    assert _until(lambda: not (windows.task_names() or windows.task_folders() or list(Path(estate.host.temp).glob("hybrid.identity-*"))))


def _until(condition: Any, seconds: float = 15.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _asked(estate: Estate) -> list[str]:
    return [one.dn for one in estate.sync.record.objects]


def _switches(estate: Estate) -> list[bool]:
    return [on for _at, on in estate.sync.record.switches]


def test_the_scheduler_is_off_meanwhile_and_each_object_is_told(either: Estate) -> None:
    either.sync.arm("object_fails", dn=BEN, code="AttributeValueMustBeUnique")
    result = procedures.trigger(either, objects=[AMY, BEN, ZOË, OUTSIDE, AMY.upper()], wait_timeout=60)
    assert [(row["dn"], row["result"], row["failure_reason"]) for row in result["objects"]] == [
        (AMY, "success", None),
        (BEN, "failure", "object_errors"),
        (ZOË, "success", None),
        (OUTSIDE, "skipped", "user_not_in_scope"),
    ]
    assert (result["failure_reason"], result["changed"]) == ("object_errors", True)
    assert result["msg"].startswith(f"2 of 4 objects failed, the first is {BEN}: It is refused. [AttributeValueMustBeUnique]")
    assert [step["status"] for step in result["objects"][1]["steps"]][-2:] == ["success", "failure"]
    assert all(one.no_html_report and one.scheduler_off for one in either.sync.record.objects)
    assert (_asked(either), _switches(either)) == ([AMY, BEN, ZOË, OUTSIDE], [False, True])
    assert either.sync.options.enabled
    assert either.sync.cycles == []
    assert result["sync"]["requested_at"] is not None
    assert result["evidence"] == ["scheduler", "single_object"]


def test_what_is_throttled_is_too_soon_where_the_time_is_short(estate: Estate) -> None:
    estate.sync.configure(throttle_objects=1)
    began = time.monotonic()
    result = procedures.trigger(estate, objects=[AMY, BEN, ZOË], wait_timeout=60)
    assert (result["failure_reason"], [row["failure_reason"] for row in result["objects"]]) == ("too_soon", [None, "too_soon", "too_soon"])
    assert result["msg"].startswith("The engine throttles single objects: 2 objects have to wait 5 minutes.")
    assert time.monotonic() - began < 50, "it does not wait for what the time does not allow"
    assert (_asked(estate), _switches(estate), estate.sync.options.enabled) == ([AMY, BEN], [False, True], True)


def test_throttling_is_waited_for_where_there_is_time(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheduler is on while it waits."""
    monkeypatch.setattr(_objects_decide, "LEAST", 1.0)
    monkeypatch.setattr(ConnectObjects, "pause", property(lambda self: 2.5), raising=False)
    estate.sync.configure(throttle_objects=1, throttle_seconds=2.0)
    result = procedures.trigger(estate, objects=[AMY, BEN], wait_timeout=60)
    assert [row["failure_reason"] for row in result["objects"]] == [None, None], result["msg"]
    assert (_asked(estate), _switches(estate)) == ([AMY, BEN, BEN], [False, True, False, True])


def test_a_scheduler_that_was_off_stays_off(estate: Estate) -> None:
    estate.sync.configure(enabled=False)
    assert procedures.trigger(estate, objects=[AMY])["failure_reason"] == "scheduler_disabled"
    assert (_asked(estate), _switches(estate)) == ([], [])
    result = procedures.trigger(estate, objects=[AMY], on_disabled="proceed", wait_timeout=60)
    assert (result["failure_reason"], result["changed"], _asked(estate)) == (None, True, [AMY])
    assert (_switches(estate), estate.sync.options.enabled) == ([], False)


def test_what_forbids_it_touches_nothing(estate: Estate) -> None:
    for changes, params, reason in (
        ({"staging": True}, {"on_staging": "proceed"}, "staging"),
        ({"suspended": True}, {}, "scheduler_suspended"),
    ):
        estate.sync.configure(**changes)
        assert procedures.trigger(estate, objects=[AMY], **params)["failure_reason"] == reason
        estate.sync.configure(staging=False, suspended=False)
    estate.sync.configure(staging=True)
    skipped = procedures.trigger(estate, objects=[AMY], on_staging="skip")
    estate.sync.configure(staging=False)
    assert (skipped["skipped"], skipped["skip_reason"], skipped["objects"][0]["failure_reason"]) == (True, "staging", None)
    predicted = procedures.trigger(estate, objects=[AMY, BEN], check_mode=True)
    assert (predicted["changed"], predicted["msg"]) == (True, "2 objects would be synchronised.")
    assert procedures.trigger(estate, "svc-limited", objects=[AMY])["failure_reason"] == "engine_access_denied"
    assert (_asked(estate), _switches(estate)) == ([], [])


def test_a_running_cycle_is_waited_for(estate: Estate) -> None:
    estate.sync.configure(cycle_seconds=2.0)
    before = len(estate.sync.cycles)
    estate.sync.start_cycle()
    result = procedures.trigger(estate, objects=[AMY], wait_timeout=60)
    estate.sync.configure(cycle_seconds=0.6)
    assert (result["failure_reason"], _asked(estate), _switches(estate)) == (None, [AMY], [False, True])
    assert len(estate.sync.cycles) == before + 1


def test_a_cut_connection_does_not_leave_the_scheduler_off(estate: Estate) -> None:
    """The work is no child of the shell: it comes to its end, and the task looks until it has."""
    estate.sync.configure(object_seconds=0.5)
    estate.sync.arm("connection", fault="cut", cmdlet="Invoke-ADSyncSingleObjectSync", refuse=1.0)
    result = procedures.trigger(estate, objects=[AMY, BEN], wait_timeout=60)
    assert (result["failure_reason"], result["changed"]) == ("not_confirmed", True)
    assert {row["failure_reason"] for row in result["objects"]} == {"not_confirmed"}
    assert (_asked(estate), _switches(estate), estate.sync.options.enabled) == ([AMY, BEN], [False, True], True)


def test_work_that_was_killed_is_repaired_by_the_task_that_sent_it(either: Estate) -> None:
    either.sync.arm("script_killed", cmdlet="Invoke-ADSyncSingleObjectSync")
    result = procedures.trigger(either, objects=[AMY], wait_timeout=60)
    assert (result["failure_reason"], either.sync.options.enabled, _switches(either)) == ("not_confirmed", True, [False, True])


def _leave_off(estate: Estate) -> Path:
    """What a server has that was restarted in the middle."""
    folder = Path(estate.host.temp) / _SCHEDULER
    folder.mkdir()
    estate.sync.windows.folders[str(folder)] = f"O:{_SID}D:P"
    estate.sync.configure(enabled=False)
    return folder


def test_the_next_task_switches_on_what_was_left_off(either: Estate) -> None:
    folder = _leave_off(either)
    assert procedures.trigger(either, check_mode=True)["failure_reason"] == "scheduler_disabled"
    assert (_switches(either), folder.exists()) == ([], True), "check mode changes nothing"
    result = procedures.trigger(either, wait=False, wait_timeout=60)
    assert (result["failure_reason"], _switches(either), folder.exists()) == (None, [True], False)
    assert any("had died: it was switched on again" in warning for warning in result["warnings"])
    either.sync.wait_idle()


def test_a_look_that_is_refused_keeps_nobody_from_a_cycle(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why a scheduler is off matters to single objects alone; a profile without a folder for temporary files is enough for such an error."""

    def refuse(*_arguments: Any) -> Any:
        raise RemoteError({"type": "System.Management.Automation.ItemNotFoundException", "message": "Der Pfad fehlt."})

    monkeypatch.setattr(ConnectObjects, "look", refuse)
    estate.sync.configure(enabled=False)
    result = procedures.trigger(estate)
    assert (result["failure_reason"], result["changed"]) == ("scheduler_disabled", False)
    result = procedures.trigger(estate, on_disabled="proceed")
    assert (result["failure_reason"], result["sync"]["ownership"], result["sync"]["state"]) == (None, "own", "verified")
    assert any("because of single objects is not known: Der Pfad fehlt" in warning for warning in result["warnings"])
    assert _switches(estate) == []


def test_somebody_elses_work_is_waited_for(estate: Estate) -> None:
    estate.sync.configure(object_seconds=2.0)
    results: list[dict[str, Any]] = []
    other = threading.Thread(target=lambda: results.append(procedures.trigger(estate, objects=[AMY], wait_timeout=60)))
    other.start()
    assert _until(lambda: bool(estate.sync.record.objects))
    result = procedures.trigger(estate, objects=[BEN], wait_timeout=60)
    other.join()
    assert [result["failure_reason"], results[0]["failure_reason"]] == [None, None]
    assert (_asked(estate), _switches(estate)) == ([AMY, BEN], [False, True, False, True])


def test_a_switch_that_fails_is_tried_again_and_told(either: Estate) -> None:
    """Five tries on the server, and a look afterwards; whatever fails then stands in the result."""
    either.sync.arm("com_error", times=5, cmdlet="Set-ADSyncScheduler", skip=1)
    result = procedures.trigger(either, objects=[AMY], wait_timeout=60)
    assert (result["failure_reason"], either.sync.options.enabled) == (None, True)
    assert _switches(either) == [False, True]


def test_what_the_cmdlet_throws_belongs_to_the_object(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: Any) -> Any:
        raise CmdletError("System.InvalidOperationException", -2146233079, "x", "InvalidOperation", "Etwas ist schiefgegangen.")

    monkeypatch.setitem(estate.sync._cmdlets, "Invoke-ADSyncSingleObjectSync", refuse)
    result = procedures.trigger(estate, objects=[AMY], wait_timeout=60)
    assert (result["failure_reason"], result["objects"][0]["result"]) == ("engine_error", None)
    assert "Etwas ist schiefgegangen" in result["msg"]
    assert (_switches(estate), estate.sync.options.enabled) == ([False, True], True)


def test_an_engine_without_it_says_which_has_it() -> None:
    for changes, words in (({"connect": {"product_version": "1.5.45.0"}}, "connect 1.5.45.0"), ({"engine": "aadsync"}, "aadsync 1.0")):
        with Estate(EstateOptions(directory=False, tenant=False, powershell="none", **changes)) as old:  # type: ignore[arg-type]
            result = procedures.trigger(old, objects=[AMY])
            assert result["failure_reason"] == "invalid_input"
            assert f"({words}" in result["msg"]
            assert "connect from version 1.6.4 on does" in result["msg"]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"type": "full"}, "objects and type=full exclude each other"),
        ({"wait": False}, "objects and wait=false exclude each other"),
        ({"objects": []}, "objects is empty"),
        ({"objects": [AMY, "amy@lab.example"]}, "objects[1] is no distinguished name"),
        ({"objects": [f"CN=Person {n},DC=x" for n in range(201)]}, "200 is the most"),
    ],
)
def test_what_excludes_it(params: dict[str, Any], words: str) -> None:
    with pytest.raises(HybridIdentityError) as caught:
        read_objects({"type": "delta", "wait": True, "objects": [AMY], **params})
    assert caught.value.reason == "invalid_input"
    assert words in caught.value.message


@pytest.mark.parametrize("other", [{"since": "2026-11-24T09:30:00Z"}, {"max_age": 5}, {"ticket": {}}])
def test_what_ansible_itself_excludes(other: dict[str, Any]) -> None:
    validator = ArgumentSpecValidator(TRIGGER_OPTIONS, mutually_exclusive=TRIGGER_EXCLUSIVE)
    assert "mutually exclusive" in validator.validate({"objects": [AMY], **other}).error_messages[0]
    assert validator.validate({"objects": [AMY], "type": "delta", "fail_on": "never"}).error_messages == []
