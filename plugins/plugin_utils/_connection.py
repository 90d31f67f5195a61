# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The default transport: the task's own connection plugin (winrm, psrp, ssh, ...). Private to the collection."""

from __future__ import annotations

import contextlib
import copy
import threading
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleAuthenticationFailure

from ansible_collections.hybrid.identity.plugins.module_utils._deadline import Deadline
from ansible_collections.hybrid.identity.plugins.module_utils._remote._causes import explain, speaks_tls, ssh_ran_nothing, words_of
from ansible_collections.hybrid.identity.plugins.module_utils._remote._in_time import TimeIsOver, TooLarge, begin, in_time
from ansible_collections.hybrid.identity.plugins.module_utils._remote._transport import (
    MAX_OUTPUT,
    AuthenticationFailed,
    ConnectionBroken,
    Output,
    TransportError,
    Unreachable,
)

from ._connection_settings import Described, describe

if TYPE_CHECKING:
    from ansible.plugins.connection import ConnectionBase

#: seconds beyond the time of a call in which the plugin may still come back by itself
_GRACE = 0.5
#: seconds for giving everything back
_CLOSING = 5.0


class ConnectionTransport:
    """Carries calls with the connection plugin that the inventory (or the Machine credential) has set up.

    A plugin waits as long as its own time-outs say, so it runs in a thread: a call whose time is over is abandoned together with the
    plugin object, and a copy that was made before the first call takes its place.

    Some plugins (ssh) connect anew with each call, and say only then that nobody could sign in. What they would repeat by themselves after a
    lost connection may have run already, so they repeat nothing: that is for the caller to decide.

    Args:
        connection: the task's connection; it is opened with the first call and left to Ansible in the end.
        label: what the server is called in messages (the inventory name).
    """

    def __init__(self, connection: ConnectionBase, label: str) -> None:
        _repeat_nothing(connection)
        self._connection: Any = connection
        self._unused: Any = copy.copy(connection)
        self._label = label
        self._connected_before = False
        self._giving_back: list[threading.Thread] = []
        self._described: Described = describe(connection, label)
        self.warnings = list(self._described.warnings)

    def execute(self, command_line: str, standard_input: bytes, timeout: float) -> Output:
        """See Transport.execute."""
        connection = self._connection
        deadline = Deadline(timeout)

        def run() -> Any:
            try:
                output = connection.exec_command(command_line, in_data=standard_input, sudoable=False)
                self._connected_before = True
                return output
            except AnsibleAuthenticationFailure as error:
                raise AuthenticationFailed(f"{self._label} did not accept the credentials.") from error
            except Exception as error:
                if not connection.connected and ssh_ran_nothing(words_of(error)):
                    raise explain(words_of(error), self._described.settings, interrupted=self._connected_before) from error
                # psrp lets exceptions of requests through, so every kind counts. The plugin's own text may repeat what was sent, so it stays out.
                raise ConnectionBroken(
                    f"The connection to {self._label} ended in the middle of a call after {deadline.spent():.0f} s ({type(error).__name__})."
                ) from error

        try:
            if not getattr(connection, "connected", False):
                in_time(lambda: self._connect(connection), timeout + _GRACE, ends_well=True)
            exit_code, stdout, stderr = in_time(run, deadline.left() + _GRACE)
            output = Output(_as_bytes(stdout), _as_bytes(stderr), int(exit_code))
            if len(output.stdout) + len(output.stderr) > MAX_OUTPUT:
                raise ConnectionBroken(
                    f"What came from {self._label} is too large for an answer ({len(output.stdout) + len(output.stderr)} bytes)."
                )
            return output
        except BaseException as error:
            self._give_up()
            if isinstance(error, TimeIsOver):
                raise self._late(timeout) from error
            if isinstance(error, TooLarge):
                raise ConnectionBroken(f"What came from {self._label} had no end: the call was given up.") from error
            raise

    def _connect(self, connection: Any) -> None:
        try:
            connection._connect()
            if connection is not self._connection:  # too late: nobody else would give back what was opened
                type(connection).close(connection)
                return
            self._connected_before = self._connected_before or bool(connection.connected)
        except Exception as error:
            settings, address = self._described.settings, self._described.plain_address
            if isinstance(error, AnsibleAuthenticationFailure):
                raise AuthenticationFailed(f"{self._label} did not accept the credentials of {settings.account}.") from error
            ask = None if address is None else (lambda: speaks_tls(*address))
            raise explain(words_of(error), settings, interrupted=self._connected_before, speaks_tls=ask) from error

    def _late(self, timeout: float) -> TransportError:
        if not self._connected_before and not self._described.connects_each_time:
            return Unreachable(
                f"{self._label} did not let the connection be made within {timeout:.0f} s. The attempt was abandoned; "
                "the connection plugin would have waited longer."
            )
        return ConnectionBroken(
            f"The call to {self._label} did not end within its {timeout:.0f} s. It was abandoned; the connection plugin would have waited longer."
        )

    def _give_up(self) -> None:
        """Leave this connection behind and go on with one that was never used. It is closed in the background, as far as that still can be."""
        abandoned, self._connection = self._connection, copy.copy(self._unused)
        self._close_in_background(abandoned)

    def _close_in_background(self, connection: Any) -> None:
        close = connection.close

        def give_back() -> None:
            with contextlib.suppress(Exception):
                # pywinrm seals messages for the connection that they are sent on, and that one may hang: the goodbye gets a new one.
                connection.protocol.transport.close_session()
                connection.protocol.transport.encryption = None
            with contextlib.suppress(Exception):
                # pypsrp does the same, and makes a session when there is none.
                connection.runspace.connection.transport.session = connection.runspace.connection.transport.encryption = None
            with contextlib.suppress(Exception):
                close()

        # Ansible closes the connection once more when the task is over; by then it is done with, or hangs.
        connection.close = _nothing
        connection._connected = False
        self._giving_back.append(begin(give_back))

    def close(self) -> None:
        """See Transport.close."""
        connection, self._connection = self._connection, copy.copy(self._unused)
        if getattr(connection, "connected", False):
            close = connection.close
            connection.close = _nothing
            self._giving_back.append(begin(lambda: _quietly(close)))
        deadline = Deadline(_CLOSING)
        for thread in self._giving_back:
            thread.join(deadline.left())
        self._giving_back = []


def _repeat_nothing(connection: Any) -> None:
    """Take from a plugin the repetitions of whole commands that its settings may ask for (ansible_ssh_retries)."""
    if getattr(connection, "transport", "") == "ssh":
        with contextlib.suppress(Exception):
            connection.set_option("reconnection_retries", 0)


def _quietly(close: Any) -> None:
    with contextlib.suppress(Exception):
        close()


def _nothing() -> None:
    """In the place of a close() that has been begun already."""


def _as_bytes(stream: Any) -> bytes:
    return stream if isinstance(stream, bytes) else str(stream or "").encode("utf-8", errors="replace")
