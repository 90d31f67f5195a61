# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Failures of Microsoft Graph and of the sign-in, as sentences with a stable reason."""

from __future__ import annotations

from typing import Any

from .._failure import HybridIdentityError


class GraphFailure(HybridIdentityError):
    """A failure on the way to the tenant; the remedies speak of the tenant instead of the sync server."""

    REMEDIES_HERE = {
        "unreachable": "Check the network, the proxy, the certificate authority and, if they were given, graph_url and authority_url.",
        "authentication_failed": "Check the tenant, the client id and the client's secret or certificate, and that they have not expired.",
        "graph_denied": "Read Microsoft's own words; if a permission is missing, grant it to the application with admin consent.",
    }


def sign_in_failure(answer: dict[str, Any], tenant: str, client: str) -> GraphFailure:
    """The failure for an error answer of the token endpoint ('error', 'error_description' with an AADSTS number)."""
    # The trace and correlation ids of the description are noise in a sentence, and no secret is ever part of it.
    words = str(answer.get("error_description") or answer.get("error") or "no reason given").partition(" Trace ID:")[0].strip()
    return GraphFailure("authentication_failed", f"Signing in to tenant {tenant} as application {client} was refused: {words}")


def refused(what: str, status: int, code: str, message: str, permission: str = "") -> GraphFailure:
    """The failure for an answer that is an error and is not worth another try.

    Args:
        what: what was being done, to whom ('reading the subscriptions').
        status: HTTP status.
        code, message: Graph's own words.
        permission: the least application permission for it.
    """
    if status == 401:
        return GraphFailure("authentication_failed", f"Microsoft Graph did not accept the token ({code}: {message}).")
    words = f"{status} {code}: {message}".strip()
    if status == 403:
        needs = f" The application needs the permission {permission}." if permission else ""
        return GraphFailure("graph_denied", f"Microsoft Graph denied {what} ({words}).{needs}")
    if status == 429:
        return GraphFailure("graph_throttled", f"Microsoft Graph throttles {what}.")
    if status == 0:
        return GraphFailure("unreachable", f"Microsoft Graph gave no answer for {what}.")
    if status >= 500:
        return GraphFailure("unreachable", f"Microsoft Graph could not serve {what} ({words}).")
    return GraphFailure("graph_denied", f"Microsoft Graph refused {what} ({words}).")
