# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Failures of Microsoft Graph and of the sign-in, as sentences with a stable reason. Private to the collection."""

from __future__ import annotations

from typing import Any, Mapping

from .._failure import HybridIdentityError
from .._printable import printable


class GraphFailure(HybridIdentityError):
    """A failure on the way to the tenant; the remedies speak of the tenant instead of the sync server.

    Args:
        reason, message: as HybridIdentityError.
        passing: the same request may succeed a little later.
        unsure: the request may have been served all the same.
    """

    REMEDIES_HERE = {
        "unreachable": "Check the network, the proxy, the certificate authority and, if they were given, graph_url and authority_url.",
        "authentication_failed": "Check the tenant, the client id and the client's secret or certificate, and that they have not expired.",
        "graph_denied": "Read Microsoft's own words; if a permission is missing, grant it to the application with admin consent.",
        "wait_timeout": "Check that the accounts are in the scope of the synchronisation, and run the task again.",
        "not_confirmed": "Run the task again in some minutes: Microsoft Graph took the change, but no read has shown it yet.",
    }

    def __init__(self, reason: str, message: str, *, passing: bool = False, unsure: bool = False) -> None:
        super().__init__(reason, message)
        self.passing = passing
        self.unsure = unsure


def invalid_answer(what: str, why: str) -> GraphFailure:
    """The failure for an answer that is none of Microsoft Graph. It passes where a proxy had its moment; a write may have been served."""
    return GraphFailure(
        "graph_invalid", f"What answered for Microsoft Graph while {what} is not an answer of it: {why}.", passing=True, unsure=True
    )


def sign_in_failure(answer: Mapping[str, Any], tenant: str, client: str) -> GraphFailure:
    """The failure for an error answer of the token endpoint ('error', 'error_description' with an AADSTS number)."""
    # The trace and correlation ids of the description are noise in a sentence, and no secret is ever part of it.
    words = str(answer.get("error_description") or answer.get("error") or "no reason given").partition(" Trace ID:")[0].strip()
    return GraphFailure(
        "authentication_failed",
        f"Signing in to tenant {printable(tenant)} as application {printable(client)} was refused: {printable(words)}",
    )


def refused(what: str, status: int, code: str, message: str, permission: str = "") -> GraphFailure:
    """The failure for an answer that is an error.

    Args:
        what: what was being done, to whom ('reading the subscriptions').
        status: HTTP status.
        code, message: Graph's own words, printable; without a code it was not Graph that answered.
        permission: the least application permission for it.
    """
    if status == 401:
        return GraphFailure("authentication_failed", f"Microsoft Graph did not accept the token ({code}: {message}).")
    words = f"{status} {code}: {message}".strip()
    if status == 429:
        return GraphFailure("graph_throttled", f"Microsoft Graph throttles {what}.", passing=True)
    if status >= 500:
        return GraphFailure("unreachable", f"Microsoft Graph could not serve {what} ({words}).", passing=True, unsure=status != 503)
    if not code:
        return invalid_answer(what, f"it has the status {status} and no error code")
    if status == 403:
        needs = f" The application needs the permission {permission}." if permission else ""
        return GraphFailure("graph_denied", f"Microsoft Graph denied {what} ({words}).{needs}")
    return GraphFailure("graph_denied", f"Microsoft Graph refused {what} ({words}).")
