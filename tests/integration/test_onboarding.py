# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The playbook onboard.yml in a whole estate: real directory, simulated sync server and tenant."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import procedures
import pytest
from estates import POWERSHELL
from loopback import own_address
from patience import wait_until

from ansible_collections.hybrid.identity.plugins.module_utils._directory._connection import Directory, DirectoryOptions
from lab.directory import SambaMissing
from lab.directory_seed import MANAGER_PASSWORD, MANAGER_UPN
from lab.estate import CLIENT_SECRET, Estate, EstateOptions

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = ROOT / "playbooks" / "onboard.yml"
SAMPLE = ROOT / "playbooks" / "files" / "colleagues.csv"
PASSWORD = "W3lcome.to-the-tests"


@pytest.fixture
def estate() -> Iterator[Estate]:
    chosen = Estate(EstateOptions(directory_address=own_address(63), cycle_seconds=1.0, powershell=POWERSHELL or "none"))
    try:
        chosen.start()
    except SambaMissing as error:
        pytest.skip(str(error))
    yield chosen
    chosen.stop()


def onboard(estate: Estate, folder: Path, table: Path | None, *arguments: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    inventory = estate.inventory()
    inventory["all"]["hosts"]["localhost"].update(
        onboarding_initial_password=PASSWORD, onboarding_report_directory=str(folder / "reports"), **variables
    )
    if table is not None:
        inventory["all"]["hosts"]["localhost"]["onboarding_csv"] = str(table)
    return procedures.run_playbook(folder, inventory, PLAYBOOK, *arguments)


def recap(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    line = next(line for line in done.stdout.splitlines() if line.startswith("localhost") and "changed=" in line)
    return {name: int(number) for name, number in (part.split("=") for part in line.split(":", 1)[1].split())}


def open_directory(estate: Estate) -> Directory:
    samba = estate.directory
    options = DirectoryOptions(
        samba.address, samba.admin_user, samba.admin_password, ca_cert=estate.authority_path, server_name=samba.host_name
    )
    return Directory(options)


def people_in_directory(estate: Estate) -> set[str]:
    with open_directory(estate) as directory:
        found = directory.search(["(&(objectClass=user)(employeeID=*))"], ["userPrincipalName"], base="OU=Staff,DC=lab,DC=test")
    return {entry.text("userPrincipalName") or "" for entry in found} - {"maria.huber@lab.example"}


def test_twelve_people_go_the_whole_way_and_a_second_run_changes_nothing(estate: Estate, tmp_path: Path) -> None:
    predicted = onboard(estate, tmp_path, SAMPLE, "--check")
    assert predicted.returncode == 0, predicted.stdout
    assert people_in_directory(estate) == set()
    assert estate.sync.cycles == []

    first = onboard(estate, tmp_path, SAMPLE)
    assert first.returncode == 0, first.stdout
    assert len(people_in_directory(estate)) == 12
    assert len(estate.sync.cycles) == 1
    arrived = {user["userPrincipalName"]: user for user in estate.tenant.users()}
    with SAMPLE.open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter=";"):
            user = arrived[row["upn"]]
            assert user["displayName"] == (row["display_name"] or f"{row['given_name']} {row['surname']}")
            assert user["usageLocation"] == "DE"
            assert len(user["assignedLicenses"]) == 1
            assert row["upn"] in first.stdout

    second = onboard(estate, tmp_path, SAMPLE, "--diff", "-vvvvv")
    assert second.returncode == 0, second.stdout
    assert recap(second)["changed"] == 0
    assert len(estate.sync.cycles) == 1
    reports = sorted((tmp_path / "reports").glob("*.json"))
    told = json.loads(reports[-1].read_text(encoding="utf-8"))
    assert told["summary"]["arrived"] == 12
    for report in reports[-2:]:
        passwords = [person["password"] for person in json.loads(report.read_text(encoding="utf-8"))["people"]]
        assert passwords == ["succeeded"] * 12, "seen in the events by an account that may read them, and forced by nobody"
    assert estate.sync.passwords.switched == []
    told_by_lab = [str(estate.tenant.requests), str(estate.wsman.log.audit)]
    for text in [
        first.stdout,
        second.stdout,
        second.stderr,
        *told_by_lab,
        *(report.read_text(encoding="utf-8") for report in (tmp_path / "reports").iterdir()),
    ]:
        for secret in (PASSWORD, CLIENT_SECRET, estate.directory.onboard_password):
            assert secret not in text


HEAD = "given_name;surname;upn;mail\n"
GOOD = "Anna;Huber;anna.huber@lab.example;anna.huber@lab.example\n"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("given_name;surename;upn\nAnna;Huber;anna.huber@lab.example\n", "surname"),
        (HEAD + GOOD + "Bo;Chen;;bo.chen@lab.example\n", "upn"),
        (HEAD + GOOD + "Bo;Chen;bo.chen@corp.invalid;\n", "corp.invalid"),
        (HEAD + GOOD + "Anna;Huber;Anna.Huber@lab.example;\n", "anna.huber@lab.example"),
    ],
    ids=["unknown column", "missing upn", "suffix not verified", "duplicate person"],
)
def test_a_faulty_table_writes_nothing(estate: Estate, tmp_path: Path, table: str, words: str) -> None:
    file = tmp_path / "people.csv"
    file.write_text(table, encoding="utf-8")
    done = onboard(estate, tmp_path, file)
    assert done.returncode != 0
    assert "invalid_input" in done.stdout
    assert words.lower() in done.stdout.lower()
    assert people_in_directory(estate) == set()
    assert estate.sync.cycles == []


