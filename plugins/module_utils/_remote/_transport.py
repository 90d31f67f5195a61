# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What carries a call to the sync server, and the ways in which carrying can fail.

A transport knows neither engines nor scripts: it runs one command line with one piece of standard input.
This is private to the collection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class TransportError(Exception):
    """The call could not be carried; the message is one sentence without secrets."""


class Unreachable(TransportError):
    """Nothing answered at the address: nothing has run."""


class AuthenticationFailed(TransportError):
    """The server did not accept the credentials: nothing has run."""


class RemotingDenied(TransportError):
    """The server knows the account but does not let it in for remoting: nothing has run."""


class ConnectionBroken(TransportError):
    """The connection ended in the middle of a call, or its time was over: whether it ran to its end is not known."""


@dataclass(frozen=True)
class Output:
    """What a finished remote process left: its streams and its exit code (which proves nothing by itself)."""

    stdout: bytes
    stderr: bytes
    exit_code: int


class Transport(Protocol):
    """A transport to the sync server. One shell or connection for its whole life; close() is always called."""

    def execute(self, command_line: str, standard_input: bytes, timeout: float) -> Output:
        """Run one command line.

        Args:
            command_line: begins with the words that every connection plugin recognises as PowerShell.
            standard_input: one line of ASCII, never empty.
            timeout: seconds until ConnectionBroken is raised.

        Raises:
            TransportError: one of its four kinds.
        """

    def close(self) -> None:
        """Give back what is held on the server. Never raises."""
