# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Microsoft Graph's error answers: status, `error.code` and messages as clients meet them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

_CODES = {
    409: ("Directory_ConcurrencyViolation", "The resource was changed by another request, retry the request."),
    500: ("InternalServerError", "The server encountered an internal error."),
    502: ("BadGateway", "The server received an invalid answer."),
    503: ("ServiceUnavailable", "The service is temporarily unavailable."),
    504: ("GatewayTimeout", "The server did not answer in time."),
}


class GraphError(Exception):
    """An answer that is an error.

    Args:
        status: HTTP status.
        code: Graph's `error.code`.
        message: Graph's `error.message`.
        headers: further headers (Retry-After).
    """

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        """The JSON object of the answer."""
        request_id = str(uuid.uuid4())
        inner = {"date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"), "request-id": request_id, "client-request-id": request_id}
        if self.status == 429:
            inner.update(code="429", message="Please retry after", status="429")
        return {"error": {"code": self.code, "message": self.message, "innerError": inner}}


def bad_request(message: str) -> GraphError:
    """400 with the code that most refusals of the directory share."""
    return GraphError(400, "Request_BadRequest", message)


def unsupported_query(message: str) -> GraphError:
    """400 for a query that the directory does not answer (without the advanced parameters)."""
    return GraphError(400, "Request_UnsupportedQuery", message)


def not_found(key: str) -> GraphError:
    """404 for an object that is not there (yet)."""
    return GraphError(
        404,
        "Request_ResourceNotFound",
        f"Resource '{key}' does not exist or one of its queried reference-property objects are not present.",
    )


def no_such_segment(segment: str) -> GraphError:
    """400 for a path that the simulation does not have."""
    return GraphError(400, "BadRequest", f"Resource not found for the segment '{segment}'.")


def mastered_on_premises() -> GraphError:
    """400 for a write to what the on-premises directory owns."""
    return bad_request(
        "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently undergoing migration."
    )


def denied() -> GraphError:
    """403 for an application without the permission."""
    return GraphError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def too_many_requests(retry_after: float | str | None) -> GraphError:
    """429, with or without Retry-After (seconds, or any text)."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return GraphError(429, "TooManyRequests", "Please retry again later.", headers)


def fault(status: int) -> GraphError:
    """A passing failure of the service."""
    code, message = _CODES.get(status, ("UnknownError", "The service failed."))
    return GraphError(status, code, message)
