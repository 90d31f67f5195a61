# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Accounts that somebody began and did not finish, and those that only look like it; against a real domain controller."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from directories import OLD_PASSWORD, PASSWORD, Admin, differences, ensure, entry, options

from ansible_collections.hybrid.identity.plugins.module_utils._directory import _half_made
from ansible_collections.hybrid.identity.plugins.module_utils._directory._connection import Directory
from ansible_collections.hybrid.identity.plugins.module_utils._directory._half_made import PasswordState, password_state
from ansible_collections.hybrid.identity.plugins.module_utils._directory._names import Entry
from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from lab.directory import SambaDirectory


def signs_in(samba: SambaDirectory, upn: str, password: str) -> bool:
    """Whether the directory lets somebody in with this password."""
    try:
        with Directory(replace(options(samba), username=upn, password=password)):
            return True
    except HybridIdentityError as error:
        assert error.reason == "authentication_failed"
        return False


@pytest.mark.parametrize("control", [514, 546, 544, 512])
@pytest.mark.parametrize("must_change", [False, True])
def test_half_made_accounts_are_completed(samba: SambaDirectory, admin: Admin, control: int, must_change: bool) -> None:
    sam = f"half{control}{must_change}"
    admin.add_person(f"Half {control} {must_change}", sam, password=None, control=control)
    row = {"upn": f"{sam}@lab.example", "password_must_change": must_change}
    result = ensure(samba, row)
    assert result["accounts"][0]["action"] == "repaired", result["msg"]
    found = entry(samba, row["upn"])
    assert found.text("userAccountControl") == "512"  # enabled, and PASSWD_NOTREQD is off
    assert (found.text("pwdLastSet") == "0") is must_change
    assert signs_in(samba, row["upn"], PASSWORD) is not must_change
    assert ensure(samba, row)["changed"] is False
    assert "(password)" not in str(result) and PASSWORD not in str(result)


@pytest.mark.parametrize("control", [512, 514, 544])
@pytest.mark.parametrize("row", [{}, {"password_must_change": True}])
def test_somebody_who_has_to_change_the_password_has_one(samba: SambaDirectory, admin: Admin, control: int, row: dict[str, bool]) -> None:
    sam = f"must{control}{len(row)}"
    dn = admin.add_person(f"Must {control} {len(row)}", sam, control=control, pwdLastSet="0")
    before = admin.dump()
    result = ensure(samba, {"upn": f"{sam}@lab.example", "title": "x", **row})
    assert result["accounts"][0]["changes"] == ["title"]
    assert differences(before, admin.dump()) == {dn: {"title"}}


def test_disabled_on_purpose_stays_disabled_until_asked(samba: SambaDirectory, admin: Admin) -> None:
    admin.add_person("On Leave", "leave", control=546)
    row = {"upn": "leave@lab.example"}
    assert ensure(samba, row)["changed"] is False
    enabled = ensure(samba, {**row, "enabled": True})
    assert enabled["accounts"][0]["changes"] == ["enabled", "passwd_notreqd"]
    assert enabled["diff"]["before"][row["upn"]]["enabled"] is False
    assert enabled["diff"]["after"][row["upn"]]["enabled"] is True
    assert signs_in(samba, row["upn"], OLD_PASSWORD)
    disabled = ensure(samba, {**row, "enabled": False})
    assert disabled["diff"]["after"][row["upn"]] == {"enabled": False}
    assert not signs_in(samba, row["upn"], OLD_PASSWORD)


def test_a_half_made_account_needs_a_password_to_be_given(samba: SambaDirectory, admin: Admin) -> None:
    admin.add_person("No Password For", "nopw", password=None, control=514)
    result = ensure(samba, {"upn": "nopw@lab.example", "title": "x"}, initial_password=None)
    assert "half-made" in result["accounts"][0]["msg"]
    assert result["changed"] is False


def test_in_doubt_nothing_is_touched_and_a_warning_says_so(samba: SambaDirectory, admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_half_made, "change_times", lambda _raw: None)
    dn = admin.add_person("In Doubt", "doubt", control=514, pwdLastSet="0")
    before = admin.dump()
    result = ensure(samba, {"upn": "doubt@lab.example", "title": "x"})
    assert result["accounts"][0]["changes"] == ["title"]
    assert differences(before, admin.dump()) == {dn: {"title"}}
    assert any("doubt@lab.example" in warning and "cannot be read" in warning for warning in result["warnings"])
    # PASSWD_NOTREQD decides where the metadata cannot be read.
    admin.add_person("Flag Decides", "flag", password=None, control=546)
    assert ensure(samba, {"upn": "flag@lab.example"})["accounts"][0]["action"] == "repaired"


def test_flags_that_cannot_be_read_are_not_written(samba: SambaDirectory, admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    admin.add_person("Flags Hidden", "hidden", control=66048)  # the password never expires, which must not get lost
    search = Directory.search

    def hide(directory: Directory, *arguments: Any, **options: Any) -> list[Entry]:
        found = search(directory, *arguments, **options)
        return [Entry(entry.dn, {**entry.attributes, "useraccountcontrol": []}) for entry in found]

    monkeypatch.setattr(Directory, "search", hide)
    result = ensure(samba, {"upn": "hidden@lab.example", "enabled": False})
    assert "cannot be read" in result["accounts"][0]["msg"]
    assert ensure(samba, {"upn": "hidden@lab.example", "title": "x"})["accounts"][0]["changes"] == ["title"]


@pytest.mark.parametrize(
    ("control", "last_set", "state"),
    [
        ("512", "1", PasswordState.SET),
        ("546", "1", PasswordState.SET),
        ("512", "0", PasswordState.SET),  # Active Directory enables nobody without a password
        ("514", "0", PasswordState.UNKNOWN),
        ("544", "0", PasswordState.NEVER_SET),
        ("546", "0", PasswordState.NEVER_SET),
        ("514", None, PasswordState.UNKNOWN),
    ],
)
def test_without_metadata(control: str, last_set: str | None, state: PasswordState) -> None:
    attributes = {"useraccountcontrol": [control.encode()]}
    if last_set is not None:
        attributes["pwdlastset"] = [last_set.encode()]
    assert password_state(Entry("CN=x", attributes)) is state
