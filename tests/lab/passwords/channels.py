# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What a channel does by itself: full synchronisations, deltas every two minutes, heartbeats every thirty while nothing is sent."""

from __future__ import annotations

import base64
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from lab.clock import Clock
from lab.connect.event_log import CONNECTOR, EventLog
from lab.connect.identity import StagedObject
from lab.connect.options import ConnectOptions
from lab.synchronisation import ExportedUser

from .texts import FAILURES, TEXTS, decorated, forest_info, requests_text, results_text, retry_text

_DELTA, _HEARTBEAT = timedelta(minutes=2), timedelta(minutes=30)
_BATCH = 50


@dataclass
class Person:
    """Somebody in the connector space. outcome: success, failed, retrying, pending (no result), unseen (not even asked for).

    must_change: the password has to be changed at the next sign-in. in_cloud: the cloud has taken one of this person before.
    """

    dn: str
    anchor: str
    sam: str
    upn: str
    outcome: str = "success"
    must_change: bool = False
    in_cloud: bool = True


@dataclass
class Channel:
    """The channel of one AD connector. life: counts its lives; what was begun in an earlier one is over. forest: where it is not the name."""

    name: str
    identifier: uuid.UUID
    enabled: bool = True
    parameters: list[dict[str, Any]] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    changed: list[Person] = field(default_factory=list)
    arrivals: list[tuple[datetime, Person]] = field(default_factory=list)
    failure: str | None = None
    life: int = 0
    full_running: bool = False
    fulls: list[tuple[datetime, datetime | None]] = field(default_factory=list)
    cycle_began: datetime | None = None
    cycle_ended: datetime | None = None
    cycle_succeeded: bool = True
    success_began: datetime | None = None  # of the last cycle that has ended well
    last_traffic: datetime | None = None
    last_delta: datetime | None = None
    forest: str = ""

    @property
    def place(self) -> str:
        """The forest that its events tell of."""
        return self.forest or self.name

    @property
    def flag(self) -> bool:
        """Whether the next start is told to be a full synchronisation."""
        return any(one["Name"] == FLAG and str(one["Value"]) == "1" for one in self.parameters)


FLAG = "Microsoft.Synchronize.ForceFullPasswordSync"


def some_people(count: int, forest: str) -> list[Person]:
    """So many people of a forest, the same whenever they are asked for."""
    suffix = ",".join(f"DC={part}" for part in forest.split("."))
    found = []
    for number in range(count):
        anchor = base64.b64encode(uuid.uuid5(uuid.NAMESPACE_DNS, f"{number}.{forest}").bytes_le).decode()
        name = f"Last\\, First {number}" if number % 3 == 1 else f"Person {number}"
        found.append(Person(f"CN={name},OU=Staff,{suffix}", anchor, f"person{number}", f"person{number}@{forest}"))
    return found


