# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What a version that the cloud refuses makes of the end of a task."""

from __future__ import annotations

from typing import Any

import pytest
from sync_cases import at, cycle, history, observed, probe, request, run, state
from sync_cases import desired as wanted

from ansible_collections.hybrid.identity.plugins.module_utils._engines._contract import Events
from ansible_collections.hybrid.identity.plugins.module_utils._sync._actions import Stop
from ansible_collections.hybrid.identity.plugins.module_utils._sync._decide import decide

NOTE = "Azure AD Connect 1.6.16.0 has been refused by the cloud since 1 October 2023."
REFUSED = probe(support="refused", support_note=NOTE)
_EXPORTED = Events({"Directory Synchronization/114": 1}, {"Directory Synchronization/114": at(40)}, [])
_EARLIER = Events({"Directory Synchronization/114": 1}, {"Directory Synchronization/114": at(5)}, [])
_DENIED = Events({"Directory Synchronization/115": 1}, {"Directory Synchronization/115": at(40)}, [])
_NOTHING = Events({}, {}, [])


def stop(runs: Any, events: Events | None = None, support: Any = REFUSED, **options: Any) -> Stop:
    """The end of a task whose start was accepted and whose engine has come to rest; runs is None where they cannot be read."""
    seen = observed(
        state(80), idle=61, seen=12, request=request(10), history=history(80, runs, events=events), local_open=False, probe=support
    )
    action = decide(wanted(0, **options), seen)
    assert isinstance(action, Stop)
    return action


def with_export(result: str) -> list[Any]:
    """A cycle whose export to the cloud ended so."""
    return [*cycle(11)[:4], run(51, "export", False, result=result), cycle(11)[5]]


@pytest.mark.parametrize(
    ("runs", "events", "reason"),
    [
        (cycle(11), None, None),
        (with_export("completed-export-errors"), None, None),
        (None, _EXPORTED, None),
        (None, _EARLIER, "not_confirmed"),
        (None, _NOTHING, "not_confirmed"),
        (None, None, "not_confirmed"),
    ],
)
def test_success_needs_the_export_of_this_cycle(runs: Any, events: Events | None, reason: str | None) -> None:
    assert stop(runs, events).reason == reason
    assert stop(runs, events, support=None).reason is None, "on a version that is accepted it takes less"


@pytest.mark.parametrize(
    ("result", "events", "reason"),
    [
        ("stopped-deletion-threshold-exceeded", _NOTHING, "deletion_threshold"),
        ("no-start-credentials", _NOTHING, "connector_credentials"),
        ("stopped-extension-dll-exception", _DENIED, "cloud_sign_in_blocked"),
        ("stopped-extension-dll-exception", _NOTHING, "engine_unsupported"),
        ("stopped-server-down", _NOTHING, "engine_unsupported"),
        ("stopped-ma", _NOTHING, "engine_unsupported"),
    ],
)
def test_a_failure_at_the_cloud_keeps_a_known_cause_and_says_the_date(result: str, events: Events, reason: str) -> None:
    end = stop(with_export(result), events)
    assert end.reason == reason
    assert end.sentence.endswith(NOTE)


def test_a_failure_at_a_directory_is_none_of_the_cloud() -> None:
    runs = [run(11, result="stopped-server-down"), *cycle(11)[1:]]
    assert stop(runs, _NOTHING).reason == "connector_unreachable"


def test_a_start_that_is_not_awaited_is_not_judged() -> None:
    seen = observed(state(20, True), seen=12, request=request(10), probe=REFUSED)
    action = decide(wanted(0, wait=False), seen)
    assert isinstance(action, Stop)
    assert action.reason is None


def test_it_is_refused_only_where_that_is_wanted() -> None:
    refused = decide(wanted(0, on_retired="refuse"), observed(state(60), probe=REFUSED))
    assert isinstance(refused, Stop)
    assert refused.reason == "engine_unsupported"
    assert not isinstance(decide(wanted(0), observed(state(60), probe=REFUSED)), Stop)
