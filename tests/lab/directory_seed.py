# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What the lab's directory holds when it starts: its names, its accounts and the objects of a small organisation."""

from __future__ import annotations

from typing import Any

REALM = "LAB.TEST"
DOMAIN = "LAB"
HOST = "dc1"
HOST_NAME = "dc1.lab.test"
BASE_DN = "DC=lab,DC=test"
UPN_SUFFIX = "lab.example"  # the forest's additional suffix, and the tenant's verified domain

STAFF_OU = f"OU=Staff,{BASE_DN}"  # synchronised
SERVICE_OU = f"OU=Service,{BASE_DN}"  # not synchronised
GROUPS_OU = f"OU=Groups,{BASE_DN}"
GROUPS = ("GG-AllStaff", "GG-Sales", "GG-Licensed")
MANAGER_DN = f"CN=Maria Huber,{STAFF_OU}"
MANAGER_UPN = f"maria.huber@{UPN_SUFFIX}"

# Passwords of a domain that exists only on loopback and only while the lab runs.
ADMIN_PASSWORD = "Lab-Adm1n.Passw0rd"
ONBOARD_USER = "svc-onboard"  # writes new accounts; a Domain Admin for now
ONBOARD_PASSWORD = "Lab-Onb0ard.Passw0rd"
CONNECTOR_USER = "MSOL_lab"  # reads changes for the synchronisation; a Domain Admin (a real one has the replication rights only)
CONNECTOR_PASSWORD = "Lab-C0nnector.Passw0rd"
MANAGER_PASSWORD = "Lab-Manag3r.Passw0rd"

_ENABLED = "512"
_ENABLED_PASSWORD_NEVER_EXPIRES = "66048"
_GLOBAL_SECURITY_GROUP = "-2147483646"


def _account(dn: str, name: str, password: str, control: str, **attributes: str) -> dict[str, Any]:
    return {
        "dn": dn,
        "objectClass": "user",
        "sAMAccountName": name,
        "unicodePwd": password,
        "userAccountControl": control,
        **attributes,
    }


def seed() -> dict[str, Any]:
    """Everything the provisioning script needs, as JSON data: 'realm', 'domain', 'host', 'admin_password', 'upn_suffixes', 'entries', 'members'."""
    units = [{"dn": dn, "objectClass": "organizationalUnit"} for dn in (STAFF_OU, SERVICE_OU, GROUPS_OU)]
    groups = [
        {"dn": f"CN={name},{GROUPS_OU}", "objectClass": "group", "sAMAccountName": name, "groupType": _GLOBAL_SECURITY_GROUP}
        for name in GROUPS
    ]
    manager = _account(
        MANAGER_DN,
        "maria.huber",
        MANAGER_PASSWORD,
        _ENABLED,
        userPrincipalName=MANAGER_UPN,
        displayName="Maria Huber",
        givenName="Maria",
        sn="Huber",
        mail=MANAGER_UPN,
        proxyAddresses=f"SMTP:{MANAGER_UPN}",
        department="Sales",
        title="Head of Sales",
        employeeID="1000",
    )
    onboard = f"CN={ONBOARD_USER},{SERVICE_OU}"
    connector = f"CN={CONNECTOR_USER},CN=Users,{BASE_DN}"
    service = [
        _account(
            onboard,
            ONBOARD_USER,
            ONBOARD_PASSWORD,
            _ENABLED_PASSWORD_NEVER_EXPIRES,
            userPrincipalName=f"{ONBOARD_USER}@{REALM.lower()}",
        ),
        _account(connector, CONNECTOR_USER, CONNECTOR_PASSWORD, _ENABLED_PASSWORD_NEVER_EXPIRES),
    ]
    return {
        "realm": REALM,
        "domain": DOMAIN,
        "host": HOST,
        "admin_password": ADMIN_PASSWORD,
        "upn_suffixes": [UPN_SUFFIX],
        "entries": [*units, *groups, manager, *service],
        "members": {f"CN=Domain Admins,CN=Users,{BASE_DN}": [onboard, connector], f"CN=GG-AllStaff,{GROUPS_OU}": [MANAGER_DN]},
    }
