# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""People in Entra ID: entra_user against sequential batches of twenty, and how many requests it takes."""

from __future__ import annotations

import base64
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import requests

from ansible_collections.hybrid.identity.plugins.module_utils._deadline import Deadline
from ansible_collections.hybrid.identity.plugins.module_utils._graph._client import GraphClient
from ansible_collections.hybrid.identity.plugins.module_utils._graph._ensure_cloud_users import CloudUsers
from ansible_collections.hybrid.identity.plugins.module_utils._graph._options import read_graph_options
from lab.certificates import Certificate, make_authority
from lab.entra import EntraServer, Sku
from lab.entra.server import RequestRecord
from lab.synchronisation import ExportedUser

from .bars import Bar, fixed
from .link import link

_SECRET = "Bench-Cl1ent.Secret"
_SKU = Sku("SPE_E3", "05e9a617-0261-4cee-bb44-138d3ef5d965", 100_000)
_ROUND_TRIP, _BATCH = 0.15, 20


def _tenant(certificate: Certificate, number: int) -> tuple[EntraServer, list[dict[str, Any]]]:
    """A tenant in which so many people have arrived; and them as entra_user wants them."""
    server = EntraServer(certificate=certificate, applications={"app": _SECRET}, skus=(_SKU,))
    people = []
    for n in range(number):
        anchor = base64.b64encode(uuid.uuid5(uuid.NAMESPACE_DNS, str(n)).bytes_le).decode()
        upn = f"p{n:05}@lab.example"
        server.apply(ExportedUser("add", anchor, {"userPrincipalName": upn, "displayName": f"Person {n}"}))
        people.append({"upn": upn, "source_anchor": anchor, "usage_location": "DE", "licenses": ["SPE_E3"]})
    return server, people


def _ours(server: EntraServer, url: str, certificate: Certificate, people: list[dict[str, Any]]) -> float:
    given = {"tenant_id": server.tenant_id, "client_id": "app", "client_secret": _SECRET, "graph_url": url, "authority_url": url}
    began = time.perf_counter()
    client = GraphClient(read_graph_options({**given, "ca_cert": str(certificate.authority_path)}, {}), Deadline(900))
    result = CloudUsers(client, Deadline(890)).ensure(people)
    if result["summary"].get("ready") != len(people):
        raise RuntimeError(result["msg"])
    return time.perf_counter() - began


def _plain(server: EntraServer, url: str, certificate: Certificate, people: list[dict[str, Any]]) -> float:
    """Look for each, set the location of each, assign to each, twenty in a request, one request after the other."""
    began = time.perf_counter()
    session = requests.Session()
    session.trust_env = False  # a bundle of the environment would go before the one that is given
    session.verify = str(certificate.authority_path)
    form = {"grant_type": "client_credentials", "client_id": "app", "client_secret": _SECRET, "scope": f"{url}/.default"}
    token = session.post(f"{url}/{server.tenant_id}/oauth2/v2.0/token", data=form, timeout=60).json()["access_token"]
    session.headers["Authorization"] = f"Bearer {token}"

    def ask(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
        answers: list[dict[str, Any]] = []
        for start in range(0, len(calls), _BATCH):
            some = [{"id": str(n), **call} for n, call in enumerate(calls[start : start + _BATCH])]
            got = session.post(f"{url}/v1.0/$batch", json={"requests": some}, timeout=60).json()["responses"]
            answers += sorted(got, key=lambda answer: int(answer["id"]))
        if wrong := [answer for answer in answers if answer["status"] >= 300]:
            raise RuntimeError(str(wrong[0]))
        return answers

    found = ask([{"method": "GET", "url": f"/users?$filter=userPrincipalName eq '{one['upn']}'&$select=id"} for one in people])
    ids = [answer["body"]["value"][0]["id"] for answer in found]
    headers = {"Content-Type": "application/json"}
    ask([{"method": "PATCH", "url": f"/users/{one}", "body": {"usageLocation": "DE"}, "headers": headers} for one in ids])
    body = {"addLicenses": [{"skuId": _SKU.sku_id, "disabledPlans": []}], "removeLicenses": []}
    ask([{"method": "POST", "url": f"/users/{one}/assignLicense", "body": body, "headers": headers} for one in ids])
    return time.perf_counter() - began


def from_far_away(number: int, rounds: int) -> Bar:
    """With a round trip for each request."""
    took: dict[str, list[float]] = {"ours": [], "plain": []}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        certificate = make_authority(Path(folder)).issue(["localhost"], ["127.0.0.1"], Path(folder) / "server")
        for at in range(rounds):
            for who in ("ours", "plain") if at % 2 == 0 else ("plain", "ours"):
                server, people = _tenant(certificate, number)
                server.start()
                try:
                    with link("127.0.0.1", server.port, _ROUND_TRIP) as port:
                        work = _ours if who == "ours" else _plain
                        took[who].append(work(server, f"https://localhost:{port}", certificate, people))
                finally:
                    server.stop()
    name = f"{number} people in Entra ID, {_ROUND_TRIP * 1000:.0f} ms a request, against sequential batches of {_BATCH}"
    return Bar(name, tuple(took["ours"]), tuple(took["plain"]), 0.35, "s")


def operations(number: int) -> list[Bar]:
    """Requests to Graph for each person; those of a batch are counted, and not the batch."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        certificate = make_authority(Path(folder)).issue(["localhost"], ["127.0.0.1"], Path(folder) / "server")
        server, people = _tenant(certificate, number)
        server.start()
        try:
            counts = []
            for _run_of_two in range(2):
                server.clear_requests()
                _ours(server, server.url, certificate, people)
                counts.append(_counted(server.requests))
        finally:
            server.stop()
    (new, read_back), (unchanged, _none) = counts
    return [
        fixed(f"Graph operations for a new person ({read_back / number:.2f} of read-back aside)", (new / number,), 2.3, "per person"),
        fixed("Graph operations for a person who is as wanted", (unchanged / number,), 0.1, "per person"),
    ]


def _counted(log: list[RequestRecord]) -> tuple[int, int]:
    """Operations, and those that read back what was assigned."""
    operations = [record for record in log if "$batch" not in record.path and "oauth2" not in record.path]
    first = next((n for n, record in enumerate(operations) if record.path.endswith("assignLicense")), len(operations))
    read_back = sum(record.method == "GET" for record in operations[first:])
    return len(operations) - read_back, read_back
