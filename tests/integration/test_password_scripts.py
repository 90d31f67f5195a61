# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The scripts of the password channel in the corners that a well-behaved server does not reach."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import procedures
import pytest
from estates import MakeEstate
from patience import FOR_EVER, wait_until

from ansible_collections.hybrid.identity.plugins.module_utils._engines import _connect_passwords, _password_log
from ansible_collections.hybrid.identity.plugins.module_utils._engines._connect_passwords import AdsyncPasswords
from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import RemoteError, RemoteShell
from ansible_collections.hybrid.identity.plugins.module_utils._remote._lasting import new_stamp
from ansible_collections.hybrid.identity.plugins.module_utils._remote._lasting_script import LASTING, LASTING_RUNNER
from ansible_collections.hybrid.identity.plugins.module_utils._remote._local_route import LocalRouteClosed
from ansible_collections.hybrid.identity.plugins.module_utils._remote._shape import anything
from lab.estate import Estate

_GET, _SET, _ADD = "Get-ADSyncAADPasswordSyncConfiguration", "Set-ADSyncAADPasswordSyncConfiguration", "Add-ADSyncConnector"
_SID = "S-1-5-21-1004336348-1177238915-682003330-1104"
_STATUS = "Get-ADSyncConnectorRunStatus"


class Bench:
    """A driver and a shell to an estate."""

    def __init__(self, estate: Estate) -> None:
        self.estate, self.driver = estate, AdsyncPasswords()
        self.shell: RemoteShell = procedures.open_shell(estate, "svc-password", 120)

    @property
    def now(self) -> Any:
        return self.estate.sync.clock.now()

    def look(self) -> Any:
        return self.driver.look(self.shell, timeout=40, server_now=self.now)

    def force(self, *names: str) -> Any:
        look = self.look()
        chosen = [one for one in look.channels if not names or one.name in names]
        return self.driver.force(self.shell, chosen, look.clouds[0], stamp=new_stamp(self.now), timeout=90, server_now=self.now)

    def switch(self, enable: bool) -> Any:
        look = self.look()
        names = [one.name for one in look.channels]
        return self.driver.switch(
            self.shell, names, look.clouds[0], enable=enable, earlier="", timeout=60, stamp=new_stamp(self.now), server_now=self.now
        )

    def events(self, after: int = 0, seconds: float = 0.0) -> Any:
        return self.driver.events(self.shell, after=after, since=None, marks_only=False, seconds=seconds, timeout=40, check_source=True)

    @property
    def clean(self) -> bool:
        left = self.estate.left_behind()
        return not any(left[name] for name in ("tasks", "orphans", "task_folders", "folders"))


@pytest.fixture
def bench(make_estate: MakeEstate) -> Iterator[Bench]:
    made = Bench(make_estate(connect={"more_directories": ("münchen.test",), "password_seconds": 0.0}))
    yield made
    made.shell.close()


def test_what_cannot_be_read_is_told_for_each_part(bench: Bench) -> None:
    sync = bench.estate.sync
    for cmdlet in (_GET, _STATUS, "Get-ADSyncPartitionPasswordSyncState", "Get-ADSyncAADCompanyFeature", "Get-ADSyncScheduler"):
        sync.arm("com_error", cmdlet=cmdlet)
    look = bench.look()
    assert set(look.problems) == {"busy", "partitions", "feature", "staging"}
    assert (look.channels[0].enabled, look.channels[1].enabled) == (None, True)
    assert "0x800706BA" in (look.channels[0].problem or "")
    assert (look.feature, look.staging, look.partitions) == (None, None, None)


def test_names_of_every_alphabet_and_a_flag_that_was_there(bench: Bench) -> None:
    channel = bench.estate.sync.channels.of("münchen.test")
    assert channel is not None
    channel.parameters = [{"Name": "Microsoft.Synchronize.ForceFullPasswordSync", "Value": "1"}, {"Name": "other", "Value": "x"}]
    assert [one.flag for one in bench.look().channels] == [False, True]
    outcome = bench.force("münchen.test")
    assert [(one.name, one.on, one.enabled) for one in outcome.channels] == [("münchen.test", True, True)]
    assert "other" in [one["Name"] for one in channel.parameters], "what else is set stays"
    assert bench.clean


