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

# Parameters: name - of this try's task and folder; tag - what the names of all tries of one task of ours have in common; earlier - names of
# earlier tries of the same call; leftover - names below this one belong to calls that are long over; request, runner - the files; seconds - for
# the task. An empty request only cleans up.
# A folder is known as ours by its owner, a task by its description (Windows shows the account of a task in more than one way).
# Folders are emptied file by file and removed when they are empty: nothing is ever followed, so a link cannot lead out of them.
# The task scheduler is asked by its COM object: its cmdlets came with Windows Server 2012 only.
LOCAL_ROUTE = r"""param($p)
$prefix = 'hybrid.identity-'
$sid = [System.Security.Principal.WindowsIdentity]::GetCurrent().User.Value
$mark = 'hybrid.identity ' + $sid
$scheduler = New-Object -ComObject Schedule.Service
$scheduler.Connect()
function Get-TaskFolder { try { return $scheduler.GetFolder('\hybrid.identity') } catch { return $null } }
function Test-Leftover($Name) {
    return $Name -match '^\d{14}-[0-9a-f]{12}$' -and $Name -ne $p.name -and
        ([string]::CompareOrdinal($Name, [string]$p.leftover) -lt 0 -or ($p.tag -and $Name.Substring(15, 8) -eq $p.tag))
}
function Test-Own($Folder) {
    if ([int]([System.IO.File]::GetAttributes($Folder) -band [System.IO.FileAttributes]::ReparsePoint)) { return $false }
    return (Get-Acl -LiteralPath $Folder).GetOwner([System.Security.Principal.SecurityIdentifier]).Value -eq $sid
}
function Remove-Try($Name) {
    $tasks = Get-TaskFolder
    if ($null -ne $tasks) {
        try { $tasks.GetTask($Name).Stop(0) } catch { $null = $_ }
        try { $tasks.DeleteTask($Name, 0) } catch { $null = $_ }
    }
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
        $tasks = Get-TaskFolder
        if ($tasks.GetTasks(1).Count -eq 0 -and $tasks.GetFolders(0).Count -eq 0) { $scheduler.GetFolder('\').DeleteFolder('hybrid.identity', 0) }
    } catch {
        $null = $_
    }
}
function Find-Leftovers {
    $tasks = Get-TaskFolder
    if ($null -eq $tasks) { return }
    $found = $tasks.GetTasks(1)
    for ($i = 1; $i -le $found.Count; $i++) {
        $old = $found.Item($i)
        if ((Test-Leftover $old.Name) -and $old.Definition.RegistrationInfo.Description -eq $mark) { [string]$old.Name }
    }
}
try {
    foreach ($name in @($p.earlier)) { Remove-Try $name }
    foreach ($name in @(Find-Leftovers)) { Remove-Try $name }
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
    $definition = $scheduler.NewTask(0)
    $definition.RegistrationInfo.Description = $mark
    $definition.Principal.UserId = $sid
    $definition.Principal.LogonType = 2
    $definition.Principal.RunLevel = 1
    $definition.Settings.DisallowStartIfOnBatteries = $false
    $definition.Settings.StopIfGoingOnBatteries = $false
    $definition.Settings.ExecutionTimeLimit = 'PT' + [int][math]::Max($p.seconds, 60) + 'S'
    $action = $definition.Actions.Create(0)
    $action.Path = [System.Environment]::SystemDirectory + '\WindowsPowerShell\v1.0\powershell.exe'
    $action.Arguments = '-NoProfile -NonInteractive -ExecutionPolicy Bypass -File "' + (Join-Path $folder 'run.ps1') + '"'
    $tasks = Get-TaskFolder
    if ($null -eq $tasks) { $tasks = $scheduler.GetFolder('\').CreateFolder('hybrid.identity') }
    $task = $tasks.RegisterTaskDefinition($p.name, $definition, 2, $sid, $null, 2)
    $null = $task.Run($null)
    $answer = Join-Path $folder 'answer.json'
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    $idle = 0
    while (-not (Test-Path -LiteralPath $answer)) {
        $task = $tasks.GetTask($p.name)
        $state = [int]$task.State
        if ($state -eq 3) { $idle++ } else { $idle = 0 }
        if ($idle -ge 20 -or $watch.Elapsed.TotalSeconds -ge $p.seconds) {
            return @{ answered = $false; state = $state; last_result = [int64]$task.LastTaskResult }
        }
        Start-Sleep -Milliseconds 250
    }
    return @{ answered = $true; text = [string](Get-Content -LiteralPath $answer -Raw) }
} finally {
    foreach ($name in @($p.earlier) + $p.name) { Remove-Try $name }
    Remove-EmptyTaskFolder
}
"""

# What a direct call carries along, so that it can go on by the local route in the process that it has: route is the script above. $Request is
# the one of the envelope that runs the script: the task gets the same envelope. Whatever becomes of it stands in what is returned; nothing is
# thrown. What has too little time is not begun: a task that is cut off in its middle is left behind. seconds - what is left of the time
# when the call is sent. The name comes from the server's clock, as the left-overs have to.
CARRIED_ALONG = r"""param($Errand, $Parameters, $Elapsed)
$left = [math]::Min([double]$Errand.seconds - $Elapsed, 60)
if ($left -lt $Errand.least) { return $null }
try {
    $question = @{ run = [string]$Request.run; script = [string]$Errand.script; parameters = $Parameters; marker = [string]$Errand.marker }
    $text = ConvertTo-Json -InputObject $question -Compress -Depth 5
    $task = @{ tag = $Errand.tag; earlier = @(); request = $text; runner = $Errand.runner }
    $now = (Get-Date).ToUniversalTime()
    $task.name = ($now.ToString('o') -replace '\D', '').Substring(0, 14) + '-' + $Errand.tag + [guid]::NewGuid().ToString('N').Substring(0, 4)
    $task.leftover = ($now.AddHours(-1).ToString('o') -replace '\D', '').Substring(0, 14)
    $task.seconds = [math]::Max($left - [math]::Min(10, $left / 2), 1)
    return & ([ScriptBlock]::Create($Errand.route)) $task
} catch {
    return @{ error = ConvertTo-ErrorObject $_ }
}
"""
