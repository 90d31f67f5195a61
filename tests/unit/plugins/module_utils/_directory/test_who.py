# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Which account a row means, and what it is called, against a real domain controller."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from directories import GROUPS, PASSWORD, SERVICE, STAFF, Admin, differences, ensure, entry, options

from ansible_collections.hybrid.identity.plugins.module_utils._directory._connection import Directory
from ansible_collections.hybrid.identity.plugins.module_utils._directory._names import Entry, sid_text
from ansible_collections.hybrid.identity.plugins.module_utils._directory._who import Index, forms_of
from lab.directory import SambaDirectory


def refused(result: dict[str, Any], number: int = 0) -> str:
    """What a refused row is told."""
    assert (result["failure_reason"], result["changed"]) == ("invalid_input", False)
    item = result["accounts"][number]
    assert (item["action"], item["failure_reason"]) == ("refused", "invalid_input")
    return str(item["msg"])


def test_a_row_with_two_columns_leaves_names_and_place_alone(samba: SambaDirectory, admin: Admin) -> None:
    dn = admin.add_person(
        "Kim Old", "kim.logon", ou=SERVICE, displayName="Kim (Berlin)", givenName="Kim", userPrincipalName="kim@lab.example"
    )
    before = admin.dump()
    result = ensure(samba, {"upn": "kim@lab.example", "groups": ["GG-Sales"], "surname": "New"})
    assert result["accounts"][0]["changes"] == ["groups", "sn"]
    assert differences(before, admin.dump()) == {dn: {"memberOf", "sn"}, f"CN=GG-Sales,{GROUPS}": {"member"}}
    # Neither a place nor a default is needed for somebody who is there.
    assert ensure(samba, {"upn": "kim@lab.example", "title": "Boss"}, default_ou=None, initial_password=None)["failure_reason"] is None
    named = ensure(samba, {"upn": "kim@lab.example", "display_name": "Kim New", "name": "Kim New", "sam_account_name": "kim", "ou": STAFF})
    assert named["accounts"][0]["changes"] == ["displayName", "distinguishedName", "sAMAccountName"]
    assert named["accounts"][0]["distinguished_name"] == f"CN=Kim New,{STAFF}"
    assert named["diff"]["before"]["kim@lab.example"]["distinguishedName"] == dn
    assert named["diff"]["before"]["kim@lab.example"]["ou"] == SERVICE
    assert named["diff"]["after"]["kim@lab.example"]["distinguishedName"] == f"CN=Kim New,{STAFF}"


def test_empty_text_clears_and_null_does_not(samba: SambaDirectory, admin: Admin) -> None:
    dn = admin.add_person(
        "Clear Me", "clearme", mobile="1", title="T", mail="c@lab.example", proxyAddresses=["SMTP:c@lab.example"], info="a", comment="b",
        manager=f"CN=Maria Huber,{STAFF}",
    )  # fmt: skip
    person = {
        "upn": "clearme@lab.example",
        "mobile": "",
        "title": None,
        "manager": "",
        "proxy_addresses": [],
        "attributes": {"info": "", "comment": None},
    }
    result = ensure(samba, person)
    assert result["accounts"][0]["changes"] == ["info", "manager", "mobile", "proxyAddresses"]
    left = admin.read(dn, "mobile", "title", "mail", "proxyAddresses", "info", "comment", "manager")
    assert {name: values for name, values in left.items() if values} == {"title": [b"T"], "mail": [b"c@lab.example"], "comment": [b"b"]}
    assert result["diff"]["after"]["clearme@lab.example"]["mobile"] == []
    assert result["diff"]["after"]["clearme@lab.example"]["manager"] is None
    assert ensure(samba, person)["changed"] is False
    assert "cannot be cleared" in refused(ensure(samba, {"upn": "clearme@lab.example", "name": "", "sam_account_name": ""}))


