# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""aad_password_sync against the simulated sync server, over real pywinrm: what it proves (engine x case: test_password_engines)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import procedures
import pytest
from estates import POWERSHELL, TABLE_ROW, WITH_FAKES, MakeEstate
from patience import wait_until

from lab.estate import ACCOUNTS, Estate, EstateOptions

ENGINES: dict[str, dict[str, Any]] = {
    "connect": {},
    "connect without 617": {"password_marks": False, "partition_states": False, "password_shape": "old", "product_version": "2.6.91.0"},
}
TWO = {"more_directories": ("fabrikam.test",)}
KEYS = {
    "server", "changed", "engine", "version", "connectors", "people", "left_off", "evidence", "warnings", "failure_reason", "msg", "diff",
}  # fmt: skip
CONNECTOR_KEYS = {
    "name", "id", "enabled_before", "enabled", "flag_before", "flag_after", "requested_at", "started_at", "finished_at", "state", "domains",
    "users", "failures", "error", "ownership",
}  # fmt: skip
FIRST, SECOND = "CN=Person 0,OU=Staff,DC=lab,DC=test", "person1@lab.test"


def passwords(estate: Estate, *, fast: bool = True, **params: Any) -> dict[str, Any]:
    """The task; an engine that does not mark anything needs a minute, which the server's clock is given."""
    told: list[str] = []

    def progress(line: str) -> None:
        told.append(line)
        if fast and not estate.sync.options.password_marks and "reading what the engine does" in line:
            time.sleep(0.5)
            estate.sync.clock.jump(61)

    result = procedures.passwords(estate, progress=progress, **params)
    assert set(result) >= KEYS - ({"diff"} if result.get("failed") else set())
    assert all(set(one) == CONNECTOR_KEYS for one in result["connectors"])
    assert all(estate.sync.channels.of(name) for name in result["left_off"])
    return result


def is_clean(estate: Estate) -> bool:
    left = estate.left_behind()
    return not any(left[name] for name in ("tasks", "orphans", "task_folders", "folders"))


def states(result: dict[str, Any]) -> list[str | None]:
    return [one["state"] for one in result["connectors"]]


@dataclass
class Cell:
    """A case of the table: how the server is, what is asked, and what has to come of it. forced: how many full synchronisations there were."""

    params: dict[str, Any] = field(default_factory=dict)
    server: dict[str, Any] = field(default_factory=dict)
    prepare: Callable[[Estate], None] = lambda estate: None
    reason: str | None = None
    changed: bool = True
    state: str | None = "*"
    forced: int = 0
    user: str = "svc-password"


def _outcome(name: str, index: int = 0) -> Callable[[Estate], None]:
    def prepare(estate: Estate) -> None:
        estate.sync.channels.all[0].people[index].outcome = name

    return prepare


def _failure(name: str, forest: str = "lab.test") -> Callable[[Estate], None]:
    def prepare(estate: Estate) -> None:
        channel = estate.sync.channels.of(forest)
        assert channel is not None
        channel.failure = name

    return prepare


def _event(name: str, seconds_ago: float = 0.0, healed: bool = False) -> Callable[[Estate], None]:
    def prepare(estate: Estate) -> None:
        channels = estate.sync.channels
        estate.sync.clock.jump(-seconds_ago)
        channels.fail(channels.all[0], name)
        if healed:
            channels.send(channels.all[0], channels.all[0].people)
        estate.sync.clock.jump(seconds_ago)

    return prepare


def _once(estate: Estate) -> None:
    passwords(estate)


def _switch_off(estate: Estate) -> None:
    for channel in estate.sync.channels.all:
        channel.enabled = False


