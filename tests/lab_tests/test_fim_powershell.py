# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The simulated servers of the older engines, asked by PowerShell as scripts of the time ask."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import wait_until

from lab.connect import Caller
from lab.dirsync.server import STATE_KEY
from lab.estate import ACCOUNTS, Estate, EstateOptions

Run = Callable[..., Any]

_FRAME = """
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
function Get-Causes($Record) {
    for ($one = $Record.Exception; $null -ne $one; $one = $one.InnerException) {
        '0x{0:X8}' -f [System.Runtime.InteropServices.Marshal]::GetHRForException($one)
    }
}
try { $answer = @{ data = @(& {
%s
}) } } catch { $answer = @{ error = [string]$_; id = [string]$_.FullyQualifiedErrorId; causes = @(Get-Causes $_) } }
ConvertTo-Json -InputObject $answer -Compress -Depth 6
"""


class Shell:
    """Runs small scripts on an estate's sync server."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate

    def caller(self, user: str = "svc-sync") -> Caller:
        """The account over the network."""
        return Caller(user, True, ACCOUNTS[user][1])

    def answer(self, script: str, user: str = "svc-sync") -> dict[str, Any]:
        """The whole answer of one script."""
        finished = self.estate.host._run(self.caller(user), _FRAME % script, b"")
        assert finished.exit_code == 0, finished.stderr
        document: dict[str, Any] = json.loads(finished.stdout.decode("ascii", errors="replace"))
        return document

    def run(self, script: str, user: str = "svc-sync") -> Any:
        """What a script returns; its one value, or all of them."""
        document = self.answer(script, user)
        assert "data" in document, document
        return document["data"][0] if len(document["data"]) == 1 else document["data"]


@pytest.fixture
def open_shell(powershell: str) -> Iterator[Callable[..., Shell]]:
    estates: list[Estate] = []

    def open_it(engine: str, **options: Any) -> Shell:
        settings = {"directory": False, "tenant": False, "cycle_seconds": 0.5, "powershell": powershell}
        estate = Estate(EstateOptions(**settings, engine=engine, connect=options))
        estate.start()
        estates.append(estate)
        return Shell(estate)

    yield open_it
    for estate in estates:
        estate.stop()


def test_an_older_powershell_is_claimed_and_its_server_has_no_task_cmdlets(open_shell: Callable[..., Shell]) -> None:
    shell = open_shell("dirsync")
    assert shell.run("$PSVersionTable.PSVersion.ToString(2)") == "3.0"
    assert shell.answer("Get-ScheduledTask -TaskPath '\\'")["id"] == "CommandNotFoundException"
    assert (
        open_shell("aadsync", os_version="6.3.9600").run("[string](Get-ScheduledTask -TaskPath '\\').TaskName") == "Azure AD Sync Scheduler"
    )


def test_dirsync_by_module(open_shell: Callable[..., Shell]) -> None:
    shell = open_shell("dirsync")
    script = r"""
        $folder = (Get-ItemProperty -Path 'HKLM:\SOFTWARE\Microsoft\MSOLCoExistence' -Name InstallPath).InstallPath
        Import-Module -Name (Join-Path $folder 'dirsync\DirSync.psd1')
        [bool](Get-Command Start-OnlineCoexistenceSync).Parameters.ContainsKey('FullSync')
        Start-OnlineCoexistenceSync -FullSync
        (Get-Item -LiteralPath ($folder + 'Microsoft.Online.DirSync.Scheduler.exe')).VersionInfo.FileVersion
    """.replace("Join-Path $folder 'dirsync\\DirSync.psd1'", "$folder + 'dirsync\\DirSync.psd1'")
    assert shell.run(script) == [True, "1.0.7020.0"]
    shell.estate.sync.wait_idle()
    assert [cycle.full for cycle in shell.estate.sync.cycles] == [True]
    assert shell.run("Import-Module DirSync; [string](Get-Command Set-FullPasswordSync).Name") == "Set-FullPasswordSync"


def test_dirsync_legacy_by_snap_in_and_by_console_file(open_shell: Callable[..., Shell]) -> None:
    shell = open_shell("dirsync_legacy")
    has_parameter = "[bool](Get-Command Start-OnlineCoexistenceSync).Parameters.ContainsKey('FullSync')"
    assert shell.run(f"Add-PSSnapin Coexistence-Configuration; {has_parameter}; Start-OnlineCoexistenceSync") is False
    shell.estate.sync.wait_idle()
    shell.estate.sync.configure(snap_in="console_only")
    assert shell.answer("Add-PSSnapin Coexistence-Configuration")["id"].startswith("AddPSSnapInRead")
    psc1 = "C:\\Program Files\\Microsoft Online Directory Sync\\DirSyncConfigShell.psc1"
    assert shell.run(f"powershell.exe -NoProfile -PSConsoleFile '{psc1}' -Command 'Start-OnlineCoexistenceSync'; $LASTEXITCODE") == 0
    shell.estate.sync.wait_idle()
    assert len(shell.estate.sync.cycles) == 2
    assert shell.run("[bool](Get-Command Start-OnlineCoexistenceSync -ErrorAction SilentlyContinue)") is False
    assert shell.run(r"(powershell.exe -PSConsoleFile 'C:\nothing.psc1' -Command '1') -like 'Cannot load*'; $LASTEXITCODE") == [True, -1]


def test_registry_numbers_stay_numbers(open_shell: Callable[..., Shell]) -> None:
    shell = open_shell("dirsync_legacy")
    script = r"""
        $key = 'HKLM:\SOFTWARE\Microsoft\MSOLCoExistence'
        $before = (Get-ItemProperty -LiteralPath $key).FullSyncNeeded
        Set-ItemProperty -LiteralPath $key -Name FullSyncNeeded -Value 1
        $before; (Get-ItemProperty -LiteralPath $key -Name FullSyncNeeded).FullSyncNeeded
        $null = New-ItemProperty -LiteralPath $key -Name Other -Value 5 -PropertyType DWord
        Remove-ItemProperty -LiteralPath $key -Name Other
    """
    assert shell.run(script) == [0, 1]
    assert shell.estate.sync.windows.registry.written == [
        (STATE_KEY, "FullSyncNeeded", 1),
        (STATE_KEY, "Other", 5),
        (STATE_KEY, "Other", None),
    ]
    denied = shell.answer(f"Set-ItemProperty -LiteralPath '{STATE_KEY}' -Name FullSyncNeeded -Value 1", "svc-limited")
    assert denied["id"].startswith("System.Security.SecurityException")


def test_services_and_their_dependents(open_shell: Callable[..., Shell]) -> None:
    shell = open_shell("dirsync")
    script = """
        $service = Get-Service -Name FIMSynchronizationService
        [int]$service.Status; [string]$service.DependentServices[0].Name; $null -eq $service.PSObject.Properties['StartType']
        Restart-Service -Name FIMSynchronizationService -Force
        [int](Get-Service -Name FIMSynchronizationService).Status; [int](Get-Service -Name MSOnlineSyncScheduler).Status
    """
    assert shell.run(script) == [4, "MSOnlineSyncScheduler", True, 4, 1]
    assert shell.answer("Stop-Service FIMSynchronizationService", "svc-limited")["id"].startswith("CouldNotStopService")


def test_configuration_file_by_bytes_and_by_text(open_shell: Callable[..., Shell]) -> None:
    shell = open_shell("dirsync")
    server: Any = shell.estate.sync
    before = server.windows.files.content(server.config_path)
    script = f"""
        $path = '{server.config_path}'
        $bytes = [byte[]](Get-Content -LiteralPath $path -Encoding Byte -ReadCount 0)
        [Convert]::ToBase64String($bytes)
        $text = Get-Content -LiteralPath $path -Raw
        $text.Contains('value="3:0:0"')
        $new = [System.Text.Encoding]::UTF8.GetString($bytes).Replace('3:0:0', '1:0:0')
        Set-Content -LiteralPath $path -Value ([System.Text.Encoding]::UTF8.GetBytes($new)) -Encoding Byte
    """
    encoded, contains = shell.run(script)
    assert (base64.b64decode(encoded), contains) == (before, True)
    assert server.windows.files.content(server.config_path) == before.replace(b"3:0:0", b"1:0:0")


@pytest.mark.parametrize("engine", ["dirsync", "aadsync", "connect-1.1.105"])
def test_run_history_by_cim_and_by_wmi(engine: str, open_shell: Callable[..., Shell]) -> None:
    shell = open_shell(engine)
    shell.estate.sync.start_cycle()
    shell.estate.sync.wait_idle()
    script = r"""
        $space = 'root\MicrosoftIdentityIntegrationServer'
        $run = @(Get-CimInstance -Namespace $space -ClassName MIIS_RunHistory -Filter "RunStartTime >= '2020-01-01 00:00:00.000'")[0]
        $run.RunStatus; $run.RunNumber -is [string]
        $details = [xml](Invoke-CimMethod -InputObject $run -MethodName RunDetails).ReturnValue
        [string]$details.'run-history'.'run-details'.'run-profile-name' -eq $run.RunProfile
        $other = @(Get-WmiObject -Namespace $space -Class MIIS_RunHistory)[0]
        ([xml]$other.RunDetails().ReturnValue).'run-history'.'run-details'.'step-details'.'step-result'
        @(Get-CimInstance -Namespace $space -Query 'select * from MIIS_ManagementAgent').Count
    """
    assert shell.run(script) == ["success", True, True, "success", 2]
    shell.estate.sync.configure(wmi="denied")
    denied = shell.answer(r"Get-CimInstance -Namespace root\MicrosoftIdentityIntegrationServer -ClassName MIIS_RunHistory")
    assert denied["id"].startswith("HRESULT 0x80041003")


def test_aadsync_exe_by_wmi_lives_and_as_a_child_dies(open_shell: Callable[..., Shell]) -> None:
    shell = open_shell("aadsync", cycle_seconds=2.0)
    exe = r"C:\Program Files\Microsoft Azure AD Sync\Bin\DirectorySyncClientCmd.exe"
    create = f"(Invoke-CimMethod -ClassName Win32_Process -MethodName Create -Arguments @{{ CommandLine = '\"{exe}\" delta' }}).ReturnValue"
    assert shell.run(create + "; (Get-Process -Name DirectorySyncClientCmd).Name") == [0, "DirectorySyncClientCmd"]
    history = shell.estate.sync.engine.history
    wait_until(lambda: len(history) == 6)
    assert shell.estate.sync.wait_idle()
    assert shell.run("@(Get-Process -Name DirectorySyncClientCmd -ErrorAction SilentlyContinue).Count") == 0
    assert shell.answer("Get-Process -Name DirectorySyncClientCmd")["id"].startswith("NoProcessFoundForGivenName")
    assert shell.run(f"(Invoke-WmiMethod -Class Win32_Process -Name Create -ArgumentList '\"{exe}\" initial').ReturnValue") == 0
    wait_until(lambda: len(history) == 12)
    assert shell.estate.sync.wait_idle()
    assert shell.run(f"Start-Process -FilePath '{exe}' -ArgumentList delta; Start-Sleep -Milliseconds 300; 1") == 1
    assert shell.estate.sync.wait_idle()
    assert len(history) < 18, "a child of the shell dies with it"


_TASK = r"""
    $service = New-Object -ComObject Schedule.Service
    $service.Connect()
    $task = $service.GetFolder('\').GetTask('Azure AD Sync Scheduler')
"""


def test_the_task_scheduler_as_a_com_object(open_shell: Callable[..., Shell]) -> None:
    shell = open_shell("aadsync", task_logon="service")
    looked = shell.run(
        _TASK
        + "[int]$task.State; $task.Enabled; $task.Definition.Triggers.Item(1).Repetition.Interval; $task.Definition.Actions.Item(1).Path"
    )
    assert looked[:3] == [3, True, "PT3H"]
    assert looked[3].endswith("DirectorySyncClientCmd.exe")
    assert shell.run(_TASK + "$null = $task.Run($null); [int]$task.State") == 4
    wait_until(lambda: len(shell.estate.sync.cycles) == 1)
    shell.estate.sync.wait_idle()
    changed = (
        _TASK
        + r"""
        $definition = $task.Definition
        $definition.Triggers.Item(1).Repetition.Interval = 'PT1H'
        $null = $service.GetFolder('\').RegisterTaskDefinition('Azure AD Sync Scheduler', $definition, 4, $definition.Principal.UserId, $null, 5)
        $task.Enabled = $false
        [int]$service.GetFolder('\').GetTask('Azure AD Sync Scheduler').State
    """
    )
    assert shell.run(changed) == 1
    assert shell.estate.sync.windows.tasks.find("\\Azure AD Sync Scheduler").interval == "PT1H"
    assert "0x80041326" in shell.answer(_TASK + "$null = $task.Run($null)")["causes"]
    shell.estate.sync.configure(task="missing")
    assert "0x80070002" in shell.answer(_TASK)["causes"]


def test_a_one_shot_task_by_com_runs_powershell_outside_the_network_logon(open_shell: Callable[..., Shell]) -> None:
    """What a local route for servers without the module ScheduledTasks has to do."""
    shell = open_shell("aad-connect-1.0", staging=True)
    script = r"""
        $service = New-Object -ComObject Schedule.Service
        $service.Connect()
        $file = Join-Path $env:TEMP 'one.ps1'
        $text = @(
            "Import-Module 'C:\Program Files\Microsoft Azure AD Sync\Bin\ADSync\ADSync.psd1'"
            "`$staging = (Get-ADSyncGlobalSettings).Parameters | Where-Object { `$_.Name -eq 'Microsoft.Synchronize.StagingMode' }"
            "Set-Content -LiteralPath (Join-Path `$env:TEMP 'answer.txt') -Value `$staging.Value"
        )
        Set-Content -LiteralPath $file -Value $text
        $definition = $service.NewTask(0)
        $definition.Principal.UserId = @((whoami.exe /user /fo csv /nh) -split '"')[3]
        $definition.Principal.RunLevel = 1
        $action = $definition.Actions.Create(0)
        $action.Path = 'powershell.exe'
        $action.Arguments = '-NoProfile -File "' + $file + '"'
        $root = $service.GetFolder('\')
        $folder = $root.CreateFolder('hybrid.identity')
        $task = $folder.RegisterTaskDefinition('one', $definition, 2, $definition.Principal.UserId, $null, 2)
        $null = $task.Run($null)
        while ([int]$task.State -eq 4) { Start-Sleep -Milliseconds 50 }
        $folder.DeleteTask('one', 0)
        $root.DeleteFolder('hybrid.identity', 0)
        [string](Get-Content -LiteralPath (Join-Path $env:TEMP 'answer.txt'))
    """
    assert shell.run(script) == "True"
    assert shell.estate.sync.windows.task_names() == ["Azure AD Sync Scheduler"]


def test_commands_follow_the_build(open_shell: Callable[..., Shell]) -> None:
    psd1 = r"Import-Module 'C:\Program Files\Microsoft Azure AD Sync\Bin\ADSync\ADSync.psd1'; "
    names = psd1 + "@(Get-Command -Name *-ADSync* | ForEach-Object { $_.Name } | Where-Object { $_ -ne 'Invoke-ADSync' })"
    passwords = {"Add-ADSyncConnector", "Get-ADSyncCSObject", "Get-ADSyncAADCompanyFeature"}
    passwords |= {f"{verb}-ADSyncAADPasswordSyncConfiguration" for verb in ("Get", "Set")}
    assert set(open_shell("aadsync").run(names)) == {"Get-ADSyncConnector", "Get-ADSyncGlobalSettings"} | passwords
    shell = open_shell("connect-1.1.105")
    assert "Get-ADSyncConnectorRunStatus" not in shell.run(names)
    assert shell.run(psd1 + "$null -eq (Get-ADSyncScheduler).PSObject.Properties['SyncCycleInProgress']") is True
    assert shell.run(psd1 + "$null -eq (Start-ADSyncSyncCycle -PolicyType Delta)") is True
    assert "Stop-ADSyncSyncCycle" in open_shell("connect-1.1.281").run(names)
    missing = open_shell("connect-1.3", module_present=False).answer(psd1)
    assert missing["id"].startswith("Modules_ModuleNotFound")


def test_a_lock_file_keeps_two_runs_apart(open_shell: Callable[..., Shell]) -> None:
    shell = open_shell("dirsync")
    go = Path(shell.estate.host.temp) / "go"
    script = r"""
        $lock = [IO.File]::Open((Join-Path $env:ProgramData 'hybrid.identity.lock'), 'OpenOrCreate', 'ReadWrite', 'None')
        try {
            for ($i = 0; $i -lt 400 -and -not [IO.File]::Exists((Join-Path $env:ProgramData 'go')); $i++) { Start-Sleep -Milliseconds 50 }
            'held'
        } finally { $lock.Dispose() }
    """
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(shell.answer(script))) for _each in range(2)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(answers) == 1)  # one is refused while the other holds it
    go.touch()
    for thread in threads:
        thread.join()
    assert sorted(answer.get("data", ["refused"])[0] for answer in answers) == ["held", "refused"]


def test_who_asks(open_shell: Callable[..., Shell]) -> None:
    shell = open_shell("aadsync")
    script = "@(whoami.exe /groups /fo csv /nh | Where-Object { $_ -match 'S-1-5-32-544' }).Count"
    assert (shell.run(script), shell.run(script, "svc-limited")) == (1, 0)


def test_events_are_read_as_on_the_newest_engine(open_shell: Callable[..., Shell]) -> None:
    shell = open_shell("dirsync", language="de")
    shell.estate.sync.start_cycle()
    shell.estate.sync.wait_idle()
    filter_table = "@{ LogName = 'Application'; ProviderName = 'Directory Synchronization'; StartTime = (Get-Date).AddHours(-1) }"
    assert shell.run(f"@(Get-WinEvent -FilterHashtable {filter_table} | Where-Object {{ $_.Id -eq 4 }}).Count") == 1