def test_nothing_is_done_where_a_channel_is_off_or_busy_already(bench: Bench) -> None:
    sync = bench.estate.sync
    look = bench.look()
    sync.channels.all[0].enabled = False
    stamp = new_stamp(bench.now)
    outcome = bench.driver.force(bench.shell, look.channels, look.clouds[0], stamp=stamp, timeout=60, server_now=bench.now)
    assert (outcome.off, outcome.channels) == (("lab.test",), ())
    sync.channels.all[0].enabled = True
    sync.spawn(lambda: sync.engine.run_profile(sync.engine.connector(True), "Delta Import", FOR_EVER), "by hand")
    wait_until(lambda: sync.engine.busy)
    assert bench.look().busy == ("lab.test",)
    outcome = bench.driver.force(bench.shell, look.channels, look.clouds[0], stamp=stamp, timeout=60, server_now=bench.now)
    assert (outcome.busy, outcome.channels) == (("lab.test",), ())
    assert sync.passwords.switched == []
    assert bench.clean


def test_a_connector_that_becomes_busy_is_awaited_and_then_left_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.estate.sync.arm("profiles_by_hand", cmdlet="task_register", skip=2 if bench.estate.host.mode == "powershell" else 1, each=2.5)
    outcome = bench.force("lab.test")
    assert outcome.channels[0].on
    monkeypatch.setattr(_connect_passwords, "_BUSY_SECONDS", 0)
    bench.estate.sync.arm("profiles_by_hand", cmdlet="task_register", skip=2 if bench.estate.host.mode == "powershell" else 1, each=6)
    outcome = bench.force("lab.test")
    assert (outcome.channels[0].flagged, outcome.channels[0].enabled) == (False, True)
    assert "busy" in (outcome.channels[0].error or "")
    assert bench.clean


def test_without_a_guardian_nothing_is_changed(bench: Bench) -> None:
    channels = bench.look().channels
    bench.estate.sync.arm("com_error", cmdlet="task_register", skip=1)
    with pytest.raises(RemoteError):
        bench.driver.force(bench.shell, channels, "lab.onmicrosoft.com - AAD", stamp=new_stamp(bench.now), timeout=60, server_now=bench.now)
    assert bench.estate.sync.passwords.saved == bench.estate.sync.passwords.switched == []
    assert bench.clean


def test_what_fails_on_the_way_is_taken_back(bench: Bench) -> None:
    sync = bench.estate.sync
    sync.arm("com_error", cmdlet=_SET)
    outcome = bench.force("lab.test")
    said = outcome.channels[0]
    assert (said.on, said.enabled, said.flag) == (False, True, False)
    assert said.error is not None
    sync.arm("com_error", cmdlet=_SET, skip=1)
    said = bench.force("lab.test").channels[0]
    assert (said.off, said.on, said.enabled) == (True, False, True), "it was switched on again"
    sync.arm("com_error", cmdlet=_ADD)
    sync.arm("com_error", cmdlet=_ADD)
    said = bench.force("lab.test").channels[0]
    assert (said.off, said.enabled) == (False, True)
    assert all(one.enabled for one in sync.channels.all)
    assert bench.clean


def test_a_read_back_that_fails_is_tried_again(bench: Bench) -> None:
    look = bench.look()
    bench.estate.sync.arm("com_error", cmdlet=_GET, skip=1)
    stamp = new_stamp(bench.now)
    said = bench.driver.force(bench.shell, look.channels[:1], look.clouds[0], stamp=stamp, timeout=60, server_now=bench.now).channels[0]
    assert (said.on, said.enabled) == (True, True)
    assert said.error is not None


def test_switching_tells_what_failed(bench: Bench) -> None:
    sync = bench.estate.sync
    sync.arm("com_error", cmdlet=_SET)
    first, second = bench.switch(False)
    assert (first.enabled, second.enabled) == (True, False)
    assert first.error is not None
    look = bench.look()
    sync.arm("com_error", cmdlet=_GET)
    switched = bench.driver.switch(
        bench.shell,
        [one.name for one in look.channels],
        look.clouds[0],
        enable=True,
        earlier="",
        timeout=60,
        stamp=new_stamp(bench.now),
        server_now=bench.now,
    )
    assert [one.enabled for one in switched] == [None, True]
    assert bench.clean


