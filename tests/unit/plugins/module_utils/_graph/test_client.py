# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The Graph client against the simulated tenant: sign-in, patience, batches, sentences."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from patience import ends, wait_until

from ansible_collections.hybrid.identity.plugins.module_utils._deadline import Deadline
from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._graph._answers import Answer, Call
from ansible_collections.hybrid.identity.plugins.module_utils._graph._client import GraphClient
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
    assert cloud.client(client_secret=None, certificate_path=str(pem), certificate_password="unneeded").call(ME, "testing").ok

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


@pytest.mark.parametrize("status", [409, 500, 502, 503, 504])
def test_faults_are_outlasted(cloud: Any, status: int) -> None:
    cloud.server.fail(status, times=2)
    assert cloud.client().call(ME, "testing").ok
    assert len(cloud.pauses) == 2


def test_a_lasting_fault_is_no_absence(cloud: Any) -> None:
    cloud.server.fail(503, times=1000)
    assert failure(cloud, timeout=30).reason == "unreachable"


def chains(*calls: Call) -> list[list[Call]]:
    """Requests that do not depend on each other."""
    return [[call] for call in calls]


def test_batch_keeps_the_order_and_repeats_nothing(cloud: Any) -> None:
    names = [f"person{number}" for number in range(45)]
    for name in names:
        cloud.arrive(name)
    client = cloud.client()
    client.call(ME, "testing")
    cloud.server.clear_requests()
    calls = [Call("GET", f"/users/{name}@lab.example?$select=displayName") for name in names]
    cloud.server.throttle(2, retry_after=3)  # the outer request is not counted
    answers = [answer for (answer,) in client.batch(chains(*calls), "testing")]
    throttled = [number for number, answer in enumerate(answers) if answer.status == 429]
    assert len(throttled) == 2 and {answers[number].pause(0) for number in throttled} == {3.0}
    assert all(answer.body["displayName"] == name for answer, name in zip(answers, names, strict=True) if answer.ok)
    outer = [record for record in cloud.server.requests if not record.in_batch]
    inner = [record for record in cloud.server.requests if record.in_batch]
    assert (len(outer), len(inner), cloud.pauses) == (3, 45, [])


def test_four_batches_are_in_flight(cloud: Any) -> None:
    from ansible_collections.hybrid.identity.plugins.module_utils._graph._flight import run_all

    now, most, lock = [0], [0], threading.Lock()

    def task() -> int:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        wait_until(lambda: most[0] >= 4)
        time.sleep(0.02)
        with lock:
            now[0] -= 1
        return 1

    assert run_all([task] * 12, lambda: 60.0, 60.0) == [1] * 12
    assert most[0] == 4


def test_a_request_depends_on_the_one_before_it(cloud: Any) -> None:
    cloud.arrive("anna")
    me = cloud.user("anna")["id"]
    location = [Call("PATCH", f"/users/{me}", {"usageLocation": value}) for value in ("Germany", "DE")]
    read = Call("GET", f"/users/{me}?$select=usageLocation")
    refused, served = cloud.client().batch([[location[0], read], [location[1], read]], "testing")
    assert [answer.status for answer in refused] == [400, 424]
    assert [answer.status for answer in served] == [204, 200] and served[1].body["usageLocation"] == "DE"


@pytest.mark.parametrize("kind", ["missing part", "renamed part", "doubled part"])
def test_a_part_that_is_not_whole_is_neither_done_nor_absent(cloud: Any, kind: str) -> None:
    client = cloud.client()
    client.call(ME, "testing")
    cloud.server.spoil(kind)
    (first,), (second,) = client.batch(chains(ME, Call("GET", "/domains")), "testing")
    odd, whole = (second, first) if second.fault else (first, second)
    assert whole.ok
    assert not odd.ok and not odd.absent and odd.transient
    assert odd.failure("testing").reason == "graph_invalid"


@pytest.mark.parametrize("kind", ["html", "truncated", "broken", "empty", "null", "no numbers", "nested", "null responses"])
def test_a_batch_that_is_none_says_nothing_about_its_parts(cloud: Any, kind: str) -> None:
    client = cloud.client()
    client.call(ME, "testing")
    cloud.server.spoil(kind)
    for (answer,) in client.batch(chains(ME, ME), "testing"):
        assert (answer.ok, answer.absent, answer.transient, answer.failure("x").reason) == (False, False, True, "graph_invalid")


def test_a_batch_that_is_refused_is_no_missing_object(cloud: Any) -> None:
    client = cloud.client()
    client.call(ME, "testing")
    cloud.server.spoil("404")
    ((answer,),) = client.batch(chains(ME), "testing")
    assert not answer.absent and answer.failure("x").reason == "graph_invalid"


@pytest.mark.parametrize(
    "kind",
    ["html", "truncated", "broken", "empty", "null", "no numbers", "nested", "null value", "null entries", "no value", "403", "404", "302"],
)
def test_a_read_that_is_answered_with_nonsense_is_invalid(cloud: Any, kind: str) -> None:
    client = cloud.client()
    client.call(ME, "testing")
    cloud.server.spoil(kind, 1000)
    with pytest.raises(HybridIdentityError) as caught:
        client.read("/subscribedSkus", "reading the subscriptions")
    assert caught.value.reason == "graph_invalid"
    assert "reading the subscriptions" in caught.value.message
    assert "html" not in caught.value.message.lower(), "a proxy's page is not shown"


