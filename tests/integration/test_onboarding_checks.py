# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The role onboarding from its dangerous sides: every way into it, and everything that can be known before the first write."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import procedures
import pytest
from loopback import own_address

from ansible_collections.hybrid.identity.plugins.module_utils._directory._connection import Directory, DirectoryOptions
from lab.directory import SambaMissing
from lab.directory_seed import SERVICE_OU, STAFF_OU
from lab.estate import CLIENT_SECRET, Estate, EstateOptions

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = ROOT / "playbooks" / "onboard.yml"
PASSWORD = "W3lcome.to-the-checks"
HEAD = "given_name;surname;upn;mail;manager;groups;licenses\n"


@pytest.fixture(scope="module")
def running() -> Iterator[Estate]:
    chosen = Estate(EstateOptions(directory_address=own_address(64), cycle_seconds=0.5, powershell="none"))
    try:
        chosen.start()
    except SambaMissing as error:
        pytest.skip(str(error))
    yield chosen
    chosen.stop()


@pytest.fixture
def estate(running: Estate) -> Iterator[Estate]:
    """The estate; what a test switches on is off again afterwards."""
    skus = running.tenant._tenant.skus
    yield running
    running.sync.configure(staging=False)
    running.tenant._tenant.skus = skus


def onboard(
    estate: Estate,
    folder: Path,
    *arguments: str,
    playbook: Any = PLAYBOOK,
    environment: Any = None,
    servers: dict[str, Any] | None = None,
    **variables: Any,
) -> Any:
    """Run the playbook with these variables of the role; servers: the group of sync servers, whichever are in it."""
    inventory = estate.inventory()
    if servers is not None:
        inventory["sync_servers"]["hosts"] = servers
        variables.setdefault("onboarding_sync_server", "")
    inventory["all"]["vars"] = {
        "onboarding_initial_password": PASSWORD,
        "onboarding_report_directory": str(folder / "reports"),
        "onboarding_cloud_timeout": 60,
        **{name: value for name, value in inventory["all"]["hosts"]["localhost"].items() if name.startswith("onboarding_")},
        **variables,
    }
    for name in [name for name in inventory["all"]["hosts"]["localhost"] if name.startswith("onboarding_")]:
        del inventory["all"]["hosts"]["localhost"][name]
    return procedures.run_playbook(folder, inventory, playbook, *arguments, environment=environment)


def report(folder: Path) -> dict[str, Any]:
    """The newest report."""
    newest = max((folder / "reports").glob("*.json"), key=lambda file: file.stat().st_mtime_ns)
    return dict(json.loads(newest.read_text(encoding="utf-8")))


def told(done: subprocess.CompletedProcess[str]) -> str:
    """All that was shown, without line breaks that the width of the screen makes."""
    return " ".join((done.stdout + done.stderr).split())


def open_directory(estate: Estate) -> Directory:
    samba = estate.directory
    return Directory(
        DirectoryOptions(samba.address, samba.admin_user, samba.admin_password, ca_cert=estate.authority_path, server_name=samba.host_name)
    )


def find(estate: Estate, upn: str, *attributes: str) -> Any:
    """The account of this name, or None."""
    with open_directory(estate) as directory:
        return next(iter(directory.search([f"(userPrincipalName={upn})"], ["userPrincipalName", *attributes])), None)


