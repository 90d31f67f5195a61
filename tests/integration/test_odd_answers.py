# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Odd and hostile answers: thousands of mutations of real ones, and nothing but a failure with a reason comes of them."""

from __future__ import annotations

import base64
import copy
import gzip
import json
import random
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import procedures
import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._deadline import Deadline
from ansible_collections.hybrid.identity.plugins.module_utils._engines import ENGINES, _connect_scripts
from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._remote import _call, _local_route
from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import RemoteShell
from ansible_collections.hybrid.identity.plugins.module_utils._remote._local_route_script import LOCAL_ROUTE
from ansible_collections.hybrid.identity.plugins.module_utils._remote._transport import ConnectionBroken, Output
from ansible_collections.hybrid.identity.plugins.module_utils._sync import _case, _info, _pending, _trigger
from ansible_collections.hybrid.identity.plugins.module_utils._sync._options import INFO_OPTIONS, TRIGGER_OPTIONS
from lab.estate import Estate, EstateOptions

#: so many mutations of the answer of each script
MUTATIONS = 2000
ODD = [
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**70), 1e308, float("nan"), float("inf"), "", "x", "\x1b[2J\u202e", "x" * 100_000, [], {}, [[]], {"": None},
    "0001-01-01T00:00:00.0000000Z", "9999-12-31T23:59:59.9999999Z", "0001-01-01T00:01:00.0000000Z", "2026-02-30T00:00:00.0000000Z", "1601-01-01T00:00:00Z",
    "2026-11-24T12:00:00.0000000+14:00", "in-progress", "stopped-extension-dll-exception", "<a dn='x'>" * 50, "\ud800", {"a": {"b": {"c": []}}},
]  # fmt: skip


