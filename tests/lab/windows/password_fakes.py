# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Short Python fakes of the scripts of the password channel, for machines without PowerShell (see fakes)."""

from __future__ import annotations

import base64
import gzip
import json
import re
import time
from collections.abc import Callable
from typing import Any

from ansible_collections.hybrid.identity.plugins.module_utils._engines import _adsync_password_scripts as scripts
from lab.clock import Clock
from lab.connect import CmdletError

from .envelope import error_object, round_trip
from .fim_fakes import SharedFakes

Cmdlet = Callable[..., Any]
_FLAG = "Microsoft.Synchronize.ForceFullPasswordSync"
_SERVICE = r"HKLM:\SYSTEM\CurrentControlSet\Services\ADSync"
_NO_COMMAND = "System.Management.Automation.CommandNotFoundException"
_OURS = {"SourceConnector", "TargetConnector", "Enable"}


class Tasks:
    """What the fakes of lasting work need of the host: to write a task that is due later, and to remove one.

    Args:
        write: (name of the task, what it does with the cmdlets and tasks of its own caller, seconds until it is due).
    """

    def __init__(self, write: Callable[[str, Callable[[Cmdlet, Tasks], None], float], None], remove: Callable[[str], None]) -> None:
        self.write, self.remove = write, remove


class PasswordFakes:
    """The fakes.

    Args:
        cmdlet: calls a simulated cmdlet as the caller of the run. tasks: None for what runs in the shell.
    """

    def __init__(self, cmdlet: Cmdlet, clock: Clock, options: Any, tasks: Tasks) -> None:
        self._cmdlet, self._clock, self._options, self._tasks = cmdlet, clock, options, tasks
        #: fake by the text of its script
        self.by_script: dict[str, Callable[[dict[str, Any]], Any]] = {
            scripts.LOOK: self.look,
            scripts.FORCE: self.force,
            scripts.SWITCH: self.switch,
            scripts.EVENTS: self.events,
            scripts.PEOPLE: self.people,
        }

    def _import_engine(self) -> None:
        image = self._cmdlet("registry_value", path=_SERVICE, name="ImagePath")
        module = image.strip('"').rsplit("\\", 1)[0] + r"\ADSync\ADSync.psd1"
        if not self._cmdlet("path_exists", path=module):
            words = f"The specified module '{module}' was not loaded because no valid module file was found in any module directory."
            where = "Modules_ModuleNotFound,Microsoft.PowerShell.Commands.ImportModuleCommand"
            raise CmdletError("System.IO.FileNotFoundException", -2147024894, where, "ResourceUnavailable", words, True)

    def _now(self) -> str:
        return round_trip(self._clock.now())

    def _is_on(self, source: str) -> bool:
        return bool(self._cmdlet("Get-ADSyncAADPasswordSyncConfiguration", SourceConnector=source)["Enabled"])

    def _set(self, source: str, target: str, enable: bool) -> None:
        self._cmdlet("Set-ADSyncAADPasswordSyncConfiguration", SourceConnector=source, TargetConnector=target, Enable=enable)

    def _connector(self, name: str) -> dict[str, Any]:
        return dict(self._cmdlet("Get-ADSyncConnector", Name=name)[0])

    @staticmethod
    def _has_flag(connector: dict[str, Any]) -> bool:
        return any(one["Name"] == _FLAG and str(one["Value"]) in ("1", "True") for one in connector["GlobalParameters"])

    def _save(self, connector: dict[str, Any], flag: bool) -> None:
        kept = [one for one in connector["GlobalParameters"] if one["Name"] != _FLAG]
        more = [{"Name": _FLAG, "Value": "1"}] if flag else []
        self._cmdlet("Add-ADSyncConnector", Name=connector["Name"], GlobalParameters=[*kept, *more])

    def _busy(self) -> list[str]:
        try:
            return [one["ConnectorName"] for one in self._cmdlet("Get-ADSyncConnectorRunStatus")]
        except CmdletError as error:
            if error.type != _NO_COMMAND:
                raise
        return SharedFakes(self._cmdlet, self._clock).wmi_busy()

    def _busy_or_not_known(self) -> list[str]:
        try:
            return self._busy()
        except CmdletError as error:
            if error.type == "System.Runtime.InteropServices.COMException":
                raise
            return []

    def look(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of LOOK."""
        self._import_engine()
        look: dict[str, Any] = {"connectors": [], "partitions": None, "feature": None, "staging": None, "tasks": [], "problems": {}}
        problems = look["problems"]
        for one in self._cmdlet("Get-ADSyncConnector"):
            found = {"name": one["Name"], "id": str(one["Identifier"]), "type": one["Type"], "subtype": one["Subtype"], "enabled": None}
            found.update(flag=False, domains=[], problem=None)
            if one["Type"] == "AD":
                try:
                    found.update(enabled=self._is_on(one["Name"]), flag=self._has_flag(one))
                except CmdletError as error:
                    found["problem"] = error_object(error)
                found["domains"] = [row["DN"] for row in one["Partitions"] if "DC=" in row["DN"]]
            look["connectors"].append(found)
        look["busy"] = []
        for part, read in (("busy", self._busy), ("partitions", self._partitions), ("feature", self._feature), ("staging", self._staging)):
            try:
                look[part] = read()
            except CmdletError as error:
                if error.type != _NO_COMMAND:
                    problems[part] = error_object(error)
        look["unattended"] = not self._options.password_set_needs_user
        groups = self._cmdlet("own_groups")
        look["admin"] = None if self._options.custom_groups else bool({p["group"], "S-1-5-21-" + p["group"]} & set(groups))
        if self._options.custom_groups:
            words = "Some or all identity references could not be translated."
            unknown = CmdletError(
                "System.Security.Principal.IdentityNotMappedException", -2146233087, "IdentityNotMapped", "NotSpecified", words
            )
            problems["group"] = error_object(unknown)
        for task in self._cmdlet("task_list", path="\\hybrid.identity"):
            look["tasks"].append({"name": task["Name"], "running": task["State"] == 4})
        look["at"] = self._now()
        return look

    def _partitions(self) -> list[dict[str, Any]]:
        rows = self._cmdlet("Get-ADSyncPartitionPasswordSyncState")
        return [
            {
                "connector": str(row["ConnectorId"]),
                "dn": row["DN"],
                "status": row["PasswordSyncLastCycleStatus"],
                "succeeded": round_trip(began) if (began := row["PasswordSyncLastSuccessfulCycleStartTimestamp"]) else None,
            }
            for row in rows
            if row["DN"] != "default"
        ]

    def _feature(self) -> bool:
        return bool(self._cmdlet("Get-ADSyncAADCompanyFeature")["PasswordHashSync"])

    def _staging(self) -> bool | None:
        try:
            return bool(self._cmdlet("Get-ADSyncScheduler")["StagingModeEnabled"])
        except CmdletError as error:
            if error.type != _NO_COMMAND:
                raise
        parameters = {one["Name"]: one["Value"] for one in self._cmdlet("Get-ADSyncGlobalSettings")["Parameters"]}
        found = parameters.get("Microsoft.Synchronize.StagingMode")
        return None if found is None else found == "True"

    def force(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of FORCE."""
        self._import_engine()
        outcome: dict[str, Any] = {"requested": self._now(), "channels": [], "guarded": False}
        names = [one["source"] for one in p["channels"]]
        outcome["off"] = [name for name in names if not self._is_on(name)]
        outcome["busy"] = [name for name in self._busy_or_not_known() if name in names]
        if outcome["off"] or outcome["busy"]:
            return outcome
        guardian = "guardian-" + p["stamp"]

        def guard(cmdlet: Cmdlet, tasks: Tasks) -> None:
            PasswordFakes(cmdlet, self._clock, self._options, tasks).guardian("work-" + p["stamp"], guardian, p["channels"])

        self._tasks.write(guardian, guard, p["delay"])
        outcome["guarded"] = True
        for one in p["channels"]:
            outcome["channels"].append(self._force_one(p, one, guardian))
        if all(channel["enabled"] for channel in outcome["channels"]):
            self._tasks.remove(guardian)
            outcome["guarded"] = False
        return outcome

    def _force_one(self, p: dict[str, Any], one: dict[str, Any], guardian: str) -> dict[str, Any]:
        source, target = one["source"], one["target"]
        channel: dict[str, Any] = {"source": source, "flagged": False, "off": False, "on": False, "at": None}
        channel.update(error=None, enabled=None, flag=None)
        try:
            deadline = time.monotonic() + p["busy_seconds"]
            while source in self._busy_or_not_known():
                if time.monotonic() > deadline:
                    raise CmdletError("System.TimeoutException", -2146233083, "busy", "OperationStopped", "the connector is busy")
                time.sleep(0.5)
            self._cmdlet("task_get", path="\\hybrid.identity\\" + guardian)
            connector = self._connector(source)
            channel.update(at=self._now(), flagged=True)
            self._save(connector, True)
            channel["off"] = True
            self._set(source, target, False)
            self._set(source, target, True)
            channel["on"] = True
        except CmdletError as error:
            channel["error"] = error_object(error)
        again = False
        for _try in range(5):
            try:
                channel["enabled"] = self._is_on(source)
                if channel["enabled"]:
                    break
                again = True
                self._set(source, target, True)
            except CmdletError as error:
                channel["error"] = channel["error"] or error_object(error)
            time.sleep(0.4)
        try:
            if channel["enabled"] and channel["flagged"] and not channel["on"] and not again and not one["flag"]:
                self._save(self._connector(source), False)
            channel["flag"] = self._has_flag(self._connector(source))
        except CmdletError:
            pass
        return channel

    def switch(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of SWITCH."""
        self._import_engine()
        outcome: dict[str, Any] = {"at": self._now(), "channels": []}
        for one in p["channels"]:
            channel: dict[str, Any] = {"source": one["source"], "error": None, "enabled": None}
            try:
                self._set(one["source"], one["target"], p["enable"])
            except CmdletError as error:
                channel["error"] = error_object(error)
            try:
                channel["enabled"] = self._is_on(one["source"])
            except CmdletError as error:
                channel["error"] = channel["error"] or error_object(error)
            outcome["channels"].append(channel)
        if p["earlier"] and all(channel["enabled"] == p["enable"] for channel in outcome["channels"]):
            self._tasks.remove("guardian-" + p["earlier"])
            self._tasks.remove("work-" + p["earlier"])
        return outcome

    def guardian(self, work: str, name: str, channels: list[dict[str, Any]]) -> None:
        """Fake of GUARDIAN."""
        try:
            working = self._cmdlet("task_get", path="\\hybrid.identity\\" + work)["State"] == 4
        except CmdletError:
            working = False
        well = True
        try:
            self._import_engine()
            for one in channels:
                try:
                    untouched = self._is_on(one["source"])
                    if not untouched:
                        self._set(one["source"], one["target"], True)
                    well = well and self._is_on(one["source"])
                    if not working and untouched and not one["flag"]:
                        connector = self._connector(one["source"])
                        if self._has_flag(connector):
                            self._save(connector, False)
                except CmdletError:
                    well = False
        except CmdletError:
            well = False
        if well and not working:
            self._tasks.remove(work)
            self._tasks.remove(name)

    def events(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of EVENTS."""
        page: dict[str, Any] = {"source": None, "last": p["after"], "more": False}
        if p["check_source"]:
            try:
                self._cmdlet("Get-WinEvent", ListProvider="Directory Synchroni*ation")
                page["source"] = True
            except CmdletError as error:
                if not error.error_id.startswith("NoMatchingProvidersFound"):
                    raise
                page["source"] = False
        deadline = time.monotonic() + p["seconds"]
        while True:
            page["newest"] = self._edge(False)
            found = self._found(FilterXPath=p["query"], Oldest=True, MaxEvents=p["most"])
            rows, characters = [], 0
            page["more"] = len(found) >= p["most"]
            for event in found:
                page["last"] = event["RecordId"]
                if not re.match(p["providers"], event["ProviderName"], re.IGNORECASE):
                    continue
                text = (event["Message"] or "\r\n".join(one["Value"] for one in event["Properties"]))[: p["longest"]]
                characters += len(text)
                rows.append([event["Id"], event["RecordId"], round_trip(event["TimeCreated"]), event["ProviderName"], text])
                if characters >= p["most_characters"]:
                    page["more"] = True
                    break
            if rows or page["more"] or time.monotonic() >= deadline:
                break
            time.sleep(p["step_ms"] / 1000)
        if not page["more"] and page["newest"] is not None:
            page["last"] = max(page["last"], page["newest"]["record"])
        page["oldest"] = self._edge(True)
        page["packed"] = base64.b64encode(gzip.compress(json.dumps(rows).encode())).decode()
        page["at"] = self._now()
        return page

    def _found(self, **query: Any) -> list[dict[str, Any]]:
        try:
            return list(self._cmdlet("Get-WinEvent", LogName="Application", **query))
        except CmdletError as error:
            if not error.error_id.startswith("NoMatchingEventsFound"):
                raise
            return []

    def _edge(self, oldest: bool) -> dict[str, Any] | None:
        found = self._found(MaxEvents=1, Oldest=oldest)
        return {"record": found[0]["RecordId"], "at": round_trip(found[0]["TimeCreated"])} if found else None

    def people(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of PEOPLE."""
        self._import_engine()
        found = []
        for source in p["sources"]:
            start = 0
            while True:
                page = self._cmdlet("Get-ADSyncCSObject", ConnectorName=source, StartIndex=start, MaxResultCount=p["page"])
                for one in page:
                    for attribute in one["Attributes"]:
                        if attribute["Name"] not in ("userPrincipalName", "sAMAccountName"):
                            continue
                        for value in attribute["Values"]:
                            if value.lower() in p["names"]:
                                found.append({"name": value.lower(), "dn": one["DistinguishedName"], "connector": source})
                if len(page) < p["page"]:
                    break
                start += p["page"]
        return {"found": found}
