# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""PowerShell that the scripts of every engine are put together from: what is installed, times, events. Private to the collection.

Everything that can reach a server of an older engine has to run on Windows PowerShell 3.0 and .NET Framework 4.0: no static `new`, no
Where and ForEach methods, no StartType of a service, no HResult of an exception (protected there), no cmdlet of the module ScheduledTasks.
The functions see those of the call's envelope (ConvertTo-ErrorObject, Get-UtcText) because they run inside it.
"""

from __future__ import annotations

from .._remote._compact import compact

# A folder on a drive that this session lacks is an error for Join-Path, so names are put together as text.
SURVEY = r"""
function Get-RegistryText($Key, $Name) {
    try { return [string](Get-ItemProperty -LiteralPath ('HKLM:\' + $Key) -Name $Name -ErrorAction Stop).$Name } catch { return '' }
}
function Get-ParentFolder($Image) {
    # An ImagePath may be quoted, and have arguments behind the program.
    if ($Image -match '^\s*"([^"]+)"') { $Image = $Matches[1] } elseif ($Image -match '^(.+?\.exe)(\s|$)') { $Image = $Matches[1] }
    return $Image -replace '\\[^\\]*$', ''
}
function Get-FileVersion($Path) { return [string](Get-Item -LiteralPath $Path -ErrorAction Stop).VersionInfo.FileVersion }
function Find-DirSync {
    $key = 'SOFTWARE\Microsoft\MSOLCoExistence'
    $folders = @(
        (Get-RegistryText $key 'InstallPath'), (Get-RegistryText ($key + '\CurrentVersion') 'InstallationPath'),
        (Get-ParentFolder (Get-RegistryText 'SYSTEM\CurrentControlSet\Services\MSOnlineSyncScheduler' 'ImagePath')),
        ($env:SystemDrive + '\Program Files\Windows Azure Active Directory Sync'), ($env:SystemDrive + '\Program Files\Microsoft Online Directory Sync')
    )
    $known = @()
    foreach ($folder in $folders) {
        $folder = $folder.TrimEnd('\')
        if (-not $folder -or $known -contains $folder) { continue }
        $known += $folder
        $found = @{ path = $folder; version = $null }
        $found.module = [bool](Test-Path -LiteralPath ($folder + '\dirsync\DirSync.psd1'))
        $found.console_file = [bool](Test-Path -LiteralPath ($folder + '\DirSyncConfigShell.psc1'))
        try { $found.version = Get-FileVersion ($folder + '\Microsoft.Online.DirSync.Scheduler.exe') } catch { $null = $_ }
        if ($found.module -or $found.console_file -or $found.version) { $found }
    }
}
function Read-Survey($Problems) {
    $survey = @{ services = @{}; wizard = $false; wizard_version = $null; bin_folder = $null; engine_version = $null; exe = $false; dirsync = @() }
    foreach ($name in 'ADSync', 'FIMSynchronizationService', 'MSOnlineSyncScheduler', 'AADConnectProvisioningAgent') {
        if (-not (Test-Path -LiteralPath ('HKLM:\SYSTEM\CurrentControlSet\Services\' + $name))) { continue }
        $survey.services[$name] = $null
        try { $survey.services[$name] = [int](Get-Service -Name $name -ErrorAction Stop).Status } catch { $Problems['services'] = ConvertTo-ErrorObject $_ }
    }
    if ($survey.services.ContainsKey('ADSync')) {
        $survey.bin_folder = Get-ParentFolder (Get-RegistryText 'SYSTEM\CurrentControlSet\Services\ADSync' 'ImagePath')
        try {
            $wizard = [string](Get-ItemProperty -LiteralPath 'HKLM:\SOFTWARE\Microsoft\Azure AD Connect' -Name WizardPath -ErrorAction Stop).WizardPath
            $survey.wizard = $wizard -ne ''
            $survey.wizard_version = Get-FileVersion $wizard
        } catch {
            $Problems['version'] = ConvertTo-ErrorObject $_
            try { $survey.engine_version = Get-FileVersion ($survey.bin_folder + '\miiserver.exe') } catch { $null = $_ }
        }
        $survey.exe = [bool](Test-Path -LiteralPath ($survey.bin_folder + '\DirectorySyncClientCmd.exe'))
    } elseif ($survey.services.ContainsKey('MSOnlineSyncScheduler')) {
        $survey.dirsync = @(Find-DirSync)
    }
    return $survey
}
"""

# The engine's own times are UTC whatever their Kind says. Bounds that come from this collection are round-trip text.
AS_UTC = r"""
function Format-AsUtc($Moment) {
    if ($null -eq $Moment) { return $null }
    return [datetime]::SpecifyKind($Moment, [System.DateTimeKind]::Utc).ToString('o')
}
"""
ROUND_TRIP = r"""
function ConvertFrom-RoundTrip($Text) {
    return [datetime]::Parse($Text, [cultureinfo]::InvariantCulture, [System.Globalization.DateTimeStyles]'AdjustToUniversal')
}
"""

# Providers are asked one by one: the name of one that does not exist fails the whole question. Besides errors, these are told in the
# server's own words: runs that failed or had errors, sign-in and export that were refused, deletions that were held back.
EVENTS = r"""
function Read-Events($Since) {
    $telling = 0, 106, 109, 115, 116, 6000, 6012, 6100, 6105, 6110, 6126, 6127, 6801, 6803, 6900, 6941
    $counts = @{}
    $errors = @()
    foreach ($provider in $eventProviders) {
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
"""

SURVEY_ALONE = compact(
    "param($p)"
    + SURVEY
    + r"""
$answer = @{ problems = @{} }
$answer.survey = Read-Survey $answer.problems
return $answer
"""
)