CASES: dict[str, Cell] = {
    "enabled, check mode": Cell({"state": "enabled", "check_mode": True}, prepare=_switch_off),
    "one of two is meant": Cell({"connectors": ["LAB.test"]}, {**TWO, "password_people": 2}, forced=1),
    "named person succeeds": Cell({"users": [FIRST, SECOND]}, forced=1),
    "somebody fails": Cell(prepare=_outcome("failed"), forced=1),
    "somebody fails, all count": Cell({"fail_on": "failed_users"}, prepare=_outcome("failed"), reason="password_sync_failed", forced=1),
    "a forest fails, nothing counts": Cell({"fail_on": "never"}, prepare=_failure("replication_denied"), state="failed", forced=1),
    "tenant turns out to be off": Cell(prepare=_failure("tenant_off"), reason="tenant_feature_off", forced=1),
    "unknown person": Cell({"users": ["nobody@lab.test"]}, reason="invalid_input", changed=False),
    "ambiguous person": Cell({"users": ["person1"]}, TWO, reason="invalid_input", changed=False),
    "unknown connector": Cell({"connectors": ["contoso.com"]}, reason="invalid_input", changed=False),
    "the Entra connector": Cell({"connectors": ["lab.onmicrosoft.com - AAD"]}, reason="invalid_input", changed=False),
    "tenant feature off, disabling": Cell({"state": "disabled"}, {"password_feature": False}),
    "tenant feature not known": Cell(server={"password_feature": None}, forced=1),
    "FIPS, long ago": Cell(prepare=_event("fips", 400), forced=1),
    "first synchronisation, healed": Cell(prepare=_event("first_sync_unfinished", 200, healed=True), forced=1),
    "replication denied, healed": Cell(prepare=_event("replication_denied", 100, healed=True), forced=1),
    "the same, check mode": Cell({"check_mode": True}, user="svc-sync", reason="engine_access_denied", changed=False),
    "the same, over an open network": Cell(
        server={"password_cmdlets_over_network": True, "operators_may_write": True},
        user="svc-sync",
        reason="engine_access_denied",
        changed=False,
    ),
    "groups of other names": Cell(server={"custom_groups": True}, forced=1),
    "switch wants a sign-in": Cell(server={"password_set_needs_user": True}, reason="engine_unsupported", changed=False),
}  # fmt: skip


#: those that rest on what a script finds out, and not on decisions alone
_OF_SCRIPTS = ("tenant feature not known", "groups of other names", "switch wants a sign-in", "the same, over an open network")


@pytest.mark.parametrize(
    ("name", "scripts_with"),
    [(name, scripts) for name in CASES for scripts in ("fakes", "powershell") if scripts == "fakes" or name in _OF_SCRIPTS],
    indirect=["scripts_with"],
)
def test_case(name: str, make_estate: MakeEstate) -> None:
    """What the tables of test_password_engines do not have, on the newest engine."""
    cell = CASES[name]
    estate = make_estate(connect=cell.server)
    cell.prepare(estate)
    before = [(one.enabled, one.flag) for one in estate.sync.channels.all]
    began = len(estate.sync.passwords.switched)
    result = passwords(estate, user=cell.user, **cell.params)
    assert result["failure_reason"] == cell.reason, result["msg"]
    assert bool(result.get("failed")) is (cell.reason is not None)
    assert result["changed"] is cell.changed
    if cell.state != "*":
        assert states(result) == [cell.state]
    assert sum(len(one.fulls) for one in estate.sync.channels.all) == cell.forced
    if not cell.changed or cell.params.get("check_mode"):
        assert len(estate.sync.passwords.switched) == began, "nothing was switched"
        assert estate.sync.passwords.saved == []
        assert [(one.enabled, one.flag) for one in estate.sync.channels.all] == before
    elif cell.params.get("state", "synced") == "synced":
        assert all(one.enabled for one in estate.sync.channels.all)
        assert [on for _at, _user, _name, on in estate.sync.passwords.switched] == [False, True] * cell.forced
    if cell.forced and cell.reason is None and cell.state == "*":
        assert set(states(result)) == {"verified"}
        assert any("overwritten" in warning for warning in result["warnings"])
    assert is_clean(estate)


