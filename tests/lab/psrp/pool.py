# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""A runspace pool and its pipelines: from fragments of messages to running scripts, and back.

Not simulated: what one pipeline leaves behind in the runspace for the next (each script runs on its own here), progress and
host calls other than the one for the exit code, disconnected pools.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lab.lifetime import Lifetime
from lab.wsman.log import AuditEntry, RequestLog
from lab.wsman.shell import RemoteCommand

from .clixml import errors_of

if TYPE_CHECKING:  # 150 ms of import: only when the first runspace is opened
    import psrpcore

#: bytes of one answer's fragment, as Windows sends them
_FRAGMENT = 32 * 1024
_UTF8 = 65001


class _Outbox(RemoteCommand):
    """Fragments on their way to the client. They are handed over whole: clients do not put a divided fragment together again."""

    def put(self, fragment: bytes) -> None:
        """Add a fragment."""
        self._write("stdout", fragment)

    def _drain(self, limit: int) -> list[tuple[str, bytes]]:
        chunks: list[tuple[str, bytes]] = []
        while self._output and (not chunks or len(self._output[0][1]) <= limit):
            chunks.append(self._output.popleft())
            limit -= len(chunks[-1][1])
        return chunks


class Pipeline(_Outbox):
    """A script in a runspace, as its evaluator sees it: lines of input come from objects, lines of output become objects.

    Args:
        user: the principal.
        pool: what it runs in.
        server: its side of the protocol.
    """

    way = "psrp"

    def __init__(self, user: str, pool: RunspacePool, server: psrpcore.ServerPipeline) -> None:
        super().__init__("", user, {}, _UTF8, console_stdin=False, record=self._note, shell=pool.lifetime)
        self._pool, self._server = pool, server
        self._entry: AuditEntry | None = None
        self._written = bytearray()
        self._errors = bytearray()

    def ready(self, script: str, no_input: bool) -> None:
        """The whole script has come."""
        self.script = script
        self._entry = self._pool.log.command(self.user, script, {})
        if no_input:
            self.feed(b"", True)

    def _note(self, data: bytes) -> None:
        if self._entry is not None:
            self._pool.log.stdin(self._entry, data)

    def write_out(self, data: bytes) -> None:
        """See RemoteCommand.write_out. Objects are made of it at the end."""
        self._written += data

    def write_err(self, data: bytes) -> None:
        """See RemoteCommand.write_err."""
        self._errors += data

    def finish(self, exit_code: int) -> None:
        """The evaluator has returned: its output, its errors, its exit code and the end of the pipeline go out."""
        with self._pool.lock:
            with contextlib.suppress(Exception):  # a pool that is gone takes nothing any more
                self._say(exit_code)
            self._pool.flush()
        super().finish(0)

    def _say(self, exit_code: int) -> None:
        from psrpcore.types import HostMethodIdentifier, NETException

        if self.lifetime.killed:
            self._server.stop()
            return
        for line in self._written.decode("utf-8", "replace").splitlines():
            self._server.write_output(line)
        for line in errors_of(self._errors.decode("utf-8", "replace")):
            self._server.write_error(NETException(Message=line), fully_qualified_error_id="NativeCommandError")
        if exit_code:
            # assumption: `exit N` and a failed last statement look the same here; a runspace tells only the first to its host.
            self._server.host_call(HostMethodIdentifier.SetShouldExit, [exit_code])
        self._server.complete()
        self._server.close()


class RunspacePool:
    """One runspace pool.

    Args:
        user: the principal it belongs to.
        lifetime: ends with its shell.
        log: for the received scripts.
        begin: runs a pipeline whose script has come.
    """

    def __init__(self, user: str, lifetime: Lifetime, log: RequestLog, begin: Callable[[RemoteCommand], None]) -> None:
        import psrpcore

        self.lock = threading.RLock()
        self.lifetime = lifetime
        self.log = log
        self.outbox = _Outbox("", user, {}, _UTF8, console_stdin=True)
        self._user = user
        self._begin = begin
        self._pool = psrpcore.ServerRunspacePool()
        self._pipelines: dict[uuid.UUID, Pipeline] = {}

    def add(self, pipeline_id: uuid.UUID) -> Pipeline:
        """A pipeline whose script will come."""
        import psrpcore

        with self.lock:
            pipeline = Pipeline(self._user, self, psrpcore.ServerPipeline(self._pool, pipeline_id))
            self._pipelines[pipeline_id] = pipeline
            return pipeline

    def feed(self, data: bytes, pipeline_id: uuid.UUID | None = None) -> None:
        """Fragments from the client. Raises ValueError for what is no message."""
        import psrpcore

        with self.lock:
            self._pool.receive_data(psrpcore.PSRPPayload(data, psrpcore.StreamType.default, pipeline_id))
            while (event := self._next_event()) is not None:
                self._act(event)
            self.flush()

    def _next_event(self) -> Any:
        import psrpcore

        try:
            return self._pool.next_event()
        except psrpcore.PSRPCoreError as error:
            raise ValueError(str(error)) from error

    def _act(self, event: Any) -> None:
        import psrpcore

        pipeline = self._pipelines.get(event.pipeline_id) if event.pipeline_id else None
        if pipeline is None:
            return
        if isinstance(event, psrpcore.CreatePipelineEvent):
            pipeline._server.start()
            commands = event.pipeline.commands
            pipeline.ready("\n".join(command.command_text for command in commands), event.pipeline.no_input)
            self._begin(pipeline)
        elif isinstance(event, psrpcore.PipelineInputEvent):
            pipeline.feed(f"{event.data}\n".encode(), False)
        elif isinstance(event, psrpcore.EndOfPipelineInputEvent):
            pipeline.feed(b"", True)

    def flush(self) -> None:
        """What there is to say goes to whom it is for; the caller holds the lock."""
        while (payload := self._pool.data_to_send(_FRAGMENT)) is not None:
            target = self._pipelines.get(payload.pipeline_id) if payload.pipeline_id else None
            (target or self.outbox).put(bytes(payload.data))
