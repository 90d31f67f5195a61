# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""A refused batch, the diff, and answers that are no answers."""

from __future__ import annotations

from typing import Any

import pytest
from directories import GROUPS, PASSWORD, STAFF, Admin, differences, ensure, options

from ansible_collections.hybrid.identity.plugins.module_utils._directory import _connection
from ansible_collections.hybrid.identity.plugins.module_utils._directory._connection import Directory, DirectoryRefusal
from lab.directory import SambaDirectory


def test_a_refused_batch_changed_nothing_and_says_so(samba: SambaDirectory, admin: Admin) -> None:
    before = admin.dump()
    rows = [
        {"upn": "good@lab.example", "display_name": "Good"},
        {"upn": "maria.huber@lab.example", "title": "x"},
        {"upn": "bad@lab.example", "display_name": "Bad", "groups": ["GG-Nobody"], "manager": "nobody"},
        {"upn": "worse@lab.example", "given_name": "W\torse"},
    ]
    for check_mode in (True, False):
        result = ensure(samba, *rows, check_mode=check_mode)
        assert (result["failed"], result["failure_reason"], result["changed"]) == (True, "invalid_input", False)
        assert {item["action"] for item in result["accounts"]} == {"refused"}
        assert result["summary"] == {"created": 0, "corrected": 0, "repaired": 0, "unchanged": 0, "failed": 0, "refused": 4}
        assert [item["failure_reason"] for item in result["accounts"]] == [
            "batch_refused",
            "batch_refused",
            "invalid_input",
            "invalid_input",
        ]
        assert "nothing is wrong with this row" in result["accounts"][0]["msg"]
        bad = result["accounts"][2]
        assert "GG-Nobody" in bad["msg"] and "manager" in bad["msg"] and len(bad["faults"]) == 2
        assert "U+0009" in result["accounts"][3]["msg"]
        assert len(result["faults"]) == 3
        assert result["diff"] == {"before": {}, "after": {}}
        assert {(item["changed"], tuple(item["changes"])) for item in result["accounts"]} == {(False, ())}
        assert result["accounts"][1]["sid"].startswith("S-1-5-21-")
    assert differences(before, admin.dump()) == {}


def test_who_is_led_by_a_wrong_row_is_not_wrong(samba: SambaDirectory) -> None:
    led = [
        {"upn": f"led{n}@lab.example", "display_name": f"Led {n}", "manager": name} for n, name in enumerate(("chef", "chef@lab.example"))
    ]
    for wrong in ({"title": "a\x00b"}, {"groups": ["GG-Nobody"]}, {"employee_id": "1000"}):
        result = ensure(samba, *led, {"upn": "chef@lab.example", "display_name": "Chef", **wrong})
        assert [item["failure_reason"] for item in result["accounts"]] == ["batch_refused", "batch_refused", "invalid_input"], result[
            "faults"
        ]


def test_the_diff_tells_everything_but_passwords(samba: SambaDirectory) -> None:
    row = {"upn": "diff@lab.example", "display_name": "Diff", "groups": ["GG-Sales"], "manager": "maria.huber", "password": PASSWORD}
    made = ensure(samba, row)
    assert made["diff"]["before"] == {"diff@lab.example": None}
    after = made["diff"]["after"]["diff@lab.example"]
    assert after["distinguishedName"] == f"CN=Diff,{STAFF}"
    assert (after["ou"], after["enabled"], after["groups"]) == (STAFF, True, [f"CN=GG-Sales,{GROUPS}"])
    assert after["manager"] == f"CN=Maria Huber,{STAFF}"
    changed = ensure(samba, {"upn": "diff@lab.example", "password": "An0ther-Passw0rd!"}, update_password="always")
    assert changed["accounts"][0]["changes"] == ["password"]
    assert changed["diff"]["after"]["diff@lab.example"] == {}
    for secret in (PASSWORD, "An0ther-Passw0rd!", "unicodePwd"):
        assert secret not in str(made) + str(changed)


