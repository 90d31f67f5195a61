# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
#
# Loaded after prelude.ps1 on the servers of older engines: services, registry, files, processes, WMI, snap-ins and the
# task scheduler's COM object. A path on a drive letter or below HKLM: belongs to the simulated server, any other one to this machine.

function Test-EstatePath($Path) { [string]$Path -match '^(HKLM:|[A-Za-z]:)\\' }

# What an import loads: a stand-in module, and those of its commands that this build of the product has.
function Import-EstateCommands($StandIn) {
    & (Get-RealCmdlet Import-Module) -Name (Join-Path (Join-Path $PSScriptRoot 'modules') $StandIn.file) -Function @($StandIn.commands) -Global -Force -DisableNameChecking
}

function Import-Module {
    [CmdletBinding()] param([Parameter(Position = 0)][string]$Name, [switch]$Global, [switch]$Force, [switch]$DisableNameChecking)
    $found = Invoke-Estate $PSCmdlet 'module_stand_in' @{ path = $Name }
    if ($null -eq $found) {
        $exception = [System.IO.FileNotFoundException]::new("The specified module '$Name' was not loaded because no valid module file was found in any module directory.")
        $PSCmdlet.ThrowTerminatingError([System.Management.Automation.ErrorRecord]::new($exception, 'Modules_ModuleNotFound,Microsoft.PowerShell.Commands.ImportModuleCommand', 'ResourceUnavailable', $Name))
    }
    Import-EstateCommands $found
}

function Add-PSSnapin {
    [CmdletBinding()] param([Parameter(Mandatory, Position = 0)][string]$Name)
    $found = Invoke-Estate $PSCmdlet 'snap_in' @{ name = $Name }
    if ($null -ne $found) { Import-EstateCommands $found }
}

