# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""OData queries of collections: $filter with the gate of advanced queries, $select, $top, $count, $orderby and paging."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from lab.entra.errors import GraphError, bad_request, unsupported_query
from lab.entra.messages import Request, Response

Item = Mapping[str, Any]
Test = Callable[[Item], bool]
_TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|([A-Za-z_][\w/]*)|([(),:])|([^\s(),:']+))")
_MAX_TOP = 999
_MOST_VALUES = 15


@dataclass(frozen=True)
class Resource:
    """How one kind of object can be queried.

    `filterable`: properties with a default filter; `advanced`: those that need the advanced parameters; `case_sensitive`: compared as they are.
    """

    name: str  # 'User', as in messages
    collection: str  # 'users', as in '@odata.context'
    properties: Collection[str]
    default: Collection[str]
    filterable: Collection[str]
    advanced: Collection[str] = ()
    case_sensitive: Collection[str] = ()


def answer(resource: Resource, request: Request, items: Iterable[Item], page_size: int) -> Response:
    """Answer GET on a collection. Raises GraphError."""
    query = request.query
    _gate(request)
    test = _Filter(resource, request).test if "filter" in query else None
    chosen = [item for item in items if test is None or test(item)]
    if "orderby" in query:
        name, _unused, direction = query["orderby"].strip().partition(" ")
        if name not in resource.filterable:
            raise unsupported_query(f"Sorting by property '{name}' is not supported.")
        chosen.sort(key=lambda item: str(item[name] or "").lower(), reverse=direction.strip().lower() == "desc")
    body: dict[str, Any] = {}
    if request.advanced:
        body["@odata.count"] = len(chosen)
    size, skip = _number(query, "top", page_size, _MAX_TOP), _number(query, "skiptoken", 0, None)
    if skip + size < len(chosen):
        kept = "&".join(f"${name}={quote(value)}" for name, value in query.items() if name != "skiptoken")
        body["@odata.nextLink"] = f"{request.root}/{'/'.join(request.segments)}?{kept}{'&' if kept else ''}$skiptoken={skip + size}"
    body["value"] = [select(resource, request, item) for item in chosen[skip : skip + size]]
    return Response(200, body, context=resource.collection)


def select(resource: Resource, request: Request, item: Item) -> dict[str, Any]:
    """The selected properties of an object, or the default ones. Raises GraphError for an unknown one."""
    names = [name.strip() for name in request.query.get("select", "").split(",") if name.strip()]
    for name in names:
        if name not in resource.properties:
            kind = resource.name.lower()
            raise GraphError(
                400,
                "BadRequest",
                f"Parsing OData Select and Expand failed: Could not find a property named '{name}' on type 'microsoft.graph.{kind}'.",
            )
    return {name: item[name] for name in names or resource.default}


def _gate(request: Request) -> None:
    query = request.query
    if "search" in query:
        raise unsupported_query("Request with $search query parameter is not supported by this server.")
    if "filter" in query and "orderby" in query and not request.advanced:
        raise _needs_advanced("Sorting not supported for current query.")


def _needs_advanced(what: str) -> GraphError:
    return unsupported_query(
        f"{what} The required parameters might be missing. Try adding $count=true query parameter and ConsistencyLevel:eventual header. "
        "Refer to https://aka.ms/graph-docs/advanced-queries for more information."
    )


def _number(query: Mapping[str, str], name: str, otherwise: int, most: int | None) -> int:
    text = query.get(name, str(otherwise))
    if not text.isdigit() or (most is not None and not 1 <= int(text) <= most):
        raise bad_request(
            f"Invalid page size specified: '{text}'. Must be between 1 and {most} inclusive." if most else "Invalid skip token."
        )
    return int(text)


class _Filter:
    """A parsed $filter: comparisons (eq, ne, in, startsWith, endsWith, any) joined by and, or, not."""

    def __init__(self, resource: Resource, request: Request) -> None:
        self._resource = resource
        self._advanced = request.advanced
        text = request.query["filter"]
        self._tokens: list[str] = []
        position = 0
        while text[position:].strip():
            found = _TOKEN.match(text, position)
            if found is None:
                raise self._invalid()
            self._tokens.append(found.group(0).strip())
            position = found.end()
        self.test = self._or()
        if self._tokens:
            raise self._invalid()

    def _invalid(self) -> GraphError:
        return bad_request("Invalid filter clause")

    def _peek(self) -> str:
        return self._tokens[0] if self._tokens else ""

    def _take(self, expected: str | None = None) -> str:
        token = self._peek()
        if not token or (expected is not None and token.lower() != expected):
            raise self._invalid()
        return self._tokens.pop(0)

    def _or(self) -> Test:
        tests = [self._and()]
        while self._peek().lower() == "or":
            self._take()
            tests.append(self._and())
        return lambda item: any(test(item) for test in tests)

    def _and(self) -> Test:
        tests = [self._unary()]
        while self._peek().lower() == "and":
            self._take()
            tests.append(self._unary())
        return lambda item: all(test(item) for test in tests)

    def _unary(self) -> Test:
        word = self._peek().lower()
        if word == "not":
            self._take()
            self._require_advanced("Operator 'Not' is not supported.")
            inner = self._unary()
            return lambda item: not inner(item)
        if word == "(":
            self._take()
            test = self._or()
            self._take(")")
            return test
        if word in ("startswith", "endswith"):
            return self._text_function(word)
        return self._comparison()

    def _text_function(self, word: str) -> Test:
        self._take()
        self._take("(")
        name = self._take()
        self._property(name)
        if word == "endswith":
            self._require_advanced("Operator 'endsWith' is not supported.")
        self._take(",")
        value = str(self._literal()).lower()
        self._take(")")
        if word == "endswith":
            return lambda item: str(item[name] or "").lower().endswith(value)
        return lambda item: str(item[name] or "").lower().startswith(value)

    def _comparison(self) -> Test:
        name = self._take()
        if name.endswith("/any"):
            return self._any(name.removesuffix("/any"))
        self._property(name)
        operator = self._take().lower()
        if operator == "in":
            self._take("(")
            values = [self._folded(name, self._literal())]
            while self._peek() == ",":
                self._take()
                values.append(self._folded(name, self._literal()))
            self._take(")")
            if len(values) > _MOST_VALUES:
                raise unsupported_query(
                    "Too many child clauses specified in search filter expression containing 'OR' operators: "
                    f"{len(values)}. Max allowed: {_MOST_VALUES}."
                )
            return lambda item: self._folded(name, item[name]) in values
        value = self._folded(name, self._literal())
        if operator == "eq":
            return lambda item: self._folded(name, item[name]) == value
        if operator == "ne":
            self._require_advanced("Operator 'ne' is not supported.")
            return lambda item: self._folded(name, item[name]) != value
        raise unsupported_query(
            f"Unsupported or invalid query filter clause specified for property '{name}' of resource '{self._resource.name}'."
        )

    def _any(self, name: str) -> Test:
        """name/any(x:x eq 'value') and name/any(x:x/part eq 'value')."""
        self._property(name)
        self._take("(")
        variable = self._take()
        self._take(":")
        owner, _unused, part = self._take().partition("/")
        if owner != variable:
            raise self._invalid()
        self._take("eq")
        value = self._folded(name, self._literal())
        self._take(")")
        return lambda item: any(self._folded(name, entry[part] if part else entry) == value for entry in item[name])

    def _property(self, name: str) -> None:
        if name not in self._resource.filterable and name not in self._resource.advanced:
            raise unsupported_query(
                f"Unsupported or invalid query filter clause specified for property '{name}' of resource '{self._resource.name}'."
            )
        if name in self._resource.advanced:
            self._require_advanced(f"Filter on property '{name}' is not supported.")

    def _require_advanced(self, what: str) -> None:
        if not self._advanced:
            raise _needs_advanced(what)

    def _literal(self) -> Any:
        token = self._take()
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        return {"true": True, "false": False, "null": None}.get(token.lower(), token)

    def _folded(self, name: str, value: Any) -> Any:
        return value.lower() if isinstance(value, str) and name not in self._resource.case_sensitive else value
