# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The shipped PowerShell: understood by 5.1, and of one mind with its fakes."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import procedures
import pytest
import shipped_scripts
from estates import COVERAGE, MakeEstate
from patience import FOR_EVER, ends, wait_until

from ansible_collections.hybrid.identity.plugins.module_utils._deadline import Deadline
from ansible_collections.hybrid.identity.plugins.module_utils._engines import (
    _aadsync_scripts,
    _connect_scripts,
    _dirsync_scripts,
    _windows_scripts,
)
from ansible_collections.hybrid.identity.plugins.module_utils._engines._connect_objects import ConnectObjects
from ansible_collections.hybrid.identity.plugins.module_utils._engines._local_history import runs_errand
from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import COMMAND_LINE, AnswerError, RemoteError, RemoteShell
from ansible_collections.hybrid.identity.plugins.module_utils._remote._local_route import LocalRouteClosed, call_locally
from ansible_collections.hybrid.identity.plugins.module_utils._remote._local_route_script import LOCAL_ROUTE
from ansible_collections.hybrid.identity.plugins.module_utils._remote._shape import anything
from ansible_collections.hybrid.identity.plugins.module_utils._remote._winrm import WinrmOptions, WinrmTransport
from ansible_collections.hybrid.identity.plugins.module_utils._timestamps import parse_utc
from lab.connect.errors import refusal
from lab.estate import ACCOUNTS, Estate, EstateOptions

#: commands of the engine's module and functions of the envelope, which the checker cannot know
_KNOWN = (
    "Get-ADSyncScheduler", "Get-ADSyncConnector", "Get-ADSyncConnectorRunStatus", "Get-ADSyncRunProfileResult", "Start-ADSyncSyncCycle",
    "Start-OnlineCoexistenceSync",
    "ConvertTo-ErrorObject", "Get-UtcText", "Get-ADSyncAADPasswordSyncConfiguration", "Set-ADSyncAADPasswordSyncConfiguration",
    "Add-ADSyncConnector", "Get-ADSyncPartitionPasswordSyncState", "Get-ADSyncAADCompanyFeature", "Get-ADSyncGlobalSettings",
    "Get-ADSyncCSObject", "Set-ADSyncScheduler", "Invoke-ADSyncSingleObjectSync",
    "Set-FullPasswordSync",
)  # fmt: skip


