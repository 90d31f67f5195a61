# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Every engine in every case of aad_password_sync, judged by what happened on its server; the cells are printed as tables at the end of the run.

With fakes the calls go over Ansible's winrm connection, with PowerShell over the transport of the modules. The cases of an engine share a server, and
what its first look found out, wherever that is not what a case is about: cases are many, and processes of PowerShell are dear.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import connections
import procedures
import pytest
from estates import TABLE_ROW, MakeEstate
from patience import FOR_EVER

from ansible_collections.hybrid.identity.plugins.module_utils._deadline import Deadline
from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import RemoteShell
from ansible_collections.hybrid.identity.plugins.module_utils._sync import _trigger
from lab.estate import Estate
from lab.passwords.channels import some_people

_MODULE = "ansible_collections.hybrid.identity.plugins.module_utils."
_WAYS = {"fakes": "winrm ntlm", "powershell": "pywinrm ntlm"}
_OLD_SHAPE = {"password_shape": "old", "password_marks": False}


@dataclass(frozen=True)
class Column:
    """An engine of the table. lab, options: its server. top: the rung that it can reach. restarts: a service, where others switch a channel."""

    lab: str
    top: str
    options: dict[str, Any] = field(default_factory=dict)
    restarts: bool = False


ENGINES = {
    "dirsync_legacy": Column(
        "dirsync_legacy", "confirmed", {**_OLD_SHAPE, "product_version": "1.0.6765.0006", "full_password_cmdlet": True}, restarts=True
    ),
    "dirsync": Column("dirsync", "finished", {"password_shape": "old"}, restarts=True),
    "aadsync": Column("aad-connect-1.0", "finished", {"password_shape": "old", "more_directories": ("fabrikam.test",)}),
    "connect without 617": Column(
        "connect", "confirmed", {**_OLD_SHAPE, "partition_states": False, "more_directories": ("fabrikam.test",)}
    ),
    "connect 2.6": Column("connect", "verified", {"more_directories": ("fabrikam.test",)}),
}


