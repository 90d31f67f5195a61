# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Accounts: ad_users against a plain script, each time in a directory of its own."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from directories import STAFF, running_directory

from lab.directory import SambaDirectory

from .bars import Bar, fixed
from .link import link

_PASSWORD = "Bench-Passw0rd.1"
_ROUND_TRIP = 0.02


def people(number: int, **more: Any) -> list[dict[str, Any]]:
    """So many new colleagues."""
    return [
        {
            "upn": f"p{n:05}@lab.example",
            "sam_account_name": f"p{n:05}",
            "display_name": f"Person Nr{n:05}",
            "given_name": "Person",
            "surname": f"Nr{n:05}",
            "department": f"Department {n % 7}",
            **more,
        }
        for n in range(number)
    ]


def _run(who: str, samba: SambaDirectory, persons: list[dict[str, Any]], port: int = 636) -> dict[str, Any]:
    address = samba.address if port == 636 else "127.0.0.1"
    connection = {"directory_server": address, "port": port, "username": samba.onboard_user, "password": samba.onboard_password}
    connection.update(ca_cert=samba.authority_path, server_name=samba.host_name)
    task = {"connection": connection, "ou": STAFF, "password": _PASSWORD, "people": persons}
    command = [sys.executable, "-W", "ignore", "-m", "bench.contestant", who]
    done = subprocess.run(command, input=json.dumps(task), capture_output=True, text=True, check=True)
    told = dict(json.loads(done.stdout))
    if not told["told"].startswith(f"{len(persons)} ") or "fail" in told["told"]:
        raise RuntimeError(f"{who}: {told['told']}")
    return told


@contextlib.contextmanager
def _reached(samba: SambaDirectory, round_trip: float) -> Iterator[int]:
    if not round_trip:
        yield 636
        return
    with link(samba.address, 636, round_trip) as port:
        yield port


def _against_script(number: int, rounds: int, round_trip: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    took: dict[str, list[float]] = {"ours": [], "script": []}
    for at in range(rounds):
        for who in ("ours", "script") if at % 2 == 0 else ("script", "ours"):
            with running_directory(90) as samba, _reached(samba, round_trip) as port:
                took[who].append(_run(who, samba, people(number), port)["seconds"])
    return tuple(took["ours"]), tuple(took["script"])


def creating(number: int, rounds: int) -> Bar:
    """New people."""
    own, other = _against_script(number, rounds, 0.0)
    return Bar(f"creating {number} people, against one complete add for each", own, other, 1.15, "s")


def creating_from_far_away(number: int, rounds: int) -> Bar:
    """The same with a round trip."""
    own, other = _against_script(number, rounds, _ROUND_TRIP)
    return Bar(f"creating {number} people, {_ROUND_TRIP * 1000:.0f} ms from the domain controller", own, other, 0.6, "s")


def rerun(number: int, rounds: int) -> Bar:
    """Whether the work of a second run grows with the people and no faster."""
    few: list[float] = []
    many: list[float] = []
    for _round in range(rounds):
        for size, took in ((number, few), (3 * number, many)):
            with running_directory(90) as samba:
                _run("script", samba, people(size))
                took.append(_run("ours", samba, people(size))["cpu"])
    return Bar(f"CPU of a second run, {3 * number} against {number} people", tuple(many), tuple(few), 3.3, "s")


def operations(number: int) -> list[Bar]:
    """LDAP operations for each person, when everybody has another manager."""
    with running_directory(90) as samba:
        bosses = [{**person, "upn": "b" + person["upn"], "sam_account_name": "b" + person["sam_account_name"]} for person in people(number)]
        bosses = [{**person, "display_name": "Boss " + person["surname"]} for person in bosses]
        _run("ours", samba, bosses)
        led = [{**person, "manager": boss["sam_account_name"]} for person, boss in zip(people(number), bosses, strict=True)]
        new, unchanged = (_run("ours", samba, led)["operations"] / number for _run_of_two in range(2))
    return [
        fixed("LDAP operations for a new person, all managers distinct", (new,), 1.4, "per person"),
        fixed("LDAP operations for a person who is as wanted", (unchanged,), 0.2, "per person"),
    ]
