# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The default transport: the task's own connection plugin (winrm, psrp, ssh, ...). Private to the collection."""

from __future__ import annotations

import contextlib
import re
import time
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleAuthenticationFailure, AnsibleConnectionFailure, AnsibleError

from ansible_collections.hybrid.identity.plugins.module_utils._remote._transport import (
    AuthenticationFailed,
    ConnectionBroken,
    Output,
    RemotingDenied,
    Unreachable,
)

if TYPE_CHECKING:
    from ansible.plugins.connection import ConnectionBase

# These words come from pywinrm and pypsrp on this machine, not from the server: they are the same in every language.
_REJECTED = re.compile(r"credentials were rejected|failed to authenticate the user|permission denied \(", re.IGNORECASE)
_FAULT_5 = re.compile(r"wsmanfault_code'?\"?: '?5\b|Code: 5\b")


class ConnectionTransport:
    """Carries calls with the connection plugin that the inventory (or the Machine credential) has set up.

    Args:
        connection: the task's connection; it is opened with the first call and left to Ansible in the end.
        label: what the server is called in messages (the inventory name).
    """

    def __init__(self, connection: ConnectionBase, label: str) -> None:
        self._connection: Any = connection
        self._label = label
        self._connected_before = False

    def execute(self, command_line: str, standard_input: bytes, timeout: float) -> Output:
        """See Transport.execute. The connection plugin has its own deadlines; scripts end by themselves well before `timeout`."""
        self._connect()
        started = time.monotonic()
        try:
            exit_code, stdout, stderr = self._connection.exec_command(command_line, in_data=standard_input, sudoable=False)
        except AnsibleAuthenticationFailure as error:
            raise AuthenticationFailed(f"{self._label} did not accept the credentials.") from error
        except Exception as error:
            # psrp lets exceptions of requests through, so every kind counts. The plugin's own text may repeat what was sent, so it stays out.
            seconds = time.monotonic() - started
            self._start_afresh()
            raise ConnectionBroken(
                f"The connection to {self._label} ended in the middle of a call after {seconds:.0f} s ({type(error).__name__})."
            ) from error
        return Output(_as_bytes(stdout), _as_bytes(stderr), int(exit_code))

    def _connect(self) -> None:
        if getattr(self._connection, "connected", False):
            return
        try:
            self._connection._connect()
            self._connected_before = True
        except (AnsibleError, OSError) as error:
            text = str(error)
            if isinstance(error, AnsibleAuthenticationFailure) or _REJECTED.search(text):
                raise AuthenticationFailed(f"{self._label} did not accept the credentials.") from error
            if _FAULT_5.search(text):
                raise RemotingDenied(f"{self._label} does not let the account in for remote management.") from error
            kind = ConnectionBroken if self._connected_before else Unreachable
            reason = "the connection failed" if not isinstance(error, AnsibleConnectionFailure) else _first_line(text)
            raise kind(f"No connection to {self._label}: {reason}.") from error

    def _start_afresh(self) -> None:
        """Close what is left, so that the next call opens a new shell; close() first, because reset() alone forgets the old shell on the server."""
        with contextlib.suppress(Exception):
            self._connection.close()

    def close(self) -> None:
        """See Transport.close."""
        self._start_afresh()


def _first_line(text: str) -> str:
    lines = str(text).strip().splitlines()
    return lines[0].rstrip(".")[:300] if lines else "no reason given"


def _as_bytes(stream: Any) -> bytes:
    return stream if isinstance(stream, bytes) else str(stream or "").encode("utf-8", errors="replace")
