# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Fakes of the scripts of the engines before Azure AD Connect 1.1. They decide nothing that a script does not decide."""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Callable

from ansible_collections.hybrid.identity.plugins.module_utils._engines import _aadsync_scripts
from lab.clock import Clock
from lab.connect import CmdletError

from .envelope import error_object, parse_round_trip, round_trip
from .fim_fakes import Cmdlet, SharedFakes

_TASK = "\\Azure AD Sync Scheduler"
_OURS = "\\hybrid.identity"
_SID = "S-1-5-21-1004336348-1177238915-682003330-1104"
_NO_COMMAND = "System.Management.Automation.CommandNotFoundException"
#: the lock file of each server; servers are told apart by their clocks
_LOCKS: weakref.WeakKeyDictionary[Clock, threading.Lock] = weakref.WeakKeyDictionary()

Fake = Callable[[dict[str, Any]], Any]


class OlderFakes(SharedFakes):
    """What the engines with the WMI history alone have in common: watching, the lock, and waiting for a run. user: who calls."""

    by_script: dict[str, Fake]

    def __init__(self, cmdlet: Cmdlet, clock: Clock, user: str) -> None:
        super().__init__(cmdlet, clock)
        self._user = user

    def state(self) -> dict[str, Any]:
        """Read-State."""
        raise NotImplementedError

    def _busy(self) -> dict[str, Any]:
        try:
            return {"busy": self.wmi_busy(), "problem": None}
        except CmdletError as error:
            return {"busy": [], "problem": error_object(error)}

    def watch_engine(self, limits: dict[str, Any], active: bool, since: datetime) -> dict[str, Any]:
        """Watch-Engine."""
        began = time.monotonic()
        idle, looks, last = None, 0, None
        seen: dict[str, Any] = {"active": False, "first_active": None, "idle_since": None, "history": None}
        while True:
            state = seen["state"] = self.state()
            numbers: dict[str, int] = {}
            with contextlib.suppress(CmdletError):
                numbers = self.wmi_numbers(since)
            begun = last is not None and bool(find_new_runs(last, numbers))
            last = numbers
            elapsed = time.monotonic() - began
            if state["in_progress"] or state["busy"] or begun:
                active = seen["active"] = True
                idle = seen["idle_since"] = None
                looks = 0
                seen["first_active"] = seen["first_active"] or state["at"]
                if limits["stop_when_active"]:
                    break
            else:
                looks += 1
                if idle is None:
                    idle, seen["idle_since"] = elapsed, state["at"]
                over = active or numbers or elapsed >= limits["confirm_seconds"]
                if over and looks >= 3 and elapsed - idle >= limits["quiet_seconds"]:
                    break
            if elapsed >= limits["seconds"]:
                break
            time.sleep(limits["step_ms"] / 1000)
        if idle is not None:
            seen["history"] = self.wmi_history(since)
        return seen

    @contextlib.contextmanager
    def lock(self, seconds: float) -> Iterator[bool]:
        """Open-Lock, and giving it back."""
        with lock_of(self._clock, seconds) as held:
            yield held

    def _numbers_before(self) -> dict[str, int] | None:
        try:
            return self.wmi_numbers(self._clock.now() - timedelta(days=30))
        except CmdletError:
            return None

    def _wait_new_run(self, before: dict[str, int] | None, limits: dict[str, Any]) -> bool:
        if before is None:
            return False
        since = self._clock.now() - timedelta(days=30)
        deadline = time.monotonic() + limits["confirm_seconds"]
        while time.monotonic() < deadline:
            if find_new_runs(before, self.wmi_numbers(since)):
                return True
            time.sleep(limits["step_ms"] / 1000)
        return False

    def _follow_start(self, started: dict[str, Any], p: dict[str, Any], began: float) -> None:
        p = {**p, "seconds": max(0.5, p["seconds"] - (time.monotonic() - began))}
        try:
            started["watch"] = self.watch_engine(p, started["appeared"], parse_round_trip(started["requested"]))
        except CmdletError as error:
            started["trouble"] = error_object(error)

    def follow(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of FOLLOW."""
        return self.watch_engine(p, p["active"], parse_round_trip(p["since"]))

    def read_runs(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of READ_RUNS."""
        answer: dict[str, Any] = {"at": self.now(), "runs": self.wmi_runs(parse_round_trip(p["since"])), "connectors": []}
        try:
            answer["connectors"] = self.wmi_connectors()
        except CmdletError as error:
            answer["problem"] = error_object(error)
        return answer


@contextlib.contextmanager
def lock_of(server: Clock, seconds: float) -> Iterator[bool]:
    """Open-Lock on a server, and giving it back."""
    lock = _LOCKS.setdefault(server, threading.Lock())
    held = lock.acquire(timeout=seconds)
    try:
        yield held
    finally:
        if held:
            lock.release()


def find_new_runs(before: dict[str, int], now: dict[str, int]) -> list[str]:
    """Find-NewRuns."""
    return [name for name, number in now.items() if number > before.get(name, -1)]


class AadSyncFakes(OlderFakes):
    """The fakes of the aadsync engine's scripts."""

    providers = ("ADSync", "Directory Synchronization")

    def __init__(self, cmdlet: Cmdlet, clock: Clock, user: str) -> None:
        super().__init__(cmdlet, clock, user)
        self.by_script = {
            _aadsync_scripts.PROBE: self.probe,
            _aadsync_scripts.START: self.start,
            _aadsync_scripts.FOLLOW: self.follow_and_clean,
        }

    def _find_task(self) -> dict[str, Any]:
        names = ("enabled", "state", "next_start", "interval", "problem")
        found: dict[str, Any] = {"seen": False, **dict.fromkeys(names)}
        try:
            task = self._cmdlet("task_get", path=_TASK)
        except CmdletError as error:
            return {**found, "problem": error_object(error)}
        next_start = round_trip(task["NextRunTime"]) if task["NextRunTime"] else None
        return {
            **found,
            "seen": True,
            "enabled": task["Enabled"],
            "state": task["State"],
            "next_start": next_start,
            "interval": task["Interval"],
        }

    def state(self) -> dict[str, Any]:
        """Read-State."""
        state: dict[str, Any] = {"in_progress": None, "task": self._find_task(), **self._busy()}
        with contextlib.suppress(CmdletError):
            if self._cmdlet("Get-Process", Name="DirectorySyncClientCmd"):
                state["in_progress"] = True
        return {**state, "at": self.now()}

    def probe(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of PROBE."""
        state = self.state()
        problems = {name: one for name, one in (("status", state["problem"]), ("task", state["task"]["problem"])) if one is not None}
        history = self.wmi_history(self._clock.now() - timedelta(seconds=p["history_seconds"]))
        administrator = "S-1-5-32-544" in self._cmdlet("own_groups")
        return {"state": state, "problems": problems, "history": history, "administrator": administrator}

    def _remove_one_shots(self) -> None:
        with contextlib.suppress(CmdletError):
            self._cmdlet("task_folder", path=_OURS)
            for task in self._cmdlet("task_list", path=_OURS):
                if task["Name"].startswith("cycle-") and task["State"] != 4:
                    self._cmdlet("task_delete", path=task["Path"])
            if not self._cmdlet("task_list", path=_OURS):
                self._cmdlet("task_folder_remove", path=_OURS)

    def _one_shot(self, p: dict[str, Any], word: str) -> None:
        try:
            self._cmdlet("task_folder", path=_OURS)
        except CmdletError:
            self._cmdlet("task_folder_make", path=_OURS)
        path = f"{_OURS}\\cycle-{p['name']}"
        details = {"execute": p["exe"], "arguments": word, "user": _SID, "logon_type": 2, "run_level": 1, "interval": "", "enabled": True}
        self._cmdlet("task_register", path=path, flags=2, description=f"hybrid.identity {_SID}", limit="PT72H", **details)
        self._cmdlet("task_run", path=path)

    def _by(self, means: str, p: dict[str, Any], word: str) -> None:
        if means == "task":
            self._cmdlet("task_run", path=_TASK)
        elif means == "process":
            line = {"CommandLine": f'"{p["exe"]}" {word}'}
            value = self._cmdlet("cim_invoke", ClassName="Win32_Process", MethodName="Create", Namespace="", Arguments=line)["ReturnValue"]
            if value:
                kind = "System.Management.Automation.RuntimeException"
                words = f"Win32_Process.Create returned {value}"
                raise CmdletError(kind, -2146233087, words, "OperationStopped", words, True)
        else:
            self._one_shot(p, word)

    def start(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of START."""
        began = time.monotonic()
        names = ("before", "requested", "means", "watch", "trouble")
        started: dict[str, Any] = {
            "sent": False,
            "locked": False,
            **dict.fromkeys(names),
            "attempts": [],
            "appeared": False,
            "accounts": [],
        }
        started["account"] = self._user
        word = "initial" if p["full"] else "delta"
        with self.lock(p["lock_seconds"]) as started["locked"]:
            try:
                before = started["before"] = self.state()
                if before["in_progress"] or before["busy"] or before["task"]["state"] == 4:
                    return started
                self._remove_one_shots()
                numbers = self._numbers_before()
                usable = not p["full"] and before["task"]["seen"] and before["task"]["enabled"]
                started["sent"], started["requested"] = True, self.now()
                for means in (*(("task",) if usable else ()), "process", "one_shot_task"):
                    try:
                        self._by(means, p, word)
                        started["means"] = means
                        break
                    except CmdletError as error:
                        started["attempts"].append({"means": means, "error": error_object(error)})
                if started["means"] is None:
                    return started
                started["appeared"] = self._wait_new_run(numbers, p)
                if started["appeared"]:
                    runs = sorted(self.wmi_runs(parse_round_trip(started["requested"])), key=lambda run: str(run["started"]))
                    started["accounts"] = [run["account"] for run in runs]
            except CmdletError as error:
                started["trouble"] = error_object(error)
                return started
        self._follow_start(started, p, began)
        if started["means"] == "one_shot_task":
            self._remove_one_shots()
        return started

    def follow_and_clean(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of FOLLOW."""
        seen = self.follow(p)
        if seen["history"] is not None:
            self._remove_one_shots()
        return seen
