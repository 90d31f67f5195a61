# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The lab's Entra ID, through msal and requests as real clients use it."""

from __future__ import annotations

import base64
import json
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msal
import pytest
import requests
from patience import LONG, wait_until

from lab.certificates import Certificate, make_authority
from lab.entra import DEFAULT_SKUS, EntraServer, Sku
from lab.synchronisation import ExportedUser

TENANT = "11111111-2222-3333-4444-555555555555"
E3 = DEFAULT_SKUS[0]
ADVANCED = {"ConsistencyLevel": "eventual"}


@pytest.fixture(autouse=True)
def _only_the_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    """`requests` prefers these variables to a session's own authority, and msal has only a session to set it on."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    folder = tmp_path_factory.mktemp("entra")
    return make_authority(folder).issue(["localhost"], ["127.0.0.1"], folder / "entra")


@pytest.fixture
def server(certificate: Certificate) -> Iterator[EntraServer]:
    server = EntraServer(certificate=certificate, skus=(*DEFAULT_SKUS, Sku("TINY", str(uuid.UUID(int=7)), 1)))
    server.start()
    yield server
    server.stop()


class Graph:
    """A thin client: token by form, then JSON."""

    def __init__(self, server: EntraServer, authority: Path) -> None:
        self.root = f"{server.url}/v1.0"
        self.session = requests.Session()
        self.session.verify = str(authority)
        self.token_url = f"{server.url}/{TENANT}/oauth2/v2.0/token"
        self.renew()

    def token(self, **changed: str) -> requests.Response:
        form = {
            "grant_type": "client_credentials",
            "client_id": "client-id",
            "client_secret": "secret",
            "scope": "https://graph.microsoft.com/.default",
        }
        return self.session.post(self.token_url, data={**form, **changed}, timeout=10)

    def renew(self) -> None:
        self.session.headers["Authorization"] = f"Bearer {self.token().json()['access_token']}"

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        return self.session.request(method, path if path.startswith("https:") else self.root + path, json=body, timeout=10, **options)

    def get(self, path: str, **options: Any) -> Any:
        response = self.call("GET", path, **options)
        assert response.status_code == 200, response.text
        return response.json()

    def filtered(self, text: str, headers: dict[str, str] | None = None, **params: str) -> list[dict[str, Any]]:
        value: list[dict[str, Any]] = self.get("/users", params={"$filter": text, **params}, headers=headers)["value"]
        return value


@pytest.fixture
def graph(server: EntraServer, certificate: Certificate) -> Graph:
    return Graph(server, certificate.authority_path)


def _refused(response: requests.Response, status: int, code: str, part: str = "") -> None:
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (status, code), response.text
    assert part in error["message"]
    assert error["innerError"]["request-id"]


def _sync(server: EntraServer, name: str, *, operation: Any = "add", anchor: str | None = None, **attributes: Any) -> str:
    anchor = anchor or base64.b64encode(uuid.uuid5(uuid.NAMESPACE_DNS, name).bytes_le).decode()
    values = {
        "userPrincipalName": f"{name}@lab.example",
        "displayName": name,
        "onPremisesSamAccountName": name,
        "accountEnabled": True,
        **attributes,
    }
    assert server.apply(ExportedUser(operation, anchor, {} if operation == "delete" else values)) is None
    return anchor


def _only(server: EntraServer) -> dict[str, Any]:
    users = server.users()
    assert len(users) == 1, users
    return users[0]


# Tokens


def test_msal_gets_a_token_with_a_secret(server: EntraServer, certificate: Certificate) -> None:
    def application(secret: str) -> Any:
        return msal.ConfidentialClientApplication(
            "client-id",
            client_credential=secret,
            authority=f"{server.url}/{TENANT}",
            instance_discovery=False,
            verify=str(certificate.authority_path),
        )

    got = application("secret").acquire_token_for_client(scopes=["https://graph.microsoft.com/.default"])
    assert got["token_type"] == "Bearer" and got["expires_in"] == 3599
    users = requests.get(
        f"{server.url}/v1.0/users",
        headers={"Authorization": f"Bearer {got['access_token']}"},
        verify=str(certificate.authority_path),
        timeout=10,
    )
    assert users.json()["value"] == []
    refused = application("wrong").acquire_token_for_client(scopes=["https://graph.microsoft.com/.default"])
    assert refused["error"] == "invalid_client" and refused["error_description"].startswith("AADSTS7000215:")


def _assertion(**changed: Any) -> str:
    claims = {"iss": "client-id", "sub": "client-id", "aud": "https://login", "exp": int(time.time()) + 300, **changed}
    parts = ({"alg": "PS256", "typ": "JWT"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, "c2lnbmF0dXJl"])


@pytest.mark.parametrize(
    ("assertion", "status"),
    [
        (_assertion(), 200),
        (_assertion(iss="https://issuer.example", sub="repo:x"), 200),
        (_assertion(sub="other"), 401),
        (_assertion(exp=1), 401),
        ("nonsense", 401),
    ],
)
def test_client_assertions_by_shape(graph: Graph, assertion: str, status: int) -> None:
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert graph.token(client_secret="", client_assertion_type=kind, client_assertion=assertion).status_code == status


@pytest.mark.parametrize(
    ("changed", "status", "number"),
    [
        ({"client_secret": "wrong"}, 401, 7000215),
        ({"client_id": "nobody"}, 400, 700016),
        ({"grant_type": "password"}, 400, 70003),
        ({"scope": "User.Read"}, 400, 1002012),
    ],
)
def test_token_refusals(graph: Graph, changed: dict[str, str], status: int, number: int) -> None:
    refused = graph.token(**changed)
    assert (refused.status_code, refused.json()["error_codes"]) == (status, [number])
    assert "wrong" not in refused.text


def test_another_tenant_is_unknown(server: EntraServer, graph: Graph) -> None:
    answer = graph.session.get(f"{server.url}/{uuid.UUID(int=1)}/v2.0/.well-known/openid-configuration", timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_tenant")


def test_without_a_valid_token(server: EntraServer, graph: Graph) -> None:
    _refused(graph.call("GET", "/users", headers={"Authorization": "Bearer made-up"}), 401, "InvalidAuthenticationToken")
    server.expire_tokens()
    _refused(graph.call("GET", "/users"), 401, "InvalidAuthenticationToken", "expired")
    graph.renew()
    assert graph.get("/users")["value"] == []
    server.options.token_lifetime = 0
    graph.renew()
    _refused(graph.call("GET", "/users"), 401, "InvalidAuthenticationToken")


def test_permissions_per_application(server: EntraServer, graph: Graph) -> None:
    server.set_permissions("client-id", ["User.Read.All"])
    user = server.add_user(userPrincipalName="a@lab.example")
    assert graph.get(f"/users/{user}")["id"] == user
    _refused(graph.call("PATCH", f"/users/{user}", {"usageLocation": "DE"}), 403, "Authorization_RequestDenied", "Insufficient privileges")
    server.set_permissions("client-id", None)
    assert graph.call("PATCH", f"/users/{user}", {"usageLocation": "DE"}).status_code == 204


# Users


def test_a_synchronised_user_is_found(server: EntraServer, graph: Graph) -> None:
    anchor = _sync(server, "o'neil", mail="o@lab.example")
    chosen = {"$select": "id,onPremisesImmutableId,onPremisesSyncEnabled,onPremisesProvisioningErrors"}
    [found] = graph.filtered(f"onPremisesImmutableId eq '{anchor}'", None, **chosen)
    assert found["onPremisesSyncEnabled"] is True and found["onPremisesProvisioningErrors"] == []
    assert set(found) == {"id", "onPremisesImmutableId", "onPremisesSyncEnabled", "onPremisesProvisioningErrors"}
    assert graph.filtered(f"onPremisesImmutableId eq '{anchor.swapcase()}'") == []
    assert graph.filtered("userPrincipalName eq 'O''Neil@lab.example'")[0]["id"] == found["id"]
    assert graph.filtered("mail in ('x@lab.example', 'o@lab.example') and accountEnabled eq true")[0]["id"] == found["id"]
    plain = graph.get("/users/o'neil%40lab.example")
    assert plain["@odata.context"].endswith("/v1.0/$metadata#users/$entity")
    assert "onPremisesImmutableId" not in plain and plain["displayName"] == "o'neil"
    assert graph.get("/users('o''neil@lab.example')")["id"] == found["id"]


def test_the_gate_of_advanced_queries(server: EntraServer, graph: Graph) -> None:
    _sync(server, "anna")
    text = "onPremisesSamAccountName eq 'anna'"
    for headers, params in (({}, {}), (ADVANCED, {}), ({}, {"$count": "true"})):
        refused = graph.call("GET", "/users", params={"$filter": text, **params}, headers=headers)
        _refused(refused, 400, "Request_UnsupportedQuery", "ConsistencyLevel:eventual")
    answer = graph.get("/users", params={"$filter": text, "$count": "true"}, headers=ADVANCED)
    assert answer["@odata.count"] == len(answer["value"]) == 1
    assert "@odata.count" not in graph.get("/users", params={"$count": "true"})
    for needs in ("endsWith(userPrincipalName,'lab.example')", "displayName ne 'x'", "not(displayName eq 'x')"):
        _refused(graph.call("GET", "/users", params={"$filter": needs}), 400, "Request_UnsupportedQuery")
        assert len(graph.filtered(needs, ADVANCED, **{"$count": "true"})) == 1
    _refused(
        graph.call("GET", "/users", params={"$filter": "onPremisesDistinguishedName eq 'x'"}),
        400,
        "Request_UnsupportedQuery",
        "resource 'User'",
    )


@pytest.mark.parametrize(
    "text", ["displayName", "displayName eq", "displayName eq 'x' eq", "(displayName eq 'x'", "displayName eq 'x", "mail in ()"]
)
def test_broken_filters(graph: Graph, text: str) -> None:
    assert graph.call("GET", "/users", params={"$filter": text}).status_code == 400


def test_paging_and_an_unknown_property(server: EntraServer, graph: Graph) -> None:
    names = [f"user{number}@lab.example" for number in range(5)]
    for name in names:
        server.add_user(userPrincipalName=name)
    seen, link = [], "/users?$top=2&$select=userPrincipalName&$filter=startsWith(userPrincipalName,'user')"
    while link:
        page = graph.get(link)
        assert len(page["value"]) <= 2
        seen += [user["userPrincipalName"] for user in page["value"]]
        link = page.get("@odata.nextLink", "")
    assert seen == names
    _refused(graph.call("GET", "/users?$select=nonsense"), 400, "BadRequest", "nonsense")
    assert graph.call("GET", "/users?$top=1000").status_code == 400


def test_not_found(graph: Graph) -> None:
    _refused(graph.call("GET", "/users/nobody@lab.example"), 404, "Request_ResourceNotFound", "Resource 'nobody@lab.example'")
    _refused(graph.call("GET", "/nonsense"), 400, "BadRequest")
    assert graph.call("DELETE", "/organization").status_code == 405


def test_what_the_directory_owns_is_not_writable(server: EntraServer, graph: Graph) -> None:
    _sync(server, "anna")
    path = "/users/anna@lab.example"
    _refused(graph.call("PATCH", path, {"usageLocation": "DE", "displayName": "x"}), 400, "Request_BadRequest", "on-premises mastered")
    assert _only(server)["usageLocation"] is None
    assert graph.call("PATCH", path, {"usageLocation": "de"}).status_code == 204
    assert _only(server)["usageLocation"] == "DE"
    _refused(graph.call("PATCH", path, {"usageLocation": "Germany"}), 400, "Request_BadRequest", "usageLocation")
    server.add_user(userPrincipalName="cloud@lab.example")
    assert graph.call("PATCH", "/users/cloud@lab.example", {"displayName": "Cloud"}).status_code == 204
    _refused(
        graph.call("PATCH", "/users/cloud@lab.example", {"userPrincipalName": "Anna@lab.example"}),
        400,
        "Request_BadRequest",
        "already exists",
    )


def test_a_new_user_becomes_visible_later(server: EntraServer, graph: Graph) -> None:
    server.visibility_delay = 1.0
    _sync(server, "late")
    began = time.monotonic()
    assert graph.get("/users")["value"] == []
    assert graph.call("GET", "/users/late@lab.example").status_code == 404
    wait_until(lambda: graph.call("GET", "/users/late@lab.example").status_code != 404)
    assert time.monotonic() - began > 0.9


# Licences


def _assign(graph: Graph, key: str, *skus: str, disabled: list[str] | None = None, remove: list[str] | None = None) -> requests.Response:
    added = [{"skuId": sku, "disabledPlans": disabled or []} for sku in skus]
    return graph.call("POST", f"/users/{key}/assignLicense", {"addLicenses": added, "removeLicenses": remove or []})


def test_assigning_and_removing_a_licence(server: EntraServer, graph: Graph) -> None:
    user = server.add_user(userPrincipalName="a@lab.example", usageLocation="DE")
    teams = E3.plans[2].plan_id
    assigned = _assign(graph, user, E3.sku_id, disabled=[teams])
    assert assigned.status_code == 200
    assert assigned.json()["assignedLicenses"] == [{"disabledPlans": [teams], "skuId": E3.sku_id}]
    states = graph.get(f"/users/{user}?$select=licenseAssignmentStates")["licenseAssignmentStates"]
    assert [(state["state"], state["assignedByGroup"]) for state in states] == [("Active", None)]
    [details] = graph.get(f"/users/{user}/licenseDetails")["value"]
    assert {plan["servicePlanName"]: plan["provisioningStatus"] for plan in details["servicePlans"]}["TEAMS1"] == "Disabled"
    skus = {sku["skuPartNumber"]: sku for sku in graph.get("/subscribedSkus")["value"]}
    assert skus["SPE_E3"]["consumedUnits"] == 1 and skus["SPE_E3"]["prepaidUnits"]["enabled"] == 25
    assert {"SPE_E3", "FLOW_FREE"} <= set(skus)
    assert _assign(graph, user, remove=[E3.sku_id]).json()["assignedLicenses"] == []
    _refused(_assign(graph, user, remove=[E3.sku_id]), 400, "Request_BadRequest", "corresponding license")


def test_the_refusals_of_assign_license(server: EntraServer, graph: Graph) -> None:
    user = server.add_user(userPrincipalName="a@lab.example")
    _refused(_assign(graph, user, E3.sku_id), 400, "Request_BadRequest", "invalid usage location")
    missing = graph.call("POST", f"/users/{user}/assignLicense", {"removeLicenses": []})
    _refused(missing, 400, "Request_BadRequest", "The missing parameters are: addLicenses.")
    assert graph.call("PATCH", f"/users/{user}", {"usageLocation": "DE"}).status_code == 204
    _refused(_assign(graph, user, "SPE_E3"), 400, "Request_BadRequest", "Edm.Guid")
    _refused(_assign(graph, user, str(uuid.UUID(int=9))), 400, "Request_BadRequest")
    tiny = str(uuid.UUID(int=7))
    assert _assign(graph, user, tiny).status_code == 200
    assert _assign(graph, user, tiny).status_code == 200
    second = server.add_user(userPrincipalName="b@lab.example", usageLocation="DE")
    _refused(_assign(graph, second, E3.sku_id, tiny), 400, "Request_BadRequest", "does not have any available licenses")
    assert [found["assignedLicenses"] for found in server.users() if found["id"] == second] == [[]]


def test_licensing_knows_the_usage_location_later(server: EntraServer, graph: Graph) -> None:
    user = server.add_user(userPrincipalName="a@lab.example")
    server.licence_lag = 1.0
    graph.call("PATCH", f"/users/{user}", {"usageLocation": "DE"})
    assert graph.get(f"/users/{user}?$select=usageLocation")["usageLocation"] == "DE"
    _refused(_assign(graph, user, E3.sku_id), 400, "Request_BadRequest", "invalid usage location")
    wait_until(lambda: _assign(graph, user, E3.sku_id).status_code == 200)


# Groups


def test_members_of_a_group(server: EntraServer, graph: Graph) -> None:
    group, user = server.add_group("GG-Sales"), server.add_user(userPrincipalName="a@lab.example")
    [found] = graph.get("/groups", params={"$filter": "displayName eq 'GG-Sales'"})["value"]
    assert found["id"] == group == graph.get(f"/groups/{group}")["id"]
    reference = {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{user}"}
    assert graph.call("POST", f"/groups/{group}/members/$ref", reference).status_code == 204
    _refused(graph.call("POST", f"/groups/{group}/members/$ref", reference), 400, "Request_BadRequest", "already exist")
    unknown = {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{uuid.uuid4()}"}
    _refused(graph.call("POST", f"/groups/{group}/members/$ref", unknown), 404, "Request_ResourceNotFound")
    assert [member["id"] for member in graph.get(f"/groups/{group}/members")["value"]] == [user]
    assert [entry["displayName"] for entry in graph.get(f"/users/{user}/memberOf")["value"]] == ["GG-Sales"]
    assert graph.call("DELETE", f"/groups/{group}/members/{user}/$ref").status_code == 204
    assert graph.call("DELETE", f"/groups/{group}/members/{user}/$ref").status_code == 404
    for protected in (server.add_group("AD", on_premises=True), server.add_group("Rule", dynamic=True)):
        _refused(graph.call("POST", f"/groups/{protected}/members/$ref", reference), 400, "Request_BadRequest")


def test_binding_members_is_all_or_nothing(server: EntraServer, graph: Graph) -> None:
    group = server.add_group("G")
    links = [f"{graph.root}/directoryObjects/{server.add_user(userPrincipalName=f'{name}@lab.example')}" for name in "abc"]
    assert graph.call("PATCH", f"/groups/{group}", {"members@odata.bind": links[:1]}).status_code == 204
    assert graph.call("PATCH", f"/groups/{group}", {"members@odata.bind": links}).status_code == 400
    assert len(graph.get(f"/groups/{group}/members")["value"]) == 1
    assert graph.call("PATCH", f"/groups/{group}", {"members@odata.bind": links[1:]}).status_code == 204
    assert graph.call("PATCH", f"/groups/{group}", {"members@odata.bind": links * 7}).status_code == 400


# Tenant and synchronisation


def test_organization_and_domains(server: EntraServer, graph: Graph) -> None:
    [before] = graph.get("/organization")["value"]
    assert before["onPremisesSyncEnabled"] is None and before["id"] == TENANT
    _sync(server, "anna")
    [after] = graph.get("/organization?$select=onPremisesSyncEnabled,onPremisesLastSyncDateTime,verifiedDomains")["value"]
    assert after["onPremisesSyncEnabled"] is True and after["onPremisesLastSyncDateTime"].endswith("Z")
    initial = {domain["name"]: domain["isInitial"] for domain in after["verifiedDomains"]}
    assert initial == {"lab.onmicrosoft.com": True, "lab.example": False}
    assert {domain["id"]: domain["isDefault"] for domain in graph.get("/domains")["value"]} == {
        "lab.onmicrosoft.com": False,
        "lab.example": True,
    }


def test_a_hard_match_updates(server: EntraServer) -> None:
    anchor = _sync(server, "anna", usageLocation="DE")
    first = _only(server)
    _sync(server, "anna", operation="update", anchor=anchor, displayName="Anna B", usageLocation=None)
    second = _only(server)
    assert (second["id"], second["displayName"], second["usageLocation"]) == (first["id"], "Anna B", "DE")


@pytest.mark.parametrize(
    "existing", [{"userPrincipalName": "anna@lab.example"}, {"userPrincipalName": "x@lab.example", "mail": "A.B@lab.example"}]
)
def test_a_soft_match_takes_a_cloud_user_over(server: EntraServer, existing: dict[str, str]) -> None:
    before = server.add_user(**existing)
    anchor = _sync(server, "anna", proxyAddresses=["smtp:other@lab.example", "SMTP:a.b@lab.example"])
    after = _only(server)
    assert (after["id"], after["onPremisesImmutableId"], after["onPremisesSyncEnabled"]) == (before, anchor, True)
    assert after["userPrincipalName"] == "anna@lab.example" and after["onPremisesProvisioningErrors"] == []


def test_blocked_matches_are_export_errors(server: EntraServer) -> None:
    server.options.block_soft_match = server.options.block_hard_match = True
    server.add_user(userPrincipalName="anna@lab.example")
    assert server.apply(ExportedUser("add", "AA==", {"userPrincipalName": "anna@lab.example"})) == "InvalidSoftMatch"
    server.add_user(userPrincipalName="b@lab.example", onPremisesImmutableId="BB==")
    assert server.apply(ExportedUser("add", "BB==", {"userPrincipalName": "b@lab.example"})) == "InvalidHardMatch"


def test_a_duplicate_name_is_quarantined(server: EntraServer, graph: Graph) -> None:
    _sync(server, "first", userPrincipalName="anna@lab.example", proxyAddresses=["SMTP:anna@lab.example"])
    anchor = _sync(server, "second", userPrincipalName="Anna@lab.example", proxyAddresses=["SMTP:ANNA@lab.example", "smtp:b@lab.example"])
    [second] = graph.filtered(
        f"onPremisesImmutableId eq '{anchor}'", None, **{"$select": "userPrincipalName,onPremisesProvisioningErrors,proxyAddresses"}
    )
    prefix, _unused, domain = second["userPrincipalName"].partition("@")
    assert prefix.startswith("Anna+") and len(prefix) == 9 and prefix[5:].isdigit() and domain == "lab.onmicrosoft.com"
    errors = second["onPremisesProvisioningErrors"]
    assert {error["propertyCausingError"]: error["value"] for error in errors} == {
        "UserPrincipalName": "Anna@lab.example",
        "ProxyAddress": "SMTP:ANNA@lab.example",
    }
    assert second["proxyAddresses"] == ["smtp:b@lab.example"]
    assert len(graph.filtered("onPremisesProvisioningErrors/any(o:o/category eq 'PropertyConflict')")) == 1
    assert len(graph.filtered("proxyAddresses/any(p:p eq 'smtp:b@lab.example')")) == 1
    _sync(server, "second", operation="update", anchor=anchor, proxyAddresses=[])
    healed = next(user for user in server.users() if user["onPremisesImmutableId"] == anchor)
    assert healed["userPrincipalName"] == "second@lab.example" and healed["onPremisesProvisioningErrors"] == []


def test_a_domain_that_is_not_verified_falls_back(server: EntraServer) -> None:
    _sync(server, "anna", userPrincipalName="anna@lab.test")
    user = _only(server)
    assert user["userPrincipalName"] == "anna@lab.onmicrosoft.com" and user["onPremisesUserPrincipalName"] == "anna@lab.test"
    assert user["onPremisesProvisioningErrors"] == []


def test_recycle_bin_and_return(server: EntraServer, graph: Graph) -> None:
    anchor = _sync(server, "anna", usageLocation="DE")
    user = _only(server)["id"]
    assert _assign(graph, user, E3.sku_id).status_code == 200
    _sync(server, "anna", operation="delete", anchor=anchor)
    assert server.users() == [] and graph.call("GET", f"/users/{user}").status_code == 404
    [deleted] = graph.get("/directory/deletedItems/microsoft.graph.user?$select=id,deletedDateTime,userPrincipalName")["value"]
    assert deleted["id"] == user and deleted["deletedDateTime"] and deleted["userPrincipalName"].endswith("anna@lab.example")
    assert {sku["skuPartNumber"]: sku["consumedUnits"] for sku in graph.get("/subscribedSkus")["value"]}["SPE_E3"] == 0
    _sync(server, "anna", operation="add", anchor=anchor)
    back = _only(server)
    assert (back["id"], back["userPrincipalName"], back["usageLocation"]) == (user, "anna@lab.example", "DE")
    assert server.deleted_users() == []
    _sync(server, "anna", operation="delete", anchor=anchor)
    assert graph.call("POST", f"/directory/deletedItems/{user}/restore").status_code == 200
    assert _only(server)["userPrincipalName"] == "anna@lab.example"


# Batch, faults, log


def _batch(graph: Graph, *requests_: dict[str, Any]) -> dict[str, dict[str, Any]]:
    answer = graph.call("POST", "/$batch", {"requests": list(requests_)})
    assert answer.status_code == 200, answer.text
    return {response["id"]: response for response in answer.json()["responses"]}


def test_a_batch(server: EntraServer, graph: Graph) -> None:
    user = server.add_user(userPrincipalName="a@lab.example")
    content = {"Content-Type": "application/json"}
    got = _batch(
        graph,
        {"id": "1", "method": "PATCH", "url": f"/users/{user}", "headers": content, "body": {"usageLocation": "DE"}},
        {"id": "2", "method": "GET", "url": f"users/{user}?$select=usageLocation", "dependsOn": ["1"]},
        {"id": "3", "method": "GET", "url": "/users/nobody"},
        {"id": "4", "method": "GET", "url": "/users", "dependsOn": ["3"]},
        {"id": "5", "method": "PATCH", "url": f"/users/{user}", "body": {"usageLocation": "GB"}},
    )
    assert {key: response["status"] for key, response in got.items()} == {"1": 204, "2": 200, "3": 404, "4": 424, "5": 400}
    assert got["2"]["body"]["usageLocation"] == "DE" and got["3"]["body"]["error"]["code"] == "Request_ResourceNotFound"
    inner = [record for record in server.requests if record.in_batch]
    assert [(record.method, record.status) for record in inner] == [("PATCH", 204), ("GET", 200), ("GET", 404)]


def test_a_batch_is_limited_and_throttled_by_item(server: EntraServer, graph: Graph) -> None:
    items = [{"id": str(number), "method": "GET", "url": "/users"} for number in range(21)]
    _refused(graph.call("POST", "/$batch", {"requests": items}), 400, "BadRequest", "20")
    _refused(graph.call("POST", "/$batch", {"requests": items[:1] * 2}), 400, "BadRequest")
    server.throttle(2, 3)
    got = _batch(graph, *items[:20])
    assert [got[str(number)]["status"] for number in range(4)] == [429, 429, 200, 200]
    assert got["0"]["headers"]["Retry-After"] == "3" and got["0"]["body"]["error"]["code"] == "TooManyRequests"


def test_throttling_and_failing(server: EntraServer, graph: Graph) -> None:
    server.throttle(1, 7)
    throttled = graph.call("GET", "/users")
    _refused(throttled, 429, "TooManyRequests")
    assert throttled.headers["Retry-After"] == "7"
    server.throttle(1, None)
    assert "Retry-After" not in graph.call("GET", "/users").headers
    server.fail(503, times=2)
    assert [graph.call("GET", "/users").status_code for _unused in range(3)] == [503, 503, 200]
    server.fail(409)
    _refused(graph.call("GET", "/users"), 409, "Directory_ConcurrencyViolation")


def test_a_filter_finds_a_new_user_later_than_a_direct_read(server: EntraServer, graph: Graph) -> None:
    server.options.filter_lag = 1.0
    anchor = _sync(server, "late")
    assert graph.get("/users/late@lab.example")["displayName"] == "late"
    assert graph.filtered(f"onPremisesImmutableId eq '{anchor}'") == []
    wait_until(lambda: len(graph.filtered(f"onPremisesImmutableId eq '{anchor}'")) == 1)


def test_many_values_in_a_filter(server: EntraServer, graph: Graph) -> None:
    for number in range(3):
        _sync(server, f"u{number}")

    def values(count: int) -> str:
        return "userPrincipalName in (" + ",".join(f"'u{number}@lab.example'" for number in range(count)) + ")"

    assert len(graph.filtered(values(15))) == 3
    _refused(graph.call("GET", "/users", params={"$filter": values(16)}), 400, "Request_UnsupportedQuery", "Max allowed: 15.")
    server.options.refuse_in = True
    _refused(graph.call("GET", "/users", params={"$filter": values(2)}), 400, "Request_UnsupportedQuery", "'in'")
    assert len(graph.filtered("userPrincipalName eq 'u1@lab.example'")) == 1


def test_reads_show_a_licence_later(server: EntraServer, graph: Graph) -> None:
    user = server.add_user(userPrincipalName="a@lab.example", usageLocation="DE")
    server.options.licence_read_lag = 1.0
    assert _assign(graph, user, E3.sku_id).status_code == 200
    path = f"/users/{user}?$select=assignedLicenses"
    assert graph.get(path)["assignedLicenses"] == []
    assert graph.filtered("userPrincipalName eq 'a@lab.example'", **{"$select": "assignedLicenses"})[0]["assignedLicenses"] == []
    wait_until(lambda: len(graph.get(path)["assignedLicenses"]) == 1)


def test_plans_that_exclude_or_need_each_other(certificate: Certificate) -> None:
    ids = [str(uuid.UUID(int=number)) for number in (1, 2, 3)]
    skus = (Sku("A", ids[0], 5, excludes=(ids[1],)), Sku("B", ids[1], 5), Sku("C", ids[2], 5, requires=(ids[1],)))
    server = EntraServer(certificate=certificate, skus=skus)
    server.start()
    try:
        graph = Graph(server, certificate.authority_path)
        user = server.add_user(userPrincipalName="a@lab.example", usageLocation="DE")
        _refused(_assign(graph, user, ids[0], ids[1]), 400, "Request_BadRequest", "mutually exclusive")
        _refused(_assign(graph, user, ids[2]), 400, "Request_BadRequest", "depends on the service plan(s)")
        assert _only(server)["assignedLicenses"] == []
        assert _assign(graph, user, ids[1], ids[2]).status_code == 200
    finally:
        server.stop()


def test_answers_of_a_batch_come_in_another_order(graph: Graph) -> None:
    items = [{"id": str(number), "method": "GET", "url": "/users"} for number in range(3)]
    responses = graph.call("POST", "/$batch", {"requests": items}).json()["responses"]
    assert [response["id"] for response in responses] == ["2", "1", "0"]


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        ("html", b"<!DOCTYPE"),
        ("truncated", b'{"@odata.context"'),
        ("empty", b""),
        ("null", b"null"),
        ("null value", b'"value": null'),
        ("null entries", b'"value": [null]'),
        ("empty list", b'"value": []'),
        ("next https://x/{page}", b'"@odata.nextLink": "https://x/'),
        ("502", b"<!DOCTYPE"),
    ],
)
def test_spoilt_answers(server: EntraServer, graph: Graph, kind: str, seen: bytes) -> None:
    server.add_user(userPrincipalName="a@lab.example")
    whole = graph.call("GET", "/users").content
    server.spoil(kind, path="users", skip=1)
    assert graph.call("GET", "/users").content == whole
    assert graph.call("GET", "/organization").status_code == 200
    spoilt = graph.call("GET", "/users")
    assert seen in spoilt.content and len(spoilt.content) != len(whole)
    assert graph.call("GET", "/users").content == whole
    assert server.requests[-2].status == 200, "it was served all the same"


def test_spoilt_batches_and_sign_ins(server: EntraServer, graph: Graph) -> None:
    items = [{"id": str(number), "method": "GET", "url": "/users"} for number in range(2)]

    def ids() -> list[str]:
        return [part["id"] for part in graph.call("POST", "/$batch", {"requests": items}).json()["responses"]]

    for kind, expected in (("missing part", ["1"]), ("renamed part", ["renamed", "0"]), ("doubled part", ["1", "0", "1"])):
        server.spoil(kind)
        assert ids() == expected
    server.spoil("503", path="oauth2")
    assert [graph.token().status_code for _unused in range(2)] == [503, 200]
    with pytest.raises(ValueError, match="unknown kind"):
        server.spoil("nonsense")


def test_bodies_that_break_off_or_drip(server: EntraServer, graph: Graph) -> None:
    server.spoil("broken")
    with pytest.raises(requests.RequestException):
        graph.call("GET", "/users")
    server.spoil("dripping")
    began = time.monotonic()
    with graph.session.get(f"{graph.root}/users", stream=True, timeout=10) as response:
        first = next(response.iter_content(1)) + next(response.iter_content(1))
    assert len(first) == 2 and time.monotonic() - began > 0.9


@pytest.mark.parametrize("asked", ["0", "-1", "nan", "Fri, 31 Dec 2027 00:00:00 GMT"])
def test_odd_pauses(server: EntraServer, graph: Graph, asked: str) -> None:
    server.throttle(1, asked)
    assert graph.call("GET", "/users").headers["Retry-After"] == asked


def test_the_log_has_no_secrets(server: EntraServer, graph: Graph) -> None:
    graph.session.post(f"{graph.token_url}?client_secret=leaked", data={}, timeout=10)
    graph.get("/users?$top=5")
    token = str(graph.session.headers["Authorization"]).removeprefix("Bearer ")
    assert server.requests[-1] == ("GET", "/v1.0/users?$top=5", 200, False)
    assert server.requests[0].path == f"/{TENANT}/oauth2/v2.0/token"
    assert token not in repr(server.requests) and "leaked" not in repr(server.requests)
    server.clear_requests()
    assert server.requests == []


def test_one_connection_is_kept_and_a_stop_ends_it(server: EntraServer, graph: Graph) -> None:
    for _unused in range(50):
        graph.get("/users")
    assert threading.active_count() < 20
    server.stop()
    with pytest.raises(requests.ConnectionError):
        graph.call("GET", "/users")
    server.start()
    assert graph.get("/users")["value"] == []


def test_a_client_that_says_nothing_holds_nobody_up(server: EntraServer, graph: Graph) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", server.port)):
        assert graph.get("/users")["value"] == []
        other = Graph(server, Path(str(graph.session.verify)))
        assert other.get("/users")["value"] == []


def test_concurrent_assignments_never_take_more_than_the_seats(server: EntraServer, certificate: Certificate) -> None:
    users = [server.add_user(userPrincipalName=f"u{number}@lab.example", usageLocation="DE") for number in range(4)]
    clients = [Graph(server, certificate.authority_path) for _unused in users]
    statuses: list[int] = []

    def run(client: Graph, user: str) -> None:
        statuses.append(_assign(client, user, str(uuid.UUID(int=7))).status_code)

    threads = [threading.Thread(target=run, args=pair) for pair in zip(clients, users, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert sorted(statuses) == [200, 400, 400, 400]
