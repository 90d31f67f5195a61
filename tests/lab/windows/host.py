# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The Windows host that the sync engine runs on: command lines come in, PowerShell (or its fakes) does the work."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from ansible_collections.hybrid.identity.plugins.module_utils._remote import _call, _lasting_script, _local_route_script
from lab.clock import Clock
from lab.connect import Caller, CmdletError
from lab.engines import SyncServer
from lab.lifetime import Lifetime
from lab.powershell.bridge import Bridge
from lab.powershell.runner import Finished, PowerShellRunner
from lab.wsman import RemoteCommand

from .command_line import encoded_script, script_file
from .dirsync_fakes import DirSyncFakes
from .dirsync_password_fakes import DirSyncPasswordFakes
from .envelope import answer_request, carried_call, error_object, read_request
from .fakes import ConnectFakes
from .object_fakes import ObjectFakes
from .older_fakes import AadSyncFakes
from .password_fakes import PasswordFakes, Tasks
from .scheduler_fakes import SchedulerFakes

#: the one account's identifier, the same in the stand-ins
_SID = "S-1-5-21-1004336348-1177238915-682003330-1104"
_TRY = re.compile(r"\d{14}-[0-9a-f]{12}")
_NOT_FOUND = 9009  # what cmd.exe returns for a command that does not exist