class _Recorder:
    """Passes calls on, and keeps the answer of each script as it came."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self.answers: dict[str, dict[str, Any]] = {}

    def execute(self, command_line: str, standard_input: bytes, timeout: float) -> Output:
        output: Output = self._transport.execute(command_line, standard_input, timeout)
        request = json.loads(gzip.decompress(base64.b64decode(standard_input)))
        envelope = json.loads(output.stdout.decode().split(request["marker"])[1])
        self.answers.setdefault(request["script"], envelope)
        if request["script"] == LOCAL_ROUTE:
            inner = json.loads(request["parameters"]["request"][1:])
            self.answers.setdefault(inner["script"], json.loads(envelope["data"]["text"].split(inner["marker"])[1]))
        return output

    def close(self) -> None:
        self._transport.close()


def _carried(envelope: dict[str, Any], text: str | None) -> dict[str, Any]:
    """An answer with what the local route gave, where the recorded one has such a thing; None: it was not gone on."""
    try:
        data = envelope["data"]
        within = data if "history" in data else data["watch"]
        if "text" not in within["history"]["local"]:
            return envelope
        local = None if text is None else {**within["history"]["local"], "text": text}
        within = {**within, "history": {**within["history"], "local": local}}
        return {**envelope, "data": within if "history" in data else {**data, "watch": within}}
    except (KeyError, TypeError):
        return envelope


class _Replay:
    """Answers the scripts as recorded, one of them mutated; what was not recorded is a broken connection.

    carries: calls go on by the local route themselves; else it takes a call of its own.
    """

    def __init__(self, answers: dict[str, dict[str, Any]], carries: bool = True) -> None:
        self._answers, self._carries = answers, carries
        self.started = 0

    def execute(self, command_line: str, standard_input: bytes, timeout: float) -> Output:
        request = json.loads(gzip.decompress(base64.b64decode(standard_input)))
        self.started += request["script"] == _connect_scripts.START
        if request["script"] not in self._answers:
            raise ConnectionBroken("The connection ended.")
        envelope = self._answers[request["script"]]
        if request["script"] == LOCAL_ROUTE and isinstance(envelope.get("data"), dict) and request["parameters"]["request"] != "~":
            inner = json.loads(request["parameters"]["request"][1:])
            text = inner["marker"] + json.dumps(self._answers.get(inner["script"])) + inner["marker"]
            envelope = {**envelope, "data": {**envelope["data"], "text": text}}
        errand = request["parameters"].get("local")
        if errand is not None:
            marker = errand["marker"][1:]
            text = marker + json.dumps(self._answers.get(_connect_scripts.READ_RUNS)) + marker
            envelope = _carried(envelope, text if self._carries else None)
        return Output((request["marker"] + json.dumps(envelope) + request["marker"]).encode("utf-8", errors="replace"), b"", 0)

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def recorded() -> dict[str, dict[str, Any]]:
    """A real answer of every script: a whole task, and one that follows."""
    with Estate(EstateOptions(directory=False, tenant=False, cycle_seconds=0.6, powershell="none")) as estate:
        recorder = _Recorder(procedures.open_shell(estate)._transport)
        shell = RemoteShell(recorder, Deadline(60))
        procedures.trigger_over([("sync1", shell)])
        since = "2026-01-01T00:00:00.0000000Z"
        limits = {
            "seconds": 5,
            "step_ms": 50,
            "confirm_seconds": 0,
            "idle_seconds": 0,
            "quiet_seconds": 0,
            "wmi": False,
            "stop_when_active": False,
            "active": True,
            "next_start": None,
        }
        shell = RemoteShell(_Recorder(procedures.open_shell(estate)._transport), Deadline(60))
        shell._transport.answers = recorder.answers  # type: ignore[attr-defined]
        shell.call(
            "watch", _connect_scripts.WATCH, {**limits, "since": since}, shape=lambda value, _where: value, timeout=20, repeatable=False
        )
        ENGINES[0].read_history(shell, since=datetime(2026, 1, 1, tzinfo=timezone.utc), server_now=estate.sync.clock.now())
        shell.close()
    assert set(recorder.answers) >= {*_connect_scripts.SCRIPTS.values(), LOCAL_ROUTE}
    return recorder.answers


@pytest.fixture(autouse=True)
def in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RemoteShell, "RETRY_PAUSES", ())
    monkeypatch.setattr(_local_route, "_PAUSES", ())
    monkeypatch.setattr(_case, "TROUBLE", 0.0)
    monkeypatch.setattr(_pending, "TROUBLE", 0.0)
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from _places(value[key], (*path, key))
    elif isinstance(value, list):
        for index in range(min(len(value), 6)):
            yield from _places(value[index], (*path, index))


def _mutate(document: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """One to three changes: a value replaced by an odd one, taken away, or a list made long."""
    document = copy.deepcopy(document)
    for _change in range(chance.choice([1, 1, 1, 2, 3])):
        path = chance.choice(list(_places(document)))
        if not path:
            continue
        parent: Any = document
        for step in path[:-1]:
            parent = parent[step]
        deed = chance.random()
        if deed < 0.15 and isinstance(parent, dict):
            parent.pop(path[-1])
        elif deed < 0.25 and isinstance(parent[path[-1]], list):
            parent[path[-1]] = parent[path[-1]] * 400
        else:
            parent[path[-1]] = copy.deepcopy(chance.choice(ODD))
    return document


@pytest.mark.parametrize("script", ["probe", "start", "watch", "read_runs", "local_route"])
def test_nothing_but_a_failure_with_a_reason(script: str, recorded: dict[str, dict[str, Any]]) -> None:
    chance = random.Random(f"20261124 {script}")
    text = LOCAL_ROUTE if script == "local_route" else _connect_scripts.SCRIPTS[script]
    reasons: set[Any] = set()
    for _round in range(MUTATIONS):
        answers = {**recorded, text: _mutate(recorded[text], chance)}
        if script == "watch":
            # The start is accepted, and the engine runs: so it is watched.
            answers[_connect_scripts.START] = _accepted_and_running(recorded[_connect_scripts.START])
        if script == "start" and chance.random() < 0.5:
            answers.pop(LOCAL_ROUTE)  # what became of the start is then told by nothing else
        transport = _Replay(answers, carries=script != "local_route" and chance.random() < 0.5)
        result = _run(transport, max_age=chance.choice([None, 3600]))
        reasons.add(result["failure_reason"])
        assert transport.started <= 3
        assert result["changed"] is False or result["sync"]["requested_at"] is not None
        shown = json.dumps(result, ensure_ascii=False)
        assert not {"\x1b", "\u202e", "\x1a"} & set(shown)
        assert len(shown) < 400_000
        json.loads(shown, parse_constant=lambda name: pytest.fail(f"{name} in a result"))
    assert len(reasons) >= 2


def _accepted_and_running(start: dict[str, Any]) -> dict[str, Any]:
    start = copy.deepcopy(start)
    state = start["data"]["watch"]["state"]
    state["in_progress"] = True
    start["data"]["watch"].update(active=True, first_active=state["at"], idle_since=None, history=None)
    return start


def _run(transport: _Replay, **params: Any) -> dict[str, Any]:
    defaults = {name: option.get("default") for name, option in TRIGGER_OPTIONS.items()}
    shell = RemoteShell(transport, _Ticking())
    try:
        return _trigger.trigger(
            [("sync1", shell)], {**defaults, **params}, now=datetime.now(timezone.utc), check_mode=False, progress=lambda line: None
        )
    except HybridIdentityError as error:
        return error.as_result()


class _Ticking(Deadline):
    """Its time passes whenever somebody asks, a second at first and faster and faster, so that every task ends soon."""

    def __init__(self) -> None:
        self._now, self._step = 0.0, 1.0
        super().__init__(120.0, self._tick)

    def _tick(self) -> float:
        self._now += self._step
        self._step *= 1.2
        return self._now


@pytest.mark.parametrize("script", ["probe", "read_runs", "local_route"])
def test_dirsync_info_neither(script: str, recorded: dict[str, dict[str, Any]]) -> None:
    chance = random.Random(f"info {script}")
    text = LOCAL_ROUTE if script == "local_route" else _connect_scripts.SCRIPTS[script]
    defaults = {name: option.get("default") for name, option in INFO_OPTIONS.items()}
    for _round in range(MUTATIONS // 5):
        answers = {**recorded, text: _mutate(recorded[text], chance)}
        shell = RemoteShell(_Replay(answers, carries=script != "local_route" and chance.random() < 0.5), _Ticking())
        try:
            result = _info.inform(shell, defaults, now=datetime.now(timezone.utc))
        except HybridIdentityError as error:
            result = error.as_result()
        assert not {"\x1b", "\u202e"} & set(json.dumps(result, ensure_ascii=False))


@pytest.mark.parametrize(
    "stdout",
    [
        b"", b"{}", b"#m#", b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b"null",
        b'{"ok": true}', b'{"ok": NaN}', b"<html>", b"\xff\xfe\x00", b"1" * 100_000,
        b'{"ok": false, "error": null, "server_utc": "2026-11-24T12:00:00Z", "duration_ms": 0, "bits": 64, "warnings": []}',
    ],
)  # fmt: skip
def test_what_is_no_envelope(stdout: bytes) -> None:
    class Odd:
        def execute(self, command_line: str, standard_input: bytes, timeout: float) -> Output:
            marker = json.loads(gzip.decompress(base64.b64decode(standard_input)))["marker"].encode()
            return Output(marker + stdout + marker, b"", 0)

        def close(self) -> None:
            pass

    result = _run(Odd())  # type: ignore[arg-type]
    assert result["failed"]
    assert result["failure_reason"] == "engine_error"
    assert result["changed"] is False


def test_an_answer_is_bounded_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_call, "MOST_CHARACTERS", 100)
    with pytest.raises(_call.AnswerError, match="more than any script returns"):
        _call.read_envelope(b"#m#" + b" " * 101 + b"#m#", "#m#")
