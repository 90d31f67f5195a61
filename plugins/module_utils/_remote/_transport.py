# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What carries a call to the sync server, and the ways in which carrying can fail.

A transport knows neither engines nor scripts: it runs one command line with one piece of standard input.
This is private to the collection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

#: bytes of output that a call may have; an answer is a few hundred kilobytes at most
MAX_OUTPUT = 32 * 1024 * 1024


class TransportError(Exception):
    """The call could not be carried.

    Args:
        message: one sentence without secrets.
        remedy: what the operator does about just this cause; None where the failure reason knows nothing better.
    """

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy


class Unreachable(TransportError):
    """Nothing answered at the address: nothing has run."""


class BadCertificate(Unreachable):
    """Something answered, but its certificate is not trusted: nothing was sent to it."""


class MissingLibrary(Unreachable):
    """This machine lacks what the connection needs: nothing was sent."""


class AuthenticationFailed(TransportError):
    """The server did not accept the credentials: nothing has run."""


class NoCredentials(AuthenticationFailed):
    """There are no credentials that could be tried: nothing was sent."""


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
    """A transport to the sync server. One shell or connection for its whole life; close() is always called.

    Attributes:
        warnings: sentences for the operator on how this connection is set up; known from the beginning.
    """

    warnings: list[str]

    def execute(self, command_line: str, standard_input: bytes, timeout: float) -> Output:
        """Run one command line.

        Args:
            command_line: begins with the words that every connection plugin recognises as PowerShell.
            standard_input: one line of ASCII, never empty.
            timeout: seconds for all of it, whatever the server does: opening the connection, sending, and every byte of the answer.
                A second later at most the call has returned or raised.

        Raises:
            TransportError: one of its four kinds; ConnectionBroken where the time was over in the middle, or the output without end.
        """

    def close(self) -> None:
        """Give back what is held on the server, within five seconds or not at all. Never raises."""
