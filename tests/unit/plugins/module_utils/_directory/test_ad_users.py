# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""ad_users against a real domain controller."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from directories import STAFF as OU
from directories import ensure, entry, options

from ansible_collections.hybrid.identity.plugins.module_utils._directory._connection import Directory, DirectoryRefusal
from ansible_collections.hybrid.identity.plugins.module_utils._directory._names import parent_dn
from ansible_collections.hybrid.identity.plugins.module_utils._directory._passwords import PasswordPolicy
from lab.certificates import make_authority
from lab.directory import SambaDirectory
from lab.directory_seed import MANAGER_PASSWORD, MANAGER_UPN

NAMES = ['Jo "Speedy" Kim', "Jürgen Groß", "Sinéad O'Neill", "$(Get-Date) Robot", "Baker, Amy", "A+B=C; <D>", "#hash", "back\\slash"]


def test_hostile_names_arrive_unchanged_and_a_second_run_changes_nothing(samba: SambaDirectory) -> None:
    people = [
        {"upn": f"name{n}@lab.example", "display_name": name, "groups": ["GG-AllStaff"], "manager": "maria.huber"}
        for n, name in enumerate(NAMES)
    ]
    predicted = ensure(samba, *people, check_mode=True)
    assert predicted["summary"]["created"] == len(NAMES)
    assert entry(samba, "name0@lab.example") is None
    created = ensure(samba, *people)
    assert created["failure_reason"] is None, created["msg"]
    assert created["summary"]["created"] == len(NAMES)
    for n, name in enumerate(NAMES):
        found = entry(samba, f"name{n}@lab.example", "displayName", "manager", "memberOf", "objectGUID")
        assert found.text("displayName") == name
        assert found.text("userAccountControl") == "512"
        assert found.text("manager") == "CN=Maria Huber,OU=Staff,DC=lab,DC=test"
        assert "CN=GG-AllStaff,OU=Groups,DC=lab,DC=test" in found.texts("memberOf")
        item = created["accounts"][n]
        assert item["source_anchor"]
        assert item["object_guid"]
    again = ensure(samba, *people)
    assert again["changed"] is False
    assert again["watermark"] == created["watermark"] or again["watermark"] <= datetime.now(timezone.utc).isoformat()
    assert {item["action"] for item in again["accounts"]} == {"unchanged"}


def test_correction_changes_only_what_differs(samba: SambaDirectory) -> None:
    ensure(samba, {"upn": "cora@lab.example", "given_name": "Cora", "surname": "Ross", "title": "Clerk"})
    result = ensure(samba, {"upn": "cora@lab.example", "given_name": "Cora", "surname": "Ross", "title": "Manager", "groups": ["GG-Sales"]})
    assert result["accounts"][0]["action"] == "corrected"
    assert result["accounts"][0]["changes"] == ["groups", "title"]
    assert result["diff"] == {
        "before": {"cora@lab.example": {"groups": [], "title": ["Clerk"]}},
        "after": {"cora@lab.example": {"groups": ["CN=GG-Sales,OU=Groups,DC=lab,DC=test"], "title": ["Manager"]}},
    }


def test_half_made_account_is_completed(samba: SambaDirectory) -> None:
    with Directory(options(samba)) as directory:
        directory.add(
            f"CN=Half Made,{OU}",
            {
                "objectClass": ["user"],
                "sAMAccountName": "half.made",
                "userPrincipalName": "half.made@lab.example",
                "userAccountControl": "514",
            },
        )
    result = ensure(samba, {"upn": "half.made@lab.example", "display_name": "Half Made"})
    assert result["accounts"][0]["action"] == "repaired"
    found = entry(samba, "half.made@lab.example")
    assert found.text("userAccountControl") == "512"
    assert found.text("pwdLastSet") != "0"
    assert ensure(samba, {"upn": "half.made@lab.example", "display_name": "Half Made"})["changed"] is False


