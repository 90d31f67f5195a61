# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The PowerShell of the aadsync engine. Private to the collection.

Scripts take one hashtable and return one hashtable; see _windows_scripts for what they may use.
"""

from __future__ import annotations

from .._remote._compact import compact
from ._fim_scripts import HISTORY, LOCK, READ_RUNS, WATCH, WMI_ACCOUNTS, WMI_AGENTS, WMI_BUSY, WMI_CONNECTORS, WMI_NUMBERS, WMI_RUNS
from ._windows_scripts import EVENTS, ROUND_TRIP

# A task that is not there and one that may not be seen are told apart by the error where the account is an administrator, and not at all
# where it is none. The task scheduler shows a date of its own (1899) where a task has no next run.
_STATE = r"""
$eventProviders = 'ADSync', 'Directory Synchronization'
function Get-Scheduler {
    $service = New-Object -ComObject Schedule.Service
    $service.Connect()
    return $service
}
function Find-Task {
    $found = @{ seen = $false; enabled = $null; state = $null; next_start = $null; interval = $null; problem = $null }
    try {
        $task = (Get-Scheduler).GetFolder('\').GetTask('Azure AD Sync Scheduler')
        $found.seen = $true
        $found.enabled = [bool]$task.Enabled
        $found.state = [int]$task.State
        if ($task.NextRunTime.Year -gt 1900) { $found.next_start = $task.NextRunTime.ToUniversalTime().ToString('o') }
        if ($task.Definition.Triggers.Count -gt 0) { $found.interval = [string]$task.Definition.Triggers.Item(1).Repetition.Interval }
    } catch { $found.problem = ConvertTo-ErrorObject $_ }
    return $found
}
function Read-State {
    $state = @{ busy = @(); in_progress = $null; task = Find-Task; problem = $null }
    try { $state.busy = @(Read-WmiBusy) } catch { $state.problem = ConvertTo-ErrorObject $_ }
    if (@(Get-Process -Name DirectorySyncClientCmd -ErrorAction SilentlyContinue).Count -gt 0) { $state.in_progress = $true }
    $state.at = Get-UtcText
    return $state
}
"""

# A task of ours has done its work when the engine runs. It is removed by whoever looks next, and by Windows itself after an hour.
_ONE_SHOT = r"""
function Remove-OneShots {
    try {
        $service = Get-Scheduler
        $folder = $service.GetFolder('\hybrid.identity')
        $tasks = $folder.GetTasks(1)
        $names = @(for ($i = 1; $i -le $tasks.Count; $i++) {
            $task = $tasks.Item($i)
            if ($task.Name -like 'cycle-*' -and [int]$task.State -ne 4) { [string]$task.Name }
        })
        foreach ($name in $names) { $folder.DeleteTask($name, 0) }
        if ($folder.GetTasks(1).Count -eq 0 -and $folder.GetFolders(0).Count -eq 0) { $service.GetFolder('\').DeleteFolder('hybrid.identity', 0) }
    } catch { $null = $_ }
}
"""

PROBE = compact(
    "param($p)"
    + WMI_AGENTS
    + WMI_BUSY
    + WMI_RUNS
    + WMI_CONNECTORS
    + EVENTS
    + HISTORY
    + _STATE
    + r"""
$probe = @{ state = Read-State; problems = @{}; history = $null; administrator = $false }
if ($null -ne $probe.state.problem) { $probe.problems['status'] = $probe.state.problem }
if ($null -ne $probe.state.task.problem) { $probe.problems['task'] = $probe.state.task.problem }
$groups = [System.Security.Principal.WindowsIdentity]::GetCurrent().Groups
$probe.administrator = @($groups | Where-Object { $_.Value -eq 'S-1-5-32-544' }).Count -gt 0
$probe.history = Read-History ((Get-Date).ToUniversalTime().AddSeconds(-$p.history_seconds))
return $probe
"""
)

# The executable is never a child of this shell: it would die with it. The task of the product is run as it is, and nothing of it is changed.
START = compact(
    "param($p)"
    + ROUND_TRIP
    + WMI_AGENTS
    + WMI_BUSY
    + WMI_RUNS
    + WMI_CONNECTORS
    + WMI_NUMBERS
    + WMI_ACCOUNTS
    + EVENTS
    + HISTORY
    + LOCK
    + _STATE
    + _ONE_SHOT
    + WATCH
    + r"""
function Invoke-Task { $null = (Get-Scheduler).GetFolder('\').GetTask('Azure AD Sync Scheduler').Run($null) }
function Invoke-Process($Word) {
    $made = Invoke-CimMethod -ClassName Win32_Process -MethodName Create -Arguments @{ CommandLine = '"' + $p.exe + '" ' + $Word } -ErrorAction Stop
    if ([int]$made.ReturnValue -ne 0) { throw ('Win32_Process.Create returned ' + $made.ReturnValue) }
}
function Invoke-OneShot($Word) {
    $service = Get-Scheduler
    try { $folder = $service.GetFolder('\hybrid.identity') } catch { $folder = $service.GetFolder('\').CreateFolder('hybrid.identity') }
    $definition = $service.NewTask(0)
    $sid = [System.Security.Principal.WindowsIdentity]::GetCurrent().User.Value
    $definition.RegistrationInfo.Description = 'hybrid.identity ' + $sid
    $definition.Principal.UserId = $sid
    $definition.Principal.LogonType = 2
    $definition.Principal.RunLevel = 1
    $definition.Settings.DisallowStartIfOnBatteries = $false
    $definition.Settings.StopIfGoingOnBatteries = $false
    $definition.Settings.DeleteExpiredTaskAfter = 'PT0S'
    $trigger = $definition.Triggers.Create(1)
    $trigger.StartBoundary = (Get-Date).AddMinutes(-2).ToString('s')
    $trigger.EndBoundary = (Get-Date).AddHours(1).ToString('s')
    $trigger.Enabled = $false
    $action = $definition.Actions.Create(0)
    $action.Path = $p.exe
    $action.Arguments = $Word
    $null = $folder.RegisterTaskDefinition('cycle-' + $p.name, $definition, 2, $sid, $null, 2).Run($null)
}
$started = @{ sent = $false; locked = $false; before = $null; requested = $null; means = $null; attempts = @(); appeared = $false; watch = $null }
$started += @{ accounts = @(); trouble = $null }
$started.account = [string][System.Security.Principal.WindowsIdentity]::GetCurrent().Name
$word = if ($p.full) { 'initial' } else { 'delta' }
$total = [System.Diagnostics.Stopwatch]::StartNew()
$lock = Open-Lock $p.lock_seconds
$started.locked = $null -ne $lock
try {
    $started.before = Read-State
    if ($started.before.in_progress -or $started.before.busy.Count -gt 0 -or $started.before.task.state -eq 4) { return $started }
    Remove-OneShots
    $numbers = Get-NumbersBefore
    $means = @('process', 'one_shot_task')
    if (-not $p.full -and $started.before.task.seen -and $started.before.task.enabled) { $means = @('task') + $means }
    $started.sent = $true
    $started.requested = Get-UtcText
    foreach ($mean in $means) {
        try {
            if ($mean -eq 'task') { Invoke-Task } elseif ($mean -eq 'process') { Invoke-Process $word } else { Invoke-OneShot $word }
            $started.means = $mean
            break
        } catch { $started.attempts += @{ means = $mean; error = ConvertTo-ErrorObject $_ } }
    }
    if ($null -eq $started.means) { return $started }
    $started.appeared = Wait-NewRun $numbers $p
    if ($started.appeared) { $started.accounts = @(Read-WmiAccounts (ConvertFrom-RoundTrip $started.requested)) }
} catch {
    $started.trouble = ConvertTo-ErrorObject $_
    return $started
} finally {
    if ($null -ne $lock) { $lock.Dispose() }
}
$p.seconds = [math]::Max(0.5, $p.seconds - $total.Elapsed.TotalSeconds)
try { $started.watch = Watch-Engine $p $started.appeared (ConvertFrom-RoundTrip $started.requested) } catch { $started.trouble = ConvertTo-ErrorObject $_ }
if ($started.means -eq 'one_shot_task') { Remove-OneShots }
return $started
"""
)

FOLLOW = compact(
    "param($p)"
    + ROUND_TRIP
    + WMI_AGENTS
    + WMI_BUSY
    + WMI_RUNS
    + WMI_CONNECTORS
    + WMI_NUMBERS
    + EVENTS
    + HISTORY
    + _STATE
    + _ONE_SHOT
    + WATCH
    + r"""
$seen = Watch-Engine $p $p.active (ConvertFrom-RoundTrip $p.since)
if ($null -ne $seen.history) { Remove-OneShots }
return $seen
"""
)

#: every script of this engine by name
SCRIPTS = {"probe": PROBE, "start": START, "watch": FOLLOW, "read_runs": READ_RUNS}
