# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The local route: a call that runs outside the network logon, in a one-shot scheduled task on the server.

The engine's named pipe refuses network logons; a task with logon type S4U is none. The request lies in a folder that
only the connecting user (and the system) can open; task and folder go away in `finally`, and what a crash left behind is swept by the next
call. Source of the way round: field reports of a scheduled task with logon type S4U, run as a member of ADSyncAdmins.
This is private to the collection.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

from ._call import Answer, RemoteError, RemoteShell, open_envelope, read_envelope, request_document
from ._shape import Shape, flag, optional, record, text, whole

#: how old (in hours) a left-over has to be before it is swept: no call lives that long
_LEFTOVER_HOURS = 1

# What the scheduled task runs. It finds its folder by itself, so nothing is formatted into it.
RUNNER = r"""$ErrorActionPreference = 'Stop'
$request = ConvertFrom-Json (Get-Content -LiteralPath (Join-Path $PSScriptRoot 'request.json') -Raw)
$answer = & ([ScriptBlock]::Create($request.run)) $request
Set-Content -LiteralPath (Join-Path $PSScriptRoot 'answer.partial') -Value $answer -Encoding ASCII
Rename-Item -LiteralPath (Join-Path $PSScriptRoot 'answer.partial') -NewName 'answer.json'
"""

LOCAL_ROUTE = r"""param($p)
$taskPath = '\hybrid.identity\'
foreach ($old in @(Get-ScheduledTask -TaskPath $taskPath -ErrorAction SilentlyContinue)) {
    if ([string]::CompareOrdinal([string]$old.TaskName, [string]$p.leftover) -lt 0) {
        Unregister-ScheduledTask -TaskPath $taskPath -TaskName $old.TaskName -Confirm:$false -ErrorAction SilentlyContinue
    }
}
foreach ($old in @(Get-ChildItem -LiteralPath $env:TEMP -Filter 'hybrid.identity-*')) {
    if ([string]::CompareOrdinal($old.Name, 'hybrid.identity-' + $p.leftover) -lt 0) {
        Remove-Item -LiteralPath $old.FullName -Recurse -Force -ErrorAction SilentlyContinue
    }
}
$sid = @((whoami.exe /user /fo csv /nh) -split '"')[3]
$folder = Join-Path $env:TEMP ('hybrid.identity-' + $p.name)
$registered = $false
try {
    $null = New-Item -ItemType Directory -Path $folder
    $null = icacls.exe $folder /inheritance:r /grant:r ('*' + $sid + ':(OI)(CI)F') '*S-1-5-18:(OI)(CI)F'
    if ($LASTEXITCODE -ne 0) { throw "icacls.exe ended with $LASTEXITCODE" }
    Set-Content -LiteralPath (Join-Path $folder 'request.json') -Value $p.request -Encoding ASCII
    Set-Content -LiteralPath (Join-Path $folder 'run.ps1') -Value $p.runner -Encoding ASCII
    $arguments = '-NoProfile -NonInteractive -ExecutionPolicy Bypass -File "' + (Join-Path $folder 'run.ps1') + '"'
    $action = New-ScheduledTaskAction -Execute 'powershell.exe' -Argument $arguments -ErrorAction Stop
    $principal = New-ScheduledTaskPrincipal -UserId $sid -LogonType S4U -RunLevel Highest -ErrorAction Stop
    $null = Register-ScheduledTask -TaskPath $taskPath -TaskName $p.name -Action $action -Principal $principal -ErrorAction Stop
    $registered = $true
    Start-ScheduledTask -TaskPath $taskPath -TaskName $p.name -ErrorAction Stop
    $answer = Join-Path $folder 'answer.json'
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    $idle = 0
    while (-not (Test-Path -LiteralPath $answer)) {
        $state = [int](Get-ScheduledTask -TaskPath $taskPath -TaskName $p.name -ErrorAction Stop).State
        if ($state -eq 3) { $idle++ } else { $idle = 0 }
        if ($idle -ge 20 -or $watch.Elapsed.TotalSeconds -ge $p.seconds) {
            $info = Get-ScheduledTaskInfo -TaskPath $taskPath -TaskName $p.name -ErrorAction Stop
            return @{ answered = $false; state = $state; last_result = [int64]$info.LastTaskResult }
        }
        Start-Sleep -Milliseconds 250
    }
    return @{ answered = $true; text = [string](Get-Content -LiteralPath $answer -Raw) }
} finally {
    if ($registered) { Unregister-ScheduledTask -TaskPath $taskPath -TaskName $p.name -Confirm:$false -ErrorAction SilentlyContinue }
    Remove-Item -LiteralPath $folder -Recurse -Force -ErrorAction SilentlyContinue
}
"""


class LocalRouteClosed(Exception):
    """The local route cannot be used; the message is one sentence that names what is missing."""


_OUTER_SHAPE = record(answered=flag, text=optional(text), state=optional(whole), last_result=optional(whole))


def call_locally(
    shell: RemoteShell, name: str, script: str, parameters: dict[str, Any], *, shape: Shape, timeout: float, server_now: datetime
) -> Answer:
    """Run a script on the server outside the network logon; it must be safe to repeat.

    Args:
        shell: the direct transport to the server.
        name, script, parameters, timeout: as in RemoteShell.call; timeout is for the script in the task, in seconds.
        server_now: the server's clock, which names the task, so that left-overs can be told from living ones.

    Raises:
        LocalRouteClosed: the task could not be registered, did not start, or gave no answer.
        RemoteError: the script itself failed.
        TransportError: the call could not be carried.
    """
    marker = "#" + secrets.token_hex(8) + "#"
    request = request_document(script, parameters, marker)
    try:
        outer = shell.call(
            name + " (local)",
            LOCAL_ROUTE,
            {
                "name": f"{server_now:%Y%m%d%H%M%S}-{secrets.token_hex(6)}",
                "leftover": f"{server_now - timedelta(hours=_LEFTOVER_HOURS):%Y%m%d%H%M%S}",
                "request": request,
                "runner": RUNNER,
                "seconds": max(min(timeout, shell.deadline.left() - 1.0), 1.0),
            },
            shape=_OUTER_SHAPE,
            timeout=timeout + 30,
            repeatable=True,
        )
    except RemoteError as error:
        raise LocalRouteClosed(
            f"the account may not run a one-shot scheduled task on the server ({error.type}, 0x{error.hresult & 0xFFFFFFFF:08X}): "
            "that takes a local administrator with the right to log on as a batch job"
        ) from error
    if not outer.data["answered"]:
        raise LocalRouteClosed(
            f"the scheduled task gave no answer (state {outer.data['state']}, last result 0x{int(outer.data['last_result'] or 0) & 0xFFFFFFFF:08X})"
        )
    envelope = read_envelope(str(outer.data["text"] or "").encode("ascii", errors="replace"), marker)
    if envelope is None:
        raise LocalRouteClosed("the answer of the scheduled task could not be read")
    return open_envelope(envelope, shape, outer.lead)