def test_a_second_run_changes_nothing_and_tells_when_the_last_one_began(make_estate: MakeEstate) -> None:
    estate = make_estate(connect=TWO)
    first = passwords(estate)
    assert (first["changed"], states(first)) == (True, ["verified", "verified"])
    again = passwords(estate)
    assert (again["changed"], [one["ownership"] for one in again["connectors"]]) == (False, ["foreign", "foreign"])
    assert again["connectors"][0]["started_at"] is not None
    assert again["diff"]["before"] == again["diff"]["after"]
    assert again["connectors"][0]["users"]["incomplete"] is True, "nobody counted people this time"
    soon = passwords(estate, since=datetime.now(timezone.utc).isoformat())
    assert soon["failure_reason"] == "too_soon"
    assert "began at 20" in soon["msg"]
    assert passwords(estate, max_age=600)["changed"] is False
    forced = passwords(estate, since=datetime.now(timezone.utc).isoformat(), force=True)
    assert (forced["changed"], states(forced)) == (True, ["verified", "verified"])
    assert [len(one.fulls) for one in estate.sync.channels.all] == [2, 2]


def test_only_uncovered_forests_are_forced(make_estate: MakeEstate) -> None:
    estate = make_estate(connect=TWO)
    passwords(estate, connectors=["fabrikam.test"])
    result = passwords(estate)
    assert result["changed"] is True
    assert [one["ownership"] for one in result["connectors"]] == ["own", "foreign"]
    assert [len(one.fulls) for one in estate.sync.channels.all] == [1, 1]


@WITH_FAKES
def test_one_that_runs_is_followed_and_one_that_began_too_early_is_awaited(make_estate: MakeEstate) -> None:
    estate = make_estate(connect={"password_seconds": 2.0})
    channel = estate.sync.channels.all[0]
    estate.sync.channels.begin_full(channel)
    time.sleep(0.4)
    followed = passwords(estate)
    assert (followed["changed"], states(followed)) == (False, ["finished"])
    assert followed["connectors"][0]["users"]["succeeded"] == 3
    estate.sync.channels.begin_full(channel)
    time.sleep(0.4)
    own = passwords(estate, since=datetime.now(timezone.utc).isoformat(), force=True)
    assert own["changed"] is True
    (_began, ended), (third, _ended) = channel.fulls[-2:]
    assert ended is not None
    assert third >= ended, "it was not toggled away"


def test_without_waiting_a_later_task_follows_it(make_estate: MakeEstate) -> None:
    estate = make_estate(connect={"password_seconds": 3.0})
    since = datetime.now(timezone.utc).isoformat()
    started = passwords(estate, since=since, wait=False)
    assert (started["changed"], states(started), started["failure_reason"]) == (True, ["started"], None)
    ended = passwords(estate, since=since, users=[FIRST])
    assert (ended["changed"], states(ended)[0] in ("finished", "verified")) == (False, True)
    assert ended["people"][0]["result"] == "succeeded"
    assert len(estate.sync.channels.all[0].fulls) == 1


def test_time_over_is_told_and_the_channel_is_on(make_estate: MakeEstate) -> None:
    estate = make_estate(connect={"password_seconds": 60.0})
    result = passwords(estate, wait_timeout=6)
    assert (result["failure_reason"], states(result), result["left_off"]) == ("wait_timeout", ["started"], [])
    assert estate.sync.channels.all[0].enabled


def test_a_channel_that_stays_off_opens_the_message_and_keeps_its_guardian(
    make_estate: MakeEstate, monkeypatch: pytest.MonkeyPatch
) -> None:
    estate = make_estate(connect=TWO)
    estate.sync.configure(password_switch_stuck=True)
    result = passwords(estate, connectors=["lab.test"])
    assert (result["failure_reason"], result["left_off"]) == ("channel_left_off", ["lab.test"])
    assert result["msg"].startswith("PASSWORD SYNCHRONISATION OF lab.test IS OFF")
    assert [name.partition("-")[0] for name in estate.sync.windows.task_names()] == ["guardian"]
    estate.sync.configure(password_switch_stuck=False)
    estate.sync.clock.jump(300)
    wait_until(lambda: estate.sync.channels.all[0].enabled and is_clean(estate))
    assert estate.sync.channels.all[1].enabled


