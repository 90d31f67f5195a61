# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""POST /$batch: up to 20 requests in one, each with its own status."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab.entra.errors import GraphError
from lab.entra.messages import Request, Response, split_target

MOST_REQUESTS = 20
_FAILED = 400


def run(request: Request, perform: Callable[[Request, str], Response]) -> Response:
    """Perform the inner requests in their order.

    Args:
        request: the outer one.
        perform: performs one inner request; its second argument is the inner target for the log. Never raises.

    Raises:
        GraphError: the batch itself is wrong.
    """
    items = request.json_object().get("requests")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise _invalid("Invalid batch payload format.")
    if len(items) > MOST_REQUESTS:
        raise _invalid(f"Number of batch request steps exceeds the maximum value of {MOST_REQUESTS}.")
    ids = [str(item.get("id", "")) for item in items]
    if len(set(ids)) != len(ids) or "" in ids:
        raise _invalid("Request Id values have to be unique and not empty.")
    done: dict[str, Response] = {}
    for key, item in zip(ids, items, strict=True):
        waits_for = [str(other) for other in item.get("dependsOn") or []]
        if any(other not in done for other in waits_for):
            raise _invalid("A request depends on one that is not before it.")
        if any(done[other].status >= _FAILED for other in waits_for):
            error = GraphError(424, "FailedDependency", "A request that this one depends on failed.")
            done[key] = Response(424, error.body())
        else:
            done[key] = _perform(request, item, perform)
    # "In any order", says the documentation: the last first, so that nobody relies on another one.
    return Response(200, {"responses": [_shown(key, response) for key, response in reversed(done.items())]})


def _perform(outer: Request, item: dict[str, Any], perform: Callable[[Request, str], Response]) -> Response:
    target = str(item.get("url", ""))
    segments, query = split_target(target)
    headers = {str(name).lower(): str(value) for name, value in (item.get("headers") or {}).items()}
    body = item.get("body")
    if body is not None and "content-type" not in headers:
        error = GraphError(400, "BadRequest", "Write request id must contain Content-Type header declaration.")
        return Response(400, error.body())
    inner = Request(str(item.get("method", "")).upper(), segments, query, headers, body, outer.root)
    return perform(inner, "/" + target.lstrip("/"))


def _shown(key: str, response: Response) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": key, "status": response.status, "headers": dict(response.headers)}
    if response.body is not None:
        shown["headers"]["Content-Type"] = "application/json"
        shown["body"] = response.body
    return shown


def _invalid(message: str) -> GraphError:
    return GraphError(400, "BadRequest", message)
