# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What the simulated servers of the older engines have in common: run history by WMI, faults, languages."""

from __future__ import annotations

import threading
import time

import pytest
from fim_servers import ADMINISTRATOR, NAMESPACE, OUTSIDER, MakeServer, details, profiles, refused, runs
from patience import wait_until

from lab.engines import ENGINES


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_starts_runs_and_stops(name: str, make: MakeServer) -> None:
    server = make(name)
    assert server.start_cycle()
    assert not server.start_cycle(), "one cycle at a time"
    assert server.wait_idle()
    assert [cycle.full for cycle in server.cycles] == [False]
    assert [change.operation for change in server.engine.tenant.changes] == ["add"]


@pytest.mark.parametrize("name", ["dirsync_legacy", "dirsync", "aadsync", "connect-1.1.105", "connect-1.3"])
def test_run_history_by_wmi_has_counters_and_step_types(name: str, make: MakeServer) -> None:
    server = make(name)
    server.start_cycle(full=True)
    server.wait_idle()
    found = runs(server)
    assert all(run["RunStatus"] == "success" and len(run["RunStartTime"]) == len("2026-01-01 00:00:00.000") for run in found)
    exported = runs(server, condition=f"RunProfile = 'Export' AND MaGuid = '{{{'b891884f-051e-4a83-95af-2544101c9083'.upper()}}}'")
    assert len(exported) == 1
    document = details(server, exported[0])
    assert document.findtext(".//export-add") == "1"
    assert document.find(".//step-type").get("type") == "export"  # type: ignore[union-attr]
    imported = next(run for run in reversed(found) if run["MaName"] == server.engine.connectors[0].name)
    assert details(server, imported).findtext(".//stage-add") == "1"
    assert details(server, imported).find(".//step-type").get("type", "").startswith("full-import")  # type: ignore[union-attr]
    assert details(server, imported).findtext(".//security-id") == server.options.run_account


@pytest.mark.parametrize("name", ["dirsync", "aadsync", "connect-1.1.380"])
def test_wmi_denied_absent_empty(name: str, make: MakeServer) -> None:
    server = make(name)
    assert "0x80041003" in refused(server, OUTSIDER, "cim_query", {"Namespace": NAMESPACE, "ClassName": "MIIS_RunHistory"}).error_id
    server.start_cycle()
    server.wait_idle()
    server.configure(wmi="empty")
    assert runs(server) == []
    server.configure(wmi="absent")
    assert "0x8004100e" in refused(server, ADMINISTRATOR, "cim_query", {"Namespace": NAMESPACE, "ClassName": "MIIS_RunHistory"}).error_id


def test_between_two_runs_everything_looks_idle(make: MakeServer) -> None:
    server = make("dirsync", cycle_seconds=4.0)
    server.start_cycle()
    seen: set[tuple[str, bool]] = set()
    while server.engine.in_progress:
        statuses = [run["RunStatus"] for run in runs(server)]
        seen.add(("in-progress" if "in-progress" in statuses else "idle", bool(statuses)))
        time.sleep(0.01)
    assert ("idle", True) in seen, "after the first run and before the last"
    assert ("in-progress", True) in seen


def test_a_running_step_has_no_end_date(make: MakeServer) -> None:
    server = make("aadsync", cycle_seconds=4.0)
    server.start_cycle()
    wait_until(lambda: runs(server))
    run = runs(server)[0]
    assert (run["RunStatus"], run["RunEndTime"]) == ("in-progress", "")
    assert details(server, run).find(".//end-date") is None
    server.configure(running_end_time="minimum")
    assert runs(server)[0]["RunEndTime"] == "0001-01-01 00:00:00.000"


def test_a_plan_that_nobody_knows(make: MakeServer) -> None:
    server = make("aadsync", plan="unknown")
    server.start_cycle()
    server.wait_idle()
    assert all(name.startswith("Lauf ") for name in profiles(server))
    assert details(server, runs(server)[0]).find(".//step-type") is None


