# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The PowerShell of the local route. Private to the collection.

One script is sent over the direct transport and looks after the task; the other lies in a file on the server, and the task runs it.
"""

from __future__ import annotations

# What the scheduled task runs. It finds its folder by itself, so nothing is formatted into it.
RUNNER = r"""$ErrorActionPreference = 'Stop'
$request = ConvertFrom-Json (Get-Content -LiteralPath (Join-Path $PSScriptRoot 'request.json') -Raw)
$answer = & ([ScriptBlock]::Create($request.run)) $request
Set-Content -LiteralPath (Join-Path $PSScriptRoot 'answer.partial') -Value $answer -Encoding ASCII
Rename-Item -LiteralPath (Join-Path $PSScriptRoot 'answer.partial') -NewName 'answer.json'
"""

# Parameters: name - of this try's task and folder; earlier - names of earlier tries of the same call; leftover - names below this one belong
# to calls that are long over; request, runner - the files; seconds - for the task. An empty request only cleans up.
# A folder is known as ours by its owner, a task by its description (Windows shows the account of a task in more than one way).
# Folders are emptied file by file and removed when they are empty: nothing is ever followed, so a link cannot lead out of them.
LOCAL_ROUTE = r"""param($p)
$taskPath = '\hybrid.identity\'
$prefix = 'hybrid.identity-'
$sid = [System.Security.Principal.WindowsIdentity]::GetCurrent().User.Value
$mark = 'hybrid.identity ' + $sid
function Test-Leftover($Name) { return $Name -match '^\d{14}-[0-9a-f]{12}$' -and [string]::CompareOrdinal($Name, [string]$p.leftover) -lt 0 }
function Test-Own($Folder) {
    if ([int]([System.IO.File]::GetAttributes($Folder) -band [System.IO.FileAttributes]::ReparsePoint)) { return $false }
    return (Get-Acl -LiteralPath $Folder).GetOwner([System.Security.Principal.SecurityIdentifier]).Value -eq $sid
}
function Remove-Try($Name) {
    Stop-ScheduledTask -TaskPath $taskPath -TaskName $Name -ErrorAction SilentlyContinue
    Unregister-ScheduledTask -TaskPath $taskPath -TaskName $Name -Confirm:$false -ErrorAction SilentlyContinue
    $folder = Join-Path $env:TEMP ($prefix + $Name)
    foreach ($again in 1..3) {
        try {
            if (-not [System.IO.Directory]::Exists($folder) -or -not (Test-Own $folder)) { return }
            foreach ($file in 'request.json', 'run.ps1', 'answer.partial', 'answer.json') { [System.IO.File]::Delete((Join-Path $folder $file)) }
            [System.IO.Directory]::Delete($folder)
        } catch {
            Start-Sleep -Milliseconds 200
        }
    }
}
function Remove-EmptyTaskFolder {
    try {
        $service = New-Object -ComObject Schedule.Service
        $service.Connect()
        $tasks = $service.GetFolder('\hybrid.identity')
        if ($tasks.GetTasks(1).Count -eq 0 -and $tasks.GetFolders(0).Count -eq 0) { $service.GetFolder('\').DeleteFolder('hybrid.identity', 0) }
    } catch {
        $null = $_
    }
}
try {
    foreach ($name in @($p.earlier)) { Remove-Try $name }
    foreach ($old in @(Get-ScheduledTask -TaskPath $taskPath -ErrorAction SilentlyContinue)) {
        if ((Test-Leftover $old.TaskName) -and $old.Description -eq $mark) { Remove-Try $old.TaskName }
    }
    foreach ($old in @(Get-ChildItem -LiteralPath $env:TEMP -Filter ($prefix + '*'))) {
        $name = $old.Name.Substring($prefix.Length)
        if (Test-Leftover $name) { Remove-Try $name }
    }
    if (-not $p.request) { return @{ answered = $false; state = 0; last_result = 0 } }
    $security = New-Object -TypeName System.Security.AccessControl.DirectorySecurity
    $security.SetSecurityDescriptorSddlForm('O:' + $sid + 'D:P(A;OICI;FA;;;' + $sid + ')(A;OICI;FA;;;SY)')
    $folder = Join-Path $env:TEMP ($prefix + $p.name)
    $null = (New-Object -TypeName System.IO.DirectoryInfo -ArgumentList $folder).Create($security)
    $stranger = New-Object -TypeName System.UnauthorizedAccessException -ArgumentList 'the folder of the request belongs to somebody else'
    if (-not (Test-Own $folder)) { throw $stranger }
    Set-Content -LiteralPath (Join-Path $folder 'request.json') -Value $p.request -Encoding ASCII
    Set-Content -LiteralPath (Join-Path $folder 'run.ps1') -Value $p.runner -Encoding ASCII
    $program = [System.Environment]::SystemDirectory + '\WindowsPowerShell\v1.0\powershell.exe'
    $arguments = '-NoProfile -NonInteractive -ExecutionPolicy Bypass -File "' + (Join-Path $folder 'run.ps1') + '"'
    $action = New-ScheduledTaskAction -Execute $program -Argument $arguments -ErrorAction Stop
    $principal = New-ScheduledTaskPrincipal -UserId $sid -LogonType S4U -RunLevel Highest -ErrorAction Stop
    $limits = New-ScheduledTaskSettingsSet -AllowStartIfOnBatteries -ExecutionTimeLimit ([timespan]::FromSeconds([math]::Max($p.seconds, 60))) -ErrorAction Stop
    $task = @{ TaskPath = $taskPath; TaskName = $p.name; Action = $action; Principal = $principal; Settings = $limits; Description = $mark }
    $null = Register-ScheduledTask @task -ErrorAction Stop
    Start-ScheduledTask -TaskPath $taskPath -TaskName $p.name -ErrorAction Stop
    $answer = Join-Path $folder 'answer.json'
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    $idle = 0
    while (-not (Test-Path -LiteralPath $answer)) {
        $state = [int](Get-ScheduledTask -TaskPath $taskPath -TaskName $p.name -ErrorAction Stop).State
        if ($state -eq 3) { $idle++ } else { $idle = 0 }
        if ($idle -ge 20 -or $watch.Elapsed.TotalSeconds -ge $p.seconds) {
            $info = Get-ScheduledTaskInfo -TaskPath $taskPath -TaskName $p.name -ErrorAction Stop
            return @{ answered = $false; state = $state; last_result = [int64]$info.LastTaskResult }
        }
        Start-Sleep -Milliseconds 250
    }
    return @{ answered = $true; text = [string](Get-Content -LiteralPath $answer -Raw) }
} finally {
    foreach ($name in @($p.earlier) + $p.name) { Remove-Try $name }
    Remove-EmptyTaskFolder
}
"""