def test_passwords_are_set_once_unless_always(samba: SambaDirectory) -> None:
    person = {"upn": "penny@lab.example", "display_name": "Penny", "password_must_change": True, "attributes": {"info": "a note"}}
    created = ensure(samba, person)
    assert created["failure_reason"] is None, created["msg"]
    made = entry(samba, "penny@lab.example", "info")
    assert (made.text("pwdLastSet"), made.text("info")) == ("0", "a note")
    assert ensure(samba, person, initial_password="Another-Passw0rd.2")["changed"] is False
    plain = {**person, "password_must_change": False}
    always = ensure(samba, plain, initial_password="Another-Passw0rd.2", update_password="always")
    assert always["accounts"][0]["changes"] == ["password"]
    assert entry(samba, "penny@lab.example").text("pwdLastSet") != "0"
    with Directory(replace(options(samba), username="penny@lab.example", password="Another-Passw0rd.2")) as directory:
        assert directory.base_dn == "DC=lab,DC=test"


def test_disabled_on_purpose_stays_disabled(samba: SambaDirectory) -> None:
    ensure(samba, {"upn": "leaver@lab.example", "display_name": "Leaver"})
    ensure(samba, {"upn": "leaver@lab.example", "display_name": "Leaver", "enabled": False})
    assert ensure(samba, {"upn": "leaver@lab.example", "display_name": "Leaver"})["changed"] is False
    assert entry(samba, "leaver@lab.example").text("userAccountControl") == "514"


def test_an_unused_account_that_was_disabled_on_purpose_stays_disabled(samba: SambaDirectory) -> None:
    person = {"upn": "noshow@lab.example", "display_name": "No Show", "password_must_change": True}
    ensure(samba, person)
    ensure(samba, {**person, "enabled": False})
    assert ensure(samba, person)["changed"] is False
    assert entry(samba, "noshow@lab.example").text("userAccountControl") == "514"
    asked = ensure(samba, {**person, "enabled": True})
    assert (asked["accounts"][0]["action"], asked["accounts"][0]["changes"]) == ("corrected", ["enabled"])
    assert entry(samba, "noshow@lab.example").text("userAccountControl") == "512"


def test_manager_of_the_same_batch_and_a_move(samba: SambaDirectory) -> None:
    result = ensure(
        samba,
        {"upn": "young@lab.example", "display_name": "Young", "manager": "chief"},
        {"upn": "chief@lab.example", "display_name": "Chief"},
    )
    assert result["failure_reason"] is None
    assert entry(samba, "young@lab.example", "manager").text("manager") == f"CN=Chief,{OU}"
    moved = ensure(samba, {"upn": "young@lab.example", "display_name": "Young", "manager": "chief", "ou": "OU=Service,DC=lab,DC=test"})
    assert moved["accounts"][0]["distinguished_name"] == "CN=Young,OU=Service,DC=lab,DC=test"


