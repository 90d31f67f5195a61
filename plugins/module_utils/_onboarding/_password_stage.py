# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The stage `password` of each person: whether the cloud has taken the hash, as the events of the sync server tell. Pure; private to the collection."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Mapping, Optional, Sequence

SUCCEEDED, PENDING, FAILED, UNKNOWN, NOT_LOOKED = "succeeded", "pending", "failed", "unknown", "not looked for"
#: result of aad_password_sync -> word of the stage; who was not seen is judged by whether that was to be expected
_WORDS = {"succeeded": SUCCEEDED, "failed": FAILED, "retrying": PENDING, "pending": PENDING, "unknown": UNKNOWN}
_REASONS = {FAILED: "password_sync_failed", PENDING: "wait_timeout", UNKNOWN: "events_unavailable"}


@dataclass(frozen=True)
class PasswordLook:
    """What was found out about passwords.

    Attributes:
        result: of aad_password_sync; empty when it was not asked. new: user principal names of those who came into Entra ID with this run.
        required: nobody has arrived without a password.
    """

    result: Mapping[str, Any] = field(default_factory=dict)
    new: Sequence[str] = ()
    required: bool = False

    def stage_of(self, account: Optional[Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
        """The word of the stage, and a reason with its sentence where it is not a success."""
        if not self.result or self.result.get("skipped") or not account:
            return NOT_LOOKED, {}
        person = self._people.get(str(account.get("source_anchor") or ""))
        if person is None:
            failure = self.result.get("failure_reason")
            if not failure and self._people:
                return NOT_LOOKED, {}
            words = self.result.get("msg") or "The sync server could not be asked."
            return UNKNOWN, {"failure_reason": failure or "events_unavailable", "msg": words}
        told, reason = str(person.get("result")), str(person.get("reason") or "")
        if told == "not_seen":
            word = PENDING if self._is_new(account) else UNKNOWN
        else:
            word = _WORDS.get(told, UNKNOWN)
        if word == SUCCEEDED:
            return word, {}
        return word, {"failure_reason": _REASONS[word], "msg": _sentence(reason)}

    def holds_up(self, word: str, account: Optional[Mapping[str, Any]]) -> bool:
        """Whether somebody with this word has not arrived. Who was there before has been told of by an earlier run."""
        return word == FAILED or (self.required and word in (PENDING, UNKNOWN) and self._is_new(account or {}))

    def _is_new(self, account: Mapping[str, Any]) -> bool:
        return _key(account.get("upn")) in self._new

    @cached_property
    def _new(self) -> set[str]:
        return {_key(upn) for upn in self.new}

    @cached_property
    def _people(self) -> dict[str, Mapping[str, Any]]:
        return {str(one.get("asked")): one for one in self.result.get("people") or []}


def _key(upn: Any) -> str:
    return str(upn or "").strip().casefold()


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:].rstrip(".") + "." if words else ""
