# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What the remote call can raise, in the collection's failure reasons. Private to the collection."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator, Union

from .._failure import HybridIdentityError
from ._call import AnswerError, CannotTravel, NoAnswer, RemoteError
from ._transport import AuthenticationFailed, ConnectionBroken, RemotingDenied, TransportError, Unreachable

#: what a call can end with beside its answer
CallFailure = Union[TransportError, RemoteError, AnswerError]
CALL_FAILURES = (TransportError, RemoteError, AnswerError)

#: kinds of carrying that failed -> failure reason
_TRANSPORT_REASONS: tuple[tuple[type[TransportError], str], ...] = (
    (AuthenticationFailed, "authentication_failed"),
    (RemotingDenied, "remoting_denied"),
    (Unreachable, "unreachable"),
    (ConnectionBroken, "unreachable"),
    (NoAnswer, "unreachable"),
)
#: error ids of PowerShell itself for a module or a snap-in that is not there
_NOTHING_TO_LOAD = ("Modules_ModuleNotFound", "AddPSSnapInRead")
#: E_ACCESSDENIED
_ACCESS_DENIED = -2147024891


def _signed(*numbers: int) -> tuple[int, ...]:
    return tuple(number - (1 << 32) for number in numbers)


#: what COM and RPC say when the service behind them is away, going, or not yet there (winerror.h)
SERVICE_AWAY = _signed(
    0x80080005,  # CO_E_SERVER_EXEC_FAILURE
    0x800401FD,  # CO_E_OBJNOTCONNECTED
    0x80010007,  # RPC_E_SERVER_DIED
    0x80010012,  # RPC_E_SERVER_DIED_DNE
    0x80010108,  # RPC_E_DISCONNECTED
    0x80010100,  # RPC_E_SYS_CALL_FAILED
    0x8007041D,  # ERROR_SERVICE_REQUEST_TIMEOUT
    0x80070422,  # ERROR_SERVICE_DISABLED
    0x80070425,  # ERROR_SERVICE_CANNOT_ACCEPT_CTRL
    0x80070426,  # ERROR_SERVICE_NOT_ACTIVE
    0x8007042C,  # ERROR_SERVICE_DEPENDENCY_FAIL
    0x8007042D,  # ERROR_SERVICE_LOGON_FAILED
    0x8007045B,  # ERROR_SHUTDOWN_IN_PROGRESS
    0x800706B5,  # RPC_S_UNKNOWN_IF
    0x800706BA,  # RPC_S_SERVER_UNAVAILABLE
    0x800706BE,  # RPC_S_CALL_FAILED
    0x800706BF,  # RPC_S_CALL_FAILED_DNE
    0x800706D9,  # EPT_S_NOT_REGISTERED
)


def service_is_away(error: RemoteError) -> bool:
    """Whether an error of a command says that the service behind it does not run."""
    return error.has_hresult(*SERVICE_AWAY)


def access_is_denied(error: RemoteError) -> bool:
    """Whether an error of a command is a plain denial."""
    return error.has_hresult(_ACCESS_DENIED)


def as_failure(error: CallFailure) -> HybridIdentityError:
    """The failure that a call which ended without a usable answer stands for."""
    if isinstance(error, TransportError):
        reasons = [reason for kind, reason in _TRANSPORT_REASONS if isinstance(error, kind)]
        return HybridIdentityError(reasons[0] if reasons else "unreachable", str(error), remedy=getattr(error, "remedy", None))
    if isinstance(error, AnswerError):
        return HybridIdentityError("engine_error", f"The sync server answered with something that makes no sense: {error}.")
    if service_is_away(error):
        return HybridIdentityError("service_stopped", f"The service of the sync engine is away: {error}.")
    if error.error_id.split(",", 1)[0] in _NOTHING_TO_LOAD:
        return HybridIdentityError("module_missing", f"The commands of the sync engine cannot be loaded: {error}.")
    if access_is_denied(error):
        return HybridIdentityError("engine_access_denied", f"The sync engine does not let this account in: {error}.")
    return HybridIdentityError("engine_error", f"A command of the sync engine failed: {error}.")


@contextmanager
def failures_named() -> Iterator[None]:
    """Turn what a transport or a script raises into a HybridIdentityError; ours pass."""
    try:
        yield
    except CALL_FAILURES as error:
        raise as_failure(error) from error
    except CannotTravel as error:
        raise HybridIdentityError("invalid_input", f"A value cannot be sent to the server: {error}.") from error
