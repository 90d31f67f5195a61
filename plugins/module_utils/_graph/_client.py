# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Requests to Microsoft Graph: sign-in, one deadline, batches of 20, four at a time. Private to the collection."""

from __future__ import annotations

import time
from typing import Any, Callable, Optional, Sequence

from .._deadline import Deadline
from .._failure import HybridIdentityError
from .._printable import printable
from ._answers import Answer, Call, read_body, read_parts
from ._credentials import check_files
from ._failures import GraphFailure, invalid_answer
from ._flight import NotBegun, TooSlow, run_all
from ._http import HttpClient, Reply, TooLong, is_broken_off, reason_of, was_sent
from ._options import GraphOptions
from ._tokens import SignInFault, TokenSource

try:
    import requests
except ImportError:  # the module says so, see GRAPH_IMPORT_ERROR
    pass

MOST_IN_BATCH = 20
#: the most seconds for one answer, from the connection to its last byte
_MOST_SECONDS = 60.0
#: a collection that has more pages than this has no end: no collection that is read here has more than a few
_MOST_PAGES = 500


class GraphClient:
    """Microsoft Graph v1.0 for one application.

    Args:
        options: tenant, credential and addresses.
        deadline: of everything together, sign-in and pauses included: nothing is begun after it, and what was begun is abandoned.
        sleep: for tests.
        trace: gets a line per request, without secrets.

    Raises:
        HybridIdentityError: invalid_input, a file of the options cannot serve.
    """

    def __init__(
        self,
        options: GraphOptions,
        deadline: Deadline,
        *,
        sleep: Callable[[float], None] = time.sleep,
        trace: Callable[[str], None] = lambda line: None,
    ) -> None:
        check_files(options)
        self._root = f"{options.graph_url}/v1.0"
        self._host = options.graph_url
        self._authority = options.authority_url
        self._http = HttpClient(options.ca_cert)
        self._tokens = TokenSource(options, self._http)
        self._token = ""
        self._sleep, self._trace = sleep, trace
        self.deadline = deadline
        #: Graph has given a whole answer to this task
        self.answered = False

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
            GraphFailure: unreachable, authentication_failed, graph_throttled, graph_invalid.
        """
        attempt = 0
        while True:
            (answer,) = self._send([call], what)
            if answer.transient and not answer.is_final(attempt, self.answered) and self._rest(answer.pause(attempt), answer):
                attempt += 1
            elif answer.transient or answer.fault is not None:
                raise answer.failure(what)
            else:
                return answer

    def read(self, path: str, what: str, permission: str = "") -> list[dict[str, Any]]:
        """All items of a collection, page by page. Raises GraphFailure, also for a refusal."""
        answer = self.call(Call("GET", path), what)
        if not answer.ok:
            raise answer.failure(what, permission)
        return items_of(answer, what) + self.read_rest(answer, what, permission)

    def read_rest(self, answer: Answer, what: str, permission: str = "") -> list[dict[str, Any]]:
        """The items on the pages after the one that this answer is. Raises GraphFailure, also for pages without end."""
        items: list[dict[str, Any]] = []
        seen: set[str] = set()
        while path := self._next(answer, what):
            if path in seen or len(seen) >= _MOST_PAGES:
                raise GraphFailure("graph_invalid", f"Microsoft Graph gave pages without end while {what}.")
            seen.add(path)
            answer = self.call(Call("GET", path), what)
            if not answer.ok:
                raise answer.failure(what, permission)
            items.extend(items_of(answer, what))
        return items

    def batch(self, chains: Sequence[Sequence[Call]], what: str) -> list[list[Answer]]:
        """Send many requests once, 20 in a batch and four batches at a time. Nothing is repeated: who asks knows who can wait.

        Args:
            chains: requests that depend on each other: one is served only when the one before it was.
            what: what is being done, for the sentence of a failure.

        Returns:
            The answers, in the same form. It never raises: what became of the others must not be lost with one.
        """
        packs: list[list[int]] = []
        for index, chain in enumerate(chains):
            if not packs or sum(len(chains[one]) for one in packs[-1]) + len(chain) > MOST_IN_BATCH:
                packs.append([])
            packs[-1].append(index)
        outer = self._send([Call("POST", "/$batch", {"requests": _parts([chains[one] for one in pack])}) for pack in packs], what)
        answers: list[list[Answer]] = [[] for _chain in chains]
        for pack, answer in zip(packs, outer):
            calls = [call for one in pack for call in chains[one]]
            parts = iter(read_parts(answer.body, calls, what) if answer.ok else [_for_all(answer, what)] * len(calls))
            for one in pack:
                answers[one] = [next(parts) for _call in chains[one]]
        return answers

    def _next(self, answer: Answer, what: str) -> str:
        """The path of the next page, or nothing."""
        link = answer.body.get("@odata.nextLink")
        if link is None:
            return ""
        if not isinstance(link, str) or not link.startswith(f"{self._root}/") or printable(link, len(link) + 1) != link:
            raise GraphFailure("graph_invalid", f"Microsoft Graph pointed to another host while {what}.")
        return link[len(self._root) :]

    # -- one round

    def _send(self, calls: Sequence[Call], what: str) -> list[Answer]:
        """Every request once, and once more with a new token where the old one was not accepted."""
        fault = None if self._token else self._sign_in()
        if fault is not None:
            return [Answer(0, {}, fault=fault)] * len(calls)
        answers = self._transmit(calls, what)
        stale = [index for index, answer in enumerate(answers) if answer.status == 401]
        if stale:  # it may have expired during a long wait, or been revoked
            fault = self._sign_in()
            again = [Answer(0, {}, fault=fault)] * len(stale) if fault else self._transmit([calls[index] for index in stale], what)
            for index, answer in zip(stale, again):
                if answer.status == 401 or fault is not None:
                    failure = answer.failure(what)
                    # Without a code it was not Graph that said so, and Graph may have served the request.
                    unsure = not answers[index].code or (answer.status == 401 and not answer.code)
                    answer = Answer(0, {}, fault=GraphFailure(failure.reason, failure.message, unsure=unsure))
                answers[index] = answer
        return answers

    def _transmit(self, calls: Sequence[Call], what: str) -> list[Answer]:
        tasks = [self._task(call) for call in calls]
        answers = []
        for call, reply in zip(calls, run_all(tasks, self.deadline.left, _MOST_SECONDS)):
            answer = self._answer(reply, what)
            self._trace(f"graph: {call.method} {call.path.partition('?')[0]} -> {answer.status or answer.fault}")
            self.answered = self.answered or answer.status > 0
            answers.append(answer)
        return answers

    def _task(self, call: Call) -> Callable[[], Reply]:
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json", **call.headers}
        return lambda: self._http.request(call.method, self._root + call.path, json=call.body, headers=headers)

    def _answer(self, reply: Any, what: str) -> Answer:
        if isinstance(reply, Exception):
            return Answer(0, {}, fault=self._fault(reply, what))
        body, fault = read_body(reply.content, reply.status_code, what)
        return Answer(0 if fault else reply.status_code, body, reply.headers, fault)

    def _fault(self, error: Exception, what: str) -> GraphFailure:
        if isinstance(error, TooSlow):
            return GraphFailure("unreachable", f"{self._host} did not end its answer in time while {what}.", passing=True, unsure=True)
        if isinstance(error, NotBegun):
            return GraphFailure("unreachable", f"No time was left for {what}.")
        if isinstance(error, TooLong):
            return invalid_answer(what, "it has no end")
        if isinstance(error, requests.exceptions.SSLError):  # time does not help
            return GraphFailure("unreachable", f"The certificate of {self._host} was not accepted: {reason_of(error)}.")
        if is_broken_off(error):
            return invalid_answer(what, f"it breaks off ({reason_of(error)})")
        if isinstance(error, requests.exceptions.RequestException):
            text = f"{self._host} cannot be reached while {what}: {reason_of(error)}."
            return GraphFailure("unreachable", text, passing=True, unsure=was_sent(error))
        # Below requests there is more that raises: name encodings, headers that are none.
        text = f"The request to {self._host} failed while {what}: {type(error).__name__}: {reason_of(error)}."
        return GraphFailure("unreachable", text, passing=True, unsure=True)

    # -- sign-in

    def _sign_in(self) -> Optional[GraphFailure]:
        """Get a new token, with patience; the fault when there is none."""
        attempt = 0
        while True:
            (token,) = run_all([self._tokens.token], self.deadline.left, _MOST_SECONDS)
            if isinstance(token, str):
                self._token = token
                return None
            if isinstance(token, HybridIdentityError) and not isinstance(token, GraphFailure):
                return GraphFailure(token.reason, token.message)
            if isinstance(token, (TooSlow, NotBegun)):
                text = f"The sign-in service {self._authority} did not end its answer in time."
                token = SignInFault("unreachable", text, passing=isinstance(token, TooSlow))
            if not isinstance(token, SignInFault):
                token = SignInFault("unreachable", f"The sign-in at {self._authority} failed: {type(token).__name__}: {reason_of(token)}.")
            fault = SignInFault(token.reason, token.message)  # what is no more repeated does not pass
            silent = not token.headers  # nothing answered at all: a wrong name or port, as a rule
            answer = Answer(0, {}, token.headers, token)
            if not token.passing or (silent and answer.is_final(attempt, self.answered)):
                return fault
            if not self._rest(answer.pause(attempt), answer):
                return fault
            attempt += 1

    def _rest(self, pause: float, answer: Answer) -> bool:
        """Let a pause pass; false when it would be longer than the time left."""
        if pause >= self.deadline.left():
            return False
        self._trace(f"graph: {answer.status} {answer.code}, waiting {pause:.1f} s")
        self._sleep(pause)
        return True


def items_of(answer: Answer, what: str) -> list[dict[str, Any]]:
    """The objects of one page. Raises GraphFailure (graph_invalid) for an answer that has no list of objects."""
    items = answer.body.get("value")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise invalid_answer(what, "it has no list of objects")
    return items


def _for_all(answer: Answer, what: str) -> Answer:
    """What a batch that failed as a whole means for each of its parts; a missing batch is no missing object."""
    if answer.fault is not None or answer.transient:
        return answer
    return Answer(0, {}, fault=answer.failure(what))


def _parts(chains: Sequence[Sequence[Call]]) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    for chain in chains:
        for place, call in enumerate(chain):
            part: dict[str, Any] = {"id": str(len(parts)), "method": call.method, "url": call.path}
            headers = dict(call.headers)
            if call.body is not None:
                headers["Content-Type"] = "application/json"
                part["body"] = call.body
            if headers:
                part["headers"] = headers
            if place:
                part["dependsOn"] = [str(len(parts) - 1)]
            parts.append(part)
    return parts
