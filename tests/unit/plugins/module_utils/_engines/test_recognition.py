# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Which engine a server has, from a survey alone; and what its answers come to."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._engines import ENGINES
from ansible_collections.hybrid.identity.plugins.module_utils._engines._answers import read_runs
from ansible_collections.hybrid.identity.plugins.module_utils._engines._contract import Connector, DirSyncFolder, Survey
from ansible_collections.hybrid.identity.plugins.module_utils._engines._fim_answers import clock_seconds, interval_seconds
from ansible_collections.hybrid.identity.plugins.module_utils._engines._run_details import object_errors
from ansible_collections.hybrid.identity.plugins.module_utils._engines._run_kinds import kinds_of
from ansible_collections.hybrid.identity.plugins.module_utils._engines._survey import not_here
from ansible_collections.hybrid.identity.plugins.module_utils._remote._shape import timestamp

AD_SYNC = {"ADSync": 4}
DIRSYNC = {"FIMSynchronizationService": 4, "MSOnlineSyncScheduler": 4}
NEW, OLD, EMPTY = (
    DirSyncFolder("C:\\new", True, False, "1.0.7020.0"),
    DirSyncFolder("C:\\old", False, True, "1.0.6411.9"),
    DirSyncFolder("C:\\empty", False, False, "1.0"),
)


def survey(services: dict[str, int | None], **changes: Any) -> Survey:
    """What a server tells; nothing but services unless said otherwise."""
    values: dict[str, Any] = dict.fromkeys(("wizard_version", "bin_folder", "engine_version", "scheduler"))
    return Survey(**{**values, "services": services, "wizard": False, "exe": False, "dirsync": (), "bits": 64, **changes})


def version(text: str, **changes: Any) -> dict[str, Any]:
    """A server whose wizard is registered."""
    return {"wizard": True, "wizard_version": text, **changes}


@pytest.mark.parametrize(
    ("services", "found", "engine"),
    [
        (AD_SYNC, version("2.6.92.0"), "connect"),
        (AD_SYNC, version("1.1.105.0", exe=True), "connect"),
        (AD_SYNC, version("1.0.9131.0", exe=True), "aadsync"),
        (AD_SYNC, version("1.0.9131.0"), "aadsync"),
        (AD_SYNC, {"exe": True}, "aadsync"),
        (AD_SYNC, {"exe": True, "scheduler": False}, "aadsync"),
        (AD_SYNC, {"exe": True, "scheduler": True}, "connect"),
        (AD_SYNC, {"scheduler": True}, "connect"),
        (AD_SYNC, {"scheduler": False}, "aadsync"),
        (AD_SYNC, version("unreadable", scheduler=True), "connect"),
        (AD_SYNC, version("unreadable", scheduler=False), "aadsync"),
        (AD_SYNC, {}, "connect"),
        ({"ADSync": None}, version("2.6.92.0"), "connect"),
        ({**AD_SYNC, **DIRSYNC}, version("2.6.92.0", dirsync=(OLD,)), "connect"),
        (DIRSYNC, {"dirsync": (NEW,)}, "dirsync"),
        (DIRSYNC, {"dirsync": (OLD, NEW)}, "dirsync"),
        (DIRSYNC, {"dirsync": (OLD,)}, "dirsync_legacy"),
        (DIRSYNC, {"dirsync": (EMPTY,)}, "dirsync_legacy"),
        (DIRSYNC, {}, "dirsync_legacy"),
        ({"FIMSynchronizationService": 4}, {}, None),
        ({"MSOnlineSyncScheduler": 4}, {}, None),
        ({"AADConnectProvisioningAgent": 4}, {}, None),
        ({}, {}, None),
    ],
)
def test_exactly_one_engine_knows_a_server_for_its_own(services: dict[str, int | None], found: dict[str, Any], engine: str | None) -> None:
    known = [one.name for one in ENGINES if one.recognises(survey(services, **found))]
    # A server that was upgraded in place may still have services of DirSync: the engine that is asked first counts.
    assert known[:1] == ([engine] if engine else [])
    assert len(known) <= (2 if "ADSync" in services and "MSOnlineSyncScheduler" in services else 1)


@pytest.mark.parametrize(
    ("services", "word"),
    [
        ({"FIMSynchronizationService": 4}, "Identity Manager alone"),
        ({"MSOnlineSyncScheduler": 1}, "scheduler of DirSync"),
        ({"AADConnectProvisioningAgent": 4}, "Cloud Sync agent alone"),
        ({}, "no sync engine"),
    ],
)
def test_what_a_server_has_instead_is_said_by_name(services: dict[str, int | None], word: str) -> None:
    error = not_here(survey(services), "auto", None)
    assert error.reason == "not_a_sync_server"
    assert word in error.message


