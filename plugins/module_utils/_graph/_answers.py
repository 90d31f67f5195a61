# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Requests to Microsoft Graph and what came back, read without trust. Pure; private to the collection."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Mapping, NoReturn, Optional, Sequence

from .._printable import printable
from ._failures import GraphFailure, invalid_answer, refused

_PASSING = frozenset((429, 500, 502, 503, 504))
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
#: the longest pause that is granted at a time, in seconds, however long Retry-After is
_LONGEST_ASKED = 300.0
#: tries of an answer that is none, before and after the first good one of the same task
_TRIES_AT_FIRST, _TRIES_LATER = 4, 8


@dataclass(frozen=True)
class Call:
    """One request. `path` begins with a slash, without host and version, and is percent-encoded."""

    method: str
    path: str
    body: Optional[dict[str, Any]] = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What came back; `body` is a dict, empty when there was none. Status 0: nothing usable did, and `fault` is why."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Optional[GraphFailure] = None

    @property
    def ok(self) -> bool:
        """Whether it is a success."""
        return 200 <= self.status < 300

    @property
    def code(self) -> str:
        """Graph's error code, or nothing; printable."""
        return _text_of(_error(self.body).get("code"))

    @property
    def message(self) -> str:
        """Graph's error message, or nothing; printable, in one line."""
        return _text_of(_error(self.body).get("message"))

    @property
    def absent(self) -> bool:
        """Whether Graph says that the object is not there: only this status with this code means that."""
        return self.status == 404 and self.code in ("Request_ResourceNotFound", "ResourceNotFound")

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed a little later (Microsoft Graph throttling guidance and error list)."""
        if self.fault is not None:
            return self.fault.passing
        return self.status in _PASSING or (self.status == 409 and "concurrency" in self.code.lower())

    def failure(self, what: str, permission: str = "") -> GraphFailure:
        """The failure that this answer is."""
        status = 429 if self.status == 409 and self.transient else self.status
        return self.fault or refused(what, status, self.code, self.message, permission)

    def pause(self, attempt: int) -> float:
        """Seconds to wait before the next try: what Graph asks for, within reason, else longer and longer."""
        asked = _seconds(next((value for name, value in self.headers.items() if name.lower() == "retry-after"), ""))
        return min(asked, _LONGEST_ASKED) if asked > 0 else min(_FIRST_PAUSE * 2 ** min(attempt, 9), _LONGEST_PAUSE)

    def is_final(self, attempt: int, answered: bool) -> bool:
        """Whether another try is not worth it.

        Args:
            attempt: tries before this one.
            answered: Graph has answered this task before, so that the way to it is right.
        """
        if not self.transient:
            return True
        if self.fault is None or (answered and self.fault.reason == "unreachable"):
            return False
        return attempt + 1 >= (_TRIES_LATER if answered else _TRIES_AT_FIRST)


def read_body(content: bytes, status: int, what: str) -> tuple[dict[str, Any], Optional[GraphFailure]]:
    """The JSON object of an answer.

    Returns:
        The object (empty when there is none), and the failure when a success has not the shape of one. That of an error may be anything:
        a proxy's page has no error code, so it is never taken for an absence or a refusal.
    """
    success = 200 <= status < 300
    if success and status in (202, 204) and not content.strip():
        return {}, None
    try:
        body = json.loads(content.decode("utf-8-sig"), parse_constant=_no_number)
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, dict):
        return body, None
    kind = "it is empty" if not content.strip() else "it is no JSON object"
    return {}, invalid_answer(what, kind) if success else None


def read_parts(body: Mapping[str, Any], calls: Sequence[Call], what: str) -> list[Answer]:
    """The answers in that of a $batch whose requests have the ids '0', '1', ...; one that is not there, or not whole, is a fault."""
    responses = body.get("responses")
    found: dict[str, list[Mapping[str, Any]]] = {}
    for part in responses if isinstance(responses, list) else []:
        if isinstance(part, dict) and isinstance(part.get("id"), str):
            found.setdefault(part["id"], []).append(part)
    return [_part(found.get(str(index), []), call, what) for index, call in enumerate(calls)]


def _part(parts: Sequence[Mapping[str, Any]], call: Call, what: str) -> Answer:
    if len(parts) != 1:
        return Answer(0, {}, fault=invalid_answer(what, f"a part of the batch is there {len(parts)} times"))
    status, body, headers = parts[0].get("status"), parts[0].get("body"), parts[0].get("headers")
    if not isinstance(status, int) or isinstance(status, bool) or not 100 <= status <= 599:
        return Answer(0, {}, fault=invalid_answer(what, "a part of the batch has no status"))
    if status == 200 and not isinstance(body, dict):
        return Answer(0, {}, fault=invalid_answer(what, "a part of the batch has no body"))
    if call.method == "GET" and status != 200 and 200 <= status < 300:
        return Answer(0, {}, fault=invalid_answer(what, f"a read has the status {status}"))
    shown = {str(name): str(value) for name, value in headers.items()} if isinstance(headers, dict) else {}
    return Answer(status, body if isinstance(body, dict) else {}, shown)


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _seconds(text: str) -> float:
    """Of a Retry-After: a number, or a date; 0.0 for what is neither."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
            seconds = (moment - datetime.now(moment.tzinfo or timezone.utc).replace(tzinfo=moment.tzinfo)).total_seconds()
        except (ValueError, TypeError, IndexError, OverflowError):
            return 0.0
    return 0.0 if math.isnan(seconds) else seconds


def _error(body: Mapping[str, Any]) -> Mapping[str, Any]:
    error = body.get("error")
    return error if isinstance(error, dict) else {}


def _text_of(value: Any) -> str:
    return printable(value) if isinstance(value, str) else ""
