# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""How far each person has come: account, synchronisation, Entra ID, licence; why not further, and what to do. Pure."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence

from .._failure import REMEDIES, HybridIdentityError
from ._password_stage import NOT_LOOKED, UNKNOWN, PasswordLook

#: the stages, in their order
STAGES = ("account", "sync", "cloud", "licence", "password")
#: what the words of the stages mean, for the legend of a report
WORDS: dict[str, str] = {
    "created": "the account is new in Active Directory",
    "corrected": "the account existed, and something was changed",
    "repaired": "the account was half-made, and was completed",
    "unchanged": "everything was as it should be",
    "to create": "would be created (check mode)",
    "to correct": "would be changed (check mode)",
    "to repair": "would be completed (check mode)",
    "refused": "nothing was written for this row",
    "failed": "it was tried, and did not work",
    "carried": "a cycle of this run covered the last change, and the person was seen in Entra ID after it",
    "covered": "an earlier cycle covered the last change, and the person was seen in Entra ID after it",
    "cycle ran": "a cycle covered the last change, but the person was not seen in Entra ID after it",
    "predicted": "a cycle would be started (check mode)",
    "not reached": "the run did not come so far for this person",
    "ready": "in Entra ID with everything that was asked for",
    "missing": "not in Entra ID, or not held",
    "conflict": "somebody else has the name or an address in Entra ID",
    "expected": "would come with what the other stages would do (check mode)",
    "assigned": "the licence was assigned by this run",
    "held": "the licence was there before",
    "none": "no licence was asked for",
    "succeeded": "the cloud has taken the password",
    "pending": "the password has not been seen to reach the cloud yet",
    "unknown": "what became of the password cannot be told",
    "not looked for": "nobody asked what became of the password",
}
#: words for a stage that does not keep the person from arriving
_GOOD = frozenset(
    ("created", "corrected", "repaired", "to create", "to correct", "to repair", "unchanged", "carried", "covered", "cycle ran", "predicted",
     "ready", "assigned", "held", "none", "succeeded", "pending", "unknown", "not looked for")
)  # fmt: skip
_PREDICTED = {"created": "to create", "corrected": "to correct", "repaired": "to repair"}
_NOT_REACHED = "not reached"
_MISSING = "missing"
_EXPECTED = "expected"
#: remedies that depend on the stage
_REMEDIES_HERE = {
    ("cloud", "wait_timeout"): "Check that the account is in the scope of the synchronisation, and run the playbook again.",
    ("account", "invalid_input"): "Correct the row, and run the playbook again.",
    ("password", "wait_timeout"): "The engine sends passwords by itself: run the playbook again to see what became of it.",
    ("password", "password_sync_failed"): "Open the log of the object in the Synchronization Service; the engine tries again by itself.",
}
_DISABLED = "The account is disabled, so nobody can sign in with it."
_ENABLE = "Enable it in Active Directory when its day has come, and run the playbook again."


_NOBODY_ASKED = PasswordLook()


def judge_people(
    people: Sequence[Mapping[str, Any]],
    accounts: Sequence[Mapping[str, Any]],
    sync: Mapping[str, Any],
    cloud: Sequence[Mapping[str, Any]],
    check_mode: bool = False,
    failure: Optional[Mapping[str, Any]] = None,
    passwords: PasswordLook = _NOBODY_ASKED,
) -> list[dict[str, Any]]:
    """One verdict per person.

    Args:
        people: of onboarding_check or onboarding_batch.
        accounts: items of ad_users' result `accounts`; empty when the stage was not reached.
        sync: the result of dirsync_trigger; empty when the stage was not reached.
        cloud: items of entra_user's result `users`; empty when the stage was not reached.
        check_mode: what is not there yet is a prediction.
        failure: what ended the run early (failure_reason, msg): the reason of those who came no further.
        passwords: what was found out about them.

    Returns:
        dicts with row, person, upn, id, account, sync, cloud, licence, password, password_reason, arrived, arrived_at, failure_reason, reason,
        what_to_do.
    """
    accounts_of = {_key(account.get("upn")): account for account in accounts}
    cloud_of = {_key(user.get("upn")): user for user in cloud}
    failed_objects = {
        _key(error.get("dn")): error for run in sync.get("runs") or [] for error in run.get("errors") or [] if error.get("dn")
    }
    verdicts = []
    for person in people:
        key = _key(person.get("upn"))
        refused = person.get("refused")
        account = None if refused else accounts_of.get(key)
        user = None if refused else cloud_of.get(key)
        error = failed_objects.get(_key(account.get("distinguished_name"))) if account else None
        verdicts.append(_verdict(person, account, sync, user, error, check_mode, failure or {}, passwords))
    return verdicts


