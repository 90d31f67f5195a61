# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The PowerShell of DirSync's scheduler service and its configuration file. Private to the collection.

Scripts take one hashtable and return one hashtable; see _windows_scripts for what they may use. What stands in the file is nothing to them.
"""

from __future__ import annotations

from ._fim_scripts import OPEN_LOCK, WMI_AGENTS, WMI_BUSY, WMI_NUMBERS, WMI_ROWS

_FILE = r"""
$path = $p.folder + '\Microsoft.Online.DirSync.Scheduler.exe.config'
function Read-Config {
    [byte[]]$bytes = Get-Content -LiteralPath $path -Encoding Byte -ReadCount 0 -ErrorAction Stop
    return [Convert]::ToBase64String($bytes)
}
"""

LOOK = (
    "param($p)"
    + _FILE
    + WMI_AGENTS
    + WMI_BUSY
    + r"""
$look = @{ config = $null; problem = $null; busy = @(); unrest = $null }
try { $look.config = Read-Config } catch { $look.problem = ConvertTo-ErrorObject $_ }
try { $look.busy = @(Read-WmiBusy) } catch { $look.unrest = ConvertTo-ErrorObject $_ }
return $look
"""
)

# Runs in a task of its own, so that no connection that breaks leaves the service stopped. Parameters: folder; before, after - the whole file in
# base64; lock_seconds, quiet_seconds, step_ms. A cycle dies with the scheduler service, and between two of its steps everything looks idle:
# nothing is written before nothing has run for a while, and no start of this collection comes between (the lock).
SET = (
    "param($p)"
    + _FILE
    + WMI_AGENTS
    + WMI_BUSY
    + WMI_ROWS
    + WMI_NUMBERS
    + OPEN_LOCK
    + r"""
$outcome = @{ busy = $false; differs = $false; written = $false; restarted = $false; service = $null; error = $null }
$service = 'MSOnlineSyncScheduler'
function Read-ServiceStatus { return [int](Get-Service -Name $service -ErrorAction Stop).Status }
$lock = Open-Lock $p.lock_seconds
try {
    $since = (Get-Date).ToUniversalTime().AddDays(-30)
    $numbers = Read-WmiNumbers $since
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    $looks = 0
    while ($looks -lt 3 -or $watch.Elapsed.TotalSeconds -lt $p.quiet_seconds) {
        $signs = @(Find-NewRuns $numbers (Read-WmiNumbers $since)) + @(Read-WmiBusy)
        $outcome.busy = $signs.Count -gt 0
        if ($outcome.busy) { return $outcome }
        $looks++
        Start-Sleep -Milliseconds $p.step_ms
    }
    $outcome.differs = (Read-Config) -cne $p.before
    if ($outcome.differs) { return $outcome }
    Set-Content -LiteralPath $path -Value ([Convert]::FromBase64String($p.after)) -Encoding Byte -ErrorAction Stop
    $outcome.written = $true
    Restart-Service -Name $service -ErrorAction Stop
    $outcome.restarted = $true
    $outcome.service = Read-ServiceStatus
} catch {
    $outcome.error = ConvertTo-ErrorObject $_
    if ($outcome.written) {
        try {
            Start-Service -Name $service -ErrorAction Stop
            $outcome.service = Read-ServiceStatus
        } catch { $null = $_ }
    }
} finally {
    if ($null -ne $lock) { $lock.Dispose() }
}
return $outcome
"""
)

#: every script of the scheduler by name
SCRIPTS = {"look": LOOK, "set": SET}
