# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""One request to Graph and its answer, whether it came by itself or in a batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from lab.entra.errors import GraphError


@dataclass
class Request:
    """A request as the handlers see it.

    `segments`: the decoded path after the version; `query`: options without their leading '$'; `headers`: lower-case names;
    `root`: 'https://host:port/v1.0', for the links of an answer.
    """

    method: str
    segments: list[str]
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    root: str

    @property
    def advanced(self) -> bool:
        """Whether this is an advanced query of directory objects: header and $count together."""
        return self.consistency and self.query.get("count", "").lower() == "true"

    @property
    def consistency(self) -> bool:
        """Whether ConsistencyLevel: eventual was sent."""
        return self.headers.get("consistencylevel", "").lower() == "eventual"

    def json_object(self) -> dict[str, Any]:
        """The body, which has to be a JSON object. Raises GraphError 400."""
        if not isinstance(self.body, dict):
            raise GraphError(400, "BadRequest", "Unable to read JSON request payload. Please ensure Content-Type header is set.")
        return self.body


@dataclass
class Response:
    """An answer. `body`: None (no content), text, or a JSON object; `context` completes '@odata.context'."""

    status: int
    body: dict[str, Any] | str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    context: str | None = None


def split_target(target: str) -> tuple[list[str], dict[str, str]]:
    """Path segments and query options of a request target; users('key') is the same as users/key."""
    path, _unused, query = target.partition("?")
    segments: list[str] = []
    for part in path.strip("/").split("/"):
        segment = unquote(part)
        if segment.endswith("')") and "('" in segment:
            name, _unused, key = segment[:-2].partition("('")
            segments += [name, key.replace("''", "'")]
        elif segment:
            segments.append(segment)
    options = {name.lstrip("$").lower(): value for name, value in parse_qsl(query, keep_blank_values=True)}
    return segments, options
