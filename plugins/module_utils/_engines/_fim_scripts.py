# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""PowerShell for the WMI provider of the FIM family: which connectors there are, which of them run, and the run history. Private to the collection.

The provider came with DirSync, AAD Sync and Azure AD Connect; 1.4.18 took it away. All its values are text, its times are UTC with
milliseconds and no mark of a zone (Microsoft, MIIS_RunHistory).
"""

from __future__ import annotations

from .._remote._compact import compact
from ._windows_scripts import ROUND_TRIP

# The parts of what is asked of the provider: a script takes those that it needs.
WMI_AGENTS = r"""
$wmiSpace = 'root\MicrosoftIdentityIntegrationServer'
function Get-WmiAgents { return @(Get-CimInstance -Namespace $wmiSpace -ClassName MIIS_ManagementAgent -ErrorAction Stop) }
"""

WMI_BUSY = r"""
function Read-WmiBusy {
    foreach ($agent in @(Get-WmiAgents)) {
        $status = [string](Invoke-CimMethod -InputObject $agent -MethodName RunStatus -ErrorAction Stop).ReturnValue
        if ($status -eq 'in-progress' -or $status -like 'completing-*') { [string]$agent.Name }
    }
}
"""

WMI_GUID = r"""
function ConvertFrom-WmiGuid($Text) { return ([string]$Text).Trim('{}').ToLowerInvariant() }
"""

WMI_ROWS = (
    WMI_GUID
    + r"""
function Get-WmiRows($Since) {
    # The provider compares text, so the bound is cut to its milliseconds.
    $from = $Since.ToString('yyyy-MM-dd HH:mm:ss.fff', [cultureinfo]::InvariantCulture)
    return @(Get-CimInstance -Namespace $wmiSpace -ClassName MIIS_RunHistory -Filter ("RunStartTime >= '" + $from + "'") -ErrorAction Stop)
}
"""
)

WMI_RUNS = (
    WMI_ROWS
    + r"""
function ConvertFrom-WmiTime($Text) {
    $moment = [datetime]::MinValue
    $styles = [System.Globalization.DateTimeStyles]'AssumeUniversal, AdjustToUniversal'
    $parsed = [datetime]::TryParseExact([string]$Text, 'yyyy-MM-dd HH:mm:ss.fff', [cultureinfo]::InvariantCulture, $styles, [ref]$moment)
    if (-not $parsed -or $moment.Year -lt 2000) { return $null }
    return $moment.ToString('o')
}
function Get-NodeText($Node, $Path) {
    $found = $Node.SelectSingleNode($Path)
    if ($null -eq $found) { return '' }
    return [string]$found.get_InnerText()
}
function Get-NodeXml($Node, $Path) {
    $found = $Node.SelectSingleNode($Path)
    if ($null -eq $found -or -not $found.get_HasChildNodes()) { return '' }
    return [string]$found.get_OuterXml()
}
function Read-WmiStep($Step) {
    $counts = @{}
    foreach ($counter in $Step.SelectNodes('staging-counters/*|export-counters/*|inbound-flow-counters/flow-failure')) {
        if ($counter.get_InnerText() -ne '0') { $counts[$counter.get_Name()] = [int]$counter.get_InnerText() }
    }
    $type = $Step.SelectSingleNode('step-description/step-type')
    return @{
        number = [int]$Step.GetAttribute('step-number')
        type = if ($null -eq $type) { '' } else { [string]$type.GetAttribute('type') }
        subtype = Get-NodeText $Step 'step-description/step-type/*'
        counts = $counts
        errors = Get-NodeXml $Step 'synchronization-errors'
        discovery = Get-NodeXml $Step 'ma-discovery-errors'
    }
}
function Read-WmiRuns($Since) {
    $newest = @(Get-WmiRows $Since | Sort-Object -Property RunStartTime -Descending | Select-Object -First 60)
    foreach ($row in $newest) {
        $run = @{
            connector = [string]$row.MaName
            connector_id = ConvertFrom-WmiGuid $row.MaGuid
            profile = [string]$row.RunProfile
            number = [int]$row.RunNumber
            result = [string]$row.RunStatus
            started = ConvertFrom-WmiTime $row.RunStartTime
            ended = ConvertFrom-WmiTime $row.RunEndTime
            account = $null
            steps = @()
        }
        $text = [string](Invoke-CimMethod -InputObject $row -MethodName RunDetails -ErrorAction Stop).ReturnValue
        if ($text) {
            $document = [xml]$text
            $run.account = Get-NodeText $document '/run-history/run-details/security-id'
            $run.steps = @(foreach ($step in $document.SelectNodes('/run-history/run-details/step-details')) { Read-WmiStep $step })
        }
        $run
    }
}
"""
)

WMI_CONNECTORS = r"""
function Read-WmiConnectors {
    foreach ($agent in @(Get-WmiAgents)) { @{ name = [string]$agent.Name; id = ConvertFrom-WmiGuid $agent.Guid; type = [string]$agent.Type } }
}
"""

# The highest number of each connector tells whether a run has begun since, also one that no look has met.
WMI_NUMBERS = r"""
function Read-WmiNumbers($Since) {
    $numbers = @{}
    foreach ($row in @(Get-WmiRows $Since)) {
        $id = ConvertFrom-WmiGuid $row.MaGuid
        if (-not $numbers.ContainsKey($id) -or $numbers[$id] -lt [int]$row.RunNumber) { $numbers[$id] = [int]$row.RunNumber }
    }
    return $numbers
}
function Find-NewRuns($Before, $Now) {
    foreach ($id in $Now.Keys) { if (-not $Before.ContainsKey($id) -or [int]$Now[$id] -gt [int]$Before[$id]) { $id } }
}
"""

WMI_ACCOUNTS = r"""
function Read-WmiAccounts($Since) {
    foreach ($run in @(Read-WmiRuns $Since | Sort-Object -Property { $_.started })) { [string]$run.account }
}
"""

# A single look at what runs may fall between two steps of a cycle, or a step may change hands while the connectors are asked one by one. So
# whatever began or ended just now counts as running: a start may be ignored in silence then, and what is left of that cycle would pass for ours.
WMI_REST = r"""
function Test-Rest($Seconds) {
    $now = (Get-Date).ToUniversalTime()
    $edge = $now.AddSeconds(-$Seconds).ToString('yyyy-MM-dd HH:mm:ss.fff', [cultureinfo]::InvariantCulture)
    try { $rows = Get-WmiRows $now.AddDays(-2) } catch { return $true }
    foreach ($row in $rows) {
        if ([string]::CompareOrdinal($row.RunStartTime, $edge) -ge 0 -or [string]::CompareOrdinal($row.RunEndTime, $edge) -ge 0) { return $false }
    }
    return $true
}
"""

# One file on the server keeps two tasks from looking and starting at the same time. It goes away with the handle, however that ends.
# Nobody holds it for longer than a start takes; who cannot get it within that time is kept out by rights and goes on without.
OPEN_LOCK = r"""
function Open-Lock($Seconds) {
    $path = Join-Path $env:ProgramData 'hybrid.identity.lock'
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    while ($true) {
        try {
            $options = [System.IO.FileOptions]::DeleteOnClose
            return New-Object -TypeName System.IO.FileStream -ArgumentList $path, 'OpenOrCreate', 'ReadWrite', 'None', 4096, $options
        } catch {
            if ($watch.Elapsed.TotalSeconds -ge $Seconds) { return $null }
        }
        Start-Sleep -Milliseconds 250
    }
}
"""

LOCK = (
    OPEN_LOCK
    + r"""
