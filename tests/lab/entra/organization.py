# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The tenant itself: organization and domains."""

from __future__ import annotations

from typing import Any

from lab.entra.messages import Request, Response
from lab.entra.query import Resource, answer
from lab.entra.state import Tenant

_ORGANIZATION_PROPERTIES = (
    "id",
    "displayName",
    "countryLetterCode",
    "defaultUsageLocation",
    "onPremisesLastSyncDateTime",
    "onPremisesSyncEnabled",
    "verifiedDomains",
)
_ORGANIZATION = Resource("Organization", "organization", _ORGANIZATION_PROPERTIES, _ORGANIZATION_PROPERTIES, ())
_DOMAIN_PROPERTIES = ("id", "authenticationType", "isAdminManaged", "isDefault", "isInitial", "isRoot", "isVerified", "supportedServices")
_DOMAINS = Resource("Domain", "domains", _DOMAIN_PROPERTIES, _DOMAIN_PROPERTIES, ())


def _domains(tenant: Tenant) -> list[dict[str, Any]]:
    """Name, whether it is the first one of the tenant, whether new users get it."""
    verified = [name for name in tenant.verified_domains if name != tenant.initial_domain]
    default = verified[0] if verified else tenant.initial_domain
    return [
        {"name": name, "isInitial": name == tenant.initial_domain, "isDefault": name == default}
        for name in (tenant.initial_domain, *verified)
    ]


def list_organization(tenant: Tenant, request: Request) -> Response:
    """GET /organization: always one."""
    organization = {
        "id": tenant.tenant_id,
        "displayName": "hybrid.identity lab",
        "countryLetterCode": None,
        "defaultUsageLocation": None,
        "onPremisesLastSyncDateTime": tenant.last_sync,
        "onPremisesSyncEnabled": True if tenant.last_sync else None,
        "verifiedDomains": [
            {**domain, "capabilities": "Email, OfficeCommunicationsOnline", "type": "Managed"} for domain in _domains(tenant)
        ],
    }
    return answer(_ORGANIZATION, request, [organization], tenant.options.page_size)


def list_domains(tenant: Tenant, request: Request) -> Response:
    """GET /domains."""
    domains = [
        {
            "id": domain["name"],
            "authenticationType": "Managed",
            "isAdminManaged": True,
            "isDefault": domain["isDefault"],
            "isInitial": domain["isInitial"],
            "isRoot": True,
            "isVerified": True,
            "supportedServices": ["Email", "OfficeCommunicationsOnline"],
        }
        for domain in _domains(tenant)
    ]
    return answer(_DOMAINS, request, domains, tenant.options.page_size)
