# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The PowerShell of the connect engine's scheduler. Private to the collection.

Scripts take one hashtable and return one hashtable; see _windows_scripts for what they may use.
"""

from __future__ import annotations

from ._connect_scripts import IMPORT

_READ = r"""
function Read-Schedule {
    $scheduler = Get-ADSyncScheduler
    $schedule = @{
        enabled = [bool]$scheduler.SyncCycleEnabled
        suspended = [bool]$scheduler.SchedulerSuspended
        staging = [bool]$scheduler.StagingModeEnabled
        next_type = [string]$scheduler.NextSyncCyclePolicyType
        allowed_interval = [double]$scheduler.AllowedSyncCycleInterval.TotalSeconds
        effective_interval = [double]$scheduler.CurrentlyEffectiveSyncCycleInterval.TotalSeconds
        customized_interval = $null
    }
    $customized = $scheduler.CustomizedSyncCycleInterval
    if ($null -ne $customized) { $schedule.customized_interval = [double]$customized.TotalSeconds }
    return $schedule
}
"""

LOOK = (
    "param($p)"
    + IMPORT
    + _READ
    + r"""
Import-Engine
return Read-Schedule
"""
)

# Parameters: enabled, policy, seconds - each may be null; standard - take the interval that was set away. What goes together goes in one call.
# Microsoft says that null takes the interval away; whether every build takes null is not known, and the allowed interval means the same.
SET = (
    "param($p)"
    + IMPORT
    + _READ
    + r"""
Import-Engine
$settings = @{}
if ($null -ne $p.enabled) { $settings.SyncCycleEnabled = [bool]$p.enabled }
if ($null -ne $p.policy) { $settings.NextSyncCyclePolicyType = $p.policy }
if ($null -ne $p.seconds) { $settings.CustomizedSyncCycleInterval = [timespan]::FromSeconds($p.seconds) }
if ($p.standard) {
    try { Set-ADSyncScheduler -CustomizedSyncCycleInterval $null -ErrorAction Stop } catch [System.Management.Automation.ParameterBindingException] {
        $settings.CustomizedSyncCycleInterval = (Get-ADSyncScheduler).AllowedSyncCycleInterval
    }
}
if ($settings.Count -gt 0) { Set-ADSyncScheduler @settings -ErrorAction Stop }
return Read-Schedule
"""
)

#: every script of the scheduler by name
SCRIPTS = {"look": LOOK, "set": SET}
