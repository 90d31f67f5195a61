# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Who is privileged: whoever AdminSDHolder protects, by adminCount or by membership. Private to the collection."""

from __future__ import annotations

from typing import Iterable

from ._connection import Directory, DirectoryRefusal
from ._names import Entry, equals, rid, sid_text

# Microsoft, "Appendix C: Protected Accounts and Groups in Active Directory". Names are translated and can be changed; these cannot.
#: Administrators, Account, Server, Print and Backup Operators, Replicator
_BUILTIN = {f"S-1-5-32-{last}" for last in (544, 548, 549, 550, 551, 552)}
#: Domain Admins, Domain Controllers, Schema Admins, Enterprise Admins, Read-only Domain Controllers, Key Admins, Enterprise Key Admins
_IN_DOMAIN = {512, 516, 518, 519, 521, 526, 527}
#: Administrator and krbtgt, which are protected themselves
_ACCOUNTS = {500, 502}
#: [MS-ADTS] 3.1.1.3.4.4.3, LDAP_MATCHING_RULE_TRANSITIVE_EVAL
_IN_CHAIN = "1.2.840.113556.1.4.1941"

READ = ("adminCount", "objectSid", "primaryGroupID")


def is_protected_group(sid: str) -> bool:
    """Whether AdminSDHolder protects the members of the group with this security identifier."""
    return sid in _BUILTIN or (sid.startswith("S-1-5-21-") and rid(sid) in _IN_DOMAIN)


def privilege_by_itself(entry: Entry) -> str | None:
    """Why an account or a group is privileged as far as it tells that itself; None when it does not."""
    sid = entry.sid or ""
    if entry.number("adminCount") == 1:
        return "adminCount is 1"
    if sid.startswith("S-1-5-21-") and rid(sid) in _ACCOUNTS:
        return f"{sid} is an account that every domain has"
    return f"{sid} is a protected group" if is_protected_group(sid) else None


def privilege_of(directory: Directory, entry: Entry) -> str | None:
    """Why an account or a group is privileged, through any nesting and by primary group; None when it is not.

    Asks tokenGroups, which the controller works out itself, and then the rule of transitive membership, which follows
    distribution groups too: AdminSDHolder protects through them, although they give no rights.

    Raises:
        DirectoryRefusal: neither could be read, so nothing can be said.
    """
    if reason := privilege_by_itself(entry):
        return reason
    told = _token_groups(directory, entry)
    for sid in filter(is_protected_group, told):
        return f"it is a member of {sid}, through groups or as primary group"
    try:
        chain = _chain_of_groups(directory, entry)
    except DirectoryRefusal:
        if not told:
            raise
        chain = []
    for sid in filter(is_protected_group, chain):
        return f"it is a member of {sid}, through groups or as primary group"
    return None


def _token_groups(directory: Directory, entry: Entry) -> list[str]:
    try:
        # Only a question for one object is answered.
        found = directory.read(entry.dn, ["tokenGroups"])
    except DirectoryRefusal:
        return []
    return _sids(found.attributes.get("tokengroups", [])) if found else []


def _chain_of_groups(directory: Directory, entry: Entry) -> list[str]:
    own = [entry.dn]
    sids: list[str] = []
    number = entry.text("primaryGroupID")
    if number and entry.sid:
        primary = f"{entry.sid.rpartition('-')[0]}-{number}"
        sids.append(primary)
        own += [group.dn for group in directory.search([equals("objectSid", primary)], ["objectSid"])]
    filters = [f"(&(objectClass=group){equals(f'member:{_IN_CHAIN}:', dn)})" for dn in own]
    groups = directory.search(filters, ["objectSid"])
    return sids + _sids(raw for group in groups for raw in group.attributes.get("objectsid", []))


def _sids(values: Iterable[bytes]) -> list[str]:
    return [sid_text(value) for value in values]
