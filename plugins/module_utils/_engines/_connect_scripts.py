# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The PowerShell of the connect engine. Thin: it reads and returns, decisions are made in Python. Private to the collection.

Every script is a constant. Windows PowerShell 5.1 is the target; scripts see the functions of the call's envelope
(ConvertTo-ErrorObject, Get-UtcText) because they run inside it.
"""

from __future__ import annotations

# The module lies beside the engine's program; by name it is often not found (it is not on PSModulePath on every build).
_IMPORT = r"""
function Import-Engine {
    $image = [string](Get-ItemProperty -LiteralPath 'HKLM:\SYSTEM\CurrentControlSet\Services\ADSync' -Name ImagePath).ImagePath
    Import-Module -Name (($image.Trim('"') -replace '\\[^\\]*$', '') + '\ADSync\ADSync.psd1')
}
"""

# The engine's times are UTC whatever their Kind says.
_STATE = r"""
function Format-AsUtc($Moment) {
    if ($null -eq $Moment) { return $null }
    return [datetime]::SpecifyKind($Moment, [System.DateTimeKind]::Utc).ToString('o')
}
function Read-State {
    $scheduler = Get-ADSyncScheduler
    return @{
        busy = @(Get-ADSyncConnectorRunStatus | ForEach-Object { [string]$_.ConnectorName })
        in_progress = [bool]$scheduler.SyncCycleInProgress
        enabled = [bool]$scheduler.SyncCycleEnabled
        suspended = [bool]$scheduler.SchedulerSuspended
        staging = [bool]$scheduler.StagingModeEnabled
        next_start = Format-AsUtc $scheduler.NextSyncCycleStartTimeInUTC
        next_type = [string]$scheduler.NextSyncCyclePolicyType
        allowed_interval = [double]$scheduler.AllowedSyncCycleInterval.TotalSeconds
        effective_interval = [double]$scheduler.CurrentlyEffectiveSyncCycleInterval.TotalSeconds
        at = Get-UtcText
    }
}
"""

_RUNS = r"""
function Read-Runs($Since) {
    $counters = 'StageAdd', 'StageUpdate', 'StageRename', 'StageDelete', 'StageDeleteAdd', 'StageFailure', 'FlowFailure',
        'ExportAdd', 'ExportUpdate', 'ExportRename', 'ExportDelete', 'ExportDeleteAdd', 'ExportFailure'
    $runs = @()
    foreach ($run in @(Get-ADSyncRunProfileResult -NumberRequested 60 -RunStepDetails)) {
        if ($null -eq $run -or [datetime]::SpecifyKind($run.StartDate, [System.DateTimeKind]::Utc) -lt $Since) { continue }
        $steps = @()
        foreach ($step in @($run.RunStepResults)) {
            if ($null -eq $step) { continue }
            $counts = @{}
            foreach ($counter in $counters) { if ([int]$step.$counter -ne 0) { $counts[$counter] = [int]$step.$counter } }
            $steps += @{
                result = [string]$step.StepResult
                counts = $counts
                errors = [string]$step.SyncErrors
                discovery = [string]$step.ConnectorDiscoveryErrors
            }
        }
        $runs += @{
            connector = [string]$run.ConnectorName
            connector_id = [string]$run.ConnectorId
            profile = [string]$run.RunProfileName
            number = [int]$run.RunNumber
            result = [string]$run.Result
            started = Format-AsUtc $run.StartDate
            ended = Format-AsUtc $run.EndDate
            steps = @($steps)
        }
    }
    return $runs
}
"""

# Providers are asked one by one: the name of one that does not exist fails the whole question.
_HISTORY = (
    _RUNS
    + r"""
