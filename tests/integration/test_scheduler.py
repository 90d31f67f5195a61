# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""dirsync_scheduler against the simulated servers of every engine: what was set there, and what stayed."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import procedures
import pytest
from estates import COVERAGE, POWERSHELL

from ansible_collections.hybrid.identity.plugins.module_utils._engines._dirsync_scheduler import DirSyncScheduler
from ansible_collections.hybrid.identity.plugins.module_utils._engines._scheduler_drivers import SCHEDULERS
from lab.estate import Estate, EstateOptions
from lab.fim.services import Service
from lab.windows.older_fakes import lock_of

KEYS = {"changed", "server", "engine", "version", "scheduler", "failure_reason", "msg"}
SETTINGS = {"enabled", "interval", "effective_interval", "allowed_interval", "next_type", "suspended", "staging"}
_TASK = "\\Azure AD Sync Scheduler"
_DRIVER = "ansible_collections.hybrid.identity.plugins.module_utils._engines._dirsync_scheduler"
_DECIDE = "ansible_collections.hybrid.identity.plugins.module_utils._scheduler._decide"
_ESTATES: dict[str, dict[str, Any]] = {
    "connect": {"engine": "connect"},
    "connect-1.1.105": {"engine": "connect-1.1.105"},
    "connect-1.1.380": {"engine": "connect-1.1.380"},
    "dirsync_legacy": {"engine": "dirsync_legacy"},
    "aadsync": {"engine": "aadsync", "connect": {"task_logon": "service"}},
    "dirsync": {"engine": "dirsync", "connect": {"config_encoding": "utf-16", "language": "de"}},
}


def _estates(powershell: str) -> Iterator[Callable[[str], Estate]]:
    """One estate of each engine for the tests of this file, started when the first one asks for it."""
    estates: dict[str, Estate] = {}

    def get(engine: str) -> Estate:
        if engine not in estates:
            options = {"directory": False, "tenant": False, "cycle_seconds": 0.6, "coverage": COVERAGE, **_ESTATES[engine]}
            estates[engine] = Estate(EstateOptions(powershell=powershell, **options))
            estates[engine].start()
        return estates[engine]

    yield get
    for estate in estates.values():
        failures = estate.wsman.log.failures
        estate.stop()
        assert failures == []


@pytest.fixture(scope="module")
def estate_of(scripts_with: str) -> Iterator[Callable[[str], Estate]]:
    """With the scripts in PowerShell, and with their fakes: for what is a branch of a script."""
    yield from _estates(POWERSHELL or "" if scripts_with == "powershell" else "none")


@pytest.fixture(scope="module")
def fake_estate_of() -> Iterator[Callable[[str], Estate]]:
    """With fakes alone: for what is decided outside the scripts."""
    yield from _estates("none")


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cycles are short in the lab, and so is what has to be awaited."""
    monkeypatch.setattr(procedures.RemoteShell, "RETRY_PAUSES", (0.1, 0.2))
    monkeypatch.setattr(f"{_DECIDE}.PAUSE", 0.2)
    for name in ("dirsync", "dirsync_legacy"):
        monkeypatch.setitem(
            SCHEDULERS,  # type: ignore[arg-type]
            name,
            lambda engine, probe: DirSyncScheduler(folder=engine.folder, quiet=0.4),
        )


def _after(result: dict[str, Any], *names: str) -> tuple[Any, ...]:
    assert set(result) >= KEYS
    assert set(result["scheduler"]["after"]) == SETTINGS
    return tuple(result["scheduler"]["after"][name] for name in names)


def test_connect_is_set_once_and_predicted_before(estate_of: Any, scripts_with: str) -> None:
    """PowerShell runs the scripts as 3.0, which an older build's server may have."""
    estate = estate_of("connect-1.1.380" if scripts_with == "powershell" else "connect")
    wanted = {"enabled": False, "interval": 3600, "next_type": "full"}
    predicted = procedures.schedule(estate, check_mode=True, **wanted)
    assert (predicted["changed"], _after(predicted, *wanted)) == (True, (False, 3600.0, "full"))
    assert estate.sync.record.settings == []
    result = procedures.schedule(estate, **wanted)
    assert (result["changed"], result["engine"], _after(result, *wanted)) == (True, "connect", (False, 3600.0, "full"))
    assert result["msg"] == "Set enabled to false, interval to 3600 s, next_type to full."
    assert result["diff"]["before"]["interval"] == 1800.0
    assert _after(result, "effective_interval", "staging") == (3600.0, False)
    (given,) = estate.sync.record.settings
    assert set(given) == {"SyncCycleEnabled", "CustomizedSyncCycleInterval", "NextSyncCyclePolicyType"}, "and no flag of another kind"
    again = procedures.schedule(estate, **wanted)
    assert (again["changed"], again["diff"]["before"]) == (False, again["diff"]["after"])
    back = procedures.schedule(estate, enabled=True, interval=0, next_type="delta")
    assert (back["changed"], _after(back, "enabled", "interval", "next_type")) == (True, (True, 1800.0, "delta"))
    assert estate.sync.options.interval == timedelta(minutes=30)
    estate.sync.configure(interval=timedelta(hours=2), interval_takes_null=False)
    back = procedures.schedule(estate, interval=0)
    assert (back["changed"], _after(back, "interval")) == (True, (1800.0,)), "where null is none, the allowed interval means the same"
    assert estate.sync.cycles == []


