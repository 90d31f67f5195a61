# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The WMI provider of the FIM family (root\\MicrosoftIdentityIntegrationServer), and the little of root\\cimv2 that scripts ask for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol

from lab.connect import Caller
from lab.connect.run_history import Connector

from .options import FimOptions
from .runs import Run, braced, run_history_xml, text_of
from .texts import fim_refusal

_ENGINE = "root\\microsoftidentityintegrationserver"
_CONDITION = re.compile(r"\s*(\w+)\s*(<>|!=|<=|>=|=|<|>|like)\s*(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|(\d+))\s*", re.IGNORECASE)
_SELECT = re.compile(r"\s*select\s+.+?\s+from\s+(\w+)(?:\s+where\s+(.+))?\s*", re.IGNORECASE | re.DOTALL)

Row = dict[str, Any]


class EngineView(Protocol):
    """What the provider needs of an engine."""

    def connectors(self) -> list[Connector]:
        """The management agents."""

    def runs(self) -> list[Run]:
        """Newest first."""

    def execute(self, caller: Caller, connector: Connector, profile: str) -> str:
        """Run a profile to its end; returns its result string."""

    def end_run(self) -> None:
        """End what runs."""

    def clear_runs(self, before: str) -> None:
        """Purge runs that ended before a date (yyyy-MM-dd)."""

    def pending_exports(self, operation: str) -> int:
        """How many changes of this kind wait for the cloud."""