class WindowsHost:
    """The evaluator behind the WS-Management server.

    Args:
        server: the state of the engine and of Windows around it.
        clock: the host's clock.
        groups: local groups by account name (lower case, without the domain).
        powershell: path of a PowerShell engine; None means fakes.
        culture, codepage: how the server writes (only with the PowerShell stand-in of 5.1).
        process_start: seconds that starting a process takes, on top of what it really takes here.
    """

    def __init__(
        self,
        server: SyncServer,
        clock: Clock,
        groups: Mapping[str, frozenset[str]],
        *,
        powershell: str | None,
        culture: str = "en-US",
        codepage: int = 437,
        process_start: float = 0.0,
        coverage: str | None = None,
    ) -> None:
        self.server, self._clock, self._groups = server, clock, groups
        self._fake_requests: dict[str, tuple[str, list[str]]] = {}
        self._fake_work: dict[str, Callable[[Caller], int]] = {}
        self.temp = tempfile.mkdtemp(prefix="lab-temp-")
        self.process_start = process_start
        self.processes_started = 0
        self._count = threading.Lock()
        self._runspaces: weakref.WeakSet[Lifetime] = weakref.WeakSet()
        self._runner: PowerShellRunner | None = None
        self._bridge: Bridge | None = None
        server.run_task = self._run_task
        if powershell is not None:
            self._bridge = Bridge(server.call)
            module = str(Path(__file__).parent.parent / "powershell" / "modules" / "ADSync.psm1")
            environment = {"LAB_BRIDGE": self._bridge.path, "LAB_ADSYNC_MODULE": module, "TEMP": self.temp}
            # .NET would otherwise leave its diagnostic sockets in the system's own folder.
            environment.update(DOTNET_EnableDiagnostics="0", TMPDIR=self.temp)
            environment.update(PWSH_CULTURE=culture, PWSH_CODEPAGE=str(codepage))
            environment.update(self._stand_ins())
            if coverage:
                environment["PWSH_COVERAGE"] = coverage
            self._runner = PowerShellRunner(powershell, environment)

    @property
    def mode(self) -> str:
        """What runs the scripts: powershell or fakes."""
        return "powershell" if self._runner is not None else "fakes"

    def start(self) -> None:
        """Get ready for the first call."""
        if self._bridge is not None and self._runner is not None:
            self._bridge.start()
            self._runner.start()

    def stop(self) -> None:
        """Give everything back."""
        if self._bridge is not None:
            self._bridge.stop()
        shutil.rmtree(self.temp, ignore_errors=True)

    def caller(self, user: str, network_logon: bool) -> Caller:
        """The caller that an authenticated principal stands for."""
        name = user.rsplit("\\", 1)[-1].split("@", 1)[0].lower()
        return Caller(user, network_logon, self._groups.get(name, frozenset()))

    def evaluate(self, command: RemoteCommand) -> int:
        """Run one command line (see lab.wsman.Evaluator)."""
        script = command.script if command.script is not None else encoded_script(command.line)
        if script is None:
            command.write_err(f"'{command.line.split(' ', 1)[0]}' is not recognized as an internal or external command\r\n".encode())
            return _NOT_FOUND
        standard_input = command.read_stdin()
        finished = self._run(self.caller(command.user, network_logon=True), script, standard_input, command)
        command.write_out(finished.stdout)
        command.write_err(finished.stderr)
        return finished.exit_code

    def _run(self, caller: Caller, script: str, standard_input: bytes, command: RemoteCommand | None = None) -> Finished:
        runspace = command.shell if command is not None and command.way == "psrp" else None
        if runspace is None or self._is_new(runspace):  # a runspace has one process for all of its scripts
            for _start in range(1 if command is None else command.processes):
                self._process_starts()
        if self._runner is None or self._bridge is None:
            return self._run_fake(caller, script, standard_input)
        session = self._bridge.open_session(caller)
        environment = self._environment(caller, session)
        if runspace is not None:
            # No console, no code page: what goes in and out are objects.
            environment.update(LAB_INSIDE_RUNSPACE="1", PWSH_CODEPAGE="65001")
        try:
            return self._runner.run_script(script, standard_input, environment)
        finally:
            self._bridge.close_session(session)
            ended: Callable[[Caller], None] = getattr(self.server, "shell_ended", lambda caller: None)
            if runspace is not None:  # children are those of the runspace's process, and die with it
                runspace.when_killed(lambda: ended(caller))
            else:
                ended(caller)

    def _is_new(self, shell: Lifetime) -> bool:
        """Whether this is the first script of a runspace."""
        with self._count:
            if shell in self._runspaces:
                return False
            self._runspaces.add(shell)
            return True

    def _stand_ins(self) -> dict[str, str]:
        """Variables for servers that have more of Windows than the newest engine needs, and an older PowerShell."""
        if not hasattr(self.server, "stand_ins"):
            return {}
        options = self.server.options
        return {
            "LAB_STAND_INS": self.server.stand_ins,
            "LAB_TASK_CMDLETS": "1" if options.has_task_cmdlets else "",
            "PWSH_CLAIM_VERSION": options.powershell_version,
            "ProgramData": self.temp,
        }

    def _environment(self, caller: Caller, session: str) -> dict[str, str]:
        offset = str(self._clock.offset) if self._clock.offset else ""
        options = self.server.options
        flags = {"LAB_SET_NEEDS_USER": options.password_set_needs_user, "LAB_FEATURE_BY_CONNECTOR": options.feature_by_connector}
        flags["LAB_NO_GROUPS"] = options.custom_groups
        return {
            **{name: "1" if value else "" for name, value in flags.items()},
            "LAB_SESSION": session,
            "LAB_USER": caller.user,
            "LAB_CLOCK_OFFSET": offset,
        }

    def _process_starts(self) -> None:
        with self._count:
            self.processes_started += 1
        time.sleep(self.process_start)

    # -- without PowerShell

    def _run_fake(self, caller: Caller, script: str, standard_input: bytes) -> Finished:
        if script != _call.BOOTSTRAP:
            return Finished(1, b"", b"#< CLIXML\r\nwithout PowerShell the lab runs the scripts of the collection and no others")
        try:
            document = read_request(standard_input)
            fake = self._fake(caller, document)
        except (ValueError, OSError, EOFError, KeyError) as error:
            return Finished(1, b"", f"#< CLIXML\r\n{type(error).__name__}".encode())
        return Finished(0, (answer_request(document, fake, self._clock) + "\r\n").encode("ascii"), b"")

    def _fake(self, caller: Caller, document: dict[str, Any]) -> Any:
        def cmdlet(name: str, /, **parameters: Any) -> Any:
            return self.server.call(caller, name, parameters)

        if document["script"] == _local_route_script.LOCAL_ROUTE:
            return lambda p: self._local_route_fake(caller, p)
        if document["script"] == _lasting_script.LASTING:
            return lambda p: self._lasting_fake(caller, p)

        def errand(carried: dict[str, Any], parameters: dict[str, Any]) -> Any:
            return self._errand_fake(caller, document, carried, parameters)

        objects = ObjectFakes(cmdlet, self._clock, self.temp, _SID)
        tasks = self._fake_tasks(caller)
        passwords = PasswordFakes(cmdlet, self._clock, self.server.options, tasks)
        fakes: dict[str, Any] = {
            **ConnectFakes(cmdlet, self._clock, errand).by_script,
            **objects.by_script,
            **AadSyncFakes(cmdlet, self._clock, caller.user).by_script,
            **DirSyncFakes(cmdlet, self._clock, caller.user).by_script,
            **passwords.by_script,
            **SchedulerFakes(cmdlet, self._clock).by_script,
            **DirSyncPasswordFakes(cmdlet, self._clock, caller.user, self.server.options, tasks).by_script,
        }
        if document["script"] not in fakes:
            raise KeyError("a script without a fake")
        return fakes[document["script"]]

    def _errand_fake(self, caller: Caller, document: dict[str, Any], errand: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
        """Fake of CARRIED_ALONG: the script gets a name and the bound for left-overs from the clock of the server."""
        p = carried_call(document, errand, parameters, self._clock)
        try:
            return self._local_route_fake(caller, p)
        except CmdletError as error:
            return {"error": error_object(error)}

    def _local_route_fake(self, caller: Caller, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of LOCAL_ROUTE: the same tasks, but request and answer never become files."""
        path = {"TaskPath": "\\hybrid.identity\\"}

        def is_leftover(name: str) -> bool:
            known = _TRY.fullmatch(name) and name != p["name"]
            return bool(known and (name < p["leftover"] or (p.get("tag") and name[15:23] == p["tag"])))

        task = {**path, "TaskName": p["name"]}
        mark = f"hybrid.identity {_SID}"
        answers: list[str] = []
        self._fake_requests[p["name"]] = (p["request"], answers)
        try:
            for name in p["earlier"]:
                self._remove_try(caller, name)
            with contextlib.suppress(CmdletError):
                for old in self.server.call(caller, "Get-ScheduledTask", path):
                    name = old["TaskName"]
                    if is_leftover(name) and old["Description"] == mark:
                        self._remove_try(caller, name)
            if not p["request"]:
                return {"answered": False, "state": 0, "last_result": 0}
            details = {"Execute": "powershell.exe", "Argument": p["name"], "UserId": _SID, "LogonType": "S4U", "RunLevel": "Highest"}
            self.server.call(caller, "Register-ScheduledTask", {**task, **details, "Description": mark})
            self.server.call(caller, "Start-ScheduledTask", task)
            idle = 0
            deadline = time.monotonic() + p["seconds"]
            while not answers:
                state = self.server.call(caller, "Get-ScheduledTask", task)[0]["State"]
                idle = idle + 1 if state == 3 else 0
                if idle >= 20 or time.monotonic() > deadline:
                    info = self.server.call(caller, "Get-ScheduledTaskInfo", task)
                    return {"answered": False, "state": state, "last_result": info["LastTaskResult"]}
                time.sleep(0.05)
        finally:
            del self._fake_requests[p["name"]]
            for name in [*p["earlier"], p["name"]]:
                self._remove_try(caller, name)
            found = self.server.call(caller, "count_task_folder", {"path": "\\hybrid.identity"})
            if found is not None and not found["tasks"]:
                self.server.call(caller, "delete_task_folder", {"name": "hybrid.identity"})
        return {"answered": True, "text": answers[0]}

    def _remove_try(self, caller: Caller, name: str) -> None:
        for cmdlet in ("Stop-ScheduledTask", "Unregister-ScheduledTask"):
            with contextlib.suppress(CmdletError):
                self.server.call(caller, cmdlet, {"TaskPath": "\\hybrid.identity\\", "TaskName": name})

    # -- work that outlives its shell, without PowerShell: the same tasks, but request and answer never become files

    def _lasting_fake(self, caller: Caller, p: dict[str, Any]) -> dict[str, Any]:
        """Fake of LASTING and its runner."""
        answers: list[str] = []
        fetched = threading.Event()

        def work(caller_of_task: Caller) -> int:
            document = json.loads(p["request"])
            answers.append(answer_request(document, self._fake(caller_of_task, document), self._clock))
            fetched.wait(60)
            self._remove_lasting(caller_of_task, p["name"])
            return 0

        self._fake_work[p["name"]] = work
        self._register_lasting(caller, p["name"], None)
        self.server.call(caller, "task_run", {"path": "\\hybrid.identity\\" + p["name"]})
        outcome: dict[str, Any] = {"answered": False, "text": None, "state": 0, "last_result": 0}
        idle, deadline = 0, time.monotonic() + p["seconds"]
        while time.monotonic() < deadline and idle < 20:
            if answers:
                outcome.update(answered=True, text=answers[0])
                fetched.set()
                while p["name"] in self.server.windows.task_names() and time.monotonic() < deadline:
                    time.sleep(0.02)
                break
            try:
                task = self.server.call(caller, "task_get", {"path": "\\hybrid.identity\\" + p["name"]})
                outcome.update(state=task["State"], last_result=task["LastTaskResult"])
            except CmdletError:
                outcome["state"] = 0
            idle = 0 if outcome["state"] == 4 else idle + 1
            time.sleep(0.05)
        if not outcome["answered"] and outcome["state"] != 4:
            self._remove_lasting(caller, p["name"])
        return outcome

    def _register_lasting(self, caller: Caller, name: str, delay: float | None) -> None:
        start = (self._clock.now() + timedelta(seconds=delay)).isoformat() if delay else None
        details = {"execute": "powershell.exe", "arguments": name, "user": _SID, "logon_type": 2, "run_level": 1, "start": start}
        question = {"path": "\\hybrid.identity\\" + name, **details, "interval": "PT1M", "description": f"hybrid.identity {_SID}"}
        self.server.call(caller, "task_register", question)

    def _remove_lasting(self, caller: Caller, name: str) -> None:
        with contextlib.suppress(CmdletError):
            self.server.call(caller, "task_delete", {"path": "\\hybrid.identity\\" + name})
        with contextlib.suppress(CmdletError):
            self.server.call(caller, "delete_task_folder", {"name": "hybrid.identity"})

    def _fake_tasks(self, caller: Caller) -> Tasks:
        def write(name: str, work: Callable[[Any, Tasks], None], delay: float) -> None:
            def act(caller_of_task: Caller) -> int:
                def cmdlet(verb: str, /, **parameters: Any) -> Any:
                    return self.server.call(caller_of_task, verb, parameters)

                work(cmdlet, self._fake_tasks(caller_of_task))
                return 0

            self._fake_work[name] = act
            self._register_lasting(caller, name, delay)

        return Tasks(write, lambda name: self._remove_lasting(caller, name))

    # -- scheduled tasks

    def _run_task(self, caller: Caller, execute: str, argument: str) -> int:
        """What a started scheduled task does; it is no network logon."""
        self._process_starts()
        if self._runner is None or self._bridge is None:
            return self._run_task_fake(caller, argument)
        path = script_file(argument)
        if path is None:
            return 1
        session = self._bridge.open_session(caller)
        try:
            return self._runner.run_file(path, self._environment(caller, session)).exit_code
        finally:
            self._bridge.close_session(session)

    def _run_task_fake(self, caller: Caller, name: str) -> int:
        if name in self._fake_work:
            return self._fake_work[name](caller)
        request, answers = self._fake_requests[name]
        document = json.loads(request)
        answers.append(answer_request(document, self._fake(caller, document), self._clock))
        return 0