@WITH_FAKES
def test_what_somebody_else_switches_off_meanwhile_is_told_and_stays(make_estate: MakeEstate) -> None:
    estate = make_estate(connect={"password_seconds": 1.0})

    def progress(line: str) -> None:
        if "people so far" in line:
            estate.sync.channels.switch(estate.sync.channels.all[0], False)

    result = procedures.passwords(estate, progress=progress)
    assert result["failure_reason"] == "not_confirmed"
    assert any("somebody else" in warning for warning in result["warnings"])
    assert not estate.sync.channels.all[0].enabled
    assert result["left_off"] == []


# -- the event log


GERMAN: dict[str, Any] = {"language": "de", "culture": "de-DE", "codepage": 850}
#: how a server may be without a verdict being another one
SERVERS: dict[str, dict[str, Any]] = {
    "English, right clock": {},
    "German, 15 minutes ahead": {"clock_offset": 900.0, **GERMAN},
    "German, 15 minutes behind": {"clock_offset": -900.0, "connect": {"event_messages_known": False}, **GERMAN},
}
_ANSWERS = ("everything is there", "rolled over in the middle", "source missing", "log not readable")


@pytest.mark.parametrize("server", SERVERS)
def test_the_same_answers_whatever_the_language_and_the_clock(
    server: str, make_estate: MakeEstate, scripts_with: str, record_property: Any
) -> None:
    more = dict(SERVERS[server])
    estate = make_estate(connect={"password_people": 120, "password_seconds": 0.0, **more.pop("connect", {})}, **more)
    offset = estate.sync.clock.offset
    _outcome("failed", 2)(estate)
    whole = passwords(estate, users=[FIRST, "CN=Person 2,OU=Staff,DC=lab,DC=test"], fail_on="failed_connectors")
    began = datetime.fromisoformat(whole["connectors"][0]["started_at"].replace("Z", "+00:00"))
    assert [one["result"] for one in whole["people"]] == ["succeeded", "failed"]
    assert abs(whole["clock_skew"] - offset) < 10
    assert abs((began - datetime.now(timezone.utc)).total_seconds()) < 60, "told on this machine's clock"
    assert passwords(estate)["changed"] is False
    estate.sync.events.keep(12)
    rolled = passwords(estate, force=True)
    assert any("rolled over" in warning for warning in rolled["warnings"])
    estate.sync.configure(password_source_known=False)
    missing = passwords(estate, force=True)
    assert "does not know the event source" in missing["msg"]
    estate.sync.configure(password_source_known=True, events_readable=False)
    closed = passwords(estate, force=True)
    assert "cannot be read" in closed["msg"]
    told = [_answer(one) for one in (whole, rolled, missing, closed)]
    record_property(
        TABLE_ROW, ["the password events of one server, four times", ["server", "scripts", *_ANSWERS], [server, scripts_with, *told]]
    )
    assert told == ["verified", "finished, incomplete", "events_unavailable, no such source", "events_unavailable, no access"]
    assert len(estate.sync.passwords.switched) == 4, "what could not have been proven was not forced"
    assert is_clean(estate)


def _answer(result: dict[str, Any]) -> str:
    if result["failure_reason"]:
        why = "no such source" if "does not know the event source" in result["msg"] else "no access"
        return f"{result['failure_reason']}, {why}" + (", forced" if result["changed"] else "")
    (connector,) = result["connectors"]
    return str(connector["state"]) + (", incomplete" if connector["users"]["incomplete"] else "")


def test_end_lost_with_the_log_is_not_confirmed(make_estate: MakeEstate) -> None:
    estate = make_estate(connect={"password_people": 60, "password_seconds": 0.0})
    log = estate.sync.events
    tell = log.write_text

    def write(provider: str, event_id: int, text: str, *, level: int = 4) -> None:
        if event_id != 623:
            tell(provider, event_id, text, level=level)
        if event_id == 617:
            log.keep(4)

    log.write_text = write
    result = passwords(estate, wait_timeout=12)
    assert result["failure_reason"] == "not_confirmed"
    assert result["connectors"][0]["users"]["incomplete"] is True


