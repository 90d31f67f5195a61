# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The PowerShell of the password channel of AAD Sync and everything after it (module ADSync). Private to the collection.

The recipe is Microsoft's (tshoot-connect-password-hash-synchronization): remove the old flag, add a new one, save the connector, channel off,
channel on, for each AD connector. Nothing here needs more than Windows PowerShell 3.0.
"""

from __future__ import annotations

from .._remote._lasting_script import CREATE, EMPTY, GUARD, OWN, REMOVE, TASKS
from ._connect_scripts import IMPORT
from ._fim_scripts import WMI_AGENTS, WMI_BUSY
from ._packed import PACK
from ._password_script_parts import ACCOUNT_AND_TASKS, FORGET_EARLIER, GUARDIAN_BEGIN

_CHANNEL = r"""
$flagName = 'Microsoft.Synchronize.ForceFullPasswordSync'
function Test-Flag($Connector) {
    foreach ($parameter in $Connector.GlobalParameters) {
        if ($parameter.Name -eq $flagName -and ('1', 'True') -contains [string]$parameter.Value) { return $true }
    }
    return $false
}
"""

_STATE = r"""
function Test-Channel($Source) {
    foreach ($one in @(Get-ADSyncAADPasswordSyncConfiguration -SourceConnector $Source -ErrorAction Stop)) { if ($one.Enabled) { return $true } }
    return $false
}
"""

_SET = r"""
function Set-Channel($Source, $Target, $Enable) {
    Set-ADSyncAADPasswordSyncConfiguration -SourceConnector $Source -TargetConnector $Target -Enable $Enable -ErrorAction Stop
}
"""

# The cmdlet came with 1.1.130; before, the WMI provider tells what runs. Where that is broken, nobody knows: a look says so, and work goes on.
_BUSY_HEAD = (
    WMI_AGENTS
    + WMI_BUSY
    + r"""
