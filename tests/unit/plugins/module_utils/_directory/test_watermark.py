# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The watermark covers every write and nothing else."""

from __future__ import annotations

import struct
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from directories import GROUPS, OLD_PASSWORD, STAFF, Admin, ensure, options

from ansible_collections.hybrid.identity.plugins.module_utils._directory import _watermark
from ansible_collections.hybrid.identity.plugins.module_utils._directory._connection import Directory
from ansible_collections.hybrid.identity.plugins.module_utils._directory._names import Entry
from ansible_collections.hybrid.identity.plugins.module_utils._directory._replication import (
    WRITTEN,
    attribute_number,
    change_times,
    link_times,
)
from ansible_collections.hybrid.identity.plugins.module_utils._directory._watermark import memberships_of, state_of, watermark
from lab.directory import SambaDirectory


def moment(result: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(result["watermark"].replace("Z", "+00:00"))


def test_numbers_of_attributes_are_those_of_the_schema(samba: SambaDirectory) -> None:
    with Directory(options(samba)) as directory:
        names = "".join(f"(lDAPDisplayName={name})" for name in WRITTEN)
        found = directory.search([f"(|{names})"], ["lDAPDisplayName", "attributeID"], base=directory.schema_dn)
    numbers = {entry.text("lDAPDisplayName"): attribute_number(entry.text("attributeID") or "") for entry in found}
    assert numbers == WRITTEN


def test_a_member_that_was_added_is_covered_by_the_watermark(samba: SambaDirectory, admin: Admin) -> None:
    admin.add_person("Joins Later", "later")
    time.sleep(2.1)
    began = datetime.now(timezone.utc).replace(microsecond=0)
    result = ensure(samba, {"upn": "later@lab.example", "groups": ["GG-AllStaff"]})
    assert result["accounts"][0]["changes"] == ["groups"]
    assert moment(result) >= began


@pytest.mark.parametrize(
    "row", [{"title": "x"}, {"manager": "maria.huber"}, {"name": "Renamed"}, {"enabled": False}, {"attributes": {"info": "x"}}]
)
def test_every_write_is_covered(samba: SambaDirectory, admin: Admin, row: dict[str, Any]) -> None:
    sam = f"w-{next(iter(row))}"
    admin.add_person(f"Written {sam}", sam)
    time.sleep(1.1)
    began = datetime.now(timezone.utc).replace(microsecond=0)
    result = ensure(samba, {"upn": f"{sam}@lab.example", **row})
    assert result["changed"] is True
    assert moment(result) >= began
    again = ensure(samba, {"upn": f"{sam}@lab.example", **row})
    assert again["changed"] is False
    assert moment(again) <= moment(result)  # what covered the first run covers the second


def test_a_logon_or_a_new_password_moves_nothing(samba: SambaDirectory, admin: Admin) -> None:
    dn = admin.add_person("Logs On", "logson")
    row = {"upn": "logson@lab.example", "title": "x", "groups": ["GG-Sales"]}
    ensure(samba, row)
    quiet = ensure(samba, row)
    changed = admin.read(dn, "whenChanged")["whenChanged"]
    time.sleep(2.1)
    with Directory(replace(options(samba), username="logson@lab.example", password=OLD_PASSWORD)):
        pass
    admin.replace(dn, unicodePwd='"An0ther-Passw0rd"'.encode("utf-16-le"))
    admin.replace(dn, lastLogonTimestamp="134400146831863310")
    assert admin.read(dn, "whenChanged")["whenChanged"] != changed
    assert moment(ensure(samba, row)) == moment(quiet)
    admin.replace(dn, department="by hand")
    assert moment(ensure(samba, row)) > moment(quiet)


def test_unreadable_metadata_is_said(samba: SambaDirectory, admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    admin.add_person("Unreadable", "unread")
    monkeypatch.setattr(_watermark, "change_times", lambda _raw: None)
    result = ensure(samba, {"upn": "unread@lab.example"})
    assert any("whenChanged" in warning for warning in result["warnings"])
    assert moment(result) <= datetime.now(timezone.utc)


NOON = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)


def metadata(**times: datetime) -> bytes:
    """replPropertyMetaData as a controller has it."""
    numbers = {**WRITTEN, "pwdLastSet": 0x90060, "lastLogonTimestamp": 0x906A0, "info": 0x20051}
    seconds = {name: int((changed - datetime(1601, 1, 1, tzinfo=timezone.utc)).total_seconds()) for name, changed in times.items()}
    items = [struct.pack("<IIQ16sQQ", numbers[name], 1, seconds[name], b"", 0, 0) for name in times]
    return struct.pack("<IIII", 1, 0, len(items), 0) + b"".join(items)


def link(attribute: str, dn: str, changed: str) -> bytes:
    """A value of msDS-ReplValueMetaData, which is not escaped and ends with a zero."""
    return (
        f"<DS_REPL_VALUE_META_DATA>\n\t<pszAttributeName>{attribute}</pszAttributeName>\n\t<pszObjectDn>{dn}</pszObjectDn>\n\t<cbData>0</cbData>"
        f"\n\t<ftimeDeleted>1601-01-01T00:00:00Z</ftimeDeleted>\n\t<ftimeCreated>2017-01-01T00:00:00Z</ftimeCreated>\n\t<dwVersion>1</dwVersion>"
        f"\n\t<ftimeLastOriginatingChange>{changed}</ftimeLastOriginatingChange>\n</DS_REPL_VALUE_META_DATA>\n\x00"
    ).encode()


def test_what_counts_and_what_does_not() -> None:
    later = NOON + timedelta(hours=1)
    quiet = Entry("CN=a", {"replpropertymetadata": [metadata(title=NOON, pwdLastSet=later, lastLogonTimestamp=later, info=later)]})
    assert state_of(quiet, []) == (NOON, True)
    assert state_of(quiet, [0x20051]) == (later, True)  # an attribute that the row names
    led = Entry("CN=a", {**quiet.attributes, "msds-replvaluemetadata": [link("manager", "CN=b", "2026-11-24T14:00:00Z")]})
    assert state_of(led, []) == (NOON + timedelta(hours=2), True)
    unknown = Entry("CN=a", {**quiet.attributes, "whenchanged": [b"20261124150000.0Z"]})
    assert state_of(unknown, [None]) == (NOON + timedelta(hours=3), False)
    assert state_of(Entry("CN=a", {"whenchanged": [b"20261124150000.0Z"]}), []) == (NOON + timedelta(hours=3), False)


def test_memberships_that_a_controller_tells() -> None:
    dn = "CN=R&D, Sales <x>,OU=Staff"
    links = {
        "cn=gg": link_times(
            [link("member", dn, "2026-11-24T13:00:00Z").decode(), link("member", "CN=other", "2026-11-24T15:00:00Z").decode()]
        )
    }
    assert memberships_of(dn, ["CN=GG", "CN=unread"], links) == NOON + timedelta(hours=1)
    assert memberships_of("CN=nobody", ["CN=GG"], links) is None
    assert link_times(["nonsense", ""]) == {}


@pytest.mark.parametrize("raw", [None, b"", b"\x01", struct.pack("<IIII", 1, 0, 5, 0), struct.pack("<IIII", 7, 0, 0, 0)])
def test_nonsense_is_no_metadata(raw: bytes | None) -> None:
    assert change_times(raw) is None


def test_clocks() -> None:
    assert watermark([None, NOON, NOON - timedelta(days=1)], 0.9) == NOON + timedelta(seconds=1)
    assert watermark([NOON], 60.0) == NOON - timedelta(seconds=59)
    assert watermark([None], 0.0) is None


def test_memberships_are_read_where_they_are_told(samba: SambaDirectory, admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samba does not tell them: here a controller does, which put the member in after everything else."""
    dn = admin.add_person("Told", "told")
    admin.join(f"CN=GG-Sales,{GROUPS}", dn)
    time.sleep(2.1)
    joined = datetime.now(timezone.utc).replace(microsecond=0)
    read = Directory.read

    def tell(directory: Directory, name: str, attributes: Any) -> Any:
        found = read(directory, name, attributes)
        if "msDS-ReplValueMetaData" in attributes and found:
            return Entry(found.dn, {"msds-replvaluemetadata": [link("member", dn, joined.strftime("%Y-%m-%dT%H:%M:%SZ"))]})
        return found

    row = {"upn": "told@lab.example", "groups": ["GG-Sales"]}
    assert moment(ensure(samba, row)) < joined
    monkeypatch.setattr(Directory, "read", tell)
    told = ensure(samba, row)
    assert told["changed"] is False
    assert moment(told) >= joined
    assert STAFF in dn
