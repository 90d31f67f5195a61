# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The judge of the campaign sees every kind of lie, and a short campaign finds none."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from soak.campaign import run_here
from soak.execute import Observed, Outcome
from soak.judge import VIOLATIONS, judge
from soak.kinds import KINDS, build
from soak.report import Row, summary
from soak.scenario import Scenario

from lab.connect import CycleTruth, ServerRecord, StartRequest
from lab.connect.run_history import Connector, RunRecord
from lab.wsman import Struck

#: runs of the short campaign; the long one is `make soak`
_SEEDS = range(4000, 4040)
_AD, _CLOUD = Connector("lab.test", uuid4(), "AD"), Connector("cloud", uuid4(), "Extensible2")
_ORDER = (
    (_AD, "Delta Import"),
    (_CLOUD, "Delta Import"),
    (_AD, "Delta Synchronization"),
    (_CLOUD, "Delta Synchronization"),
    (_CLOUD, "Export"),
)
NOTHING: dict[str, Any] = {"tasks": [], "orphans": [], "task_folders": [], "folders": [], "shells": 0}


def result(state: str | None = "verified", ownership: str | None = "own", changed: bool = True, **more: Any) -> dict[str, Any]:
    return {"changed": changed, "failure_reason": None, "sync": {"state": state, "ownership": ownership}, "runs": [], "msg": "", **more}


def observed(
    said: dict[str, Any] | None,
    *,
    runs: int = 5,
    start: str | None = "accepted",
    by: str = "svc-sync",
    over: float | None = 8.0,
    **more: Any,
) -> Observed:
    """A run in which a task was called at 0 and returned at 10, with a cycle from 1 to 8 of which so many runs were done."""
    now = time.time() - 20
    record = ServerRecord(directories={_AD.identifier})
    if start:
        record.starts.append(StartRequest(now + 0.5, "LAB\\svc-sync", False, start, 1 if by == "svc-sync" else None))
    if runs:
        record.cycles.append(CycleTruth(1, by, False, now + 1, None if over is None else now + over, runs == 5))
    for number, (connector, profile) in enumerate(_ORDER[:runs]):
        began = now + 1 + number
        record.runs.append(RunRecord(connector, profile, 1, None, "", "success", began=began, over=began + 0.9, cycle=1))  # type: ignore[arg-type]
    scenario = Scenario(1, "nothing", random.Random(1), params={"wait_timeout": 30})
    outcome = Outcome("svc-sync", now, now, now + 10, said)
    return replace(Observed(scenario, [outcome], record, dict(NOTHING), [], [], []), **more)


def kinds(seen: Observed) -> list[str]:
    return [violation.kind for violation in judge(seen)]


def test_the_truth_is_no_violation() -> None:
    assert kinds(observed(result())) == []
    assert kinds(observed(result("verified", "foreign", False), start=None, by="somebody")) == []
    assert kinds(observed(result("finished"), runs=2)) == [], "finished says only that it has ended"
    assert kinds(observed(result("confirmed"), runs=2, over=None)) == []
    assert kinds(observed(result("started", failure_reason="not_confirmed", failed=True), runs=0)) == []


@pytest.mark.parametrize("runs", [1, 2, 3, 4])
def test_verified_needs_everything(runs: int) -> None:
    assert kinds(observed(result(), runs=runs)) == ["verified without proof"]
    assert kinds(observed(result("verified", "foreign", False), runs=runs, start=None, by="somebody")) == ["verified without proof"]
    assert kinds(observed(result(failure_reason="cycle_failed", failed=True), runs=runs)) == []


def test_what_is_better_than_the_truth() -> None:
    nothing = observed(result("finished"), runs=0)
    assert kinds(nothing) == ["finished without a cycle"]
    assert kinds(observed(result("finished"), over=None)) == ["finished while it runs on"]
    assert kinds(observed(result("finished"), over=11.0)) == ["finished while it runs on"]
    assert kinds(observed(result("confirmed"), runs=0)) == ["confirmed without a cycle"]
    assert kinds(observed(result("started"), runs=0, start=None)) == ["own though somebody else's", "started without a start"]
    assert kinds(observed(result("finished", "own"), start="refused", by="somebody")) == ["own though somebody else's"]


def test_runs_of_somebody_else_are_not_ours() -> None:
    seen = observed(result(runs=[{"connector": "lab.test", "number": 1}]))
    assert kinds(seen) == []
    seen.record.starts[0].cycle = 2
    seen.record.cycles.append(CycleTruth(2, "LAB\\svc-sync", False, seen.outcomes[0].since + 1, seen.outcomes[0].since + 2))
    assert kinds(seen) == [], "its own left no run: nobody can tell"
    seen.record.runs.append(replace(seen.record.runs[0], number=2, cycle=2))
    assert kinds(seen) == ["own though somebody else's"]


def test_a_changed_next_start_is_a_hint_when_it_is_told_with_a_warning() -> None:
    seen = observed(result("confirmed", warnings=["The next start moved."]), runs=0)
    assert kinds(seen) == ["confirmed without a cycle"]
    seen.record.note("interval_changed at Get-ADSyncScheduler (before)")
    assert kinds(seen) == []


def test_starts_are_counted() -> None:
    assert kinds(observed(result(None, None, False, failed=True, failure_reason="service_stopped"))) == ["start forgotten"]
    seen = observed(result())
    seen.record.starts.append(replace(seen.record.starts[0], at=seen.record.starts[0].at + 1, cycle=None))
    assert kinds(seen) == ["second start"]


def test_leftovers_time_and_tracebacks() -> None:
    left = {**NOTHING, "tasks": ["one"], "folders": ["two"], "task_folders": ["three"], "shells": 1}
    assert kinds(observed(result(), left=left)) == ["task left", "folder left", "task folder left", "shell left"]
    now = time.time()
    broken = observed(result(), left=left, struck=[Struck("cut", "connect", False, now)], cut_off=True)
    assert kinds(broken) == [], "nothing can be taken away over a connection that never comes back"
    assert "task left" in kinds(replace(broken, commands=[now + 1]))
    assert "task left" in kinds(replace(broken, cut_off=False)), "there was time, and a server to try again"
    late = observed(result())
    late.outcomes[0].returned += 30
    assert kinds(late) == ["too long"]
    late.outcomes[0].stalled = 30
    assert kinds(late) == []
    raised = observed(None)
    raised.outcomes[0].raised = 'Traceback\n  File "x.py", line 1, in y\nKeyError: 1'
    assert kinds(raised) == ["raised"]
    assert kinds(observed(result(), elsewhere=["Negotiate"])) == ["credentials sent elsewhere"]


def test_every_violation_is_known_to_the_report() -> None:
    source = judge.__globals__["__file__"]
    with open(source, encoding="utf-8") as file:
        text = file.read()
    for kind in VIOLATIONS:
        assert text.count(f'"{kind}"') >= 2, kind


def test_consecutive_seeds_go_through_all_kinds_and_a_seed_is_always_the_same() -> None:
    some = [build(seed, powershell=True) for seed in range(len(KINDS))]
    assert {one.kind for one in some} == set(KINDS)
    assert some[3].describe() == build(3, powershell=True).describe()


def test_a_short_campaign() -> None:
    rows: list[Row] = []
    run_here(_SEEDS, rows.append, threads=10)
    told = "\n".join(summary(sorted(rows, key=lambda row: row.seed), 0))
    print(told)
    assert len(rows) == len(_SEEDS)
    assert [line for row in rows if row.violations for line in (*map(str, row.violations), *row.details)] == [], told
