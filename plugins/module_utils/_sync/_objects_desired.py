# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Which single objects are to be synchronised, as the options say it. Pure; private to the collection."""

from __future__ import annotations

import re
from typing import Any, Mapping, Sequence

from .._failure import HybridIdentityError

#: the most that one task takes: Microsoft throttles them, and a cycle carries any number
MOST = 200
_DN = re.compile(r"(?i)^\s*[a-z][a-z0-9-]*\s*=\s*[^,=]")
#: (option, the value that is refused, why) beside those that Ansible itself excludes
_NO_CYCLE = (("type", "full", "a full cycle reads everything"), ("wait", False, "there is no cycle that could be followed later"))


def read_objects(params: Mapping[str, Any]) -> tuple[str, ...]:
    """The distinguished names, each once, in their order.

    Raises:
        HybridIdentityError: invalid_input.
    """
    given: Sequence[Any] | None = params.get("objects")
    if given is None:
        return ()
    for option, value, why in _NO_CYCLE:
        if params.get(option) == value:
            shown = str(value).lower()
            raise HybridIdentityError("invalid_input", f"objects and {option}={shown} exclude each other: {why}.")
    names: dict[str, str] = {}
    for position, name in enumerate(str(one).strip() for one in given):
        if not _DN.match(name) or any(ord(character) < 32 for character in name):
            raise HybridIdentityError(
                "invalid_input", f"objects[{position}] is no distinguished name, for example CN=Amy Example,OU=Staff,DC=corp,DC=example."
            )
        names.setdefault(name.casefold(), name)
    if not names:
        raise HybridIdentityError("invalid_input", "objects is empty: name the distinguished names, or leave the option out for a cycle.")
    if len(names) > MOST:
        raise HybridIdentityError("invalid_input", f"objects has {len(names)} names, and {MOST} is the most: a cycle carries any number.")
    return tuple(names.values())
