# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Shells and the commands in them."""

from __future__ import annotations

import threading
import time
import traceback
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from lab.lifetime import Killed, Lifetime, living
from lab.wsman import soap
from lab.wsman.log import RequestLog

# Output and exit code that follow each other closely go in one answer, so that the number of requests of a short command does not
# depend on which thread runs first. Far below what a client can notice.
_COALESCE = 0.003
#: seconds without a request after which a shell ends, unless the client asks for another time (IdleTimeout of a listener: two hours)
DEFAULT_IDLE_SECONDS = 7200.0
_STOP_PATIENCE = 0.2  # seconds given to all evaluators together at the end


class RemoteCommand:
    """A running command as its evaluator sees it.

    Attributes:
        line: the whole command line (command and arguments joined by a blank).
        user: the authenticated principal as the client named it, 'LAB\\svc-sync' or 'svc-sync'.
        environment: variables of the shell.
        codepage: WINRS_CODEPAGE of the shell (437 unless the client chose one).
        console_stdin: WINRS_CONSOLEMODE_STDIN: standard input is a console and nothing the client sends is seen.
        cancelled: set by Signal (terminate, ctrl_c, ctrl_break), by Delete of the shell, when it times out, and by the end of the server.
        lifetime: ends at the same time; what the evaluator does in its thread depends on it.
        way: how it came here: 'winrs' and 'ssh' run a command line in a process of its own, 'psrp' a script inside a process that is there already.
        script: the script of a runspace ('psrp'); None where the command line says what runs.
        processes: how many process starts it takes (a default shell that is PowerShell starts a second one).
        shell: the life of the shell, runspace or session that it belongs to.
    """

    way = "winrs"
    script: str | None = None
    processes = 1

    def __init__(self, line: str, user: str, environment: dict[str, str], codepage: int, console_stdin: bool,
                 record: Callable[[bytes], None] | None = None, shell: Lifetime | None = None) -> None:  # fmt: skip
        self.line = line
        self.user = user
        self.environment = environment
        self.codepage = codepage
        self.console_stdin = console_stdin
        self.cancelled = threading.Event()
        self.lifetime = Lifetime()
        self.shell = shell or Lifetime()
        self._record = record
        self._changed = threading.Condition()
        self._input = bytearray()
        self._input_ended = console_stdin  # assumption: a console without anybody typing reads as end of file
        self._output: deque[tuple[str, bytes]] = deque()
        self._exit_code: int | None = None
        self._removed = False

    # the evaluator's side
    def read_stdin(self) -> bytes:
        """All of standard input; blocks until the client ends it or the command is cancelled. Empty at once with a console."""
        with self._changed:
            self._changed.wait_for(lambda: self._input_ended or self.cancelled.is_set())
            data = bytes(self._input)
            self._input.clear()
        return data

    def write_out(self, data: bytes) -> None:
        """Write to standard output; a waiting Receive gets it at once."""
        self._write("stdout", data)

    def write_err(self, data: bytes) -> None:
        """Write to standard error; a waiting Receive gets it at once."""
        self._write("stderr", data)

    def _write(self, stream: str, data: bytes) -> None:
        if data:
            with self._changed:
                self._output.append((stream, bytes(data)))
                self._changed.notify_all()

    # the server's side
    def feed(self, data: bytes, end: bool) -> None:
        """Input from the client. Raises the broken pipe fault after the end of input."""
        if self._record:
            self._record(data)
        with self._changed:
            # assumption: input for a finished process is dropped without a fault (a real one may say ERROR_BROKEN_PIPE). Otherwise the
            # answer would depend on whether a quick command ended before or after the client's Send.
            if self.console_stdin or self._exit_code is not None:
                return
            if self._input_ended:
                raise soap.broken_pipe()
            self._input += data
            self._input_ended = end
            self._changed.notify_all()

    def finish(self, exit_code: int) -> None:
        """The evaluator has returned."""
        with self._changed:
            self._exit_code = exit_code
            self._changed.notify_all()

    def cancel(self, *, remove: bool) -> None:
        """Tell the evaluator to end; with `remove`, waiting Receives end too."""
        with self._changed:
            self.cancelled.set()
            self._removed = self._removed or remove
            self._changed.notify_all()
        self.lifetime.kill()

    def receive(self, timeout: float, limit: int) -> tuple[list[tuple[str, bytes]], int | None]:
        """Wait for output or the end.

        Args:
            timeout: seconds to wait at most.
            limit: bytes of output to hand over at most.

        Returns:
            Chunks (stream name, bytes) in the order written, and the exit code once everything has been handed over.

        Raises:
            soap.WsmanFault: timed out, or terminated meanwhile.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while not self._output and self._exit_code is None and not self._removed:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise soap.timed_out()
                self._changed.wait(left)
            if self._exit_code is None and not self._removed:
                self._changed.wait_for(lambda: self._exit_code is not None or self._removed, _COALESCE)
            if self._removed:  # also when the cancelled evaluator was quicker than this thread: one answer, whoever runs first
                raise soap.aborted()
            chunks = self._drain(limit)
            return chunks, (None if self._output else self._exit_code)

    def _drain(self, limit: int) -> list[tuple[str, bytes]]:
        chunks: list[tuple[str, bytearray]] = []
        while self._output and limit > 0:
            stream, data = self._output.popleft()
            if len(data) > limit:
                self._output.appendleft((stream, data[limit:]))
                data = data[:limit]
            limit -= len(data)
            if chunks and chunks[-1][0] == stream:
                chunks[-1][1].extend(data)
            else:
                chunks.append((stream, bytearray(data)))
        return [(stream, bytes(data)) for stream, data in chunks]


Evaluator = Callable[[RemoteCommand], int]


@dataclass
class Shell:
    """One WinRS shell. `owner` is the account it belongs to; it ends after `idle_seconds` without a request."""

    shell_id: str
    owner: str
    user: str
    environment: dict[str, str]
    codepage: int
    idle_seconds: float = DEFAULT_IDLE_SECONDS
    used: float = field(default_factory=time.monotonic)
    waiting: int = 0  # Receives that are being answered: a shell that somebody listens to is not idle
    commands: dict[str, RemoteCommand] = field(default_factory=dict)
    lifetime: Lifetime = field(default_factory=Lifetime)
    runspaces: object = None  # of a shell that is a runspace pool (lab.psrp)


def _new_id() -> str:
    return str(uuid.uuid4()).upper()


class Shells:
    """All shells of one server; thread safe. What runs in a shell dies with it (see lab.lifetime)."""

    def __init__(self, evaluator: Evaluator, log: RequestLog) -> None:
        self._evaluator = evaluator
        self._log = log
        self._lock = threading.Lock()
        self._shells: dict[str, Shell] = {}
        self._threads: set[threading.Thread] = set()
        self._sweeping = threading.Event()
        #: seconds for shells whose client names none; None: DEFAULT_IDLE_SECONDS
        self.idle_seconds: float | None = None

    def open(
        self,
        owner: str,
        user: str,
        environment: dict[str, str],
        codepage: int,
        idle_seconds: float | None = None,
        shell_id: str | None = None,
    ) -> Shell:
        """Make a shell; it ends after `idle_seconds` without a request (None: as the listener is set up). A client may choose its identifier."""
        if idle_seconds is None:
            idle_seconds = self.idle_seconds
        seconds = DEFAULT_IDLE_SECONDS if idle_seconds is None else idle_seconds
        shell = Shell((shell_id or _new_id()).upper(), owner, user, environment, codepage, seconds)
        with self._lock:
            self._shells[shell.shell_id] = shell
        self._log.count(shells_opened=1)
        if idle_seconds is not None:
            threading.Thread(target=self._end_when_idle, args=(shell,), name="wsman idle shell", daemon=True).start()
        return shell

    def open_now(self) -> int:
        """How many shells are open."""
        with self._lock:
            return len(self._shells)

    def _end_when_idle(self, shell: Shell) -> None:
        while True:
            left = shell.idle_seconds if shell.waiting else shell.used + shell.idle_seconds - time.monotonic()
            if left <= 0:
                self.close(shell)
                return
            if self._sweeping.wait(left) or shell.shell_id not in self._shells:
                return

    def get(self, shell_id: str, owner: str) -> Shell:
        """The shell of this identifier. Raises the unknown shell fault, also for somebody else's shell."""
        with self._lock:
            shell = self._shells.get(shell_id.upper())
        # assumption: another user's shell is simply not found
        if shell is None or shell.owner != owner:
            raise soap.unknown_shell(shell_id)
        shell.used = time.monotonic()
        return shell

    def close(self, shell: Shell) -> None:
        """Delete a shell; its commands are cancelled."""
        with self._lock:
            removed = self._shells.pop(shell.shell_id, None)
            commands = list(shell.commands.values())
            shell.commands.clear()
        for command in commands:
            command.cancel(remove=True)
        shell.lifetime.kill()
        if removed:
            self._log.count(shells_closed=1)

    def start(self, shell: Shell, line: str, console_stdin: bool) -> str:
        """Start a command in a thread of its own. Returns its identifier."""
        entry = self._log.command(shell.user, line, shell.environment)
        command = RemoteCommand(
            line,
            shell.user,
            dict(shell.environment),
            shell.codepage,
            console_stdin,
            lambda data: self._log.stdin(entry, data),
            shell.lifetime,
        )
        command_id = self.add(shell, command)
        self.begin(command)
        return command_id

    def add(self, shell: Shell, command: RemoteCommand, command_id: str | None = None) -> str:
        """Let a command belong to a shell; it does not run yet. Returns its identifier, which a client may have chosen."""
        command_id = (command_id or _new_id()).upper()
        with self._lock:
            shell.commands[command_id] = command
        return command_id

    def begin(self, command: RemoteCommand) -> None:
        """Run a command in a thread of its own."""
        thread = threading.Thread(target=self._run, args=(command,), name=f"{command.way} command", daemon=True)
        with self._lock:
            self._threads.add(thread)
        thread.start()

    def command(self, shell: Shell, command_id: str) -> RemoteCommand:
        """The command of this identifier. Raises the unknown command fault."""
        with self._lock:
            command = shell.commands.get(command_id.upper())
        if command is None:
            raise soap.unknown_command(command_id)
        return command

    def forget(self, shell: Shell, command_id: str) -> None:
        """Remove a terminated command."""
        with self._lock:
            shell.commands.pop(command_id.upper(), None)

    def stop(self) -> None:
        """Cancel everything and give the evaluators a moment to end; those that do not are left to die with the process."""
        with self._lock:
            shells, threads = list(self._shells.values()), list(self._threads)
        self._sweeping.set()
        for shell in shells:
            self.close(shell)
        deadline = time.monotonic() + _STOP_PATIENCE
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self, command: RemoteCommand) -> None:
        exit_code = 1
        try:
            with living(command.lifetime):
                exit_code = int(self._evaluator(command))
        except Killed:
            pass
        except Exception as error:
            if command.lifetime.killed:  # whatever a killed process leaves its evaluator with
                return
            # Only type and places: a message or a value might hold a secret.
            places = "; ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__))
            self._log.failure(f"{type(error).__name__} at {places}")
            command.write_err(f"lab: the evaluator failed with {type(error).__name__}\r\n".encode())
        finally:
            command.finish(exit_code)
            with self._lock:
                self._threads.discard(threading.current_thread())
