# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Thousands of mutations of real answers: none raises anything but the collection's own failure, and none makes a verdict that is false."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from ansible_collections.hybrid.identity.plugins.module_utils._deadline import Deadline
from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._graph._ensure_cloud_users import CLOSING_TIME, CloudUsers
from ansible_collections.hybrid.identity.plugins.module_utils._graph._http import Reply, TooLong
from ansible_collections.hybrid.identity.plugins.module_utils._graph._people import source_anchor

EVIL = "\x1b[2J\x1b]0;x\x07\u202e\r\n'"
ODD: tuple[Any, ...] = (None, True, False, -1, 0, 1.5, 10**30, "", "x", EVIL, [], {}, [None], [[]], [{}], {"x": None}, "9" * 5000)
HEADERS = (
    "0",
    "-1",
    "nan",
    "inf",
    "1e400",
    "Fri, 31 Feb 2026 99:00:00 GMT",
    "Mon, 01 Jan 9999 00:00:00 GMT",
    "",
    "soon",
    "86400",
    "9" * 400,
)
#: values of these that are well formed are no damage but a lie, which nobody can see: only their types are changed
TRUSTED = (
    "onPremisesSyncEnabled",
    "onPremisesImmutableId",
    "userPrincipalName",
    "onPremisesUserPrincipalName",
    "onPremisesProvisioningErrors",
)
SEED, RUNS = int(os.environ.get("HYBRID_IDENTITY_SEED", "20261124")), int(os.environ.get("HYBRID_IDENTITY_RUNS", "900"))


class Hostile:
    """In the place of the HTTP client: the lab's own answers, without a network, some of them damaged."""

    def __init__(self, cloud: Any, chance: random.Random, rate: float) -> None:
        self._server, self._chance, self._rate = cloud.server, chance, rate
        self.damaged = 0

    def request(self, method: str, url: str, **options: Any) -> Reply:
        """As HttpClient.request."""
        body = json.dumps(options["json"]) if options.get("json") is not None else urlencode(options.get("data") or {})
        headers = {name.lower(): value for name, value in (options.get("headers") or {}).items()}
        answer = self._server._serve(method, url[len(self._server.url) :], headers, body.encode())
        reply = Reply(answer.status, answer.body, answer.headers)
        if self._chance.random() >= self._rate:
            return reply
        self.damaged += 1
        return self._damaged(reply)

    def get(self, url: str, **options: Any) -> Reply:
        """As msal calls it."""
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> Reply:
        """As msal calls it."""
        return self.request("POST", url, **options)

    def close(self) -> None:
        """Nothing is open."""

    def _damaged(self, reply: Reply) -> Reply:
        chance = self._chance
        kind = chance.random()
        if kind < 0.6:
            try:
                body = json.loads(reply.content)
            except ValueError:
                return reply
            for _number in range(chance.choice((1, 1, 1, 2, 5))):
                _damage(body, chance)
            return Reply(reply.status_code, json.dumps(body).encode(), {**reply.headers, "Retry-After": chance.choice(HEADERS)})
        if kind < 0.7:
            return Reply(reply.status_code, reply.content[: chance.randrange(len(reply.content) + 1)], reply.headers)
        if kind < 0.8:
            odd = (b"<html>", b"", b"null", b"[]", b"3", b'"x"', b"\xff\xfe", b"[" * 50_000, b'{"a":' * 50_000, b"{" + b" " * 1000, b"NaN")
            return Reply(chance.choice((200, 200, reply.status_code)), chance.choice(odd), {})
        if kind < 0.93:
            status = chance.choice((204, 301, 400, 401, 403, 404, 407, 409, 418, 429, 500, 502, 503, 504, 599))
            return Reply(status, chance.choice((b"", b"<html>", b'{"error": 1}', b'{"error": {"code": [], "message": {}}}')), {})
        raise chance.choice(
            (
                requests.exceptions.ConnectionError("reset"),
                requests.exceptions.ReadTimeout("slow"),
                requests.exceptions.ChunkedEncodingError("cut"),
                requests.exceptions.InvalidHeader("odd"),
                TooLong(),
                UnicodeError("label too long"),
                OSError(5, "broken"),
            )
        )


