# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Finding and running a PowerShell engine on the machine that the lab runs on."""

from __future__ import annotations

import atexit
import base64
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

PRELUDE = Path(__file__).parent / "prelude.ps1"
_SHARED_SERVER = "HYBRID_IDENTITY_PWSH_SERVER"


@dataclass(frozen=True)
class Finished:
    """What a PowerShell process left."""

    exit_code: int
    stdout: bytes
    stderr: bytes


def find_powershell() -> str | None:
    """The engine to use: HYBRID_IDENTITY_PWSH, else pwsh on PATH, else None. The word `none` in the variable means none."""
    named = os.environ.get("HYBRID_IDENTITY_PWSH", "")
    if named.lower() == "none":
        return None
    return named if named and Path(named).exists() else shutil.which("pwsh")


class WarmServer:
    """A pwsh-serve process. It is shared by every estate of this process, and ends with it however that ends.

    A process may share its own with those that it starts (see share): every engine has to warm up, which costs more than what most tests ask of it.
    """

    _shared: ClassVar[dict[str, WarmServer]] = {}

    def __init__(self, program: Path) -> None:
        self._folder = tempfile.mkdtemp(prefix="lab-pwsh-")
        self.socket = os.path.join(self._folder, "socket")
        # What one test claims of the version is sent with its requests; the server outlives it and serves the others.
        environment = {name: value for name, value in os.environ.items() if name != "PWSH_CLAIM_VERSION"}
        environment.update(TMPDIR=self._folder, DOTNET_EnableDiagnostics="0")
        self._process = subprocess.Popen(
            [str(program), self.socket],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            preexec_fn=_end_with_parent,
        )
        assert self._process.stdout is not None
        if b"ready" not in self._process.stdout.readline():
            raise RuntimeError(f"{program} did not become ready")
        atexit.register(self.stop)

    @classmethod
    def of(cls, program: Path) -> WarmServer:
        """The server of this program, started with the first call."""
        key = str(program)
        if key not in cls._shared:
            cls._shared[key] = cls(program)
        return cls._shared[key]

    def stop(self) -> None:
        """End it."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(10)
        shutil.rmtree(self._folder, ignore_errors=True)


def share(program: str) -> None:
    """Let every process that this one starts from now on use its warm server of this engine, if the engine comes with one."""
    serve = Path(program).with_name("pwsh-serve")
    if serve.exists():
        os.environ[_SHARED_SERVER] = WarmServer.of(serve).socket


def _ask(socket_path: str, request: dict[str, Any]) -> dict[str, Any]:
    """One request, one answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(socket_path)
        connection.sendall(json.dumps(request).encode() + b"\n")
        answer: dict[str, Any] = json.loads(connection.makefile("rb").readline())
        return answer


def _end_with_parent() -> None:
    """In the child: SIGTERM when the process that started it ends, however it ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class PowerShellRunner:
    """Runs scripts with the stand-ins loaded.

    Args:
        program: path of pwsh. Where a `pwsh-serve` lies beside it, it is kept warm and answers in milliseconds.
        environment: variables for every run.
    """

    def __init__(self, program: str, environment: dict[str, str]) -> None:
        self.program = program
        self._environment = environment
        self._socket = ""

    def start(self) -> None:
        """Start the warm server, if the engine comes with one."""
        serve = Path(self.program).with_name("pwsh-serve")
        if serve.exists() and not os.environ.get("HYBRID_IDENTITY_COLD"):
            self._socket = os.environ.get(_SHARED_SERVER) or WarmServer.of(serve).socket

    def run_script(self, script: str, standard_input: bytes, environment: dict[str, str]) -> Finished:
        """Run the script of an encoded command."""
        if self._socket:
            return self._ask(["-EncodedCommand", _encode(script)], standard_input, environment)
        # A PowerShell of the user's own knows no prelude: it is dot-sourced in front, and the script stays as it is.
        return self._spawn(["-EncodedCommand", _encode(f". '{PRELUDE}'\n{script}")], standard_input, environment)

    def run_file(self, path: str, environment: dict[str, str]) -> Finished:
        """Run a script file, as a scheduled task does."""
        if self._socket:
            return self._ask(["-File", path], b"", environment)
        return self._spawn(["-Command", f". '{PRELUDE}'; & '{path}'"], b"", environment)

    def _ask(self, arguments: list[str], standard_input: bytes, environment: dict[str, str]) -> Finished:
        request = {
            "args": ["-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Unrestricted", *arguments],
            "stdin": base64.b64encode(standard_input).decode("ascii"),
            "env": {**os.environ, **self._environment, **environment, "PWSH_PRELUDE": str(PRELUDE)},
        }
        document = _ask(self._socket, request)
        return Finished(int(document["rc"]), base64.b64decode(document["stdout"]), base64.b64decode(document["stderr"]))

    def _spawn(self, arguments: list[str], standard_input: bytes, environment: dict[str, str]) -> Finished:
        done = subprocess.run(
            [self.program, "-NoProfile", "-NonInteractive", *arguments],
            input=standard_input,
            capture_output=True,
            env={**os.environ, **self._environment, **environment},
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)


def _encode(script: str) -> str:
    return base64.b64encode(script.encode("utf-16-le")).decode("ascii")