def test_groups_are_added_removed_and_set(samba: SambaDirectory, admin: Admin) -> None:
    dn = admin.add_person("Grouped", "grp")
    admin.join(f"CN=GG-AllStaff,{GROUPS}", dn)

    def groups() -> set[str]:
        return {value.decode().split(",")[0][3:] for value in admin.read(dn, "memberOf")["memberOf"]}

    person = {"upn": "grp@lab.example"}
    assert ensure(samba, {**person, "groups": ["GG-Sales"]})["accounts"][0]["changes"] == ["groups"]
    assert groups() == {"GG-AllStaff", "GG-Sales"}
    changed = ensure(samba, {**person, "groups": {"add": ["GG-Licensed"], "remove": ["GG-Sales", "GG-AllStaff"]}})
    assert groups() == {"GG-Licensed"}
    assert changed["diff"]["before"]["grp@lab.example"]["groups"] == [f"CN=GG-AllStaff,{GROUPS}", f"CN=GG-Sales,{GROUPS}"]
    assert changed["diff"]["after"]["grp@lab.example"]["groups"] == [f"CN=GG-Licensed,{GROUPS}"]
    assert ensure(samba, {**person, "groups": {"set": None}})["changed"] is False
    assert ensure(samba, {**person, "groups": {"remove": ["GG-Sales"], "add": ["Domain Users"]}})["changed"] is False
    assert ensure(samba, {**person, "groups": {"set": ["GG-Sales", "GG-AllStaff"]}})["changed"] is True
    assert groups() == {"GG-AllStaff", "GG-Sales"}
    assert ensure(samba, {**person, "groups": {"set": []}})["changed"] is True
    assert groups() == set()
    assert admin.read(dn, "primaryGroupID")["primaryGroupID"] == [b"513"]
    assert ensure(samba, {**person, "groups": {"set": []}})["changed"] is False
    assert "primary group" in refused(ensure(samba, {**person, "groups": {"remove": ["Domain Users"]}}))


def test_somebody_is_known_by_every_identity(samba: SambaDirectory, admin: Admin) -> None:
    dn = admin.add_person("Ida Maiden", "ida", employeeID="4711", displayName="Ida Maiden")
    found = admin.read(dn, "objectGUID", "objectSid")
    guid = Entry(dn, {"objectguid": found["objectGUID"]}).guid
    sid = sid_text(found["objectSid"][0])
    forms = [guid, f"{{{guid}}}", sid, dn, dn.replace(",", " , ").replace("CN=", "cn="), "4711"]
    for number, form in enumerate(forms):
        result = ensure(samba, {"identity": form, "upn": f"ida{number}@lab.example"})
        assert result["failure_reason"] is None, (form, result["msg"])
        item = result["accounts"][0]
        assert (item["changes"], item["sid"], item["upn"]) == (["userPrincipalName"], sid, f"ida{number}@lab.example")
        assert ensure(samba, {"identity": form, "upn": f"ida{number}@lab.example"})["changed"] is False
    assert admin.read(dn, "sAMAccountName", "displayName")["displayName"] == [b"Ida Maiden"]
    assert ensure(samba, {"identity": "4711", "title": "x"})["accounts"][0]["upn"] == f"ida{len(forms) - 1}@lab.example"


def test_an_identity_never_creates(samba: SambaDirectory, admin: Admin) -> None:
    for n in (1, 2):
        admin.add_person(f"Double {n}", f"double{n}", employeeID="0815")
    admin.add(f"CN=PC 1,{SERVICE}", "computer", sAMAccountName="PC1$", userAccountControl="4096", employeeID="77")
    before = admin.dump()
    unknown = "no account has the"
    assert unknown in refused(ensure(samba, {"identity": "9999", "upn": "nobody@lab.example", "display_name": "Nobody"}))
    assert unknown in refused(ensure(samba, {"identity": "0f8fad5b-d9cb-469f-a165-70867728950e", "upn": "nobody@lab.example"}))
    assert unknown in refused(ensure(samba, {"identity": f"CN=Nobody,{STAFF}", "upn": "nobody@lab.example"}))
    several = refused(ensure(samba, {"identity": "0815", "title": "x"}))
    assert f"CN=Double 1,{STAFF}" in several and f"CN=Double 2,{STAFF}" in several
    assert "no user account" in refused(ensure(samba, {"identity": f"CN=PC 1,{SERVICE}", "title": "x"}))
    taken = refused(ensure(samba, {"identity": f"CN=Double 1,{STAFF}", "upn": "maria.huber@lab.example"}))
    assert f"CN=Maria Huber,{STAFF}" in taken
    twice = ensure(samba, {"identity": f"CN=Double 1,{STAFF}", "title": "x"}, {"upn": "double1@lab.example", "title": "y"})
    assert "asked for twice" in refused(twice, 1)
    assert differences(before, admin.dump()) == {}