function Read-Events($Since) {
    $counts = @{}
    $errors = @()
    $first = $null
    foreach ($provider in 'ADSync', 'Directory Synchronization') {
        $filter = @{ LogName = 'Application'; ProviderName = $provider; StartTime = $Since.ToLocalTime() }
        try { $found = @(Get-WinEvent -FilterHashtable $filter -MaxEvents 500 -ErrorAction Stop) } catch {
            if ($_.FullyQualifiedErrorId -notlike 'NoMatchingEventsFound*') { throw }
            continue
        }
        foreach ($event in $found) {
            $key = $provider + '/' + $event.Id
            $at = $event.TimeCreated.ToUniversalTime()
            if (-not $counts.ContainsKey($key)) { $counts[$key] = @{ times = 0; last = $at.ToString('o') } }
            $counts[$key].times++
            if ($null -eq $first -or $at -lt $first) { $first = $at }
            if (($event.Level -le 2 -or $event.Id -eq 116) -and $errors.Count -lt 10) {
                $text = [string]$event.Message
                if ($text.Length -gt 400) { $text = $text.Substring(0, 400) }
                $errors += @{ provider = $provider; id = [int]$event.Id; at = $at.ToString('o'); message = $text }
            }
        }
    }
    return @{ counts = $counts; errors = @($errors); first = Format-AsUtc $first }
}
function Read-History($Since) {
    $history = @{ runs = $null; events = $null }
    try { $history.runs = @(Read-Runs $Since) } catch { $history.runs_error = ConvertTo-ErrorObject $_ }
    try { $history.events = Read-Events $Since } catch { $history.events_error = ConvertTo-ErrorObject $_ }
    return $history
}
"""
)

# Returns when nothing runs any more, when nothing began within the time for it, or when the slice is over.
_FOLLOW = r"""
function Watch-Engine($Limits, $Active) {
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    $followed = @{ first_active = $null; ended = $null }
    while ($true) {
        $state = Read-State
        $followed.state = $state
        if ($state.in_progress -or $state.busy.Count -gt 0) {
            $Active = $true
            if ($null -eq $followed.first_active) { $followed.first_active = $state.at }
            if ($Limits.stop_when_active) { break }
        } elseif ($Active -or $state.next_start -ne $Limits.next_start_before) {
            $followed.ended = $state.at
            $followed.history = Read-History ([datetime]::Parse($Limits.since, [cultureinfo]::InvariantCulture, 'AdjustToUniversal'))
            break
        } elseif ($watch.Elapsed.TotalSeconds -ge $Limits.confirm_seconds) { break }
        if ($watch.Elapsed.TotalSeconds -ge $Limits.seconds) { break }
        Start-Sleep -Milliseconds $Limits.step_ms
    }
    return $followed
}
"""

PROBE = (
    "param($p)"
    + _IMPORT
    + _STATE
    + _HISTORY
    + r"""
$probe = @{ services = @{}; version = $null; problems = @{}; connectors = @(); state = $null; history = $null }
foreach ($name in 'ADSync', 'FIMSynchronizationService', 'MSOnlineSyncScheduler', 'AADConnectProvisioningAgent') {
    if (-not (Test-Path -LiteralPath ('HKLM:\SYSTEM\CurrentControlSet\Services\' + $name))) { continue }
    $probe.services[$name] = $null
    try { $probe.services[$name] = [int](Get-Service -Name $name -ErrorAction Stop).Status } catch { $probe.problems['services'] = ConvertTo-ErrorObject $_ }
}
if (-not $probe.services.ContainsKey('ADSync')) { return $probe }
try {
    $wizard = [string](Get-ItemProperty -LiteralPath 'HKLM:\SOFTWARE\Microsoft\Azure AD Connect' -Name WizardPath).WizardPath
    $probe.version = [string](Get-Item -LiteralPath $wizard).VersionInfo.FileVersion
} catch { $probe.problems['version'] = ConvertTo-ErrorObject $_ }
try { Import-Engine } catch { $probe.problems['module'] = ConvertTo-ErrorObject $_; return $probe }
try { $probe.state = Read-State } catch { $probe.problems['scheduler'] = ConvertTo-ErrorObject $_; return $probe }
try {
    foreach ($connector in @(Get-ADSyncConnector)) {
        $probe.connectors += @{ name = [string]$connector.Name; id = [string]$connector.Identifier; type = [string]$connector.Type }
    }
} catch { $probe.problems['connectors'] = ConvertTo-ErrorObject $_ }
$probe.history = Read-History ((Get-Date).ToUniversalTime().AddSeconds(-$p.history_seconds))
return $probe
"""
)

START = (
    "param($p)"
    + _IMPORT
    + _STATE
    + _HISTORY
    + _FOLLOW
    + r"""
Import-Engine
$before = Read-State
$started = @{ before = $before; requested = Get-UtcText; result = $null; refusal = $null }
try { $started.result = [string](Start-ADSyncSyncCycle -PolicyType $p.policy -ErrorAction Stop).Result } catch { $started.refusal = ConvertTo-ErrorObject $_ }
if ($null -ne $started.refusal) { $started.followed = @{ state = Read-State; first_active = $null; ended = $null } } else {
    $p.next_start_before = $before.next_start
    $p.since = $started.requested
    $started.followed = Watch-Engine $p $false
}
return $started
"""
)

FOLLOW = (
    "param($p)"
    + _IMPORT
    + _STATE
    + _HISTORY
    + _FOLLOW
    + r"""
Import-Engine
return Watch-Engine $p $p.active
"""
)

READ_RUNS = (
    "param($p)"
    + _IMPORT
    + r"""
function Format-AsUtc($Moment) {
    if ($null -eq $Moment) { return $null }
    return [datetime]::SpecifyKind($Moment, [System.DateTimeKind]::Utc).ToString('o')
}
"""
    + _RUNS
    + r"""
Import-Engine
return @{ runs = @(Read-Runs ([datetime]::Parse($p.since, [cultureinfo]::InvariantCulture, 'AdjustToUniversal'))) }
"""
)

#: every script of this engine by name: tests hold the lab's fakes, the 5.1 checker and the coverage against this list
SCRIPTS = {"probe": PROBE, "start": START, "follow": FOLLOW, "read_runs": READ_RUNS}