@pytest.mark.parametrize("server", [name for name, options in SERVERS.items() if options])
def test_without_marks_the_same_on_a_german_server_with_a_wrong_clock(server: str, make_estate: MakeEstate) -> None:
    more = dict(SERVERS[server])
    estate = make_estate(connect={**ENGINES["connect without 617"], **TWO, **more.pop("connect", {})}, **more)
    _outcome("failed", 2)(estate)
    result = passwords(estate, users=[FIRST, "CN=Person 2,OU=Staff,DC=lab,DC=test"], fail_on="failed_connectors")
    assert result["failure_reason"] is None, result["msg"]
    assert states(result) == ["confirmed", "confirmed"]
    assert [one["result"] for one in result["people"]] == ["succeeded", "failed"]
    assert abs(result["clock_skew"] - estate.sync.clock.offset) < 10
    assert is_clean(estate)


@pytest.mark.parametrize("shape", ["new", "old", "bare"])
def test_every_shape_of_results(shape: str, make_estate: MakeEstate) -> None:
    estate = make_estate(connect={"password_shape": shape, "password_people": 130})
    _outcome("failed", 3)(estate)
    _outcome("retrying", 4)(estate)
    result = passwords(estate)
    users = result["connectors"][0]["users"]
    assert users == {"requested": 130, "succeeded": 128, "failed": 1, "retrying": 1, "pending": 0, "incomplete": False}
    assert sorted(one["result"] for one in result["connectors"][0]["failures"]) == ["failed", "retrying"]
    assert all(one["remedy"] for one in result["connectors"][0]["failures"])


_CHILD = """
import json, resource, sys, time
from datetime import datetime, timezone
from ansible_collections.hybrid.identity.plugins.module_utils._deadline import Deadline
from ansible_collections.hybrid.identity.plugins.module_utils._engines._connect_passwords import AdsyncPasswords
from ansible_collections.hybrid.identity.plugins.module_utils._passwords._options import PASSWORD_OPTIONS
from ansible_collections.hybrid.identity.plugins.module_utils._passwords._synchronise import synchronise
from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import RemoteShell
from ansible_collections.hybrid.identity.plugins.module_utils._remote._winrm import WinrmOptions, WinrmTransport

port, password, users = json.load(sys.stdin)
asked, events = [], AdsyncPasswords.events

def counted(self, shell, **question):
    began = time.monotonic()
    page = events(self, shell, **question)
    if not question["marks_only"] and question["since"] is None:
        asked.append((question["after"], page.last, time.monotonic() - began if page.signs else 0.0))
    return page

AdsyncPasswords.events = counted
options = WinrmOptions(server="127.0.0.1", username="svc-password", password=password, port=port, use_tls=False)
shell = RemoteShell(WinrmTransport(options), Deadline(120))
params = {name: option.get("default") for name, option in PASSWORD_OPTIONS.items()}
params.update(wait_timeout=120, wait_sleep=0.1, quiet_period=2, users=users, fail_on="failed_connectors")
now = datetime.now(timezone.utc)
result = synchronise([("sync1", shell)], params, now=now, check_mode=False, progress=lambda line: None)
shell.close()
json.dump([result, asked, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024], sys.stdout)
"""


def test_twenty_thousand_people(record_property: Any) -> None:
    """Only what is new is read, nothing is counted twice or lost, and neither time nor memory of the controller run away.

    With fakes; HYBRID_IDENTITY_LARGE=powershell has the shipped script read them.
    """
    powershell = POWERSHELL if os.environ.get("HYBRID_IDENTITY_LARGE") == "powershell" else None
    options = EstateOptions(directory=False, tenant=False, powershell=powershell or "none")
    options.connect = {"password_people": 20000, "password_seconds": 0.0}
    with Estate(options) as estate:
        _read_twenty_thousand(estate, record_property)


