# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The tries of the local route, over a transport that fails as told."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import datetime, timezone
from typing import Any

import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._deadline import Deadline
from ansible_collections.hybrid.identity.plugins.module_utils._remote import _local_route
from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import AnswerError, RemoteShell
from ansible_collections.hybrid.identity.plugins.module_utils._remote._local_route import LocalRouteClosed, call_locally
from ansible_collections.hybrid.identity.plugins.module_utils._remote._shape import anything, record, text
from ansible_collections.hybrid.identity.plugins.module_utils._remote._transport import (
    AuthenticationFailed,
    ConnectionBroken,
    Output,
    TransportError,
)

_NOW = datetime(2026, 11, 24, 9, 30, tzinfo=timezone.utc)
_LOST = ConnectionBroken("lost")


class _Server:
    """Answers each call as told: an exception is raised, anything else is the outer script's data; when they are used up the inner script answers."""

    warnings: list[str] = []

    def __init__(self, *answers: Any, inner: Any = None) -> None:
        self.answers, self.inner = list(answers), inner
        self.asked: list[dict[str, Any]] = []
        self.timeouts: list[float] = []

    def execute(self, command_line: str, standard_input: bytes, timeout: float) -> Output:
        document = json.loads(gzip.decompress(base64.b64decode(standard_input)))
        parameters = {key: self._plain(value) for key, value in document["parameters"].items()}
        self.asked.append(parameters)
        self.timeouts.append(timeout)
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
        else:
            marker = json.loads(parameters["request"])["marker"]
            answer = {"answered": True, "text": marker + json.dumps(self._envelope(self.inner)) + marker}
        text = document["marker"] + json.dumps(self._envelope(answer)) + document["marker"]
        return Output(text.encode(), b"", 0)

    def close(self) -> None:
        pass

    @staticmethod
    def _plain(value: Any) -> Any:
        if isinstance(value, list):
            return [item[1:] for item in value]
        return value[1:] if isinstance(value, str) else value

    @staticmethod
    def _envelope(data: Any) -> dict[str, Any]:
        return {"ok": True, "data": data, "bits": 64, "duration_ms": 1, "server_utc": "2026-11-24T09:30:00.0000000Z", "warnings": []}


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_local_route, "_PAUSES", (0.01, 0.02))


def _call(server: _Server, timeout: float = 30, **changes: Any) -> Any:
    shell = RemoteShell(server, Deadline(600))
    return call_locally(shell, "runs", "x", {}, timeout=timeout, server_now=_NOW, **{"shape": anything, **changes}).data


def test_every_try_has_a_name_of_its_own_and_knows_the_earlier_ones() -> None:
    server = _Server(_LOST, _LOST, inner=5)
    assert _call(server) == 5
    names = [asked["name"] for asked in server.asked]
    assert len(set(names)) == 3
    assert all(name.startswith("20261124093000-") for name in names)
    assert [asked["earlier"] for asked in server.asked] == [[], names[:1], names[:2]]
    assert {asked["leftover"] for asked in server.asked} == {"20261124083000"}


def test_after_the_last_try_everything_is_removed_as_far_as_that_goes() -> None:
    server = _Server(_LOST, _LOST, _LOST, {"answered": False})
    with pytest.raises(ConnectionBroken):
        _call(server)
    assert len(server.asked) == 4
    cleaning = server.asked[-1]
    assert (cleaning["request"], cleaning["earlier"]) == ("", [asked["name"] for asked in server.asked[:3]])
    with pytest.raises(ConnectionBroken):
        _call(_Server(*[_LOST] * 4))


def test_what_is_not_a_broken_connection_is_not_tried_again() -> None:
    server = _Server(AuthenticationFailed("no"))
    with pytest.raises(AuthenticationFailed):
        _call(server)
    assert len(server.asked) == 1
    later = _Server(_LOST, AuthenticationFailed("no"), AuthenticationFailed("no"))
    with pytest.raises(AuthenticationFailed):
        _call(later)
    assert [asked["request"] == "" for asked in later.asked] == [False, False, True]


def test_all_tries_share_one_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(_local_route, "Deadline", lambda seconds: Deadline(seconds, lambda: now[0]))

    class _Slow(_Server):
        def execute(self, command_line: str, standard_input: bytes, timeout: float) -> Output:
            now[0] += min(0.4, timeout)
            return super().execute(command_line, standard_input, timeout)

    server = _Slow(_LOST, _LOST, _LOST)
    with pytest.raises(TransportError):
        _call(server, timeout=0.6)
    assert server.timeouts[0] <= 0.6
    assert server.timeouts[1] == pytest.approx(0.2)
    assert server.asked[-1]["request"] == "", "the last one cleans up"
    plenty = _Server(inner=1)
    _call(plenty, timeout=60)
    assert 49 < plenty.asked[0]["seconds"] <= 50, "the script ends by itself before it is given up"


@pytest.mark.parametrize("answer", [5, "x", [], {}, {"answered": 1}, {"answered": True}, {"answered": True, "text": "x"},
                                    {"answered": False, "state": "x", "last_result": None}])  # fmt: skip
def test_an_odd_answer_closes_the_route_and_raises_nothing_else(answer: Any) -> None:
    with pytest.raises(LocalRouteClosed):
        _call(_Server(answer))


def test_the_inner_answer_is_held_against_its_shape() -> None:
    assert _call(_Server(inner={"name": "x", "more": 1}), shape=record(name=text)) == {"name": "x"}
    with pytest.raises(AnswerError, match="name is no text"):
        _call(_Server(inner={"name": 5}), shape=record(name=text))