def _nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) below a value."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _nodes(value[key])


def _damage(body: Any, chance: random.Random) -> None:
    nodes = list(_nodes(body))
    if not nodes:
        return
    owner, key = chance.choice(nodes)
    how = chance.random()
    trusted = key in TRUSTED
    if how < 0.25 and isinstance(owner, dict):
        del owner[key]
    elif how < 0.35 and isinstance(owner, dict):
        owner[f"{key}x"] = owner.pop(key)
    elif how < 0.45 and isinstance(owner, list):
        owner.append(owner[key])
    else:
        value = chance.choice(ODD)
        well_formed = isinstance(value, (str, bool)) or value is None or value == [] or value == [{}] or value == [None]
        if not (trusted and well_formed):
            owner[key] = value


def _texts(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(_texts(part) for pair in value.items() for part in pair)
    return "".join(map(_texts, value)) if isinstance(value, (list, tuple)) else str(value)


@pytest.mark.parametrize("part", range(6))
def test_mutations(cloud: Any, part: int) -> None:
    cloud.server.stop()
    began_with = [cloud.arrive(name) for name in ("anna", "ben", "cleo")]
    cloud.server._tenant.options.licence_lag = 0
    stranger = source_anchor("x", None, "f7cc07d7-7c15-447d-876d-c01b0e5a9e38")
    people = [
        {"upn": "anna@lab.example", "source_anchor": began_with[0], "usage_location": "DE", "licenses": ["SPE_E3"]},
        {"upn": "ben@lab.example", "source_anchor": began_with[1], "usage_location": "AT", "licenses": ["FEW", "SPE_E3"]},
        {"upn": "cleo@lab.example", "licenses": ["FEW"]},
        {"upn": "late@lab.example", "source_anchor": stranger, "licenses": ["SPE_E3"]},
    ]
    chance = random.Random(SEED + part)
    damaged = 0
    verdicts: dict[str, int] = {}
    for _run in range(RUNS // 6):
        for user in cloud.server._tenant.live.values():
            user.update(usageLocation=None, assignedLicenses=[])
        client = cloud.client(40 + CLOSING_TIME)
        hostile = Hostile(cloud, chance, chance.choice((0.05, 0.2, 0.6)))
        client._http = client._tokens._http = hostile  # type: ignore[assignment]
        done = CloudUsers(client, Deadline(40, cloud.clock), sleep=cloud.sleep, clock=cloud.clock, wait=chance.random() < 0.8)
        began = cloud.now
        try:
            result = done.ensure(people)
        except HybridIdentityError as error:
            result = error.as_result()
            assert not any(user["usageLocation"] or user["assignedLicenses"] for user in cloud.server.users()), "something was written"
        damaged += hostile.damaged
        assert cloud.now - began <= 40 + CLOSING_TIME
        json.dumps(result)
        assert not set(_texts(result)) & set("\x1b\x07\u202e\r\n")
        for item in result.get("users", []):
            verdicts[item["state"]] = verdicts.get(item["state"], 0) + 1
            _check(cloud, item)
        verdicts["raised"] = verdicts.get("raised", 0) + ("users" not in result)
    assert damaged > RUNS // 6 * 3
    assert all(verdicts.get(kind, 0) > 20 for kind in ("ready", "missing", "failed", "raised")), verdicts


def _check(cloud: Any, item: dict[str, Any]) -> None:
    there = {user["userPrincipalName"]: user for user in cloud.server.users()}
    user = there.get(item["upn"])
    if item["state"] in ("ready", "conflict"):
        assert user is not None and item["state"] == "ready", item
    if item["state"] == "ready":
        skus = {sku.part_number: sku.sku_id for sku in cloud.server._tenant.skus}
        assert {skus[name] for name in item["licenses"]} <= {licence["skuId"] for licence in user["assignedLicenses"]}, item
        assert item["id"] == user["id"]
        assert item["usage_location"] == user["usageLocation"], item
    if item["state"] == "missing":
        assert user is None, item
    if user is not None and (user["usageLocation"] or user["assignedLicenses"]):
        assert item["changed"], f"was written: {item}"