def write(folder: Path, *rows: str, head: str = HEAD) -> str:
    """A table as a file."""
    file = folder / "people.csv"
    file.write_text(head + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return str(file)


def row(name: str, mail: str = "", manager: str = "", groups: str = "", licences: str = "") -> str:
    return f"{name.title()};Test;{name}@lab.example;{mail};{manager};{groups};{licences}"


# -- every way in


def test_tags_do_not_turn_a_failure_into_a_success(estate: Estate, tmp_path: Path) -> None:
    table = write(tmp_path, row("tag.one"), row("tag.two", mail="nonsense"))
    failed = onboard(estate, tmp_path, "--tags", "onboarding", onboarding_csv=table)
    assert failed.returncode != 0 and "'nonsense' is not a mail address" in told(failed)
    assert find(estate, "tag.one@lab.example") is None
    table = write(tmp_path, row("tag.one"))
    done = onboard(estate, tmp_path, "--tags", "onboarding", onboarding_csv=table)
    assert done.returncode == 0, done.stdout
    assert find(estate, "tag.one@lab.example") is not None and report(tmp_path)["summary"]["arrived"] == 1


@pytest.mark.parametrize(
    "task",
    [
        "Look at the accounts in Active Directory",
        "Say who goes on",
        "Create or correct the accounts in Active Directory",
        "Ensure that a cycle has carried the accounts",
        "Await everybody in Entra ID, set usage location and licences",
        "Report who arrived",
        "Hand the outcome on",
        "Judge",
    ],
)
def test_a_run_that_begins_in_the_middle_ends_with_a_sentence(estate: Estate, tmp_path: Path, task: str) -> None:
    cycles = len(estate.sync.cycles)
    done = onboard(
        estate, tmp_path, "--start-at-task", f"hybrid.identity.onboarding : {task}", onboarding_csv=write(tmp_path, row("mid.way"))
    )
    assert done.returncode != 0
    assert "without --start-at-task" in told(done), done.stdout
    assert find(estate, "mid.way@lab.example") is None and len(estate.sync.cycles) == cycles


def test_a_run_may_begin_with_the_table(estate: Estate, tmp_path: Path) -> None:
    start = ("--start-at-task", "hybrid.identity.onboarding : Read the table and check all of it")
    done = onboard(estate, tmp_path, *start, onboarding_csv=write(tmp_path, row("early.bird")))
    assert done.returncode == 0, done.stdout
    assert find(estate, "early.bird@lab.example") is not None


def test_on_the_sync_servers_a_sentence_says_where_it_belongs(estate: Estate, tmp_path: Path) -> None:
    play = [{"hosts": "sync_servers", "gather_facts": False, "roles": ["hybrid.identity.onboarding"]}]
    done = onboard(estate, tmp_path, playbook=play, onboarding_csv=write(tmp_path, row("wrong.host")))
    assert done.returncode != 0
    assert "started for the Windows host sync1.lab.test. Write hosts: localhost." in told(done)
    assert find(estate, "wrong.host@lab.example") is None


def test_relative_paths(estate: Estate, tmp_path: Path) -> None:
    write(tmp_path, row("rel.path"))
    done = onboard(estate, tmp_path, onboarding_csv="people.csv", onboarding_report_directory="reports")
    assert done.returncode == 0, done.stdout
    assert report(tmp_path)["summary"]["arrived"] == 1
    missing = onboard(estate, tmp_path, onboarding_csv="files/colleagues.csv")
    assert missing.returncode != 0, "a table inside the collection is nobody's table"
    assert f"The table {tmp_path}/files/colleagues.csv cannot be read" in told(missing)
    (tmp_path / "book").mkdir()
    write(tmp_path / "book", row("rel.book"))
    (tmp_path / "people.csv").unlink()
    play = tmp_path / "book" / "play.yml"
    play.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "roles": ["hybrid.identity.onboarding"]}]))
    done = onboard(estate, tmp_path, playbook=play, onboarding_csv="people.csv")
    assert done.returncode == 0, done.stdout


# -- before the first write


def test_everything_that_is_wrong_is_told_in_one_round_and_nothing_is_written(estate: Estate, tmp_path: Path) -> None:
    estate.sync.configure(staging=True)
    table = write(
        tmp_path,
        row("round.one", mail="nonsense", groups="GG-Unknown"),
        row("round.two", manager="nobody.here"),
        row("round.three", licences="E99"),
        row("round.four"),
    )
    before = len(estate.sync.cycles)
    done = onboard(estate, tmp_path, onboarding_csv=table)
    assert done.returncode != 0
    faults = report(tmp_path)["faults"]
    assert [(fault["row"], fault["column"], fault["stage"]) for fault in faults] == [
        (None, None, "sync"),
        (2, "mail", "table"),
        (2, "groups", "directory"),
        (3, "manager", "directory"),
        (4, "licenses", "licences"),
    ]
    assert faults[0]["failure_reason"] == "staging"
    for fault in faults:
        assert " ".join(fault["msg"].split()) in told(done), "all of it is on the screen"
    assert all(find(estate, f"round.{name}@lab.example") is None for name in ("one", "two", "three", "four"))
    assert len(estate.sync.cycles) == before
    assert {person["account"] for person in report(tmp_path)["people"]} == {"refused"}


