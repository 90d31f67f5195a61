# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What the remote call can raise, in the collection's failure reasons. Private to the collection."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

from .._failure import HybridIdentityError
from ._call import CannotTravel, NoAnswer, RemoteError
from ._transport import AuthenticationFailed, ConnectionBroken, RemotingDenied, TransportError, Unreachable

#: kinds of carrying that failed -> failure reason
_TRANSPORT_REASONS: tuple[tuple[type[TransportError], str], ...] = (
    (AuthenticationFailed, "authentication_failed"),
    (RemotingDenied, "remoting_denied"),
    (Unreachable, "unreachable"),
    (ConnectionBroken, "unreachable"),
    (NoAnswer, "unreachable"),
)
#: RPC server unavailable; the object's server is gone: what the module says when its service stops under it
_SERVICE_GONE = (-2147023174, -2147023170, -2147417848)


@contextmanager
def failures_named() -> Iterator[None]:
    """Turn what a transport or a script raises into a HybridIdentityError; ours pass."""
    try:
        yield
    except TransportError as error:
        reasons = [reason for kind, reason in _TRANSPORT_REASONS if isinstance(error, kind)]
        raise HybridIdentityError(reasons[0], str(error)) from error
    except RemoteError as error:
        if any(error.has_hresult(number) for number in _SERVICE_GONE):
            raise HybridIdentityError("service_stopped", f"The sync engine went away during the call: {error} [{error.type}].") from error
        raise HybridIdentityError("module_missing", f"A command of the sync engine failed: {error} [{error.type}].") from error
    except CannotTravel as error:
        raise HybridIdentityError("invalid_input", f"A value cannot be sent to the server: {error}.") from error
