# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The PowerShell of DirSync, before and from build 6862. Private to the collection.

Scripts take one hashtable and return one hashtable; see _windows_scripts for what they may use.
"""

from __future__ import annotations

from .._remote._compact import compact
from ._fim_scripts import HISTORY, LOCK, READ_RUNS, WATCH, WMI_AGENTS, WMI_BUSY, WMI_CONNECTORS, WMI_NUMBERS, WMI_REST, WMI_RUNS
from ._windows_scripts import EVENTS, ROUND_TRIP

_STATE = r"""
$eventProviders = 'FIMSynchronizationService', 'Directory Synchronization'
function Read-State {
    $state = @{ busy = @(); in_progress = $null; problem = $null }
    try { $state.busy = @(Read-WmiBusy) } catch { $state.problem = ConvertTo-ErrorObject $_ }
    $state.at = Get-UtcText
    return $state
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
$probe = @{ state = Read-State; problems = @{}; history = $null; interval = $null }
if ($null -ne $probe.state.problem) { $probe.problems['status'] = $probe.state.problem }
try {
    $config = [xml][string](Get-Content -LiteralPath ($p.folder + '\Microsoft.Online.DirSync.Scheduler.exe.config') -Raw -ErrorAction Stop)
    $setting = $config.SelectSingleNode("/configuration/appSettings/add[@key='SyncTimeInterval']")
    if ($null -ne $setting) { $probe.interval = [string]$setting.GetAttribute('value') }
} catch { $probe.problems['interval'] = ConvertTo-ErrorObject $_ }
$probe.history = Read-History ((Get-Date).ToUniversalTime().AddSeconds(-$p.history_seconds))
return $probe
"""
)

# The commands: by module with its full path, else by snap-in, else by the console file of the older builds, in a process of its own.
LOAD = r"""
$console = $p.folder + '\DirSyncConfigShell.psc1'
function Import-DirSync {
    $module = $p.folder + '\dirsync\DirSync.psd1'
    if (Test-Path -LiteralPath $module) { Import-Module -Name $module -ErrorAction Stop; return 'module' }
    try { Add-PSSnapin -Name 'Coexistence-Configuration' -ErrorAction Stop; return 'snap_in' } catch { $refused = $_ }
    if (Test-Path -LiteralPath $console) { return 'console_file' }
    throw $refused
}
function Invoke-InConsole($Text) {
    $encoded = [Convert]::ToBase64String([System.Text.Encoding]::Unicode.GetBytes($Text))
    $said = @(powershell.exe -NoProfile -NonInteractive -PSConsoleFile $console -EncodedCommand $encoded)
    if ($LASTEXITCODE -ne 0) { throw (@($said | Select-Object -Unique) -join ' ') }
}
"""

# A start says nothing when it is ignored, so looking and starting happen under one lock, which is held until a run is seen. Where the parameter
# is missing the registry says that the next cycle is a full one; what was written there is put back when the start is refused.
START = compact(
    "param($p)"
    + ROUND_TRIP
    + WMI_AGENTS
    + WMI_BUSY
    + WMI_RUNS
    + WMI_CONNECTORS
    + WMI_NUMBERS
    + WMI_REST
    + EVENTS
    + HISTORY
    + LOCK
    + _STATE
    + LOAD
    + WATCH
    + r"""
$key = 'HKLM:\SOFTWARE\Microsoft\MSOLCoExistence'
function Invoke-Start($How, $Full) {
    if ($How -ne 'console_file') {
        if ($Full) { $null = Start-OnlineCoexistenceSync -FullSync -ErrorAction Stop } else { $null = Start-OnlineCoexistenceSync -ErrorAction Stop }
        return
    }
    Invoke-InConsole '$ErrorActionPreference = "Stop"; try { $null = Start-OnlineCoexistenceSync } catch { $_.Exception.Message; throw }'
}
function Get-FullFlag { return (Get-ItemProperty -LiteralPath $key -ErrorAction Stop).FullSyncNeeded }
function Restore-FullFlag($Before) {
    if ($null -eq $Before) { Remove-ItemProperty -LiteralPath $key -Name FullSyncNeeded -ErrorAction Stop } else {
        Set-ItemProperty -LiteralPath $key -Name FullSyncNeeded -Value ([int]$Before) -Type DWord -ErrorAction Stop
    }
}
$started = @{ sent = $false; locked = $false; before = $null; requested = $null; how = $null; refusal = $null; appeared = $false; watch = $null }
$started += @{ flag = $null; flag_written = $false; flag_left = $null; trouble = $null }
$total = [System.Diagnostics.Stopwatch]::StartNew()
$lock = Open-Lock $p.lock_seconds
$started.locked = $null -ne $lock
try {
    $started.before = Read-State
    if ($started.before.busy.Count -eq 0 -and -not (Test-Rest $p.quiet_seconds)) { $started.before.in_progress = $true }
    if ($started.before.in_progress -or $started.before.busy.Count -gt 0) { return $started }
    $started.how = Import-DirSync
    $parameter = $started.how -ne 'console_file' -and (Get-Command -Name Start-OnlineCoexistenceSync).Parameters.ContainsKey('FullSync')
    $flag = Get-FullFlag
    $started.flag = [int]$flag
    $numbers = Get-NumbersBefore
    if ($p.full -and -not $parameter -and $started.flag -ne 1) {
        Set-ItemProperty -LiteralPath $key -Name FullSyncNeeded -Value 1 -Type DWord -ErrorAction Stop
        $started.flag_written = $true
    }
    $started.sent = $true
    $started.requested = Get-UtcText
    try { Invoke-Start $started.how ($p.full -and $parameter) } catch {
        $started.refusal = ConvertTo-ErrorObject $_
        if ($started.flag_written) { try { Restore-FullFlag $flag } catch { $started.flag_left = ConvertTo-ErrorObject $_ } }
        $started.watch = @{ state = Read-State; active = $false; first_active = $null; idle_since = $null; history = $null }
        return $started
    }
    $started.appeared = Wait-NewRun $numbers $p
} catch {
    $started.trouble = ConvertTo-ErrorObject $_
    return $started
} finally {
    if ($null -ne $lock) { $lock.Dispose() }
}
$p.seconds = [math]::Max(0.5, $p.seconds - $total.Elapsed.TotalSeconds)
try { $started.watch = Watch-Engine $p $started.appeared (ConvertFrom-RoundTrip $started.requested) } catch { $started.trouble = ConvertTo-ErrorObject $_ }
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
    + WATCH
    + r"""
return Watch-Engine $p $p.active (ConvertFrom-RoundTrip $p.since)
"""
)

#: every script of these engines by name
SCRIPTS = {"probe": PROBE, "start": START, "watch": FOLLOW, "read_runs": READ_RUNS}
