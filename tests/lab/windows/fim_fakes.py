# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Fakes of what the scripts of several engines share: what is installed, events, and the WMI provider. They decide nothing that a script does not."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any, Callable
from xml.etree import ElementTree

from lab.clock import Clock
from lab.connect import CmdletError

from .envelope import error_object, round_trip

Cmdlet = Callable[..., Any]

#: ids of events that are told in the server's own words although they are no errors
_TELLING = {0, 106, 109, 115, 116, 6000, 6012, 6100, 6105, 6110, 6126, 6127, 6801, 6803, 6900, 6941}
SERVICES = r"HKLM:\SYSTEM\CurrentControlSet\Services" + "\\"
_NAMES = ("ADSync", "FIMSynchronizationService", "MSOnlineSyncScheduler", "AADConnectProvisioningAgent")
_STATUS = {"Stopped": 1, "StartPending": 2, "StopPending": 3, "Running": 4}
_SPACE = r"root\MicrosoftIdentityIntegrationServer"
_DIRSYNC = r"HKLM:\SOFTWARE\Microsoft\MSOLCoExistence"
_DEFAULTS = (r"C:\Program Files\Windows Azure Active Directory Sync", r"C:\Program Files\Microsoft Online Directory Sync")


class SharedFakes:
    """What every engine's fakes are made of.

    Args:
        cmdlet: calls a simulated cmdlet as the caller of the run: cmdlet('Get-Service', Name=value).
        clock: the server's clock.
    """

    providers: tuple[str, ...] = ()

    def __init__(self, cmdlet: Cmdlet, clock: Clock) -> None:
        self._cmdlet, self._clock = cmdlet, clock

    def now(self) -> str:
        """Get-UtcText."""
        return round_trip(self._clock.now())

    # -- SURVEY

    def _registry_text(self, key: str, name: str) -> str:
        try:
            return str(self._cmdlet("registry_value", path="HKLM:\\" + key, name=name) or "")
        except CmdletError:
            return ""

    def _find_dirsync(self) -> list[dict[str, Any]]:
        key = _DIRSYNC.split("\\", 1)[1]
        image = self._registry_text(SERVICES.split("\\", 1)[1] + "MSOnlineSyncScheduler", "ImagePath")
        folders = [
            self._registry_text(key, "InstallPath"),
            self._registry_text(key + r"\CurrentVersion", "InstallationPath"),
            parent_folder(image),
            *_DEFAULTS,
        ]
        found = []
        for folder in dict.fromkeys(one.rstrip("\\") for one in folders):
            if not folder:
                continue
            item: dict[str, Any] = {"path": folder, "version": None}
            item["module"] = self._cmdlet("path_exists", path=folder + r"\dirsync\DirSync.psd1")
            item["console_file"] = self._cmdlet("path_exists", path=folder + r"\DirSyncConfigShell.psc1")
            try:
                item["version"] = self._cmdlet("file_version", path=folder + r"\Microsoft.Online.DirSync.Scheduler.exe")
            except CmdletError:
                pass
            if item["module"] or item["console_file"] or item["version"]:
                found.append(item)
        return found

    def read_survey(self, problems: dict[str, Any]) -> dict[str, Any]:
        """Read-Survey."""
        names = ("wizard_version", "bin_folder", "engine_version")
        survey: dict[str, Any] = {"services": {}, "wizard": False, **dict.fromkeys(names), "exe": False, "dirsync": []}
        for name in _NAMES:
            if not self._cmdlet("path_exists", path=SERVICES + name):
                continue
            survey["services"][name] = None
            try:
                survey["services"][name] = _STATUS[self._cmdlet("Get-Service", Name=name)[0]["Status"]]
            except CmdletError as error:
                problems["services"] = error_object(error)
        if "ADSync" in survey["services"]:
            folder = survey["bin_folder"] = parent_folder(self._registry_text(SERVICES.split("\\", 1)[1] + "ADSync", "ImagePath"))
            try:
                wizard = self._cmdlet("registry_value", path=r"HKLM:\SOFTWARE\Microsoft\Azure AD Connect", name="WizardPath")
                survey["wizard"] = bool(wizard)
                survey["wizard_version"] = self._cmdlet("file_version", path=wizard)
            except CmdletError as error:
                problems["version"] = error_object(error)
                try:
                    survey["engine_version"] = self._cmdlet("file_version", path=folder + r"\miiserver.exe")
                except CmdletError:
                    pass
            survey["exe"] = self._cmdlet("path_exists", path=folder + r"\DirectorySyncClientCmd.exe")
        elif "MSOnlineSyncScheduler" in survey["services"]:
            survey["dirsync"] = self._find_dirsync()
        return survey

    def survey_alone(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of SURVEY_ALONE."""
        problems: dict[str, Any] = {}
        return {"survey": self.read_survey(problems), "problems": problems}

    # -- EVENTS

    def read_events(self, since: datetime) -> dict[str, Any]:
        """Read-Events."""
        counts: dict[str, Any] = {}
        errors: list[dict[str, Any]] = []
        for provider in self.providers:
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

    # -- WMI

    def _agents(self) -> list[dict[str, Any]]:
        return list(self._cmdlet("cim_query", Namespace=_SPACE, ClassName="MIIS_ManagementAgent"))

    def wmi_connectors(self) -> list[dict[str, Any]]:
        """Read-WmiConnectors."""
        return [{"name": one["Name"], "id": guid(one["Guid"]), "type": one["Type"]} for one in self._agents()]

    def wmi_busy(self) -> list[str]:
        """Read-WmiBusy."""
        busy = []
        for agent in self._agents():
            key = {"Guid": agent["Guid"]}
            status = self._cmdlet("cim_invoke", Namespace=_SPACE, ClassName="MIIS_ManagementAgent", MethodName="RunStatus", Key=key)
            if status["ReturnValue"] == "in-progress" or status["ReturnValue"].startswith("completing-"):
                busy.append(agent["Name"])
        return busy

    def _rows(self, since: datetime) -> list[dict[str, Any]]:
        bound = f"RunStartTime >= '{since:%Y-%m-%d %H:%M:%S}.{since.microsecond // 1000:03d}'"
        return list(self._cmdlet("cim_query", Namespace=_SPACE, ClassName="MIIS_RunHistory", Filter=bound))

    def wmi_numbers(self, since: datetime) -> dict[str, int]:
        """Read-WmiNumbers."""
        numbers: dict[str, int] = {}
        for row in self._rows(since):
            numbers[guid(row["MaGuid"])] = max(numbers.get(guid(row["MaGuid"]), 0), int(row["RunNumber"]))
        return numbers

    def at_rest(self, seconds: float) -> bool:
        """Test-Rest."""
        now = self._clock.now()
        edge = f"{now - timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S.%f}"[:-3]
        try:
            rows = self._rows(now - timedelta(days=2))
        except CmdletError:
            return True
        return all(max(row["RunStartTime"], row["RunEndTime"]) < edge for row in rows)

    def wmi_runs(self, since: datetime) -> list[dict[str, Any]]:
        """Read-WmiRuns."""
        runs = []
        for row in sorted(self._rows(since), key=lambda one: one["RunStartTime"], reverse=True)[:60]:
            key = {"Key": row["Key"]}
            text = self._cmdlet("cim_invoke", Namespace=_SPACE, ClassName="MIIS_RunHistory", MethodName="RunDetails", Key=key)[
                "ReturnValue"
            ]
            details = ElementTree.fromstring(text)
            runs.append(
                {
                    "connector": row["MaName"],
                    "connector_id": guid(row["MaGuid"]),
                    "profile": row["RunProfile"],
                    "number": int(row["RunNumber"]),
                    "result": row["RunStatus"],
                    "started": wmi_time(row["RunStartTime"]),
                    "ended": wmi_time(row["RunEndTime"]),
                    "account": details.findtext("run-details/security-id") or "",
                    "steps": [_step(step) for step in details.iterfind("run-details/step-details")],
                }
            )
        return runs

    def wmi_history(self, since: datetime) -> dict[str, Any]:
        """Read-History of the older engines."""
        names = ("runs", "events", "runs_error", "events_error")
        history: dict[str, Any] = {"at": self.now(), "source": "wmi", **dict.fromkeys(names), "connectors": []}
        try:
            history["runs"] = self.wmi_runs(since)
            history["connectors"] = self.wmi_connectors()
        except CmdletError as error:
            history["runs_error"] = error_object(error)
        try:
            history["events"] = self.read_events(since)
        except CmdletError as error:
            history["events_error"] = error_object(error)
        return history


def parent_folder(image: str) -> str:
    """Get-ParentFolder."""
    found = re.match(r'\s*"([^"]+)"', image) or re.match(r"(.+?\.exe)(\s|$)", image, re.IGNORECASE)
    return (found.group(1) if found else image).rsplit("\\", 1)[0]


def guid(text: str) -> str:
    """ConvertFrom-WmiGuid."""
    return text.strip("{}").lower()


def wmi_time(text: str) -> str | None:
    """ConvertFrom-WmiTime; milliseconds have no seventh digit to be drawn."""
    if not text or text.startswith("0001"):
        return None
    at = datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


def _step(step: ElementTree.Element) -> dict[str, Any]:
    counters = [
        *step.iterfind("staging-counters/*"),
        *step.iterfind("export-counters/*"),
        *step.iterfind("inbound-flow-counters/flow-failure"),
    ]
    kind = step.find("step-description/step-type")
    return {
        "number": int(step.get("step-number", "0")),
        "type": "" if kind is None else kind.get("type", ""),
        "subtype": step.findtext("step-description/step-type/*") or "",
        "counts": {one.tag: int(one.text or 0) for one in counters if one.text != "0"},
        "errors": _xml(step, "synchronization-errors"),
        "discovery": _xml(step, "ma-discovery-errors"),
    }


def _xml(step: ElementTree.Element, name: str) -> str:
    """Get-NodeXml; PowerShell writes what is in an element as it stands there."""
    found = step.find(name)
    if found is None or not len(found):
        return ""
    return ElementTree.tostring(found, encoding="unicode", short_empty_elements=False).strip()
