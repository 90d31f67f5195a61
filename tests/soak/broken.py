# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Connections that break while people are written: is everything true that the result says, and does a second run make everybody whole?"""

from __future__ import annotations

import base64
import itertools
import os
import random
import sys
import tempfile
import traceback
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from directories import GROUPS, PASSWORD, STAFF, Admin, ensure, options, running_directory

from ansible_collections.hybrid.identity.plugins.module_utils._deadline import Deadline
from ansible_collections.hybrid.identity.plugins.module_utils._directory import _ensure_accounts
from ansible_collections.hybrid.identity.plugins.module_utils._directory._connection import Directory
from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._graph._client import GraphClient
from ansible_collections.hybrid.identity.plugins.module_utils._graph._ensure_cloud_users import CloudUsers
from ansible_collections.hybrid.identity.plugins.module_utils._graph._options import read_graph_options
from lab.certificates import Certificate, make_authority
from lab.directory import SambaDirectory
from lab.entra import EntraServer, Sku
from lab.synchronisation import ExportedUser

from .breaking import BreakingWay, break_of

_SECRET = "Broken-Cl1ent.Secret"
_SKU = Sku("SPE_E3", "05e9a617-0261-4cee-bb44-138d3ef5d965", 100_000)
_READ = ("userPrincipalName", "department", "displayName", "manager", "memberOf", "userAccountControl", "pwdLastSet", "sAMAccountName")
_FAILED = ("failed", "missing", "conflict")


@dataclass
class Broken:
    """One run over a connection that breaks. told: its outcome in a few words. wrong: what it said that was not so, or was not repaired."""

    seed: int
    of: str
    where: str
    struck: bool = False
    told: str = ""
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """One line."""
        return f"seed {self.seed}: {self.of}, {self.where}: {self.told}: {'; '.join(self.wrong) or 'ok'}"


# -- Active Directory


def break_directory(samba: SambaDirectory, seed: int) -> Broken:
    """Write some people, of whom a part is there already, over a connection that breaks; then once more over one that does not."""
    chance = random.Random(seed)
    people = _people(seed, chance)
    there = [{**person, "department": "Before", "manager": "", "groups": []} for person in people if chance.random() < 0.4]
    if there:
        ensure(samba, *there)
    planned = break_of(chance, 5_000 + 700 * len(people))
    outcome = Broken(seed, f"{len(people)} accounts, {len(there)} of them there", str(planned))
    before = _accounts(samba, seed)
    with BreakingWay(samba.address, 636, planned) as way:
        result = ensure(samba, *people, directory_server="127.0.0.1", port=way.port, timeout=2)
        outcome.struck = way.struck
    after = _accounts(samba, seed)
    outcome.told = _words(result)
    outcome.wrong += _wrong_accounts(people, result, before, after)
    again = ensure(samba, *people)
    whole = _accounts(samba, seed)
    if again.get("failed"):
        outcome.wrong.append(f"the second run failed: {again['msg']}")
    outcome.wrong += [f"after the second run {fault}" for person in people for fault in _lacks(person, whole, people)]
    if len(whole) != len(people):
        outcome.wrong.append(f"there are {len(whole)} accounts after the second run")
    for person in chance.sample(people, 2):
        if not _signs_in(samba, person["upn"]):
            outcome.wrong.append(f"the password of {person['upn']} does not work")
    return outcome


def _people(seed: int, chance: random.Random) -> list[dict[str, Any]]:
    people: list[dict[str, Any]] = []
    for number in range(chance.randint(4, 28)):
        sam = f"b{seed % 10**6:06}.{number:02}"
        leaders = ["maria.huber", *(person["sam_account_name"] for person in people)]
        groups = chance.sample(["GG-AllStaff", "GG-Sales", "GG-Licensed"], chance.randint(0, 2))
        people.append(
            {
                "upn": f"{sam}@lab.example",
                "sam_account_name": sam,
                "display_name": f"Broken {sam}",
                "department": f"Department {number % 3}",
                "manager": chance.choice(leaders),
                "groups": groups,
            }
        )
    chance.shuffle(people)
    return people


