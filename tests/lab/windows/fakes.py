# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Short Python fakes of the shipped PowerShell scripts, for machines without PowerShell.

A fake calls the same simulated cmdlets in the same order and returns the same shape. It decides nothing that the script
does not decide; the parity test holds the two together wherever PowerShell is found.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any, Callable

from ansible_collections.hybrid.identity.plugins.module_utils._engines import _connect_scripts
from lab.clock import Clock
from lab.connect import CmdletError

from .envelope import error_object, parse_round_trip, round_trip, round_trip_or_none

#: ids of events that are told in the server's own words although they are no errors
_TELLING = {0, 106, 109, 115, 116, 6000, 6012, 6100, 6105, 6110, 6126, 6127, 6801, 6803, 6900, 6941}
Cmdlet = Callable[..., Any]

_SERVICES = r"HKLM:\SYSTEM\CurrentControlSet\Services" + "\\"
_STATUS = {"Stopped": 1, "StartPending": 2, "StopPending": 3, "Running": 4}
_COUNTERS = (
    ("StageAdd", "StageUpdate", "StageRename", "StageDelete", "StageDeleteAdd", "StageFailure", "FlowFailure")
    + ("ExportAdd", "ExportUpdate", "ExportRename", "ExportDelete", "ExportDeleteAdd", "ExportFailure")
)  # fmt: skip


class ConnectFakes:
    """The fakes of the connect engine's scripts.

    Args:
        cmdlet: calls a simulated cmdlet as the caller of the run: cmdlet('Get-ADSyncScheduler', Name=value).
        clock: the server's clock.
    """

    def __init__(self, cmdlet: Cmdlet, clock: Clock) -> None:
        self._cmdlet, self._clock = cmdlet, clock
        #: fake by the text of its script
        self.by_script: dict[str, Callable[[dict[str, Any]], Any]] = {
            _connect_scripts.PROBE: self.probe,
            _connect_scripts.START: self.start,
            _connect_scripts.WATCH: self.watch,
            _connect_scripts.READ_RUNS: self.read_runs,
        }

    def _import_engine(self) -> None:
        image = self._cmdlet("registry_value", path=_SERVICES + "ADSync", name="ImagePath")
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
                        "result": step["StepResult"],
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

    def _events(self, since: Any) -> dict[str, Any]:
        counts: dict[str, Any] = {}
        errors: list[dict[str, Any]] = []
        for provider in ("ADSync", "Directory Synchronization"):
            try:
                found = self._cmdlet("Get-WinEvent", LogName="Application", ProviderName=provider, StartTime=since, MaxEvents=500)
            except CmdletError as error:
                if not error.error_id.startswith("NoMatchingEventsFound"):
                    raise
                continue
            for event in found:
                at = event["TimeCreated"]
                counts.setdefault(f"{provider}/{event['Id']}", {"times": 0, "last": round_trip(at)})["times"] += 1
                if (event["Level"] <= 2 or event["Id"] in _TELLING) and len(errors) < 20:
                    errors.append({"provider": provider, "id": event["Id"], "at": round_trip(at), "message": event["Message"][:400]})
        return {"counts": counts, "errors": errors}

    def _history(self, since: Any) -> dict[str, Any]:
        history: dict[str, Any] = {
            "at": round_trip(self._clock.now()),
            "runs": None,
            "events": None,
            "runs_error": None,
            "events_error": None,
        }
        for part, read in (("runs", self._runs), ("events", self._events)):
            try:
                history[part] = read(since)
            except CmdletError as error:
                history[part + "_error"] = error_object(error)
        return history

    def _watch(self, limits: dict[str, Any], active: bool, next_start: str | None, since: str) -> dict[str, Any]:
        began = time.monotonic()
        idle = None
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
            elapsed = time.monotonic() - began
            if state["in_progress"] or state["busy"]:
                active = seen["active"] = True
                idle = seen["idle_since"] = None
                if state["in_progress"] is not False:
                    seen["first_active"] = seen["first_active"] or state["at"]
                    if limits["stop_when_active"]:
                        break
            else:
                if idle is None:
                    idle, seen["idle_since"] = elapsed, state["at"]
                over = active or state["next_start"] != next_start or elapsed >= limits["confirm_seconds"]
                if over and elapsed - idle >= limits["idle_seconds"]:
                    seen["history"] = self._history(parse_round_trip(since))
                    break
            if elapsed >= limits["seconds"]:
                break
            time.sleep(limits["step_ms"] / 1000)
        return seen

    def probe(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of PROBE."""
        probe: dict[str, Any] = {"services": {}, "version": None, "problems": {}, "connectors": [], "state": None, "history": None}
        problems = probe["problems"]
        for name in ("ADSync", "FIMSynchronizationService", "MSOnlineSyncScheduler", "AADConnectProvisioningAgent"):
            if not self._cmdlet("path_exists", path=_SERVICES + name):
                continue
            probe["services"][name] = None
            try:
                probe["services"][name] = _STATUS[self._cmdlet("Get-Service", Name=name)[0]["Status"]]
            except CmdletError as error:
                problems["services"] = error_object(error)
        if "ADSync" not in probe["services"]:
            return probe
        try:
            wizard = self._cmdlet("registry_value", path=r"HKLM:\SOFTWARE\Microsoft\Azure AD Connect", name="WizardPath")
            probe["version"] = self._cmdlet("file_version", path=wizard)
        except CmdletError as error:
            problems["version"] = error_object(error)
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
        probe["history"] = self._history(self._clock.now() - timedelta(seconds=p["history_seconds"]))
        return probe

    def start(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of START."""
        names = ("before", "requested", "result", "refusal", "watch", "trouble")
        started: dict[str, Any] = {"sent": False, **dict.fromkeys(names)}
        try:
            self._import_engine()
            started["before"] = self._state()
        except CmdletError as error:
            started["trouble"] = error_object(error)
            return started
        started["sent"] = True
        started["requested"] = round_trip(self._clock.now())
        try:
            started["result"] = self._cmdlet("Start-ADSyncSyncCycle", PolicyType=p["policy"])["Result"]
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