def _read_twenty_thousand(estate: Estate, record_property: Any) -> None:
    _outcome("failed", 19998)(estate)
    question = [estate.wsman.http_port, ACCOUNTS["svc-password"][0], ["CN=Person 19998,OU=Staff,DC=lab,DC=test", FIRST]]
    done = subprocess.run(
        [sys.executable, "-c", _CHILD], input=json.dumps(question), capture_output=True, text=True, check=False, timeout=150
    )
    assert done.returncode == 0, done.stderr
    result, asked, megabytes = json.loads(done.stdout)
    users = result["connectors"][0]["users"]
    assert result["failure_reason"] is None, result["msg"]
    assert users == {"requested": 20000, "succeeded": 19999, "failed": 1, "retrying": 0, "pending": 0, "incomplete": False}
    assert [one["result"] for one in result["people"]] == ["failed", "succeeded"]
    assert all(later[0] == earlier[1] for earlier, later in zip(asked, asked[1:])), "each page goes on where the last one ended"
    seconds = sum(one[2] for one in asked)
    cells = [estate.host.mode, str(len(asked)), f"{seconds:.1f} s", f"{megabytes:.0f} MiB"]
    record_property(TABLE_ROW, ["20,000 people in one full password synchronisation", ["scripts", "pages", "reading", "controller"], cells])
    assert megabytes <= 150
    assert seconds <= 10 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)), "more only where this machine has other work to do"
    assert len(result["connectors"][0]["failures"]) == 1
    assert len(str(result)) < 20000, "the result is a summary"


# -- through Ansible


def test_over_the_connection_and_from_localhost_the_same_keys(make_estate: MakeEstate, tmp_path: Path) -> None:
    estate = make_estate()
    variables = estate.connection_variables(user="svc-password")
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory = {"all": {"hosts": {"sync1": variables, "localhost": local}}}
    options = {"wait_timeout": 60, "quiet_period": 2, "wait_sleep": 0.1}
    task = {"hybrid.identity.aad_password_sync": options}
    (direct,) = procedures.task_results(tmp_path, inventory, "sync1", task)
    assert (direct["changed"], states(direct)) == (True, ["verified"]), direct["msg"]
    named = {"hybrid.identity.aad_password_sync": {**options, **estate.server_options(user="svc-password")}}
    named["hybrid.identity.aad_password_sync"]["server"] = ["127.0.0.1"]
    (module,) = procedures.task_results(tmp_path, inventory, "localhost", named)
    assert module["changed"] is False, module["msg"]
    assert set(module) | {"warnings"} == set(direct) | {"warnings"}
    assert is_clean(estate)


def test_playbook_takes_what_a_survey_leaves_empty(make_estate: MakeEstate, tmp_path: Path) -> None:
    estate = make_estate()
    inventory = {"sync_servers": {"hosts": {"sync1": estate.connection_variables(user="svc-password")}}}
    playbook = Path(__file__).resolve().parents[2] / "playbooks" / "password_sync.yml"
    empty = ("connectors", "users", "since", "min_interval", "wait", "fail_on", "force", "state", "hosts")
    survey = json.dumps({f"password_sync_{name}": "" for name in empty} | {"password_sync_timeout": "60"})
    done = procedures.run_playbook(tmp_path, inventory, playbook, "-e", survey)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "was forced and has finished" in done.stdout
    assert len(estate.sync.channels.all[0].fulls) == 1
    people = json.dumps({"password_sync_users": [SECOND], "password_sync_timeout": 60, "password_sync_wait": False})
    again = procedures.run_playbook(tmp_path, inventory, playbook, "-e", people)
    assert again.returncode == 0, again.stdout + again.stderr
    assert len(estate.sync.channels.all[0].fulls) == 1


def test_since_lies_on_this_machines_clock(make_estate: MakeEstate) -> None:
    estate = make_estate(clock_offset=900.0)
    early = (datetime.now(timezone.utc) - timedelta(seconds=1)).isoformat()
    assert passwords(estate, since=early)["changed"] is True
    assert passwords(estate, since=early)["changed"] is False
    future = passwords(estate, since=(datetime.now(timezone.utc) + timedelta(hours=1)).isoformat())
    assert (future["failure_reason"], future["changed"]) == ("invalid_input", False)
