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
ONBOARD_USER = "svc-onboard"  # writes new accounts, with the rights that the authentication guide names and no others
ONBOARD_PASSWORD = "Lab-Onb0ard.Passw0rd"
CONNECTOR_USER = "MSOL_lab"  # reads changes for the synchronisation, with the two rights of replication, as a real one
CONNECTOR_PASSWORD = "Lab-C0nnector.Passw0rd"
MANAGER_PASSWORD = "Lab-Manag3r.Passw0rd"

_ENABLED = "512"
_ENABLED_PASSWORD_NEVER_EXPIRES = "66048"
_GLOBAL_SECURITY_GROUP = "-2147483646"

# Schema identifiers of classes and attributes, and control access rights (Microsoft, Active Directory schema and MS-ADTS 5.1.3.2.1).
_USER, _GROUP = "bf967aba-0de6-11d0-a285-00aa003049e2", "bf967a9c-0de6-11d0-a285-00aa003049e2"
_MEMBER = "bf9679c0-0de6-11d0-a285-00aa003049e2"
_RESET_PASSWORD = "00299570-246d-11d0-a768-00aa006e0529"
_GET_CHANGES, _GET_CHANGES_ALL = "1131f6aa-9c07-11d1-f79f-00c04fc2dcd2", "1131f6ad-9c07-11d1-f79f-00c04fc2dcd2"
#: access control entries in SDDL, without the trustee: CC create, DC delete (a move needs it), RP and WP read and write properties, CR control
_ACCOUNTS_RIGHTS = (f"OA;CI;CCDC;{_USER};", f"OA;CIIO;RPWP;;{_USER}", f"OA;CIIO;CR;{_RESET_PASSWORD};{_USER}")
_GROUPS_RIGHTS = (f"OA;CIIO;WP;{_MEMBER};{_GROUP}",)
_CONNECTOR_RIGHTS = (f"OA;;CR;{_GET_CHANGES};", f"OA;;CR;{_GET_CHANGES_ALL};")


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
    """Everything the provisioning script needs, as JSON data: 'realm', 'domain', 'host', 'admin_password', 'upn_suffixes', 'entries', 'members', 'rights'."""
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
        "members": {f"CN=GG-AllStaff,{GROUPS_OU}": [MANAGER_DN]},
        "rights": [
            *([STAFF_OU, right, onboard] for right in _ACCOUNTS_RIGHTS),
            *([SERVICE_OU, right, onboard] for right in _ACCOUNTS_RIGHTS),
            *([GROUPS_OU, right, onboard] for right in _GROUPS_RIGHTS),
            *([BASE_DN, right, connector] for right in _CONNECTOR_RIGHTS),
            # assumption: Active Directory shows tombstones to whoever may replicate; Samba wants to see the folder opened.
            [f"CN=Deleted Objects,{BASE_DN}", "A;CI;LCRP;;", connector],
        ],
    }
