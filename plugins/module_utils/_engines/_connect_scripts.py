# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The PowerShell of the connect engine. Private to the collection.

Scripts take one hashtable and return one hashtable; see _windows_scripts for what they may use. The first one also tells what else
is installed, so that another engine is recognised without a call of its own.
"""

from __future__ import annotations

from .._remote._compact import compact
from ._fim_scripts import WMI_AGENTS, WMI_BUSY, WMI_REST, WMI_RUNS
from ._windows_scripts import AS_UTC, EVENTS, ROUND_TRIP, SURVEY

# The module lies beside the engine's program; by name it is often not found (it is not on PSModulePath on every build).
IMPORT = r"""
function Import-Engine {
    $image = [string](Get-ItemProperty -LiteralPath 'HKLM:\SYSTEM\CurrentControlSet\Services\ADSync' -Name ImagePath).ImagePath
    Import-Module -Name (($image.Trim('"') -replace '\\[^\\]*$', '') + '\ADSync\ADSync.psd1')
}
"""

# The run status came with 1.1.130; before, the WMI provider says what runs.
_BUSY_OF_ANY = r"""
function Read-Busy {
    if (Get-Command -Name Get-ADSyncConnectorRunStatus -ErrorAction SilentlyContinue) {
        Get-ADSyncConnectorRunStatus | ForEach-Object { [string]$_.ConnectorName }
    } elseif ($useWmi) {
        try { Read-WmiBusy } catch { $null = $_ }
    }
}
"""
BUSY = r"""
function Read-Busy { Get-ADSyncConnectorRunStatus | ForEach-Object { [string]$_.ConnectorName } }
"""

# Read-Busy is one of the two above. The flag came with 1.1.443.
STATE = (
    AS_UTC
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
    $state.busy = @(Read-Busy)
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

# Where the provider is, no logon is kept from the history; the cmdlet is asked where it does not answer. A plain denial is one for every
# logon; what else refuses the runs may be the network logon, and then the local route is gone on, if the call carries the means along.
_HISTORY = (
    _RUNS
    + WMI_AGENTS
    + WMI_BUSY
    + WMI_RUNS
    + EVENTS
    + r"""
$eventProviders = 'ADSync', 'Directory Synchronization'
$useWmi = [bool]$p.wmi
$begun = [System.Diagnostics.Stopwatch]::StartNew()
function Test-Denied($Problem) { return @($Problem.causes | Where-Object { $_.hresult -eq -2147024891 }).Count -gt 0 }
function Read-History($Since) {
    $history = @{ at = Get-UtcText; source = 'run_history'; runs = $null; events = $null; runs_error = $null; events_error = $null }
    if ($useWmi) { try { $history.runs = @(Read-WmiRuns $Since); $history.source = 'wmi' } catch { $history.wmi_error = ConvertTo-ErrorObject $_ } }
    if ($null -eq $history.runs) { try { $history.runs = @(Read-Runs $Since) } catch { $history.runs_error = ConvertTo-ErrorObject $_ } }
    try { $history.events = Read-Events $Since } catch { $history.events_error = ConvertTo-ErrorObject $_ }
    if ($p.local -and $null -ne $history.runs_error -and -not (Test-Denied $history.runs_error)) {
        $parameters = @{ since = '~' + $Since.ToUniversalTime().AddSeconds(-2).ToString('o') }
        $history.local = @(& ([ScriptBlock]::Create($p.local.code)) $p.local $parameters $begun.Elapsed.TotalSeconds)[-1]
    }
    return $history
}
"""
)

# Returns when the engine is idle after it was active, when what was awaited did not begin or the next start moved, or when the slice is over.
# A connector that runs by hand is activity, and no cycle. Without a flag an idle engine may be between two steps: there a rest has to last,
# and what the history says of it is read at the end of the slice too. A look that fails ends it, and what was seen before
# is told all the same. The longer it takes, the less it matters when the end is noticed: a look follows the one before after a twentieth of
# the time so far, a quarter of a second at least, and what was asked for at most.
_WATCH = r"""
function Watch-Engine($Limits, $Active, $NextStart, $Since) {
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    $idle = $null
    $seen = @{ state = $null; active = $false; first_active = $null; idle_since = $null; history = $null; trouble = $null }
    $looks = 0
    while ($true) {
        try { $state = Read-State } catch {
            if ($null -eq $seen.state) { throw }
            $seen.trouble = ConvertTo-ErrorObject $_
            break
        }
        $seen.state = $state
        $flagged = $null -ne $state.in_progress
        if ($state.in_progress -or $state.busy.Count -gt 0) {
            $Active = $true
            $idle = $null
            $looks = 0
            $seen.idle_since = $null
            $seen.active = $true
            if ($state.in_progress -ne $false) {
                if ($null -eq $seen.first_active) { $seen.first_active = $state.at }
                if ($Limits.stop_when_active) { break }
            }
        } else {
            $looks++
            if ($null -eq $idle) {
                $idle = $watch.Elapsed.TotalSeconds
                $seen.idle_since = $state.at
            }
            $rest = if ($flagged) { $Limits.idle_seconds } else { [math]::Max($Limits.idle_seconds, $Limits.quiet_seconds) }
            $over = $Active -or $state.next_start -ne $NextStart -or $watch.Elapsed.TotalSeconds -ge $Limits.confirm_seconds
            if ($over -and ($flagged -or $looks -ge 3) -and ($watch.Elapsed.TotalSeconds - $idle) -ge $rest) {
                $seen.history = Read-History (ConvertFrom-RoundTrip $Since)
                break
            }
        }
        if ($watch.Elapsed.TotalSeconds -ge $Limits.seconds) {
            if (-not $flagged -and $null -ne $idle) { $seen.history = Read-History (ConvertFrom-RoundTrip $Since) }
            break
        }
        Start-Sleep -Milliseconds ([math]::Min($Limits.step_ms, [math]::Max(250, $watch.ElapsedMilliseconds / 20)))
    }
    return $seen
}
"""

PROBE = compact(
    "param($p)"
    + SURVEY
    + IMPORT
    + _BUSY_OF_ANY
    + STATE
    + _CONNECTORS
    + _HISTORY
    + r"""