class Cell:
    """A server, and a way to it, on which one case after the other is tried."""

    def __init__(self, estate: Estate, column: Column, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.estate, self.column, self.way = estate, column, way
        self.sync: Any = estate.sync
        self.channels = self.sync.channels
        self.patience = {"wait_timeout": 20, "wait_sleep": 0.1} if estate.host.mode == "fakes" else {"wait_timeout": 90, "wait_sleep": 2.0}
        self.found: Any = None
        self.looks_first = True
        find = _trigger.find_engine

        def find_once(*arguments: Any) -> Any:
            if self.found is None or self.looks_first:
                self.found = find(*arguments)
            return self.found

        monkeypatch.setattr(_trigger, "find_engine", find_once)

    def run(self, user: str = "svc-password", **params: Any) -> dict[str, Any]:
        """The task, of the first AD connector if nothing else is said; what ran before does not cover it unless that is asked for."""
        params = {"min_interval": 0, "quiet_period": 2, "connectors": [self.channels.all[0].name], **self.patience, **params}
        shell = RemoteShell(connections.transport(self.estate, self.way, user), Deadline(params["wait_timeout"]))
        result = procedures.passwords(self.estate, shell=shell, **params)
        left = self.estate.left_behind()
        assert [one for one in left["tasks"] if one != "Azure AD Sync Scheduler"] == left["task_folders"] == left["folders"] == [], left
        return result

    @property
    def forced(self) -> int:
        """How often something was sent that forces: a toggle, or a restart that was armed."""
        if self.column.restarts:
            return len(self.sync.armings)
        return len([on for _at, _user, _name, on in self.sync.passwords.switched if on])

    def touched(self) -> bool:
        """Whether anything was changed since the case began."""
        saved = [] if self.column.restarts else self.sync.passwords.saved
        return bool(self.forced or saved or any(channel.fulls for channel in self.channels.all))

    def fresh(self) -> None:
        """As in the beginning, and healthy."""
        for channel in self.channels.all:
            channel.enabled, channel.failure, channel.parameters = True, None, []
            for person in channel.people:
                person.outcome = "success"
            self.channels.send(channel, channel.people)
            channel.fulls.clear()
        if self.column.restarts:
            self.sync.armings.clear()
        else:
            self.sync.passwords.switched.clear()
            self.sync.passwords.saved.clear()


def _state(result: dict[str, Any]) -> str:
    return str(result["connectors"][0]["state"])


def _force(cell: Cell) -> str:
    result = cell.run()
    assert (result["failure_reason"], result["changed"], _state(result)) == (None, True, cell.column.top), result
    assert cell.forced == len(cell.channels.all[0].fulls) == 1
    users = result["connectors"][0]["users"]
    assert (users["requested"], users["succeeded"], users["incomplete"]) == (3, 3, False)
    assert (result["connectors"][0]["enabled"], cell.channels.all[0].enabled) == (None if cell.column.restarts else True, True)
    if cell.column.restarts:
        assert any("Whether the tenant takes" in warning for warning in result["warnings"])
        assert all(cell.sync.windows.services.is_running(name) for name in ("FIMSynchronizationService", "MSOnlineSyncScheduler"))
        assert any("MSOnlineSyncScheduler" in warning for warning in result["warnings"]), "it did not come back by itself"
    return _state(result)


def _again(cell: Cell) -> str:
    """Behind `force and prove`, on the same server and with its events."""
    before = cell.forced
    result = cell.run(min_interval=86400)
    if cell.column.options.get("password_marks", True):
        assert (result["changed"], cell.forced, result["connectors"][0]["ownership"]) == (False, before, "foreign"), result
        return "unchanged"
    assert (result["changed"], cell.forced) == (True, before + 1), result
    assert any("whether one ran before is not known" in warning for warning in result["warnings"])
    return "forced, with a warning"


def _switch_twice(cell: Cell) -> str:
    if cell.column.restarts:
        for state in ("enabled", "disabled"):
            for check_mode in (False, True):
                result = cell.run(state=state, check_mode=check_mode)
                assert result["failure_reason"] == "engine_unsupported", result
                assert "wizard" in result["msg"]
        assert not cell.touched()
        return "engine_unsupported"
    changes = []
    for state in ("disabled", "disabled", "enabled", "enabled"):
        result = cell.run(state=state)
        changes.append(result["changed"])
        assert cell.channels.all[0].enabled is (state == "enabled"), result
    assert changes == [True, False, True, False]
    assert cell.channels.all[1].enabled
    return "changed once each"


def _check_mode(cell: Cell) -> str:
    result = cell.run(check_mode=True)
    assert (result["failure_reason"], result["changed"]) == (None, True), result
    assert not cell.touched()
    return "predicted"


def _one_fails(cell: Cell) -> str:
    cell.channels.all[-1].failure = "replication_denied"
    result = cell.run(connectors=[])
    assert result["failure_reason"] == "replication_denied", result
    states = [one["state"] for one in result["connectors"]]
    assert states == [*([cell.column.top] if len(cell.channels.all) > 1 else []), "failed"], "DirSync has one forest"
    assert all(channel.enabled for channel in cell.channels.all)
    return ", ".join(states)


#: people of the first connector by what becomes of them; one run tells of all
_OUTCOMES = {"failed": "failed", "retrying": "retrying", "pending": "pending", "unseen": "not_seen"}


def _named(cell: Cell) -> list[str]:
    people = cell.channels.all[0].people
    for person, outcome in zip(people, _OUTCOMES):
        person.outcome = outcome
    result = cell.run(users=[person.dn for person in people[:4]])
    assert result["failure_reason"] == "password_sync_failed", result
    assert [one["result"] for one in result["people"]] == list(_OUTCOMES.values())
    return [one["result"] for one in result["people"]]


CASES: dict[str, Callable[[Cell], str]] = {
    "force and prove": _force,
    "again at once": _again,
    "enabled, disabled twice": _switch_twice,
    "check mode": _check_mode,
    "one connector fails": _one_fails,
}
_PEOPLE = tuple(f"named person {outcome.replace('_', ' ')}" for outcome in _OUTCOMES.values())

# -- refusals


@contextmanager
def _options(cell: Cell, **changes: Any) -> Iterator[None]:
    before = {name: getattr(cell.sync.options, name) for name in changes}
    cell.sync.configure(**changes)
    yield
    cell.sync.configure(**before)


@contextmanager
def _event(cell: Cell, name: str) -> Iterator[None]:
    cell.channels.fail(cell.channels.all[0], name)
    yield


@contextmanager
def _busy(cell: Cell) -> Iterator[None]:
    before = cell.sync.options.cycle_seconds
    cell.sync.configure(cycle_seconds=FOR_EVER)
    cell.sync.start_cycle()
    deadline = time.monotonic() + 20
    while cell.sync.engine.busy is None or cell.sync.engine.busy.name != cell.channels.all[0].name:
        assert time.monotonic() < deadline
        time.sleep(0.02)
        if cell.column.restarts and cell.sync.engine.busy is not None:
            break
    yield
    cell.sync.engine.cancelled.set()
    assert cell.sync.wait_idle()
    cell.sync.engine.cancelled.clear()
    cell.sync.configure(cycle_seconds=before)


@contextmanager
def _off(cell: Cell) -> Iterator[None]:
    cell.channels.all[0].enabled = False
    yield


@contextmanager
def _nothing(cell: Cell) -> Iterator[None]:
    yield


@dataclass(frozen=True)
class Refusal:
    """What is the matter, and what the task says. not_on: engines without such a thing. at_first: the first look of all may see it."""

    reason: str
    prepare: Callable[[Cell], Any]
    params: dict[str, Any] = field(default_factory=dict)
    not_on: tuple[str, ...] = ()
    at_first: bool = False


_DIRSYNC = ("dirsync_legacy", "dirsync")
REFUSALS: dict[str, Refusal] = {
    "staging": Refusal("staging", lambda cell: _options(cell, staging=True), not_on=_DIRSYNC, at_first=True),
    "wizard open": Refusal(
        "scheduler_suspended", lambda cell: _options(cell, suspended=True), not_on=(*_DIRSYNC, "aadsync"), at_first=True
    ),
    "service stopped": Refusal("service_stopped", lambda cell: _options(cell, service_running=False), at_first=True),
    "tenant off": Refusal("tenant_feature_off", lambda cell: _options(cell, password_feature=False), not_on=_DIRSYNC),
    "channel off": Refusal("password_sync_disabled", _off, not_on=_DIRSYNC),
    "no Entra connector": Refusal("entra_connector_missing", lambda cell: _options(cell, cloud_connectors=0), not_on=_DIRSYNC),
    "two Entra connectors": Refusal("entra_connector_ambiguous", lambda cell: _options(cell, cloud_connectors=2), not_on=_DIRSYNC),
    "FIPS": Refusal("fips_blocked", lambda cell: _event(cell, "fips")),
    "first sync": Refusal("first_sync_unfinished", lambda cell: _event(cell, "first_sync_unfinished")),
    "replication": Refusal("replication_denied", lambda cell: _event(cell, "replication_denied")),
    "operator": Refusal("engine_access_denied", _nothing, {"user": "svc-limited"}, at_first=True),
    "administrator outside": Refusal("engine_access_denied", _nothing, {"user": "svc-sync"}),
    "local route closed": Refusal("engine_access_denied", lambda cell: _options(cell, tasks_run=False)),
    "log closed": Refusal("events_unavailable", lambda cell: _options(cell, events_readable=False)),
    "source missing": Refusal("events_unavailable", lambda cell: _options(cell, password_source_known=False)),
    "busy": Refusal("busy_timeout", _busy),
}


def _refuse(cell: Cell, name: str, engine: str, *, check_mode: bool) -> str:
    refusal = REFUSALS[name]
    if engine in refusal.not_on:
        return "-"
    # A busy engine is awaited, and what would be done then is predicted.
    check_mode = check_mode and name != "busy"
    with refusal.prepare(cell):
        for channel in cell.channels.all:
            channel.fulls.clear()
        cell.looks_first = cell.found is None or refusal.at_first
        cell.found = None if cell.looks_first else cell.found
        params = {**refusal.params, "wait_timeout": 3 if cell.estate.host.mode == "fakes" else 25} if name == "busy" else refusal.params
        result = cell.run(check_mode=check_mode, **params)
        assert result["failure_reason"] == refusal.reason, result
        assert result["changed"] is False
        assert not cell.touched(), "it is refused before anything is changed"
    if refusal.at_first:
        cell.found = None
    return refusal.reason


# -- the tables


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated channels are quick: a second tells what a minute tells of a real one."""
    monkeypatch.setattr(_MODULE + "_passwords._proof.MARKED_WITHIN", 1.0)
    monkeypatch.setattr(_MODULE + "_passwords._case.PEOPLE_WAIT", 1.5)
    monkeypatch.setattr(_MODULE + "_engines._dirsync_passwords.QUIET", 0.3)


def _attempt(cell: Cell, row: list[str], place: int, case: Callable[[], list[str]], problems: list[str]) -> None:
    """One cell, or several that one run fills. A case that did not come to its end stays `FAILED`."""
    try:
        found = case()
        row[place : place + len(found)] = found
    except AssertionError as error:
        problems.append(f"{place}: {error}")


def _row(title: str, engine: str, scripts: str, cases: list[str], record_property: Any) -> list[str]:
    row = [engine, scripts, _WAYS[scripts], *["FAILED"] * len(cases)]
    record_property(TABLE_ROW, [title, ["engine", "scripts", "over", *cases], row])
    return row


@pytest.mark.timeout(300)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.usefixtures("quick")
def test_every_engine_in_every_case(
    engine: str, scripts_with: str, make_estate: MakeEstate, record_property: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = _row("every engine in every case of aad_password_sync:", engine, scripts_with, [*CASES, *_PEOPLE], record_property)
    cell = _cell(engine, scripts_with, make_estate, monkeypatch)
    problems: list[str] = []
    for place, (name, case) in enumerate(CASES.items(), 3):
        if name != "again at once":
            cell.fresh()
        _attempt(cell, row, place, lambda case=case: [case(cell)], problems)  # type: ignore[misc]
        cell.looks_first = False
    cell.fresh()
    for channel in cell.channels.all:
        channel.people = some_people(4, channel.place)
    _attempt(cell, row, 3 + len(CASES), lambda: _named(cell), problems)
    assert not problems, "\n\n".join(problems)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.usefixtures("quick")
def test_what_every_engine_refuses(
    engine: str, scripts_with: str, make_estate: MakeEstate, record_property: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = _row("what aad_password_sync refuses on every engine:", engine, scripts_with, list(REFUSALS), record_property)
    cell = _cell(engine, scripts_with, make_estate, monkeypatch)
    problems: list[str] = []
    for place, name in enumerate(REFUSALS, 3):
        cell.fresh()
        _attempt(cell, row, place, lambda name=name: [_refuse(cell, name, engine, check_mode=scripts_with == "fakes")], problems)  # type: ignore[misc]
    assert not problems, "\n\n".join(problems)


def _cell(engine: str, scripts: str, make_estate: MakeEstate, monkeypatch: pytest.MonkeyPatch) -> Cell:
    column = ENGINES[engine]
    return Cell(make_estate(engine=column.lab, connect={"password_seconds": 0.05, **column.options}), column, _WAYS[scripts], monkeypatch)