function Get-Busy {
    if (Get-Command -Name Get-ADSyncConnectorRunStatus -ErrorAction SilentlyContinue) {
        foreach ($one in @(Get-ADSyncConnectorRunStatus -ErrorAction Stop)) { if ($null -ne $one) { [string]$one.ConnectorName } }
        return
    }
"""
)
_BUSY_TOLD = _BUSY_HEAD + "    Read-WmiBusy\n}\n"
_BUSY = _BUSY_HEAD + "    try { Read-WmiBusy } catch { }\n}\n"

# Everything that has to be known before anything is changed. What cannot be read is null or an error of its own, never "off".
LOOK = (
    "param($p)"
    + TASKS
    + IMPORT
    + _CHANNEL
    + _STATE
    + _BUSY_TOLD
    + r"""
Import-Engine
$look = @{
    at = $null; connectors = @(); busy = @(); partitions = $null; feature = $null; staging = $null; unattended = $null; admin = $null
    tasks = @(); problems = @{}
}
foreach ($connector in @(Get-ADSyncConnector -ErrorAction Stop)) {
    $one = @{ name = [string]$connector.Name; id = [string]$connector.Identifier; type = [string]$connector.Type; subtype = [string]$connector.Subtype }
    $one.enabled = $null
    $one.flag = $false
    $one.domains = @()
    $one.problem = $null
    if ($one.type -eq 'AD') {
        try {
            $one.enabled = Test-Channel $one.name
            $one.flag = Test-Flag $connector
        } catch { $one.problem = ConvertTo-ErrorObject $_ }
        foreach ($partition in @($connector.Partitions)) {
            if ($null -ne $partition -and [string]$partition.DN -like '*DC=*') { $one.domains += [string]$partition.DN }
        }
    }
    $look.connectors += $one
}
try { $look.busy = @(Get-Busy) } catch { $look.problems['busy'] = ConvertTo-ErrorObject $_ }
if (Get-Command -Name Get-ADSyncPartitionPasswordSyncState -ErrorAction SilentlyContinue) {
    try {
        $look.partitions = @(foreach ($state in @(Get-ADSyncPartitionPasswordSyncState -ErrorAction Stop)) {
            if ($null -ne $state -and [string]$state.DN -ne 'default') {
                $began = $null
                if ($null -ne $state.PasswordSyncLastSuccessfulCycleStartTimestamp) {
                    $began = [datetime]::SpecifyKind($state.PasswordSyncLastSuccessfulCycleStartTimestamp, [System.DateTimeKind]::Utc).ToString('o')
                }
                @{ connector = [string]$state.ConnectorId; dn = [string]$state.DN; status = [string]$state.PasswordSyncLastCycleStatus; succeeded = $began }
            }
        })
    } catch { $look.problems['partitions'] = ConvertTo-ErrorObject $_ }
}
try {
    $command = Get-Command -Name Get-ADSyncAADCompanyFeature -ErrorAction Stop
    $cloud = @($look.connectors | Where-Object {
            $_.type -eq 'Extensible2' -and $_.subtype -like 'Windows Azure Active Directory*'
        } | ForEach-Object { $_.name })
    if ($command.Parameters.ContainsKey('ConnectorName')) {
        $feature = Get-ADSyncAADCompanyFeature -ConnectorName $cloud[0] -ErrorAction Stop
    } else { $feature = Get-ADSyncAADCompanyFeature -ErrorAction Stop }
    if ($null -ne $feature.PasswordHashSync) { $look.feature = [bool]$feature.PasswordHashSync }
} catch { $look.problems['feature'] = ConvertTo-ErrorObject $_ }
if (Get-Command -Name Get-ADSyncScheduler -ErrorAction SilentlyContinue) {
    try { $look.staging = [bool](Get-ADSyncScheduler -ErrorAction Stop).StagingModeEnabled } catch { $look.problems['staging'] = ConvertTo-ErrorObject $_ }
} else {
    try {
        foreach ($parameter in (Get-ADSyncGlobalSettings -ErrorAction Stop).Parameters) {
            if ($parameter.Name -eq 'Microsoft.Synchronize.StagingMode') { $look.staging = [string]$parameter.Value -eq 'True' }
        }
    } catch { $look.problems['staging'] = ConvertTo-ErrorObject $_ }
}
$ours = 'SourceConnector', 'TargetConnector', 'Enable'
$look.unattended = $false
foreach ($set in (Get-Command -Name Set-ADSyncAADPasswordSyncConfiguration -ErrorAction Stop).ParameterSets) {
    $names = @($set.Parameters | ForEach-Object { $_.Name })
    $missing = @($ours | Where-Object { $names -notcontains $_ })
    $foreign = @($set.Parameters | Where-Object { $_.IsMandatory -and $ours -notcontains $_.Name })
    if ($missing.Count -eq 0 -and $foreign.Count -eq 0) { $look.unattended = $true }
}
"""
    + ACCOUNT_AND_TASKS
    + r"""
$look.at = Get-UtcText
return $look
"""
)

# The guardian lies in a task of its own before anything is switched off. It switches on exactly what was on, takes away a flag that was not there
# before and has not been used, and goes when everything is as it was and the work is over.
GUARDIAN = (
    "$ErrorActionPreference = 'Stop'"
    + TASKS
    + OWN
    + REMOVE
    + EMPTY
    + IMPORT
    + _CHANNEL
    + _STATE
    + _SET
    + GUARDIAN_BEGIN
    + r"""
$well = $true
try {
    Import-Engine
    foreach ($one in @($p.channels)) {
        try {
            $untouched = Test-Channel $one.source
            if (-not $untouched) { Set-Channel $one.source $one.target $true }
            if (-not (Test-Channel $one.source)) { $well = $false }
            if (-not $working -and $untouched -and -not $one.flag) {
                $connector = Get-ADSyncConnector -Name $one.source -ErrorAction Stop
                if (Test-Flag $connector) {
                    $null = $connector.GlobalParameters.Remove($flagName)
                    $null = Add-ADSyncConnector -Connector $connector -ErrorAction Stop
                }
            }
        } catch { $well = $false }
    }
} catch { $well = $false }
if ($well -and -not $working) { Remove-Guardian }
"""
)

# Parameters: channels - {source, target, flag} of those to force, all of them on; guardian - its script; delay - when it is due, in seconds;
# busy_seconds - how long a busy connector is awaited. Nothing is changed before the guardian lies there.
FORCE = (
    "param($p)"
    + TASKS
    + OWN
    + REMOVE
    + CREATE
    + GUARD
    + IMPORT
    + _CHANNEL
    + _STATE
    + _SET
    + _BUSY
    + r"""
Import-Engine
$outcome = @{ requested = Get-UtcText; busy = @(); off = @(); channels = @(); guarded = $false }
$names = @($p.channels | ForEach-Object { $_.source })
foreach ($name in $names) { if (-not (Test-Channel $name)) { $outcome.off += $name } }
$outcome.busy = @(Get-Busy | Where-Object { $names -contains $_ })
if ($outcome.off.Count -gt 0 -or $outcome.busy.Count -gt 0) { return $outcome }
$guardian = 'guardian-' + $p.stamp
$list = ConvertTo-Json -InputObject @{ work = 'work-' + $p.stamp; channels = @($p.channels) } -Compress -Depth 4
$list = [regex]::Replace($list, '[^\x20-\x7e]', { param($match) '\u{0:x4}' -f [int][char]$match.Value })
New-Guardian $guardian $list $p.guardian $p.delay
$outcome.guarded = $true
foreach ($one in $p.channels) {
    $channel = @{ source = $one.source; flagged = $false; off = $false; on = $false; error = $null; enabled = $null; flag = $null; at = $null }
    $outcome.channels += $channel
    try {
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        while (@(Get-Busy) -contains $one.source) {
            if ($watch.Elapsed.TotalSeconds -gt $p.busy_seconds) { throw (New-Object -TypeName System.TimeoutException -ArgumentList 'the connector is busy') }
            Start-Sleep -Milliseconds 500
        }
        $null = (Get-TaskService).GetFolder('\hybrid.identity').GetTask($guardian)
        $connector = Get-ADSyncConnector -Name $one.source -ErrorAction Stop
        $type = 'Microsoft.IdentityManagement.PowerShell.ObjectModel.ConfigurationParameter'
        $parameter = New-Object -TypeName $type -ArgumentList $flagName, String, ConnectorGlobal, $null, $null, $null
        $parameter.Value = 1
        $null = $connector.GlobalParameters.Remove($parameter.Name)
        $null = $connector.GlobalParameters.Add($parameter)
        $channel.at = Get-UtcText
        $channel.flagged = $true
        $null = Add-ADSyncConnector -Connector $connector -ErrorAction Stop
        $channel.off = $true
        Set-Channel $one.source $one.target $false
        Set-Channel $one.source $one.target $true
        $channel.on = $true
    } catch { $channel.error = ConvertTo-ErrorObject $_ }
    $again = $false
    foreach ($try in 1..5) {
        try {
            $channel.enabled = Test-Channel $one.source
            if ($channel.enabled) { break }
            $again = $true
            Set-Channel $one.source $one.target $true
        } catch {
            if ($null -eq $channel.error) { $channel.error = ConvertTo-ErrorObject $_ }
        }
        Start-Sleep -Milliseconds 400
    }
    if ($channel.enabled -and $channel.flagged -and -not $channel.on -and -not $again -and -not $one.flag) {
        try {
            $connector = Get-ADSyncConnector -Name $one.source -ErrorAction Stop
            $null = $connector.GlobalParameters.Remove($flagName)
            $null = Add-ADSyncConnector -Connector $connector -ErrorAction Stop
        } catch { }
    }
    try { $channel.flag = Test-Flag (Get-ADSyncConnector -Name $one.source -ErrorAction Stop) } catch { }
}
if (@($outcome.channels | Where-Object { $_.enabled -ne $true }).Count -eq 0) {
    Remove-OneShot $guardian $env:HYBRID_IDENTITY_TEMP
    $outcome.guarded = $false
}
return $outcome
"""
)

# Parameters: channels - {source, target}; enable; earlier - the stamp of work whose guardian goes once everything is on, or empty.
SWITCH = (
    "param($p)"
    + TASKS
    + OWN
    + REMOVE
    + IMPORT
    + _STATE
    + _SET
    + FORGET_EARLIER
    + r"""
Import-Engine
$outcome = @{ at = Get-UtcText; channels = @() }
$well = $true
foreach ($one in $p.channels) {
    $channel = @{ source = $one.source; error = $null; enabled = $null }
    try { Set-Channel $one.source $one.target $p.enable } catch { $channel.error = ConvertTo-ErrorObject $_ }
    try { $channel.enabled = Test-Channel $one.source } catch { if ($null -eq $channel.error) { $channel.error = ConvertTo-ErrorObject $_ } }
    if ($channel.enabled -ne $p.enable) { $well = $false }
    $outcome.channels += $channel
}
if ($well) { Remove-Earlier }
return $outcome
"""
)

# The Application log, in pages. Parameters: query - which ids, since when, or what lies after a record; after - that record; most, most_characters -
# of a page; seconds - how long something new is awaited; providers - a pattern. Sources are told by a pattern because their spelling differs.
EVENTS = (
    "param($p)"
    + PACK
    + r"""
$page = @{ at = $null; source = $null; oldest = $null; newest = $null; last = [int64]$p.after; more = $false; packed = '' }
if ($p.check_source) {
    try {
        $null = @(Get-WinEvent -ListProvider 'Directory Synchroni*ation' -ErrorAction Stop)
        $page.source = $true
    } catch {
        if ($_.FullyQualifiedErrorId -notlike 'NoMatchingProvidersFound*') { throw }
        $page.source = $false
    }
}
function Get-Edge($Oldest) {
    try {
        foreach ($event in @(Get-WinEvent -LogName Application -MaxEvents 1 -Oldest:$Oldest -ErrorAction Stop)) {
            return @{ record = [int64]$event.RecordId; at = $event.TimeCreated.ToUniversalTime().ToString('o') }
        }
    } catch {
        if ($_.FullyQualifiedErrorId -notlike 'NoMatchingEventsFound*') { throw }
    }
    return $null
}
$watch = [System.Diagnostics.Stopwatch]::StartNew()
$rows = @()
while ($true) {
    $page.newest = Get-Edge $false
    $found = @()
    try { $found = @(Get-WinEvent -LogName Application -FilterXPath $p.query -Oldest -MaxEvents $p.most -ErrorAction Stop) } catch {
        if ($_.FullyQualifiedErrorId -notlike 'NoMatchingEventsFound*') { throw }
    }
    $characters = 0
    $page.more = $found.Count -ge $p.most
    foreach ($event in $found) {
        $page.last = [int64]$event.RecordId
        if ([string]$event.ProviderName -notmatch $p.providers) { continue }
        $text = [string]$event.Message
        if (-not $text) { $text = @($event.Properties | ForEach-Object { [string]$_.Value }) -join "`r`n" }
        if ($text.Length -gt $p.longest) { $text = $text.Substring(0, $p.longest) }
        $characters += $text.Length
        $rows += , @([int]$event.Id, [int64]$event.RecordId, $event.TimeCreated.ToUniversalTime().ToString('o'), [string]$event.ProviderName, $text)
        if ($characters -ge $p.most_characters) {
            $page.more = $true
            break
        }
    }
    if ($rows.Count -gt 0 -or $page.more -or $watch.Elapsed.TotalSeconds -ge $p.seconds) { break }
    Start-Sleep -Milliseconds $p.step_ms
}
if (-not $page.more -and $null -ne $page.newest -and $page.newest.record -gt $page.last) { $page.last = $page.newest.record }
$page.oldest = Get-Edge $true
$page.packed = ConvertTo-Packed $rows 3
$page.at = Get-UtcText
return $page
"""
)

# Who is meant by a user principal name or an account name: the connector space, page by page. Parameters: sources; names - in lower case; page.
PEOPLE = (
    "param($p)"
    + IMPORT
    + r"""
Import-Engine
$wanted = @{}
foreach ($name in $p.names) { $wanted[$name] = $true }
$found = @()
foreach ($source in $p.sources) {
    $start = 0
    while ($true) {
        $objects = @(Get-ADSyncCSObject -ConnectorName $source -StartIndex $start -MaxResultCount $p.page -ErrorAction Stop)
        foreach ($object in $objects) {
            foreach ($attribute in $object.Attributes) {
                if (('userPrincipalName', 'sAMAccountName') -notcontains $attribute.Name) { continue }
                foreach ($value in $attribute.Values) {
                    $key = ([string]$value).ToLowerInvariant()
                    if ($wanted.ContainsKey($key)) { $found += @{ name = $key; dn = [string]$object.DistinguishedName; connector = $source } }
                }
            }
        }
        if ($objects.Count -lt $p.page) { break }
        $start += $p.page
    }
}
return @{ found = @($found) }
"""
)

#: what is called over the direct way, by the local route, or in a lasting task; and what the guardian's task runs
SCRIPTS = {"look": LOOK, "force": FORCE, "switch": SWITCH, "events": EVENTS, "people": PEOPLE, "guardian": GUARDIAN}
