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
_TIMES = r"""
function Format-AsUtc($Moment) {
    if ($null -eq $Moment) { return $null }
    return [datetime]::SpecifyKind($Moment, [System.DateTimeKind]::Utc).ToString('o')
}
"""

# The flag came with 1.1.443, the run status with 1.1.130.
_STATE = (
    _TIMES
    + r"""
function Read-State {
    $scheduler = Get-ADSyncScheduler
    $state = @{
        busy = @()
        in_progress = $null
        enabled = [bool]$scheduler.SyncCycleEnabled
        suspended = [bool]$scheduler.SchedulerSuspended
        staging = [bool]$scheduler.StagingModeEnabled
        next_start = Format-AsUtc $scheduler.NextSyncCycleStartTimeInUTC
        next_type = [string]$scheduler.NextSyncCyclePolicyType
        allowed_interval = [double]$scheduler.AllowedSyncCycleInterval.TotalSeconds
        effective_interval = [double]$scheduler.CurrentlyEffectiveSyncCycleInterval.TotalSeconds
    }
    if ($null -ne $scheduler.SyncCycleInProgress) { $state.in_progress = [bool]$scheduler.SyncCycleInProgress }
    if (Get-Command -Name Get-ADSyncConnectorRunStatus -ErrorAction SilentlyContinue) {
        $state.busy = @(Get-ADSyncConnectorRunStatus | ForEach-Object { [string]$_.ConnectorName })
    }
    $state.at = Get-UtcText
    return $state
}
"""
)

_CONNECTORS = r"""
function Read-Connectors {
    foreach ($connector in @(Get-ADSyncConnector)) {
        @{ name = [string]$connector.Name; id = [string]$connector.Identifier; type = [string]$connector.Type }
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

# Providers are asked one by one: the name of one that does not exist fails the whole question. Besides errors, these are told in the
# server's own words: runs that failed or had errors, sign-in and export that were refused, deletions that were held back.
_HISTORY = (
    _RUNS
    + r"""
function Read-Events($Since) {
    $telling = 0, 106, 109, 115, 116, 6000, 6012, 6100, 6105, 6110, 6126, 6127, 6801, 6803, 6900, 6941
    $counts = @{}
    $errors = @()
    foreach ($provider in 'ADSync', 'Directory Synchronization') {
        $filter = @{ LogName = 'Application'; ProviderName = $provider; StartTime = $Since.ToLocalTime() }
        try { $found = @(Get-WinEvent -FilterHashtable $filter -MaxEvents 500 -ErrorAction Stop) } catch {
            if ($_.FullyQualifiedErrorId -notlike 'NoMatchingEventsFound*') { throw }
            continue
        }
        foreach ($event in $found) {
            $id = [int]$event.Id -band 0xFFFF
            $key = $provider + '/' + $id
            $at = $event.TimeCreated.ToUniversalTime()
            if (-not $counts.ContainsKey($key)) { $counts[$key] = @{ times = 0; last = $at.ToString('o') } }
            $counts[$key].times++
            if (($event.Level -le 2 -or $telling -contains $id) -and $errors.Count -lt 20) {
                $text = [string]$event.Message
                if ($text.Length -gt 400) { $text = $text.Substring(0, 400) }
                $errors += @{ provider = $provider; id = $id; at = $at.ToString('o'); message = $text }
            }
        }
    }
    return @{ counts = $counts; errors = @($errors) }
}
function Read-History($Since) {
    $history = @{ at = Get-UtcText; runs = $null; events = $null; runs_error = $null; events_error = $null }
    try { $history.runs = @(Read-Runs $Since) } catch { $history.runs_error = ConvertTo-ErrorObject $_ }
    try { $history.events = Read-Events $Since } catch { $history.events_error = ConvertTo-ErrorObject $_ }
    return $history
}
"""
)

# Returns when the engine is idle after it was active, when what was awaited did not begin or the next start moved, or when the slice is over.
# A connector that runs by hand is activity, and no cycle. A look that fails ends it, and what was seen before is told all the same.
_WATCH = r"""
function Watch-Engine($Limits, $Active, $NextStart, $Since) {
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    $idle = $null
    $seen = @{ state = $null; active = $false; first_active = $null; idle_since = $null; history = $null; trouble = $null }
    while ($true) {
        try { $state = Read-State } catch {
            if ($null -eq $seen.state) { throw }
            $seen.trouble = ConvertTo-ErrorObject $_
            break
        }
        $seen.state = $state
        if ($state.in_progress -or $state.busy.Count -gt 0) {
            $Active = $true
            $idle = $null
            $seen.idle_since = $null
            $seen.active = $true
            if ($state.in_progress -ne $false) {
                if ($null -eq $seen.first_active) { $seen.first_active = $state.at }
                if ($Limits.stop_when_active) { break }
            }
        } else {
            if ($null -eq $idle) {
                $idle = $watch.Elapsed.TotalSeconds
                $seen.idle_since = $state.at
            }
            $over = $Active -or $state.next_start -ne $NextStart -or $watch.Elapsed.TotalSeconds -ge $Limits.confirm_seconds
            if ($over -and ($watch.Elapsed.TotalSeconds - $idle) -ge $Limits.idle_seconds) {
                $seen.history = Read-History ([datetime]::Parse($Since, [cultureinfo]::InvariantCulture, 'AdjustToUniversal'))
                break
            }
        }
        if ($watch.Elapsed.TotalSeconds -ge $Limits.seconds) { break }
        Start-Sleep -Milliseconds $Limits.step_ms
    }
    return $seen
}
"""

PROBE = (
    "param($p)"
    + _IMPORT
    + _STATE
    + _CONNECTORS
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
    $probe.connectors = @(Read-Connectors)
} catch { $probe.problems['connectors'] = ConvertTo-ErrorObject $_ }
$probe.history = Read-History ((Get-Date).ToUniversalTime().AddSeconds(-$p.history_seconds))
return $probe
"""
)

