# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The verified domains: as the tenant tells them, never fewer."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._graph._organization import read_verified_domains, verified_domains


def test_the_domains_of_the_tenant(cloud: Any) -> None:
    assert read_verified_domains(cloud.client()) == ["lab.onmicrosoft.com", "lab.example"]


@pytest.mark.parametrize("kind", ["html", "empty list", "null value", "null entries"])
def test_nonsense_is_no_missing_domain(cloud: Any, kind: str) -> None:
    cloud.server.spoil(kind, 1000, path="organization")
    with pytest.raises(HybridIdentityError) as caught:
        read_verified_domains(cloud.client())
    assert caught.value.reason == "graph_invalid"


@pytest.mark.parametrize(
    "organizations",
    [[], [{}], [{"verifiedDomains": None}], [{"verifiedDomains": []}], [{"verifiedDomains": [{"name": ""}]}], [{"verifiedDomains": [3]}]],
)
def test_what_is_not_told_is_not_empty(organizations: list[dict[str, Any]]) -> None:
    with pytest.raises(HybridIdentityError):
        verified_domains(organizations)
