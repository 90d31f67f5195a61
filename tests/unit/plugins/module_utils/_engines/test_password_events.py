# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The event parser: every shape of the facts, and anything else."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.hybrid.identity.plugins.module_utils._engines._password_events import KINDS, Sign, domain_of, read_event, same_dn
from lab.passwords import FAILURES
from lab.passwords.texts import decorated, retry_text

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)
GUID = "a9de824d-50db-512a-bce9-3ff9f12f7283"
TAIL = (
    "\r\n\r\n<forest-info>\r\n  <partition-name>CONTOSO.COM</partition-name>\r\n"
    f"  <connector-id>{GUID.upper()}</connector-id>\r\n</forest-info>"
)
VIOLA = "CN=Viola Hanson,OU=Cloud Objects,DC=contoso,DC=local"


def read(event_id: int, text: str) -> Sign:
    return read_event(7, event_id, NOON, text)


def test_request_of_the_support_article() -> None:
    """Its anchor has 25 characters and is no valid base64: nobody insists on decoding it."""
    text = f"Password Change Request - Anchor : H552hI9GwEykZwosf74JeOQ==, Dn : {VIOLA}, Change Date : 05/01/2013 16:34:08"
    (person,) = read(656, text).people
    assert (person.anchor, person.dn, person.succeeded) == ("H552hI9GwEykZwosf74JeOQ==", VIOLA, None)


@pytest.mark.parametrize(
    ("line", "dn", "succeeded", "must_change"),
    [
        (f"Password Change Result - Anchor : eX5b50Rf+UizRIMe2CA/tg==, Dn : {VIOLA}, Result : Success.", VIOLA, True, None),
        (f"Password Change Result - Anchor : eX5b50Rf+UizRIMe2CA/tg==, Dn : {VIOLA}, Result : Failed.", VIOLA, False, None),
        (f"Password Change Result - Anchor: eX5b50Rf+UizRIMe2CA/tg==, Dn: {VIOLA}, Result: Success.", VIOLA, True, None),
        ("Password Change Result - Anchor : eX5b50Rf+UizRIMe2CA/tg==, Result : failed, Extended Error :", None, False, None),
        ("Password Change Result - Anchor : eX5b50Rf+UizRIMe2CA/tg==, Result : success, Extended Error : x", None, False, None),
        (
            f"Password Change Result - Anchor : eX5b50Rf+UizRIMe2CA/tg==, Dn : {VIOLA}, PwdChangeOnLogon=False, Result : Success.{TAIL}",
            VIOLA, True, False,
        ),
        (f"Password Change Result - Anchor : eX5b50Rf+UizRIMe2CA/tg==, Dn : {VIOLA}, PwdChangeOnLogon=True, Result : SUCCESS{TAIL}", VIOLA, True, True),
        ("Password Change Result - Anchor : eX5b50Rf+UizRIMe2CA/tg==, Result : Success with reservations.", None, False, None),
        ("Password Change Result - Anchor : eX5b50Rf+UizRIMe2CA/tg==, Result : Unsuccess.", None, False, None),
        ("Password Change Result - Anchor : eX5b50Rf+UizRIMe2CA/tg==, Result : Failed, Result : Success.", None, False, None),
        ("Password Change Result - Anchor : eX5b50Rf+UizRIMe2CA/tg==, Result : Failed, Extended Error : Result : Success.", None, False, None),
        ("Password Change Result - Anchor : eX5b50Rf+UizRIMe2CA/tg==", None, False, None),
        (
            r"Password Change Result - Anchor : eX5b50Rf+UizRIMe2CA/tg==, Dn : CN=Last\, First\, Result : Success.,OU=A\,B,DC=x, Result : Failed.",
            r"CN=Last\, First\, Result : Success.,OU=A\,B,DC=x", False, None,
        ),
    ],
)  # fmt: skip
def test_results(line: str, dn: str | None, succeeded: bool, must_change: bool | None) -> None:
    for text in (line, decorated(line, 657, "Directory Synchronization", "de"), "x\r\n" + line):
        (person,) = read(657, text).people
        assert (person.anchor, person.dn, person.succeeded, person.must_change) == ("eX5b50Rf+UizRIMe2CA/tg==", dn, succeeded, must_change)


def test_many_people_in_one_event_and_the_connector_that_it_names() -> None:
    lines = [f"Password Change Result - Anchor : {n:022d}==, Dn : CN=P {n},DC=contoso,DC=com, Result : Success." for n in range(50)]
    sign = read(657, "\r\n".join(lines) + TAIL)
    assert (len(sign.people), sign.connector) == (50, GUID)
    assert len({one.anchor for one in sign.people}) == 50
    assert all(one.succeeded for one in sign.people)
    assert len(read(657, " ".join(lines)).people) == 50, "line ends do not matter"