# Once the start has been asked for, nothing may end the script before it has said so.
START = (
    "param($p)"
    + _IMPORT
    + _STATE
    + _HISTORY
    + _WATCH
    + r"""
$started = @{ sent = $false; before = $null; requested = $null; result = $null; refusal = $null; watch = $null; trouble = $null }
try {
    Import-Engine
    $started.before = Read-State
} catch {
    $started.trouble = ConvertTo-ErrorObject $_
    return $started
}
$started.sent = $true
$started.requested = Get-UtcText
try { $started.result = [string](Start-ADSyncSyncCycle -PolicyType $p.policy -ErrorAction Stop).Result } catch { $started.refusal = ConvertTo-ErrorObject $_ }
try {
    if ($null -ne $started.refusal) {
        $started.watch = @{ state = Read-State; active = $false; first_active = $null; idle_since = $null; history = $null; trouble = $null }
    } else {
        $started.watch = Watch-Engine $p $false $started.before.next_start $started.requested
    }
} catch { $started.trouble = ConvertTo-ErrorObject $_ }
return $started
"""
)

WATCH = (
    "param($p)"
    + _IMPORT
    + _STATE
    + _HISTORY
    + _WATCH
    + r"""
Import-Engine
return Watch-Engine $p $p.active $p.next_start $p.since
"""
)

READ_RUNS = (
    "param($p)"
    + _IMPORT
    + _TIMES
    + _CONNECTORS
    + _RUNS
    + r"""
Import-Engine
$runs = @(Read-Runs ([datetime]::Parse($p.since, [cultureinfo]::InvariantCulture, 'AdjustToUniversal')))
$answer = @{ at = Get-UtcText; runs = $runs; connectors = @() }
try { $answer.connectors = @(Read-Connectors) } catch { $answer.problem = ConvertTo-ErrorObject $_ }
return $answer
"""
)

#: every script of this engine by name: tests hold the lab's fakes, the 5.1 checker and the coverage against this list
SCRIPTS = {"probe": PROBE, "start": START, "watch": WATCH, "read_runs": READ_RUNS}
