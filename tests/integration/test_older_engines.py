# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What is special about the engines before Azure AD Connect 1.1, and about its oldest builds; judged by what happened on the server."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone
from typing import Any

import procedures
import pytest
from estates import MakeEstate
from patience import LONG, wait_until

from ansible_collections.hybrid.identity.plugins.module_utils._remote._transport import ConnectionBroken
from lab.estate import Estate

_MODULE = "ansible_collections.hybrid.identity.plugins.module_utils."
_KEY = "HKLM:\\SOFTWARE\\Microsoft\\MSOLCoExistence"
_TASK = "\\Azure AD Sync Scheduler"


@pytest.fixture(autouse=True)
def short_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated cycles are short: a rest of half a second tells what one of five seconds tells of a real one."""
    monkeypatch.setattr(_MODULE + "_engines._pace.QUIET", 0.5)
    monkeypatch.setattr(_MODULE + "_sync._case.IDLE_FOR_CERTAIN", 0.5)
    monkeypatch.setattr(_MODULE + "_sync._case.CONFIRM", 1.5)


def _flag(estate: Estate) -> Any:
    return estate.sync.windows.registry.read(_KEY, "FullSyncNeeded")


# -- DirSync


@pytest.mark.parametrize("engine", ["dirsync", "dirsync_legacy"])
def test_a_flag_that_was_set_already_makes_a_full_cycle_and_the_result_says_so(engine: str, make_estate: MakeEstate) -> None:
    estate = make_estate(engine=engine)
    estate.sync.windows.registry.set(_KEY, "FullSyncNeeded", 1, "DWord")
    result = procedures.trigger(estate)
    assert (result["sync"]["type"], result["sync"]["state"]) == ("full", "verified")
    assert [cycle.full for cycle in estate.sync.cycles] == [True]
    assert any("was set already" in warning for warning in result["warnings"])


@pytest.mark.parametrize("there", [True, False])
def test_a_refused_start_leaves_the_flag_as_it_was(there: bool, make_estate: MakeEstate) -> None:
    estate = make_estate(engine="dirsync_legacy", connect={"full_flag": there})
    estate.sync.arm("start_refused", times=9)
    result = procedures.trigger(estate, type="full")
    assert result["failure_reason"] == "start_rejected"
    assert _flag(estate) == (0 if there else None)
    names = [name for _path, name, _value in estate.sync.windows.registry.written]
    assert names
    assert set(names) == {"FullSyncNeeded"}


def test_a_flag_that_cannot_be_written_is_said(make_estate: MakeEstate) -> None:
    estate = make_estate(engine="dirsync_legacy", connect={"registry_writable": False})
    result = procedures.trigger(estate, type="full")
    assert result["failure_reason"] == "start_rejected"
    assert "FullSyncNeeded" in result["msg"]
    assert estate.sync.cycles == []
    assert procedures.trigger(estate)["sync"]["state"] == "verified", "a delta does without"


@pytest.mark.parametrize("path_registered", ["install_path", "current_version", "none"])
def test_the_folder_is_found_whatever_is_registered(path_registered: str, make_estate: MakeEstate) -> None:
    estate = make_estate(engine="dirsync", connect={"path_registered": path_registered, "install_folder": "D:\\Sync"})
    info = procedures.inform(estate)
    assert (info["engine"], info["version"], info["scheduler"]["interval"]) == ("dirsync", "1.0.7020.0", 10800.0)


@pytest.mark.parametrize("full", [False, True])
def test_the_console_file_does_where_the_snap_in_is_not_registered(full: bool, make_estate: MakeEstate) -> None:
    estate = make_estate(engine="dirsync_legacy", connect={"snap_in": "console_only"})
    result = procedures.trigger(estate, type="full" if full else "delta")
    assert (result["sync"]["state"], result["sync"]["ownership"]) == ("verified", "own")
    assert [cycle.full for cycle in estate.sync.cycles] == [full]
    estate.sync.arm("start_refused", times=9)
    assert procedures.trigger(estate)["failure_reason"] == "start_rejected"


def test_without_snap_in_and_console_file_the_commands_are_missing(make_estate: MakeEstate) -> None:
    estate = make_estate(engine="dirsync_legacy", connect={"snap_in": "absent"})
    estate.sync.windows.files.remove("C:\\Program Files\\Microsoft Online Directory Sync\\DirSyncConfigShell.psc1")
    assert procedures.trigger(estate)["failure_reason"] == "module_missing"


@pytest.mark.parametrize("busy_start", ["ignored", "error", "queued"])
@pytest.mark.parametrize("engine", ["dirsync", "aadsync", "connect-1.1.105"])
def test_two_tasks_at_once_make_two_cycles_at_most(engine: str, busy_start: str, make_estate: MakeEstate) -> None:
    if engine != "dirsync" and busy_start != "ignored":
        pytest.skip("the option belongs to DirSync")
    estate = make_estate(engine=engine, cycle_seconds=0.6, connect={"busy_start": busy_start} if engine == "dirsync" else {})
    results: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: results.append(procedures.trigger(estate, wait_timeout=LONG))) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result["failure_reason"] for result in results] == [None, None]
    assert len(estate.sync.cycles) <= 2
    owned = [result["sync"]["requested_at"] for result in results if result["sync"]["ownership"] == "own"]
    assert len(owned) <= len(estate.sync.cycles)


@pytest.mark.parametrize("engine", ["dirsync", "connect-1.1.105"])
def test_a_look_between_two_steps_of_a_cycle_starts_nothing(engine: str, make_estate: MakeEstate) -> None:
    """The start would be lost without a word, and what is left of somebody else's cycle would be judged as the own one."""
    estate = make_estate(engine=engine, cycle_seconds=2.0)
    table = estate.sync._cmdlets if engine.startswith("connect") else estate.sync._verbs
    invoke = table["cim_invoke"]
    table["cim_invoke"] = lambda caller, p: {"ReturnValue": "success"} if p["MethodName"] == "RunStatus" else invoke(caller, p)
    shell = procedures.open_shell(estate)
    call = shell.call

    def begin_another(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "start" and not estate.sync.cycles:
            estate.sync.start_cycle()
            wait_until(lambda: len(estate.sync.engine.history) == 2)
        return call(name, *arguments, **options)

    shell.call = begin_another  # type: ignore[method-assign]
    result = procedures.trigger_over([("sync1", shell)])
    assert (result["failure_reason"], result["sync"]["state"]) == (None, "verified"), result
    assert result["changed"] is (len(estate.sync.cycles) == 2)


# -- AAD Sync


def test_a_disabled_task_is_a_scheduler_that_is_off_and_stays_as_it_is(make_estate: MakeEstate) -> None:
    estate = make_estate(engine="aadsync", connect={"task": "disabled"})
    assert procedures.trigger(estate)["failure_reason"] == "scheduler_disabled"
    result = procedures.trigger(estate, on_disabled="proceed")
    assert (result["sync"]["state"], result["sync"]["ownership"]) == ("verified", "own")
    task = estate.sync.windows.tasks.find(_TASK)
    assert (task.enabled, task.changes, task.last_run) == (False, [], None)


@pytest.mark.parametrize(("user", "answer"), [("svc-limited", "task_missing"), ("svc-limited", "task_denied")])
def test_a_task_that_may_not_be_seen_is_never_called_missing(user: str, answer: str, make_estate: MakeEstate) -> None:
    hidden = {"task_visible": "administrators", "hidden_task_answer": answer, "process_creation": "everybody"}
    estate = make_estate(engine="aadsync", connect=hidden)
    result = procedures.trigger(estate, user)
    assert result["sync"]["state"] == "verified"
    assert any("cannot see the scheduled task" in warning for warning in result["warnings"])
    assert not any("missing" in warning for warning in result["warnings"])


def test_a_task_of_its_own_is_the_last_means_and_does_not_stay(make_estate: MakeEstate) -> None:
    estate = make_estate(engine="aadsync-exe", connect={"process_creation": "nobody"})
    for full in (True, False):
        result = procedures.trigger(estate, type="full" if full else "delta")
        assert (result["sync"]["state"], result["sync"]["ownership"]) == ("verified", "own")
    assert [cycle.full for cycle in estate.sync.cycles] == [True, False]
    assert estate.left_behind()["tasks"] == estate.left_behind()["task_folders"] == []


def test_a_task_of_its_own_outlives_the_call_and_is_removed_by_the_next(make_estate: MakeEstate) -> None:
    estate = make_estate(engine="aadsync-exe", cycle_seconds=1.5, connect={"process_creation": "nobody"})
    result = procedures.trigger(estate, wait=False)
    assert result["sync"]["state"] == "confirmed"
    assert estate.sync.wait_idle()
    assert len(estate.sync.engine.history) == 6
    procedures.trigger(estate)
    assert estate.left_behind()["tasks"] == estate.left_behind()["task_folders"] == []


def test_the_executable_is_found_on_another_drive(make_estate: MakeEstate) -> None:
    estate = make_estate(engine="aadsync-exe", connect={"install_folder": "E:\\Azure\\Sync"})
    assert procedures.trigger(estate, type="full")["sync"]["state"] == "verified"


def test_staging_cannot_be_read_and_a_cycle_without_an_export_asks_about_it(make_estate: MakeEstate) -> None:
    estate = make_estate(engine="aad-connect-1.0", connect={"staging": True})
    assert procedures.inform(estate)["scheduler"]["staging"] is None
    result = procedures.trigger(estate)
    assert result["failure_reason"] == "cycle_failed"
    assert "staging mode" in result["msg"]
    assert any("cannot be read" in warning for warning in result["warnings"])


# -- the end, and what is known of it


@pytest.mark.parametrize("engine", ["dirsync", "aadsync"])
def test_a_cycle_whose_steps_stop_coming_is_no_success(engine: str, make_estate: MakeEstate) -> None:
    estate = make_estate(engine=engine, cycle_seconds=1.5)
    estate.sync.arm("starter_dies")
    result = procedures.trigger(estate)
    assert result["failure_reason"] == "cycle_failed", result
    assert "lacks" in result["msg"]


@pytest.mark.parametrize("engine", ["dirsync", "aadsync", "connect-1.1.105"])
def test_a_start_that_is_lost_without_a_word_is_not_confirmed(engine: str, make_estate: MakeEstate) -> None:
    estate = make_estate(engine=engine)
    if engine.startswith("connect"):
        estate.sync._cmdlets["Start-ADSyncSyncCycle"] = lambda *_arguments: None
    else:
        estate.sync.arm("accepted_but_nothing_starts", times=9)
    result = procedures.trigger(estate)
    assert result["failure_reason"] == "not_confirmed", result
    assert result["sync"]["ownership"] != "own"


@pytest.mark.parametrize("engine", ["dirsync", "aadsync"])
def test_an_unknown_plan_is_finished_and_never_verified(engine: str, make_estate: MakeEstate) -> None:
    estate = make_estate(engine=engine, connect={"plan": "unknown"})
    since = datetime.now(timezone.utc).isoformat()
    result = procedures.trigger(estate, since=since, on_retired="warn")
    # An export that is not known for one does not prove what a retired version has to prove; its event does.
    assert (result["sync"]["state"], result["failure_reason"]) == ("finished", None), result
    assert any("is not known" in warning for warning in result["warnings"])
    assert procedures.trigger(estate, since=since)["changed"] is True, "it covers nothing"


@pytest.mark.parametrize("engine", ["dirsync", "aadsync", "connect-1.1.281"])
def test_without_history_nothing_is_covered_and_no_interval_judged(engine: str, make_estate: MakeEstate) -> None:
    options: dict[str, Any] = {"wmi": "absent"}
    if engine.startswith("connect"):
        options["history_cmdlet"] = False
    estate = make_estate(engine=engine, connect=options)
    estate.sync.start_cycle()
    estate.sync.wait_idle()
    since = datetime(2020, 1, 1, tzinfo=timezone.utc).isoformat()
    assert procedures.trigger(estate, since=since, min_interval=60)["failure_reason"] == "history_unavailable"
    result = procedures.trigger(estate, since=since, check_mode=True)
    assert (result["changed"], result["failure_reason"]) == (True, None)
    started = procedures.trigger(estate)
    assert started["sync"]["state"] in (None, "started", "confirmed"), started
    assert started["sync"]["ownership"] != "own" or engine.startswith("connect")


@pytest.mark.parametrize("engine", ["dirsync", "aadsync"])
def test_a_cycle_of_somebody_else_that_covers_is_awaited(engine: str, make_estate: MakeEstate) -> None:
    estate = make_estate(engine=engine, cycle_seconds=3.0)
    since = (datetime.now(timezone.utc) - timedelta(minutes=1)).isoformat()
    estate.sync.start_cycle()
    wait_until(lambda: estate.sync.cycles[0].import_began)
    result = procedures.trigger(estate, since=since)
    assert (result["sync"]["ownership"], result["sync"]["state"], result["changed"]) == ("foreign", "verified", False), result
    assert len(estate.sync.cycles) == 1


@pytest.mark.parametrize(("engine", "fault", "reason"), [
    ("dirsync", "cloud_sign_in", "cloud_sign_in_blocked"),
    ("aadsync", "cloud_sign_in", "cloud_sign_in_blocked"),
    ("aadsync", "credentials", "connector_credentials"),
    ("dirsync", "directory_unreachable", "connector_unreachable"),
])  # fmt: skip
def test_a_run_that_fails_tells_its_cause(engine: str, fault: str, reason: str, make_estate: MakeEstate) -> None:
    estate = make_estate(engine=engine)
    estate.sync.arm(fault, times=9)
    result = procedures.trigger(estate)
    assert result["failure_reason"] == reason, result
    assert ("has been refused by the cloud since" in result["msg"]) is (fault == "cloud_sign_in")


def test_errors_of_objects_are_told_with_their_names(make_estate: MakeEstate) -> None:
    from fim_servers import OneUser

    estate = make_estate(engine="aadsync")
    estate.sync.engine.directory = OneUser()
    estate.sync.arm("export_error", error="AttributeValueMustBeUnique")
    result = procedures.trigger(estate, fail_on="errors")
    assert result["failure_reason"] == "object_errors"
    (error,) = [error for run in result["runs"] for error in run["errors"]]
    assert error["type"] == "AttributeValueMustBeUnique"
    assert error["dn"].startswith("CN={")


def test_the_keys_of_info_are_the_same_on_every_engine(make_estate: MakeEstate) -> None:
    def shape(value: Any) -> Any:
        return {key: shape(item) for key, item in value.items() if key not in ("services", "problems")} if isinstance(value, dict) else None

    shapes = [shape(procedures.inform(make_estate(engine=engine))) for engine in ("connect", "connect-1.1.105", "aadsync", "dirsync")]
    assert all(one == shapes[0] for one in shapes)


@pytest.mark.parametrize("engine", ["dirsync", "aadsync", "connect-1.1.380"])
def test_a_german_server_gives_the_same_verdicts(engine: str, make_estate: MakeEstate) -> None:
    estate = make_estate(engine=engine, language="de", culture="de-DE", codepage=850)
    assert procedures.trigger(estate)["sync"]["state"] == "verified"
    assert procedures.trigger(estate, "svc-outsider")["failure_reason"] in ("engine_access_denied", "start_rejected")
    estate.sync.configure(service_running=False)
    assert procedures.trigger(estate)["failure_reason"] == "service_stopped"


def test_wmi_that_is_denied_to_the_network_logon_is_read_by_the_local_route(make_estate: MakeEstate) -> None:
    estate = make_estate(engine="aadsync")
    query = estate.sync._verbs["cim_query"]

    def only_locally(caller: Any, p: dict[str, Any]) -> Any:
        if caller.network_logon:
            estate.sync.configure(wmi="denied")
        try:
            return query(caller, p)
        finally:
            estate.sync.configure(wmi="readable")

    estate.sync._verbs["cim_query"] = only_locally
    result = procedures.trigger(estate, wait_timeout=LONG)
    assert result["sync"]["state"] == "verified", result
    assert "wmi" in result["evidence"]
    assert estate.left_behind()["task_folders"] == []


def test_a_broken_watch_is_looked_at_again(make_estate: MakeEstate) -> None:
    estate = make_estate(engine="dirsync", cycle_seconds=2.0)
    shell = procedures.open_shell(estate, seconds=30)
    call, broken = shell.call, []

    def break_once(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "watch" and not broken:
            broken.append(name)
            raise ConnectionBroken("The connection ended.")
        return call(name, *arguments, **options)

    shell.call = break_once  # type: ignore[method-assign]
    estate.sync.start_cycle()
    result = procedures.trigger_over([("sync1", shell)])
    assert result["failure_reason"] in (None, "unreachable")
    assert len(estate.sync.cycles) <= 2


def test_the_cycle_of_another_account_is_not_ones_own(make_estate: MakeEstate) -> None:
    """The product's scheduler was faster: the executable that the task started finds the engine busy and ends without a word."""
    estate = make_estate(engine="aadsync-exe")
    estate.sync.arm("foreign_cycle")
    result = procedures.trigger(estate)
    assert (result["sync"]["ownership"], result["sync"]["state"]) == ("unconfirmed", "verified"), result
    assert len(estate.sync.cycles) == 1


@pytest.mark.parametrize("engine", ["dirsync_legacy", "dirsync", "aadsync", "aad-connect-1.0", "connect-1.3"])
def test_a_retired_version_is_warned_of_once_and_refused_where_that_is_wanted(engine: str, make_estate: MakeEstate) -> None:
    estate = make_estate(engine=engine)
    refused = procedures.trigger(estate, on_retired="refuse")
    assert (refused["failure_reason"], refused["support"], refused["changed"]) == ("engine_unsupported", "refused", False)
    assert estate.sync.cycles == []
    result = procedures.trigger(estate)
    assert (result["failure_reason"], result["support"], result["version"]) == (None, "refused", estate.sync.options.product_version)
    assert len([warning for warning in result["warnings"] if "has been refused by the cloud since" in warning]) == 1
