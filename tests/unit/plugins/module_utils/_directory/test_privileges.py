# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Privileged accounts stay as they are, and nobody becomes one by accident; against a real domain controller."""

from __future__ import annotations

from typing import Any

import pytest
from directories import SERVICE, STAFF, Admin, differences, ensure, options

from ansible_collections.hybrid.identity.plugins.module_utils._directory import _privileges
from ansible_collections.hybrid.identity.plugins.module_utils._directory._connection import Directory, DirectoryRefusal
from ansible_collections.hybrid.identity.plugins.module_utils._directory._names import Entry
from lab.directory import SambaDirectory

DOMAIN_ADMINS = "CN=Domain Admins,CN=Users,DC=lab,DC=test"
OPERATORS = "CN=Account Operators,CN=Builtin,DC=lab,DC=test"
KINDS = ("direct", "nested", "primary", "marked", "operator")


@pytest.fixture(scope="module")
def people(samba: SambaDirectory, admin: Admin) -> dict[str, str]:
    """The logon name by kind of privilege. The group of the administrators has another name here, as on a server that speaks French."""
    inner, outer = admin.add_group("Inner"), admin.add_group("Outer")
    admin.join(DOMAIN_ADMINS, outer)
    admin.join(outer, inner)
    for kind in KINDS:
        dn = admin.add_person(f"Priv {kind}", f"priv-{kind}", control=514)
        if kind in ("direct", "primary"):
            admin.join(DOMAIN_ADMINS, dn)
        if kind == "primary":
            admin.replace(dn, primaryGroupID="512")
        if kind == "nested":
            admin.join(inner, dn)
        if kind == "marked":
            admin.replace(dn, adminCount="1")
        if kind == "operator":
            admin.join(OPERATORS, dn)
    return {kind: f"priv-{kind}" for kind in KINDS}


TAKEOVERS: list[dict[str, Any]] = [
    {"enabled": True},
    {"ou": SERVICE},
    {"name": "Another Name"},
    {"sam_account_name": "another.logon"},
    {"update_password": "always"},
    {"new_upn": "another@lab.example"},
]


@pytest.mark.parametrize("takeover", TAKEOVERS, ids=lambda takeover: next(iter(takeover)))
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_takes_a_privileged_account_over(
    samba: SambaDirectory, admin: Admin, people: dict[str, str], kind: str, takeover: dict[str, Any]
) -> None:
    row, params = {"upn": f"{people[kind]}@lab.example", "department": "Operations", **takeover}, {}
    if "update_password" in row:
        params["update_password"] = row.pop("update_password")
    if "new_upn" in row:
        row = {"identity": f"CN=Priv {kind},{STAFF}", "upn": row["new_upn"]}
    before = admin.dump()
    result = ensure(samba, {"upn": "bystander@lab.example", "display_name": "Bystander"}, row, **params)
    assert (result["failure_reason"], result["changed"]) == ("invalid_input", False)
    bystander, item = result["accounts"]
    assert (item["action"], item["failure_reason"]) == ("refused", "invalid_input")
    assert "is privileged" in item["msg"]
    assert (bystander["action"], bystander["failure_reason"]) == ("refused", "batch_refused")
    assert differences(before, admin.dump()) == {}


def test_other_attributes_of_privileged_accounts_may_change(samba: SambaDirectory, admin: Admin, people: dict[str, str]) -> None:
    before = admin.dump()
    rows = [{"upn": f"{sam}@lab.example", "title": "Guardian", "sam_account_name": sam} for sam in people.values()]
    assert ensure(samba, *rows)["failure_reason"] is None
    assert differences(before, admin.dump()) == {f"CN=Priv {kind},{STAFF}": {"title"} for kind in KINDS}


def test_a_half_made_privileged_account_is_not_completed(samba: SambaDirectory, admin: Admin) -> None:
    dn = admin.add_person("Priv Half", "priv-half", password=None, control=514)
    admin.join(DOMAIN_ADMINS, dn)
    result = ensure(samba, {"upn": "priv-half@lab.example", "title": "x"})
    assert "is privileged" in result["accounts"][0]["msg"]
    assert ensure(samba, {"upn": "priv-half@lab.example", "title": "x", "enabled": False})["accounts"][0]["changes"] == ["title"]


