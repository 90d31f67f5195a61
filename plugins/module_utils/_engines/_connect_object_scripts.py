# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The PowerShell that synchronises single objects on the connect engine. Private to the collection.

The recipe is Microsoft's (how-to-connect-single-object-sync): nothing runs, scheduler off, the cmdlet for each object, scheduler on again.
"""

from __future__ import annotations

from .._remote._lasting_script import NEW_FOLDER, OWN, TASKS
from ._connect_scripts import BUSY, IMPORT, STATE
from ._packed import PACK

# A folder that bears the stamp of the work says that the scheduler is off because of it. It is made before the scheduler is switched off, and
# goes when it is on again: where it is left and no such work runs, somebody has to switch the scheduler on.
_LEFT_OFF = r"""
function Read-LeftOff {
    foreach ($folder in @(Get-ChildItem -LiteralPath $env:TEMP -Filter 'hybrid.identity-scheduler-*')) {
        if (-not (Test-OwnFolder $folder.FullName)) { continue }
        $left = @{ folder = [string]$folder.FullName; running = $false }
        try {
            $name = 'work-' + $folder.Name.Substring('hybrid.identity-scheduler-'.Length)
            $left.running = [int](Get-TaskService).GetFolder('\hybrid.identity').GetTask($name).State -eq 4
        } catch {
            # What cannot be looked at may be running; what is not there is not.
            $left.running = @((ConvertTo-ErrorObject $_).causes | Where-Object { $_.hresult -eq -2147024894 }).Count -eq 0
        }
        return $left
    }
    return $null
}
"""

LOOK = (
    "param($p)"
    + TASKS
    + OWN
    + IMPORT
    + BUSY
    + STATE
    + _LEFT_OFF
    + r"""
Import-Engine
return @{ state = Read-State; left_off = Read-LeftOff }
"""
)

_ON = r"""
function Switch-On($Mark) {
    Set-ADSyncScheduler -SyncCycleEnabled $true -ErrorAction Stop
    if (-not [bool](Get-ADSyncScheduler).SyncCycleEnabled) { return $false }
    if (Test-OwnFolder $Mark) { [System.IO.Directory]::Delete($Mark) }
    return $true
}
"""

# Parameters: folder - of the mark.
RESTORE = (
    "param($p)"
    + OWN
    + IMPORT
    + _ON
    + r"""
Import-Engine
return @{ on = Switch-On $p.folder }
"""
)

# Parameters: objects - distinguished names; proceed_when_off - also where the scheduler is off; stamp; seconds - no further object is begun after
# so many; throttled - what the error code of an object looks like that was not done because too many were. The summaries go back packed:
# each has every attribute in it. The engine needs no pause between two objects.
SYNCHRONISE = (
    "param($p)"
    + OWN
    + NEW_FOLDER
    + IMPORT
    + BUSY
    + STATE
    + PACK
    + _ON
    + r"""
function Test-Throttled($Text) {
    if ($Text -notmatch '(?s)\{.*\}') { return $false }
    try { $summary = ConvertFrom-Json $Matches[0] } catch { return $false }
    foreach ($one in @($summary)) {
        foreach ($status in $one.provisioningStatusInfo, $one.statusInfo) {
            if ($null -ne $status -and [string]$status.errorInformation.errorCode -match $p.throttled) { return $true }
        }
    }
    return $false
}
$watch = [System.Diagnostics.Stopwatch]::StartNew()
Import-Engine
$image = [string](Get-ItemProperty -LiteralPath 'HKLM:\SYSTEM\CurrentControlSet\Services\ADSync' -Name ImagePath).ImagePath
Import-Module -Name (($image.Trim('"') -replace '\\[^\\]*$', '') + '\ADSyncDiagnostics\ADSyncDiagnostics.psm1')
$outcome = @{ before = Read-State; requested = $null; after = $null; packed = ''; problem = $null }
$outcome.after = $outcome.before
$was = $outcome.before.enabled
if ($outcome.before.staging -or $outcome.before.suspended -or (-not $was -and -not $p.proceed_when_off)) { return $outcome }
if ($outcome.before.in_progress -or $outcome.before.busy.Count -gt 0) { return $outcome }
$mark = Join-Path $env:HYBRID_IDENTITY_TEMP ('hybrid.identity-scheduler-' + $p.stamp)
if ($was) { New-OwnFolder $mark }
$rows = @()
try {
    if ($was) { Set-ADSyncScheduler -SyncCycleEnabled $false -ErrorAction Stop }
    # It may have begun a cycle between the look and the switch.
    $outcome.after = Read-State
    if (-not $outcome.after.in_progress -and $outcome.after.busy.Count -eq 0) {
        $outcome.requested = Get-UtcText
        foreach ($name in $p.objects) {
            if ($watch.Elapsed.TotalSeconds -ge $p.seconds) { break }
            $row = @{ dn = $name; text = ''; error = $null }
            try {
                $lines = @(Invoke-ADSyncSingleObjectSync -DistinguishedName $name -NoHtmlReport -ErrorAction Stop | ForEach-Object { [string]$_ })
                $row.text = $lines -join "`n"
            } catch { $row.error = ConvertTo-ErrorObject $_ }
            $rows += $row
            if (Test-Throttled $row.text) { break }
        }
    }
} finally {
    foreach ($again in 1..5) {
        if (-not $was) { break }
        try {
            $outcome.problem = $null
            if (Switch-On $mark) { break }
        } catch { $outcome.problem = ConvertTo-ErrorObject $_ }
        Start-Sleep -Milliseconds 400
    }
}
try { $outcome.after = Read-State } catch { $outcome.problem = ConvertTo-ErrorObject $_ }
$outcome.packed = ConvertTo-Packed $rows 6
return $outcome
"""
)

#: every script by name: what is called over the direct way, by the local route, or in lasting work
SCRIPTS = {"look": LOOK, "restore": RESTORE, "synchronise": SYNCHRONISE}
