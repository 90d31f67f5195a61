# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The PowerShell of password synchronisation on DirSync. Private to the collection.

Set-FullPasswordSync arms a full one, and the restart of the FIM service does it (Microsoft, KB 2855271). Whether the service that depends on
it comes back by itself is reported either way, so both are looked at afterwards. Nothing here needs more than Windows PowerShell 3.0.
"""

from __future__ import annotations

from .._remote._lasting_script import CREATE, EMPTY, GUARD, OWN, REMOVE, TASKS
from ._dirsync_scripts import LOAD
from ._fim_scripts import OPEN_LOCK, WMI_AGENTS, WMI_BUSY, WMI_CONNECTORS, WMI_GUID, WMI_NUMBERS, WMI_ROWS
from ._password_script_parts import ACCOUNT_AND_TASKS, FORGET_EARLIER, GUARDIAN_BEGIN

_RUNNING = r"""
function Test-Running($Name) {
    try { return [int](Get-Service -Name $Name -ErrorAction Stop).Status -eq 4 } catch { return $false }
}
"""

# What has to be known before services are restarted: whether they run, would start again, and take a stop.
_SERVICES = r"""
function Read-Services($Names) {
    foreach ($name in $Names) {
        $row = @(Get-CimInstance -ClassName Win32_Service -Filter ("Name = '" + $name + "'") -ErrorAction Stop)[0]
        @{ name = $name; running = Test-Running $name; mode = [string]$row.StartMode; stops = [bool]$row.AcceptStop }
    }
}
"""

# Whatever the restart left down is started, again and again for a while.
_START = r"""
function Start-Stopped($Names, $Seconds, $Outcome) {
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    while ($true) {
        $Outcome.stopped = @()
        foreach ($name in $Names) {
            if (Test-Running $name) { continue }
            try {
                Start-Service -Name $name -WarningAction SilentlyContinue -ErrorAction Stop
                $Outcome.started += $name
            } catch { $Outcome.trouble = ConvertTo-ErrorObject $_ }
            if (-not (Test-Running $name)) { $Outcome.stopped += $name }
        }
        if ($Outcome.stopped.Count -eq 0 -or $watch.Elapsed.TotalSeconds -ge $Seconds) { break }
        Start-Sleep -Milliseconds 500
    }
}
"""

# The command came with build 6438.03. Where its module cannot be loaded is a fault of another kind.
_COMMAND = r"""
function Find-Command($How) {
    if ($How -eq 'console_file') {
        Invoke-InConsole '$ErrorActionPreference = "Stop"; try { $null = Get-Command -Name Set-FullPasswordSync } catch { $_.FullyQualifiedErrorId; throw }'
    } else { $null = Get-Command -Name Set-FullPasswordSync -ErrorAction Stop }
}
"""
_ARMING = r"""
function Invoke-Arming($How) {
    if ($How -eq 'console_file') {
        Invoke-InConsole '$ErrorActionPreference = "Stop"; try { $null = Set-FullPasswordSync } catch { $_.Exception.Message; throw }'
    } else { $null = Set-FullPasswordSync -ErrorAction Stop }
}
"""

# Everything that has to be known before anything is changed. Parameters: folder - of DirSync; services - the FIM service first; group.
# While a service does not run the engine tells nothing of its connectors.
LOOK = (
    "param($p)"
    + TASKS
    + WMI_AGENTS
    + WMI_BUSY
    + WMI_GUID
    + WMI_CONNECTORS
    + LOAD
    + _RUNNING
    + _SERVICES
    + _COMMAND
    + r"""
$look = @{ at = $null; connectors = @(); busy = @(); command = $null; admin = $null; tasks = @(); problems = @{} }
$look.services = @(Read-Services $p.services)
try {
    $look.connectors = @(Read-WmiConnectors)
    $look.busy = @(Read-WmiBusy)
} catch { $look.problems['connectors'] = ConvertTo-ErrorObject $_ }
$how = $null
try { $how = Import-DirSync } catch { $look.problems['module'] = ConvertTo-ErrorObject $_ }
if ($null -ne $how) {
    try {
        Find-Command $how
        $look.command = $true
    } catch {
        $look.command = $false
        if ([string]$_.FullyQualifiedErrorId -notlike '*CommandNotFoundException*') { $look.problems['module'] = ConvertTo-ErrorObject $_ }
    }
}
"""
    + ACCOUNT_AND_TASKS
    + r"""
