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
            _connect_scripts.FOLLOW: self.follow,
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
        return {
            "busy": [item["ConnectorName"] for item in self._cmdlet("Get-ADSyncConnectorRunStatus")],
            "in_progress": bool(scheduler.get("SyncCycleInProgress")),  # older builds have no such property
            "enabled": scheduler["SyncCycleEnabled"],
            "suspended": scheduler["SchedulerSuspended"],
            "staging": scheduler["StagingModeEnabled"],
            "next_start": round_trip_or_none(scheduler["NextSyncCycleStartTimeInUTC"]),
            "next_type": scheduler["NextSyncCyclePolicyType"],
            "allowed_interval": scheduler["AllowedSyncCycleInterval"].total_seconds(),
            "effective_interval": scheduler["CurrentlyEffectiveSyncCycleInterval"].total_seconds(),
            "at": round_trip(self._clock.now()),
        }

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
        first = None
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
                first = at if first is None or at < first else first
                if (event["Level"] <= 2 or event["Id"] == 116) and len(errors) < 10:
                    errors.append({"provider": provider, "id": event["Id"], "at": round_trip(at), "message": event["Message"][:400]})
        return {"counts": counts, "errors": errors, "first": round_trip_or_none(first)}

    def _history(self, since: Any) -> dict[str, Any]:
        history: dict[str, Any] = {"runs": None, "events": None}
        for part, read in (("runs", self._runs), ("events", self._events)):
            try:
                history[part] = read(since)
            except CmdletError as error:
                history[part + "_error"] = error_object(error)
        return history

    def _watch(self, limits: dict[str, Any], active: bool) -> dict[str, Any]:
        began = time.monotonic()
        followed: dict[str, Any] = {"first_active": None, "ended": None}
        while True:
            state = followed["state"] = self._state()
            elapsed = time.monotonic() - began
            if state["in_progress"] or state["busy"]:
                active = True
                followed["first_active"] = followed["first_active"] or state["at"]
                if limits["stop_when_active"]:
                    break
            elif active or state["next_start"] != limits["next_start_before"]:
                followed["ended"] = state["at"]
                followed["history"] = self._history(parse_round_trip(limits["since"]))
                break
            elif elapsed >= limits["confirm_seconds"]:
                break
            if elapsed >= limits["seconds"]:
                break
            time.sleep(limits["step_ms"] / 1000)
        return followed

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
            for connector in self._cmdlet("Get-ADSyncConnector"):
                probe["connectors"].append({"name": connector["Name"], "id": str(connector["Identifier"]), "type": connector["Type"]})
        except CmdletError as error:
            problems["connectors"] = error_object(error)
        probe["history"] = self._history(self._clock.now() - timedelta(seconds=p["history_seconds"]))
        return probe

    def start(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of START."""
        self._import_engine()
        before = self._state()
        started: dict[str, Any] = {"before": before, "requested": round_trip(self._clock.now()), "result": None, "refusal": None}
        try:
            started["result"] = self._cmdlet("Start-ADSyncSyncCycle", PolicyType=p["policy"])["Result"]
        except CmdletError as error:
            started["refusal"] = error_object(error)
            started["followed"] = {"state": self._state(), "first_active": None, "ended": None}
            return started
        started["followed"] = self._watch({**p, "next_start_before": before["next_start"], "since": started["requested"]}, False)
        return started

    def follow(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of FOLLOW."""
        self._import_engine()
        return self._watch(p, p["active"])

    def read_runs(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of READ_RUNS."""
        self._import_engine()
        return {"runs": self._runs(parse_round_trip(p["since"]))}