def _accounts(samba: SambaDirectory, seed: int) -> dict[str, dict[str, Any]]:
    """By user principal name everything of the accounts of a seed that a run can write."""
    admin = options(samba, username=samba.admin_user, password=samba.admin_password)
    with Directory(admin) as directory:
        found = directory.search([f"(sAMAccountName=b{seed % 10**6:06}.*)"], _READ, base=STAFF)
    return {(entry.text("userPrincipalName") or "").lower(): {name: sorted(entry.texts(name)) for name in _READ} for entry in found}


def _lacks(person: dict[str, Any], accounts: dict[str, dict[str, Any]], people: list[dict[str, Any]]) -> list[str]:
    """What an account has not of what its row says."""
    entry = accounts.get(person["upn"])
    if entry is None:
        return [f"{person['upn']} is not there"]
    names = {"maria.huber": "Maria Huber", **{one["sam_account_name"]: one["display_name"] for one in people}}
    wanted = {
        "department": [person["department"]],
        "displayName": [person["display_name"]],
        "manager": [f"CN={names[person['manager']]},{STAFF}"],
        "memberOf": sorted(f"CN={name},{GROUPS}" for name in person["groups"]),
        "userAccountControl": ["512"],
    }
    return [f"{person['upn']} has {name} {entry[name]}" for name, values in wanted.items() if entry[name] != values]