# powershell.exe -PSConsoleFile FILE -Command TEXT (or -EncodedCommand), as the scripts of the time call it.
function powershell.exe {
    $words = @($args | ForEach-Object { $_ })
    $given = @{}
    for ($i = 0; $i -lt $words.Count; $i++) { if ("$($words[$i])" -match '^-(\w+)$') { $given[$Matches[1].ToLowerInvariant()] = if ($i + 1 -lt $words.Count) { $words[$i + 1] } } }
    $text = if ($given.ContainsKey('encodedcommand')) { [System.Text.Encoding]::Unicode.GetString([Convert]::FromBase64String($given['encodedcommand'])) } else { [string]$given['command'] }
    $loaded = $null
    if ($given.ContainsKey('psconsolefile')) {
        $loaded = Invoke-Estate $ExecutionContext 'console_file' @{ path = [string]$given['psconsolefile'] }
        if ($null -eq $loaded) { $global:LASTEXITCODE = -1; return "Cannot load Windows PowerShell console file `"$($given['psconsolefile'])`"." }
        Import-EstateCommands $loaded
    }
    $global:LASTEXITCODE = 0
    try { & ([ScriptBlock]::Create($text)) } catch { $global:LASTEXITCODE = 1; "$_" } finally {
        if ($null -ne $loaded) { Remove-Module -Name ([IO.Path]::GetFileNameWithoutExtension($loaded.file)) -ErrorAction SilentlyContinue }
    }
}

# whoami.exe /user and /groups, as CSV without a headline.
function whoami.exe {
    if ($args -notcontains '/groups') { return "`"$($env:LAB_USER)`",`"S-1-5-21-1004336348-1177238915-682003330-1104`"" }
    foreach ($sid in @(Invoke-Estate $ExecutionContext 'own_groups' @{})) { "`"$sid`",`"Alias`",`"$sid`",`"Enabled group`"" }
}

# -- registry and files

function Test-Path {
    [CmdletBinding()] param([Parameter(Position = 0)][string]$Path, [string]$LiteralPath, [string]$PathType)
    $asked = if ($LiteralPath) { $LiteralPath } else { $Path }
    if (Test-EstatePath $asked) { return [bool](Invoke-Estate $PSCmdlet 'path_exists' @{ path = $asked }) }
    & (Get-RealCmdlet Test-Path) @PSBoundParameters
}

function Get-ItemProperty {
    [CmdletBinding()] param([Parameter(Position = 0)][string]$Path, [string]$LiteralPath, [Parameter(Position = 1)][string]$Name)
    $asked = if ($LiteralPath) { $LiteralPath } else { $Path }
    if (-not (Test-EstatePath $asked)) { return & (Get-RealCmdlet Get-ItemProperty) @PSBoundParameters }
    $question = @{ path = $asked }
    if ($Name) { $question['name'] = $Name }
    Invoke-Estate $PSCmdlet 'registry_values' $question
}

function Set-ItemProperty {
    [CmdletBinding()] param([Parameter(Position = 0)][string]$Path, [string]$LiteralPath, [Parameter(Position = 1)][string]$Name, [Parameter(Position = 2)]$Value, [string]$Type)
    $asked = if ($LiteralPath) { $LiteralPath } else { $Path }
    $question = @{ path = $asked; name = $Name; value = $Value }
    if ($Type) { $question['kind'] = $Type }
    Invoke-Estate $PSCmdlet 'registry_set' $question
}

function New-ItemProperty {
    [CmdletBinding()] param([Parameter(Position = 0)][string]$Path, [string]$LiteralPath, [Parameter(Position = 1)][string]$Name, $Value, [string]$PropertyType = 'String', [switch]$Force)
    $asked = if ($LiteralPath) { $LiteralPath } else { $Path }
    Invoke-Estate $PSCmdlet 'registry_set' @{ path = $asked; name = $Name; value = $Value; kind = $PropertyType }
}

function Remove-ItemProperty {
    [CmdletBinding()] param([Parameter(Position = 0)][string]$Path, [string]$LiteralPath, [Parameter(Position = 1)][string]$Name)
    $asked = if ($LiteralPath) { $LiteralPath } else { $Path }
    Invoke-Estate $PSCmdlet 'registry_remove' @{ path = $asked; name = $Name }
}

function Get-Item {
    [CmdletBinding()] param([Parameter(Position = 0)][string]$Path, [string]$LiteralPath)
    $asked = if ($LiteralPath) { $LiteralPath } else { $Path }
    if (-not (Test-EstatePath $asked)) { return & (Get-RealCmdlet Get-Item) @PSBoundParameters }
    $version = Invoke-Estate $PSCmdlet 'file_version' @{ path = $asked }
    if ($null -ne $version) { [pscustomobject]@{ FullName = $asked; VersionInfo = [pscustomobject]@{ FileVersion = $version } } }
}

function Get-EstateEncoding($Name) {
    switch ($Name) {
        'Unicode' { [System.Text.Encoding]::Unicode }
        'ASCII' { [System.Text.Encoding]::ASCII }
        'Default' { [System.Text.Encoding]::Latin1 }
        default { [System.Text.UTF8Encoding]::new($Name -eq 'UTF8') }
    }
}

function Get-Content {
    [CmdletBinding()] param([Parameter(Position = 0)][string]$Path, [string]$LiteralPath, [string]$Encoding = 'Default', [switch]$Raw, [long]$ReadCount = 1)
    $asked = if ($LiteralPath) { $LiteralPath } else { $Path }
    if (-not (Test-EstatePath $asked)) { return & (Get-RealCmdlet Get-Content) @PSBoundParameters }
    $base64 = Invoke-Estate $PSCmdlet 'file_read' @{ path = $asked }
    if ($null -eq $base64) { return }
    $bytes = [Convert]::FromBase64String($base64)
    if ($Encoding -eq 'Byte') { return , $bytes }
    # As the cmdlet does: a byte order mark decides, whatever the parameter says.
    $text = [System.IO.StreamReader]::new([System.IO.MemoryStream]::new($bytes), (Get-EstateEncoding $Encoding), $true).ReadToEnd()
    if ($Raw) { return $text }
    ($text -replace '\r?\n$', '') -split '\r?\n'
}

function Set-Content {
    [CmdletBinding()] param([Parameter(Position = 0)][string]$Path, [string]$LiteralPath, [Parameter(Position = 1)]$Value, [string]$Encoding = 'Default')
    $asked = if ($LiteralPath) { $LiteralPath } else { $Path }
    if (-not (Test-EstatePath $asked)) { return & (Get-RealCmdlet Set-Content) @PSBoundParameters }
    if ($Encoding -eq 'Byte') { $bytes = [byte[]]$Value } else {
        $with = Get-EstateEncoding $Encoding
        $bytes = [byte[]]($with.GetPreamble() + $with.GetBytes((@($Value) -join "`r`n") + "`r`n"))
    }
    Invoke-Estate $PSCmdlet 'file_write' @{ path = $asked; bytes = [Convert]::ToBase64String($bytes) }
}

# -- services and processes

function Get-Service {
    [CmdletBinding()] param([Parameter(Position = 0)][string]$Name)
    $states = @{ Stopped = 1; StartPending = 2; StopPending = 3; Running = 4 }
    Invoke-Estate $PSCmdlet 'Get-Service' $PSBoundParameters | ForEach-Object {
        $_.Status = $states[$_.Status]
        foreach ($one in @($_.DependentServices)) { if ($null -ne $one) { $one.Status = $states[$one.Status] } }
        $_
    }
}
function Start-Service { [CmdletBinding()] param([Parameter(Position = 0)][string]$Name) Invoke-Estate $PSCmdlet 'Start-Service' $PSBoundParameters }
function Stop-Service { [CmdletBinding()] param([Parameter(Position = 0)][string]$Name, [switch]$Force) Invoke-Estate $PSCmdlet 'Stop-Service' $PSBoundParameters }
function Restart-Service { [CmdletBinding()] param([Parameter(Position = 0)][string]$Name, [switch]$Force) Invoke-Estate $PSCmdlet 'Restart-Service' $PSBoundParameters }

function Get-Process { [CmdletBinding()] param([Parameter(Position = 0)][string]$Name) Invoke-Estate $PSCmdlet 'Get-Process' $PSBoundParameters }

# A child of this shell: it dies with it.
function Start-Process {
    [CmdletBinding()] param([Parameter(Position = 0)][string]$FilePath, [string[]]$ArgumentList, [switch]$Wait)
    $id = Invoke-Estate $PSCmdlet 'process_child' @{ line = ('"' + $FilePath + '" ' + ($ArgumentList -join ' ')).Trim() }
    $name = [IO.Path]::GetFileNameWithoutExtension(($FilePath -replace '\\', '/'))
    while ($Wait -and $null -ne $id -and @(Get-Process -Name $name -ErrorAction SilentlyContinue | Where-Object { $_.Id -eq $id }).Count) { Start-Sleep -Milliseconds 50 }
}

# -- WMI

# The objects of the older cmdlet have the methods of their class. Its errors are ManagementExceptions with the same HRESULT.
function Get-WmiObject {
    [CmdletBinding()] param([Parameter(Position = 0)][string]$Class, [string]$Namespace, [string]$Filter, [string]$Query)
    $methods = @{ MIIS_RunHistory = @('RunDetails'); MIIS_Server = @('ClearRuns'); MIIS_ManagementAgent = @('Execute', 'Stop', 'RunStatus', 'RunDetails') }
    foreach ($row in @(Invoke-Estate $PSCmdlet 'cim_query' (ConvertTo-EstateQuestion $PSBoundParameters $Class))) {
        if ($null -eq $row) { continue }
        foreach ($method in @($methods[$row.'#class'])) {
            if (-not $method) { continue }
            $body = [ScriptBlock]::Create("`$given = @{}; for (`$i = 0; `$i -lt `$args.Count; `$i++) { `$given[""arg`$i""] = `$args[`$i] }; Invoke-CimMethod -InputObject `$this -MethodName $method -Arguments `$given")
            $row | Add-Member -MemberType ScriptMethod -Name $method -Value $body
        }
        $row | Add-Member -MemberType NoteProperty -Name __CLASS -Value $row.'#class' -PassThru
    }
}

