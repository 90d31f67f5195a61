# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""ad_users against a real domain controller."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._directory._connection import Directory, DirectoryOptions
from ansible_collections.hybrid.identity.plugins.modules.ad_users import OPTIONS, USER_OPTIONS, carry
from lab.certificates import make_authority
from lab.directory import SambaDirectory, SambaMissing
from lab.estate import default_cache

OU = "OU=Staff,DC=lab,DC=test"
PASSWORD = "Start-Passw0rd.1"


@pytest.fixture(scope="module")
def samba() -> Iterator[SambaDirectory]:
    cache = default_cache()
    cache.mkdir(parents=True, exist_ok=True)
    directory = SambaDirectory(cache / "directory", make_authority(cache / "authority"), "127.0.0.59")
    try:
        directory.start()
    except SambaMissing as error:
        pytest.skip(str(error))
    yield directory
    directory.stop()


@pytest.fixture(autouse=True)
def no_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.hybrid.identity.plugins.module_utils._ensure_accounts._SETTLE", 0.0)


def options(samba: SambaDirectory) -> DirectoryOptions:
    return DirectoryOptions(
        samba.address, samba.onboard_user, samba.onboard_password, ca_cert=samba.authority_path, server_name=samba.host_name
    )


def ensure(samba: SambaDirectory, *users: dict[str, Any], check_mode: bool = False, **params: Any) -> dict[str, Any]:
    defaults = {name: option.get("default") for name, option in OPTIONS.items()}
    blank = {name: option.get("default") for name, option in USER_OPTIONS.items()}
    connection = {"directory_server": samba.address, "username": samba.onboard_user, "password": samba.onboard_password}
    connection.update(ca_cert=samba.authority_path, server_name=samba.host_name)
    people = [{**blank, **user} for user in users]
    return carry({**defaults, **connection, "default_ou": OU, "initial_password": PASSWORD, "users": people, **params}, check_mode)


def entry(samba: SambaDirectory, upn: str, *attributes: str) -> Any:
    with Directory(options(samba)) as directory:
        found = directory.search([f"(userPrincipalName={upn})"], ["userAccountControl", "pwdLastSet", *attributes])
    return found[0] if found else None


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
        "before": {"cora@lab.example": {"title": ["Clerk"]}},
        "after": {"cora@lab.example": {"title": ["Manager"], "groups": ["GG-Sales"]}},
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


def test_disabled_on_purpose_stays_disabled(samba: SambaDirectory) -> None:
    ensure(samba, {"upn": "leaver@lab.example", "display_name": "Leaver"})
    ensure(samba, {"upn": "leaver@lab.example", "display_name": "Leaver", "enabled": False})
    assert ensure(samba, {"upn": "leaver@lab.example", "display_name": "Leaver"})["changed"] is False
    assert entry(samba, "leaver@lab.example").text("userAccountControl") == "514"


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


def test_one_refused_password_does_not_stop_the_others(samba: SambaDirectory) -> None:
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
        ([{"upn": "a@lab.example", "display_name": "A", "groups": ["GG-Nobody"]}], "group"),
        ([{"upn": "a@lab.example", "display_name": "A", "manager": "nobody"}], "manager"),
        ([{"upn": "a@lab.example", "display_name": "A", "sam_account_name": "maria.huber"}], "belongs to"),
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
