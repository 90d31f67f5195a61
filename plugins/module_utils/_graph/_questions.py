# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""How people are looked for: fifteen in one filter, one by one where the tenant refuses that, or directly. Private to the collection."""

from __future__ import annotations

from typing import Callable, Optional, Sequence, Union
from urllib.parse import quote

from ._answers import Answer, Call
from ._client import GraphClient, items_of
from ._failures import GraphFailure, invalid_answer
from ._people import Person
from ._users import SELECTED, CloudUser, read_one, read_user

#: values in one `in`; more are "too many child clauses" for Graph
MOST_IN_FILTER = 15
_WHAT = "looking for people"
_PERMISSION = "User.Read.All"
#: the ways to ask by a filter: with `in` or one by one, each without and with the advanced parameters. The stored tables of Graph's
#: documentation disagree on which of them a property needs, so a refusal leads to the next one.
_WAYS = ((True, False), (True, True), (False, False), (False, True))

#: what a look found of one person: the user, None (not there), or why it cannot be said
Look = Union[CloudUser, GraphFailure, None]


class Looks:
    """Looks for people; remembers which way of asking the tenant takes."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client
        self._way: dict[str, int] = {}

    def by_filter(self, people: Sequence[Person]) -> list[tuple[Look, Optional[Answer]]]:
        """Look for many at once. A filter answers a little later than a direct read.

        Returns:
            For each person what was found, and the answer of a fault, for its pause.
        """
        found: dict[int, tuple[Look, Optional[Answer]]] = {}
        for key_of, name in ((_id, "id"), (_anchor, "onPremisesImmutableId"), (_name, "userPrincipalName")):
            group = [person for person in people if id(person) not in found and key_of(person)]
            found.update(zip(map(id, group), self._filtered(name, [key_of(person) for person in group])))
        return [found[id(person)] for person in people]

    def directly(self, people: Sequence[Person]) -> list[tuple[Look, Optional[Answer]]]:
        """Look for each by id, or by the name, where it may find the owner of the name instead; as by_filter."""
        paths = [f"/users/{person.id or quote(person.upn, safe='@')}?$select={SELECTED}" for person in people]
        answers = self._client.batch([[Call("GET", path)] for path in paths], _WHAT) if paths else []
        return [self._direct(person, answer) for person, (answer,) in zip(people, answers)]

    def _direct(self, person: Person, answer: Answer) -> tuple[Look, Optional[Answer]]:
        try:
            user = read_one(answer, _WHAT)
            asked = (user.id == person.id if person.id else _folded(user.upn) == _folded(person.upn)) if user else True
            return (user, None) if asked else (invalid_answer(_WHAT, "it is about somebody else"), answer)
        except GraphFailure as fault:
            return fault, answer

    def _filtered(self, name: str, keys: Sequence[str]) -> list[tuple[Look, Optional[Answer]]]:
        results: dict[str, tuple[Look, Optional[Answer]]] = {}
        left = list(dict.fromkeys(keys))
        while left:
            way = self._way.get(name, 0)
            many, advanced = _WAYS[way]
            size = MOST_IN_FILTER if many else 1
            packs = [left[start : start + size] for start in range(0, len(left), size)]
            answers = self._client.batch([[_filter(name, pack, advanced)] for pack in packs], _WHAT)
            left = []
            for pack, (answer,) in zip(packs, answers):
                if answer.status == 400 and answer.code and way + 1 < len(_WAYS):
                    # A filter that is wrong in itself is no matter of the advanced parameters.
                    self._way[name] = way + 1 if answer.code == "Request_UnsupportedQuery" else max(way + 1, 2)
                    left.extend(pack)
                else:
                    results.update(zip(pack, self._read(name, pack, answer)))
        return [results[key] for key in keys]

    def _read(self, name: str, keys: Sequence[str], answer: Answer) -> list[tuple[Look, Optional[Answer]]]:
        try:
            if not answer.ok:
                raise answer.failure(_WHAT, _PERMISSION)
            items = items_of(answer, _WHAT)
            if answer.body.get("@odata.nextLink") is not None:
                items = items + self._client.read_rest(answer, _WHAT, _PERMISSION)
        except GraphFailure as fault:
            return [(fault, answer)] * len(keys)
        users, broken = [], None
        for item in items:
            try:
                users.append(read_user(item, _WHAT))
            except GraphFailure as fault:  # it may be anybody who is not found
                broken = fault
        key_of = _KEYS[name]
        found = [_only([user for user in users if key_of(user) == (_folded(key) if key_of is _user_name else key)]) for key in keys]
        return [(broken if one is None else one, answer) for one in found]


def _only(users: Sequence[CloudUser]) -> Look:
    if len({user.id for user in users}) > 1:
        return invalid_answer(_WHAT, "two users have what only one can have")
    return users[0] if users else None


def _filter(name: str, keys: Sequence[str], advanced: bool) -> Call:
    values = ",".join("'" + quote(key.replace("'", "''"), safe="") + "'" for key in keys)
    test = f"{name}%20in%20({values})" if len(keys) > 1 else f"{name}%20eq%20{values}"
    path = f"/users?$filter={test}&$select={SELECTED}"
    return Call("GET", f"{path}&$count=true", headers={"ConsistencyLevel": "eventual"}) if advanced else Call("GET", path)


def _id(person: Person) -> str:
    return person.id


def _anchor(person: Person) -> str:
    return person.source_anchor


def _name(person: Person) -> str:
    return person.upn


def _user_id(user: CloudUser) -> str:
    return user.id


def _user_anchor(user: CloudUser) -> str:
    return user.anchor  # base64 text must be compared in its case, whatever the filter does


def _user_name(user: CloudUser) -> str:
    return _folded(user.upn)


_KEYS: dict[str, Callable[[CloudUser], str]] = {
    "id": _user_id,
    "onPremisesImmutableId": _user_anchor,
    "userPrincipalName": _user_name,
}


def _folded(text: str) -> str:
    return text.casefold()
