# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What has been read of the event log, put together. Pure; private to the collection."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Iterable, Mapping

from .._engines._password_contract import ChannelState, EventPage
from .._engines._password_events import PersonSign, Sign, domain_of, same_dn

#: marks that are kept; a full synchronisation of a large forest writes a few thousand
_MOST_MARKS = 20000
_OF_PEOPLE = ("requests", "results")


@dataclass(frozen=True)
class PersonState:
    """What became of one person, by the newest record that says something. result: pending, succeeded, failed or retrying."""

    anchor: str
    dn: str | None
    connector: str | None
    result: str
    at: datetime
    record: int
    words: str = ""


@dataclass(frozen=True)
class Forests:
    """Which connector an event belongs to: by its identifier, else by the forest or domain that it names."""

    identifiers: frozenset[str]
    places: Mapping[str, str]

    @classmethod
    def of(cls, channels: Iterable[ChannelState]) -> Forests:
        """From the AD connectors of the engine."""
        places: dict[str, str] = {}
        identifiers = set()
        for channel in channels:
            identifiers.add(channel.identifier)
            for dn in channel.domains:
                places.setdefault(domain_of(dn), channel.identifier)
        for channel in channels:
            places[channel.name.lower()] = channel.identifier
        return cls(frozenset(identifiers), places)

    def of_sign(self, sign: Sign) -> str | None:
        """The connector of an event; None where it does not say, and there are several."""
        if sign.connector in self.identifiers:
            return sign.connector
        named = self.identifiers & sign.guids or {self.places[name] for name in sign.names if name in self.places}
        if len(named) == 1:
            return next(iter(named))
        return self._only()

    def of_person(self, dn: str | None) -> str | None:
        """The connector of a person."""
        domain = domain_of(dn) if dn else ""
        while domain:
            if domain in self.places:
                return self.places[domain]
            domain = domain.partition(".")[2]
        return self._only()

    def _only(self) -> str | None:
        return next(iter(self.identifiers)) if len(self.identifiers) == 1 else None


@dataclass(frozen=True)
class Mark:
    """An event that is not about single people, and the connector that it belongs to."""

    sign: Sign
    connector: str | None


@dataclass(frozen=True)
class Journal:
    """What has been read so far.

    Attributes:
        marks: by record. people: by source anchor, and dns: same_dn -> source anchor; both hold only what lies behind `start`.
        traffic: connector (None: not said) -> times of the first and the newest event about people, behind `start`.
        last: the record at which reading continues. oldest: time of the oldest event of the log. rolled: something between two readings is lost.
    """

    marks: Mapping[int, Mark] = field(default_factory=dict)
    people: Mapping[str, PersonState] = field(default_factory=dict)
    dns: Mapping[str, str] = field(default_factory=dict)
    traffic: Mapping[str | None, tuple[datetime, datetime]] = field(default_factory=dict)
    start: int | None = None
    last: int = 0
    oldest: datetime | None = None
    rolled: bool = False

    def marks_of(self, connector: str, *, everywhere: bool = False) -> list[Mark]:
        """The marks of a connector, oldest first; everywhere: and those that do not say which."""
        found = [self.marks[record] for record in sorted(self.marks)]
        return [mark for mark in found if mark.connector == connector or (everywhere and mark.connector is None)]

    def started_at(self, record: int) -> Journal:
        """The same, to be read from behind a record, people included."""
        return replace(self, start=record, last=record, people={}, dns={}, traffic={})

    def with_page(self, page: EventPage, forests: Forests) -> Journal:
        """Add a page that was read behind `last`."""
        before = self.last
        gone = page.oldest.record > before + 1 if page.oldest is not None else before > 0
        reset = page.newest is not None and page.newest.record < before
        rolled = self.rolled or (self.start is not None and (gone or reset))
        last = page.oldest.record - 1 if reset and page.oldest is not None else page.last
        if self.start is None:
            return replace(self._with_marks(page.signs, forests), last=max(last, before), oldest=page.oldest.at if page.oldest else None)
        journal = self._with_marks(page.signs, forests)._with_people(page.signs, forests)
        return replace(journal, last=last, rolled=rolled, oldest=page.oldest.at if page.oldest else self.oldest)

    def _with_marks(self, signs: Iterable[Sign], forests: Forests) -> Journal:
        marks = dict(self.marks)
        for sign in signs:
            if sign.kind == "results":
                first = sign.people[0] if sign.people else None
                connector = forests.of_sign(sign) or forests.of_person(first.dn if first else None)
                marks[sign.record] = Mark(replace(sign, people=()), connector)
            elif sign.kind not in _OF_PEOPLE:
                marks[sign.record] = Mark(sign, forests.of_sign(sign))
        while len(marks) > _MOST_MARKS:
            del marks[min(marks)]
        return replace(self, marks=marks)

    def _with_people(self, signs: Iterable[Sign], forests: Forests) -> Journal:
        people, dns, traffic = dict(self.people), dict(self.dns), dict(self.traffic)
        for sign in sorted(signs, key=lambda one: one.record):
            if sign.kind in _OF_PEOPLE:
                for line in sign.people:
                    connector = self._add_line(people, dns, sign, line, forests)
                    first = traffic.get(connector, (sign.at, sign.at))[0]
                    traffic[connector] = (first, sign.at)
            for dn in sign.retrying:
                anchor = dns.get(dn)
                known = people.get(anchor) if anchor else None
                if known is not None and known.record <= sign.record:
                    people[known.anchor] = replace(known, result="retrying", at=sign.at, record=sign.record, words="scheduled for retry")
        return replace(self, people=people, dns=dns, traffic=traffic)

    @staticmethod
    def _add_line(people: dict[str, PersonState], dns: dict[str, str], sign: Sign, line: PersonSign, forests: Forests) -> str | None:
        known = people.get(line.anchor)
        dn = line.dn or (known.dn if known else None)
        if line.dn:
            dns[same_dn(line.dn)] = line.anchor
        connector = (sign.connector if sign.connector in forests.identifiers else None) or forests.of_person(dn)
        connector = connector or (known.connector if known else None)
        result = {None: "pending", True: "succeeded", False: "failed"}[line.succeeded]
        if known is None or known.record <= sign.record:
            people[line.anchor] = PersonState(line.anchor, dn, connector, result, sign.at, sign.record, line.words)
        return connector
