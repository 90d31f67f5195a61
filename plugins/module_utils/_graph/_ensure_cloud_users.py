# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Ensure that people are in Entra ID with usage location and licences: observe, decide, act. Private to the collection."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Any, Callable, Mapping, Sequence

from .._deadline import Deadline
from ._client import GraphClient
from ._decide import (
    WRITES,
    Step,
    Terms,
    close,
    could_not_look,
    is_hopeful,
    is_settled,
    looked,
    next_step,
    predict,
    writes,
    wrote,
)
from ._failures import GraphFailure
from ._people import Person, free_seats, read_people, resolve_licences
from ._questions import Looks
from ._result import outcome

#: seconds after the time for the people, in which a last look tells who is there and what was written
CLOSING_TIME = 6.0
#: requests that are due within so many seconds go together
_TOGETHER = 0.25


class CloudUsers:
    """The procedure for one task.

    Args:
        client: of the tenant. Its own deadline lies a little (CLOSING_TIME) after this one, for the last look.
        deadline: of waiting, writing and reading back: nothing new is written after it.
        check_mode: read and predict only, nobody is awaited.
        wait: whether people are awaited who are not there.
        wait_sleep: the longest pause between two looks, in seconds.
        sleep, clock: for tests.
        progress: gets a line when the number of people who arrived changes.
    """

    def __init__(
        self,
        client: GraphClient,
        deadline: Deadline,
        *,
        check_mode: bool = False,
        wait: bool = True,
        wait_sleep: float = 5,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        progress: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._client, self._deadline, self._sleep, self._clock, self._progress = client, deadline, sleep, clock, progress
        self._terms = Terms(wait, check_mode, max(0.1, wait_sleep))
        self._looks = Looks(client)
        self._shown, self._begun = -1, False

    def ensure(self, users: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Do it.

        Args:
            users: items of the option `users` of entra_user.

        Returns:
            changed, users, summary, failure_reason, msg, diff; failed when somebody is not ready (not in check mode for missing people).

        Raises:
            HybridIdentityError: nothing could be said about anybody (sign-in, permissions, throttling, input).
        """
        people = read_people(users, self._terms.check_mode)
        skus: list[dict[str, Any]] = []
        if any(user.get("licenses") for user in users):
            skus = self._client.read("/subscribedSkus", "reading the subscriptions", "LicenseAssignment.Read.All")
        for person, user in zip(people, users):
            person.licenses = resolve_licences(user.get("licenses") or [], skus)
        self._follow(people)
        self._look([person for person in people if person.awaited and not is_settled(person, self._terms)], directly=True)
        if not self._deadline.over:
            self._follow(people)  # somebody was found by the last look only: a filter lags
        for person in people:
            if person.awaited:
                close(person, self._terms)
        if self._terms.check_mode:
            free = free_seats(skus)
            for person in people:
                if person.state in ("ready", "missing"):
                    predict(person, free)
        return outcome(people, self._terms.check_mode)

    def _follow(self, people: Sequence[Person]) -> None:
        """Look and write until everybody has ended, or more time does not help, or there is none."""
        while hopeful := [person for person in people if is_hopeful(person, self._terms) and not self._is_predicted(person)]:
            first, self._begun = not self._begun, True  # there is one look even without any time
            if self._deadline.over and not first:
                return
            pause = min(person.due for person in hopeful) - self._clock() if not first else 0.0
            if pause >= self._deadline.left() and not first:
                self._sleep(self._deadline.left())
                return
            if pause > 0:
                self._sleep(pause)
            now = self._clock() + _TOGETHER
            steps = [(person, next_step(person, self._terms)) for person in hopeful if first or person.due <= now]
            self._look([person for person, step in steps if step is Step.LOOK])
            self._look([person for person, step in steps if step is Step.LOOK_DIRECTLY], directly=True)
            due = [person for person in people if next_step(person, self._terms) is Step.WRITE]
            self._write([person for person in due if not self._terms.check_mode and (not person.tries or person.due <= now)])
            self._tell(people)

    def _is_predicted(self, person: Person) -> bool:
        """Whether check mode has nothing more to see of a person."""
        return self._terms.check_mode and person.looks > 0 and not person.tries

    def _look(self, people: Sequence[Person], directly: bool = False) -> None:
        if not people:
            return
        found = self._looks.directly(people) if directly else self._looks.by_filter(people)
        now = self._clock()
        shown_now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        for person, (seen, answer) in zip(people, found):
            if isinstance(seen, GraphFailure):
                could_not_look(person, seen, answer, self._client.answered, now, self._deadline.left())
            else:
                looked(person, seen, self._terms, now, shown_now, directly)

    def _write(self, people: Sequence[Person]) -> None:
        if not people or self._deadline.over:
            return
        wanted = [writes(person) for person in people]
        answers = self._client.batch([[call for _what, call in one] for one in wanted], WRITES)
        now, left = self._clock(), self._deadline.left()
        for person, one, got in zip(people, wanted, answers):
            wrote(person, [(what, answer) for (what, _call), answer in zip(one, got)], self._client.answered, now, left)

    def _tell(self, people: Sequence[Person]) -> None:
        arrived = sum(1 for person in people if person.id)
        if arrived != self._shown:
            self._progress(f"{arrived} of {len(people)} people are in Entra ID")
            self._shown = arrived