@pytest.mark.parametrize("target", ["5.1", "3.0"])
def test_every_script_is_understood_by_windows_powershell(target: str, powershell: str, tmp_path: Path) -> None:
    """3.0 is what the servers of the older engines have; the scripts of the newest one reach them too, for they find out which it is."""
    checker = Path(powershell).with_name("pwsh-check")
    if not checker.exists():
        pytest.skip("this PowerShell comes without pwsh-check")
    known = tmp_path / "known.txt"
    known.write_text("\n".join(_KNOWN) + "\n")
    done = subprocess.run(
        [checker, "--target", target, "--commands", known, *shipped_scripts.write_scripts(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 errors, 0 warnings" in done.stdout


def test_command_line_is_short_enough_even_when_encoded_twice() -> None:
    assert len(COMMAND_LINE) * 8 / 3 < 8191 / 3


#: what the checker lets pass, and PowerShell 3.0, .NET Framework 4.0 or Windows Server 2008 R2 lack -> words
_TOO_NEW = {
    r"\]::new\(": "the static method new came with 5.0",
    r"\.(Where|ForEach)\s*[({]": "the methods Where and ForEach came with 4.0",
    r"\bStartType\b": "a service has its StartType since .NET 4.6.1",
    r"\.HResult\b": "an exception's HResult is protected in .NET 4.0",
    r"-ScheduledTask\w*\b": "the module ScheduledTasks came with Windows Server 2012",
    r"\bGet-FileHash\b|\bExpand-Archive\b|\bConvertFrom-Csv\b.*-Path": "cmdlets of later versions",
    r"\bclass\s+\w+\s*\{|\busing (namespace|module)\b|\benum\s+\w+\s*\{": "classes came with 5.0",
}


def test_no_script_uses_what_older_servers_lack() -> None:
    """Every script: local route, envelope and bootstrap reach them too."""
    for name, text in shipped_scripts.SCRIPTS.items():
        code = re.sub(r"(?m)^\s*#.*$", "", text)
        for pattern, words in _TOO_NEW.items():
            assert not re.search(pattern, code), f"{name}: {words}"


def test_the_list_of_what_is_too_new_finds_it() -> None:
    samples = ["[X]::new(1)", "$a.Where({1})", "$a.ForEach{1}", "$s.StartType", "$e.HResult", "Register-ScheduledTask", "class A { }"]
    for sample in samples:
        assert any(re.search(pattern, sample) for pattern in _TOO_NEW), sample


def test_an_older_powershell_runs_the_newest_scripts(powershell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PWSH_CLAIM_VERSION", "3.0")
    with Estate(EstateOptions(directory=False, tenant=False, cycle_seconds=0.6, powershell=powershell, coverage=COVERAGE)) as estate:
        result = procedures.trigger(estate)
        assert (result["sync"]["ownership"], result["sync"]["state"]) == ("own", "verified")


def test_powershell_2_gets_one_clear_sentence(powershell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can parse the bootstrap, says who it is, and runs nothing."""
    monkeypatch.setenv("PWSH_CLAIM_VERSION", "2.0")
    with Estate(EstateOptions(directory=False, tenant=False, cycle_seconds=0.6, powershell=powershell, coverage=COVERAGE)) as estate:
        result = procedures.trigger(estate)
        assert result["failure_reason"] == "not_a_sync_server"
        assert result["msg"] == (
            "Windows PowerShell on the server is 2.0, and 3.0 is the least that can be driven. "
            "Install Windows Management Framework 3.0 or later on it (5.1 where the system takes it)."
        )
        assert estate.host.processes_started == 1, "it is not asked again"
        assert estate.sync.cycles == []


def test_scripts_hold_no_time_and_no_words_of_the_server() -> None:
    for name, text in shipped_scripts.SCRIPTS.items():
        assert "Get-Culture" not in text, name
        assert not re.search(r"-(match|like|eq) '[A-Z][a-z]+ [a-z]+", text), f"{name} seems to compare English words"


# -- parity

_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.(\d{7}Z|\d{3})")


def _shape(value: Any) -> Any:
    """A value without what differs between any two runs; PowerShell ends error ids with the name of the stand-in."""
    if isinstance(value, dict):
        return {key: _shape(item) for key, item in value.items() if key not in ("script_stack", "causes", "error_id")}
    if isinstance(value, (list, tuple)):
        return [_shape(item) for item in value]
    if isinstance(value, float):
        return int(value) if value == int(value) else value
    if isinstance(value, str):
        return _TIME.sub("<time>", value)
    return value


LIMITS = {
    "seconds": 20,
    "step_ms": 50,
    "confirm_seconds": 2,
    "idle_seconds": 0,
    "stop_when_active": False,
    "quiet_seconds": 1.0,
    "wmi": False,
}
_LONG_NAME = "x" * 500


def _lines(value: Any) -> list[str]:
    return json.dumps(value, indent=1, sort_keys=True).splitlines()


def _now(estate: Estate) -> str:
    return estate.sync.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


def _call(estate: Estate, script: str, parameters: dict[str, Any], user: str = "svc-sync") -> Any:
    shell = procedures.open_shell(estate, user)
    try:
        return shell.call("parity", script, parameters, shape=anything, timeout=60, repeatable=False).data
    except RemoteError as error:
        return {
            "type": error.type,
            "hresult": error.hresult,
            "error_id": error.error_id,
            "category": error.category,
            "message": error.message,
        }
    finally:
        shell.close()


def _probe(estate: Estate, user: str = "svc-sync") -> Any:
    return _call(estate, _connect_scripts.PROBE, {"history_seconds": 600}, user)


def _start(estate: Estate, user: str = "svc-sync", **changes: Any) -> Any:
    return _call(estate, _connect_scripts.START, {"policy": "Delta", **LIMITS, **changes}, user)


def _watch(estate: Estate, user: str = "svc-sync", **changes: Any) -> Any:
    parameters = {**LIMITS, "active": True, "next_start": None, "since": _now(estate), **changes}
    return _call(estate, _connect_scripts.WATCH, parameters, user)


def _run_by_hand(estate: Estate, connector: Any, seconds: float, *user: str) -> None:
    """A run of a single connector, which has begun when this returns."""
    threading.Thread(target=estate.sync.engine.run_profile, args=(connector, "Export", seconds, *user)).start()
    wait_until(lambda: estate.sync.engine.busy)


def _while_a_connector_runs(estate: Estate, user: str = "svc-sync") -> Any:
    directory = estate.sync.engine.connector(True)
    _run_by_hand(estate, directory, 3.0)
    return _watch(estate, user)


def _after_a_failed_cycle(estate: Estate) -> Any:
    since = _now(estate)
    estate.sync.configure(cycle_seconds=3.0)  # longer than PowerShell takes to look for the first time
    estate.sync.arm("credentials")
    estate.sync.arm("export_error", error="AttributeValueMustBeUnique")
    estate.sync.start_cycle()
    return _watch(estate, since=since)


def _busy_refusals(estate: Estate) -> Any:
    estate.sync.start_cycle()
    first = _start(estate)["refusal"]
    estate.sync.wait_idle()
    _run_by_hand(estate, estate.sync.engine.connector(False), 3.0)
    return [first, _start(estate)["refusal"]]


def _read_runs(estate: Estate) -> Any:
    since = datetime.now(timezone.utc) - timedelta(minutes=5)
    estate.sync.configure(cycle_seconds=60.0)
    estate.sync.start_cycle()
    wait_until(lambda: estate.sync.engine.history)
    shell = procedures.open_shell(estate)
    try:
        parameters = {"since": since.isoformat()[:26] + "0Z"}
        return call_locally(shell, "runs", _connect_scripts.READ_RUNS, parameters, shape=anything, timeout=30, server_now=since).data
    finally:
        shell.close()


def _start_and_lose_the_service(estate: Estate) -> Any:
    """The start is accepted, and the service is gone before anybody has looked."""
    start = estate.sync._cmdlets["Start-ADSyncSyncCycle"]

    def start_and_die(*arguments: Any) -> Any:
        answer = start(*arguments)
        estate.sync.configure(service_running=False)
        return answer

    estate.sync._cmdlets["Start-ADSyncSyncCycle"] = start_and_die
    return _start(estate)


def _probe_a_busy_server(estate: Estate) -> Any:
    _run_by_hand(estate, estate.sync.engine.connector(False), 3.0)
    return _probe(estate)


def _read_runs_without_connectors(estate: Estate) -> Any:
    refusing = estate.sync._cmdlets

    def refuse(*_arguments: Any) -> Any:
        raise refusal("denied", "en", "SYNC1")

    refusing["Get-ADSyncConnector"] = refuse
    return _locally(estate)


_BIN = "C:\\Program Files\\Microsoft Azure AD Sync\\Bin"
_FOLDERS = {
    "dirsync": "C:\\Program Files\\Windows Azure Active Directory Sync",
    "dirsync_legacy": "C:\\Program Files\\Microsoft Online Directory Sync",
}


def _older(engine: str, **changes: Any) -> dict[str, Any]:
    """An estate with an older engine."""
    return {"engine": engine, **changes}


def _survey(estate: Estate) -> Any:
    return _call(estate, _windows_scripts.SURVEY_ALONE, {})


def _survey_an_unquoted_path(estate: Estate) -> Any:
    estate.sync.windows.registry.set("HKLM:\\SYSTEM\\CurrentControlSet\\Services\\ADSync", "ImagePath", "D:\\My Sync\\miiserver.exe -x")
    return _survey(estate)


def _probe_after_faults(estate: Estate) -> Any:
    estate.sync.arm("export_error", error="AttributeValueMustBeUnique")
    estate.sync.configure(cycle_seconds=6.0)
    estate.sync.start_cycle()
    estate.sync.wait_idle()
    _run_by_hand(estate, estate.sync.engine.connector(True), 3.0, "x")
    return _probe_aadsync(estate)


def _probe_aadsync(estate: Estate, user: str = "svc-sync") -> Any:
    return _call(estate, _aadsync_scripts.PROBE, {"history_seconds": 600}, user)


def _probe_dirsync(estate: Estate, user: str = "svc-sync") -> Any:
    return _call(estate, _dirsync_scripts.PROBE, {"history_seconds": 600, "folder": _FOLDERS[estate.options.engine]}, user)


def _start_aadsync(estate: Estate, full: bool = False, user: str = "svc-sync", **changes: Any) -> Any:
    estate.sync.configure(cycle_seconds=2.0)
    parameters = {
        **LIMITS,
        "full": full,
        "exe": _BIN + "\\DirectorySyncClientCmd.exe",
        "name": "0123456789ab",
        "lock_seconds": 2,
        **changes,
    }
    return _call(estate, _aadsync_scripts.START, parameters, user)


def _start_dirsync(estate: Estate, full: bool = False, **changes: Any) -> Any:
    estate.sync.configure(cycle_seconds=2.0)
    parameters = {**LIMITS, "full": full, "folder": _FOLDERS[estate.options.engine], "lock_seconds": 2, **changes}
    return _call(estate, _dirsync_scripts.START, parameters)


def _start_while_busy(estate: Estate) -> Any:
    estate.sync.configure(cycle_seconds=30.0)
    estate.sync.start_cycle()
    wait_until(lambda: estate.sync.engine.busy)
    parameters = {**LIMITS, "full": False, "folder": _FOLDERS["dirsync"], "lock_seconds": 2}
    return _call(estate, _dirsync_scripts.START, parameters)


def _follow(estate: Estate, script: str) -> Any:
    since = _now(estate)
    estate.sync.configure(cycle_seconds=2.0)
    estate.sync.start_cycle()
    return _call(estate, script, {**LIMITS, "active": False, "since": since})


def _read_by_wmi(estate: Estate) -> Any:
    since = _now(estate)
    estate.sync.start_cycle()
    estate.sync.wait_idle()
    return _call(estate, _dirsync_scripts.READ_RUNS, {"since": since})


# -- single objects, and what is carried along for the local route

_AMY, _BEN = "CN=Amy,OU=Staff,DC=lab,DC=test", "CN=Ben,OU=Staff,DC=lab,DC=test"
_STAMP = "20261124093000-0123456789ab"


def _objects(estate: Estate, *names: str, seconds: float = 30.0) -> Any:
    shell = procedures.open_shell(estate)
    try:
        done = ConnectObjects().synchronise(
            shell, names, proceed_when_off=False, stamp=_STAMP, seconds=seconds, server_now=estate.sync.clock.now()
        )
        return (
            [[one.dn, one.result, one.reason, one.throttled] for one in done.outcomes],
            done.left_off,
            done.before.busy,
            done.state.enabled,
        )
    except RemoteError as error:
        return error.type, error.message
    finally:
        shell.close()


def _objects_in_all_ways(estate: Estate) -> Any:
    """Everything that the other tests of single objects do not meet with PowerShell."""
    told = [_objects(estate, _AMY, _BEN, _AMY), _objects(estate, _AMY, seconds=0.0)]
    cmdlets = estate.sync._cmdlets
    synchronise, switch = cmdlets["Invoke-ADSyncSingleObjectSync"], cmdlets["Set-ADSyncScheduler"]
    for text in ("no summary", "{no summary}"):
        cmdlets["Invoke-ADSyncSingleObjectSync"] = lambda caller, p, text=text: text
        told.append(_objects(estate, _AMY))

    def refuse(*_arguments: Any) -> Any:
        raise refusal("denied", "en", "SYNC1")

    cmdlets["Invoke-ADSyncSingleObjectSync"] = refuse
    estate.sync.arm("com_error", cmdlet="Get-ADSyncScheduler", skip=3)  # the look after the scheduler is on again
    told.append(_objects(estate, _AMY))
    cmdlets["Invoke-ADSyncSingleObjectSync"] = synchronise
    cmdlets["Set-ADSyncScheduler"] = lambda caller, p: None if p.get("SyncCycleEnabled") else switch(caller, p)
    told.append(_objects(estate, _AMY))
    told.append(_restored(estate))
    cmdlets["Set-ADSyncScheduler"] = switch
    told.append(_restored(estate))
    stranger = Path(estate.host.temp) / f"hybrid.identity-scheduler-{_STAMP}"
    stranger.mkdir()
    estate.sync.windows.folders.pop(str(stranger), None)
    told.append(_objects(estate, _AMY)[0] == "System.UnauthorizedAccessException" or estate.host.mode == "fakes")
    if stranger.exists():
        stranger.rmdir()
    estate.sync.configure(staging=True)
    told.append(_objects(estate, _AMY))
    estate.sync.configure(staging=False)
    connector = estate.sync.engine.connector(False)
    run = threading.Thread(target=estate.sync.engine.run_profile, args=(connector, "Export", 6.0))
    run.start()
    told.append(_objects(estate, _AMY))
    shell = procedures.open_shell(estate)
    told.append(ConnectObjects().look(shell).state.busy)
    shell.close()
    estate.sync.engine.cancelled.set()
    run.join()
    return told


def _restored(estate: Estate) -> Any:
    """Twice: an order that is taken and not carried out, and one that is."""
    shell = procedures.open_shell(estate)
    try:
        left = ConnectObjects().look(shell).left_off
        return None if left is None else ConnectObjects().restore(shell, left, server_now=estate.sync.clock.now()).enabled
    except AnswerError as error:
        return str(error)
    finally:
        shell.close()


def _carried_along(estate: Estate) -> Any:
    """A look without the time for it, and one whose account may not."""
    told = []
    for seconds, user in ((1.0, "svc-sync"), (30.0, "svc-limited")):
        shell = procedures.open_shell(estate, user, seconds=60)
        errand = {**runs_errand(_connect_scripts.READ_RUNS).parameters(shell), "seconds": seconds}
        shell.close()
        local = (_watch(estate, user, local=errand)["history"] or {}).get("local")
        told.append(local and local["error"]["hresult"])
    return told


DIRECT = {"history_refuses_network_logon": False}
SCENARIOS: dict[str, tuple[dict[str, Any], Callable[[Estate], Any]]] = {
    "probe": ({}, _probe),
    "probe, history direct": (DIRECT, lambda estate: (_start(estate), _probe(estate))),
    "probe after faults": ({**DIRECT, "directory_connector": _LONG_NAME}, lambda estate: (_after_a_failed_cycle(estate), _probe(estate))),
    "probe, little allowed": ({"services_readable": False, "connectors_refuse_network_logon": True}, lambda estate: _probe(estate, "svc-limited")),
    "probe, outsider": ({}, lambda estate: _probe(estate, "svc-outsider")),
    "probe, stopped": ({"service_running": False}, _probe),
    "probe, no engine": ({"installed": False, "other_services": ("FIMSynchronizationService",)}, _probe),
    "probe, no module": ({"module_present": False}, _probe),
    "probe, sparse": ({"wizard_registered": False, "next_start_known": False, "staging": True, "enabled": False}, _probe),
    "start": ({}, _start),
    "start, history direct": (DIRECT, _start),
    "start, errors": ({**DIRECT, "directory_connector": _LONG_NAME}, lambda estate: (estate.sync.arm("credentials"), _start(estate))),
    "start, full, only confirmed": ({}, lambda estate: _start(estate, policy="Initial", stop_when_active=True)["watch"]["first_active"] is not None),
    "start, nothing begins": ({}, lambda estate: (estate.sync.arm("accepted_but_nothing_starts"), _start(estate, confirm_seconds=0.3))),
    "start, suspended": ({"suspended": True}, _start),
    "start, busy": ({}, _busy_refusals),
    "start, no next start": ({"next_start_known": False}, _start),
    "start, limited": ({}, lambda estate: _start(estate, "svc-limited")),
    "start, no module": ({"module_present": False}, _start),
    "start, then no service": ({}, _start_and_lose_the_service),
    "probe, busy": ({}, _probe_a_busy_server),
    "runs, no connectors": ({}, _read_runs_without_connectors),
    "watch, no service": ({"service_running": False}, _watch),
    "watch, the service goes": ({}, lambda estate: (estate.sync.arm("com_error", cmdlet="Get-ADSyncScheduler", skip=1), _watch(estate, active=False))),
    "watch, idle": ({}, _watch),
    "watch, manual run": (DIRECT, _while_a_connector_runs),
    "watch, limited": ({}, lambda estate: _while_a_connector_runs(estate, "svc-limited")),
    "watch, errors": ({**DIRECT, "directory_connector": _LONG_NAME}, _after_a_failed_cycle),
    "watch, counted": (DIRECT, lambda estate: (estate.sync.configure(cycle_seconds=3.0), estate.sync.start_cycle(), _watch(estate))),
    "watch, slice over": ({"next_start_known": False}, lambda estate: _watch(estate, active=False, confirm_seconds=9, seconds=0.2)),
    "runs": ({"running_has_end_date": False}, _read_runs),
    "survey, dirsync": (_older("dirsync"), _survey),
    "survey, dirsync_legacy": (_older("dirsync_legacy", path_registered="none"), _survey),
    "survey, aadsync": (_older("aadsync"), _survey),
    "survey, 1.0": (_older("aad-connect-1.0"), _survey),
    "survey, limited": (_older("aadsync", services_readable=False), lambda estate: _call(estate, _windows_scripts.SURVEY_ALONE, {}, "svc-limited")),
    "survey, path without quotes": (_older("aadsync"), _survey_an_unquoted_path),
    "probe, aadsync, errors": (_older("aadsync", initial_domain=_LONG_NAME, running_end_time="minimum"), _probe_after_faults),
    "probe, 1.1.105": (_older("connect-1.1.105"), lambda estate: (estate.sync.start_cycle(), estate.sync.wait_idle(), _probe(estate))),
    "probe, 1.1.105, denied": (_older("connect-1.1.105", wmi="denied"), _probe),
    "start, 1.1.105": (_older("connect-1.1.105"), lambda estate: (estate.sync.configure(cycle_seconds=2.0), _start(estate, wmi=True))),
    "start, 1.1.281, slice over": (_older("connect-1.1.281"), lambda estate: _start(estate, wmi=True, seconds=0.2, quiet_seconds=9.0)["before"]),
    "probe, aadsync": (_older("aadsync"), lambda estate: (estate.sync.start_cycle(), estate.sync.wait_idle(), _probe_aadsync(estate))),
    "probe, aadsync, outsider": (_older("aadsync"), lambda estate: _probe_aadsync(estate, "svc-outsider")),
    "probe, dirsync": (_older("dirsync"), lambda estate: (estate.sync.start_cycle(), estate.sync.wait_idle(), _probe_dirsync(estate))),
    "probe, dirsync, denied": (_older("dirsync", wmi="denied"), _probe_dirsync),
    "start, aadsync": (_older("aadsync"), _start_aadsync),
    "start, aadsync, full": (_older("aadsync"), lambda estate: _start_aadsync(estate, True)),
    "start, aadsync, no history": (_older("aadsync", wmi="absent"), _start_aadsync),
    "start, aadsync, nothing begins": (_older("aadsync"), lambda estate: (estate.sync.arm("start_refused"), _start_aadsync(estate, confirm_seconds=0.5))),
    "start, dirsync": (_older("dirsync"), _start_dirsync),
    "start, dirsync, full": (_older("dirsync"), lambda estate: _start_dirsync(estate, True)),
    "start, dirsync_legacy, full": (_older("dirsync_legacy"), lambda estate: _start_dirsync(estate, True)),
    "start, dirsync_legacy, refused": (_older("dirsync_legacy"), lambda estate: (estate.sync.arm("start_refused"), _start_dirsync(estate, True))),
    "start, dirsync_legacy, no right": (_older("dirsync_legacy", registry_writable=False), lambda estate: _start_dirsync(estate, True)),
    "start, dirsync, busy": (_older("dirsync"), _start_while_busy),
    "start, dirsync, confirmed": (_older("dirsync"), lambda estate: _start_dirsync(estate, stop_when_active=True)["appeared"]),
    "follow, dirsync": (_older("dirsync"), lambda estate: _follow(estate, _dirsync_scripts.FOLLOW)),
    "follow, aadsync": (_older("aadsync"), lambda estate: _follow(estate, _aadsync_scripts.FOLLOW)),
    "runs by WMI": (_older("aadsync"), _read_by_wmi),
    "objects": ({"throttle_objects": 1, "next_start_known": False}, _objects_in_all_ways),
    "carried along": ({}, _carried_along),
}  # fmt: skip


class _OneUser:
    """A directory with one user in every full or first reading: enough for counters."""

    def read_changes(self, cookie: bytes | None, full: bool) -> Any:
        import uuid

        from lab.synchronisation import Changes, DirectoryObject

        guid = uuid.UUID("f7cc07d7-7c15-447d-876d-c01b0e5a9e38")
        attributes = {
            "objectClass": [b"user"],
            "sAMAccountName": [b"amy"],
            "userPrincipalName": [b"amy@lab.example"],
            "displayName": [b"Amy"],
        }
        return Changes(b"1", [DirectoryObject(guid, "CN=Amy,OU=Staff,DC=lab,DC=test", False, attributes)] if cookie is None else [])


def _one_user(estate: Estate) -> None:
    estate.sync.engine.directory = _OneUser()


@pytest.mark.parametrize("name", SCENARIOS)
def test_script_and_fake_are_of_one_mind(name: str, powershell: str) -> None:
    changes, scenario = SCENARIOS[name]
    changes = dict(changes)
    name_of_engine = changes.pop("engine", "connect")
    if name_of_engine.startswith("connect"):  # passwords of new people would be told by events at any time
        changes.setdefault("password_new_delay", FOR_EVER)
    answers = []
    for engine in ("none", powershell):
        with Estate(
            EstateOptions(
                directory=False,
                tenant=False,
                cycle_seconds=0.6,
                powershell=engine,
                coverage=COVERAGE,
                engine=name_of_engine,
                connect=dict(changes),
            )
        ) as estate:
            _one_user(estate)
            answers.append(_shape(scenario(estate)))
            assert estate.wsman.log.failures == []
    assert _lines(answers[0]) == _lines(answers[1])


def test_a_powershell_without_warm_server_does_as_well(powershell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's own PowerShell 7 is started for each call, with the stand-ins in front of the script."""
    monkeypatch.setenv("HYBRID_IDENTITY_COLD", "1")
    monkeypatch.setenv("PWSH_CLAIM_VERSION", "none")
    with Estate(EstateOptions(directory=False, tenant=False, cycle_seconds=0.6, powershell=powershell)) as estate:
        result = procedures.trigger(estate, since=datetime.now(timezone.utc).isoformat())
        assert (result["sync"]["ownership"], result["sync"]["state"]) == ("own", "verified")


# -- the local route

_SID = "S-1-5-21-1004336348-1177238915-682003330-1104"
_TASKS = "\\hybrid.identity\\"


def _locally(estate: Estate, user: str = "svc-sync", timeout: float = 20.0, shell: RemoteShell | None = None) -> Any:
    shell = shell or procedures.open_shell(estate, user)
    try:
        since = "2026-01-01T00:00:00.0000000Z"
        return call_locally(
            shell, "runs", _connect_scripts.READ_RUNS, {"since": since}, shape=anything, timeout=timeout, server_now=estate.sync.clock.now()
        ).data
    finally:
        shell.close()


def _plant_task(estate: Estate, name: str, description: str = f"hybrid.identity {_SID}", *, running: bool = False) -> None:
    caller = estate.host.caller("svc-sync", network_logon=True)
    task = {"TaskPath": _TASKS, "TaskName": name}
    details = {"Execute": "x", "Argument": "y", "Description": description}
    estate.sync.call(caller, "Register-ScheduledTask", {**task, **details})
    if running:
        estate.sync.configure(tasks_hang=True)
        estate.sync.call(caller, "Start-ScheduledTask", task)
        estate.sync.configure(tasks_hang=False)


def _plant_folder(estate: Estate, name: str, *, own: bool = True, files: tuple[str, ...] = ("request.json", "run.ps1")) -> Path:
    folder = Path(estate.host.temp) / f"hybrid.identity-{name}"
    folder.mkdir()
    for file in files:
        (folder / file).write_text("{}")
    if own:
        estate.sync.windows.folders[str(folder)] = f"O:{_SID}D:P"
    return folder


def _nothing_is_left(estate: Estate) -> bool:
    windows = estate.sync.windows
    folders = list(Path(estate.host.temp).glob("hybrid.identity-*"))
    return not (windows.task_names() or windows.task_folders() or windows.orphans or folders)


def test_local_route_sweeps_what_a_crash_left_and_nothing_else(make_estate: MakeEstate, tmp_path: Path) -> None:
    estate = make_estate()
    stale, living = "20200101000000-0123456789ab", "29990101000000-0123456789ab"
    _plant_task(estate, stale, running=True)
    _plant_task(estate, living)
    _plant_task(estate, "20200101000000-00000000dead", "hybrid.identity S-1-5-21-1-2-3-4")
    _plant_task(estate, "my own backup")
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "request.json").write_text("keep me")
    swept = _plant_folder(estate, stale)
    kept = [
        _plant_folder(estate, living),
        _plant_folder(estate, "20200101000000-00000000aaaa", own=False),
        _plant_folder(estate, "20200101000000-00000000bbbb", files=("request.json", "not ours")),
        _plant_folder(estate, "a folder of another program"),
    ]
    link = Path(estate.host.temp) / "hybrid.identity-20200101000000-00000000cccc"
    link.symlink_to(precious)
    estate.sync.windows.folders[str(link)] = f"O:{_SID}D:P"
    assert _locally(estate)["runs"] == []
    assert estate.sync.windows.task_names() == [living, "20200101000000-00000000dead", "my own backup"]
    assert estate.sync.windows.orphans == [], "a running task is stopped before it is removed"
    assert estate.sync.windows.task_folders() == ["hybrid.identity"], "it is not empty"
    if estate.host.mode == "powershell":
        assert not swept.exists()
        assert all(folder.exists() for folder in kept)
        assert (kept[2] / "not ours").exists()
    assert link.is_symlink()
    assert (precious / "request.json").read_text() == "keep me"


def test_local_route_makes_a_closed_folder_in_one_step_and_leaves_nothing(make_estate: MakeEstate) -> None:
    estate = make_estate()
    assert _locally(estate)["runs"] == []
    assert _nothing_is_left(estate)
    (task,) = estate.sync.windows.registered
    assert (task["LogonType"], task["RunLevel"], task["UserId"]) == ("S4U", "Highest", _SID)
    if estate.host.mode == "powershell":
        assert task["Execute"] == r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe"
        assert 60 <= float(str(task["ExecutionTimeLimit"]).strip("PTS")) <= 120
        assert list(estate.sync.windows.folders.values()) == [f"O:{_SID}D:P(A;OICI;FA;;;{_SID})(A;OICI;FA;;;SY)"]


def test_local_route_does_not_use_a_folder_that_somebody_else_made(powershell: str) -> None:
    with Estate(EstateOptions(directory=False, tenant=False, powershell=powershell, coverage=COVERAGE)) as estate:
        estate.sync.configure(folders_are_taken=True)
        with pytest.raises(LocalRouteClosed, match="UnauthorizedAccessException"):
            _locally(estate)
        assert estate.sync.windows.registered == []
        (folder,) = Path(estate.host.temp).glob("hybrid.identity-*")
        assert list(folder.iterdir()) == [], "nothing was written into it"


def test_local_route_says_why_it_is_closed(make_estate: MakeEstate) -> None:
    estate = make_estate()
    with pytest.raises(LocalRouteClosed, match="0x80070005"):
        _locally(estate, "svc-limited")
    estate.sync.configure(tasks_run=False)
    with pytest.raises(LocalRouteClosed, match="0x80070569"):
        _locally(estate)
    assert _nothing_is_left(estate)


def test_local_route_ends_in_its_time_and_stops_the_task(make_estate: MakeEstate) -> None:
    estate = make_estate()
    estate.sync.configure(tasks_hang=True)
    with ends(), pytest.raises(LocalRouteClosed, match="state 4"):
        _locally(estate, timeout=4)
    assert _nothing_is_left(estate)


@pytest.mark.parametrize("verb", ["Command", "Send", "Receive", "Signal"])
def test_one_lost_connection_does_not_close_the_local_route(verb: str, make_estate: MakeEstate) -> None:
    """Each try has a name of its own, so it does not meet what the one before it left, or that one itself, still running."""
    estate = make_estate()
    estate.faults.arm("close_connection", verb=verb, after=verb != "Receive")
    assert _locally(estate)["runs"] == []
    assert estate.faults.active() == []
    wait_until(lambda: _nothing_is_left(estate))


def test_a_try_removes_what_earlier_tries_of_the_call_left(make_estate: MakeEstate) -> None:
    """A script that died with its shell has left a running task and its folder; they are no leftovers by age yet."""
    estate = make_estate()
    now = estate.sync.clock.now()
    dead = f"{now:%Y%m%d%H%M%S}-0123456789ab"
    _plant_task(estate, dead, running=True)
    _plant_folder(estate, dead)
    shell = procedures.open_shell(estate)
    for request in ("", None):
        parameters = {"name": f"{now:%Y%m%d%H%M%S}-ba9876543210", "earlier": [dead], "leftover": "2020", "request": request}
        found = shell.call(
            "clean", LOCAL_ROUTE, {**parameters, "runner": "", "seconds": 0.0}, shape=anything, timeout=20, repeatable=False
        ).data
        assert found["answered"] is False
    shell.close()
    assert estate.sync.windows.task_names() == estate.sync.windows.task_folders() == estate.sync.windows.orphans == []
    assert estate.host.mode == "fakes" or _nothing_is_left(estate)


def test_error_of_a_script_in_the_local_route_comes_back(make_estate: MakeEstate) -> None:
    estate = make_estate()
    estate.sync.configure(module_present=False)
    with pytest.raises(RemoteError) as caught:
        _locally(estate)
    assert _nothing_is_left(estate)
    assert caught.value.type == "System.IO.FileNotFoundException"


def test_https_with_a_certificate_that_is_checked(make_estate: MakeEstate, tmp_path: Path) -> None:
    estate = make_estate()
    base: dict[str, Any] = {
        "server": "127.0.0.1",
        "username": "svc-sync",
        "password": ACCOUNTS["svc-sync"][0],
        "port": estate.wsman.https_port,
    }
    for authentication in ("ntlm", "basic"):
        shell = RemoteShell(
            WinrmTransport(WinrmOptions(**base, authentication=authentication, ca_cert=estate.authority_path)), Deadline(60)
        )
        answer = shell.call("probe", _connect_scripts.PROBE, {"history_seconds": 1}, shape=anything, timeout=30, repeatable=True)
        assert parse_utc(answer.data["state"]["at"]) <= answer.server_utc
        shell.close()
    from lab.certificates import make_authority

    stranger = make_authority(tmp_path / "stranger")
    result = procedures.trigger(
        estate, connect={"use_tls": True, "port": estate.wsman.https_port, "ca_cert": str(stranger.certificate_path)}
    )
    assert result["failure_reason"] == "unreachable"
    assert "certificate" in result["msg"]