class Wmi:
    """Answers Get-CimInstance, Get-WmiObject and their method calls.

    Args:
        view: the engine behind the provider.
        running: whether the engine's service runs.
        machine: rows of classes of root\\cimv2, by lower-case class name; called with the caller.
        create: Win32_Process.Create(caller, command line) -> (return value, process id).
    """

    def __init__(
        self,
        options: FimOptions,
        view: EngineView,
        running: Callable[[], bool],
        machine: dict[str, Callable[[Caller], list[Row]]],
        create: Callable[[Caller, str], tuple[int, int]],
    ) -> None:
        self._options, self._view, self._running, self._machine, self._create = options, view, running, machine, create

    # -- questions

    def query(self, caller: Caller, p: dict[str, Any]) -> list[Row]:
        """Get-CimInstance: {Namespace, ClassName, Filter} or {Namespace, Query}."""
        namespace, name, condition = self._target(p)
        rows = self._rows(caller, namespace, name)
        tests = self._parse(condition)
        return [{**row, "#class": name, "#namespace": namespace} for row in rows if all(self._fits(row, test) for test in tests)]

    def _target(self, p: dict[str, Any]) -> tuple[str, str, str]:
        namespace = str(p.get("Namespace") or "root\\cimv2").replace("/", "\\").lower()
        name, condition = str(p.get("ClassName") or ""), str(p.get("Filter") or "")
        if p.get("Query"):
            match = _SELECT.fullmatch(str(p["Query"]))
            if match is None:
                raise fim_refusal("wmi_query", self._options.language)
            name, condition = match.group(1), match.group(2) or ""
        return namespace, name, condition

    def _rows(self, caller: Caller, namespace: str, name: str) -> list[Row]:
        language = self._options.language
        if namespace == "root\\cimv2":
            if name.lower() not in self._machine:
                raise fim_refusal("wmi_no_class", language)
            return self._machine[name.lower()](caller)
        if namespace != _ENGINE or self._options.wmi == "absent":
            raise fim_refusal("wmi_no_namespace", language)
        self._require(caller)
        tables: dict[str, Callable[[], list[Row]]] = {
            "miis_server": lambda: [{"Name": "MIIS_Server1"}],
            "miis_managementagent": self._agents,
            "miis_runhistory": self._runs,
        }
        if name.lower() not in tables:
            raise fim_refusal("wmi_no_class", language)
        return tables[name.lower()]()

    def _require(self, caller: Caller) -> None:
        """MIISBrowse, MIISOperators or MIISAdmins look (Microsoft). assumption: who may not is refused by WMI, with 0x80041003."""
        allowed = caller.is_in(*self._options.operators, *self._options.browsers)
        if self._options.wmi == "denied" or not allowed:
            raise fim_refusal("wmi_denied", self._options.language)
        if not self._running():
            raise fim_refusal("wmi_failed", self._options.language)  # assumption: how the provider says that the service is away

    def _agents(self) -> list[Row]:
        kinds = {"AD": "Active Directory", "Extensible2": "Extensible2"}  # assumption: the words of Type
        return [{"Name": one.name, "Guid": braced(one.identifier), "Type": kinds[one.type]} for one in self._view.connectors()]

    def _runs(self) -> list[Row]:
        if self._options.wmi == "empty":
            return []
        running = "" if self._options.running_end_time == "empty" else "0001-01-01 00:00:00.000"  # assumption: either
        return [
            {
                "Key": f"{braced(run.connector.identifier)}{run.number}",  # "the GUID followed by the run number" (Microsoft)
                "MaName": run.connector.name,
                "MaGuid": braced(run.connector.identifier),
                "RunNumber": str(run.number),
                "RunProfile": run.profile,
                "RunStartTime": text_of(run.started),
                "RunEndTime": text_of(run.ended, running),
                "RunStatus": run.result,
            }
            for run in self._view.runs()
        ]

    # -- conditions of WQL: comparisons of strings and numbers, joined by AND

    def _parse(self, condition: str) -> list[tuple[str, str, str]]:
        if not condition.strip():
            return []
        tests = []
        for part in re.split(r"\band\b(?=(?:[^']*'[^']*')*[^']*$)", condition, flags=re.IGNORECASE):
            match = _CONDITION.fullmatch(part)
            if match is None:
                raise fim_refusal("wmi_query", self._options.language)
            value = next(group for group in match.groups()[2:] if group is not None)
            tests.append((match.group(1), match.group(2).lower(), re.sub(r"\\(.)", r"\1", value)))
        return tests

    def _fits(self, row: Row, test: tuple[str, str, str]) -> bool:
        name, operator, value = test
        found = next((row[key] for key in row if key.lower() == name.lower()), None)
        if found is None:
            return False
        left: Any = found if isinstance(found, int) else str(found).lower()
        right: Any = int(value) if isinstance(found, int) and value.isdigit() else value.lower()
        if operator == "like":
            return re.fullmatch(re.escape(str(right)).replace("%", ".*").replace("_", "."), str(left)) is not None
        if operator in ("=", "<>", "!="):
            return (left == right) == (operator == "=")
        return bool({"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[operator])

    # -- methods

    def invoke(self, caller: Caller, p: dict[str, Any]) -> Row:
        """Invoke-CimMethod: {Namespace, ClassName, MethodName, Arguments, Key}; Key holds the key properties of an instance."""
        namespace, name, _condition = self._target(p)
        method, arguments = str(p["MethodName"]).lower(), {key.lower(): value for key, value in (p.get("Arguments") or {}).items()}
        if namespace == "root\\cimv2" and (name.lower(), method) == ("win32_process", "create"):
            value, process = self._create(caller, str(arguments.get("commandline") or ""))
            return {"ReturnValue": value, "ProcessId": process if value == 0 else None}
        rows = [
            row for row in self._rows(caller, namespace, name) if all(row.get(key) == value for key, value in (p.get("Key") or {}).items())
        ]
        if not rows:
            raise fim_refusal("wmi_not_found", self._options.language)
        answer = self._method(caller, name.lower(), method, rows[0], arguments)
        if answer is None:
            raise fim_refusal("wmi_no_method", self._options.language)
        return {"ReturnValue": answer}

    def _method(self, caller: Caller, name: str, method: str, row: Row, arguments: dict[str, Any]) -> str | None:
        typed = self._options.plan == "product"
        if (name, method) == ("miis_runhistory", "rundetails"):
            wanted = [run for run in self._view.runs() if f"{braced(run.connector.identifier)}{run.number}" == row["Key"]]
            return run_history_xml(wanted, typed)
        if (name, method) == ("miis_server", "clearruns"):
            if not caller.is_in(*self._options.operators):
                return "access-denied"
            self._view.clear_runs(str(arguments.get("clearrunsbeforedate") or next(iter(arguments.values()), "")))
            return "success"
        if name != "miis_managementagent":
            return None
        connector = next(one for one in self._view.connectors() if braced(one.identifier) == row["Guid"])
        runs = [run for run in self._view.runs() if run.connector.identifier == connector.identifier]
        return self._agent_method(caller, connector, runs, method, arguments)

    def _agent_method(self, caller: Caller, connector: Connector, runs: list[Run], method: str, arguments: dict[str, Any]) -> str | None:
        operations = {"numexportadd": "add", "numexportupdate": "update", "numexportdelete": "delete"}
        last = runs[0] if runs else None
        idle = last if last is not None and last.ended is not None else None
        if method == "execute":
            if not caller.is_in(*self._options.operators):
                return "access-denied"
            return self._view.execute(caller, connector, str(arguments.get("runprofilename") or next(iter(arguments.values()), "")))
        if method == "stop":
            self._view.end_run()
            return "success"
        if method in operations:
            return "0" if connector.is_directory else str(self._view.pending_exports(operations[method]))
        values = {
            "runstatus": lambda: last.result if last else "",  # empty if it never ran or the history was cleared (Microsoft)
            "rundetails": lambda: run_history_xml([last] if last else [], self._options.plan == "product"),
            # "Returns a value only if the management agent is idle" (Microsoft, RunStartTime); assumption: the other three as well
            "runprofile": lambda: idle.profile if idle else "",
            "runnumber": lambda: str(idle.number) if idle else "",
            "runstarttime": lambda: text_of(idle.started) if idle else "",
            "runendtime": lambda: text_of(idle.ended) if idle else "",
        }
        return values[method]() if method in values else None