def test_connect_refuses_what_would_be_ignored(fake_estate_of: Any) -> None:
    estate = fake_estate_of("connect")
    before = len(estate.sync.record.settings)
    result = procedures.schedule(estate, interval=600, enabled=False)
    assert result["failure_reason"] == "invalid_input"
    assert result["msg"] == "interval is 600 s, and 1800 s is the least: the engine would ignore it. Correct the input."
    assert _after(result, "enabled") == (True,)
    estate.sync.configure(settings_ignored=True)
    result = procedures.schedule(estate, enabled=False)
    assert (result["failure_reason"], result["changed"]) == ("not_confirmed", False)
    estate.sync.configure(settings_ignored=False)
    assert len(estate.sync.record.settings) == before + 1


def test_connect_by_the_local_route_and_by_nobody(fake_estate_of: Any) -> None:
    estate = fake_estate_of("connect")
    estate.sync.configure(settings_refuse_network_logon=True, suspended=True)
    result = procedures.schedule(estate, enabled=False)
    assert (result["failure_reason"], result["changed"], _after(result, "enabled", "suspended")) == (None, True, (False, True))
    assert any("suspended" in warning for warning in result["warnings"])
    estate.sync.configure(settings_refuse_network_logon=False, suspended=False, operators_may_set=False)
    for user in ("svc-sync", "svc-limited"):  # neither is in ADSyncAdmins; one of them may register tasks
        result = procedures.schedule(estate, user, enabled=True)
        assert (result["failure_reason"], result["changed"]) == ("engine_access_denied", False)
        assert "ADSyncAdmins" in result["msg"]
        assert _after(result, "enabled") == (False,)
    assert procedures.schedule(estate, enabled=True)["changed"] is True
    assert not any(estate.left_behind()[name] for name in ("tasks", "orphans", "task_folders", "folders", "shells"))


def test_connect_answers_that_are_lost(fake_estate_of: Any) -> None:
    estate = fake_estate_of("connect")
    estate.sync.arm("connection", fault="cut", cmdlet="Set-ADSyncScheduler", moment="after")
    result = procedures.schedule(estate, interval=7200)
    assert (result["failure_reason"], result["changed"], _after(result, "interval")) == (None, True, (7200.0,))
    estate.sync.arm("com_error", cmdlet="Set-ADSyncScheduler")
    result = procedures.schedule(estate, interval=3600)
    assert (result["failure_reason"], result["changed"]) == ("service_stopped", False)
    estate.sync.arm("com_error", cmdlet="Set-ADSyncScheduler", moment="after")
    result = procedures.schedule(estate, interval=3600)
    assert (result["failure_reason"], result["changed"]) == ("service_stopped", True), "told as it was read afterwards"
    estate.sync.arm("com_error", cmdlet="Set-ADSyncScheduler")
    estate.sync.arm("com_error", cmdlet="Get-ADSyncScheduler", skip=2)
    result = procedures.schedule(estate, interval=0)
    assert (result["failure_reason"], result["changed"], result["scheduler"]["after"]) == ("service_stopped", True, None)
    assert result["msg"].startswith("Whether the settings were changed is not known:")
    procedures.schedule(estate, interval=0)