def test_another_engine_than_the_wanted_one_is_said_by_name() -> None:
    assert not_here(survey(DIRSYNC), "connect", "dirsync").message == "This server does not have the engine connect: it runs dirsync."


@pytest.mark.parametrize(
    ("types", "profile", "kinds", "full"),
    [
        ([("delta-import", "to-cs")], "Lauf 5", ("import",), False),
        ([("full-import", "to-cs")], "x", ("import",), True),
        ([("delta-import", "")], "x", ("import", "synchronization"), False),
        ([("full-import-reevaluate-rules", "")], "x", ("import", "synchronization"), True),
        ([("apply-rules", "apply-pending")], "Full Synchronization", ("synchronization",), False),
        ([("apply-rules", "reevaluate-flow-connectors")], "x", ("synchronization",), True),
        ([("full-import", "to-cs"), ("apply-rules", "apply-pending"), ("export", "")], "x", ("import", "synchronization", "export"), False),
        ([("export", "")], "x", ("export",), False),
        ([("", "")], "Full Import", ("import",), True),
        ([], "Delta Import Delta Sync", ("import", "synchronization"), False),
        ([], "Full Synchronization", ("synchronization",), True),
        ([("delta-import", "to-cs"), ("", "")], "Export", ("export",), False),
        ([("", "")], "Lauf 5", ("other",), False),
    ],
)
def test_steps_say_what_a_run_does_else_the_words_of_its_profile(
    types: list[tuple[str, str]], profile: str, kinds: tuple[str, ...], full: bool
) -> None:
    found = kinds_of(types, profile)
    assert (found.kinds, found.full) == (kinds, full)


def _run(seconds: int, identifier: str, profile: str, number: int = 1, **changes: Any) -> dict[str, Any]:
    started = timestamp(f"2026-11-24T12:00:{seconds:02d}.0000000Z", "x")
    values = {"connector": identifier, "connector_id": identifier.upper(), "profile": profile, "number": number, "result": "success"}
    return {**values, "started": started, "ended": started, "account": None, "steps": [], **changes}


def test_an_import_that_reads_back_what_was_exported_begins_no_cycle() -> None:
    connectors = (Connector("ad", "ad", "Active Directory", True), Connector("cloud", "cloud", "Extensible2", False))
    data = [
        _run(0, "cloud", "Delta Import Delta Sync"),
        _run(10, "ad", "Delta Import Delta Sync"),
        _run(20, "cloud", "Export", 2),
        _run(30, "cloud", "Delta Confirming Import", 3),
    ]
    runs = read_runs(data, connectors)
    assert [(run.kind, run.also, run.on_directory) for run in runs] == [
        ("import", ("synchronization",), False), ("import", ("synchronization",), True), ("export", (), False), ("confirmation", (), False),
    ]  # fmt: skip


def test_errors_of_imports_name_their_object_inside() -> None:
    text = (
        "<ma-discovery-errors><ma-object-error><error-type>missing-dn</error-type><entry-number>1</entry-number><dn>CN=Amy</dn>"
        "</ma-object-error></ma-discovery-errors>"
    )
    assert object_errors(text) == [{"dn": "CN=Amy", "type": "missing-dn", "message": ""}]
    with_attribute = '<x><import-error dn="CN=Bo"><error-type>y</error-type><dn>another</dn></import-error></x>'
    assert object_errors(with_attribute) == [{"dn": "CN=Bo", "type": "y", "message": ""}]


@pytest.mark.parametrize(
    ("iso", "seconds"),
    [
        ("PT3H", 10800.0),
        ("PT1H30M", 5400.0),
        ("P1DT5S", 86405.0),
        ("", None),
        (None, None),
        ("3 hours", None),
        ("PTH", None),
        ("P1M", None),
    ],
)
def test_intervals_of_the_task_scheduler(iso: str | None, seconds: float | None) -> None:
    assert interval_seconds(iso) == seconds


@pytest.mark.parametrize(
    ("words", "seconds"), [("3:0:0", 10800.0), ("0:30:0", 1800.0), ("0:0:0", None), ("3", None), (None, None), ("a:b:c", None)]
)
def test_intervals_of_dirsync(words: str | None, seconds: float | None) -> None:
    assert clock_seconds(words) == seconds
