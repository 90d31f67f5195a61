# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""How far each person has come: account, synchronisation, Entra ID, licence; and why not further."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence

#: the stages, in their order
STAGES = ("account", "sync", "cloud", "licence")
#: words for a stage that does not keep the person from arriving
_GOOD = frozenset(("created", "corrected", "repaired", "unchanged", "carried", "covered", "predicted", "ready", "assigned", "held", "none"))
_NOT_REACHED = "not reached"
_MISSING = "missing"
_EXPECTED = "expected"  # in check mode: it would come with what the other stages would do


def judge_people(
    people: Sequence[Mapping[str, Any]],
    accounts: Sequence[Mapping[str, Any]],
    sync: Mapping[str, Any],
    cloud: Sequence[Mapping[str, Any]],
    check_mode: bool = False,
) -> list[dict[str, Any]]:
    """One verdict per person.

    Args:
        people: of onboarding_batch.
        accounts: items of ad_users' result `accounts`; empty when the stage was not reached.
        sync: the result of dirsync_trigger; empty when the stage was not reached.
        cloud: items of entra_user's result `users`; empty when the stage was not reached.
        check_mode: what is not there yet is a prediction.

    Returns:
        dicts with person, upn, id, account, sync, cloud, licence, arrived, arrived_at, failure_reason, reason.
    """
    accounts_of = {_key(account.get("upn")): account for account in accounts}
    cloud_of = {_key(user.get("upn")): user for user in cloud}
    return [
        _verdict(person, accounts_of.get(_key(person.get("upn"))), sync, cloud_of.get(_key(person.get("upn"))), check_mode)
        for person in people
    ]


def summarise(verdicts: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many people there are, how many arrived, and how many did not."""
    arrived = sum(1 for verdict in verdicts if verdict["arrived"])
    return {
        "people": len(verdicts),
        "arrived": arrived,
        "missing": len(verdicts) - arrived,
        "created": sum(1 for verdict in verdicts if verdict["account"] == "created"),
    }


def _verdict(
    person: Mapping[str, Any],
    account: Optional[Mapping[str, Any]],
    sync: Mapping[str, Any],
    user: Optional[Mapping[str, Any]],
    check_mode: bool,
) -> dict[str, Any]:
    stages = {
        "account": str(account.get("action") or "unchanged") if account else _NOT_REACHED,
        "sync": _NOT_REACHED if account and account.get("action") == "failed" else _sync_word(sync, check_mode),
        "cloud": str(user.get("state") or _MISSING) if user else _NOT_REACHED,
        "licence": _licence_word(user),
    }
    if check_mode and user and user.get("state") == _MISSING and not user.get("failure_reason"):
        stages.update({stage: _EXPECTED for stage in ("cloud", "licence") if stages[stage] == _MISSING})
    stopped_at = next((stage for stage in STAGES if stages[stage] not in _GOOD), None)
    # Somebody who is in Entra ID with everything has arrived, whatever was wrong with the synchronisation.
    arrived = stages["cloud"] == "ready" and stages["account"] in _GOOD
    source = {"account": account, "sync": sync, "cloud": user, "licence": user}.get(stopped_at or "") or {}
    reason = "" if arrived else _sentence(stopped_at, stages, source)
    return {
        "person": str(person.get("display_name") or person.get("upn") or ""),
        "upn": str(person.get("upn") or ""),
        "id": user.get("id") if user else None,
        **stages,
        "arrived": arrived,
        "arrived_at": user.get("arrived_at") if user else None,
        "failure_reason": None if arrived else source.get("failure_reason"),
        "reason": reason,
    }


def _sync_word(sync: Mapping[str, Any], check_mode: bool) -> str:
    if not sync or sync.get("skipped"):
        return _NOT_REACHED
    if sync.get("failed"):
        return "failed"
    if not sync.get("changed"):
        return "covered"
    return "predicted" if check_mode else "carried"


def _licence_word(user: Optional[Mapping[str, Any]]) -> str:
    if not user:
        return _NOT_REACHED
    if not user.get("licenses"):
        return "none"
    if "licenses" in (user.get("changes") or {}) and user.get("state") == "ready":
        return "assigned"
    return "held" if user.get("state") == "ready" else _MISSING


def _sentence(stage: Optional[str], stages: Mapping[str, str], source: Mapping[str, Any]) -> str:
    words = " ".join(str(source.get("msg") or "").split())
    if stage and stages[stage] == _EXPECTED:
        return "not there yet"
    if words:
        return words
    names = {"account": "the account", "sync": "the synchronisation", "cloud": "Entra ID", "licence": "the licence"}
    return f"{names[stage]}: {stages[stage]}" if stage else ""


def _key(upn: Any) -> str:
    return str(upn or "").strip().casefold()