def test_connect_that_is_away(fake_estate_of: Any) -> None:
    estate = fake_estate_of("connect")
    estate.sync.configure(service_running=False)
    result = procedures.schedule(estate, enabled=True)
    assert (result["failure_reason"], result["changed"], result["scheduler"]) == ("service_stopped", False, {"before": None, "after": None})
    estate.sync.configure(service_running=True)
    result = procedures.schedule(estate, "svc-outsider", enabled=False)
    assert result["failure_reason"] == "engine_access_denied"
    result = procedures.schedule(estate, engine="dirsync", interval=600)
    assert (result["failure_reason"], result["engine"]) == ("not_a_sync_server", None)
    assert set(result) >= KEYS


def test_before_1_1_281_another_interval_counts_from_the_next_cycle(fake_estate_of: Any) -> None:
    estate = fake_estate_of("connect-1.1.105")
    result = procedures.schedule(estate, interval=7200)
    assert (result["changed"], _after(result, "interval", "effective_interval")) == (True, (7200.0, 1800.0))
    assert any("from the next cycle" in warning for warning in result["warnings"])
    assert procedures.schedule(estate, interval=7200)["changed"] is False
    estate.sync.start_cycle()
    assert estate.sync.wait_idle()
    assert _after(procedures.schedule(estate, interval=7200), "effective_interval") == (7200.0,)


# -- the scheduled task of AAD Sync


def _task(estate: Estate) -> Any:
    found = estate.sync.windows.tasks.find(_TASK)
    assert found is not None
    return found


def test_aadsync_sets_the_task_and_registers_none(estate_of: Any) -> None:
    estate = estate_of("aadsync")
    task = _task(estate)
    kept = (task.execute, task.arguments, task.user, task.logon_type)
    predicted = procedures.schedule(estate, check_mode=True, enabled=False, interval=5400)
    assert (predicted["changed"], _after(predicted, "enabled", "interval"), task.changes) == (True, (False, 5400.0), [])
    result = procedures.schedule(estate, enabled=False, interval=5400)
    assert (result["engine"], result["changed"], _after(result, "enabled", "interval", "next_type")) == (
        "aadsync", True, (False, 5400.0, None),
    )  # fmt: skip
    assert (task.interval, task.enabled) == ("PT1H30M", False)
    assert _task(estate) is task, "it was changed, and not registered anew"
    assert (task.execute, task.arguments, task.user, task.logon_type) == kept
    assert procedures.schedule(estate, enabled=False, interval=5400)["changed"] is False
    back = procedures.schedule(estate, enabled=True, interval=0)
    assert (back["changed"], task.interval, task.enabled) == (True, "PT3H", True)
    for wanted, words in (({"next_type": "full"}, "no such setting"), ({"interval": 120}, "300 s is the least")):
        refused = procedures.schedule(estate, **wanted)
        assert refused["failure_reason"] == "invalid_input"
        assert words in refused["msg"]
    assert len(task.changes) == 4


def test_aadsync_where_windows_wants_the_password(fake_estate_of: Any) -> None:
    estate = fake_estate_of("aadsync")
    estate.sync.configure(task_logon="password")
    result = procedures.schedule(estate, enabled=False, interval=5400)
    assert (result["failure_reason"], result["changed"], _task(estate).changes) == ("task_password_wanted", False, [])
    assert "only with the password of the account" in result["msg"]
    result = procedures.schedule(estate, enabled=False)
    assert (result["failure_reason"], result["changed"], _task(estate).changes) == (None, True, ["enabled"]), "a switch takes none"
    estate.sync.configure(task_logon="service")