def test_what_a_failed_row_did_is_told(samba: SambaDirectory, admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    admin.add_person("Half Way", "halfway")

    def refuse(_directory: Directory, *_arguments: Any) -> str:
        raise DirectoryRefusal(50, "00002098: INSUFF_ACCESS_RIGHTS")

    monkeypatch.setattr(Directory, "move", refuse)
    result = ensure(samba, {"upn": "halfway@lab.example", "title": "x", "name": "Whole Way"})
    item = result["accounts"][0]
    assert (item["action"], item["changed"], item["changes"]) == ("failed", True, ["title"])
    assert item["failure_reason"] == "directory_denied"


class Answering:
    """Stands for the connection of ldap3: it answers every search with these results, one after the other."""

    def __init__(self, *results: int) -> None:
        self._results = list(results)
        self.searches = 0
        self.result: dict[str, Any] = {}
        self.response: list[dict[str, Any]] = []

    def search(self, *_arguments: Any, **_options: Any) -> bool:
        self.searches += 1
        code = self._results.pop(0) if len(self._results) > 1 else self._results[0]
        self.result = {"result": code, "message": "", "description": f"result {code}", "referrals": ["ldap://other/DC=other"]}
        return code == 0


def directory_that_answers(samba: SambaDirectory, *results: int) -> tuple[Directory, Answering]:
    directory = Directory(options(samba))
    connection = directory._connection = Answering(*results)
    directory.base_dn = "DC=lab,DC=test"
    return directory, connection


@pytest.mark.parametrize("code", [1, 3, 4, 10, 11, 32, 51, 52, 53, 80])
def test_what_is_no_answer_is_not_nothing_found(samba: SambaDirectory, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_connection, "_BUSY_SECONDS", 0.0)
    directory, _connection_of_it = directory_that_answers(samba, code)
    with pytest.raises(DirectoryRefusal) as caught:
        directory.search(["(cn=x)"], ["cn"])
    assert caught.value.code == code
    if code not in (32, 34):
        with pytest.raises(DirectoryRefusal):
            directory.read("CN=x,DC=other", ["cn"])


def test_a_busy_controller_is_asked_again(samba: SambaDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_connection, "_BUSY_PAUSE", 0.01)
    directory, connection = directory_that_answers(samba, 51, 52, 0)
    assert directory.search(["(cn=x)"], ["cn"]) == []
    assert connection.searches == 3


def test_a_controller_that_stays_busy_is_unreachable(samba: SambaDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(_directory: Directory, *_arguments: Any) -> Any:
        raise DirectoryRefusal(51, "busy")

    monkeypatch.setattr(Directory, "search", busy)
    result = ensure(samba, {"upn": "busy@lab.example", "display_name": "Busy"})
    assert (result["failure_reason"], "Nothing was written" in result["msg"]) == ("unreachable", True)


def test_a_referral_is_told_as_what_it_is(samba: SambaDirectory, admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Directory.read

    def refer(directory: Directory, dn: str, attributes: Any) -> Any:
        if dn.endswith("DC=other"):
            raise DirectoryRefusal(10, "0000202B: RefErr")
        return read(directory, dn, attributes)

    monkeypatch.setattr(Directory, "read", refer)
    person = {"upn": "far@lab.example", "display_name": "Far"}
    for row in ({"ou": "OU=Staff,DC=other"}, {"manager": "CN=Boss,DC=other"}, {"groups": ["CN=GG,DC=other"]}):
        result = ensure(samba, {**person, **row})
        assert "lies in another domain" in result["accounts"][0]["msg"]


def test_many_members_take_few_operations(samba: SambaDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    add_members = Directory.add_members

    def count(directory: Directory, group: str, members: Any) -> None:
        asked.append(len(members))
        add_members(directory, group, members)

    monkeypatch.setattr(Directory, "add_members", count)
    people = [{"upn": f"many{n}@lab.example", "display_name": f"Many {n}", "groups": ["GG-AllStaff"]} for n in range(30)]
    assert ensure(samba, *people)["summary"]["created"] == 30
    assert asked == [30]


def test_one_member_that_is_there_already_does_not_keep_the_others_out(
    samba: SambaDirectory, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_members, began = Directory.add_members, []

    def meddle(directory: Directory, group: str, members: Any) -> None:
        if not began:
            began.append(True)
            admin.join(group, members[1])
        add_members(directory, group, members)

    monkeypatch.setattr(Directory, "add_members", meddle)
    people = [{"upn": f"meddle{n}@lab.example", "display_name": f"Meddle {n}", "groups": ["GG-Licensed"]} for n in range(3)]
    result = ensure(samba, *people)
    assert result["failure_reason"] is None, result["msg"]
    assert ["groups" in item["changes"] for item in result["accounts"]] == [True, False, True]
    assert ensure(samba, *people)["changed"] is False


def test_whether_an_account_can_be_used_is_told(samba: SambaDirectory) -> None:
    def enabled(*, check_mode: bool = False, **row: Any) -> Any:
        made = ensure(samba, {"upn": "used@lab.example", "display_name": "Used", "password": PASSWORD, **row}, check_mode=check_mode)
        return made["accounts"][0]["enabled"]

    assert enabled(enabled=False, check_mode=True) is False
    assert enabled(enabled=False) is False
    assert enabled() is False, "disabled on purpose stays so"
    assert enabled(enabled=True) is True
    assert enabled() is True