def test_it_is_looked_up_only_where_it_matters(samba: SambaDirectory, admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    admin.add_person("Nobody Special", "plain")
    asked: list[str] = []
    read = Directory.read

    def watch(directory: Directory, dn: str, attributes: Any) -> Any:
        asked.extend(attributes)
        return read(directory, dn, attributes)

    monkeypatch.setattr(Directory, "read", watch)
    assert ensure(samba, {"upn": "plain@lab.example", "title": "x"})["changed"] is True
    assert "tokenGroups" not in asked
    assert ensure(samba, {"upn": "plain@lab.example", "name": "Nobody"})["changed"] is True
    assert "tokenGroups" in asked


@pytest.mark.parametrize("kind", KINDS)
def test_where_token_groups_are_not_told_the_chain_is_asked(
    samba: SambaDirectory, people: dict[str, str], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_privileges, "_token_groups", lambda _directory, _entry: [])
    result = ensure(samba, {"upn": f"{people[kind]}@lab.example", "enabled": True})
    assert "is privileged" in result["accounts"][0]["msg"]


def test_what_cannot_be_told_is_not_done(samba: SambaDirectory, admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    admin.add_person("Unclear", "unclear", control=514)

    def refuse(_directory: Directory, _entry: Entry) -> list[str]:
        raise DirectoryRefusal(50, "no")

    monkeypatch.setattr(_privileges, "_token_groups", lambda _directory, _entry: [])
    monkeypatch.setattr(_privileges, "_chain_of_groups", refuse)
    result = ensure(samba, {"upn": "unclear@lab.example", "enabled": True})
    assert "cannot be told" in result["accounts"][0]["msg"]


def test_a_distribution_group_on_the_way_protects_as_well(samba: SambaDirectory, admin: Admin) -> None:
    dn = admin.add_person("Priv Mailed", "priv-mailed", control=514)
    mail = admin.add(f"CN=Mail,{SERVICE}", "group", sAMAccountName="Mail", groupType="2")
    admin.join(DOMAIN_ADMINS, mail)
    admin.join(mail, dn)
    result = ensure(samba, {"upn": "priv-mailed@lab.example", "enabled": True})
    assert "is privileged" in result["accounts"][0]["msg"]


@pytest.fixture(scope="module")
def climber(admin: Admin, people: dict[str, str]) -> str:
    """Somebody ordinary, and a group that is protected by its mark alone."""
    admin.replace(admin.add_group("Protected By Mark"), adminCount="1")
    admin.add_person("Climber", "climber")
    return "climber@lab.example"


@pytest.mark.parametrize("group", ["Domain Admins", DOMAIN_ADMINS, "Inner", "Administrators", "Backup Operators", "Protected By Mark"])
@pytest.mark.parametrize("form", ["list", "set", "add"])
def test_a_protected_group_is_given_only_when_allowed(samba: SambaDirectory, admin: Admin, climber: str, group: str, form: str) -> None:
    groups: Any = [group] if form == "list" else {form: [group]}
    before = admin.dump()
    result = ensure(samba, {"upn": climber, "groups": groups})
    assert "gives privileges" in result["accounts"][0]["msg"], result["msg"]
    assert differences(before, admin.dump()) == {}
    predicted = ensure(samba, {"upn": climber, "groups": groups}, allow_privileged_groups=True, check_mode=True)
    assert predicted["accounts"][0]["changes"] == ["groups"], predicted["msg"]


def test_a_privileged_group_that_was_allowed_is_given(samba: SambaDirectory, admin: Admin, climber: str) -> None:
    row = {"upn": climber, "groups": ["Inner"]}
    assert ensure(samba, row, allow_privileged_groups=True)["accounts"][0]["changes"] == ["groups"]
    assert ensure(samba, row, allow_privileged_groups=True)["changed"] is False
    assert "is privileged" in ensure(samba, {"upn": climber, "name": "Climbed"})["accounts"][0]["msg"]
    assert ensure(samba, {"upn": climber, "groups": {"remove": ["Inner"]}})["accounts"][0]["changes"] == ["groups"]


def test_groups_are_known_by_identifier_and_not_by_name() -> None:
    assert _privileges.is_protected_group("S-1-5-32-544")
    assert _privileges.is_protected_group("S-1-5-21-1-2-3-512")
    assert _privileges.is_protected_group("S-1-5-21-7-8-9-519")
    assert not _privileges.is_protected_group("S-1-5-21-1-2-3-513")
    assert not _privileges.is_protected_group("S-1-5-21-1-2-3-1512")
    assert not _privileges.is_protected_group("S-1-5-32-545")


def test_an_entry_tells_its_own_privileges(samba: SambaDirectory) -> None:
    with Directory(options(samba)) as directory:
        administrator = directory.read("CN=Administrator,CN=Users,DC=lab,DC=test", list(_privileges.READ))
        assert administrator is not None
        assert _privileges.privilege_by_itself(administrator)
