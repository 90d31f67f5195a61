# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What is wrong with desired accounts by themselves, before the directory is asked. Pure; private to the collection."""

from __future__ import annotations

import re
from typing import Callable, Sequence

from ._characters import unseen_character
from ._desired import ATTRIBUTES, COMMON_NAME, LOGON_NAME, DesiredAccount, kind_of_identity, read_guid

#: attributes that have options or rules of their own, and are therefore refused among the free ones
_RESERVED = {
    "userprincipalname", "samaccountname", "useraccountcontrol", "pwdlastset", "memberof", "manager", "objectguid", "objectsid", "cn", "name",
    "distinguishedname", "proxyaddresses", *(name.lower() for name in ATTRIBUTES.values()),
}  # fmt: skip
#: attributes that make somebody privileged, or hide that he is
_RIGHTS = {"primarygroupid", "admincount", "sidhistory", "ntsecuritydescriptor", "objectclass", "objectcategory"}
#: attributes that hold a password or its hash (Active Directory schema; LAPS; Services for UNIX)
_SECRET = re.compile(
    r"(?i)(unicodePwd|userPassword|unixUserPassword|clearTextPassword|dBCSPwd|(nt|lm)PwdHistory|supplementalCredentials|userSMIMECertificatePwd"
    r"|ms(DS-|SFU30|-Mcs-Adm|LAPS-|FVE-|ds-).*(Password|Pwd).*|ms-Mcs-AdmPwd)"
)
# Microsoft: characters that a sAMAccountName must not have; it does not end with a dot.
_SAM_FORBIDDEN = re.compile(r"[\"/\\\[\]:;|=,+*?<>@]")
_UPN = re.compile(r"^[^@\s\x00-\x1f\"\\/\[\]:;|=,+*?<>()$`]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$")


def holds_password(attribute: str) -> bool:
    """Whether an attribute holds a password, or what can be used as one."""
    return bool(_SECRET.fullmatch(attribute))


def faults_in(accounts: Sequence[DesiredAccount]) -> list[list[str]]:
    """For each account what is wrong with it by itself or beside the others, one sentence each."""
    faults = [[f"{account.key}: {fault}." for fault in _faults_of(account)] for account in accounts]
    keys: tuple[tuple[str, Callable[[DesiredAccount], Sequence[str]]], ...] = (
        ("upn", lambda account: [account.upn or ""]),
        ("identity", lambda account: [account.identity or ""]),
        ("sam_account_name", lambda account: [account.sam or ""]),
        ("employee_id", lambda account: [account.employee_id or ""]),
        ("address", lambda account: account.addresses),
    )
    for what, values_of in keys:
        seen: dict[str, int] = {}
        for number, account in enumerate(accounts):
            for value in values_of(account):
                first = seen.setdefault(value.lower(), number)
                if value and first != number:
                    other = accounts[first].key
                    faults[number].append(f"{account.key}: the {what} {value!r} is asked for twice in this batch, also for {other}.")
    return faults


def sam_fault(sam: str) -> str | None:
    """What is wrong with a logon name, or None."""
    if 0 < len(sam) <= LOGON_NAME and not _SAM_FORBIDDEN.search(sam) and not sam.endswith(".") and not unseen_character(sam):
        return None
    return f'sam_account_name {sam!r} has to have 1 to {LOGON_NAME} characters, none of them of "/\\[]:;|=,+*?<>@ or invisible, and no dot at its end'


def _faults_of(account: DesiredAccount) -> list[str]:
    faults = [f"{option} cannot be cleared" for option in account.cleared if option != "upn" or account.identity]
    if account.upn is None:
        faults += [] if account.identity else ["upn is missing"]
    elif not _UPN.match(account.upn) or unseen_character(account.upn):
        faults.append("upn is not of the form name@suffix, or has characters that Entra ID does not take")
    if account.identity is not None:
        faults += _identity_faults(account)
    # A logon name that is only derived is wrong only if the account is new.
    if account.sam is not None and (fault := sam_fault(account.sam)):
        faults.append(fault)
    if account.name is not None and (len(account.name) > COMMON_NAME or unseen_character(account.name)):
        faults.append(f"name {account.name!r} has to have 1 to {COMMON_NAME} characters, none of them invisible")
    if account.groups_fault:
        faults.append(account.groups_fault)
    for what, text in (("ou", account.ou), ("manager", account.manager), *(("groups", name) for name in account.groups.joined)):
        if text and (char := unseen_character(text)):
            faults.append(f"{what} has the invisible character {char}")
    for name, values in account.attributes.items():
        faults += _attribute_faults(name, values)
    if account.password is not None and account.sam and contains_name(account.password, account.sam):
        faults.append("the password contains the sam_account_name, which Active Directory refuses")
    return faults


def contains_name(password: str, sam: str) -> bool:
    """Whether a password contains the logon name as Active Directory looks at it (Microsoft: names of fewer than three characters are not)."""
    return len(sam) >= 3 and sam.lower() in password.lower()


def _identity_faults(account: DesiredAccount) -> list[str]:
    identity = account.identity or ""
    kind = account.identity_type or kind_of_identity(identity)
    if kind == "guid" and read_guid(identity) is None:
        return [f"identity {identity!r} is not a GUID"]
    if kind == "sid" and kind_of_identity(identity) != "sid":
        return [f"identity {identity!r} is not a security identifier"]
    if char := unseen_character(identity):
        return [f"identity has the invisible character {char}"]
    return []


def _attribute_faults(name: str, values: Sequence[str]) -> list[str]:
    own = name in (*ATTRIBUTES.values(), "proxyAddresses")
    if not re.match(r"^[A-Za-z][A-Za-z0-9-]*$", name):
        return [f"{name!r} is not the name of an attribute"]
    if holds_password(name):
        return [f"the attribute {name} holds a password, which would be seen in logs here; the option for it is password"]
    if name.lower() in _RIGHTS:
        return [f"the attribute {name} says what an account may do, and is not written here"]
    if name.lower() in _RESERVED and not own:
        return [f"the attribute {name} has an option of its own"]
    for value in values:
        if not value:
            return [f"{name} has an empty value"]
        # Free attributes may be notes of several lines; names may not.
        if char := unseen_character(value, lines=not own):
            return [f"{name} has the control or invisible character {char}"]
    return []
