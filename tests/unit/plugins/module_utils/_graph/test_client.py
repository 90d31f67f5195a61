# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The Graph client against the simulated tenant: sign-in, patience, batches, sentences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._graph._client import Answer, Call
from ansible_collections.hybrid.identity.plugins.module_utils._graph._options import read_graph_options

ME = Call("GET", "/organization")


def failure(cloud: Any, call: Call = ME, **options: Any) -> HybridIdentityError:
    """The failure of a call."""
    timeout = options.pop("timeout", 300)
    with pytest.raises(HybridIdentityError) as caught:
        cloud.client(timeout, **options).call(call, "testing")
    assert "a-secret-that-must-not-show" not in str(caught.value.as_result())
    return caught.value


def test_token_is_used_again_and_renewed_when_it_has_expired(cloud: Any) -> None:
    client = cloud.client()
    assert client.call(ME, "testing").ok
    assert client.call(ME, "testing").ok
    cloud.server.expire_tokens()
    assert client.call(ME, "testing").ok
    assert sum(record.path.endswith("/token") for record in cloud.server.requests) == 2


@pytest.mark.parametrize(
    ("options", "reason", "words"),
    [
        ({"client_secret": "wrong"}, "authentication_failed", "AADSTS7000215"),
        ({"client_id": "nobody"}, "authentication_failed", "AADSTS700016"),
        ({"tenant_id": "elsewhere"}, "authentication_failed", "Signing in to tenant elsewhere"),
        ({"authority_url": "https://127.0.0.1:9"}, "unreachable", "https://127.0.0.1:9"),
        ({"graph_url": "https://127.0.0.1:9"}, "unreachable", "refused"),
        ({"ca_cert": None}, "unreachable", "certificate"),
        ({"client_secret": None, "certificate_path": "/nonexistent.pem"}, "invalid_input", "/nonexistent.pem"),
    ],
)
def test_sign_in_failures_are_sentences(cloud: Any, options: dict[str, Any], reason: str, words: str) -> None:
    error = failure(cloud, **options)
    assert error.reason == reason
    assert words in error.message
    assert "WinRM" not in error.remedy


