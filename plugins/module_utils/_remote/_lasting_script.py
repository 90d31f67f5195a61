# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The PowerShell of work that outlives its shell. Private to the collection.

One script is sent over the direct transport, writes the task and listens for its answer; the other lies in a file on the server, and the task
runs it. They may reach servers with Windows PowerShell 3.0 and without the module ScheduledTasks, so the Task Scheduler is asked through COM.
"""

from __future__ import annotations

TASKS = r"""
function Get-TaskService {
    $service = New-Object -ComObject Schedule.Service
    $service.Connect()
    return $service
}
"""

# Everything that a one-shot task needs lies in one folder that only its account can open. A folder is known as ours by its owner.
OWN = r"""
$sid = [System.Security.Principal.WindowsIdentity]::GetCurrent().User.Value
function Test-OwnFolder($Folder) {
    return [System.IO.Directory]::Exists($Folder) -and
        -not [int]([System.IO.File]::GetAttributes($Folder) -band [System.IO.FileAttributes]::ReparsePoint) -and
        (Get-Acl -LiteralPath $Folder).GetOwner([System.Security.Principal.SecurityIdentifier]).Value -eq $sid
}
"""

# What is not there, or is not ours, stays as it is.
REMOVE = r"""
function Remove-OneShot($Name, $Temp) {
    try { (Get-TaskService).GetFolder('\hybrid.identity').DeleteTask($Name, 0) } catch { }
    $folder = Join-Path $Temp ('hybrid.identity-' + $Name)
    try {
        if (Test-OwnFolder $folder) {
            foreach ($file in 'request.json', 'channels.json', 'run.ps1', 'answer.partial', 'answer.json') {
                [System.IO.File]::Delete((Join-Path $folder $file))
            }
            [System.IO.Directory]::Delete($folder)
        }
    } catch { }
}
"""

# The folder in the library of the Task Scheduler goes with its last task.
EMPTY = r"""
function Remove-EmptyTaskFolder {
    try {
        $service = Get-TaskService
        $tasks = $service.GetFolder('\hybrid.identity')
        if ($tasks.GetTasks(1).Count -eq 0 -and $tasks.GetFolders(0).Count -eq 0) { $service.GetFolder('\').DeleteFolder('hybrid.identity', 0) }
    } catch { }
}
"""

NEW_FOLDER = r"""
$mark = 'hybrid.identity ' + $sid
function New-OwnFolder($Folder) {
    $security = New-Object -TypeName System.Security.AccessControl.DirectorySecurity
    $security.SetSecurityDescriptorSddlForm('O:' + $sid + 'D:P(A;OICI;FA;;;' + $sid + ')(A;OICI;FA;;;SY)')
    $null = (New-Object -TypeName System.IO.DirectoryInfo -ArgumentList $Folder).Create($security)
    if (-not (Test-OwnFolder $Folder)) { throw (New-Object -TypeName System.UnauthorizedAccessException -ArgumentList 'the folder belongs to somebody else') }
}
"""

CREATE = (
    NEW_FOLDER
    + r"""
function New-OneShot($Service, $Folder, $Limit) {
    $definition = $Service.NewTask(0)
    $definition.RegistrationInfo.Description = $mark
    $definition.Principal.UserId = $sid
    $definition.Principal.LogonType = 2
    $definition.Principal.RunLevel = 1
    $definition.Settings.DisallowStartIfOnBatteries = $false
    $definition.Settings.StopIfGoingOnBatteries = $false
    $definition.Settings.StartWhenAvailable = $true
    $definition.Settings.ExecutionTimeLimit = $Limit
    $action = $definition.Actions.Create(0)
    $action.Path = [System.Environment]::SystemDirectory + '\WindowsPowerShell\v1.0\powershell.exe'
    $action.Arguments = '-NoProfile -NonInteractive -ExecutionPolicy Bypass -File "' + (Join-Path $Folder 'run.ps1') + '"'
    return $definition
}
"""
)

# A task that is due later, and comes again every minute until it has removed itself, for a day at most; also after a restart of the server.
# What it has to know lies beside its script: JSON in ASCII.
GUARD = r"""
function New-Guardian($Name, $Text, $Script, $Delay) {
    $folder = Join-Path $env:HYBRID_IDENTITY_TEMP ('hybrid.identity-' + $Name)
    try {
        New-OwnFolder $folder
        Set-Content -LiteralPath (Join-Path $folder 'channels.json') -Value $Text -Encoding ASCII
        Set-Content -LiteralPath (Join-Path $folder 'run.ps1') -Value $Script -Encoding ASCII
        $service = Get-TaskService
        $definition = New-OneShot $service $folder 'PT10M'
        $trigger = $definition.Triggers.Create(1)
        $trigger.StartBoundary = (Get-Date).AddSeconds($Delay).ToString('yyyy-MM-ddTHH:mm:ss', [System.Globalization.CultureInfo]::InvariantCulture)
        $trigger.Repetition.Interval = 'PT1M'
        $trigger.Repetition.Duration = 'P1D'
        $null = $service.GetFolder('\hybrid.identity').RegisterTaskDefinition($Name, $definition, 2, $sid, $null, 2)
    } catch {
        Remove-OneShot $Name $env:HYBRID_IDENTITY_TEMP
        throw
    }
}
"""

# What the task runs. It finds its folder by itself, so nothing is formatted into it. Its answer lies there until it has been fetched, or for a
# minute; then it removes itself, for whoever sent it may be gone.
LASTING_RUNNER = (
    "$ErrorActionPreference = 'Stop'"
    + TASKS
    + OWN
    + REMOVE
    + EMPTY
    + r"""
$name = (Split-Path -Path $PSScriptRoot -Leaf).Substring('hybrid.identity-'.Length)
$env:HYBRID_IDENTITY_TEMP = Split-Path -Path $PSScriptRoot
try {
    $request = ConvertFrom-Json (Get-Content -LiteralPath (Join-Path $PSScriptRoot 'request.json') -Raw)
    $answer = & ([ScriptBlock]::Create($request.run)) $request
    Set-Content -LiteralPath (Join-Path $PSScriptRoot 'answer.partial') -Value $answer -Encoding ASCII
    Rename-Item -LiteralPath (Join-Path $PSScriptRoot 'answer.partial') -NewName 'answer.json'
    foreach ($look in 1..300) {
        if (-not (Test-Path -LiteralPath (Join-Path $PSScriptRoot 'answer.json'))) { break }
        Start-Sleep -Milliseconds 200
    }
} finally {
    Remove-OneShot $name $env:HYBRID_IDENTITY_TEMP
    Remove-EmptyTaskFolder
}
"""
)

# Parameters: name - of the task and its folder; request, runner - the files; seconds - how long its answer is awaited; leftover - work whose
# name lies below this one is long over, and is removed unless it runs all the same. Once the task has been started it is neither stopped nor removed here.
LASTING = (
    "param($p)"
    + TASKS
    + OWN
    + REMOVE
    + EMPTY
    + CREATE
    + r"""
$started = $false
try {
    $folder = Join-Path $env:TEMP ('hybrid.identity-' + $p.name)
    $old = @()
    $running = @()
    try {
        $tasks = (Get-TaskService).GetFolder('\hybrid.identity').GetTasks(1)
        for ($i = 1; $i -le $tasks.Count; $i++) {
            $task = $tasks.Item($i)
            if ([int]$task.State -eq 4) { $running += [string]$task.Name } elseif ($task.Definition.RegistrationInfo.Description -eq $mark) {
                $old += [string]$task.Name
            }
        }
    } catch { }
    foreach ($one in @(Get-ChildItem -LiteralPath $env:TEMP -Filter 'hybrid.identity-work-*')) { $old += $one.Name.Substring('hybrid.identity-'.Length) }
    foreach ($name in $old) {
        if ($running -notcontains $name -and $name -match '^work-\d{14}-[0-9a-f]{12}$' -and [string]::CompareOrdinal($name, [string]$p.leftover) -lt 0) {
            Remove-OneShot $name $env:TEMP
        }
    }
    New-OwnFolder $folder
    Set-Content -LiteralPath (Join-Path $folder 'request.json') -Value $p.request -Encoding ASCII
    Set-Content -LiteralPath (Join-Path $folder 'run.ps1') -Value $p.runner -Encoding ASCII
    $service = Get-TaskService
    try { $tasks = $service.GetFolder('\hybrid.identity') } catch { $tasks = $service.GetFolder('\').CreateFolder('hybrid.identity') }
    $task = $tasks.RegisterTaskDefinition($p.name, (New-OneShot $service $folder 'PT2H'), 2, $sid, $null, 2)
    $started = $true
    $null = $task.Run($null)
} finally {
    if (-not $started) {
        Remove-OneShot $p.name $env:TEMP
        Remove-EmptyTaskFolder
    }
}
$answer = Join-Path $folder 'answer.json'
$outcome = @{ answered = $false; text = $null; state = 0; last_result = 0 }
$watch = [System.Diagnostics.Stopwatch]::StartNew()
$idle = 0
while ($watch.Elapsed.TotalSeconds -lt $p.seconds -and $idle -lt 20) {
    if (Test-Path -LiteralPath $answer) {
        $outcome.text = [string](Get-Content -LiteralPath $answer -Raw)
        $outcome.answered = $true
        [System.IO.File]::Delete($answer)
        foreach ($look in 1..25) {
            if (-not [System.IO.Directory]::Exists($folder)) { break }
            Start-Sleep -Milliseconds 200
        }
        break
    }
    $outcome.state = 0
    try {
        $outcome.state = [int]$task.State
        $outcome.last_result = [int64]$task.LastTaskResult
    } catch { }
    if ($outcome.state -eq 4) { $idle = 0 } else { $idle++ }
    Start-Sleep -Milliseconds 250
}
if (-not $outcome.answered -and $outcome.state -ne 4) { Remove-OneShot $p.name $env:TEMP }
Remove-EmptyTaskFolder
return $outcome
"""
)
