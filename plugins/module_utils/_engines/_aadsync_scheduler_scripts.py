# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The PowerShell of the scheduled task that starts the cycles of AAD Sync. Private to the collection.

Scripts take one hashtable and return one hashtable; see _windows_scripts for what they may use.
"""

from __future__ import annotations

_FOLDER = r"""
$service = New-Object -ComObject Schedule.Service
$service.Connect()
$folder = $service.GetFolder('\')
"""

# Which trigger it is that repeats is told by its place, for an update takes the one that was looked at.
LOOK = (
    "param($p)"
    + _FOLDER
    + r"""
$found = @{ enabled = $null; interval = $null; trigger = 0; logon_type = $null; problem = $null; administrator = $false }
$groups = [System.Security.Principal.WindowsIdentity]::GetCurrent().Groups
$found.administrator = @($groups | Where-Object { $_.Value -eq 'S-1-5-32-544' }).Count -gt 0
try {
    $task = $folder.GetTask('Azure AD Sync Scheduler')
    $definition = $task.Definition
    $found.logon_type = [int]$definition.Principal.LogonType
    for ($i = $definition.Triggers.Count; $i -ge 1; $i--) {
        $interval = [string]$definition.Triggers.Item($i).Repetition.Interval
        if ($interval) {
            $found.interval = $interval
            $found.trigger = $i
        }
    }
    $found.enabled = [bool]$task.Enabled
} catch { $found.problem = ConvertTo-ErrorObject $_ }
return $found
"""
)

# Parameters: enabled, interval - each may be null; trigger - the place of the one that repeats. The definition goes back as it came, with another
# interval alone: 4 is TASK_UPDATE, which makes no task where there is none. It comes before the switch, because an update that Windows refuses
# shall leave everything as it was.
SET = (
    "param($p)"
    + _FOLDER
    + r"""
$task = $folder.GetTask('Azure AD Sync Scheduler')
if ($null -ne $p.interval) {
    $definition = $task.Definition
    $definition.Triggers.Item($p.trigger).Repetition.Interval = $p.interval
    $task = $folder.RegisterTaskDefinition('Azure AD Sync Scheduler', $definition, 4, $null, $null, [int]$definition.Principal.LogonType)
}
if ($null -ne $p.enabled) { $task.Enabled = [bool]$p.enabled }
return @{ done = $true }
"""
)

#: every script of the scheduler by name
SCRIPTS = {"look": LOOK, "set": SET}
