# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Requests to Microsoft Graph: throttling honoured, faults outlasted, batches of 20. A fault is never taken for an absence."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Optional, Sequence

from ._failures import GraphFailure, refused
from ._options import GraphOptions
from ._tokens import HttpClient, TokenSource, reason_of

try:
    import requests
except ImportError:  # the module says so, see GRAPH_IMPORT_ERROR
    pass

MOST_IN_BATCH = 20
_PATIENT = frozenset((429, 502, 503, 504))
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0


@dataclass(frozen=True)
class Call:
    """One request. `path` begins with a slash, without host and version, and is percent-encoded."""

    method: str
    path: str
    body: Optional[dict[str, Any]] = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What came back; `body` is a dict, empty when there was none. Status 0: nothing did, and `fault` is why, where that is known."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Optional[GraphFailure] = None

    @property
    def ok(self) -> bool:
        """Whether it is a success."""
        return 200 <= self.status < 300

    @property
    def code(self) -> str:
        """Graph's error code, or nothing."""
        return str(_error(self.body).get("code") or "")

    @property
    def message(self) -> str:
        """Graph's error message, or nothing, in one line."""
        return " ".join(str(_error(self.body).get("message") or "").split())

    @property
    def absent(self) -> bool:
        """Whether Graph says that the object is not there: only this status with this code means that."""
        return self.status == 404 and self.code in ("Request_ResourceNotFound", "ResourceNotFound")

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed a little later (Microsoft Graph throttling guidance and error list)."""
        return self.status in _PATIENT or (self.status == 409 and "concurrency" in self.code.lower())

    def failure(self, what: str, permission: str = "") -> GraphFailure:
        """The failure that this answer is."""
        return self.fault or refused(what, self.status, self.code, self.message, permission)

    def pause(self, attempt: int) -> float:
        """Seconds to wait before the next try: what Graph asks for, else longer and longer."""
        asked = next((value for name, value in self.headers.items() if name.lower() == "retry-after"), "")
        try:
            return max(0.0, float(asked))
        except ValueError:
            return min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE)


class GraphClient:
    """Microsoft Graph v1.0 for one application.

    Args:
        options: tenant, credential and addresses.
        timeout: seconds for everything together, pauses included.
        sleep, clock: for tests.
        trace: gets a line per request, without secrets.
    """

    def __init__(
        self,
        options: GraphOptions,
        timeout: float,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        trace: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._root = f"{options.graph_url}/v1.0"
        self._host = options.graph_url
        self._http = HttpClient(options.ca_cert)
        self._tokens = TokenSource(options, self._http)
        self._token = ""
        self._sleep, self._clock, self._trace = sleep, clock, trace
        self._deadline = clock() + timeout

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def call(self, call: Call, what: str) -> Answer:
        """Send one request, with patience.

        Args:
            call: the request.
            what: what is being done, for the sentence of a failure.

        Returns:
            The answer, whether a success or a refusal (400, 403, 404).

        Raises:
            GraphFailure: unreachable, authentication_failed, graph_throttled.
        """
        attempt = 0
        while True:
            answer = self._send(call, what)
            if not answer.transient:
                return answer
            if not self._wait(answer, attempt):
                raise refused(what, 429 if answer.status == 409 else answer.status, answer.code, answer.message)
            attempt += 1

    def read(self, path: str, what: str, permission: str = "") -> list[dict[str, Any]]:
        """All items of a collection, page by page. Raises GraphFailure, also for a refusal."""
        items: list[dict[str, Any]] = []
        seen = set()
        while path and path not in seen:
            seen.add(path)
            answer = self.call(Call("GET", path), what)
            if not answer.ok:
                raise answer.failure(what, permission)
            items.extend(answer.body.get("value") or [])
            link = str(answer.body.get("@odata.nextLink") or "")
            if link and not link.startswith(self._root):
                raise GraphFailure("unreachable", f"Microsoft Graph pointed to another host while {what}.")
            path = link[len(self._root) :]
        return items

    def batch(self, calls: Sequence[Call], what: str) -> list[Answer]:
        """Send many requests, 20 at a time; every one is throttled and repeated on its own.

        Returns:
            The answers, in the order of the requests. One that is still throttled when the time is over stays so, and one that
            did not come has the status 0: what became of the others must not be lost with them.

        Raises:
            GraphFailure: as `call`, when it fails before the first answers.
        """
        answers: list[Answer] = []
        for start in range(0, len(calls), MOST_IN_BATCH):
            try:
                answers.extend(self._batch(calls[start : start + MOST_IN_BATCH], what))
            except GraphFailure as fault:
                if not answers:
                    raise
                return [*answers, *(Answer(0, {}, fault=fault) for _call in calls[start:])]
        return answers

    def _batch(self, calls: Sequence[Call], what: str) -> list[Answer]:
        answers = [Answer(0, {})] * len(calls)
        waiting = list(range(len(calls)))
        attempt = 0
        while waiting:
            try:
                outer = self.call(Call("POST", "/$batch", {"requests": [_part(index, calls[index]) for index in waiting]}), what)
                if not outer.ok:
                    raise outer.failure(what)
            except GraphFailure:
                if not attempt:
                    raise
                break
            for part in outer.body.get("responses") or []:
                body = part.get("body")
                headers = {str(name): str(value) for name, value in (part.get("headers") or {}).items()}
                answers[int(part["id"])] = Answer(int(part["status"]), body if isinstance(body, dict) else {}, headers)
            waiting = [index for index in waiting if answers[index].transient]
            slowest = max((answers[index] for index in waiting), key=lambda answer: answer.pause(attempt), default=None)
            if slowest is None or not self._wait(slowest, attempt):
                break
            attempt += 1
        return answers

    def _wait(self, answer: Answer, attempt: int) -> bool:
        """Let the pause pass that Graph asks for; false when it would be longer than the time left."""
        pause = answer.pause(attempt)
        if pause >= self._deadline - self._clock():
            return False
        self._trace(f"graph: {answer.status} {answer.code}, waiting {pause:.1f} s")
        self._sleep(pause)
        return True

    def _send(self, call: Call, what: str) -> Answer:
        if not self._token:
            self._token = self._tokens.token()
        answer = self._transmit(call, what)
        if answer.status == 401:  # it may have expired during a long wait, or been revoked: once more with a new one
            self._token = self._tokens.token(fresh=True)
            answer = self._transmit(call, what)
            if answer.status == 401:
                raise answer.failure(what)
        return answer

    def _transmit(self, call: Call, what: str) -> Answer:
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json", **call.headers}
        attempt = 0
        while True:
            try:
                response = self._http.request(call.method, self._root + call.path, json=call.body, headers=headers)
                break
            except requests.exceptions.SSLError as error:  # time does not help
                raise GraphFailure("unreachable", f"The certificate of {self._host} was not accepted: {reason_of(error)}.") from None
            except requests.exceptions.RequestException as error:
                # Every request of this collection may be repeated: reads, PATCH to a value, licences that are held already.
                pause = min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE)
                if attempt >= 3 or self._clock() + pause >= self._deadline:
                    raise GraphFailure("unreachable", f"{self._host} cannot be reached while {what}: {reason_of(error)}.") from None
                self._sleep(pause)
                attempt += 1
        self._trace(f"graph: {call.method} {call.path.partition('?')[0]} -> {response.status_code}")
        try:
            body = response.json() if response.content else {}
        except ValueError:
            body = {}
        return Answer(response.status_code, body if isinstance(body, dict) else {}, dict(response.headers))


def _part(index: int, call: Call) -> dict[str, Any]:
    part: dict[str, Any] = {"id": str(index), "method": call.method, "url": call.path}
    headers = dict(call.headers)
    if call.body is not None:
        headers["Content-Type"] = "application/json"
        part["body"] = call.body
    return {**part, "headers": headers} if headers else part


def _error(body: Mapping[str, Any]) -> Mapping[str, Any]:
    error = body.get("error")
    return error if isinstance(error, dict) else {}