def test_one_refused_password_does_not_stop_the_others(samba: SambaDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    # A fine-grained policy asks for more than that of the domain, which is all that is looked at.
    monkeypatch.setattr(PasswordPolicy, "of", lambda _domain: PasswordPolicy())
    result = ensure(
        samba,
        {"upn": "weak@lab.example", "display_name": "Weak", "password": "short"},
        {"upn": "strong@lab.example", "display_name": "Strong"},
    )
    assert result["failed"] is True
    assert [item["action"] for item in result["accounts"]] == ["failed", "created"]
    assert "password policy" in result["accounts"][0]["msg"]
    assert "short" not in str(result)
    repaired = ensure(samba, {"upn": "weak@lab.example", "display_name": "Weak"}, {"upn": "strong@lab.example", "display_name": "Strong"})
    assert [item["action"] for item in repaired["accounts"]] == ["created", "unchanged"]


@pytest.mark.parametrize(
    ("users", "words"),
    [
        ([{"upn": "a@lab.example", "display_name": "A", "ou": "OU=Nowhere,DC=lab,DC=test"}], "does not exist"),
        ([{"upn": "a@lab.example", "display_name": "A", "ou": "Staff"}], "does not exist"),
        ([{"upn": "a@lab.example", "display_name": "A", "groups": ["GG-Nobody"]}], "group"),
        ([{"upn": "a@lab.example", "display_name": "A", "groups": ["CN=GG=Nobody,,"]}], "group"),
        ([{"upn": "a@lab.example", "display_name": "A", "manager": "nobody"}], "manager"),
        ([{"upn": "a@lab.example", "display_name": "A", "sam_account_name": "maria.huber"}], "belongs to"),
        ([{"upn": "maria@lab.example", "name": "Maria Huber"}], "give another name"),
        ([{"upn": "a@lab.example", "display_name": "A", "mail": "maria.huber@lab.example"}], "belongs to"),
        ([{"upn": "a@lab.example", "display_name": "A"}, {"upn": "A@lab.example", "display_name": "B"}], "twice"),
        ([{"upn": "no-suffix", "display_name": "A"}], "name@suffix"),
        ([{"upn": "", "display_name": "A"}], "missing"),
        ([{"upn": "a@lab.example", "display_name": "A", "sam_account_name": "x" * 21}], "1 to 20"),
        ([{"upn": "a@lab.example", "display_name": "A\x00B"}], "control"),
        ([{"upn": "a@lab.example", "display_name": "A", "attributes": {"memberOf": "x"}}], "option of its own"),
    ],
)
def test_faults_are_found_before_anything_is_written(samba: SambaDirectory, users: list[dict[str, Any]], words: str) -> None:
    good = {"upn": "witness@lab.example", "display_name": "Witness"}
    result = ensure(samba, good, *users)
    assert result["failure_reason"] == "invalid_input"
    assert any(words in fault for fault in result["faults"]), result["faults"]
    assert entry(samba, "witness@lab.example") is None


def test_no_way_in(samba: SambaDirectory, tmp_path: Path) -> None:
    person = {"upn": "a@lab.example", "display_name": "A"}
    assert ensure(samba, person, password="wrong-Passw0rd")["failure_reason"] == "authentication_failed"
    assert ensure(samba, person, port=1)["failure_reason"] == "unreachable"
    stranger = make_authority(tmp_path / "stranger")
    distrusted = ensure(samba, person, ca_cert=str(stranger.certificate_path))
    assert distrusted["failure_reason"] == "unreachable"
    assert "certificate" in distrusted["msg"].lower()
    assert "LDAPS" in distrusted["msg"] and "WinRM" not in distrusted["msg"]


def test_an_account_without_the_right_to_create_is_told_so(samba: SambaDirectory) -> None:
    denied = ensure(samba, {"upn": "denied@lab.example", "display_name": "Denied"}, username=MANAGER_UPN, password=MANAGER_PASSWORD)
    assert denied["failure_reason"] == denied["accounts"][0]["failure_reason"] == "directory_denied"
    assert "LDAP result 50" in denied["msg"]
    assert denied["changed"] is False
    assert MANAGER_PASSWORD not in str(denied)
    assert entry(samba, "denied@lab.example") is None


def test_the_delegated_rights_end_at_the_delegated_place(samba: SambaDirectory) -> None:
    denied = ensure(samba, {"upn": "outside@lab.example", "display_name": "Outside", "ou": "CN=Users,DC=lab,DC=test"})
    assert denied["accounts"][0]["failure_reason"] == "directory_denied"


class Relay:
    """A wire to the domain controller that can be cut."""

    def __init__(self, address: str) -> None:
        self._target = (address, 636)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _peer = self._listener.accept()
                far = socket.create_connection(self._target)
                self._ends += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)

    def cut(self) -> None:
        """End every connection, and let no new one in."""
        self._listener.close()
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def test_a_connection_that_ends_in_the_middle_loses_nothing(samba: SambaDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    people = [{"upn": f"wire{n}@lab.example", "display_name": f"Wire {n}", "groups": ["GG-AllStaff"]} for n in range(4)]
    ensure(samba, people[0])
    relay, add, calls = Relay(samba.address), Directory.add, []

    def cut_before_the_second(directory: Directory, *arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            relay.cut()
        add(directory, *arguments)

    monkeypatch.setattr(Directory, "add", cut_before_the_second)
    broken = ensure(samba, *people, directory_server="127.0.0.1", port=relay.port)
    assert broken["failed"] is True
    assert broken["failure_reason"] == "unreachable"
    assert [(item["action"], item["changed"]) for item in broken["accounts"]] == [
        ("unchanged", False), ("failed", True), ("failed", True), ("failed", False),
    ], "nobody knows whether the third was created, so it is told as a change"  # fmt: skip
    assert broken["changed"] is True
    assert [words in item["msg"] for words, item in zip(("", "not done", "not known", "not done"), broken["accounts"])] == [True] * 4
    assert "\n" not in broken["msg"]
    monkeypatch.undo()
    repaired = ensure(samba, *people)
    assert [item["action"] for item in repaired["accounts"]] == ["unchanged", "corrected", "created", "created"]


def test_a_connection_that_ends_before_the_first_write(samba: SambaDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    relay, search = Relay(samba.address), Directory.search

    def cut_before(directory: Directory, *arguments: Any) -> Any:
        relay.cut()
        return search(directory, *arguments)

    monkeypatch.setattr(Directory, "search", cut_before)
    result = ensure(samba, {"upn": "early@lab.example", "display_name": "Early"}, directory_server="127.0.0.1", port=relay.port)
    assert result["failure_reason"] == "unreachable"
    assert f"127.0.0.1:{relay.port}" in result["msg"]


def test_written_and_not_read_back_is_no_success(samba: SambaDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    relay, add = Relay(samba.address), Directory.add

    def cut_after(directory: Directory, *arguments: Any) -> None:
        add(directory, *arguments)
        relay.cut()

    monkeypatch.setattr(Directory, "add", cut_after)
    began = datetime.now(timezone.utc)
    result = ensure(samba, {"upn": "unread@lab.example", "display_name": "Unread"}, directory_server="127.0.0.1", port=relay.port)
    assert (result["failure_reason"], result["changed"], result["accounts"][0]["action"]) == ("unreachable", True, "created")
    assert "could not be read back" in result["msg"]
    assert datetime.fromisoformat(result["watermark"].replace("Z", "+00:00")) >= began - timedelta(seconds=1)


def test_a_refused_group_does_not_hide_that_the_account_was_made(samba: SambaDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_directory: Directory, _group: str, _member: str) -> None:
        raise DirectoryRefusal(50, "00002098: INSUFF_ACCESS_RIGHTS")

    monkeypatch.setattr(Directory, "add_member", refuse)
    result = ensure(samba, {"upn": "grouped@lab.example", "display_name": "Grouped", "groups": ["GG-Sales"]})
    item = result["accounts"][0]
    assert (item["action"], item["changed"], item["failure_reason"]) == ("failed", True, "directory_denied")
    assert item["source_anchor"]
    assert result["changed"] is True


def test_spelling_of_names_is_no_difference(samba: SambaDirectory) -> None:
    people = [
        {"upn": "boss@lab.example", "display_name": 'Boss, "The" <#1>', "ou": "ou=Service, dc=lab, dc=test"},
        {"upn": "aide@lab.example", "display_name": "Aide", "manager": "boss@lab.example", "ou": "ou=staff,dc=LAB,dc=test"},
    ]
    assert ensure(samba, *people)["failure_reason"] is None
    assert ensure(samba, *people)["changed"] is False
    elsewhere = {**people[0], "ou": None}  # it stays where it is, and is found there
    assert ensure(samba, elsewhere, people[1])["changed"] is False


@pytest.mark.parametrize(
    ("dn", "parent"),
    [
        ("CN=A,OU=B,DC=c", "OU=B,DC=c"),
        (r"CN=Baker\, Amy,OU=B", "OU=B"),
        (r"CN=ends with \\,OU=B", "OU=B"),
        ("DC=c", ""),
    ],
)
def test_parent_of_a_name(dn: str, parent: str) -> None:
    assert parent_dn(dn) == parent


def test_watermark_is_past_the_last_write_and_stable(samba: SambaDirectory) -> None:
    person = {"upn": "mark@lab.example", "display_name": "Mark"}
    before = datetime.now(timezone.utc)
    first = ensure(samba, person)["watermark"]
    assert datetime.fromisoformat(first.replace("Z", "+00:00")) >= before.replace(microsecond=0)
    time.sleep(1.2)
    second = ensure(samba, person)["watermark"]
    assert second == ensure(samba, person)["watermark"]
    assert (
        abs((datetime.fromisoformat(second.replace("Z", "+00:00")) - datetime.fromisoformat(first.replace("Z", "+00:00"))).total_seconds())
        <= 1
    )