def test_a_rerun_repairs_what_a_failed_stage_left(estate: Estate, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(HEAD + GOOD, encoding="utf-8")
    estate.sync.configure(staging=True)
    failed = onboard(estate, tmp_path, file)
    assert failed.returncode != 0
    assert "staging" in failed.stdout
    assert people_in_directory(estate) == {"anna.huber@lab.example"} or len(people_in_directory(estate)) == 0
    assert list((tmp_path / "reports").glob("*.json")), "the report is written also when a stage failed"
    estate.sync.configure(staging=False)
    estate.sync.configure(events_readable=False)
    repaired = onboard(estate, tmp_path, file)
    assert repaired.returncode == 0, repaired.stdout
    (anna,) = json.loads(max((tmp_path / "reports").glob("*.json")).read_text(encoding="utf-8"))["people"]
    assert (anna["password"], anna["arrived"]) == ("unknown", True), "what cannot be read holds nobody up"
    assert "event log" in anna["password_reason"]
    assert [user["userPrincipalName"] for user in estate.tenant.users()].count("anna.huber@lab.example") == 1


def test_one_refused_account_does_not_hold_up_the_others(estate: Estate, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(HEAD + GOOD, encoding="utf-8")
    assert onboard(estate, tmp_path, file, onboarding_licenses=[]).returncode == 0
    file.write_text(HEAD + "Bo;Chen;bo.chen@lab.example;\n" + GOOD, encoding="utf-8")
    clerk = {"onboarding_directory_username": MANAGER_UPN, "onboarding_directory_password": MANAGER_PASSWORD}  # may read, not create
    done = onboard(estate, tmp_path, file, **clerk)
    assert done.returncode != 0
    assert "directory_denied" in done.stdout
    report = json.loads(max((tmp_path / "reports").glob("*.json")).read_text(encoding="utf-8"))
    bo, anna = report["people"]
    assert [bo[stage] for stage in ("account", "sync", "cloud", "licence")] == ["failed", "not reached", "not reached", "not reached"]
    assert bo["failure_reason"] == "directory_denied"
    assert (anna["account"], anna["arrived"], anna["licence"]) == ("unchanged", True, "assigned")
    told = onboard(estate, tmp_path, file, onboarding_fail_on="never", **clerk)
    assert told.returncode == 0, told.stdout
    assert recap(told)["changed"] == 0
    repaired = onboard(estate, tmp_path, file)
    assert repaired.returncode == 0, repaired.stdout
    assert {"bo.chen", "anna.huber"} <= _names_in_tenant(estate)


def test_somebody_out_of_scope_is_missing_and_not_done(estate: Estate, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(HEAD + GOOD, encoding="utf-8")
    done = onboard(estate, tmp_path, file, onboarding_ou="OU=Service,DC=lab,DC=test", onboarding_cloud_timeout=1)
    assert done.returncode != 0
    assert "wait_timeout" in done.stdout
    assert recap(done)["failed"] == 1


def test_the_tenant_may_be_slow_and_throttle(estate: Estate, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(HEAD + GOOD, encoding="utf-8")
    estate.tenant.visibility_delay = 2
    estate.tenant.throttle(2, 1)
    estate.sync.configure(password_new_outcome="pending")
    waited = {"onboarding_password": "wait", "onboarding_password_timeout": 4}
    done = onboard(estate, tmp_path, file, **waited)
    assert done.returncode != 0
    (anna,) = json.loads(max((tmp_path / "reports").glob("*.json")).read_text(encoding="utf-8"))["people"]
    assert (anna["cloud"], anna["password"], anna["arrived"]) == ("ready", "pending", False), "she was waited for"
    assert "anna.huber@lab.example: wait_timeout: It was sent, and no result came" in done.stdout


def _add_account(estate: Estate, name: str) -> None:
    attributes = {"objectClass": ["user"], "sAMAccountName": name, "userPrincipalName": f"{name}@lab.example", "displayName": name.title()}
    with open_directory(estate) as directory:
        directory.add(f"CN={name},OU=Staff,DC=lab,DC=test", {**attributes, "userAccountControl": "514"})


def _names_in_tenant(estate: Estate) -> set[str]:
    return {user["userPrincipalName"].split("@")[0] for user in estate.tenant.users()}


def test_change_report_counts_what_went_through(estate: Estate) -> None:
    procedures.trigger(estate)
    _add_account(estate, "one")
    _add_account(estate, "two")
    estate.sync.arm("export_error", error="AttributeValueMustBeUnique")
    result = procedures.trigger(estate, fail_on="errors")
    assert result["failure_reason"] == "object_errors"
    assert result["changes"]["import"]["add"] == 2
    assert result["changes"]["export"] == {"add": 1, "update": 0, "delete": 0, "failed": 1}
    faulty = [error for run in result["runs"] for error in run["errors"]]
    assert [error["type"] for error in faulty] == ["AttributeValueMustBeUnique"]
    repaired = procedures.trigger(estate, fail_on="errors")
    assert repaired["changes"]["export"]["add"] == 1
    assert {"one", "two"} <= _names_in_tenant(estate)


def test_an_account_made_after_the_import_is_carried_by_the_next_cycle(estate: Estate) -> None:
    procedures.trigger(estate)
    estate.sync.configure(cycle_seconds=4.0)
    estate.sync.start_cycle()
    wait_until(lambda: estate.sync.cycles[-1].import_began and len(estate.sync.engine.history) > 7)
    _add_account(estate, "late")
    result = procedures.trigger(estate)
    assert result["sync"]["ownership"] == "own"
    assert len(estate.sync.cycles) == 3
    assert "late" in _names_in_tenant(estate)