class Channels:
    """Every channel of a server, and what they do in the course of time.

    Args:
        spawn: runs work in a thread that ends with the server. stopping: set when it does.
        forest: where connectors do not bear the names of their forests.
    """

    def __init__(
        self,
        clock: Clock,
        options: ConnectOptions,
        events: EventLog,
        spawn: Callable[[Callable[[], None], str], None],
        stopping: threading.Event,
        forests: Sequence[tuple[str, uuid.UUID]],
        forest: str = "",
    ) -> None:
        self.clock, self.options, self.events, self.spawn, self.stopping = clock, options, events, spawn, stopping
        self.lock = threading.RLock()
        people = options.password_people
        self.all = [
            Channel(name, identifier, options.password_enabled, people=some_people(people, forest or name), forest=forest)
            for name, identifier in forests
        ]
        for channel in self.all:
            channel.last_delta = channel.last_traffic = clock.now()
        spawn(self._in_time, "passwords")

    def of(self, name: str) -> Channel | None:
        """By the exact name: names are case sensitive."""
        return next((one for one in self.all if one.name == name), None)

    def switch(self, channel: Channel, on: bool) -> None:
        """Off ends what runs; on starts the channel, and with the flag a full synchronisation. assumption: without the flag none."""
        with self.lock:
            if channel.enabled == on:
                return
            channel.enabled = on
            channel.life += 1
            life = channel.life
            if self.options.staging:
                return
            if not on:
                self._cut(channel)
                self.tell(channel, 602)
                self.tell(channel, 609)
                return
            self._begin(channel, life, channel.flag)

    def _begin(self, channel: Channel, life: int, full: bool) -> None:
        self.tell(channel, 601)
        channel.last_delta = self.clock.now()
        if not self.options.password_first_sync_done:
            self.fail(channel, "first_sync_unfinished")
        elif full:
            self.spawn(lambda: self._full(channel, life), "full password synchronisation")

    def service_stopped(self) -> None:
        """The service ends, and with it what every channel does."""
        with self.lock:
            for channel in self.all:
                channel.life += 1
                if channel.enabled:
                    self._cut(channel)
                    self.tell(channel, 602)
                    self.tell(channel, 609)

    def service_started(self, full: bool = False) -> None:
        """The service begins. full: with a full synchronisation."""
        with self.lock:
            for channel in self.all:
                channel.life += 1
                if channel.enabled:
                    self._begin(channel, channel.life, full)

    def _cut(self, channel: Channel) -> None:
        channel.full_running = False

    def begin_full(self, channel: Channel) -> None:
        """A full synchronisation of somebody else begins."""
        self.spawn(lambda: self._full(channel, channel.life), "full password synchronisation")

    def change_password(self, person: Person) -> None:
        """What the next delta sends."""
        for channel in self.all:
            if person in channel.people:
                channel.changed.append(person)

    def arrive(self, change: ExportedUser, staged: StagedObject) -> None:
        """Somebody new is in the cloud: the channel sends the password of an enabled account, to be changed at the first sign-in or not."""
        if not change.attributes.get("accountEnabled", True):
            return
        channel, upn = self.all[0], str(change.attributes.get("userPrincipalName") or "")
        person = Person(staged.dn, change.source_anchor, staged.text("sAMAccountName") or "", upn, self.options.password_new_outcome)
        person.must_change, person.in_cloud = staged.text("pwdLastSet") == "0", False
        with self.lock:
            channel.people.append(person)
            channel.arrivals.append((self.clock.now() + timedelta(seconds=self.options.password_new_delay), person))

    # -- events

    def tell(self, channel: Channel, event_id: int, text: str | None = None, *, level: int = 4, tail: bool = False) -> None:
        """Write an event about a channel, in the shape of this build and the words of this server."""
        text = text if text is not None else TEXTS[event_id]
        text = text.replace("{forest}", channel.place).replace("{domain}", channel.place)
        if tail and self.options.password_shape == "new":
            text += forest_info(channel.place, channel.identifier)
        if self.options.language != "en":
            text = decorated(text, event_id, CONNECTOR, self.options.language)
        self.events.write_text(self.options.password_source, event_id, text, level=level)

    def fail(self, channel: Channel, name: str) -> None:
        """Write a failure by its name (see FAILURES)."""
        event_id, level, text = FAILURES[name]
        self.tell(channel, event_id, text, level=level)

    # -- what it does

    def _alive(self, channel: Channel, life: int) -> bool:
        return channel.life == life and channel.enabled and self.options.service_running and not self.stopping.is_set()

    def _full(self, channel: Channel, life: int) -> None:
        options = self.options
        if self.stopping.wait(options.password_start_delay) or not self._alive(channel, life):
            return
        with self.lock:
            channel.full_running, channel.cycle_began = True, self.clock.now()
            channel.fulls.append((channel.cycle_began, None))
            if options.password_flag_clears:
                channel.parameters = [one for one in channel.parameters if one["Name"] != FLAG]
        if options.password_marks:
            self.tell(channel, 617)
            self.tell(channel, 618)
        failure = channel.failure or options.password_failure or None
        batches = [channel.people[start : start + _BATCH] for start in range(0, len(channel.people), _BATCH)]
        for number, batch in enumerate(batches):
            if options.password_seconds:
                self.stopping.wait(options.password_seconds / len(batches))
            if not self._alive(channel, life):
                return
            if failure is not None and number == 0:
                self.fail(channel, failure)
                if FAILURES[failure][0] != 652:
                    with self.lock:
                        channel.full_running, channel.cycle_succeeded = False, False
                    return
            self.send(channel, batch, accepted=failure is None)
            if options.password_marks:
                self.tell(channel, 619, TEXTS[619].replace("{count}", str(number * _BATCH + len(batch))))
        if not self._alive(channel, life):
            return
        with self.lock:
            channel.full_running, channel.cycle_ended, channel.cycle_succeeded = False, self.clock.now(), failure is None
            channel.success_began = channel.cycle_began if failure is None else channel.success_began
            channel.fulls[-1] = (channel.fulls[-1][0], channel.cycle_ended)
        if options.password_marks:
            self.tell(channel, 622)
            self.tell(channel, 623)

    def send(self, channel: Channel, people: Sequence[Person], *, accepted: bool = True) -> None:
        """One batch of 1 to 50 people."""
        asked = [one for one in people if one.outcome != "unseen" and not self._keeps_back(one)]
        if not asked:
            return
        count = str(len(asked))
        self.tell(channel, 650, TEXTS[650].replace("{count}", count))
        self.tell(channel, 656, requests_text(asked))
        if accepted:
            done = [(one, one.outcome == "success", one.must_change) for one in asked if one.outcome in ("success", "failed")]
            for person, succeeded, _must_change in done:
                person.in_cloud = person.in_cloud or succeeded
            if done:
                self.tell(channel, 657, results_text(done, self.options.password_shape), tail=True)
            again = [one for one in asked if one.outcome == "retrying"]
            if again:
                self.tell(channel, 0, retry_text(again), level=3)
                self.tell(channel, 605, level=3)
            self.tell(channel, 651, TEXTS[651].replace("{count}", count))
        channel.last_traffic = self.clock.now()

    def _keeps_back(self, person: Person) -> bool:
        """FilteredByTarget: only of somebody whom the cloud knows (tshoot-connect-password-hash-synchronization)."""
        return person.must_change and person.in_cloud and not self.options.password_must_change_feature

    def _in_time(self) -> None:
        while not self.stopping.wait(0.02):
            if self.options.staging or not self.options.service_running:
                continue
            for channel in self.all:
                if channel.enabled and not channel.full_running and self.options.password_first_sync_done:
                    self._due(channel)

    def _delta(self, channel: Channel, people: Sequence[Person]) -> None:
        if not people:
            return
        began = self.clock.now()
        channel.cycle_began = began
        for start in range(0, len(people), _BATCH):
            self.send(channel, people[start : start + _BATCH])
        channel.cycle_ended, channel.cycle_succeeded, channel.success_began = self.clock.now(), True, began

    def _due(self, channel: Channel) -> None:
        now = self.clock.now()
        assert channel.last_delta is not None
        assert channel.last_traffic is not None
        if now - channel.last_delta >= _DELTA:
            channel.last_delta = now
            changed, channel.changed = channel.changed, []
            self._delta(channel, changed)
        with self.lock:
            due = [one for one in channel.arrivals if one[0] <= now]
            channel.arrivals = [one for one in channel.arrivals if one[0] > now]
        self._delta(channel, [person for _at, person in due])
        if now - channel.last_traffic >= _HEARTBEAT:
            channel.last_traffic = now
            self.tell(channel, 653, tail=True)
            if self.options.password_feature is False:
                self.fail(channel, "ping_tenant_off")
            else:
                self.tell(channel, 654, tail=True)
