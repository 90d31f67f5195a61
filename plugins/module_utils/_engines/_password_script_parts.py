# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What the password scripts of every engine have in common: who asks, which work is under way, and the guardian's frame. Private to the collection.

They are put behind TASKS, OWN, REMOVE and EMPTY of _lasting_script as far as they call them. Nothing here needs more than Windows PowerShell 3.0.
"""

from __future__ import annotations

# At the end of a look: whether the account is in the group that may change the engine, and which tasks of ours there are. $p.group names it.
ACCOUNT_AND_TASKS = r"""
try {
    $group = (New-Object -TypeName System.Security.Principal.NTAccount -ArgumentList $p.group).Translate([System.Security.Principal.SecurityIdentifier]).Value
    $groups = [System.Security.Principal.WindowsIdentity]::GetCurrent().Groups
    $look.admin = @($groups | ForEach-Object { $_.Value }) -contains $group
} catch { $look.problems['group'] = ConvertTo-ErrorObject $_ }
try {
    $tasks = (Get-TaskService).GetFolder('\hybrid.identity').GetTasks(1)
    for ($i = 1; $i -le $tasks.Count; $i++) { $look.tasks += @{ name = [string]$tasks.Item($i).Name; running = [int]$tasks.Item($i).State -eq 4 } }
} catch { }
"""

# The guardian knows itself by its folder, what it guards by the file in it, and whether the work that it waits for goes on.
GUARDIAN_BEGIN = r"""
$name = (Split-Path -Path $PSScriptRoot -Leaf).Substring('hybrid.identity-'.Length)
$p = ConvertFrom-Json (Get-Content -LiteralPath (Join-Path $PSScriptRoot 'channels.json') -Raw)
$working = $false
try { $working = [int](Get-TaskService).GetFolder('\hybrid.identity').GetTask($p.work).State -eq 4 } catch { }
function Remove-Guardian {
    $temp = Split-Path -Path $PSScriptRoot
    Remove-OneShot $p.work $temp
    Remove-OneShot $name $temp
    Remove-EmptyTaskFolder
}
"""

# A later task of ours has put right what an earlier one left: $p.earlier is the stamp of that, or empty.
FORGET_EARLIER = r"""
function Remove-Earlier {
    if (-not $p.earlier) { return }
    Remove-OneShot ('guardian-' + $p.earlier) $env:HYBRID_IDENTITY_TEMP
    Remove-OneShot ('work-' + $p.earlier) $env:HYBRID_IDENTITY_TEMP
}
"""
