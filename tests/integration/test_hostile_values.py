# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Hostile values travel through the remote call unchanged, or are refused as input; nothing is ever executed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from estates import COVERAGE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.hybrid.identity.plugins.module_utils._deadline import Deadline
from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import (
    COMMAND_LINE,
    CannotTravel,
    RemoteShell,
    guard,
    read_envelope,
    request_document,
)
from ansible_collections.hybrid.identity.plugins.module_utils._remote._shape import anything
from ansible_collections.hybrid.identity.plugins.module_utils._remote._transport import Output as _Output
from lab.powershell.runner import PowerShellRunner
from lab.windows.command_line import encoded_script
from lab.windows.envelope import read_request, unguard

#: pieces that mean something to some shell, parser or terminal
PIECES = [
    "'", '"', "\u2018", "\u2019", "\u201a", "\u201b", "\u201c", "\u201d", "\u201e", "`", "$", "$(", ")", "$(touch {canary})", "$env:TEMP", "@(", "@{",
    "&", "|", ";", "%PATH%", "^", "<#", "#>", "#", "{0}", "}", "{", "\\", "/", "\n", "\r", "\r\n", "\t", "\x00", "\x07", "\x1a", "\x1b[2J", "\u2028",
    "\u2029", "\u0085", "\u200e", "\u202e", "\u2066", "\ufeff", "\u00a0", "\u3000", "ä", "ß", "\U0001f600", "2024-01-01T00:00:00", "/Date(0)/", "\\u0041",
    "null", "true", "1e5", "--%", "-EncodedCommand", "]]>", "<Objs>", "#< CLIXML", "'; touch {canary}; '", '"; & touch {canary}; "', "~",
]  # fmt: skip
TEXT = st.lists(st.one_of(st.sampled_from(PIECES), st.text(st.characters(exclude_categories=["Cs"]), max_size=6)), max_size=8).map("".join)

ECHO = "param($p) return @{ texts = @($p.texts); types = @($p.texts | ForEach-Object { $_.GetType().FullName } | Select-Object -Unique); nested = $p.nested }"


class _Direct:
    """PowerShell without a server in between: the command line and standard input are the same."""

    def __init__(self, runner: PowerShellRunner) -> None:
        self._runner = runner

    def execute(self, command_line: str, standard_input: bytes, timeout: float) -> _Output:
        assert command_line == COMMAND_LINE, "nothing of a value ever reaches the command line"
        assert b"\n" not in standard_input[:-1]
        assert max(standard_input) < 128
        done = self._runner.run_script(encoded_script(command_line) or "", standard_input, {})
        return _Output(done.stdout, done.stderr, done.exit_code)

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def shell(powershell: str) -> RemoteShell:
    runner = PowerShellRunner(powershell, {"PWSH_CODEPAGE": "437", "PWSH_COVERAGE": COVERAGE})
    runner.start()
    return RemoteShell(_Direct(runner), Deadline(600))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(texts=st.lists(TEXT, min_size=30, max_size=60))
def test_through_powershell(shell: RemoteShell, tmp_path: Path, texts: list[str]) -> None:
    """60 calls with 30 to 60 values each."""
    canary = tmp_path / "executed"
    sent = [text.replace("{canary}", str(canary)) for text in texts]
    answer = shell.call(
        "echo", ECHO, {"texts": sent, "nested": {"one": sent[:1], "none": None, "flag": True}}, shape=anything, timeout=60, repeatable=False
    )
    assert answer.data["texts"] == sent
    assert answer.data["types"] in (["System.String"], "System.String")
    assert answer.data["nested"] == {"one": sent[:1], "none": None, "flag": True}
    assert not canary.exists()


@settings(max_examples=1500, deadline=None)
@given(
    value=st.recursive(st.one_of(st.none(), st.booleans(), st.integers(-(2**31), 2**31), TEXT), lambda inner: st.lists(inner, max_size=4))
)
def test_through_the_request(value: Any) -> None:
    document = request_document("script", {"value": value}, "#marker#")
    assert document.isascii()
    assert unguard(json.loads(document)["parameters"])["value"] == value


@settings(max_examples=500, deadline=None)
@given(noise=st.text(max_size=30), text=TEXT)
def test_noise_around_the_answer_does_not_matter(noise: str, text: str) -> None:
    envelope = {"ok": True, "data": text, "server_utc": "2026-11-24T12:00:00.1234567Z", "duration_ms": 1, "bits": 64, "warnings": []}
    read = read_envelope((noise + "#m#" + json.dumps(envelope) + "#m#\r\n" + noise).encode(), "#m#")
    assert read is not None
    assert read["data"] == text


@given(text=st.text(st.characters(categories=["Cs"]), min_size=1, max_size=3))
def test_what_cannot_travel_is_refused(text: str) -> None:
    with pytest.raises(CannotTravel):
        guard({"x": [text]})


def test_warnings_come_back_beside_the_answer(shell: RemoteShell) -> None:
    answer = shell.call(
        "warn",
        "param($p) Write-Warning $p.text; return @{ done = $true }",
        {"text": "Vorsicht: \u00e4\u2028"},
        shape=anything,
        timeout=60,
        repeatable=False,
    )
    assert answer.data == {"done": True}
    assert answer.warnings == ["Vorsicht: \u00e4\u2028"]
    assert answer.bits == 64


def test_objects_cannot_travel() -> None:
    with pytest.raises(CannotTravel):
        guard({"x": object()})


def test_a_request_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_request(b"not base64!\n")
