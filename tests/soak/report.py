# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What the campaign tells: one line per kind of fault, the sums, and every violation with its seed."""

from __future__ import annotations

import collections
from dataclasses import dataclass, field
from typing import Any

from .execute import Observed
from .judge import VIOLATIONS, Violation, could_not_tidy
from .scenario import Scenario


@dataclass(frozen=True)
class Row:
    """What is kept of one run. verdicts: one word for each task (its state when it succeeded, else the failure reason)."""

    seed: int
    kind: str
    transport: str
    powershell: bool
    verdicts: tuple[str, ...]
    struck: int
    starts: int
    cycles: int
    exports: int
    slowest: float
    untidy: bool
    violations: tuple[Violation, ...]
    details: tuple[str, ...] = field(default=(), repr=False)


def row_of(observed: Observed, violations: list[Violation], *, details: bool) -> Row:
    """The row of a run; with the whole story where something is wrong, or it is asked for."""
    scenario, record = observed.scenario, observed.record
    return Row(
        seed=scenario.seed,
        kind=scenario.kind,
        transport=scenario.transport,
        powershell=scenario.powershell,
        verdicts=tuple(_verdict(outcome.result) for outcome in observed.outcomes),
        struck=len(observed.struck) + len(record.happenings),
        starts=sum(1 for one in record.starts if one.outcome == "accepted"),
        cycles=len(record.cycles),
        exports=sum(1 for run in record.runs if run.kind == "export" and run.did_its_work and not run.connector.is_directory),
        slowest=max(outcome.returned - outcome.called for outcome in observed.outcomes),
        untidy=could_not_tidy(observed) and any(observed.left.values()),
        violations=tuple(violations),
        details=tuple(story(observed)) if violations or details else (),
    )


def _verdict(result: dict[str, Any] | None) -> str:
    if result is None:
        return "no result"
    return str(result.get("failure_reason") or (result.get("sync") or {}).get("state") or "nothing said")


def story(observed: Observed) -> list[str]:
    """One run in the order of time, with the results of its tasks."""
    began = observed.outcomes[0].called
    lines = observed.scenario.describe()
    timed = [(float(line.split()[0]), line) for line in observed.record.as_lines(began)]
    timed += [(one.at - began, f"{one.at - began:8.3f}  {one.name} strikes {one.verb}") for one in observed.struck]
    timed += [(at - began, f"{at - began:8.3f}  a command is started") for at in observed.commands]
    for outcome in observed.outcomes:
        timed.append((outcome.called - began, f"{outcome.called - began:8.3f}  task of {outcome.user} begins"))
        ending = "gives up on it" if not outcome.ended else "ends"
        timed.append((outcome.returned - began, f"{outcome.returned - began:8.3f}  task of {outcome.user} {ending}"))
    lines += [line for _at, line in sorted(timed)]
    for outcome in observed.outcomes:
        lines.append(f"since {outcome.since - began:.3f}, stalled {outcome.stalled:.2f} s")
        shown = outcome.result or {}
        lines.append(f"result: changed {shown.get('changed')}, reason {shown.get('failure_reason')}, sync {shown.get('sync')}")
        lines.append(f"msg: {shown.get('msg')}; warnings: {shown.get('warnings')}; evidence: {shown.get('evidence')}")
        lines += outcome.raised.splitlines()
    lines.append(f"left: {observed.left}")
    return lines


def failed(scenario: Scenario, words: str) -> Row:
    """The row of a run that the campaign itself could not carry out."""
    violation = Violation("fault of the lab", words)
    return Row(
        scenario.seed, scenario.kind, scenario.transport, scenario.powershell, ("not run",), 0, 0, 0, 0, 0.0, False, (violation,),
        tuple(scenario.describe()),
    )  # fmt: skip


def summary(rows: list[Row], seconds: float) -> list[str]:
    """The report."""
    by_kind: dict[str, list[Row]] = collections.defaultdict(list)
    for row in rows:
        by_kind[row.kind].append(row)
    width = max(map(len, by_kind))
    lines = [f"{'kind of fault':{width}}  runs  struck  starts  exports  slowest  violations  verdicts"]
    for kind, some in by_kind.items():
        verdicts = collections.Counter(word for row in some for word in row.verdicts)
        told = ", ".join(f"{word} {count}" for word, count in verdicts.most_common())
        lines.append(
            f"{kind:{width}}  {len(some):4}  {sum(1 for row in some if row.struck):6}  {sum(row.starts for row in some):6}  "
            f"{sum(row.exports for row in some):7}  {max(row.slowest for row in some):6.1f}s  {sum(len(row.violations) for row in some):10}  {told}"
        )
    lines += ["", *_violations(rows)]
    powershell = sum(row.powershell for row in rows)
    connection = sum(row.transport == "connection" for row in rows)
    seeds = sorted(row.seed for row in rows)
    lines.append(
        f"{len(rows)} runs (seeds {seeds[0]} to {seeds[-1]}) in {seconds:.0f} s: {len(rows) - connection} over pywinrm, {connection} over the winrm "
        f"connection plugin; {powershell} with the scripts in PowerShell, {len(rows) - powershell} with their fakes; "
        f"{sum(row.starts for row in rows)} starts, {sum(row.cycles for row in rows)} cycles, {sum(row.exports for row in rows)} exports to the cloud; "
        f"in {sum(row.untidy for row in rows)} runs something was left that nobody can be blamed for: the connection did not come back, or there was no time."
    )
    counts = collections.Counter(violation.kind for row in rows for violation in row.violations)
    lines.append("violations: " + (", ".join(f"{kind} {counts[kind]}" for kind in VIOLATIONS if counts[kind]) or "none"))
    return lines


def _violations(rows: list[Row]) -> list[str]:
    found = [(VIOLATIONS.index(violation.kind), row, violation) for row in rows for violation in row.violations]
    lines = []
    for _rank, row, violation in sorted(found, key=lambda one: (one[0], one[1].seed)):
        lines.append(f"{violation.kind}: seed {row.seed} ({row.kind}): {violation.words}")
        lines.append(f"    replay: SOAK_SEED={row.seed} SOAK_RUNS=1 make soak")
    return [*lines, ""] if lines else []
