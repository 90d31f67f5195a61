# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Masks many secrets in one pass, so that a thousand people with a thousand passwords take no longer than need be. Private to the collection."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Iterable, Mapping

#: what Ansible itself puts in the place of a secret, and of one within a longer text
WHOLE, PART = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER", "********"
#: by so many of their first characters secrets are looked up
_HEAD = 4


class Mask:
    """The time that it takes grows with the text, not with the number of secrets."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = {secret for secret in secrets if secret}
        self._head = min([_HEAD, *map(len, self._secrets)])
        self._by_head: dict[str, list[str]] = defaultdict(list)
        for secret in sorted(self._secrets, key=len, reverse=True):
            self._by_head[secret[: self._head]].append(secret)

    def value(self, value: Any) -> Any:
        """The same without the secrets; keys of dictionaries stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.value(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in value]
        return value

    def text(self, text: str) -> str:
        """One text without the secrets."""
        if text in self._secrets:
            return WHOLE
        parts: list[str] = []
        kept = place = 0
        while self._secrets and place <= len(text) - self._head:
            found = next((one for one in self._by_head.get(text[place : place + self._head], ()) if text.startswith(one, place)), None)
            if found is None:
                place += 1
                continue
            parts += [text[kept:place], PART]
            kept = place = place + len(found)
        return "".join([*parts, text[kept:]]) if parts else text


def without_secrets(params: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as they may be shown: whatever an option with no_log has is covered, at any depth."""
    shown = {}
    for name, value in params.items():
        option = options.get(name, {})
        if option.get("no_log") and value is not None:
            value = WHOLE
        elif option.get("options") and isinstance(value, list):
            value = [without_secrets(item, option["options"]) if isinstance(item, Mapping) else WHOLE for item in value]
        shown[name] = value
    return shown
