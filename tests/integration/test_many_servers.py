# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""A pair of servers of which one is passed over, and starts that a later task follows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import procedures
import pytest
from estates import MakeEstate

CASE = "ansible_collections.hybrid.identity.plugins.module_utils._sync._case"
PLAYBOOK = Path(__file__).resolve().parents[2] / "playbooks" / "sync.yml"


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_server_in_staging_mode_is_passed_over(check_mode: bool, make_estate: MakeEstate) -> None:
    estate = make_estate(connect={"staging": True})
    result = procedures.trigger(estate, on_staging="skip", check_mode=check_mode)
    assert (result["skipped"], result["changed"], result["failure_reason"], result["skip_reason"]) == (True, False, None, "staging")
    assert result["sync"]["state"] is None
    assert estate.sync.cycles == []
    estate.sync.configure(staging=False)
    active = procedures.trigger(estate, on_staging="skip")
    assert (active["sync"]["state"], active["skip_reason"]) == ("verified", None)
    assert "skipped" not in active


def test_staging_that_cannot_be_read_is_not_skipped(make_estate: MakeEstate) -> None:
    result = procedures.trigger(make_estate(connect={"staging": True, "service_running": False}), on_staging="skip")
    assert (result["failure_reason"], result["skip_reason"]) == ("service_stopped", None)


def _start(estate: Any, **params: Any) -> dict[str, Any]:
    """The ticket of a start, as it comes through a play's variables."""
    started = procedures.trigger(estate, wait=False, **params)
    assert started["changed"] is True
    ticket: dict[str, Any] = json.loads(json.dumps(started["ticket"]))
    return ticket


@pytest.mark.parametrize("ended", [False, True], ids=["running", "ended"])
def test_a_start_is_followed_by_a_later_task(ended: bool, make_estate: MakeEstate) -> None:
    estate = make_estate(cycle_seconds=1.5)
    ticket = _start(estate, type="full")
    if ended:
        assert estate.sync.wait_idle()
    followed = procedures.trigger(estate, ticket=ticket)
    assert (followed["changed"], followed["sync"]["ownership"], followed["sync"]["state"]) == (False, "own", "verified")
    assert followed["sync"]["type"] == "full"
    assert followed["sync"]["requested_at"] is not None
    assert len(estate.sync.cycles) == 1
    assert procedures.trigger(estate, ticket=followed["ticket"])["sync"]["state"] == "verified", "as often as one likes"


def test_a_followed_start_is_not_the_next_cycle(make_estate: MakeEstate, monkeypatch: pytest.MonkeyPatch) -> None:
    estate = make_estate()
    ticket = _start(estate)
    assert estate.sync.wait_idle()
    estate.sync.start_cycle()
    assert estate.sync.wait_idle()
    followed = procedures.trigger(estate, ticket=ticket)
    assert followed["runs"][0]["number"] == 1
    estate.sync.engine.history.clear()
    monkeypatch.setattr(f"{CASE}.IDLE_FOR_CERTAIN", 1.0)
    purged = procedures.trigger(estate, ticket=ticket)
    assert (purged["failure_reason"], purged["changed"]) == ("not_confirmed", False)
    assert len(estate.sync.cycles) == 2


def test_a_start_that_was_stopped_is_told_to_who_follows(make_estate: MakeEstate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{CASE}.IDLE_FOR_CERTAIN", 1.0)
    estate = make_estate()
    estate.sync.arm("cycle_stopped", phase=3, moment="after")
    followed = procedures.trigger(estate, ticket=_start(estate))
    assert (followed["failure_reason"], followed["changed"]) == ("cycle_failed", False)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"server": "other"}, "follow it there"),
        ({"version": 2}, "not known"),
        ({"requested_at": "yesterday"}, "requested_at"),
        ({"next_start": 5}, "next_start"),
        ({"type": "Delta"}, "not known"),
    ],
)
def test_what_is_no_ticket(change: dict[str, Any], words: str, make_estate: MakeEstate) -> None:
    estate = make_estate()
    ticket = _start(estate)
    result = procedures.trigger(estate, ticket={**ticket, **change})
    assert result["failure_reason"] == "invalid_input"
    assert words in result["msg"]
    assert len(estate.sync.cycles) == 1


def test_a_play_over_a_group_acts_on_the_active_one(make_estate: MakeEstate, scripts_with: str, tmp_path: Path) -> None:
    """One of the three is down, which keeps the active one from nothing; what is wrong otherwise is told in tests/unit/roles."""
    if scripts_with == "powershell":
        pytest.skip("the play is the same whatever runs the scripts")
    active, passive = make_estate(), make_estate(connect={"staging": True})
    down = {**active.connection_variables(), "ansible_port": 9}
    inventory = {
        "sync_servers": {"hosts": {"sync1": passive.connection_variables(), "sync2": active.connection_variables(), "sync3": down}}
    }
    done = procedures.run_playbook(tmp_path, inventory, PLAYBOOK)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (len(active.sync.cycles), len(passive.sync.cycles)) == (1, 0)
    assert "Whether sync3 is active too is not known. unreachable: " in done.stdout
    active.sync.configure(staging=True)
    none = procedures.run_playbook(tmp_path, inventory, PLAYBOOK)
    assert none.returncode != 0
    assert (
        "unreachable: None of the sync servers that could be looked at is active, and whether sync3 is active is not known." in none.stdout
    )


def test_a_ticket_excludes_what_it_says_itself(make_estate: MakeEstate, tmp_path: Path) -> None:
    estate = make_estate()
    inventory = {"sync_servers": {"hosts": {"sync1": estate.connection_variables()}}}
    tasks = [
        {"hybrid.identity.dirsync_trigger": {"ticket": {}, **more}} for more in ({"type": "delta"}, {"max_age": 5}, {"min_interval": 0}, {})
    ]
    results = procedures.task_results(tmp_path, inventory, "sync1", *tasks)
    assert [result["failure_reason"] for result in results] == ["invalid_input"] * 4
    assert all("mutually exclusive" in result["msg"] for result in results[:3])
    assert "ticket.version" in results[3]["msg"]
