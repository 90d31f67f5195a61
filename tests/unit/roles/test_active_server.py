# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Which server of a group the role and the playbook act on, and the words for none, two, and one that does not answer.

The expressions are read from the role and the playbook and evaluated by ansible itself, without a process and a server.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROOT = Path(__file__).resolve().parents[3]
STAGING, ACTIVE = {"scheduler": {"staging": True}, "failure_reason": None}, {"scheduler": {"staging": False}, "failure_reason": None}
UNKNOWN = {"scheduler": {"staging": None}, "failure_reason": None}
HELD = {"scheduler": {"staging": False, "suspended": True}, "blocked_by": "scheduler_suspended", "failure_reason": None}
DOWN = {"failure_reason": "unreachable", "msg": "sync is down."}
STOPPED = {"scheduler": None, "blocked_by": "service_stopped", "failure_reason": None, "msg": "ADSync does not run."}


def evaluate(file: str, expression: str, **variables: Any) -> Any:
    """An expression with the variables of a playbook's play, or of a role."""
    loader = DataLoader()
    # From 2.19 on ansible evaluates nothing that is not marked as its own.
    marked = {"trusted_as_template": True} if "trusted_as_template" in inspect.signature(loader.load_from_file).parameters else {}
    loaded = loader.load_from_file(str(ROOT / file), **marked)
    play = loaded[0]["vars"] if isinstance(loaded, list) else loaded
    return Templar(loader, variables={**play, **variables}).template(play[expression])


def role(looks: list[dict[str, Any]], **variables: Any) -> tuple[str, dict[str, Any]]:
    """(the server that the role acts on, what it finds wrong)."""
    names = [f"sync{number + 1}" for number in range(len(looks))]
    results = [{"item": name, **look} for name, look in zip(names, looks, strict=True)]
    known = {"onboarding_sync_server": "", "onboarding_on_staging": "", "groups": {"sync_servers": names}, **variables}
    known["onboarding__seen_servers"] = {"results": results}
    server, fault = (evaluate("roles/onboarding/vars/main.yml", f"onboarding__{name}", **known) for name in ("sync_server", "pair_fault"))
    return str(server).strip(), dict(fault)


@pytest.mark.parametrize(
    ("looks", "server"),
    [
        ([ACTIVE, STAGING], "sync1"),
        ([STAGING, ACTIVE], "sync2"),
        ([STAGING, STAGING, ACTIVE], "sync3"),
        ([DOWN, ACTIVE], "sync2"),
        ([HELD, STOPPED], "sync1"),
        ([STAGING, UNKNOWN], "sync2"),
        ([STAGING], "sync1"),
        ([], ""),
    ],
)
def test_the_role_finds_the_active_server(looks: list[dict[str, Any]], server: str) -> None:
    assert role(looks) == (server, {})


@pytest.mark.parametrize(
    ("looks", "reason", "words"),
    [
        ([STAGING, STAGING], "no_active_server", "Every sync server is in staging mode (sync1, sync2)."),
        ([ACTIVE, STAGING, ACTIVE], "two_active_servers", "More than one sync server is active: sync1, sync3."),
        ([STAGING, DOWN], "unreachable", "and whether sync2 is active is not known: sync is down."),
        ([STOPPED, STAGING], "service_stopped", "and whether sync1 is active is not known: ADSync does not run."),
        ([{}, DOWN], "unreachable", "whether sync1, sync2 is active"),
    ],
)
def test_the_role_says_why_there_is_none(looks: list[dict[str, Any]], reason: str, words: str) -> None:
    _server, fault = role(looks)
    assert (fault["failed"], fault["failure_reason"]) == (True, reason)
    assert words in fault["msg"]


def test_the_role_takes_what_it_is_told() -> None:
    assert role([STAGING, ACTIVE], onboarding_sync_server="sync1") == ("sync1", {})
    assert role([STAGING, STAGING], onboarding_on_staging="proceed") == ("sync1", {})
    assert role([STAGING, ACTIVE], onboarding_on_staging="proceed") == ("sync2", {})


def played(**results: Any) -> str:
    """The verdict of the playbook over these results of dirsync_trigger; None where there is none."""
    hostvars = {name: {} if result is None else {"sync__result": result} for name, result in results.items()}
    return str(evaluate("playbooks/sync.yml", "sync__verdict", hostvars=hostvars, ansible_play_hosts_all=list(results)) or "").strip()


def result(reason: str | None = None, skip: str | None = None, msg: str = "Well.") -> dict[str, Any]:
    return {"failure_reason": reason, "skip_reason": skip, "msg": msg}


def test_the_playbook_is_content_with_one_active_server() -> None:
    assert played(sync1=result(), sync2=result(skip="staging")) == ""
    assert played(sync1=result(skip="staging"), sync2=result()) == ""
    assert played(sync1=result("unreachable"), sync2=result()) == "", "a passive server that is down keeps nobody from anything"


def test_the_playbook_tells_apart_what_is_wrong() -> None:
    passive = result(skip="staging")
    assert played(sync1=passive, sync2=passive).startswith("no_active_server: Every sync server is in staging mode")
    assert played(sync1=result(), sync2=result()).startswith("two_active_servers: More than one sync server is active: sync1, sync2.")
    assert played(sync1=result("cycle_failed"), sync2=result()).startswith("two_active_servers: ")
    down = played(sync1=passive, sync2=result("unreachable", msg="It is down."))
    assert down.startswith("unreachable: None of the sync servers that could be looked at is active")
    assert "sync2 is active is not known" in down
    assert down.endswith("It is down.")
    assert played(sync1=passive, sync2=None).startswith("unreachable: ")
    assert played(sync1=passive, sync2=result("cycle_failed", msg="No export.")) == "cycle_failed: sync2: No export."
    assert (
        played(sync1=result("invalid_input", msg="since: no."), sync2=result("invalid_input", msg="since: no."))
        == "invalid_input: since: no."
    )
