# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""A directory full of people who are there already: what a table does not name stays as it is, to the last attribute."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from directories import GROUPS, PASSWORD, SERVICE, STAFF, Admin, differences, ensure, running_directory

from ansible_collections.hybrid.identity.plugins.module_utils._directory import _ensure_accounts
from ansible_collections.hybrid.identity.plugins.module_utils._directory._names import sid_text
from lab.directory import SambaDirectory

DOMAIN_ADMINS = "CN=Domain Admins,CN=Users,DC=lab,DC=test"
EACH = 8


@pytest.fixture(scope="module")
def samba() -> Iterator[SambaDirectory]:
    with running_directory(71) as directory:
        yield directory


@dataclass
class Scene:
    """The people, a row for each, and which attributes of which object the rows are to change."""

    admin: Admin
    rows: list[dict[str, Any]] = field(default_factory=list)
    expected: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def touch(self, dn: str, attributes: set[str], **row: Any) -> None:
        self.rows.append(row)
        self.expected[dn] |= attributes


def make_scene(samba: SambaDirectory) -> Scene:
    """Some of every kind. Names, logon names and user principal names are unlike each other wherever a rule would make them alike."""
    admin = Admin(samba)
    scene = Scene(admin)
    inner, outer = admin.add_group("GG-Inner"), admin.add_group("GG-Outer")
    admin.join(DOMAIN_ADMINS, outer)
    admin.join(outer, inner)
    # Groups of equal names: the cn of one is the logon name of the other.
    equal, other = admin.add_group("GG-Equal", "GG-Equal-Old"), admin.add_group("GG-Equal-New", "GG-Equal")
    crowd = f"CN=GG-AllStaff,{GROUPS}"
    for n in range(EACH):
        _plain_kinds(scene, n)
        _password_kinds(scene, n)
        _privileged_kinds(scene, n, inner)
        _link_kinds(scene, n, equal, other, crowd)
        _identity_kinds(scene, n)
    return scene


def _plain_kinds(scene: Scene, n: int) -> None:
    admin, names = scene.admin, {"displayName": f"Shown {n}", "givenName": "Given", "sn": "Name"}
    dn = admin.add_person(f"Plain {n}", f"p{n}lain", **names)
    scene.touch(dn, {"title"}, upn=f"p{n}lain@lab.example", title="Clerk")
    dn = admin.add_person(f"Zoe Former (until 2019) {n}", f"z{n}former", displayName=f"Zoe Now {n}", givenName="Zoe", sn="Former")
    scene.touch(dn, {"sn"}, upn=f"z{n}former@lab.example", surname="Now")
    dn = admin.add_person(f"Moved {n}", f"m{n}oved", ou=SERVICE, **names)
    scene.touch(dn, {"department"}, upn=f"m{n}oved@lab.example", department="Sales")
    dn = admin.add_person(f"Logon {n}", f"Other-Logon-{n}", **names, userPrincipalName=f"upn{n}@lab.example")
    scene.touch(dn, {"company"}, upn=f"UPN{n}@lab.example", company="Corp")
    dn = admin.add_person(f"Same Name {n}", f"same{n}a", **names)
    admin.add_person(f"Same Name {n}", f"same{n}b", ou=SERVICE, **names)
    admin.add(f"CN=same{n}a,{SERVICE}", "computer", sAMAccountName=f"same{n}a$", userAccountControl="4096")
    scene.touch(dn, {"physicalDeliveryOfficeName"}, upn=f"same{n}a@lab.example", office="4.17")
    dn = admin.add_person(f"Cleared {n}", f"cl{n}", **names, mobile="+49 1", telephoneNumber="+49 2")
    scene.touch(dn, {"mobile"}, upn=f"cl{n}@lab.example", mobile="")
    dn = admin.add_person(f"Mail {n}", f"ma{n}", **names, mail=f"old{n}@lab.example", proxyAddresses=[f"SMTP:old{n}@lab.example"])
    scene.touch(dn, {"proxyAddresses"}, upn=f"ma{n}@lab.example", proxy_addresses=[])