$look.at = Get-UtcText
return $look
"""
)

# If everything else dies between stop and start, this starts what does not run. While the work goes on it leaves it alone.
GUARDIAN = (
    "$ErrorActionPreference = 'Stop'"
    + TASKS
    + OWN
    + REMOVE
    + EMPTY
    + _RUNNING
    + GUARDIAN_BEGIN
    + r"""
if ($working) { return }
$well = $true
foreach ($service in @($p.services)) {
    if (-not (Test-Running $service)) { try { Start-Service -Name $service -WarningAction SilentlyContinue } catch { } }
    if (-not (Test-Running $service)) { $well = $false }
}
if ($well) { Remove-Guardian }
"""
)

# Parameters: folder; services - the FIM service first; guardian - its script; delay - when it is due, in seconds; lock_seconds; quiet_seconds -
# how long nothing may run, because between two runs of a cycle everything looks idle; step_ms; back_seconds - how long the services are helped up.
# No start of this collection comes between, for it takes the same lock.
FORCE = (
    "param($p)"
    + TASKS
    + OWN
    + REMOVE
    + CREATE
    + GUARD
    + WMI_AGENTS
    + WMI_BUSY
    + WMI_ROWS
    + WMI_NUMBERS
    + OPEN_LOCK
    + LOAD
    + _RUNNING
    + _SERVICES
    + _COMMAND
    + _ARMING
    + _START
    + r"""
$outcome = @{ requested = Get-UtcText; at = $null; busy = @(); services = @(); armed = $false; restarted = $false; guarded = $false }
$outcome += @{ stopped = @(); started = @(); error = $null; trouble = $null }
$lock = Open-Lock $p.lock_seconds
if ($null -eq $lock) {
    $outcome.busy = @('another task of this collection')
    return $outcome
}
try {
    $since = (Get-Date).ToUniversalTime().AddDays(-30)
    $before = Read-WmiNumbers $since
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    while ($true) {
        $outcome.busy = @(Read-WmiBusy)
        if (@(Find-NewRuns $before (Read-WmiNumbers $since)).Count -gt 0) { $outcome.busy += 'a cycle' }
        if ($outcome.busy.Count -gt 0) { return $outcome }
        if ($watch.Elapsed.TotalSeconds -ge $p.quiet_seconds) { break }
        Start-Sleep -Milliseconds $p.step_ms
    }
    $how = Import-DirSync
    Find-Command $how
    $outcome.services = @(Read-Services $p.services)
    if (@($outcome.services | Where-Object { -not $_.running -or -not $_.stops -or $_.mode -eq 'Disabled' }).Count -gt 0) { return $outcome }
    $guardian = 'guardian-' + $p.stamp
    $list = ConvertTo-Json -InputObject @{ work = 'work-' + $p.stamp; services = @($p.services) } -Compress
    New-Guardian $guardian $list $p.guardian $p.delay
    $outcome.guarded = $true
    $outcome.at = Get-UtcText
    try {
        Invoke-Arming $how
        $outcome.armed = $true
        Restart-Service -Name $p.services[0] -Force -WarningAction SilentlyContinue -ErrorAction Stop
        $outcome.restarted = $true
    } catch { $outcome.error = ConvertTo-ErrorObject $_ }
    Start-Stopped $p.services $p.back_seconds $outcome
    if ($outcome.started -contains $p.services[0] -or $outcome.stopped -contains $p.services[0]) { $outcome.restarted = $true }
    if ($outcome.stopped.Count -eq 0) {
        Remove-OneShot $guardian $env:HYBRID_IDENTITY_TEMP
        $outcome.guarded = $false
    }
} finally { $lock.Dispose() }
return $outcome
"""
)

# Parameters: services; back_seconds; earlier - the stamp of work whose guardian goes once everything runs, or empty.
REPAIR = (
    "param($p)"
    + TASKS
    + OWN
    + REMOVE
    + _RUNNING
    + _START
    + FORGET_EARLIER
    + r"""
$outcome = @{ stopped = @(); started = @(); trouble = $null }
Start-Stopped $p.services $p.back_seconds $outcome
if ($outcome.stopped.Count -eq 0) { Remove-Earlier }
$outcome.at = Get-UtcText
return $outcome
"""
)

#: what is called by the local route or in a lasting task; and what the guardian's task runs
SCRIPTS = {"look": LOOK, "force": FORCE, "repair": REPAIR, "guardian": GUARDIAN}