def test_aadsync_without_its_task(estate_of: Any) -> None:
    estate = estate_of("aadsync")
    estate.sync.configure(task="missing")
    assert procedures.schedule(estate, enabled=True)["failure_reason"] == "scheduler_missing"
    assert estate.sync.windows.tasks.find(_TASK) is None, "and none was registered"
    estate.sync.configure(task="enabled")


def test_aadsync_whose_task_cannot_be_set(fake_estate_of: Any) -> None:
    estate = fake_estate_of("aadsync")
    estate.sync.configure(task="missing")
    assert procedures.schedule(estate, "svc-limited", enabled=True)["failure_reason"] == "engine_access_denied"
    estate.sync.configure(task="enabled", task_visible="administrators", hidden_task_answer="task_denied")
    assert procedures.schedule(estate, "svc-limited", enabled=True)["failure_reason"] == "engine_access_denied"
    estate.sync.configure(task_visible="everyone", task_interval="")
    result = procedures.schedule(estate, interval=3600)
    assert (result["failure_reason"], "no trigger that repeats" in result["msg"]) == ("invalid_input", True)
    estate.sync.configure(task_interval="PT3H")
    result = procedures.schedule(estate, "svc-limited", enabled=False)
    assert (result["failure_reason"], result["changed"]) == ("engine_access_denied", False)
    estate.sync.configure(service_running=False)
    assert procedures.schedule(estate, interval=3600)["changed"] is True, "the task is there without the service, too"
    estate.sync.configure(service_running=True)


# -- the scheduler service of DirSync


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _config(estate: Estate) -> bytes:
    content: bytes = estate.sync.windows.files.content(estate.sync.config_path)
    return content


def test_dirsync_sets_its_file_and_restarts_its_service(estate_of: Any) -> None:
    estate = estate_of("dirsync")
    before = _config(estate)
    restarts: list[float] = []
    estate.sync.windows.services.get("MSOnlineSyncScheduler").hooks["stopped"] = lambda: restarts.append(time.monotonic())
    result = procedures.schedule(estate, interval=1800)
    assert (result["engine"], result["changed"], _after(result, "interval", "enabled")) == ("dirsync", True, (1800.0, None))
    wanted = before.decode("utf-16").replace("3:0:0", "0:30:0")
    assert _config(estate) == b"\xff\xfe" + wanted.encode("utf-16-le"), "encoding and every other byte stay"
    assert (len(restarts), estate.sync.options.interval) == (1, timedelta(minutes=30)), "the service has read it"
    assert procedures.schedule(estate, interval=1800)["changed"] is False
    assert len(restarts) == 1
    assert not any(estate.left_behind()[name] for name in ("tasks", "orphans", "task_folders", "folders", "shells"))


def test_dirsync_before_build_6862(fake_estate_of: Any) -> None:
    estate = fake_estate_of("dirsync_legacy")
    before = _config(estate)
    result = procedures.schedule(estate, interval=300)
    assert (result["engine"], result["changed"], _after(result, "interval")) == ("dirsync_legacy", True, (300.0,))
    assert _config(estate) == before.replace(b"3:0:0", b"0:5:0"), "with its byte order mark"


def test_dirsync_waits_for_a_cycle(fake_estate_of: Any) -> None:
    """A cycle dies with the scheduler service, and looks idle between two of its steps."""
    estate = fake_estate_of("dirsync")
    service = estate.sync.windows.services.get("MSOnlineSyncScheduler")
    service.hooks["stopped"] = estate.sync._scheduler_stopped.set
    estate.sync.configure(cycle_seconds=2.0)
    lines: list[str] = []
    assert estate.sync.start_cycle()
    result = procedures.schedule(estate, interval=3600, progress=lines.append)
    (cycle,) = estate.sync.cycles
    assert (result["changed"], cycle.finished is not None) == (True, True)
    assert [run.result for run in estate.sync.engine.history].count("success") == len(estate.sync.engine.history), "no run was cut short"
    assert any("waiting for the end" in line for line in lines)
    assert estate.sync.start_cycle()
    content = _config(estate)
    result = procedures.schedule(estate, interval=7200, wait_timeout=1)
    assert (result["failure_reason"], result["changed"], _config(estate)) == ("busy_timeout", False, content)
    assert estate.sync.wait_idle()


