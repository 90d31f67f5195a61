# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What an answer has to look like before anybody reads it. Private to the collection.

A script promises a shape, and the remote call holds its answer against it: wrong types, missing keys, numbers that are
none and times outside every calendar end here and go no further. A shape takes a value and the place where it was found
and returns the value as it may be read; what nobody asked for is left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Callable

from .._timestamps import parse_utc

Shape = Callable[[Any, str], Any]

# No engine is older, and a time near the ends of the calendar cannot be moved onto another clock.
_YEARS = range(1990, 2200)


class Misshapen(ValueError):
    """A value is not what the script promises; the message names the place, never the value."""


@dataclass(frozen=True)
class ServerTime:
    """A time of the server's clock.

    text is as the server wrote it, all seven digits of it: only so may it go back to the server and be compared there.
    at is the same, aware and in UTC, cut to microseconds.
    """

    text: str
    at: datetime


def flag(value: Any, where: str) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise Misshapen(f"{where} is no truth value")
    return value


def text(value: Any, where: str) -> str:
    """Text of any length, also none."""
    if not isinstance(value, str):
        raise Misshapen(f"{where} is no text")
    return value


def whole(value: Any, where: str) -> int:
    """A whole number of 64 bits."""
    number = finite(value, where)
    if number != int(number):
        raise Misshapen(f"{where} is no whole number")
    return int(value)


def finite(value: Any, where: str) -> float:
    """A number, neither infinite nor undefined, of a size that 64 bits hold."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Misshapen(f"{where} is no number")
    if not -(2**63) <= value < 2**63 or not math.isfinite(value):
        raise Misshapen(f"{where} is out of range")
    return value


def timestamp(value: Any, where: str) -> ServerTime:
    """Round-trip text of .NET, in a year in which a sync engine can have run."""
    try:
        at = parse_utc(text(value, where))
    except (ValueError, OverflowError):
        raise Misshapen(f"{where} is no time") from None
    if at.year not in _YEARS:
        raise Misshapen(f"{where} lies outside the calendar")
    return ServerTime(value, at)


def end(value: Any, where: str) -> ServerTime | None:
    """The end of something that may go on: nothing, or a time at the beginning of the calendar, while it does."""
    if value is None:
        return None
    try:
        at = parse_utc(text(value, where))
    except OverflowError:
        return None
    except ValueError:
        raise Misshapen(f"{where} is no time") from None
    return ServerTime(value, at) if at.year in _YEARS else None


def anything(value: Any, where: str) -> Any:
    """Not looked at here."""
    return value


def optional(shape: Shape) -> Shape:
    """The shape, or nothing."""
    return lambda value, where: None if value is None else shape(value, where)


def list_of(shape: Shape, most: int = 2000) -> Shape:
    """A list with at most so many items, each of the shape."""

    def check(value: Any, where: str) -> list[Any]:
        if not isinstance(value, list):
            raise Misshapen(f"{where} is no list")
        if len(value) > most:
            raise Misshapen(f"{where} has more than {most} items")
        return [shape(item, f"{where}[{position}]") for position, item in enumerate(value)]

    return check


def table_of(shape: Shape, most: int = 2000) -> Shape:
    """An object with any keys, at most so many, every value of the shape."""

    def check(value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Misshapen(f"{where} is no object")
        if len(value) > most:
            raise Misshapen(f"{where} has more than {most} entries")
        return {str(key): shape(item, f"{where}.{str(key)[:40]}") for key, item in value.items()}

    return check


def record(**fields: Shape) -> Shape:
    """An object with these keys; one whose shape is optional may be missing."""

    def check(value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Misshapen(f"{where} is no object")
        return {name: shape(value.get(name), f"{where}.{name}") for name, shape in fields.items()}

    return check


#: an error object of the envelope (ConvertTo-ErrorObject)
error_object = record(
    type=text,
    hresult=whole,
    causes=list_of(record(type=text, hresult=whole), 50),
    error_id=text,
    category=text,
    message=text,
    script_stack=text,
)
