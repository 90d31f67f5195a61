# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Faults that strike at a place: at the call of a cmdlet, or at a phase of a cycle (see options.PLACES)."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lab.lifetime import current, require_alive

from .errors import com_error
from .event_log import CONNECTOR
from .faults import ArmedFaults
from .phases import PROFILES, CycleRecord

if TYPE_CHECKING:
    from .server import ConnectServer


class Happenings:
    """Carries out the faults that strike at a place.

    Args:
        server: what they happen to.
        faults: what is armed.
    """

    def __init__(self, server: ConnectServer, faults: ArmedFaults) -> None:
        self._server, self._faults = server, faults
        self._acts: dict[str, Callable[[dict[str, Any]], None]] = {
            "service_dies": self._service_dies,
            "com_error": self._com_error,
            "cmdlet_hangs": self._hang,
            "cycle_stopped": self._cycle_stopped,
            "interval_changed": self._interval_changed,
            "history_purged": self._history_purged,
            "foreign_cycle": self._foreign_cycle,
            "profiles_by_hand": self._profiles_by_hand,
            "clock_jumps": lambda fault: self._server.clock.jump(float(fault["seconds"])),
            "connection": self._connection,
            "event": self._event,
            "script_killed": self._script_killed,
        }

    def at_call(self, cmdlet: str, moment: str) -> None:
        """A cmdlet is called; moment: before or after it has had its effect. Raises what the fault makes the cmdlet say."""

        def fits(fault: dict[str, Any]) -> bool:
            wanted = fault.get("cmdlet")
            named = wanted == cmdlet or (wanted == "*" and "-ADSync" in cmdlet)
            return named and fault.get("moment", "before") == moment

        while (fault := self._faults.take_any(self._acts, fits)) is not None:
            self._strike(fault, f"at {cmdlet} ({moment})")

    def at_phase(self, cycle: CycleRecord, phase: int | str, moment: str) -> None:
        """A cycle has come to a phase; moment: before, within or after it."""

        def fits(fault: dict[str, Any]) -> bool:
            if fault.get("phase") != phase or fault.get("origin") not in (None, cycle.origin):
                return False
            return phase == "end" or fault.get("moment", "after") == moment

        while (fault := self._faults.take_any(self._acts, fits)) is not None:
            self._strike(fault, f"at phase {phase} of cycle {cycle.number} ({moment})")

    def _strike(self, fault: dict[str, Any], where: str) -> None:
        details = {name: value for name, value in fault.items() if name not in ("name", "times", "cmdlet", "phase", "moment", "skip")}
        self._server.record.note(f"{fault['name']} {details or ''} {where}")
        self._acts[fault["name"]](fault)

    def _when_idle(self, seconds: float, work: Callable[[], object]) -> None:
        """Somebody does something after a while, as soon as nothing runs."""

        def act() -> None:
            if self._server.engine.stopping.wait(seconds):
                return
            while not self._server.engine.stopping.is_set():
                if self._server.options.service_running and not self._server.engine.active and work() is not False:
                    return
                self._server.engine.stopping.wait(0.01)

        self._server.spawn(act, "somebody")

    # -- acts

    def _service_dies(self, fault: dict[str, Any]) -> None:
        self._server.end_service(graceful=bool(fault.get("graceful", True)))
        seconds = fault.get("seconds")
        if seconds is not None:
            self._server.begin_service_in(float(seconds), moves_next_start=bool(fault.get("moves_next_start")))
        if fault.get("cmdlet") is not None and fault.get("moment") == "after":
            raise com_error(0x800706BE, self._server.options.language, self._server.options.computer)

    def _com_error(self, fault: dict[str, Any]) -> None:
        raise com_error(int(fault.get("hresult", 0x800706BA)), self._server.options.language, self._server.options.computer)

    def _hang(self, fault: dict[str, Any]) -> None:
        deadline = time.monotonic() + float(fault.get("seconds", 30))
        lifetime = current()
        while time.monotonic() < deadline and not self._server.engine.stopping.wait(0.02):
            if lifetime is not None:
                require_alive()

    def _script_killed(self, fault: dict[str, Any]) -> None:
        lifetime = current()
        if lifetime is not None:
            lifetime.kill()
        require_alive()

    def _cycle_stopped(self, fault: dict[str, Any]) -> None:
        self._server.engine.cancelled.set()
        if fault.get("then_starts"):
            self._when_idle(0.0, self._server.start_cycle)

    def _interval_changed(self, fault: dict[str, Any]) -> None:
        self._server.change_interval(timedelta(minutes=float(fault.get("minutes", 45))))

    def _history_purged(self, fault: dict[str, Any]) -> None:
        self._server.engine.purge(int(fault.get("keep", 0)))

    def _foreign_cycle(self, fault: dict[str, Any]) -> None:
        full, seconds = bool(fault.get("full")), float(fault.get("seconds", 0))
        if seconds or self._server.engine.active or not self._server.start_cycle(full):
            self._when_idle(seconds, lambda: self._server.start_cycle(full))

    def _profiles_by_hand(self, fault: dict[str, Any]) -> None:
        directory, each = self._server.engine.connector(True), float(fault.get("each", 0.2))

        def run() -> None:
            for profile in fault.get("profiles", [PROFILES["import", False]]):
                self._server.engine.run_profile(directory, profile, each)

        self._when_idle(0.0, run)

    def _event(self, fault: dict[str, Any]) -> None:
        words = [str(word) for word in fault.get("words", ["words of the server"])]
        self._server.events.write(fault.get("provider", CONNECTOR), int(fault["id"]), *words, level=int(fault.get("level", 2)))

    def _connection(self, fault: dict[str, Any]) -> None:
        names = ("verb", "seconds", "location", "after", "pending", "refuse")
        details: dict[str, Any] = {name: fault[name] for name in names if name in fault}
        self._server.break_connection(str(fault["fault"]), details)
