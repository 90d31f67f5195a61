# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The simulated tenant on HTTPS: what tests and the lab start, change while it runs, and ask afterwards."""

from __future__ import annotations

import copy
import json
import threading
import traceback
import uuid
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from lab.certificates import Certificate
from lab.entra import batch, matching, routes
from lab.entra.errors import GraphError, denied, fault, no_such_segment, too_many_requests
from lab.entra.licences import DEFAULT_SKUS, Sku
from lab.entra.listener import Answer, HttpsListener
from lab.entra.messages import Request, Response, split_target
from lab.entra.spoil import Spoiler
from lab.entra.state import Group, Options, Tenant
from lab.entra.tokens import TokenError, TokenService
from lab.synchronisation import ExportedUser

_LOG_LENGTH = 10_000


class RequestRecord(NamedTuple):
    """One request of the log; never a token, a secret or a body. `in_batch`: it was part of a $batch."""

    method: str
    path: str  # with the query
    status: int
    in_batch: bool = False


class EntraServer:
    """Entra ID for one tenant: token endpoint, Microsoft Graph v1.0 under `url`/v1.0, and lab.synchronisation.SyncTarget.

    Args:
        certificate: of the server, valid for `address`.
        address, port: where to listen (0: any free port, then in `.port`).
        applications: client id to client secret; every application has all permissions until `set_permissions`.
        skus: subscriptions with their seats.
    """

    def __init__(
        self,
        *,
        certificate: Certificate,
        address: str = "127.0.0.1",
        port: int = 0,
        tenant_id: str = "11111111-2222-3333-4444-555555555555",
        initial_domain: str = "lab.onmicrosoft.com",
        verified_domains: Sequence[str] = ("lab.example",),
        applications: Mapping[str, str] | None = None,
        skus: Sequence[Sku] = DEFAULT_SKUS,
    ) -> None:
        self.tenant_id = tenant_id
        self._address = address
        self._tenant = Tenant(tenant_id, initial_domain, verified_domains, skus)
        self._tokens = TokenService(tenant_id, {"client-id": "secret"} if applications is None else applications)
        self._listener = HttpsListener(self._serve, certificate, address, port)
        self._log: deque[RequestRecord] = deque(maxlen=_LOG_LENGTH)
        self._fault_lock = threading.Lock()
        self._throttled: tuple[int, float | str | None] = (0, None)
        self._spoiler = Spoiler()
        self._failing: tuple[int, int] = (0, 503)

    # Life

    def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        self._listener.start()

    def stop(self) -> None:
        """Close the port and all connections; the tenant's data stay."""
        self._listener.stop()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._listener.port

    @property
    def url(self) -> str:
        """'https://address:port', without a slash: authority is `url`/<tenant>, Graph is `url`/v1.0."""
        return f"https://{self._address}:{self.port}"

    # What can be changed while it runs

    @property
    def options(self) -> Options:
        """Delays and switches; assign to the fields."""
        return self._tenant.options

    @property
    def visibility_delay(self) -> float:
        """Seconds from the creation of a user to the first read that sees it (for users created from now on)."""
        return self._tenant.options.visibility_delay

    @visibility_delay.setter
    def visibility_delay(self, seconds: float) -> None:
        self._tenant.options.visibility_delay = seconds

    @property
    def licence_lag(self) -> float:
        """Seconds from a PATCH of usageLocation to the first assignLicense that knows it."""
        return self._tenant.options.licence_lag

    @licence_lag.setter
    def licence_lag(self, seconds: float) -> None:
        self._tenant.options.licence_lag = seconds

    def throttle(self, requests: int, retry_after: float | str | None = None) -> None:
        """Answer the next requests to Graph with 429 (those in a batch count one by one); 0 ends it."""
        with self._fault_lock:
            self._throttled = (requests, retry_after)

    def fail(self, status: int, times: int = 1) -> None:
        """Answer the next requests to Graph with this status (409, 500, 502, 503, 504); 0 times ends it."""
        with self._fault_lock:
            self._failing = (times, status)

    def spoil(self, kind: str, times: int = 1, *, path: str = "", skip: int = 0) -> None:
        """Spoil the next answers on the wire; what was asked for was done all the same.

        Args:
            kind: a key of lab.entra.spoil.KINDS; a status, for a proxy's page with it; or 'next ' and a link for '@odata.nextLink',
                in which {page} is another word every time.
            times: how many answers; 0 ends it.
            path: a part of the request target (a whole $batch counts as one request; 'oauth2' is the token endpoint).
            skip: how many of them stay whole before.
        """
        self._spoiler.plan(kind, times, path, skip)

    def set_permissions(self, client_id: str, permissions: Collection[str] | None) -> None:
        """Grant an application exactly these application permissions (None: all)."""
        self._tokens.set_permissions(client_id, permissions)

    def expire_tokens(self) -> None:
        """End all tokens that were issued."""
        self._tokens.expire()

    def add_user(self, **attributes: Any) -> str:
        """Create a cloud-only user (properties as in Graph, at least userPrincipalName); returns its id."""
        with self._tenant.lock:
            return str(self._tenant.create(attributes)["id"])

    def add_group(self, display_name: str, *, on_premises: bool = False, dynamic: bool = False) -> str:
        """Create a security group; returns its id."""
        with self._tenant.lock:
            group = Group(str(uuid.uuid4()), display_name, on_premises, dynamic)
            self._tenant.groups[group.id] = group
            return group.id

    # What tests ask

    def users(self) -> list[dict[str, Any]]:
        """Copies of all living users, whether reads see them already or not."""
        with self._tenant.lock:
            return copy.deepcopy(list(self._tenant.live.values()))

    def deleted_users(self) -> list[dict[str, Any]]:
        """Copies of the users in the recycle bin."""
        with self._tenant.lock:
            return copy.deepcopy(list(self._tenant.deleted.values()))

    @property
    def requests(self) -> list[RequestRecord]:
        """The requests so far (the last 10,000), oldest first."""
        return list(self._log)

    def clear_requests(self) -> None:
        """Forget the requests so far."""
        self._log.clear()

    # lab.synchronisation.SyncTarget

    def apply(self, change: ExportedUser) -> str | None:
        """Take one exported change; None when exported, else the engine's error type."""
        with self._tenant.lock:
            return matching.apply(self._tenant, change)

    # Requests

    def _serve(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        segments, query = split_target(target)
        try:
            if segments[:1] == ["v1.0"]:
                request = Request(method, segments[1:], query, dict(headers), _json(body), f"{self.url}/v1.0")
                answer = _answer(self._graph(request))
            else:
                target = target.partition("?")[0]  # nothing of a sign-in is logged but its address
                answer = self._login(method, segments, body)
        except Exception:
            traceback.print_exc()
            answer = _answer(_refusal(fault(500)))
        answer.headers.update({"request-id": str(uuid.uuid4()), "Cache-Control": "no-cache"})
        self._log.append(RequestRecord(method, target, answer.status))
        return self._spoiler(target, answer)

    def _login(self, method: str, segments: list[str], body: bytes) -> Answer:
        self._tokens.lifetime = self._tenant.options.token_lifetime
        try:
            if method == "GET" and segments[1:] == ["v2.0", ".well-known", "openid-configuration"]:
                return _json_answer(200, self._tokens.metadata(self.url, segments[0]))
            if method == "POST" and segments[1:] == ["oauth2", "v2.0", "token"]:
                form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
                return _json_answer(200, self._tokens.issue(segments[0], form))
        except TokenError as error:
            return _json_answer(error.status, error.body())
        return _json_answer(404, no_such_segment("/".join(segments)).body())

    def _graph(self, request: Request) -> Response:
        client = self._tokens.client_of(request.headers.get("authorization", ""))
        if client is None:
            text = "Access token is empty." if "authorization" not in request.headers else "Access token has expired or is not yet valid."
            return _refusal(GraphError(401, "InvalidAuthenticationToken", text))
        if request.method == "POST" and request.segments == ["$batch"]:
            try:
                return batch.run(request, lambda inner, target: self._logged(inner, client, target))
            except GraphError as error:
                return _refusal(error)
        return self._perform(request, client)

    def _logged(self, request: Request, client: str, target: str) -> Response:
        response = self._perform(request, client)
        self._log.append(RequestRecord(request.method, f"/v1.0{target}", response.status, in_batch=True))
        return response

    def _perform(self, request: Request, client: str) -> Response:
        try:
            self._disturb()
            route, keys = routes.find(request)
            if not self._tokens.may(client, route.permissions):
                raise denied()
            with self._tenant.lock:
                response: Response = copy.deepcopy(route.handler(self._tenant, request, *keys))
        except GraphError as error:
            return _refusal(error)
        if isinstance(response.body, dict) and response.context is not None:
            response.body = {"@odata.context": f"{request.root}/$metadata#{response.context}", **response.body}
        return response

    def _disturb(self) -> None:
        with self._fault_lock:
            left, retry_after = self._throttled
            if left > 0:
                self._throttled = (left - 1, retry_after)
                raise too_many_requests(retry_after)
            times, status = self._failing
            if times > 0:
                self._failing = (times - 1, status)
                raise fault(status)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None


def _refusal(error: GraphError) -> Response:
    return Response(error.status, error.body(), dict(error.headers))


def _answer(response: Response) -> Answer:
    if response.body is None:
        return Answer(response.status, b"", dict(response.headers))
    if isinstance(response.body, str):
        return Answer(response.status, response.body.encode(), {"Content-Type": "text/plain", **response.headers})
    return _json_answer(response.status, response.body, response.headers)


def _json_answer(status: int, body: dict[str, Any], headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/json; charset=utf-8", **(headers or {})})
