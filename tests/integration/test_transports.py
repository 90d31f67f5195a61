# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Both transports through ansible-playbook: the task's connection, and the Python module with `server`. Same options, same keys."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import procedures
import pytest
from estates import MakeEstate
from patience import FOR_EVER, LONG, ends

from lab.estate import ACCOUNTS, Estate, EstateOptions


def _over(way: str, estate: Estate, **how: Any) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """Inventory, hosts pattern and additional task options of a transport."""
    if way == "connection":
        return {"sync_servers": {"hosts": {"sync1": estate.connection_variables(**how)}}}, "sync1", {}
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    options = estate.server_options(
        user=how.get("user", "svc-sync"), tls=how.get("tls", False), authentication=how.get("transport", "ntlm")
    )
    return {"all": {"hosts": {"localhost": local}}}, "localhost", options


def _task(module: str, **options: Any) -> dict[str, Any]:
    return {f"hybrid.identity.{module}": options}


TRANSPORTS = ["connection", "module"]


@pytest.fixture
def estate() -> Iterator[Estate]:
    """For what happens on this side of the connection: whether scripts or their fakes run on the other does not matter."""
    with Estate(EstateOptions(directory=False, tenant=False, cycle_seconds=0.6, powershell="none")) as started:
        yield started
        assert started.wsman.log.failures == []


@pytest.mark.parametrize(
    ("how", "scripts_with"),
    [({}, "fakes"), ({}, "powershell"), ({"transport": "basic", "tls": True}, "fakes")],
    ids=["ntlm-http-fakes", "ntlm-http-powershell", "basic-https-fakes"],
    indirect=["scripts_with"],
)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_same_answers_over_every_road(transport: str, how: dict[str, Any], make_estate: MakeEstate, tmp_path: Path) -> None:
    estate = make_estate(cycle_seconds=0.8)
    inventory, hosts, connection = _over(transport, estate, **how)
    since = procedures.lately()
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
    assert [(one["enabled"], one["health"]) for one in info["password_sync"]["connectors"]] == [(True, "healthy")]
    keys = {
        "changed",
        "server",
        "engine",
        "version",
        "support",
        "sync",
        "runs",
        "changes",
        "objects",
        "evidence",
        "clock_skew",
        "clock_uncertainty",
        "ticket",
        "skip_reason",
        "failure_reason",
        "msg",
    }
    assert set(first) >= keys
    assert set(second) >= keys
    assert set(first) - keys <= {"failed", "diff", "warnings", "invocation", "ansible_facts", "ansible_parsed", "deprecations"}
    log = estate.wsman.log
    assert log.shells_opened == log.shells_closed == 3


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_check_and_diff_mode(transport: str, estate: Estate, tmp_path: Path) -> None:
    inventory, hosts, connection = _over(transport, estate)
    (result,) = procedures.task_results(tmp_path, inventory, hosts, _task("dirsync_trigger", **connection), arguments=("--check", "--diff"))
    assert result["changed"] is True
    assert result["diff"]["before"] != result["diff"]["after"]
    assert estate.sync.cycles == []


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_failures_have_their_reason_over_every_road(transport: str, estate: Estate, tmp_path: Path) -> None:
    estate.sync.configure(staging=True)
    tasks = []
    for user, change in (("svc-sync", {}), ("svc-noremoting", {}), ("svc-sync", {"password": "wrong-Passw0rd"}), ("svc-sync", {"port": 9})):
        inventory, hosts, connection = _over(transport, estate, user=user)
        if transport == "connection":
            host = {**inventory["sync_servers"]["hosts"]["sync1"], **{f"ansible_{name}": value for name, value in change.items()}}
            tasks.append({**_task("dirsync_trigger"), "vars": host})
        else:
            tasks.append(_task("dirsync_trigger", **{**connection, **change}))
    results = procedures.task_results(tmp_path, inventory, hosts, *tasks)
    assert [result["failure_reason"] for result in results] == ["staging", "remoting_denied", "authentication_failed", "unreachable"]
    assert all(result["failed"] is True and "\n" not in result["msg"] for result in results)


def test_progress_is_shown_while_it_runs(estate: Estate, tmp_path: Path) -> None:
    inventory, hosts, _connection = _over("connection", estate)
    done = procedures.run_playbook(tmp_path, inventory, [{"hosts": hosts, "gather_facts": False, "tasks": [_task("dirsync_trigger")]}])
    assert "sync1: starting a delta cycle" in done.stderr
    assert done.returncode == 0


#: what ansible.posix.json does: one document on standard output when the play is over
_JSON_CALLBACK = '''
DOCUMENTATION = """
name: document
type: stdout
short_description: One JSON document
description: One JSON document.
"""
import json
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, "stdout", "document"

    def __init__(self):
        super().__init__()
        self.results = []

    def v2_runner_on_ok(self, result, **kwargs):
        self.results.append(getattr(result, "result", None) or result._result)

    v2_runner_on_failed = v2_runner_on_unreachable = v2_runner_on_ok

    def v2_playbook_on_stats(self, stats):
        self._display.display(json.dumps(self.results, default=str))
'''