def summarise(verdicts: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many people there are, how many arrived, how many did not, for how many an account was (or would be) created."""
    arrived = sum(1 for verdict in verdicts if verdict["arrived"])
    return {
        "people": len(verdicts),
        "arrived": arrived,
        "missing": len(verdicts) - arrived,
        "refused": sum(1 for verdict in verdicts if verdict["account"] == "refused"),
        "created": sum(1 for verdict in verdicts if verdict["account"] in ("created", "to create")),
    }


def _verdict(
    person: Mapping[str, Any],
    account: Optional[Mapping[str, Any]],
    sync: Mapping[str, Any],
    user: Optional[Mapping[str, Any]],
    object_error: Optional[Mapping[str, Any]],
    check_mode: bool,
    failure: Mapping[str, Any],
    passwords: PasswordLook,
) -> dict[str, Any]:
    refused = person.get("refused") or {}
    stages = {
        "account": "refused" if refused else _account_word(account, check_mode),
        "sync": _sync_word(account, sync, user, object_error, check_mode),
        "cloud": str(user.get("state") or _MISSING) if user else _NOT_REACHED,
        "licence": _licence_word(user),
    }
    stages["password"], about_password = passwords.stage_of(account)
    if stages["password"] in (NOT_LOOKED, UNKNOWN) and (stages["sync"] in (_NOT_REACHED, "failed") or not (user and user.get("id"))):
        stages["password"], about_password = _NOT_REACHED, {}
    if check_mode and user and user.get("state") == _MISSING and not user.get("failure_reason"):
        stages.update({stage: _EXPECTED for stage in ("cloud", "licence") if stages[stage] == _MISSING})
    if refused:
        stages.update(dict.fromkeys(("sync", "cloud", "licence", "password"), _NOT_REACHED))
    without = passwords.holds_up(stages["password"], account)
    stopped_at = next((stage for stage in STAGES if stages[stage] not in _GOOD), "password" if without else None)
    disabled = any(source and source.get("enabled") is False for source in (account, user))
    # Somebody who is in Entra ID with everything has arrived, whatever was wrong with the synchronisation; not without a password that was refused,
    # or that was waited for.
    arrived = stages["cloud"] == "ready" and stages["account"] in _GOOD and not disabled and not without
    source: Mapping[str, Any] = {}
    if not arrived:
        sources = {"account": refused or account, "sync": _error_of(object_error) or sync, "cloud": user, "licence": user}
        sources["password"] = about_password
        source = sources.get(stopped_at or "") or {}
        if stopped_at and stages[stopped_at] == _NOT_REACHED:
            source = failure
    reason, words = source.get("failure_reason") or None, _sentence(stopped_at, stages, source)
    what_to_do = "" if arrived else _remedy(stopped_at, reason)
    if disabled and stages["cloud"] == "ready":
        reason, words, what_to_do = None, _DISABLED, _ENABLE
    return {
        "row": person.get("row"),
        "person": str(person.get("display_name") or person.get("upn") or ""),
        "upn": str(person.get("upn") or ""),
        "id": user.get("id") if user else None,
        **stages,
        "password_reason": " ".join(str(about_password.get("msg") or "").split()),
        "arrived": arrived,
        "arrived_at": user.get("arrived_at") if user else None,
        "failure_reason": None if arrived else reason,
        "reason": "" if arrived else _without(words, what_to_do),
        "what_to_do": what_to_do,
    }


def _account_word(account: Optional[Mapping[str, Any]], check_mode: bool) -> str:
    if not account:
        return _NOT_REACHED
    action = str(account.get("action") or "unchanged")
    return _PREDICTED.get(action, action) if check_mode else action


def _sync_word(
    account: Optional[Mapping[str, Any]],
    sync: Mapping[str, Any],
    user: Optional[Mapping[str, Any]],
    object_error: Optional[Mapping[str, Any]],
    check_mode: bool,
) -> str:
    if account and account.get("action") in ("failed", "refused"):
        return _NOT_REACHED
    if not sync or sync.get("skipped"):
        return _NOT_REACHED
    if sync.get("failed") or object_error:
        return "failed"
    # In check mode nothing is anybody's cycle yet, unless one has covered it already.
    if check_mode and (sync.get("changed") or not (sync.get("sync") or {}).get("ownership")):
        return "predicted"
    if not (user and user.get("id")):
        return "cycle ran"
    return "carried" if sync.get("changed") else "covered"


def _licence_word(user: Optional[Mapping[str, Any]]) -> str:
    if not user:
        return _NOT_REACHED
    if not user.get("licenses"):
        return "none"
    if "licenses" in (user.get("changes") or {}) and user.get("state") == "ready":
        return "assigned"
    return "held" if user.get("state") == "ready" else _MISSING


def _error_of(error: Optional[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The sentence on an object that the engine could not carry."""
    if not error:
        return {}
    told = " ".join(str(part) for part in (error.get("type"), error.get("message")) if part)
    return {"failure_reason": "object_errors", "msg": f"The engine could not carry this object: {told}."}


def _sentence(stage: Optional[str], stages: Mapping[str, str], source: Mapping[str, Any]) -> str:
    words = " ".join(str(source.get("msg") or "").split())
    if stage and stages[stage] == _EXPECTED:
        return "not there yet"
    if words:
        return words
    names = {
        "account": "the account",
        "sync": "the synchronisation",
        "cloud": "Entra ID",
        "licence": "the licence",
        "password": "the password",
    }
    return f"{names[stage]}: {stages[stage]}" if stage else ""


def _remedy(stage: Optional[str], reason: Optional[str]) -> str:
    here = _REMEDIES_HERE.get((stage or "", reason or ""))
    if here:
        return here
    return HybridIdentityError(reason, "").remedy if reason in REMEDIES and reason else ""


def _without(words: str, remedy: str) -> str:
    """A sentence that ends with what to do says it once."""
    return words[: -len(remedy)].rstrip() if remedy and words.endswith(remedy) and words != remedy else words


def _key(upn: Any) -> str:
    return str(upn or "").strip().casefold()