def test_the_guardian_comes_again_until_it_has_done_its_work(bench: Bench) -> None:
    sync = bench.estate.sync
    sync.arm("script_killed", cmdlet=_SET, moment="after")
    with pytest.raises(Exception, match="without an answer"):
        bench.force("lab.test")
    assert [name.partition("-")[0] for name in sync.windows.task_names()] == ["guardian"]
    sync.configure(module_present=False)
    _jump_and_wait(bench, 200)
    assert not sync.channels.all[0].enabled
    sync.configure(module_present=True)
    sync.arm("com_error", cmdlet=_GET)
    _jump_and_wait(bench, 61)
    assert len(sync.windows.task_names()) == 1
    sync.configure(password_switch_stuck=True)
    _jump_and_wait(bench, 61)
    assert len(sync.windows.task_names()) == 1
    sync.configure(password_switch_stuck=False)
    _jump_and_wait(bench, 61)
    assert sync.channels.all[0].enabled
    assert bench.clean


def _jump_and_wait(bench: Bench, seconds: float) -> None:
    tasks = [task for task in bench.estate.sync.record.tasks if task.name.startswith("guardian-")]
    ended = tasks[-1].ended
    bench.estate.sync.clock.jump(seconds)
    wait_until(lambda: tasks[-1].ended != ended)


def test_builds_without_the_newer_cmdlets(powershell: str, make_estate: MakeEstate) -> None:
    missing = (_STATUS, "Get-ADSyncPartitionPasswordSyncState", "Get-ADSyncScheduler")
    estate = make_estate(connect={"missing_cmdlets": missing, "feature_by_connector": True, "staging": True})
    if estate.host.mode == "fakes":
        pytest.skip("fakes have every cmdlet")
    bench = Bench(estate)
    look = bench.look()
    assert (look.busy, look.partitions, look.staging, look.feature) == ((), None, True, True)
    estate.sync.arm("com_error", cmdlet="Get-ADSyncGlobalSettings")
    assert bench.look().staging is None
    bench.shell.close()


def test_pages_are_cut_by_characters_and_go_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = bench.estate.sync
    for _n in range(6):
        sync.channels.send(sync.channels.all[0], sync.channels.all[0].people)
    sync.events.write_text("Another program", 650, "Count: 7")
    monkeypatch.setattr(_password_log, "_MOST_CHARACTERS", 700)
    after, records, pages = 0, [], 0
    while True:
        page = bench.events(after)
        records += [sign.record for sign in page.signs]
        after, pages = page.last, pages + 1
        if not page.more:
            break
    assert pages > 3
    assert records == sorted(set(records))
    assert len(records) == 6 * 4 + 1, "each once, and none of another program"
    sync.events.write("ADSync", 2001)
    assert bench.events(after, seconds=0.5).signs == ()
    assert bench.events(after).last == after + 1, "what is not of the channel is not read again"
    monkeypatch.setattr(_password_log, "_LONGEST", 10)
    assert all(sign.people == () for sign in bench.events(0).signs)


def test_the_connector_space_is_read_to_its_end(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_connect_passwords, "_OBJECTS_A_PAGE", 2)
    names = ["person2@lab.test", "person2", "nobody"]
    found = bench.driver.find_people(bench.shell, names, ["lab.test", "münchen.test"], timeout=60, server_now=bench.now)
    assert {name: [place[1] for place in places] for name, places in found.items()} == {
        "person2@lab.test": ["lab.test"],
        "person2": ["lab.test", "münchen.test"],
    }


def test_an_empty_log_and_a_log_that_nobody_may_read(bench: Bench) -> None:
    sync = bench.estate.sync
    sync.events.keep(0)
    page = bench.events()
    assert (page.oldest, page.newest, page.signs, page.source) == (None, None, (), True)
    sync.configure(events_readable=False)
    with pytest.raises(RemoteError):
        bench.events()
    for skip in (0, 1):
        sync.configure(events_readable=True)
        sync.arm("com_error", cmdlet="Get-WinEvent", skip=skip)
        with pytest.raises(RemoteError):
            bench.driver.events(bench.shell, after=0, since=None, marks_only=True, seconds=0.0, timeout=40, check_source=False)
    sync.arm("com_error", cmdlet="Get-WinEvent", hresult=0x80070005, times=1)
    assert bench.events().source is True, "refused directly, it is read by the local route"


