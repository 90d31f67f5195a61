# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What is special about password synchronisation on the engines before Azure AD Connect 1.1; judged by what happened on the server."""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import procedures
import pytest
from estates import MakeEstate

from ansible_collections.hybrid.identity.plugins.module_utils._engines._connect_passwords import AdsyncPasswords
from ansible_collections.hybrid.identity.plugins.module_utils._engines._dirsync_passwords import DirSyncPasswords
from ansible_collections.hybrid.identity.plugins.module_utils._engines._password_contract import ChannelState
from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import RemoteError
from ansible_collections.hybrid.identity.plugins.module_utils._remote._lasting import new_stamp
from ansible_collections.hybrid.identity.plugins.module_utils._remote._transport import ConnectionBroken
from lab.connect.errors import com_error
from lab.estate import Estate
from lab.fim.texts import fim_refusal
from lab.lifetime import current, require_alive
from lab.windows.older_fakes import _LOCKS

_MODULE = "ansible_collections.hybrid.identity.plugins.module_utils."
FIM, SCHEDULER = "FIMSynchronizationService", "MSOnlineSyncScheduler"
_SET = "Set-ADSyncAADPasswordSyncConfiguration"
_QUICK = {"password_seconds": 0.05, "password_shape": "old"}
#: what rests on decisions alone; test_the_scripts_of_dirsync_in_every_corner runs the scripts themselves
decisions = pytest.mark.parametrize("scripts_with", ["fakes"], indirect=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated services and channels are quick: a second tells what a minute tells of a real one."""
    monkeypatch.setattr(_MODULE + "_engines._dirsync_passwords.QUIET", 0.4)
    monkeypatch.setattr(_MODULE + "_engines._dirsync_passwords._BACK_SECONDS", 0.1)
    monkeypatch.setattr(_MODULE + "_passwords._pending.RESTART_SHOWS", 1.5)
    monkeypatch.setattr(_MODULE + "_passwords._before.BUSY_PAUSE", 0.5)
    monkeypatch.setattr(_MODULE + "_passwords._case.TROUBLE_PAUSE", 0.3)
    monkeypatch.setattr(_MODULE + "_passwords._pending.TROUBLE_PAUSE", 0.3)


def _run(estate: Estate, told: Callable[[str], None] = lambda line: None, **params: Any) -> dict[str, Any]:
    return procedures.passwords(estate, progress=told, **{"wait_timeout": 25, **params})


def _when(words: str, act: Callable[[], object]) -> Callable[[str], None]:
    """Does something once, when the task tells of this."""
    done: list[object] = []

    def told(line: str) -> None:
        if words in line and not done:
            done.append(act())

    return told


def _running(estate: Estate) -> list[bool]:
    return [estate.sync.windows.services.is_running(name) for name in (FIM, SCHEDULER)]


def _left(estate: Estate) -> list[str]:
    """What is left of ours. The lock goes with its handle on Windows, however that ends; here it stays where a script is killed."""
    left = estate.left_behind()
    usual = ("Azure AD Sync Scheduler", "hybrid.identity.lock")
    return [one for name in ("tasks", "task_folders", "folders") for one in left[name] if one not in usual]


def _wait_until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _dying(estate: Estate, name: str, *, after: int = 1) -> Callable[..., Any]:
    """A cmdlet after whose effect the script that calls it is killed, at the given call of it."""
    answer, calls = estate.sync._verbs[name], [0]  # type: ignore[attr-defined]

    def call(caller: Any, p: dict[str, Any]) -> Any:
        value = answer(caller, p)
        calls[0] += 1
        lifetime = current()
        if calls[0] == after and lifetime is not None:
            lifetime.kill()
            require_alive()
        return value

    return call


# -- DirSync


@decisions
def test_services_that_come_back_by_themselves_are_not_helped_up(make_estate: MakeEstate) -> None:
    estate = make_estate(engine="dirsync", connect={**_QUICK, "dependent_comes_back": True})
    result = _run(estate)
    assert (result["failure_reason"], result["connectors"][0]["state"]) == (None, "finished"), result
    assert not any(SCHEDULER in warning for warning in result["warnings"])
    assert (_running(estate), _left(estate)) == ([True, True], [])


@decisions
def test_a_service_that_does_not_come_back_is_named_and_its_guardian_stays(make_estate: MakeEstate) -> None:
    estate = make_estate(engine="dirsync", connect={**_QUICK, "failing_services": (FIM,)})
    result = _run(estate)
    assert (result["failure_reason"], result["changed"]) == ("service_stopped", True), result
    assert FIM in result["msg"]
    assert "armed" in result["msg"]
    assert result["left_off"] == ["Active Directory Connector"]
    assert [name.partition("-")[0] for name in estate.sync.windows.task_names()] == ["guardian"]
    estate.sync.configure(failing_services=())
    estate.sync.clock.jump(200)
    _wait_until(lambda: _running(estate) == [True, True] and not _left(estate))
    _wait_until(lambda: len(estate.sync.channels.all[0].fulls) == 1)


@decisions
def test_the_guardian_comes_again_and_leaves_work_alone_that_goes_on(make_estate: MakeEstate) -> None:
    estate = make_estate(engine="dirsync", connect={**_QUICK, "failing_services": (SCHEDULER,)})
    assert _run(estate)["failure_reason"] == "service_stopped"
    (guardian,) = estate.sync.windows.task_names()
    task = estate.sync.windows.tasks.find("\\hybrid.identity\\" + guardian)
    for _minute in range(2):
        before = task.last_run
        estate.sync.clock.jump(200)
        _wait_until(lambda before=before: task.last_run != before and not task.running)  # type: ignore[misc]
        assert _running(estate) == [True, False]
    assert estate.sync.windows.task_names() == [guardian]


@decisions
def test_what_starts_at_a_later_try_is_repaired(make_estate: MakeEstate) -> None:
    estate = make_estate(engine="dirsync", connect={**_QUICK, "failing_services": (FIM,)})
    result = _run(estate, _when("switching", lambda: estate.sync.configure(failing_services=())))
    assert (result["failure_reason"], result["connectors"][0]["state"], result["left_off"]) == (None, "finished", []), result
    assert (_running(estate), _left(estate)) == ([True, True], [])


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    ("why", "reason"), [("disabled", "service_stopped"), ("unstoppable", "start_rejected"), ("stopped", "service_stopped")]
)
@decisions
def test_what_may_not_be_restarted_is_not_armed(why: str, reason: str, late: bool, make_estate: MakeEstate) -> None:
    """Late: it becomes so between the look and the work."""
    estate = make_estate(engine="dirsync", connect=_QUICK)

    def happen() -> None:
        if why == "disabled":
            estate.sync.windows.services.get(SCHEDULER).start_mode = "Disabled"
        elif why == "stopped":
            estate.sync.windows.services.set_status(SCHEDULER, "Stopped")
        else:
            estate.sync.configure(unstoppable_services=(FIM,))

    result = _run(estate, _when("forcing" if late else "reading the password channels", happen), check_mode=not late)
    assert (result["failure_reason"], result["changed"]) == (reason, False), result
    assert estate.sync.armings == []
    assert _left(estate) == []


@decisions
def test_an_armed_engine_that_refuses_its_stop_says_so(make_estate: MakeEstate) -> None:
    estate = make_estate(engine="dirsync", connect=_QUICK)

    def refuse(*_arguments: Any) -> Any:
        raise fim_refusal("cannot_open_service", "en", FIM, FIM)

    estate.sync._verbs["Restart-Service"] = refuse
    result = _run(estate)
    assert (result["failure_reason"], result["changed"]) == ("password_sync_failed", True), result
    assert "it is armed" in result["msg"]
    assert (_running(estate), _left(estate)) == ([True, True], [])


@decisions
def test_an_arming_that_is_refused_changes_nothing(make_estate: MakeEstate) -> None:
    estate = make_estate(engine="dirsync", connect=_QUICK)

    def refuse(*_arguments: Any) -> Any:
        raise fim_refusal("dirsync_refused", "en")

    estate.sync._verbs["Set-FullPasswordSync"] = refuse
    result = _run(estate)
    assert (result["failure_reason"], result["changed"]) == ("engine_error", False), result
    assert estate.sync.windows.services.is_running(FIM)
    assert _left(estate) == []


@decisions
def test_a_cycle_is_awaited_and_not_killed(make_estate: MakeEstate) -> None:
    """It is seen running by the look, or begins just before the work; in its gaps everything looks idle."""
    estate = make_estate(engine="dirsync", connect=_QUICK, cycle_seconds=2.0)
    began = len(estate.sync.events.read_log(lambda event: event["Id"] == 601, 0, oldest_first=True))
    estate.sync.start_cycle()
    result = _run(estate)
    assert result["failure_reason"] is None, result
    cycle = estate.sync.cycles[0]
    restarts = estate.sync.events.read_log(lambda event: event["Id"] == 601, 0, oldest_first=True)[began:]
    assert cycle.finished is not None
    assert restarts[0]["TimeCreated"] > cycle.finished
    assert all(run.result == "success" for run in estate.sync.engine.history)
    own = _run(estate, _when("forcing", estate.sync.start_cycle), force=True)
    assert own["failure_reason"] is None, own
    assert all(run.result == "success" for run in estate.sync.engine.history)
    assert len(estate.sync.armings) == 2


@decisions
def test_another_task_that_starts_something_is_waited_for(make_estate: MakeEstate, monkeypatch: pytest.MonkeyPatch) -> None:
    estate = make_estate(engine="dirsync", connect=_QUICK)
    monkeypatch.setattr(_MODULE + "_engines._dirsync_passwords._LOCK_SECONDS", 0.3)
    lock = _LOCKS.setdefault(estate.sync.clock, threading.Lock())
    with (Path(estate.host.temp) / "hybrid.identity.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        lock.acquire()
        result = _run(estate, wait_timeout=3)
        lock.release()
    assert (result["failure_reason"], result["changed"], estate.sync.armings) == ("busy_timeout", False, []), result


@decisions
@pytest.mark.parametrize("snap_in", ["registered", "console_only", "absent"])
@pytest.mark.parametrize("there", [True, False])
def test_the_command_is_found_wherever_the_build_has_it(snap_in: str, there: bool, make_estate: MakeEstate) -> None:
    estate = make_estate(engine="dirsync_legacy", connect={**_QUICK, "snap_in": snap_in, "full_password_cmdlet": there})
    result = _run(estate, check_mode=not there or snap_in == "absent")
    if snap_in == "absent":
        assert result["failure_reason"] == "engine_error", result
        assert "console file" in result["msg"]
    elif there:
        assert (result["failure_reason"], result["connectors"][0]["state"]) == (None, "finished"), result
    else:
        assert result["failure_reason"] == "engine_unsupported"
        assert "wizard" in result["msg"]
    assert len(estate.sync.armings) == int(there and snap_in != "absent")


@decisions
def test_people_are_named_by_dn_or_anchor_alone(make_estate: MakeEstate) -> None:
    estate = make_estate(engine="dirsync", connect=_QUICK)
    result = _run(estate, users=["person1@lab.test"])
    assert (result["failure_reason"], estate.sync.armings) == ("invalid_input", [])
    assert "distinguished name" in result["msg"]
    person = estate.sync.channels.all[0].people[0]
    named = _run(estate, users=[person.anchor, person.dn])
    assert [one["result"] for one in named["people"]] == ["succeeded", "succeeded"]


@decisions
@pytest.mark.parametrize("sent", [False, True])
def test_a_lost_call_is_sent_again_where_no_restart_follows(sent: bool, make_estate: MakeEstate) -> None:
    estate = make_estate(engine="dirsync", connect=_QUICK)
    shell = procedures.open_shell(estate, "svc-password", 40)
    call, lost = shell.call, [False]

    def lose(name: str, *arguments: Any, **options: Any) -> Any:
        if name.startswith("force passwords") and not lost[0]:
            lost[0] = True
            if sent:
                call(name, *arguments, **options)
            raise ConnectionBroken("The connection ended.")
        return call(name, *arguments, **options)

    shell.call = lose  # type: ignore[method-assign]
    result = _run(estate, shell=shell)
    assert (result["failure_reason"], result["connectors"][0]["state"]) == (None, "finished"), result
    assert len(estate.sync.armings) == 1, "it is sent again where it did not happen, and only there"
    assert result["connectors"][0]["ownership"] == ("unconfirmed" if sent else "own")
    assert (_running(estate), _left(estate)) == ([True, True], [])


@decisions
@pytest.mark.parametrize(("place", "restarts"), [("Set-FullPasswordSync", 0), ("Stop", 1), ("Restart-Service", 1)])
def test_work_that_is_killed_leaves_no_service_down(place: str, restarts: int, make_estate: MakeEstate) -> None:
    """After arming: it is armed and restarted again. After the stop: the services are started. After the restart: what is left down is started."""
    estate = make_estate(engine="dirsync", connect=_QUICK)
    verbs = estate.sync._verbs
    if place == "Stop":
        services = estate.sync.windows.services

        def stop_and_die(caller: Any, p: dict[str, Any]) -> None:
            services.stop_service(caller, p)
            lifetime = current()
            assert lifetime is not None
            lifetime.kill()
            require_alive()

        verbs["Restart-Service"] = stop_and_die
    else:
        verbs[place] = _dying(estate, place)
    result = _run(estate)
    assert (result["failure_reason"], result["connectors"][0]["state"]) == (None, "finished"), result
    assert _running(estate) == [True, True]
    estate.sync.clock.jump(200)
    _wait_until(lambda: not _left(estate))
    assert len(estate.sync.channels.all[0].fulls) == 1
    assert len(estate.sync.armings) == 2 - restarts


def test_nobody_is_left_and_the_services_come_back(make_estate: MakeEstate) -> None:
    """The work is killed after the stop, and no controller looks any more: the guardian starts what does not run."""
    estate = make_estate(engine="dirsync", connect=_QUICK)
    services = estate.sync.windows.services

    class ControllerDied(BaseException):
        pass

    def stop_and_die(caller: Any, p: dict[str, Any]) -> None:
        services.stop_service(caller, p)
        lifetime = current()
        assert lifetime is not None
        lifetime.kill()
        require_alive()

    def die() -> None:
        raise ControllerDied

    estate.sync._verbs["Restart-Service"] = stop_and_die
    with pytest.raises(ControllerDied):
        _run(estate, _when("the answer was lost", die))
    assert _running(estate) == [False, False]
    estate.sync.clock.jump(200)
    _wait_until(lambda: _running(estate) == [True, True] and not _left(estate))
    _wait_until(lambda: len(estate.sync.channels.all[0].fulls) == 1)


class Bench:
    """The password part of DirSync, and a shell to a server."""

    def __init__(self, estate: Estate) -> None:
        self.estate, self.services = estate, estate.sync.windows.services
        self.driver = DirSyncPasswords(estate.sync.options.install_folder)
        self.shell = procedures.open_shell(estate, "svc-password", 200)

    def look(self) -> Any:
        return self.driver.look(self.shell, timeout=60, server_now=self.estate.sync.clock.now())

    def force(self, stamp: str = "") -> Any:
        now = self.estate.sync.clock.now()
        channels = [ChannelState("connector", "id", None, None, readable=False)]
        return self.driver.force(self.shell, channels, "cloud", stamp=stamp or new_stamp(now), timeout=90, server_now=now)

    def repair(self, earlier: str) -> Any:
        now = self.estate.sync.clock.now()
        details = {"enable": True, "earlier": earlier, "timeout": 60, "stamp": new_stamp(now), "server_now": now}
        return self.driver.switch(self.shell, ["connector"], "cloud", **details)

    def guardian(self) -> Any:
        """The guardian's task comes, and has ended."""
        (name,) = self.estate.sync.windows.task_names()
        task = self.estate.sync.windows.tasks.find("\\hybrid.identity\\" + name)
        before = task.last_run
        self.estate.sync.clock.jump(200)
        _wait_until(lambda: task.last_run != before and not task.running, 30)


@pytest.mark.timeout(240)
def test_the_scripts_of_dirsync_in_every_corner(make_estate: MakeEstate, monkeypatch: pytest.MonkeyPatch) -> None:
    """One server after the other state, so that every statement runs, with what it says and what it leaves."""
    estate = make_estate(engine="dirsync", connect=_QUICK)
    sync, bench = estate.sync, Bench(estate)
    look = bench.look()
    assert ([one.name for one in look.channels], look.clouds) == (
        ["Active Directory Connector"],
        ("Windows Azure Active Directory Connector",),
    )
    assert (look.blocker, look.stopped, look.admin) == (None, (), True)

    # What a service that does not come back leaves, and how it is put right.
    sync.configure(failing_services=(FIM,))
    stamp = new_stamp(sync.clock.now())
    with monkeypatch.context() as slow:
        slow.setattr(_MODULE + "_engines._dirsync_passwords._BACK_SECONDS", 2.0)
        outcome = bench.force(stamp)
    assert (outcome.stopped, outcome.guarded, outcome.channels[0].works, outcome.channels[0].off) == ((FIM, SCHEDULER), True, False, True)
    with monkeypatch.context() as slow:
        slow.setattr(_MODULE + "_engines._dirsync_passwords._BACK_SECONDS", 2.0)
        assert bench.repair(stamp)[0].error is not None
    down = bench.look()
    assert (down.stopped, down.channels, down.blocker is None) == ((FIM, SCHEDULER), (), False), (
        "a service that is down tells of no connector"
    )
    bench.guardian()
    assert _running(estate) == [False, False]
    # While the work goes on (here: its task runs as long as it is told to) the guardian leaves everything alone.
    sync.configure(failing_services=())
    caller = estate.host.caller("svc-password", network_logon=True)
    work = sync.windows.tasks
    work.register(caller, {"path": "\\hybrid.identity\\work-" + stamp, "execute": "x", "arguments": "", "logon_type": 2})
    work.find("\\hybrid.identity\\work-" + stamp).running = 1
    (guardian,) = [one for one in sync.windows.task_names() if one.startswith("guardian")]
    task = work.find("\\hybrid.identity\\" + guardian)
    before = task.last_run
    sync.clock.jump(70)
    _wait_until(lambda: task.last_run != before and not task.running, 30)
    assert _running(estate) == [False, False]
    work.drop("\\hybrid.identity\\work-" + stamp)
    _verb_fails(sync, "Get-Service", "no_task_right")
    bench.guardian()
    assert (_running(estate), _left(estate)) == ([True, True], [])

    # A repair that works takes the guardian along.
    sync.configure(failing_services=(SCHEDULER,))
    stamp = new_stamp(sync.clock.now())
    assert bench.force(stamp).stopped == (SCHEDULER,)
    sync.configure(failing_services=())
    _verb_fails(sync, "Get-Service", "no_task_right")
    assert bench.repair(stamp)[0].error is None
    assert (_running(estate), _left(estate)) == ([True, True], [])

    # Nothing is armed where the services would not come back, something runs, somebody else has the lock, or no guardian can be written.
    armed = len(sync.armings)
    bench.services.get(SCHEDULER).start_mode = "Disabled"
    assert "disabled" in str(bench.force().blocker)
    bench.services.get(SCHEDULER).start_mode = "Auto"
    whole = sync._verbs["Restart-Service"]
    sync._spawn(lambda: sync.engine.run_profile(sync.engine.connector(True), "Export", 6.0, "x"), "by hand")
    _wait_until(lambda: sync.engine.busy is not None)
    assert bench.force().busy
    sync.engine.halt()
    assert sync.wait_idle()
    sync.engine.cancelled.clear()
    monkeypatch.setattr(_MODULE + "_engines._dirsync_passwords.QUIET", 1.2)
    asked = _between_looks(sync, lambda: sync.engine.run_profile(sync.engine.connector(True), "Export", 0.0, "x"))
    assert bench.force().busy == ("a cycle",)
    assert asked
    monkeypatch.setattr(_MODULE + "_engines._dirsync_passwords.QUIET", 0.2)
    monkeypatch.setattr(_MODULE + "_engines._dirsync_passwords._LOCK_SECONDS", 0.3)
    lock = _LOCKS.setdefault(sync.clock, threading.Lock())
    with (Path(estate.host.temp) / "hybrid.identity.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        lock.acquire()
        assert bench.force().busy == ("another task of this collection",)
        lock.release()
    assert len(sync.armings) == armed
    _verb_fails(sync, "task_register", "task_denied", skip=1)
    with pytest.raises(RemoteError):
        bench.force()
    if estate.host.mode == "powershell":  # fakes have no folders
        make = sync._verbs["create_folder"]
        sync._verbs["create_folder"] = _taken_from_the_second_on(sync, make)
        with pytest.raises(RemoteError, match="UnauthorizedAccessException"):
            bench.force()
        sync._verbs["create_folder"] = make
        sync.configure(folders_are_taken=False)
        (strange,) = Path(estate.host.temp).glob("hybrid.identity-guardian-*")
        strange.rmdir()
    _verb_fails(sync, "Set-FullPasswordSync", "dirsync_refused")
    with pytest.raises(RemoteError):
        bench.force()
    assert len(sync.armings) == armed
    assert (_running(estate), _left(estate)) == ([True, True], [])
    _verb_fails(sync, "Restart-Service", "cannot_open_service", FIM, FIM)
    assert "it is armed" in (bench.force().channels[0].error or "")
    assert sync._verbs["Restart-Service"] == whole

    # What a look cannot read.
    _verb_fails(sync, "cim_invoke", "wmi_failed")
    with pytest.raises(RemoteError):
        bench.look()
    _verb_fails(sync, "Get-Service", "no_task_right")
    assert bench.look().stopped == (FIM,)
    _verb_fails(sync, "Get-Service", "no_task_right")
    assert FIM in str(bench.force().blocker)
    sync._spawn(lambda: sync.engine.run_profile(sync.engine.connector(False), "Export", 8.0, "x"), "by hand")
    _wait_until(lambda: sync.engine.busy is not None)
    assert bench.look().busy == ("Windows Azure Active Directory Connector",)
    sync.engine.halt()
    sync.configure(module_present=False, custom_groups=True)
    look = bench.look()
    assert (look.blocker.reason, look.admin) == ("module_missing", None)
    bench.shell.close()


def _verb_fails(server: Any, name: str, refusal: str, *words: str, skip: int = 0) -> None:
    """The next call of it (after so many) fails; then it is as before."""
    answer, calls = server._verbs[name], [0]

    def call(caller: Any, p: dict[str, Any]) -> Any:
        calls[0] += 1
        if calls[0] <= skip:
            return answer(caller, p)
        server._verbs[name] = answer
        raise fim_refusal(refusal, "en", *words)

    server._verbs[name] = call


def _taken_from_the_second_on(server: Any, make: Callable[..., Any]) -> Callable[..., Any]:
    """The folder of the work is its own; that of the guardian is somebody else's."""
    calls = [0]

    def call(caller: Any, p: dict[str, Any]) -> Any:
        calls[0] += 1
        server.configure(folders_are_taken=calls[0] > 1)
        return make(caller, p)

    return call


def _between_looks(server: Any, act: Callable[[], object]) -> list[object]:
    """Something happens on the server after the first question for the run history."""
    answer, done = server._verbs["cim_query"], []

    def call(caller: Any, p: dict[str, Any]) -> Any:
        found = answer(caller, p)
        if p.get("ClassName") == "MIIS_RunHistory" and not caller.network_logon and not done:
            done.append(act())
        return found

    server._verbs["cim_query"] = call
    return done


def test_the_console_file_in_a_process_of_its_own(make_estate: MakeEstate) -> None:
    estate = make_estate(engine="dirsync_legacy", connect={**_QUICK, "snap_in": "console_only", "full_password_cmdlet": True})
    sync, bench = estate.sync, Bench(estate)
    assert bench.look().blocker is None
    assert bench.force().channels[0].works
    assert len(sync.armings) == 1
    sync.configure(full_password_cmdlet=False)
    assert "Set-FullPasswordSync" in str(bench.look().blocker)
    sync.configure(snap_in="absent")
    assert "console file" in str(bench.look().blocker)
    with pytest.raises(RemoteError):
        bench.force()
    sync.windows.files.remove(sync.options.install_folder + "\\DirSyncConfigShell.psc1")
    assert bench.look().blocker.reason == "module_missing"
    with pytest.raises(RemoteError):
        bench.force()
    sync.configure(snap_in="registered")
    assert bench.look().blocker.reason == "engine_unsupported"
    sync.configure(full_password_cmdlet=True)
    assert bench.force().channels[0].works
    assert len(sync.armings) == 2
    bench.shell.close()


# -- AAD Sync and Azure AD Connect 1.0


@decisions
def test_the_module_is_found_on_any_drive_and_what_an_old_build_does_not_say_is_not_known(make_estate: MakeEstate) -> None:
    estate = make_estate(engine="aadsync", connect={**_QUICK, "install_folder": "D:\\Sync", "password_feature": None})
    result = _run(estate)
    assert (result["failure_reason"], result["connectors"][0]["state"]) == (None, "finished"), result
    assert any("Whether the tenant takes" in warning for warning in result["warnings"])
    assert any("refused by the cloud since" in warning for warning in result["warnings"])
    assert not any("staging" in warning for warning in result["warnings"]), "this build has no such mode"
    assert _left(estate) == []


@decisions
def test_a_version_that_the_cloud_refuses_has_to_show_passwords_that_were_taken(make_estate: MakeEstate) -> None:
    estate = make_estate(engine="aadsync", connect={**_QUICK, "password_people": 1})
    estate.sync.channels.all[0].people[0].outcome = "failed"
    result = _run(estate)
    assert (result["failure_reason"], result["connectors"][0]["state"]) == ("not_confirmed", "finished"), result
    assert "refused by the cloud" in result["msg"]


@decisions
def test_what_runs_and_staging_that_cannot_be_read_are_said(make_estate: MakeEstate) -> None:
    estate = make_estate(engine="aad-connect-1.0", connect=_QUICK)
    asked = estate.sync._verbs["Get-ADSyncGlobalSettings"]

    def away(*_arguments: Any) -> Any:
        raise com_error(0x800706BA, "en", "SYNC1")

    estate.sync._verbs["Get-ADSyncGlobalSettings"] = away
    invoke = estate.sync._verbs["cim_invoke"]

    def broken(caller: Any, p: dict[str, Any]) -> Any:
        if p["MethodName"] == "RunStatus" and not caller.network_logon:
            raise fim_refusal("wmi_failed", "en")
        return invoke(caller, p)

    estate.sync._verbs["cim_invoke"] = broken
    result = _run(estate)
    assert result["failure_reason"] is None, result
    assert any("staging mode is not known" in warning for warning in result["warnings"])
    assert any("Whether a connector runs is not known" in warning for warning in result["warnings"])
    estate.sync._verbs.update({"Get-ADSyncGlobalSettings": asked, "cim_invoke": invoke})
    estate.sync.configure(staging=True)
    assert _run(estate, force=True)["failure_reason"] == "staging"


def test_what_the_scripts_find_where_the_module_has_no_cmdlet_for_it(make_estate: MakeEstate) -> None:
    """What runs comes by WMI, staging from a global parameter."""
    estate = make_estate(engine="aad-connect-1.0", connect={**_QUICK, "staging": True})
    sync, driver, shell = estate.sync, AdsyncPasswords(), procedures.open_shell(estate, "svc-password", 120)
    sync._spawn(lambda: sync.engine.run_profile(sync.engine.connector(True), "Export", 20.0, "x"), "by hand")
    _wait_until(lambda: sync.engine.busy is not None)
    look = driver.look(shell, timeout=60, server_now=sync.clock.now())
    assert (look.busy, look.staging, look.partitions, look.problems) == (("lab.test",), True, None, {})
    details = {"stamp": new_stamp(sync.clock.now()), "timeout": 60, "server_now": sync.clock.now()}
    assert driver.force(shell, look.channels, look.clouds[0], **details).busy == ("lab.test",)
    sync.engine.halt()
    assert sync.wait_idle()
    _verb_fails(sync, "cim_query", "wmi_failed")
    _verb_fails(sync, "Get-ADSyncGlobalSettings", "wmi_failed")
    look = driver.look(shell, timeout=60, server_now=sync.clock.now())
    assert (look.busy, look.staging, set(look.problems)) == ((), None, {"busy", "staging"})
    shell.close()


@decisions
def test_a_connector_that_runs_is_awaited_by_wmi(make_estate: MakeEstate) -> None:
    estate = make_estate(engine="aadsync", connect=_QUICK, cycle_seconds=3.0)
    assert estate.sync.start_cycle()
    result = _run(estate)
    assert result["failure_reason"] is None, result
    saved = estate.sync.passwords.saved[0][0]
    spans = [
        (run.started.timestamp(), run.ended.timestamp()) for run in estate.sync.engine.history if run.connector.is_directory and run.ended
    ]
    assert not any(began <= saved <= ended for began, ended in spans)


@pytest.mark.parametrize("at", [1, 2])
def test_killed_between_off_and_on_and_nobody_left(at: int, make_estate: MakeEstate) -> None:
    """The guardian of an older server, which has the Task Scheduler by its COM object alone."""
    estate = make_estate(engine="aadsync", connect=_QUICK)
    estate.sync._verbs[_SET] = _dying(estate, _SET, after=at)

    class ControllerDied(BaseException):
        pass

    def die() -> None:
        raise ControllerDied

    with pytest.raises(ControllerDied):
        _run(estate, _when("the answer was lost", die))
    channel = estate.sync.channels.all[0]
    assert channel.enabled is (at == 2)
    estate.sync.clock.jump(200)
    _wait_until(lambda: channel.enabled and not _left(estate))
    _wait_until(lambda: not channel.flag)
