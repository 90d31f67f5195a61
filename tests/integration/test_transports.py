# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Both transports through ansible-playbook: the task's connection, and the Python module with `server`. Same options, same keys."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import procedures
import pytest
from estates import MakeEstate

from lab.estate import ACCOUNTS, Estate


def _over(transport: str, estate: Estate, /, **how: Any) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """Inventory, hosts pattern and additional task options of a transport."""
    if transport == "connection":
        return {"sync_servers": {"hosts": {"sync1": estate.connection_variables(**how)}}}, "sync1", {}
    import sys

    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    options = estate.server_options(
        user=how.get("user", "svc-sync"), tls=how.get("tls", False), authentication=how.get("transport", "ntlm")
    )
    return {"all": {"hosts": {"localhost": local}}}, "localhost", options


def _task(module: str, **options: Any) -> dict[str, Any]:
    return {f"hybrid.identity.{module}": options}


TRANSPORTS = ["connection", "module"]


@pytest.mark.parametrize("how", [{}, {"transport": "basic", "tls": True}], ids=["ntlm-http", "basic-https"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_same_answers_over_every_road(transport: str, how: dict[str, Any], make_estate: MakeEstate, tmp_path: Path) -> None:
    estate = make_estate(cycle_seconds=0.8)
    inventory, hosts, connection = _over(transport, estate, **how)
    since = datetime.now(timezone.utc).isoformat()
    first, second, info = procedures.task_results(
        tmp_path,
        inventory,
        hosts,
        _task("dirsync_trigger", since=since, **connection),
        _task("dirsync_trigger", since=since, **connection),
        _task("dirsync_info", **connection),
    )
    assert (first["changed"], first["sync"]["ownership"], first["sync"]["state"]) == (True, "own", "verified"), first
    assert (second["changed"], second["sync"]["ownership"]) == (False, "foreign")
    assert info["engine"] == "connect"
    keys = {"changed", "server", "engine", "version", "sync", "runs", "changes", "evidence", "clock_skew", "failure_reason", "msg"}
    assert set(first) >= keys
    assert set(second) >= keys
    assert set(first) - keys <= {"failed", "diff", "warnings", "invocation", "ansible_facts", "ansible_parsed", "deprecations"}
    log = estate.wsman.log
    assert log.shells_opened == log.shells_closed == 3


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_check_and_diff_mode(transport: str, make_estate: MakeEstate, tmp_path: Path) -> None:
    estate = make_estate()
    inventory, hosts, connection = _over(transport, estate)
    (result,) = procedures.task_results(tmp_path, inventory, hosts, _task("dirsync_trigger", **connection), arguments=("--check", "--diff"))
    assert result["changed"] is True
    assert result["diff"]["before"] != result["diff"]["after"]
    assert estate.sync.cycles == []


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_failures_have_their_reason_over_every_road(transport: str, make_estate: MakeEstate, tmp_path: Path) -> None:
    estate = make_estate(connect={"staging": True})
    reasons = []
    for user, change in (("svc-sync", {}), ("svc-noremoting", {}), ("svc-sync", {"password": "wrong-Passw0rd"}), ("svc-sync", {"port": 9})):
        inventory, hosts, connection = _over(transport, estate, user=user)
        if transport == "connection":
            inventory["sync_servers"]["hosts"]["sync1"].update({f"ansible_{name}": value for name, value in change.items()})
        else:
            connection.update(change)
        (result,) = procedures.task_results(tmp_path, inventory, hosts, _task("dirsync_trigger", **connection))
        reasons.append(result["failure_reason"])
        assert result["failed"] is True
        assert "\n" not in result["msg"]
        (tmp_path / "result-0.json").unlink()
    assert reasons == ["staging", "remoting_denied", "authentication_failed", "unreachable"]


def test_progress_is_shown_while_it_runs(make_estate: MakeEstate, tmp_path: Path) -> None:
    estate = make_estate()
    inventory, hosts, _connection = _over("connection", estate)
    done = procedures.run_playbook(tmp_path, inventory, [{"hosts": hosts, "gather_facts": False, "tasks": [_task("dirsync_trigger")]}])
    assert "sync1: starting a delta cycle" in done.stderr
    assert done.returncode == 0


def test_bad_options_are_said_by_name(make_estate: MakeEstate, tmp_path: Path) -> None:
    estate = make_estate()
    inventory, hosts, _connection = _over("connection", estate)
    both, unknown, policy = procedures.task_results(
        tmp_path,
        inventory,
        hosts,
        _task("dirsync_trigger", since="2026-01-01T00:00:00Z", max_age=5),
        _task("dirsync_trigger", sinec="x"),
        _task("dirsync_trigger", type="Initial"),
    )
    assert "mutually exclusive" in both["msg"]
    assert "sinec" in unknown["msg"]
    assert "Initial" in policy["msg"]


def test_no_secret_shows_anywhere(make_estate: MakeEstate, tmp_path: Path) -> None:
    """-vvvvv output, results, diffs, the lab's request log and the process list hold no password."""
    estate = make_estate(cycle_seconds=1.5)
    password = ACCOUNTS["svc-sync"][0]
    seen: list[str] = []
    for transport in TRANSPORTS:
        inventory, hosts, connection = _over(transport, estate)
        if transport == "module":
            connection["password"] = "{{ lookup('ansible.builtin.env', 'LAB_SECRET') }}"
        play = {
            "hosts": hosts,
            "gather_facts": False,
            "tasks": [{**_task("dirsync_trigger", **connection), "register": "r"}, {"ansible.builtin.debug": {"var": "r"}}],
        }
        process_list: list[str] = []
        done = _watching_processes(
            process_list,
            lambda play=play, inventory=inventory: procedures.run_playbook(
                tmp_path, inventory, [play], "-vvvvv", "--diff", environment={"LAB_SECRET": password}
            ),
        )
        assert done.returncode == 0, done.stdout
        assert process_list
        seen += [done.stdout, done.stderr, *process_list]
    seen += [str(record) for record in estate.wsman.log.audit] + estate.wsman.log.failures
    assert estate.wsman.log.audit
    for text in seen:
        assert password not in text


def _watching_processes(found: list[str], work: Any) -> Any:
    """Run something, and collect the command lines of every process on the machine meanwhile."""
    import threading

    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            for line in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    text = line.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                if "ansible" in text:
                    found.append(text)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        return work()
    finally:
        stop.set()
        thread.join()


def test_cost_of_a_cycle_of_twenty_seconds(make_estate: MakeEstate, tmp_path: Path) -> None:
    """NTLM over http: the end is noticed within 1.5 s; at most 30 requests, 90 KB both ways, 6 process starts; one shell, closed."""
    estate = make_estate(cycle_seconds=20)
    inventory, hosts, _connection = _over("connection", estate)
    began = time.monotonic()
    (result,) = procedures.task_results(tmp_path, inventory, hosts, _task("dirsync_trigger"))
    assert result["sync"]["state"] == "verified", result
    cost = estate.wsman.log.snapshot()
    finished = estate.sync.cycles[0].finished
    assert finished is not None
    noticed = datetime.fromisoformat(result["sync"]["finished_at"].replace("Z", "+00:00"))
    late = (noticed - finished).total_seconds() + abs(result["clock_skew"])
    kilobytes = (cost["bytes_in"] + cost["bytes_out"]) / 1024
    print(f"\n{estate.host.mode}: {cost['requests']} requests, {kilobytes:.1f} KB, {estate.host.processes_started} process starts, "
          f"end noticed after {late:.2f} s, {time.monotonic() - began:.1f} s in all")  # fmt: skip
    assert late <= 1.5
    assert cost["requests"] <= 30
    assert kilobytes <= 90
    assert estate.host.processes_started <= 6
    assert cost["shells_opened"] == cost["shells_closed"] == 1