def test_employee_numbers_tell_namesakes_apart(samba: SambaDirectory, admin: Admin) -> None:
    admin.add_person("Max Muster", "max", employeeID="100")
    none = admin.add_person("Without Number", "wn")
    words = refused(ensure(samba, {"upn": "max@lab.example", "employee_id": "200", "title": "x"}))
    assert "'100'" in words and "'200'" in words
    assert ensure(samba, {"upn": "max@lab.example", "employee_id": "100"})["changed"] is False
    assert ensure(samba, {"upn": "max@lab.example", "title": "x"})["accounts"][0]["changes"] == ["title"]
    assert ensure(samba, {"upn": "wn@lab.example", "employee_id": "300"})["accounts"][0]["changes"] == ["employeeID"]
    assert admin.read(none, "employeeID")["employeeID"] == [b"300"]
    # The same number under another user principal name is the same person, who must not get a second account.
    assert f"CN=Max Muster,{STAFF}" in refused(ensure(samba, {"upn": "max.muster@lab.example", "display_name": "M", "employee_id": "100"}))
    assert entry(samba, "max.muster@lab.example") is None


def test_a_derived_name_gives_way_and_stays(samba: SambaDirectory, admin: Admin) -> None:
    admin.add_person("Eva Gross", "eva.old")
    admin.add_person("Eva Gross (eva2)", "eva.older")
    people = [{"upn": f"eva{n}@lab.example", "given_name": "Eva", "surname": "Gross"} for n in (1, 2, 3)]
    result = ensure(samba, *people)
    assert result["failure_reason"] is None, result["faults"]
    names = [item["distinguished_name"].split(",")[0] for item in result["accounts"]]
    assert names == ["CN=Eva Gross (eva1)", "CN=Eva Gross (2)", "CN=Eva Gross (eva3)"]
    assert {entry(samba, person["upn"], "displayName").text("displayName") for person in people} == {"Eva Gross"}
    assert ensure(samba, *people)["changed"] is False
    assert "give another name" in refused(ensure(samba, {"upn": "eva9@lab.example", "name": "EVA GROSS"}))
    assert "give another name" in refused(ensure(samba, {"upn": "eva1@lab.example", "name": "Eva Gross"}))
    both = ensure(samba, {"upn": "x1@lab.example", "name": "Same X"}, {"upn": "x2@lab.example", "name": "same x"})
    assert "asked for twice" in refused(both, 1)
    long = "N" * 64
    admin.add_person(long, "long0")
    assert ensure(samba, {"upn": "long1@lab.example", "display_name": long})["accounts"][0]["distinguished_name"].startswith("CN=NNN")


def test_forms_are_at_most_as_long_as_a_name_may_be() -> None:
    forms = forms_of("N" * 64, "sam")
    found = [next(forms) for _each in range(12)]
    assert found[0] == "N" * 64
    assert found[1].endswith(" (sam)") and found[2].endswith(" (2)") and found[11].endswith(" (11)")
    assert {len(form) for form in found} == {64}


@pytest.mark.parametrize("name", ["GG-Double", "Cn Double"])
def test_a_group_is_known_by_its_logon_name_first(samba: SambaDirectory, admin: Admin, name: str) -> None:
    if name == "GG-Double":
        right = admin.add_group("Something Else", "GG-Double")
        admin.add_group("GG-Double", "GG-Double-Old", ou=SERVICE)
        ensure(samba, {"upn": "dg@lab.example", "display_name": "Dg", "groups": [name]})
        assert [value.decode() for value in admin.read(f"CN=Dg,{STAFF}", "memberOf")["memberOf"]] == [right]
    else:
        admin.add_group(name, "one-of-two")
        admin.add_group(name, "two-of-two", ou=SERVICE)
        words = refused(ensure(samba, {"upn": "dg2@lab.example", "display_name": "Dg2", "groups": [name]}))
        assert f"CN={name},{GROUPS}" in words and f"CN={name},{SERVICE}" in words


def test_only_groups_are_groups_and_only_people_are_managers(samba: SambaDirectory, admin: Admin) -> None:
    admin.add(f"CN=SRV9,{SERVICE}", "computer", sAMAccountName="SRV9$", userAccountControl="4096")
    person = {"upn": "strict@lab.example", "display_name": "Strict"}
    assert "is no group" in refused(ensure(samba, {**person, "groups": [f"CN=Maria Huber,{STAFF}"]}))
    assert "is no person" in refused(ensure(samba, {**person, "manager": f"CN=GG-Sales,{GROUPS}"}))
    assert "is no person" in refused(ensure(samba, {**person, "manager": "SRV9$"}))
    assert "is no person" in refused(ensure(samba, {**person, "manager": "GG-Sales"}))
    admin.add_person("boss.of.two", "oneboss")
    other = admin.add_person("Other Boss", "boss.of.two")
    assert ensure(samba, {**person, "manager": "boss.of.two"})["failure_reason"] is None
    assert entry(samba, "strict@lab.example", "manager").text("manager") == other