def test_dirsync_where_something_comes_between_look_and_change(estate_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """First a cycle, then somebody who writes the file, and all the time somebody holds the lock."""
    estate = estate_of("dirsync")
    monkeypatch.setattr(f"{_DRIVER}._LOCK_SECONDS", 0.3)
    content, look, disturbances = _config(estate), DirSyncScheduler.look, ["cycle", "file"]
    query, engine = estate.sync._verbs["cim_query"], estate.sync.engine
    estate.sync.configure(cycle_seconds=10.0)

    def start_behind(caller: Any, p: dict[str, Any]) -> Any:
        """A cycle begins just after the first question for the numbers of runs, which the change asks."""
        answer = query(caller, p)
        if p["ClassName"] == "MIIS_RunHistory":
            estate.sync._verbs["cim_query"] = query
            assert estate.sync.start_cycle()
            _until(lambda: engine.busy is not None)
        return answer

    def look_and_disturb(self: DirSyncScheduler, *arguments: Any, **more: Any) -> Any:
        if engine.in_progress:
            _until(lambda: engine.busy is not None)
            found = look(self, *arguments, **more)
            assert found.busy
            engine.halt()  # it has been met, so nobody needs to wait for its end
            assert estate.sync.wait_idle()
            return found
        found = look(self, *arguments, **more)
        what = disturbances.pop(0) if disturbances else None
        if what == "cycle":
            estate.sync._verbs["cim_query"] = start_behind
        elif what == "file":
            estate.sync.windows.files.add(estate.sync.config_path, content + "\n".encode("utf-16-le"))
        return found

    monkeypatch.setattr(DirSyncScheduler, "look", look_and_disturb)
    with _held(estate):
        result = procedures.schedule(estate, interval=5400)
    assert (result["failure_reason"], result["changed"], disturbances) == (None, True, [])
    assert _config(estate).endswith("\n".encode("utf-16-le")), "what somebody else wrote in between stays"
    assert "1:30:0" in _config(estate).decode("utf-16")


@contextlib.contextmanager
def _held(estate: Estate) -> Iterator[None]:
    """Somebody holds the lock for longer than it is awaited, as .NET does."""
    with lock_of(estate.sync.clock, 0), open(Path(estate.host.temp) / "hybrid.identity.lock", "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_dirsync_whose_connection_breaks_in_the_middle(fake_estate_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is written, the service stopped, and nobody is there any more: it comes back all the same."""
    estate = fake_estate_of("dirsync")
    write, services = estate.sync._verbs["file_write"], estate.sync.windows.services

    def write_and_cut(caller: Any, p: dict[str, Any]) -> Any:
        estate._break_connection("cut", {})
        time.sleep(0.3)
        return write(caller, p)

    monkeypatch.setitem(estate.sync._verbs, "file_write", write_and_cut)
    result = procedures.schedule(estate, interval=4500)
    assert (result["failure_reason"], result["changed"]) == ("not_confirmed", True)
    assert "it may still happen" in result["msg"]
    _until(lambda: "1:15:0" in _config(estate).decode("utf-16") and estate.sync.options.interval == timedelta(seconds=4500))
    assert services.is_running("MSOnlineSyncScheduler")
    assert procedures.schedule(estate, interval=4500)["changed"] is False


def test_dirsync_that_cannot_be_set(fake_estate_of: Any) -> None:
    estate = fake_estate_of("dirsync")
    content = _config(estate)
    predicted = procedures.schedule(estate, check_mode=True, interval=0)
    assert (predicted["changed"], _after(predicted, "interval"), _config(estate)) == (True, (10800.0,), content)
    assert procedures.schedule(estate, enabled=False)["failure_reason"] == "invalid_input"
    estate.sync.configure(wmi="denied")
    result = procedures.schedule(estate, interval=9000)
    assert (result["changed"], "Whether something runs is not known" in result["msg"]) == (False, True)
    estate.sync.configure(wmi="readable", tasks_run=False)
    result = procedures.schedule(estate, interval=9000)
    assert (result["failure_reason"], result["changed"], _config(estate)) == ("not_confirmed", True, content), "it may still happen"
    estate.sync.configure(tasks_run=True)
    result = procedures.schedule(estate, "svc-limited", interval=9000)
    assert (result["failure_reason"], result["changed"]) == ("engine_access_denied", False)
    estate.sync.configure(stopped_services=("MSOnlineSyncScheduler",))
    result = procedures.schedule(estate, interval=9000)
    assert (result["failure_reason"], _config(estate)) == ("service_stopped", content)
    estate.sync.windows.services.set_status("MSOnlineSyncScheduler", "Running")
    estate.sync.configure(stopped_services=())
    for broken, reason in ((b"<configuration/>", "scheduler_missing"), (None, "engine_error")):
        estate.sync.windows.files.remove(estate.sync.config_path)
        if broken is not None:
            estate.sync.windows.files.add(estate.sync.config_path, broken)
        result = procedures.schedule(estate, interval=9000)
        assert (result["failure_reason"], result["changed"]) == (reason, False)
    estate.sync.windows.files.add(estate.sync.config_path, content)


def test_dirsync_whose_service_does_not_come_back(estate_of: Any) -> None:
    estate = estate_of("dirsync")
    service = estate.sync.windows.services.get("MSOnlineSyncScheduler")
    service.start_mode = "Disabled"
    result = procedures.schedule(estate, interval=1800)
    assert (result["failure_reason"], result["changed"], _after(result, "interval")) == ("service_stopped", True, (1800.0,))
    assert "at once" in result["msg"]
    service.start_mode = "Auto"
    estate.sync.windows.services.set_status("MSOnlineSyncScheduler", "Running")
    estate.sync.windows.services.add(Service("Watcher", "Watches it", "C:\\watcher.exe", depends_on=("MSOnlineSyncScheduler",)))
    result = procedures.schedule(estate, interval=3600)
    assert (result["failure_reason"], result["changed"], _after(result, "interval")) == ("not_confirmed", True, (3600.0,))
    assert "its restart failed" in result["msg"]
    estate.sync.configure(wmi="denied")
    estate.sync.windows.files.remove(estate.sync.config_path)
    result = procedures.schedule(estate, interval=1800)
    assert (result["failure_reason"], result["scheduler"]["after"]) == ("engine_error", None)
    assert "Microsoft.Online.DirSync.Scheduler.exe.config cannot be read" in result["msg"]


# -- through ansible


def test_over_the_connection_of_the_task(fake_estate_of: Any, tmp_path: Path) -> None:
    estate = fake_estate_of("connect")
    inventory = {"all": {"hosts": {"sync1": estate.connection_variables(user="svc-password")}}}
    module = "hybrid.identity.dirsync_scheduler"
    first, second, refused = procedures.task_results(
        tmp_path,
        inventory,
        "sync1",
        {module: {"interval": 3600}},
        {module: {**estate.server_options(user="svc-password"), "interval": 3600}, "delegate_to": "localhost",
         "vars": {"ansible_connection": "local"}},
        {module: {"interval": 3600, "username": "x"}},
        arguments=("--diff",),
    )  # fmt: skip
    assert (first["changed"], second["changed"]) == (True, False), (first, second)
    assert (first["server"], second["server"]) == ("sync1", "127.0.0.1")
    assert first["diff"]["after"]["interval"] == 3600.0
    assert set(first) & set(second) >= KEYS
    assert refused["failure_reason"] == "invalid_input"