def _document(folder: Path, inventory: dict[str, Any], plays: list[dict[str, Any]]) -> Any:
    """Run plays with the callback above; the last line of standard output is its document, with the result of every task."""
    (folder / "callbacks").mkdir()
    (folder / "callbacks" / "document.py").write_text(_JSON_CALLBACK)
    environment = {"ANSIBLE_STDOUT_CALLBACK": "document", "ANSIBLE_CALLBACK_PLUGINS": str(folder / "callbacks")}
    return procedures.run_playbook(folder, inventory, plays, environment=environment)


def test_progress_does_not_break_a_document_on_standard_output(estate: Estate, tmp_path: Path) -> None:
    inventory, hosts, _connection = _over("connection", estate)
    done = _document(tmp_path, inventory, [{"hosts": hosts, "gather_facts": False, "tasks": [_task("dirsync_trigger")]}])
    (result,) = json.loads(done.stdout)
    assert result["sync"]["ownership"] == "own"
    assert "sync1: starting a delta cycle" in done.stderr


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_bad_options_are_said_by_name(transport: str, estate: Estate, tmp_path: Path) -> None:
    inventory, hosts, connection = _over(transport, estate)
    secret = {"password": "Secret-Passw0rd.Of.The.Test"} if transport == "module" else {}
    both, unknown, policy, number = results = procedures.task_results(
        tmp_path,
        inventory,
        hosts,
        _task("dirsync_trigger", **{**connection, **secret}, since="2026-01-01T00:00:00Z", max_age=5),
        _task("dirsync_trigger", **{**connection, **secret}, sinec="x"),
        _task("dirsync_trigger", **connection, type="Initial"),
        _task("dirsync_info", **{**connection, **secret, "port": "Secret-Passw0rd.Of.The.Test"}),
    )
    assert "mutually exclusive" in both["msg"]
    assert "Unsupported parameters for hybrid.identity.dirsync_trigger: sinec. Supported parameters include:" in unknown["msg"]
    assert "wait_timeout" in unknown["msg"], "the list is whole"
    assert "Initial" in policy["msg"]
    assert "port" in number["msg"]
    for result in results:
        assert (result["failed"], result["failure_reason"]) == (True, "invalid_input")
        assert "Traceback" not in json.dumps(result)
        assert transport == "connection" or "Secret-Passw0rd" not in json.dumps(result)
    assert estate.wsman.log.requests == 0


#: options, keywords of the task, and what the failure says
IGNORED: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    ({"username": "x", "password": "y"}, {}, ["username, password without server", "ansible_user"]),
    ({"validate_certs": False}, {}, ["validate_certs without server"]),
    ({}, {"become": True}, ["become: false", "ansible_user"]),
    ({"server": "127.0.0.1", "username": "x", "password": "y"}, {}, ["leave server out", "delegate_to: localhost"]),
]  # fmt: skip


def test_what_would_be_ignored_is_refused(estate: Estate, tmp_path: Path) -> None:
    inventory, hosts, _connection = _over("connection", estate)
    cases = [(module, *case) for module in ("dirsync_trigger", "dirsync_info") for case in IGNORED]
    tasks = [{**_task(module, **options), **keywords} for module, options, keywords, _words in cases]
    for (module, options, keywords, words), result in zip(cases, procedures.task_results(tmp_path, inventory, hosts, *tasks)):
        assert (result["failed"], result["failure_reason"], result["changed"]) == (True, "invalid_input", False), (
            module,
            options,
            keywords,
        )
        assert all(word in result["msg"] for word in words), result["msg"]
    assert estate.wsman.log.requests == 0


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_server_that_cannot_be_got_at_is_unreachable_where_the_play_asks_for_it(transport: str, estate: Estate, tmp_path: Path) -> None:
    estate.sync.configure(staging=True)
    inventory, hosts, connection = _over(transport, estate)

    def play(change: dict[str, Any]) -> tuple[int, str]:
        """The exit code, and how often the host was failed and unreachable."""
        _inventory, _hosts, own = _over(transport, estate)
        if transport == "connection":
            _inventory["sync_servers"]["hosts"]["sync1"].update({f"ansible_{name}": value for name, value in change.items()})
        else:
            own.update(change)
        tasks = [
            _task("dirsync_trigger", on_unreachable="unreachable", **own) | {"ignore_unreachable": True, "register": "kept"},
            {"ansible.builtin.assert": {"that": ["kept.unreachable", "kept.failure_reason in ['unreachable', 'authentication_failed']"]}},
            _task("dirsync_info", on_unreachable="unreachable", **own),
        ]
        done = procedures.run_playbook(tmp_path, _inventory, [{"hosts": hosts, "gather_facts": False, "tasks": tasks}])
        return done.returncode, done.stdout

    for change in ({"port": 9}, {"password": "wrong-Passw0rd"}):
        code, shown = play(change)
        assert code == 4, shown
        assert all(words in shown for words in ("unreachable=1", "ignored=1", "failed=0")), shown
        assert "Traceback" not in shown
    (result,) = procedures.task_results(tmp_path, inventory, hosts, _task("dirsync_trigger", on_unreachable="unreachable", **connection))
    assert (result["failed"], result["failure_reason"]) == (True, "staging"), "a server that answers is not unreachable"
    assert not result.get("unreachable")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_what_is_open_to_others_is_warned_of(transport: str, estate: Estate, tmp_path: Path) -> None:
    inventory, hosts, connection = _over(transport, estate, transport="basic")
    tasks = [_task(module, **connection) for module in ("dirsync_info", "dirsync_trigger")]
    for result in procedures.task_results(tmp_path, inventory, hosts, *tasks):
        assert any("basic over http" in str(warning) for warning in result["warnings"]), result.get("warnings")