def _wrong_accounts(people: list[dict[str, Any]], result: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    wrong = []
    if not result.get("changed") and before != after:
        wrong.append("the result says that nothing was changed, and something was")
    told = result.get("accounts")
    if told is None:
        return wrong
    for person, account in zip(people, told, strict=True):
        upn, action = person["upn"], account["action"]
        if action in ("failed", "refused"):
            if not account["changed"] and before.get(upn) != after.get(upn):
                wrong.append(f"{upn} is {action} and said to be unchanged, and was changed ({account['msg']})")
            if account["changes"] and upn not in after:
                wrong.append(f"{upn} is said to be changed, and is not there")
            continue
        if lacking := _lacks(person, after, people):
            wrong.append(f"{upn} is {action}, but {', '.join(lacking)}")
        if action == "unchanged" and before.get(upn) != after.get(upn):
            wrong.append(f"{upn} is said to be unchanged, and was changed")
        if (action == "created") != (upn not in before):
            wrong.append(f"{upn} is {action}, and was {'there' if upn in before else 'not there'} before")
    if not result.get("failed") and any(account["action"] in ("failed", "refused") for account in told):
        wrong.append("the result is a success with accounts that failed")
    return wrong


def _signs_in(samba: SambaDirectory, upn: str) -> bool:
    try:
        with Directory(options(samba, username=upn, password=PASSWORD)):
            return True
    except HybridIdentityError:
        return False


# -- Entra ID


def break_tenant(certificate: Certificate, seed: int) -> Broken:
    """Licence some people, of whom a part is licensed already, over a connection that breaks; then once more over one that does not."""
    chance = random.Random(seed)
    server = EntraServer(certificate=certificate, applications={"app": _SECRET}, skus=(_SKU,))
    people = []
    for number in range(chance.randint(4, 60)):
        anchor = base64.b64encode(uuid.uuid5(uuid.NAMESPACE_DNS, f"{seed}.{number}").bytes_le).decode()
        upn = f"t{number:02}@lab.example"
        server.apply(ExportedUser("add", anchor, {"userPrincipalName": upn, "displayName": f"Person {number}"}))
        people.append({"upn": upn, "source_anchor": anchor, "usage_location": "DE", "licenses": ["SPE_E3"]})
    server.start()
    try:
        there = [person for person in people if chance.random() < 0.3]
        if there:
            _license(server, server.url, certificate, there)
        planned = break_of(chance, 4_000 + 250 * len(people))
        outcome = Broken(seed, f"{len(people)} people in the tenant, {len(there)} of them licensed", str(planned))
        before = _users(server)
        with BreakingWay("127.0.0.1", server.port, planned) as way:
            result = _license(server, f"https://localhost:{way.port}", certificate, people)
            outcome.struck = way.struck
        after = _users(server)
        outcome.told = _words(result)
        outcome.wrong += _wrong_people(people, result, before, after)
        again = _license(server, server.url, certificate, people)
        if again.get("failed") or again["summary"]["ready"] != len(people):
            outcome.wrong.append(f"the second run did not make everybody ready: {again['msg']}")
        outcome.wrong += [f"after the second run {upn} has {state}" for upn, state in _users(server).items() if state != _WHOLE]
    finally:
        server.stop()
    return outcome


_WHOLE = ("DE", [_SKU.sku_id])


def _users(server: EntraServer) -> dict[str, tuple[Any, list[str]]]:
    return {
        user["userPrincipalName"]: (user["usageLocation"], [one["skuId"] for one in user["assignedLicenses"]]) for user in server.users()
    }


def _license(server: EntraServer, url: str, certificate: Certificate, people: list[dict[str, Any]]) -> dict[str, Any]:
    given = {"tenant_id": server.tenant_id, "client_id": "app", "client_secret": _SECRET, "graph_url": url, "authority_url": url}
    options_of_task = read_graph_options({**given, "ca_cert": str(certificate.authority_path)}, {})
    client = GraphClient(options_of_task, Deadline(9))
    try:
        return CloudUsers(client, Deadline(6), wait_sleep=0.5).ensure(people)
    except HybridIdentityError as error:
        return error.as_result()
    finally:
        client.close()


def _wrong_people(people: list[dict[str, Any]], result: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    wrong = []
    if not result.get("changed") and before != after:
        wrong.append("the result says that nothing was changed, and something was")
    for person, user in zip(people, result.get("users") or [], strict=False):
        upn, state = person["upn"], user["state"]
        if state == "ready" and after[upn] != _WHOLE:
            wrong.append(f"{upn} is ready, and has {after[upn]}")
        if state in ("missing", "conflict"):
            wrong.append(f"{upn} is {state}, and is there ({user['msg']})")
        if not user["changed"] and before[upn] != after[upn]:
            wrong.append(f"{upn} is said to be unchanged, and was changed ({user['msg']})")
    if not result.get("failed") and any(user["state"] in _FAILED for user in result.get("users") or []):
        wrong.append("the result is a success with people who are not ready")
    return wrong


def _words(result: dict[str, Any]) -> str:
    return str(result.get("failure_reason") or "done") if result.get("failed") else "done"


# -- the campaign


def run_some(first: int, number: int) -> list[Broken]:
    """So many connections that broke, every second one to the tenant; a seed whose break lies behind the end of its run is not counted."""
    _ensure_accounts._SETTLE = -60.0  # nothing is synchronised here
    outcomes: list[Broken] = []
    with tempfile.TemporaryDirectory(prefix="broken-") as folder, running_directory(94) as samba:
        certificate = make_authority(Path(folder)).issue(["localhost"], ["127.0.0.1"], Path(folder) / "server")
        Admin(samba)  # signs in: it is there
        for seed in itertools.count(first):
            if sum(outcome.struck or bool(outcome.wrong) for outcome in outcomes) >= number:
                break
            try:
                outcomes.append(break_tenant(certificate, seed) if seed % 2 else break_directory(samba, seed))
            except Exception:
                raised = traceback.format_exc().strip().replace("\n", " | ")
                outcomes.append(Broken(seed, "a case", "not known", wrong=[f"raised: {raised}"]))
            print(outcomes[-1], flush=True)
    return outcomes


def main() -> int:
    """The campaign: SOAK_BROKEN of them (200), from seed SOAK_SEED; 0 when no verdict was wrong."""
    first, number = int(os.environ.get("SOAK_SEED") or 20261124), int(os.environ.get("SOAK_BROKEN") or 200)
    print(f"{number} connections that break, from seed {first}", flush=True)
    outcomes = run_some(first, number)
    told = Counter(outcome.told for outcome in outcomes if outcome.struck)
    wrong = sum(bool(outcome.wrong) for outcome in outcomes)
    struck = sum(outcome.struck for outcome in outcomes)
    words = ", ".join(f"{count} times {words}" for words, count in told.most_common())
    print(f"{struck} connections broke in {len(outcomes)} runs, told {words}; {wrong} with wrong verdicts", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