function Invoke-WmiMethod {
    [CmdletBinding()] param([string]$Class, [string]$Namespace, $InputObject, [Parameter(Mandatory)][string]$Name, [object[]]$ArgumentList)
    $question = @{ MethodName = $Name; ClassName = $Class; Namespace = $Namespace; Arguments = @{} }
    $names = @{ Create = @('CommandLine', 'CurrentDirectory') }[$Name]
    for ($i = 0; $i -lt $ArgumentList.Count; $i++) { $question['Arguments'][$(if ($names) { $names[$i] } else { "arg$i" })] = $ArgumentList[$i] }
    if ($null -ne $InputObject) {
        $question['ClassName'] = $InputObject.'#class'
        $question['Namespace'] = $InputObject.'#namespace'
        $question['Key'] = Get-EstateKey $InputObject
    }
    Invoke-Estate $PSCmdlet 'cim_invoke' $question
}

# -- the task scheduler. The module ScheduledTasks came with Windows Server 2012; the COM object is everywhere.

if (-not $env:LAB_TASK_CMDLETS) {
    foreach ($name in 'New-ScheduledTaskAction', 'New-ScheduledTaskPrincipal', 'Register-ScheduledTask', 'Start-ScheduledTask', 'Get-ScheduledTask', 'Get-ScheduledTaskInfo', 'Unregister-ScheduledTask') {
        Remove-Item -LiteralPath "function:\$name"
    }
}
