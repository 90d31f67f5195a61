# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The lab's Entra ID: a token endpoint and the part of Microsoft Graph v1.0 that onboarding uses, with the target of the synchronisation."""

from lab.entra.licences import DEFAULT_SKUS, Plan, Sku
from lab.entra.server import EntraServer, RequestRecord

__all__ = ["DEFAULT_SKUS", "EntraServer", "Plan", "RequestRecord", "Sku"]
