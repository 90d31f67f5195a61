# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Short Python fakes of the scripts for single objects, for machines without PowerShell (see fakes)."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.hybrid.identity.plugins.module_utils._engines import _connect_object_scripts as scripts
from lab.clock import Clock
from lab.connect import CmdletError

from .envelope import error_object, round_trip
from .fakes import ConnectFakes
from .fim_fakes import Cmdlet

_NOT_THERE = -2147024894
_SDDL = "O:{0}D:P(A;OICI;FA;;;{0})(A;OICI;FA;;;SY)"
_PREFIX = "hybrid.identity-scheduler-"


class ObjectFakes(ConnectFakes):
    """The fakes. temp: the folder for temporary files on the server. sid: of the caller."""

    def __init__(self, cmdlet: Cmdlet, clock: Clock, temp: str, sid: str) -> None:
        super().__init__(cmdlet, clock, lambda errand, parameters: None)
        self._temp, self._sid = Path(temp), sid
        self._wmi = False
        self.by_script: dict[str, Callable[[dict[str, Any]], Any]] = {
            scripts.LOOK: self.look,
            scripts.RESTORE: self.restore,
            scripts.SYNCHRONISE: self.synchronise,
        }

    def left_off(self) -> dict[str, Any] | None:
        """Fake of Read-LeftOff."""
        for folder in sorted(self._temp.glob(_PREFIX + "*")):
            if self._cmdlet("folder_owner", path=str(folder)) != self._sid:
                continue
            name = "work-" + folder.name[len(_PREFIX) :]
            try:
                running = self._cmdlet("task_get", path="\\hybrid.identity\\" + name)["State"] == 4
            except CmdletError as error:
                running = error.hresult != _NOT_THERE
            return {"folder": str(folder), "running": running}
        return None

    def look(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of LOOK."""
        self._import_engine()
        return {"state": self._state(), "left_off": self.left_off()}

    def restore(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of RESTORE."""
        self._import_engine()
        return {"on": self._switch_on(Path(p["folder"]))}

    def _switch_on(self, mark: Path) -> bool:
        self._cmdlet("Set-ADSyncScheduler", SyncCycleEnabled=True)
        if not self._cmdlet("Get-ADSyncScheduler")["SyncCycleEnabled"]:
            return False
        if mark.is_dir() and self._cmdlet("folder_owner", path=str(mark)) == self._sid:
            mark.rmdir()
        return True

    def _import_diagnostics(self) -> None:
        image = self._cmdlet("registry_value", path=r"HKLM:\SYSTEM\CurrentControlSet\Services\ADSync", name="ImagePath")
        module = image.strip('"').rsplit("\\", 1)[0] + r"\ADSyncDiagnostics\ADSyncDiagnostics.psm1"
        if not self._cmdlet("path_exists", path=module):
            where = "Modules_ModuleNotFound,Microsoft.PowerShell.Commands.ImportModuleCommand"
            words = f"The specified module '{module}' was not loaded because no valid module file was found in any module directory."
            raise CmdletError("System.IO.FileNotFoundException", _NOT_THERE, where, "ResourceUnavailable", words, True)

    def synchronise(self, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of SYNCHRONISE."""
        began = time.monotonic()
        self._import_engine()
        self._import_diagnostics()
        before = self._state()
        outcome: dict[str, Any] = {"before": before, "requested": None, "after": before, "packed": "", "problem": None}
        was = before["enabled"]
        if before["staging"] or before["suspended"] or not (was or p["proceed_when_off"]) or before["in_progress"] or before["busy"]:
            return outcome
        mark = self._temp / f"{_PREFIX}{p['stamp']}"
        if was:
            self._cmdlet("create_folder", path=str(mark), sddl=_SDDL.format(self._sid))
        rows: list[dict[str, Any]] = []
        try:
            if was:
                self._cmdlet("Set-ADSyncScheduler", SyncCycleEnabled=False)
            outcome["after"] = self._state()
            if not outcome["after"]["in_progress"] and not outcome["after"]["busy"]:
                outcome["requested"] = round_trip(self._clock.now())
                for name in p["objects"]:
                    if time.monotonic() - began >= p["seconds"]:
                        break
                    row = {"dn": name, "text": "", "error": None}
                    try:
                        row["text"] = self._cmdlet("Invoke-ADSyncSingleObjectSync", DistinguishedName=name, NoHtmlReport=True)
                    except CmdletError as error:
                        row["error"] = error_object(error)
                    rows.append(row)
                    if _throttled(row["text"] or "", p["throttled"]):
                        break
        except CmdletError:
            self._end(was, mark, outcome)
            raise
        self._end(was, mark, outcome)
        try:
            outcome["after"] = self._state()
        except CmdletError as error:
            outcome["problem"] = error_object(error)
        outcome["packed"] = base64.b64encode(gzip.compress(json.dumps(rows).encode())).decode()
        return outcome

    def _end(self, was: bool, mark: Path, outcome: dict[str, Any]) -> None:
        for _again in range(5 if was else 0):
            try:
                outcome["problem"] = None
                if self._switch_on(mark):
                    return
            except CmdletError as error:
                outcome["problem"] = error_object(error)
            time.sleep(0.4)


def _throttled(text: str, pattern: str) -> bool:
    with contextlib.suppress(ValueError, AttributeError):
        told = json.loads(text)["provisioningStatusInfo"]["errorInformation"]
        return bool(told and re.search(pattern, str(told.get("errorCode")), re.IGNORECASE))
    return False