def _password_kinds(scene: Scene, n: int) -> None:
    admin = scene.admin
    dn = admin.add_person(f"Disabled {n}", f"dis{n}", control=514)
    scene.touch(dn, {"title"}, upn=f"dis{n}@lab.example", title="Leaver")
    dn = admin.add_person(f"Not Yet {n}", f"not{n}", pwdLastSet="0")
    scene.touch(dn, {"title"}, upn=f"not{n}@lab.example", title="Not yet logged on")
    dn = admin.add_person(f"Never Came {n}", f"nev{n}", control=514, pwdLastSet="0")
    scene.touch(dn, {"title"}, upn=f"nev{n}@lab.example", title="Never came")
    dn = admin.add_person(f"Not Required {n}", f"req{n}", control=544)
    scene.touch(dn, {"title"}, upn=f"req{n}@lab.example", title="Needs no password, has one")
    # Nobody ever gave these a password: they are completed, which is what a run is for, and nothing else of them changes.
    made = {"title", "(password)", "pwdLastSet"}
    for control in (514, 546, 544):
        dn = admin.add_person(f"Half {control} {n}", f"half{control}x{n}", control=control, password=None)
        scene.touch(dn, {*made, "userAccountControl"}, upn=f"half{control}x{n}@lab.example", title="Begun by somebody")
    dn = admin.add_person(f"Left {n}", f"left{n}", control=514, password=None)
    scene.touch(dn, {"title"}, upn=f"left{n}@lab.example", title="Shall stay disabled", enabled=False)


def _privileged_kinds(scene: Scene, n: int, inner: str) -> None:
    admin = scene.admin
    for kind in ("direct", "nested", "primary", "marked"):
        dn = admin.add_person(f"Admin {kind} {n}", f"adm-{kind}-{n}", displayName="An administrator")
        if kind in ("direct", "primary"):
            admin.join(DOMAIN_ADMINS, dn)
        if kind == "primary":
            admin.replace(dn, primaryGroupID="512")
        if kind == "nested":
            admin.join(inner, dn)
        if kind == "marked":
            admin.replace(dn, adminCount="1")
        scene.touch(dn, {"department"}, upn=f"adm-{kind}-{n}@lab.example", department="Operations")


def _link_kinds(scene: Scene, n: int, equal: str, other: str, crowd: str) -> None:
    admin = scene.admin
    dn = admin.add_person(f"Joins {n}", f"join{n}")
    scene.touch(dn, {"memberOf"}, upn=f"join{n}@lab.example", groups=["GG-Equal"])
    scene.expected[other] |= {"member"}
    dn = admin.add_person(f"Goes {n}", f"goes{n}")
    admin.join(equal, dn)
    admin.join(crowd, dn)
    scene.touch(dn, {"memberOf"}, upn=f"goes{n}@lab.example", groups={"remove": ["GG-AllStaff"]})
    scene.expected[crowd] |= {"member"}
    dn = admin.add_person(f"Stays {n}", f"stays{n}")
    admin.join(crowd, dn)
    scene.rows.append({"upn": f"stays{n}@lab.example", "groups": ["GG-AllStaff", "Domain Users"]})
    boss = admin.add_person(f"Boss {n}", f"boss{n}")
    admin.add(f"CN=boss{n},{SERVICE}", "computer", sAMAccountName=f"boss{n}$", userAccountControl="4096")
    dn = admin.add_person(f"Led {n}", f"led{n}")
    scene.touch(dn, {"manager"}, upn=f"led{n}@lab.example", manager=f"boss{n}")
    scene.expected[boss] |= {"directReports"}


def _identity_kinds(scene: Scene, n: int) -> None:
    admin = scene.admin
    dn = admin.add_person(f"Married {n}", f"mar{n}", displayName="Still the same", employeeID=f"E{n}")
    forms = [str(dn), f"E{n}", sid_text(admin.read(dn, "objectSid")["objectSid"][0])]
    scene.touch(dn, {"userPrincipalName"}, identity=forms[n % 3], upn=f"new{n}@lab.example")
    dn = admin.add_person(f"Numbered {n}", f"num{n}")
    scene.touch(dn, {"employeeID"}, upn=f"num{n}@lab.example", employee_id=f"N{n}")


def test_everybody_is_changed_in_what_the_table_names_and_in_nothing_else(samba: SambaDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ensure_accounts, "_SETTLE", 0.0)
    scene = make_scene(samba)
    assert len(scene.rows) >= 180
    before = scene.admin.dump()
    predicted = ensure(samba, *scene.rows, check_mode=True)
    assert predicted["failure_reason"] is None, predicted["faults"]
    assert differences(before, scene.admin.dump()) == {}
    result = ensure(samba, *scene.rows)
    assert result["failure_reason"] is None, (result["msg"], result["faults"])
    assert result["warnings"] == []
    after = scene.admin.dump()
    assert differences(before, after) == {dn: attributes for dn, attributes in scene.expected.items() if attributes}
    told = [(item["upn"], item["action"], item["changes"]) for item in result["accounts"]]
    assert told == [(item["upn"], item["action"], item["changes"]) for item in predicted["accounts"]]
    assert result["summary"]["repaired"] == 3 * EACH
    assert result["summary"]["unchanged"] == EACH  # in the group already, or as primary group
    again = ensure(samba, *scene.rows)
    assert (again["changed"], again["failure_reason"]) == (False, None)
    assert differences(after, scene.admin.dump()) == {}
    assert PASSWORD not in str(result)
    assert STAFF in str(result["accounts"][0])