@pytest.mark.parametrize("check", [False, True], ids=["run", "check mode"])
def test_skip_goes_on_with_the_others_and_fails_at_the_end(estate: Estate, tmp_path: Path, check: bool) -> None:
    name = "checked" if check else "skipped"
    table = write(
        tmp_path,
        row(f"{name}.boss", mail="nonsense"),
        row(f"{name}.clerk", manager=f"{name}.boss"),
        row(f"{name}.third"),
        row(f"{name}.fourth", groups="GG-Unknown"),
    )
    mode = ("--check",) if check else ()
    done = onboard(estate, tmp_path, *mode, onboarding_csv=table, onboarding_on_fault="skip")
    assert done.returncode != 0, done.stdout
    people = report(tmp_path)["people"]
    assert [person["account"] for person in people] == ["refused", "refused", "to create" if check else "created", "refused"]
    assert "is new in row 2" in people[1]["reason"]
    assert [person["arrived"] for person in people] == [False, False, not check, False]
    assert (find(estate, f"{name}.third@lab.example") is None) == check
    assert find(estate, f"{name}.clerk@lab.example") is None
    lenient = onboard(estate, tmp_path, *mode, onboarding_csv=table, onboarding_on_fault="skip", onboarding_fail_on="failed")
    assert lenient.returncode == 0, lenient.stdout


def test_nobody_left_is_a_failure_and_starts_no_cycle(estate: Estate, tmp_path: Path) -> None:
    before = len(estate.sync.cycles)
    done = onboard(
        estate, tmp_path, onboarding_csv=write(tmp_path, row("no.one", mail="x")), onboarding_on_fault="skip", onboarding_fail_on="failed"
    )
    assert done.returncode != 0 and "Nobody is left" in told(done)
    assert len(estate.sync.cycles) == before


def test_a_fault_of_the_whole_run_stops_also_where_rows_are_skipped(estate: Estate, tmp_path: Path) -> None:
    estate.sync.configure(staging=True)
    pair = {name: estate.connection_variables() for name in ("sync1.lab.test", "sync2.lab.test")}
    done = onboard(estate, tmp_path, onboarding_csv=write(tmp_path, row("whole.run")), onboarding_on_fault="skip", servers=pair)
    assert done.returncode != 0
    assert "no_active_server" in told(done)
    assert "Every sync server is in staging mode (sync1.lab.test, sync2.lab.test)." in told(done)
    assert find(estate, "whole.run@lab.example") is None
    proceeds = onboard(
        estate, tmp_path, onboarding_csv=write(tmp_path, row("whole.run")), onboarding_on_staging="proceed", onboarding_cloud_timeout=1
    )
    assert proceeds.returncode != 0 and find(estate, "whole.run@lab.example") is not None
    assert report(tmp_path)["people"][0]["sync"] == "cycle ran", "a cycle that exports nothing has carried nobody"


def test_seats_are_counted_before_the_first_write(estate: Estate, tmp_path: Path) -> None:
    held = sum(1 for user in estate.tenant.users() if user["assignedLicenses"])
    tenant = estate.tenant._tenant
    tenant.skus = tuple(replace(sku, seats=held + 1) if sku.part_number == "SPE_E3" else sku for sku in tenant.skus)
    table = write(tmp_path, row("seat.one"), row("seat.two"))
    done = onboard(estate, tmp_path, onboarding_csv=table)
    assert done.returncode != 0 and "row 3, column licenses: the tenant has 1 free seats of SPE_E3" in told(done)
    assert find(estate, "seat.one@lab.example") is None
    done = onboard(estate, tmp_path, onboarding_csv=table, onboarding_on_fault="skip")
    assert [person["arrived"] for person in report(tmp_path)["people"]] == [True, False], done.stdout
    again = onboard(estate, tmp_path, onboarding_csv=write(tmp_path, row("seat.one")))
    assert again.returncode == 0, "whoever holds the licence needs no seat"