@pytest.mark.parametrize(
    ("fault", "result"),
    [
        ("credentials", "no-start-credentials"),
        ("directory_unreachable", "no-start-connection"),
        ("cloud_sign_in", "stopped-extension-dll-exception"),
    ],
)
def test_faults_show_in_the_run_history(fault: str, result: str, make: MakeServer) -> None:
    server = make("dirsync")
    server.arm(fault)
    server.start_cycle()
    server.wait_idle()
    assert result in [run["RunStatus"] for run in runs(server)]


def test_an_object_error_is_in_the_details(make: MakeServer) -> None:
    server = make("aadsync")
    server.arm("export_error", error="AttributeValueMustBeUnique")
    server.start_cycle()
    server.wait_idle()
    run = runs(server, condition="RunStatus = 'completed-export-errors'")[0]
    document = details(server, run)
    assert document.findtext(".//export-error/error-type") == "AttributeValueMustBeUnique"
    assert document.findtext(".//export-failure") == "1"
    assert server.engine.tenant.changes == []


def test_execute_is_synchronous_and_one_at_a_time(make: MakeServer) -> None:
    server = make("dirsync", cycle_seconds=3.0)
    agent = server.call(ADMINISTRATOR, "cim_query", {"Namespace": NAMESPACE, "ClassName": "MIIS_ManagementAgent"})[1]
    question = {
        "Namespace": NAMESPACE,
        "ClassName": "MIIS_ManagementAgent",
        "Key": {"Guid": agent["Guid"]},
        "Arguments": {"RunProfileName": "Export"},
    }
    results: list[str] = []

    def execute() -> None:
        results.append(server.call(ADMINISTRATOR, "cim_invoke", {**question, "MethodName": "Execute"})["ReturnValue"])

    first = threading.Thread(target=execute)
    first.start()
    wait_until(lambda: server.engine.busy)
    running = {
        name: server.call(ADMINISTRATOR, "cim_invoke", {**question, "MethodName": name})["ReturnValue"]
        for name in ("RunStatus", "RunNumber")
    }
    assert running == {"RunStatus": "in-progress", "RunNumber": ""}, "numbers and times are told of an idle agent only"
    execute()
    first.join()
    assert server.call(ADMINISTRATOR, "cim_invoke", {**question, "MethodName": "RunNumber"})["ReturnValue"] == "1"
    assert results == ["no-start-ma-already-running", "success"]
    unknown = {**question, "MethodName": "Execute", "Arguments": {"RunProfileName": "Nothing"}}
    assert server.call(ADMINISTRATOR, "cim_invoke", unknown)["ReturnValue"] == "no-start-unknown-profile-name"
    assert server.call(ADMINISTRATOR, "cim_invoke", {**question, "MethodName": "RunStatus"})["ReturnValue"] == "success"


def test_a_purged_history_is_empty(make: MakeServer) -> None:
    server = make("aadsync")
    server.start_cycle()
    server.wait_idle()
    question = {
        "Namespace": NAMESPACE,
        "ClassName": "MIIS_Server",
        "MethodName": "ClearRuns",
        "Arguments": {"ClearRunsBeforeDate": "2999-01-01"},
    }
    assert server.call(ADMINISTRATOR, "cim_invoke", question)["ReturnValue"] == "success"
    assert runs(server) == []


def test_german_servers_speak_german_with_the_same_marks(make: MakeServer) -> None:
    english, german = make("dirsync"), make("dirsync", language="de")
    for name, parameters in (
        ("Get-Service", {"Name": "x"}),
        ("task_get", {"path": "\\x"}),
        ("registry_values", {"path": "HKLM:\\SOFTWARE\\x"}),
    ):
        one, other = (refused(server, ADMINISTRATOR, name, parameters) for server in (english, german))
        assert (one.type, one.hresult, one.error_id) == (other.type, other.hresult, other.error_id)
        assert one.message != other.message