@pytest.mark.parametrize("kind", ["html", "truncated", "broken", "503"])
def test_nonsense_that_passes_is_outlasted(cloud: Any, kind: str) -> None:
    client = cloud.client()
    cloud.server.spoil(kind, 2, path="organization")
    assert client.call(ME, "testing").ok
    assert len(cloud.pauses) == 2


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        ("0", 1, 30),
        ("-5", 1, 30),
        ("nan", 1, 30),
        ("-inf", 1, 30),
        ("inf", 60, 300),
        ("86400", 60, 300),
        ("soon", 1, 30),
        ("Fri, 31 Feb 2026 99:00:00 GMT", 1, 30),
        (timedelta(seconds=40), 30, 41),
        (timedelta(hours=-1), 1, 30),
        (timedelta(days=1), 60, 300),
        ("2.5", 2.5, 2.5),
    ],
)
def test_pauses_are_sane(cloud: Any, asked: str | timedelta, least: float, most: float) -> None:
    if isinstance(asked, timedelta):
        asked = format_datetime(datetime.now(UTC) + asked, usegmt=True)
    cloud.server.throttle(3, asked)
    assert cloud.client(2000).call(ME, "testing").ok
    assert len(cloud.pauses) == 3
    assert all(least <= pause <= most for pause in cloud.pauses)


@pytest.mark.parametrize("part", ["oauth2", "openid-configuration"])
@pytest.mark.parametrize("kind", ["503", "500", "429", "html", "truncated", "empty", "null", "nested"])
def test_a_sign_in_that_is_disturbed_is_repeated(cloud: Any, kind: str, part: str) -> None:
    cloud.server.spoil(kind, 3, path=part)
    assert cloud.client().call(ME, "testing").ok
    assert len(cloud.pauses) == 3


@pytest.mark.parametrize("kind", ["503", "html", "null"])
def test_a_sign_in_that_stays_disturbed_is_unreachable_and_named(cloud: Any, kind: str) -> None:
    cloud.server.spoil(kind, 10_000, path="oauth2")
    error = failure(cloud, timeout=60)
    assert (error.reason, "sign-in" in error.message) == ("unreachable", True)
    assert 25 <= sum(cloud.pauses) < 60, "within the time, and no longer"


def test_a_sign_in_that_is_not_accepted_is_told_at_once(cloud: Any) -> None:
    cloud.server.spoil("401", 10_000, path="oauth2")
    assert failure(cloud).reason == "authentication_failed"
    assert cloud.pauses == []


@pytest.mark.parametrize("what", ["oauth2", "organization"])
def test_one_byte_per_second_is_ended_by_the_deadline(cloud: Any, what: str) -> None:
    cloud.server.spoil("dripping", 10_000, path=what)
    client = GraphClient(read_graph_options(cloud.options(), {}), Deadline(1.5))
    with ends(), pytest.raises(HybridIdentityError) as caught:
        client.call(ME, "testing")
    assert caught.value.reason == "unreachable" and "in time" in caught.value.message


def test_pages_without_end_are_ended(cloud: Any) -> None:
    cloud.server.spoil(f"next {cloud.server.url}/v1.0/subscribedSkus?$skiptoken={{page}}", 10**9, path="subscribedSkus")
    with pytest.raises(HybridIdentityError, match="without end") as caught:
        cloud.client().read("/subscribedSkus", "reading")
    assert caught.value.reason == "graph_invalid"


def test_pages_without_end_are_ended_by_the_deadline_too(cloud: Any) -> None:
    cloud.server.spoil(f"next {cloud.server.url}/v1.0/subscribedSkus?$skiptoken={{page}}", 10**9, path="subscribedSkus")
    client = GraphClient(read_graph_options(cloud.options(), {}), Deadline(0.5))
    with ends(), pytest.raises(HybridIdentityError):
        client.read("/subscribedSkus", "reading")


@pytest.mark.parametrize(
    "link",
    ["https://evil.example/v1.0/subscribedSkus", "{root}.evil.example/v1.0/x", "{root}@evil.example/v1.0/x", "/v1.0/x", "{root}/v1.0x/"],
)
def test_a_page_elsewhere_is_not_followed(cloud: Any, link: str) -> None:
    cloud.server.spoil("next " + link.replace("{root}", cloud.server.url), 10, path="subscribedSkus")
    with pytest.raises(HybridIdentityError, match="another host") as caught:
        cloud.client().read("/subscribedSkus", "reading")
    assert caught.value.reason == "graph_invalid"


def test_an_answer_without_end_is_not_kept(cloud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.hybrid.identity.plugins.module_utils._graph import _http

    client = cloud.client()
    client.call(ME, "testing")
    monkeypatch.setattr(_http, "MOST_BYTES", 20)
    with pytest.raises(HybridIdentityError, match="no end") as caught:
        client.call(ME, "testing")
    assert caught.value.reason == "graph_invalid"


def test_what_graph_says_is_shown_without_commands(cloud: Any) -> None:
    body = {"error": {"code": "Bad\x1b[31m", "message": "a\x1b]0;title\x07b\u202ec\r\nd"}}
    answer = Answer(400, body)
    assert (answer.code, answer.message) == ("Bad", "ab\\u202ec d")
    assert "\x1b" not in answer.failure("testing").message


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
