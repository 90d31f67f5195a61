# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What a password task reports: always the same keys, times on the caller's clock. Pure; private to the collection."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from .._engines._password_contract import ChannelState, Forced
from .._printable import printable
from .._remote._clock import ClockLead
from .._timestamps import format_utc
from ._actions import Stop
from ._case import Case
from ._proof import Proof

#: people with a failure that are told by name
_MOST_FAILURES = 50


def blank_result() -> dict[str, Any]:
    """All result keys of a task that did not come to know its engine."""
    return {
        "changed": False,
        "engine": None,
        "version": None,
        "connectors": [],
        "people": [],
        "left_off": [],
        "evidence": [],
        "clock_skew": None,
        "clock_uncertainty": None,
    }


def result_keys(engine: str, case: Case, stop: Stop) -> dict[str, Any]:
    """The result keys of aad_password_sync at the end of a task."""
    seen = case.seen
    changed = _changed(case) if stop.changed is None else stop.changed
    connectors = [_connector(case, one) for one in case.selected]
    words = {word for proof in case.proofs.values() for word in proof.evidence} | ({"channels"} if seen.look else set())
    evidence = sorted(words | ({"events"} if case.desired.observe_only and case.reading else set()))
    before = {one.name: _before(case, one) for one in case.selected}
    after = {
        one["name"]: {"enabled": one["enabled"], "began": one["started_at"], "state": one["state"]}
        if not case.desired.check_mode
        else _predicted(case, one["name"], before[one["name"]])
        for one in connectors
    }
    return {
        "changed": changed,
        "engine": engine,
        "version": printable(seen.probe.version, 50) if seen.probe.version else None,
        "connectors": connectors,
        "people": [
            {
                "asked": printable(one.asked),
                "dn": printable(one.dn, 1000) if one.dn else None,
                "source_anchor": printable(one.source_anchor, 100) if one.source_anchor else None,
                "connector": printable(one.connector) if one.connector else None,
                "result": one.result,
                "reason": printable(one.reason) if one.reason else None,
                "at": format_utc(_here(one.at, seen.lead)),
            }
            for one in (case.people if case.reading else [])
        ],
        "left_off": [printable(one.name) for one in case.left_off],
        "evidence": evidence,
        "clock_skew": round(seen.lead.middle, 1),
        "clock_uncertainty": round(seen.lead.width / 2, 1),
        "failure_reason": None,
        "msg": printable(stop.sentence, 1000),
        "warnings": [printable(warning, 600) for warning in stop.warnings],
        "diff": {"before": before, "after": after if changed else before},
    }


def _changed(case: Case) -> bool:
    seen = case.seen
    if case.desired.state == "synced":
        return seen.sent is not None
    first = {one.identifier: one.enabled for one in seen.first_look.channels} if seen.first_look else {}
    return any(first.get(one.identifier) != one.enabled for one in case.selected)


def _before(case: Case, channel: ChannelState) -> dict[str, Any]:
    first = (
        next((one for one in case.seen.first_look.channels if one.identifier == channel.identifier), channel)
        if case.seen.first_look
        else channel
    )
    behind = case.seen.marker.record if case.seen.marker else None
    fulls = [one for one in case.fulls(channel) if behind is None or one.record <= behind]
    last = fulls[-1] if fulls else None
    return {
        "enabled": first.enabled,
        "began": format_utc(_here(last.started if last else None, case.seen.lead)),
        "state": None if last is None else "finished" if last.ended else "started" if last.running else "failed",
    }


def _predicted(case: Case, name: str, before: dict[str, Any]) -> dict[str, Any]:
    if case.desired.state != "synced":
        return {**before, "enabled": case.desired.enable}
    forced = name in [one.name for one in case.uncovered]
    return {**before, "began": "now", "state": "requested"} if forced else before


def _connector(case: Case, channel: ChannelState) -> dict[str, Any]:
    seen = case.seen
    proof = case.proofs.get(channel.identifier, Proof())
    first = next((one for one in seen.first_look.channels if one.identifier == channel.identifier), None) if seen.first_look else None
    said = seen.sent.outcome_of(channel.name) if seen.sent else None
    forced = said if isinstance(said, Forced) else None
    flag_after: bool | None = channel.flag
    if seen.sent is not None and seen.looked_at is None:
        flag_after = forced.flag if forced is not None else None
    looked = seen.sent is None or seen.looked_at is not None or forced is None
    enabled = channel.enabled if looked else (forced.enabled if forced else None)
    failures = sorted(
        (one for one in seen.journal.people.values() if one.connector == channel.identifier and one.result in ("failed", "retrying")),
        key=lambda one: one.record,
    )[:_MOST_FAILURES]
    domains = proof.full.domains if proof.full is not None and proof.full.domains else {}
    return {
        "name": printable(channel.name),
        "id": channel.identifier,
        "enabled_before": first.enabled if first else None,
        "enabled": enabled,
        "flag_before": first.flag if first else None,
        "flag_after": flag_after,
        "ownership": proof.ownership,
        "requested_at": format_utc(_here(proof.requested, seen.lead)),
        "started_at": format_utc(_here(proof.started, seen.lead)),
        "finished_at": format_utc(_here(proof.finished, seen.lead)),
        "state": proof.state,
        "domains": [{"name": printable(name), "finished": ended} for name, ended in domains.items()],
        "users": asdict(proof.users),
        "failures": [
            {
                "dn": printable(one.dn, 1000) if one.dn else None,
                "source_anchor": printable(one.anchor, 100),
                "result": one.result,
                "cause": printable(one.words) or None,
                "remedy": "The engine tries again by itself."
                if one.result == "retrying"
                else "Open the log of the object in the Synchronization Service.",
            }
            for one in failures
        ],
        "error": _error(proof),
    }


def _error(proof: Proof) -> dict[str, Any] | None:
    if proof.trouble is not None:
        cause = proof.trouble.cause
        return {"id": proof.trouble.id, "code": cause.code, "text": printable(proof.trouble.words, 400), "remedy": cause.remedy}
    if proof.error is not None:
        return {"id": None, "code": None, "text": printable(proof.error, 400), "remedy": None}
    return None


def _here(at: datetime | None, lead: ClockLead) -> datetime | None:
    """A time of the server's clock on the caller's clock."""
    return None if at is None else at - timedelta(seconds=lead.middle)