def test_a_manager_who_is_moved_in_the_same_run(samba: SambaDirectory, admin: Admin) -> None:
    admin.add_person("Chief Moves", "chief.moves")
    people = [
        {"upn": "follower@lab.example", "display_name": "Follower", "manager": "chief.moves"},
        {"upn": "chief.moves@lab.example", "ou": SERVICE},
    ]
    assert ensure(samba, *people)["failure_reason"] is None
    assert entry(samba, "follower@lab.example", "manager").text("manager") == f"CN=Chief Moves,{SERVICE}"
    assert ensure(samba, *people)["changed"] is False


def test_managers_are_made_first_and_may_lead_each_other(samba: SambaDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    replaced: list[str] = []
    replace = Directory.replace

    def count(directory: Directory, dn: str, attributes: Any) -> None:
        replaced.append(dn)
        replace(directory, dn, attributes)

    monkeypatch.setattr(Directory, "replace", count)
    line = [{"upn": f"line{n}@lab.example", "display_name": f"Line {n}", "manager": f"line{n + 1}"} for n in range(4)]
    line.append({"upn": "line4@lab.example", "display_name": "Line 4"})
    assert ensure(samba, *line)["summary"]["created"] == 5
    assert replaced == []
    for n in range(4):
        assert entry(samba, f"line{n}@lab.example", "manager").text("manager") == f"CN=Line {n + 1},{STAFF}"
    circle = [{"upn": f"ring{n}@lab.example", "display_name": f"Ring {n}", "manager": f"ring{(n + 1) % 3}"} for n in range(3)]
    circle.append({"upn": "self@lab.example", "display_name": "Self", "manager": "self"})
    assert ensure(samba, *circle)["failure_reason"] is None
    for n in range(3):
        assert entry(samba, f"ring{n}@lab.example", "manager").text("manager") == f"CN=Ring {(n + 1) % 3},{STAFF}"
    assert ensure(samba, *line, *circle)["changed"] is False


def test_two_runs_of_one_table_at_once(samba: SambaDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    people = [{"upn": f"race{n}@lab.example", "display_name": f"Race {n}", "groups": ["GG-AllStaff"]} for n in range(3)]
    add, outcome, began = Directory.add, {}, []

    def be_late(directory: Directory, *arguments: Any) -> None:
        if not began:
            began.append(True)
            outcome["first"] = ensure(samba, *people)  # the other run, between our reading and our first write
        add(directory, *arguments)

    monkeypatch.setattr(Directory, "add", be_late)
    second = ensure(samba, *people)
    first = outcome["first"]
    assert first["summary"]["created"] == 3
    assert (second["failure_reason"], second["changed"]) == (None, False)
    assert second["summary"]["unchanged"] == 3
    assert [item["object_guid"] for item in first["accounts"]] == [item["object_guid"] for item in second["accounts"]]


def test_many_runs_at_once_make_everybody_once(samba: SambaDirectory) -> None:
    people = [{"upn": f"crowd{n}@lab.example", "display_name": f"Crowd {n}", "groups": ["GG-Sales"]} for n in range(6)]
    results: list[dict[str, Any]] = []
    runs = [threading.Thread(target=lambda: results.append(ensure(samba, *people))) for _each in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(60)
    assert [result["failure_reason"] for result in results] == [None] * 3, [result["msg"] for result in results]
    created = [item["upn"] for result in results for item in result["accounts"] if item["action"] == "created"]
    assert sorted(created) == [person["upn"] for person in people]
    assert PASSWORD not in str(results)


def test_a_large_table_costs_time_in_proportion() -> None:
    def seconds(count: int) -> float:
        entries = [
            Entry(f"CN=P {n},{STAFF}", {"cn": [b"P %d" % n], "userprincipalname": [b"p%d@lab.example" % n], "samaccountname": [b"p%d" % n]})
            for n in range(count)
        ]
        began = time.process_time()
        index = Index(entries)
        assert all(len(index.find("upn", f"p{n}@lab.example")) == 1 for n in range(count))
        return time.process_time() - began

    seconds(500)
    assert seconds(8000) < 20 * seconds(1000) + 0.1  # 64 times, were it quadratic


def test_the_connection_is_opened_as_asked(samba: SambaDirectory) -> None:
    with Directory(options(samba)) as directory:
        assert directory.base_dn == "DC=lab,DC=test"