def test_a_forest_is_named_whole() -> None:
    sign = read(623, "Full password hash synchronization completed for forest: child.contoso.com.")
    assert "child.contoso.com" in sign.names
    assert "contoso.com" not in sign.names


def test_ids_decide_and_nothing_else() -> None:
    for event_id, kind in KINDS.items():
        assert read(event_id, "Fehler Erfolg Success").kind == kind
    assert read(904, "Finished").kind == "other"
    assert read(0, "something of another program").kind == "other"
    assert (
        read(0, "The user name or password is incorrect. Verify your user name, and then type your password again.").kind == "batch_failed"
    )


@pytest.mark.parametrize(
    ("name", "reason", "code"),
    [
        ("replication_denied", "replication_denied", "RPC 8453"),
        ("replication_denied_old", "replication_denied", "RPC 8453"),
        ("rpc_unavailable", "connector_unreachable", "RPC 1722"),
        ("object_not_found", None, "RPC 8333"),
        ("bad_replication_name", None, "RPC 8439"),
        ("replication_rejected", None, "RPC 8456"),
        ("replication_epochs", None, "RPC 8593"),
        ("win32_file_time", None, "ArgumentException"),
        ("same_key", None, "ArgumentException"),
        ("directory_credentials", "connector_credentials", "AuthenticationException"),
        ("tenant_off", "tenant_feature_off", "error code 90"),
        ("cloud_busy", None, "error code 81"),
        ("ping_tenant_off", "tenant_feature_off", "error code 90"),
        ("cloud_credentials", "cloud_sign_in_blocked", "credentials"),
        ("first_sync_unfinished", "first_sync_unfinished", "613"),
        ("fips", "fips_blocked", "667"),
    ],
)
def test_causes_by_number_and_code(name: str, reason: str | None, code: str) -> None:
    event_id, _level, text = FAILURES[name]
    for language in ("en", "de"):
        cause = read(event_id, decorated(text.replace("{forest}", "contoso.com"), event_id, "x", language)).cause
        assert cause is not None
        assert (cause.reason, cause.code) == (reason, code)
        assert cause.remedy


def test_people_that_are_tried_again() -> None:
    class Person:
        dn = r"CN=Last\, First,DC=contoso,DC=com"
        anchor = "x"

    assert read(0, retry_text([Person()])).retrying == (same_dn(r"cn=last\2c first, dc=CONTOSO,dc=com"),)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"CN=Last\, First,OU=A", r"cn=last\2C first, ou=a"),
        ("CN=Müller,DC=x", r"CN=M\C3\BCller,DC=X"),
        (r"CN=a\+b,DC=x", r"CN=a\2bb,DC=x"),
    ],
)
def test_two_spellings_of_one_name(one: str, other: str) -> None:
    assert same_dn(one) == same_dn(other)


def test_two_names() -> None:
    assert same_dn(r"CN=a\,OU=b,DC=x") != same_dn("CN=a,OU=b,DC=x")
    assert domain_of(r"CN=a\,DC=evil,DC=contoso,DC=com") == "contoso.com"


_PIECES = st.lists(
    st.sampled_from(
        ["Password Change Result", "Password Change Request", " - ", "Anchor : ", "abc==", ", ", "Dn : ", VIOLA, "\\", "\\,", "Result : ",
         "Success", "Success.", "Failed.", "Extended Error : ", "PwdChangeOnLogon=", "True", "\r\n", "<forest-info>", "DN = ", "RPC Error 8453",
         "Error Code: 90", "\ud800", "\x00", TAIL]
    )
    | st.text(max_size=12),
    max_size=40,
).map("".join)  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(st.sampled_from([0, 611, 617, 623, 652, 655, 656, 657, 667, 6900, -1, 65536]), _PIECES)
@example(657, "Password Change Result - Anchor : x, Result : ")
def test_it_never_raises_and_never_makes_a_success_of_what_does_not_say_so(event_id: int, text: str) -> None:
    sign = read(event_id, text)
    assert isinstance(sign.people, tuple)
    for person in sign.people:
        assert person.anchor
        assert not (person.succeeded and "success" not in text.lower())
        assert not (event_id == 656 and person.succeeded is not None)


@settings(max_examples=300, deadline=None)
@given(_PIECES)
def test_where_nothing_is_called_success_nothing_is_one(text: str) -> None:
    harmless = text.replace("Success", "Succes")
    assert not any(person.succeeded for person in read(657, harmless).people)
    same_dn(harmless)
    domain_of(harmless)
