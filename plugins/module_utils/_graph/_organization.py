# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What the tenant says of itself. Private to the collection."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from .._printable import printable
from ._client import GraphClient
from ._failures import GraphFailure


def read_verified_domains(client: GraphClient) -> list[str]:
    """The verified domains of the tenant, printable. Raises GraphFailure, also for an answer that names none: every tenant has one."""
    path = "/organization?$select=id,verifiedDomains"
    return verified_domains(client.read(path, "reading the verified domains", "Organization.Read.All or User.Read.All"))


def verified_domains(organizations: Sequence[Mapping[str, Any]]) -> list[str]:
    """The domains in the items of GET /organization. Raises GraphFailure (graph_invalid) when they are not told."""
    lists = [organization.get("verifiedDomains") for organization in organizations]
    domains = [domain for one in lists for domain in (one if isinstance(one, list) else [None])]
    names = [domain.get("name") if isinstance(domain, dict) else None for domain in domains]
    if not names or not all(isinstance(name, str) and name for name in names):
        raise GraphFailure("graph_invalid", "Microsoft Graph did not tell the verified domains of the tenant.")
    return [printable(str(name)) for name in names]