def test_a_report_directory_that_cannot_be_written_is_found_first(estate: Estate, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    table = write(tmp_path, row("no.report"))
    done = onboard(estate, tmp_path, onboarding_csv=table, onboarding_report_directory=str(tmp_path / "file" / "reports"))
    assert done.returncode != 0 and "is not a directory" in told(done)
    assert find(estate, "no.report@lab.example") is None


# -- what somebody has stays


def test_defaults_are_for_those_who_are_new(estate: Estate, tmp_path: Path) -> None:
    attributes = {
        "objectClass": ["user"],
        "sAMAccountName": "old.hand",
        "userPrincipalName": "old.hand@lab.example",
        "displayName": "Old Test",
        "mail": "old.hand@lab.example",
        "proxyAddresses": ["SMTP:old.hand@lab.example", "smtp:older@lab.example"],
        "userAccountControl": "544",
    }
    dn = f"CN=Old Hand,OU=Sub,{STAFF_OU}"
    with open_directory(estate) as directory:
        directory.add(f"OU=Sub,{STAFF_OU}", {"objectClass": ["organizationalUnit"]})
        directory.add(dn, attributes)
    procedures.trigger(estate)
    user = next(user for user in estate.tenant.users() if user["userPrincipalName"] == "old.hand@lab.example")
    estate.tenant._tenant.set_usage_location(estate.tenant._tenant.live[user["id"]], "AT")
    head = "upn;display_name;mail;department\n"
    table = write(tmp_path, "old.hand@lab.example;Old Test;old.hand@lab.example;Archive", head=head)
    done = onboard(estate, tmp_path, onboarding_csv=table)
    assert done.returncode == 0, done.stdout
    entry = find(estate, "old.hand@lab.example", "department", "proxyAddresses")
    assert entry.dn.lower() == dn.lower() and entry.text("department") == "Archive"
    assert sorted(entry.texts("proxyAddresses")) == sorted(attributes["proxyAddresses"])
    user = next(user for user in estate.tenant.users() if user["userPrincipalName"] == "old.hand@lab.example")
    assert user["usageLocation"] == "AT"


def test_namesakes_of_one_table_and_cells_that_clear(estate: Estate, tmp_path: Path) -> None:
    rows = ("Anna;Twin;twin.one@lab.example;;;;", "Anna;Twin;twin.two@lab.example;;;;")
    for _run in range(2):
        done = onboard(estate, tmp_path, onboarding_csv=write(tmp_path, *rows))
        assert done.returncode == 0, done.stdout
    names = sorted(find(estate, f"twin.{number}@lab.example").dn for number in ("one", "two"))
    assert names == [f"CN=Anna Twin (twin.two),{STAFF_OU}", f"CN=Anna Twin,{STAFF_OU}"]
    head = "upn;phone;manager;display_name\n"
    done = onboard(estate, tmp_path, onboarding_csv=write(tmp_path, "twin.one@lab.example;+49 1;maria.huber;", head=head))
    assert done.returncode == 0, done.stdout
    entry = find(estate, "twin.one@lab.example", "telephoneNumber", "manager", "displayName")
    assert entry.text("telephoneNumber") == "+49 1" and entry.text("manager")
    done = onboard(estate, tmp_path, onboarding_csv=write(tmp_path, "twin.one@lab.example;-;-;", head=head))
    assert done.returncode == 0, done.stdout
    entry = find(estate, "twin.one@lab.example", "telephoneNumber", "manager", "displayName")
    assert (entry.text("telephoneNumber"), entry.text("manager"), entry.text("displayName")) == (None, None, "Anna Twin")


# -- other ways to say it


def test_text_of_a_survey_several_controllers_and_what_is_handed_on(estate: Estate, tmp_path: Path) -> None:
    samba = estate.directory
    done = onboard(
        estate,
        tmp_path,
        environment={"ANSIBLE_SHOW_CUSTOM_STATS": "True"},
        onboarding_csv="",
        onboarding_csv_text="sep=,\nVorname,Nachname,upn,Pers.Nr.\nSur,Vey,sur.vey@lab.example,00042\nOut,Side,out.side@lab.example,00043\n",
        onboarding_columns={"Pers.Nr.": "employee_id"},
        onboarding_directory_server=["127.0.0.99", samba.address],
        onboarding_sync_type="delta",
        onboarding_min_interval="",
        onboarding_ou=SERVICE_OU,
        onboarding_cloud_timeout=1,
    )
    assert done.returncode != 0, "the organizational unit is not synchronised"
    assert f"{samba.address} is used, because others did not answer: 127.0.0.99" in told(done)
    entry = find(estate, "sur.vey@lab.example", "employeeID")
    assert entry.text("employeeID") == "00042"
    stats = done.stdout.partition("CUSTOM STATS")[2]
    for words in ("onboarding_reasons", "wait_timeout", "what_to_do", "onboarding_failure", "onboarding_run"):
        assert words in stats
    for secret in (PASSWORD, CLIENT_SECRET, samba.onboard_password):
        assert secret not in done.stdout


def test_people_as_text(estate: Estate, tmp_path: Path) -> None:
    """And of two sync servers the active one is found, although it comes second."""
    people = "- upn: tex.ter@lab.example\n  given_name: Tex\n  surname: Ter\n  employee_id: 0077\n"
    with Estate(EstateOptions(directory=False, tenant=False, powershell="none", connect={"staging": True})) as passive:
        servers = {"sync1.lab.test": passive.connection_variables(), "sync2.lab.test": estate.connection_variables()}
        controllers = f"127.0.0.98, {estate.directory.address}"
        done = onboard(estate, tmp_path, onboarding_people=people, onboarding_directory_server=controllers, servers=servers)
        assert passive.sync.cycles == []
    assert done.returncode == 0, done.stdout
    assert report(tmp_path)["run"]["sync_server"] == "sync2.lab.test"
    assert find(estate, "tex.ter@lab.example", "employeeID").text("employeeID") == "0077"
