# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Finding and running a PowerShell engine on the machine that the lab runs on."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

PRELUDE = Path(__file__).parent / "prelude.ps1"


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


class PowerShellRunner:
    """Runs scripts with the stand-ins loaded.

    Args:
        program: path of pwsh. Where a `pwsh-serve` lies beside it, it is kept warm and answers in milliseconds.
        environment: variables for every run.
    """

    def __init__(self, program: str, environment: dict[str, str]) -> None:
        self.program = program
        self._environment = environment
        self._server: subprocess.Popen[bytes] | None = None
        self._folder: str | None = None
        self._socket = ""
        self._serve = Path(program).with_name("pwsh-serve")

    @property
    def warm(self) -> bool:
        """Whether the engine comes with a server that keeps it warm."""
        return self._serve.exists()

    def start(self) -> None:
        """Start the warm server, if there is one."""
        if not self.warm:
            return
        self._folder = tempfile.mkdtemp(prefix="lab-pwsh-")
        self._socket = os.path.join(self._folder, "socket")
        self._server = subprocess.Popen(
            [str(self._serve), self._socket], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        assert self._server.stdout is not None
        if b"ready" not in self._server.stdout.readline():
            raise RuntimeError(f"{self._serve} did not become ready")

    def stop(self) -> None:
        """End the warm server."""
        if self._server is not None:
            self._server.terminate()
            self._server.wait(10)
            self._server = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def run_script(self, script: str, standard_input: bytes, environment: dict[str, str]) -> Finished:
        """Run the script of an encoded command."""
        if self._server is not None:
            return self._ask(["-EncodedCommand", _encode(script)], standard_input, environment)
        # A PowerShell of the user's own knows no prelude: it is dot-sourced in front, and the script stays as it is.
        return self._spawn(["-EncodedCommand", _encode(f". '{PRELUDE}'\n{script}")], standard_input, environment)

    def run_file(self, path: str, environment: dict[str, str]) -> Finished:
        """Run a script file, as a scheduled task does."""
        if self._server is not None:
            return self._ask(["-File", path], b"", environment)
        return self._spawn(["-Command", f". '{PRELUDE}'; & '{path}'"], b"", environment)

    def _ask(self, arguments: list[str], standard_input: bytes, environment: dict[str, str]) -> Finished:
        request = {
            "args": ["-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Unrestricted", *arguments],
            "stdin": base64.b64encode(standard_input).decode("ascii"),
            "env": {**os.environ, **self._environment, **environment, "PWSH_PRELUDE": str(PRELUDE)},
        }
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self._socket)
            connection.sendall(json.dumps(request).encode() + b"\n")
            answer = connection.makefile("rb").readline()
        document = json.loads(answer)
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