# -- work that outlives its shell


def _lasting(bench: Bench, name: str, request: str = "{}", **more: Any) -> Any:
    parameters = {"name": name, "request": request, "runner": LASTING_RUNNER, "leftover": "work-2021", "seconds": 8.0, **more}
    return bench.shell.call("lasting", LASTING, parameters, shape=anything, timeout=40, repeatable=False).data


def test_a_runner_that_fails_leaves_nothing(powershell: str, make_estate: MakeEstate) -> None:
    estate = make_estate()
    if estate.host.mode == "fakes":
        pytest.skip("no runner")
    bench = Bench(estate)
    assert _lasting(bench, "work-20300101000000-0123456789ab", "no json")["answered"] is False
    assert bench.clean
    bench.shell.close()


def test_leftovers_go_and_what_runs_or_is_not_ours_stays(powershell: str, make_estate: MakeEstate, tmp_path: Path) -> None:
    estate = make_estate()
    if estate.host.mode == "fakes":
        pytest.skip("no folders")
    bench = Bench(estate)
    caller = estate.host.caller("svc-password", network_logon=True)
    stale, running, strange = (f"work-20200101000000-{one * 12}" for one in "abc")
    for name, mark in ((stale, _SID), (running, _SID), (strange, "S-1-5-21-1")):
        details = {"Execute": "x", "Argument": "y", "Description": "hybrid.identity " + mark}
        estate.sync.call(caller, "Register-ScheduledTask", {"TaskPath": "\\hybrid.identity\\", "TaskName": name, **details})
    estate.sync.configure(tasks_hang=True)
    estate.sync.call(caller, "Start-ScheduledTask", {"TaskPath": "\\hybrid.identity\\", "TaskName": running})
    estate.sync.configure(tasks_hang=False)
    temp = Path(estate.host.temp)
    folders = {name: temp / f"hybrid.identity-{name}" for name in (stale, running, "work-20200101000000-dddddddddddd")}
    for name, folder in folders.items():
        folder.mkdir()
        (folder / "request.json").write_text("{}")
        if "dddd" not in name:
            estate.sync.windows.folders[str(folder)] = f"O:{_SID}D:P"
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "request.json").write_text("keep me")
    link = temp / "hybrid.identity-work-20200101000000-eeeeeeeeeeee"
    link.symlink_to(precious)
    estate.sync.windows.folders[str(link)] = f"O:{_SID}D:P"
    full = temp / "hybrid.identity-work-20200101000000-ffffffffffff"
    full.mkdir()
    (full / "not ours").write_text("x")
    estate.sync.windows.folders[str(full)] = f"O:{_SID}D:P"
    assert bench.switch(True)[0].enabled is True
    assert estate.sync.windows.task_names() == [running, strange]
    assert not folders[stale].exists()
    assert folders[running].exists()
    assert folders["work-20200101000000-dddddddddddd"].exists(), "it belongs to somebody else"
    assert (full / "not ours").exists()
    assert (precious / "request.json").read_text() == "keep me"
    bench.shell.close()


def test_a_folder_that_somebody_else_made_is_not_used(powershell: str, make_estate: MakeEstate) -> None:
    estate = make_estate()
    if estate.host.mode == "fakes":
        pytest.skip("no folders")
    bench = Bench(estate)
    look = bench.look()
    estate.sync.configure(folders_are_taken=True)
    with pytest.raises(LocalRouteClosed, match="UnauthorizedAccessException"):
        bench.driver.force(bench.shell, look.channels, look.clouds[0], stamp=new_stamp(bench.now), timeout=60, server_now=bench.now)
    estate.sync.configure(folders_are_taken=False)
    register = estate.sync._cmdlets["task_register"]

    def taken_from_now_on(*arguments: Any) -> Any:
        estate.sync.configure(folders_are_taken=True)
        return register(*arguments)

    estate.sync._cmdlets["task_register"] = taken_from_now_on
    with pytest.raises(RemoteError, match="UnauthorizedAccessException"):
        bench.driver.force(bench.shell, look.channels, look.clouds[0], stamp=new_stamp(bench.now), timeout=60, server_now=bench.now)
    assert estate.sync.passwords.switched == []
    assert estate.sync.windows.task_names() == []
    bench.shell.close()