function Get-NumbersBefore { try { return Read-WmiNumbers ((Get-Date).ToUniversalTime().AddDays(-30)) } catch { return $null } }
function Wait-NewRun($Before, $Limits) {
    if ($null -eq $Before) { return $false }
    $since = (Get-Date).ToUniversalTime().AddDays(-30)
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    while ($watch.Elapsed.TotalSeconds -lt $Limits.confirm_seconds) {
        if (@(Find-NewRuns $Before (Read-WmiNumbers $since)).Count -gt 0) { return $true }
        Start-Sleep -Milliseconds $Limits.step_ms
    }
    return $false
}
"""
)

# What the older engines have in common: they have no flag, and their history comes by WMI. Quiet is not the end: between two steps of a
# cycle everything looks idle.
HISTORY = r"""
function Read-History($Since) {
    $history = @{ at = Get-UtcText; source = 'wmi'; runs = $null; events = $null; runs_error = $null; events_error = $null; connectors = @() }
    try {
        $history.runs = @(Read-WmiRuns $Since)
        $history.connectors = @(Read-WmiConnectors)
    } catch { $history.runs_error = ConvertTo-ErrorObject $_ }
    try { $history.events = Read-Events $Since } catch { $history.events_error = ConvertTo-ErrorObject $_ }
    return $history
}
"""

# Read-State is the engine's own. A look counts as quiet when nothing runs and no run has begun since the look before it.
WATCH = r"""
function Watch-Engine($Limits, $Active, $Since) {
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    $idle = $null
    $looks = 0
    $last = $null
    $seen = @{ active = $false; first_active = $null; idle_since = $null; history = $null }
    while ($true) {
        $state = Read-State
        $seen.state = $state
        $numbers = @{}
        try { $numbers = Read-WmiNumbers $Since } catch { $null = $_ }
        $begun = $null -ne $last -and @(Find-NewRuns $last $numbers).Count -gt 0
        $last = $numbers
        if ($state.in_progress -or $state.busy.Count -gt 0 -or $begun) {
            $Active = $true
            $idle = $null
            $looks = 0
            $seen.idle_since = $null
            $seen.active = $true
            if ($null -eq $seen.first_active) { $seen.first_active = $state.at }
            if ($Limits.stop_when_active) { break }
        } else {
            $looks++
            if ($null -eq $idle) {
                $idle = $watch.Elapsed.TotalSeconds
                $seen.idle_since = $state.at
            }
            $over = $Active -or $numbers.Count -gt 0 -or $watch.Elapsed.TotalSeconds -ge $Limits.confirm_seconds
            if ($over -and $looks -ge 3 -and ($watch.Elapsed.TotalSeconds - $idle) -ge $Limits.quiet_seconds) { break }
        }
        if ($watch.Elapsed.TotalSeconds -ge $Limits.seconds) { break }
        Start-Sleep -Milliseconds ([math]::Min($Limits.step_ms, [math]::Max(250, $watch.ElapsedMilliseconds / 20)))
    }
    if ($null -ne $idle) { $seen.history = Read-History $Since }
    return $seen
}
"""

READ_RUNS = compact(
    "param($p)"
    + ROUND_TRIP
    + WMI_AGENTS
    + WMI_RUNS
    + WMI_CONNECTORS
    + r"""
$answer = @{ at = Get-UtcText; runs = @(Read-WmiRuns (ConvertFrom-RoundTrip $p.since)); connectors = @() }
try { $answer.connectors = @(Read-WmiConnectors) } catch { $answer.problem = ConvertTo-ErrorObject $_ }
return $answer
"""
)
