# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Answers that are none: what proxies, captive portals, cut connections and broken services make of good ones."""

from __future__ import annotations

import copy
import json
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lab.entra.listener import Answer

_PAGE = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body>Accept our terms to go on.</body></html>"
#: seconds between two bytes of a dripping body
DRIP = 1.0


def _html(answer: Answer) -> Answer:
    return Answer(200, _PAGE, {"Content-Type": "text/html"})


def _truncated(answer: Answer) -> Answer:
    return replace(answer, body=answer.body[: len(answer.body) // 2])


def _broken(answer: Answer) -> Answer:
    """The body ends before its length, and the connection with it."""
    return replace(answer, body=answer.body[: len(answer.body) // 2], withheld=len(answer.body) - len(answer.body) // 2)


def _empty(answer: Answer) -> Answer:
    return replace(answer, body=b"")


def _null(answer: Answer) -> Answer:
    return replace(answer, body=b"null")


def _no_numbers(answer: Answer) -> Answer:
    return replace(answer, body=b'{"value": [NaN], "responses": NaN}')


def _nested(answer: Answer) -> Answer:
    return replace(answer, body=b"[" * 100_000)


def _dripping(answer: Answer) -> Answer:
    return replace(answer, drip=DRIP)


def _in_body(change: Callable[[dict[str, Any]], None]) -> Callable[[Answer], Answer]:
    def spoil(answer: Answer) -> Answer:
        body = copy.deepcopy(json.loads(answer.body))
        change(body)
        return replace(answer, body=json.dumps(body).encode())

    return spoil


def _each_list(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Put a value in the place of the answer's list, or of that of every part of a batch."""

    def change(body: dict[str, Any]) -> None:
        for owner in [body, *(part.get("body") or {} for part in body.get("responses", []))]:
            if name in owner:
                owner[name] = value

    return change


def _without_value(body: dict[str, Any]) -> None:
    for owner in [body, *(part.get("body") or {} for part in body.get("responses", []))]:
        owner.pop("value", None)


def _missing_part(body: dict[str, Any]) -> None:
    body["responses"].pop()


def _renamed_part(body: dict[str, Any]) -> None:
    body["responses"][0]["id"] = "renamed"


def _doubled_part(body: dict[str, Any]) -> None:
    body["responses"].append({**body["responses"][0], "status": 404})


def _next(link: str) -> Callable[[dict[str, Any]], None]:
    def change(body: dict[str, Any]) -> None:
        body["@odata.nextLink"] = link.replace("{page}", uuid.uuid4().hex)

    return change


KINDS: dict[str, Callable[[Answer], Answer]] = {
    "html": _html,
    "truncated": _truncated,
    "broken": _broken,
    "empty": _empty,
    "null": _null,
    "no numbers": _no_numbers,
    "nested": _nested,
    "dripping": _dripping,
    "null value": _in_body(_each_list("value", None)),
    "null entries": _in_body(_each_list("value", [None])),
    "empty list": _in_body(_each_list("value", [])),
    "no value": _in_body(_without_value),
    "null responses": _in_body(_each_list("responses", None)),
    "missing part": _in_body(_missing_part),
    "renamed part": _in_body(_renamed_part),
    "doubled part": _in_body(_doubled_part),
}


class Spoiler:
    """Spoils the next answers. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kind, self._left, self._path, self._skip = "", 0, "", 0

    def plan(self, kind: str, times: int, path: str, skip: int) -> None:
        """See EntraServer.spoil."""
        if kind not in KINDS and not kind.isdigit() and not kind.startswith("next "):
            raise ValueError(f"unknown kind {kind!r}")
        with self._lock:
            self._kind, self._left, self._path, self._skip = kind, times, path, skip

    def __call__(self, target: str, answer: Answer) -> Answer:
        """The answer, spoilt if it is its turn."""
        with self._lock:
            if self._left <= 0 or self._path not in target:
                return answer
            if self._skip > 0:
                self._skip -= 1
                return answer
            self._left -= 1
            kind = self._kind
        if kind.isdigit():
            return Answer(int(kind), _PAGE, {"Content-Type": "text/html"})
        if kind.startswith("next "):
            return _in_body(_next(kind[len("next ") :]))(answer)
        return KINDS[kind](answer)