def test_environment_does_not_replace_the_authorities(cloud: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_text("")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
    assert cloud.client().call(ME, "testing").ok


def test_netrc_does_not_replace_the_token(cloud: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert cloud.client().call(ME, "testing").ok


def test_certificate_and_federated_token_sign_in(cloud: Any, tmp_path: Path) -> None:
    from datetime import UTC, datetime, timedelta

    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509 import CertificateBuilder, Name, random_serial_number

    key = rsa.generate_private_key(65537, 2048)
    now = datetime.now(UTC)
    builder = CertificateBuilder(Name([]), Name([]), key.public_key(), random_serial_number(), now, now + timedelta(days=1))
    pem = tmp_path / "app.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem.write_bytes(private + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    assert cloud.client(client_secret=None, certificate_path=str(pem)).call(ME, "testing").ok

    token = tmp_path / "token"
    token.write_text("not.a.token\n")
    assert failure(cloud, client_secret=None, federated_token_file=str(token)).reason == "authentication_failed"


def test_throttling_is_honoured(cloud: Any) -> None:
    cloud.server.throttle(2, retry_after=7)
    assert cloud.client().call(ME, "testing").ok
    assert cloud.pauses == [7, 7]


def test_throttling_without_a_time_waits_longer_and_longer(cloud: Any) -> None:
    cloud.server.throttle(4)
    assert cloud.client().call(ME, "testing").ok
    assert cloud.pauses == sorted(cloud.pauses) and len(set(cloud.pauses)) == 4


def test_throttling_longer_than_the_time_left(cloud: Any) -> None:
    cloud.server.throttle(1, retry_after=60)
    assert failure(cloud, timeout=30).reason == "graph_throttled"
    assert cloud.pauses == []


@pytest.mark.parametrize("status", [409, 502, 503, 504])
def test_faults_are_outlasted(cloud: Any, status: int) -> None:
    cloud.server.fail(status, times=2)
    assert cloud.client().call(ME, "testing").ok
    assert len(cloud.pauses) == 2


def test_a_lasting_fault_is_no_absence(cloud: Any) -> None:
    cloud.server.fail(503, times=1000)
    assert failure(cloud, timeout=30).reason == "unreachable"


def test_batch_keeps_the_order_and_repeats_only_what_was_throttled(cloud: Any) -> None:
    names = [f"person{number}" for number in range(45)]
    for name in names:
        cloud.arrive(name)
    client = cloud.client()
    client.call(ME, "testing")
    cloud.server.clear_requests()
    calls = [Call("GET", f"/users/{name}@lab.example?$select=displayName") for name in names]
    cloud.server.throttle(2, retry_after=3)  # the outer request is not counted
    answers = client.batch(calls, "testing")
    assert [answer.body["displayName"] for answer in answers] == names
    outer = [record for record in cloud.server.requests if not record.in_batch]
    inner = [record for record in cloud.server.requests if record.in_batch]
    assert (len(outer), len(inner)) == (4, 47)
    assert cloud.pauses == [3]


def test_what_a_batch_leaves_out_is_neither_done_nor_absent(cloud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = cloud.client()
    monkeypatch.setattr(client, "call", lambda call, what: Answer(200, {"responses": [{"id": "1", "status": 204}]}))
    left_out, done = client.batch([ME, ME], "testing")
    assert done.ok
    assert not left_out.ok and not left_out.absent
    assert left_out.failure("testing").reason == "unreachable"


@pytest.mark.parametrize("ending", ["throttled", "gone"])
def test_a_batch_that_cannot_be_ended_keeps_what_was_answered(cloud: Any, ending: str) -> None:
    calls = [Call("GET", f"/users/{name}@lab.example") for name in ("anna", "ben", "cleo")]
    for name in ("anna", "ben", "cleo"):
        cloud.arrive(name)
    client = cloud.client()
    client.call(ME, "testing")
    if ending == "throttled":
        cloud.server.throttle(2, retry_after=5000)
    else:
        cloud.server.throttle(2, retry_after=1)
        cloud.on_pause = [cloud.server.stop]
    assert [(answer.ok, answer.absent) for answer in client.batch(calls, "testing")] == [(False, False), (False, False), (True, False)]


def test_read_follows_the_pages_and_says_which_permission_is_missing(cloud: Any) -> None:
    for number in range(7):
        cloud.arrive(f"person{number}")
    cloud.server.options.page_size = 3
    assert len(cloud.client().read("/users?$select=id", "reading")) == 7
    cloud.server.set_permissions("app", ["Domain.Read.All"])
    with pytest.raises(HybridIdentityError) as caught:
        cloud.client().read("/users", "reading people", "User.Read.All")
    assert caught.value.reason == "graph_denied"
    assert "User.Read.All" in caught.value.message


def test_only_one_code_means_absent() -> None:
    body = {"error": {"code": "Request_ResourceNotFound", "message": "x"}}
    assert Answer(404, body).absent
    assert not Answer(404, {}).absent
    assert not Answer(400, body).absent


def test_environment_has_two_spellings_and_the_task_wins() -> None:
    environ = {"AZURE_TENANT": "t1", "AZURE_CLIENT_ID": "c", "AZURE_SECRET": "s", "AZURE_FEDERATED_TOKEN_FILE": "/token"}
    options = read_graph_options({}, environ)
    assert (options.tenant_id, options.client_secret, options.federated_token_file) == ("t1", "s", None)
    options = read_graph_options({"certificate_path": "/x.pem", "client_secret": ""}, environ)
    assert (options.certificate_path, options.client_secret) == ("/x.pem", None)
    options = read_graph_options({}, {"AZURE_TENANT_ID": "t2", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": "s2"})
    assert (options.tenant_id, options.client_secret) == ("t2", "s2")
    assert "s2" not in repr(options)


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({}, "tenant_id"),
        ({"tenant_id": "t"}, "client_id"),
        ({"tenant_id": "t", "client_id": "c"}, "credential"),
        ({"tenant_id": "t", "client_id": "c", "client_secret": "s", "certificate_path": "p"}, "Only one"),
    ],
)
def test_missing_options_are_sentences(params: dict[str, Any], word: str) -> None:
    with pytest.raises(HybridIdentityError, match=word) as caught:
        read_graph_options(params, {})
    assert caught.value.reason == "invalid_input"


@pytest.mark.parametrize(
    ("cloud_name", "graph"),
    [
        ("global", "https://graph.microsoft.com"),
        ("usgov", "https://graph.microsoft.us"),
        ("dod", "https://dod-graph.microsoft.us"),
        ("china", "https://microsoftgraph.chinacloudapi.cn"),
    ],
)
def test_clouds(cloud_name: str, graph: str) -> None:
    params = {"tenant_id": "t", "client_id": "c", "client_secret": "s", "cloud": cloud_name}
    assert read_graph_options(params, {}).graph_url == graph
    assert read_graph_options({**params, "graph_url": "https://x.example/v1.0/"}, {}).graph_url == "https://x.example"
