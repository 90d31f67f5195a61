# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Short Python fakes of the shipped PowerShell scripts, for machines without PowerShell.

A fake calls the same simulated cmdlets in the same order and returns the same shape. It decides nothing that the script
does not decide; the parity test holds the two together wherever PowerShell is found.
"""

from __future__ import annotations

import contextlib
import time
from datetime import timedelta
from typing import Any, Callable

from ansible_collections.hybrid.identity.plugins.module_utils._engines import _connect_scripts, _windows_scripts
from lab.clock import Clock
from lab.connect import CmdletError

from .envelope import error_object, parse_round_trip, round_trip, round_trip_or_none
from .fim_fakes import SERVICES, Cmdlet, SharedFakes

LocalRoute = Callable[[dict[str, Any], dict[str, Any]], Any]
_DENIED = -2147024891
_COUNTERS = (
    ("StageAdd", "StageUpdate", "StageRename", "StageDelete", "StageDeleteAdd", "StageFailure", "FlowFailure")
    + ("ExportAdd", "ExportUpdate", "ExportRename", "ExportDelete", "ExportDeleteAdd", "ExportFailure")
)  # fmt: skip


class ConnectFakes(SharedFakes):
    """The fakes of the connect engine's scripts.

    Args:
        cmdlet: calls a simulated cmdlet as the caller of the run: cmdlet('Get-ADSyncScheduler', Name=value).
        clock: the server's clock.
        local_route: runs what a call carries along for it (see _local_route_script.CARRIED_ALONG): the errand, and the script's parameters.
    """

    providers = ("ADSync", "Directory Synchronization")

    def __init__(self, cmdlet: Cmdlet, clock: Clock, local_route: LocalRoute) -> None:
        super().__init__(cmdlet, clock)
        self._local_route = local_route
        self._wmi = True
        self._errand: dict[str, Any] | None = None
        self._began = time.monotonic()
        #: fake by the text of its script
        self.by_script: dict[str, Callable[[dict[str, Any]], Any]] = {
            _connect_scripts.PROBE: self.probe,
            _connect_scripts.START: self.start,
            _connect_scripts.WATCH: self.watch,
            _connect_scripts.READ_RUNS: self.read_runs,
            _windows_scripts.SURVEY_ALONE: self.survey_alone,
        }

    def _import_engine(self) -> None:
        image = self._cmdlet("registry_value", path=SERVICES + "ADSync", name="ImagePath")
        module = image.strip('"').rsplit("\\", 1)[0] + r"\ADSync\ADSync.psd1"
        if not self._cmdlet("path_exists", path=module):
            raise CmdletError(
                "System.IO.FileNotFoundException",
                -2147024894,
                "Modules_ModuleNotFound,Microsoft.PowerShell.Commands.ImportModuleCommand",
                "ResourceUnavailable",
                f"The specified module '{module}' was not loaded because no valid module file was found in any module directory.",
                True,
            )

    def _state(self) -> dict[str, Any]:
        scheduler = self._cmdlet("Get-ADSyncScheduler")
        state = {
            "busy": [],
            "in_progress": scheduler.get("SyncCycleInProgress"),
            "enabled": scheduler["SyncCycleEnabled"],
            "suspended": scheduler["SchedulerSuspended"],
            "staging": scheduler["StagingModeEnabled"],
            "next_start": round_trip_or_none(scheduler["NextSyncCycleStartTimeInUTC"]),
            "next_type": scheduler["NextSyncCyclePolicyType"],
            "allowed_interval": scheduler["AllowedSyncCycleInterval"].total_seconds(),
            "effective_interval": scheduler["CurrentlyEffectiveSyncCycleInterval"].total_seconds(),
        }
        try:
            state["busy"] = [item["ConnectorName"] for item in self._cmdlet("Get-ADSyncConnectorRunStatus")]
        except CmdletError as error:
            if error.type != "System.Management.Automation.CommandNotFoundException":
                raise
            if self._wmi:
                with contextlib.suppress(CmdletError):
                    state["busy"] = self.wmi_busy()
        state["at"] = round_trip(self._clock.now())
        return state

    def _connectors(self) -> list[dict[str, Any]]:
        return [{"name": one["Name"], "id": str(one["Identifier"]), "type": one["Type"]} for one in self._cmdlet("Get-ADSyncConnector")]

    def _runs(self, since: Any) -> list[dict[str, Any]]:
        return [
            {
                "connector": run["ConnectorName"],
                "connector_id": str(run["ConnectorId"]),
                "profile": run["RunProfileName"],
                "number": run["RunNumber"],
                "result": run["Result"],
                "started": round_trip(run["StartDate"]),
                "ended": round_trip_or_none(run["EndDate"]),
                "steps": [
                    {
                        "counts": {name: step[name] for name in _COUNTERS if step.get(name)},
                        "errors": step["SyncErrors"] or "",
                        "discovery": step["ConnectorDiscoveryErrors"] or "",
                    }
                    for step in run["RunStepResults"]
                ],
            }
            for run in self._cmdlet("Get-ADSyncRunProfileResult", NumberRequested=60, RunStepDetails=True)
            if run["StartDate"] >= since
        ]

    def _history(self, since: Any) -> dict[str, Any]:
        names = ("runs", "events", "runs_error", "events_error")
        history: dict[str, Any] = {"at": self.now(), "source": "run_history", **dict.fromkeys(names)}
        if self._wmi:
            try:
                history.update(runs=self.wmi_runs(since), source="wmi")
            except CmdletError as error:
                history["wmi_error"] = error_object(error)
        parts = (("events", self.read_events),) if history["runs"] is not None else (("runs", self._runs), ("events", self.read_events))
        for part, read in parts:
            try:
                history[part] = read(since)
            except CmdletError as error:
                history[part + "_error"] = error_object(error)
        if self._errand is not None and history["runs_error"] is not None and history["runs_error"]["hresult"] != _DENIED:
            left = self._errand["seconds"] - (time.monotonic() - self._began)
            if min(left, 60) >= self._errand["least"]:
                parameters = {"since": round_trip(since - timedelta(seconds=2))}
                history["local"] = self._local_route({**self._errand, "seconds": left}, parameters)
        return history

    def _watch(self, limits: dict[str, Any], active: bool, next_start: str | None, since: str) -> dict[str, Any]:
        began = time.monotonic()
        idle, looks = None, 0
        seen: dict[str, Any] = {"state": None, "active": False, **dict.fromkeys(("first_active", "idle_since", "history", "trouble"))}
        while True:
            try:
                state = self._state()
            except CmdletError as error:
                if seen["state"] is None:
                    raise
                seen["trouble"] = error_object(error)
                break
            seen["state"] = state
            flagged = state["in_progress"] is not None
            elapsed = time.monotonic() - began
            if state["in_progress"] or state["busy"]:
                active = seen["active"] = True
                idle = seen["idle_since"] = None
                looks = 0
                if state["in_progress"] is not False:
                    seen["first_active"] = seen["first_active"] or state["at"]
                    if limits["stop_when_active"]:
                        break
            else:
                looks += 1
                if idle is None:
                    idle, seen["idle_since"] = elapsed, state["at"]
                rest = limits["idle_seconds"] if flagged else max(limits["idle_seconds"], limits["quiet_seconds"])
                over = active or state["next_start"] != next_start or elapsed >= limits["confirm_seconds"]
                if over and (flagged or looks >= 3) and elapsed - idle >= rest:
                    seen["history"] = self._history(parse_round_trip(since))
                    break
            if elapsed >= limits["seconds"]:
                if not flagged and idle is not None:
                    seen["history"] = self._history(parse_round_trip(since))
                break
            time.sleep(min(limits["step_ms"] / 1000, max(0.25, elapsed / 20)))
        return seen

    def probe(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of PROBE."""
        probe: dict[str, Any] = {"survey": None, "problems": {}, "connectors": [], "state": None, "history": None}
        problems = probe["problems"]
        survey = probe["survey"] = self.read_survey(problems)
        if "ADSync" not in survey["services"]:
            return probe
        version = survey["wizard_version"]
        self._wmi = not version or tuple(int(part) for part in version.split(".")) < (1, 4, 18, 0)
        for part, step in (("module", self._import_engine), ("scheduler", lambda: probe.update(state=self._state()))):
            try:
                step()
            except CmdletError as error:
                problems[part] = error_object(error)
                return probe
        try:
            probe["connectors"] = self._connectors()
        except CmdletError as error:
            problems["connectors"] = error_object(error)
        state, when = probe["state"], p.get("local_when")
        ready = state["enabled"] and not state["suspended"] and not state["staging"]
        if when == "always" or (ready and not (when == "idle" and (state["in_progress"] or state["busy"]))):
            self._errand = p.get("local")
        probe["history"] = self._history(self._clock.now() - timedelta(seconds=p["history_seconds"]))
        return probe

    def start(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of START."""
        self._wmi, self._errand = p["wmi"], p.get("local")
        names = ("before", "requested", "result", "refusal", "watch", "trouble")
        started: dict[str, Any] = {"sent": False, **dict.fromkeys(names)}
        try:
            self._import_engine()
            started["before"] = self._state()
        except CmdletError as error:
            started["trouble"] = error_object(error)
            return started
        before = started["before"]
        if before["in_progress"] is None:
            if not before["busy"] and self._wmi and not self.at_rest(p["quiet_seconds"]):
                before["in_progress"] = True
            if before["in_progress"] or before["busy"]:
                return started
        started["sent"] = True
        started["requested"] = round_trip(self._clock.now())
        try:
            started["result"] = (self._cmdlet("Start-ADSyncSyncCycle", PolicyType=p["policy"]) or {}).get("Result", "")
        except CmdletError as error:
            started["refusal"] = error_object(error)
        try:
            if started["refusal"] is not None:
                started["watch"] = {
                    "state": self._state(),
                    "active": False,
                    **dict.fromkeys(("first_active", "idle_since", "history", "trouble")),
                }
            else:
                started["watch"] = self._watch(p, False, started["before"]["next_start"], started["requested"])
        except CmdletError as error:
            started["trouble"] = error_object(error)
        return started

    def watch(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of WATCH."""
        self._wmi, self._errand = p["wmi"], p.get("local")
        self._import_engine()
        return self._watch(p, p["active"], p["next_start"], p["since"])

    def read_runs(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of READ_RUNS."""
        self._import_engine()
        answer: dict[str, Any] = {"runs": self._runs(parse_round_trip(p["since"])), "at": round_trip(self._clock.now()), "connectors": []}
        try:
            answer["connectors"] = self._connectors()
        except CmdletError as error:
            answer["problem"] = error_object(error)
        return answer