def test_a_timeout_of_the_task_itself_ends_it_at_once(estate: Estate, tmp_path: Path) -> None:
    """The keyword works by an alarm in the worker, which waits for a call that hangs."""
    inventory, hosts, _connection = _over("connection", estate)
    estate.faults.arm("hang", verb="Receive", seconds=FOR_EVER)
    with ends(2 * LONG):
        (result,) = procedures.task_results(tmp_path, inventory, hosts, {**_task("dirsync_trigger"), "timeout": 3})
    assert result["failed"] is True
    log = estate.wsman.log
    assert log.shells_opened == log.shells_closed == 1


GROUPS = {
    "dirsync": {"dirsync_info", "dirsync_trigger"},
    "directory": {"ad_users"},
    "graph": {"entra_user", "onboarding_batch"},
    "all": {"ad_users", "dirsync_info", "dirsync_trigger", "entra_user", "onboarding_batch", "onboarding_report"},
}


def test_module_defaults_reach_the_members_of_a_group_and_nobody_else(tmp_path: Path) -> None:
    options: dict[str, dict[str, Any]] = {
        "ad_users": {"directory_server": "127.0.0.1", "port": 9, "username": "x", "password": "y", "users": []},
        "entra_user": {"users": []},
        "onboarding_batch": {"people": []},
        "onboarding_report": {"people": []},
    }
    modules = sorted(GROUPS["all"])
    plays = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "module_defaults": {f"group/hybrid.identity.{group}": {"no_such_option": 1}},
            "tasks": [{**_task(module, **options.get(module, {})), "ignore_errors": True} for module in modules],
        }
        for group in GROUPS
    ]
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    done = _document(tmp_path, {"all": {"hosts": {"localhost": local}}}, plays)
    results = json.loads(done.stdout.splitlines()[-1])
    for group, members in GROUPS.items():
        mine, results = results[: len(modules)], results[len(modules) :]
        assert {module for module, result in zip(modules, mine) if "no_such_option" in result["msg"]} == members, group


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_group_sets_the_connection_of_its_members(transport: str, estate: Estate, tmp_path: Path) -> None:
    inventory, hosts, connection = _over(transport, estate)
    info, trigger = procedures.task_results(
        tmp_path,
        inventory,
        hosts,
        _task("dirsync_info"),
        _task("dirsync_trigger"),
        defaults={"group/hybrid.identity.dirsync": {**connection, "engine": "connect", "on_unreachable": "unreachable"}},
    )
    assert (info["engine"], trigger["sync"]["ownership"]) == ("connect", "own"), (info, trigger)


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


def test_cost_of_a_cycle(make_estate: MakeEstate, tmp_path: Path) -> None:
    """NTLM over http: at most 30 requests, 87 KB both ways, 3 process starts; one shell, closed.

    `make bench` has a cycle of 20 s with its times: for that one more request waits without an answer, and it may take 90 KB.
    """
    estate = make_estate(cycle_seconds=5)
    inventory, hosts, _connection = _over("connection", estate)
    (result,) = procedures.task_results(tmp_path, inventory, hosts, _task("dirsync_trigger"))
    assert result["sync"]["state"] == "verified", result
    cost = estate.wsman.log.snapshot()
    kilobytes = (cost["bytes_in"] + cost["bytes_out"]) / 1024
    print(f"\n{estate.host.mode}: {cost['requests']} requests, {kilobytes:.1f} KB, {estate.host.processes_started} process starts")
    assert cost["requests"] <= 30
    assert kilobytes <= 87
    assert estate.host.processes_started == 3
    assert cost["shells_opened"] == cost["shells_closed"] == 1
