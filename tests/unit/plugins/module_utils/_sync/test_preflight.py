# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Who may start, and which of several servers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sync_cases import NOON, probe

from ansible_collections.hybrid.identity.plugins.module_utils._engines._contract import Probe
from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._sync._desired import DesiredCycle, history_seconds
from ansible_collections.hybrid.identity.plugins.module_utils._sync._preflight import choose_active, require_ready


def refusal(first: Probe, **choices: str) -> str | None:
    assert first.state is not None
    options: dict[str, Any] = {"on_staging": "refuse", "on_disabled": "refuse", "on_retired": "refuse", **choices}
    found = require_ready(first, first.state, **options)
    return found.reason if found else None


def test_unknown_version_does_not_refuse() -> None:
    assert refusal(probe(version=None, support="unknown")) is None


def test_what_is_refused_comes_in_a_fixed_order() -> None:
    everything = {"staging": True, "suspended": True, "enabled": False, "support": "refused"}
    reasons = []
    for change in ("support", "suspended", "staging", "enabled"):
        reasons.append(refusal(probe(**everything)))
        del everything[change]
    assert reasons == ["engine_unsupported", "scheduler_suspended", "staging", "scheduler_disabled"]


def test_a_calendar_keeps_nobody_from_running_unless_it_is_wanted() -> None:
    assert refusal(probe(support="refused"), on_retired="warn") is None


def test_what_an_engine_lacks_refuses_nothing() -> None:
    assert refusal(probe(staging=None, suspended=None, enabled=None)) is None


def test_proceeding_on_purpose() -> None:
    both = probe(staging=True, enabled=False)
    assert refusal(both, on_staging="proceed", on_disabled="proceed") is None
    assert refusal(both, on_staging="proceed") == "scheduler_disabled"
    assert refusal(both, on_disabled="proceed") == "staging"


def test_the_active_one_is_chosen() -> None:
    assert choose_active([("a", "a", probe(staging=True)), ("b", "b", probe())], {}) == "b"
    with pytest.raises(HybridIdentityError, match="a, b"):
        choose_active([("a", "a", probe(staging=True)), ("b", "b", probe(staging=True))], {})
    with pytest.raises(HybridIdentityError, match="a, b") as caught:
        choose_active([("a", "a", probe()), ("b", "b", probe())], {})
    assert caught.value.reason == "two_active_servers"


def test_a_server_that_is_down_does_not_keep_the_active_one_from_being_used() -> None:
    unseen = {"c": HybridIdentityError("unreachable", "It is down.")}
    assert choose_active([("a", "a", replace(probe(), state=None)), ("b", "b", probe())], unseen) == "b"
    with pytest.raises(HybridIdentityError) as caught:
        choose_active([("b", "b", probe(staging=True))], unseen)
    assert caught.value.reason == "unreachable"


def test_the_first_look_reaches_back_far_enough() -> None:
    since = NOON - timedelta(seconds=600)
    assert history_seconds(DesiredCycle(since), NOON) > 600
    assert history_seconds(DesiredCycle(since, min_interval=1800), NOON) > 1800
    assert history_seconds(DesiredCycle(NOON + timedelta(seconds=4)), NOON) > 0