$probe = @{ survey = $null; problems = @{}; connectors = @(); state = $null; history = $null }
$probe.survey = Read-Survey $probe.problems
if (-not $probe.survey.services.ContainsKey('ADSync')) { return $probe }
$version = $probe.survey.wizard_version -as [version]
$useWmi = $null -eq $version -or $version -lt [version]'1.4.18.0'
try { Import-Engine } catch { $probe.problems['module'] = ConvertTo-ErrorObject $_; return $probe }
try { $probe.state = Read-State } catch { $probe.problems['scheduler'] = ConvertTo-ErrorObject $_; return $probe }
try {
    $probe.connectors = @(Read-Connectors)
} catch { $probe.problems['connectors'] = ConvertTo-ErrorObject $_ }
$ready = $probe.state.enabled -and -not $probe.state.suspended -and -not $probe.state.staging
$runs = $probe.state.in_progress -or $probe.state.busy.Count -gt 0
if ($p.local_when -ne 'always' -and (-not $ready -or ($runs -and $p.local_when -eq 'idle'))) { $p.local = $null }
$probe.history = Read-History ((Get-Date).ToUniversalTime().AddSeconds(-$p.history_seconds))
return $probe
"""
)

# Once the start has been asked for, nothing may end the script before it has said so. A build without the flag may lose a start while
# something runs without a word, so it is not asked then.
START = compact(
    "param($p)"
    + IMPORT
    + _BUSY_OF_ANY
    + STATE
    + _HISTORY
    + WMI_REST
    + ROUND_TRIP
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
if ($null -eq $started.before.in_progress) {
    if ($started.before.busy.Count -eq 0 -and $useWmi -and -not (Test-Rest $p.quiet_seconds)) { $started.before.in_progress = $true }
    if ($started.before.in_progress -or $started.before.busy.Count -gt 0) { return $started }
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

WATCH = compact(
    "param($p)"
    + IMPORT
    + _BUSY_OF_ANY
    + STATE
    + _HISTORY
    + ROUND_TRIP
    + _WATCH
    + r"""
Import-Engine
return Watch-Engine $p $p.active $p.next_start $p.since
"""
)

READ_RUNS = compact(
    "param($p)"
    + IMPORT
    + AS_UTC
    + ROUND_TRIP
    + _CONNECTORS
    + _RUNS
    + r"""
Import-Engine
$runs = @(Read-Runs (ConvertFrom-RoundTrip $p.since))
$answer = @{ at = Get-UtcText; runs = $runs; connectors = @() }
try { $answer.connectors = @(Read-Connectors) } catch { $answer.problem = ConvertTo-ErrorObject $_ }
return $answer
"""
)

#: every script of this engine by name: tests hold the lab's fakes, the checker of older PowerShells and the coverage against this list
SCRIPTS = {"probe": PROBE, "start": START, "watch": WATCH, "read_runs": READ_RUNS}
