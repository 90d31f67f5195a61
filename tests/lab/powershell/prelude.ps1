# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
#
# Loaded before every script that runs on the simulated sync server: stand-ins for what only Windows has. They forward to
# the lab over the socket LAB_BRIDGE and behave as the cmdlets they stand for: types, error records, preferences.

# The real cmdlet behind a stand-in of the same name.
function Get-RealCmdlet($Name) { $ExecutionContext.InvokeCommand.GetCommand($Name, 'Cmdlet') }

function ConvertFrom-Estate($Value) {
    if ($Value -is [string]) { return $Value.Substring(1) }
    if ($Value -is [System.Collections.IList]) { return , @(foreach ($item in $Value) { ConvertFrom-Estate $item }) }
    if ($Value -is [System.Management.Automation.PSCustomObject]) {
        $names = @($Value.PSObject.Properties.Name)
        if ($names -contains '#datetime') { return [datetime]::new([long]$Value.'#datetime', [System.DateTimeKind]$Value.'#kind'.Substring(1)) }
        if ($names -contains '#timespan') { return [timespan]::new([long]$Value.'#timespan') }
        if ($names -contains '#guid') { return [guid]$Value.'#guid'.Substring(1) }
        $object = [ordered]@{}
        foreach ($name in $names) { $object[$name] = ConvertFrom-Estate $Value.$name }
        return [pscustomobject]$object
    }
    return $Value
}

function ConvertTo-Estate($Value) {
    if ($Value -is [datetime]) { return @{ '#ticks' = $Value.ToUniversalTime().Ticks } }
    if ($Value -is [timespan]) { return @{ '#span' = $Value.Ticks } }
    if ($Value -is [switch]) { return [bool]$Value }
    if ($Value -is [hashtable]) {
        $table = @{}
        foreach ($key in $Value.Keys) { $table[$key] = ConvertTo-Estate $Value[$key] }
        return $table
    }
    if ($Value -is [System.Collections.IList]) { return , @(foreach ($item in $Value) { ConvertTo-Estate $item }) }
    if ($Value -is [guid] -or $Value -is [enum]) { return [string]$Value }
    return $Value
}

# An exception of a type that Linux may lack, or whose constructor is closed: it is made under its real name.
function New-EstateException($TypeName, $Message, $HResult) {
    $type = $TypeName -as [type]
    if ($null -eq $type -or $null -eq $type.GetConstructor([type[]]@([string]))) {
        if ($null -eq $global:EstateTypes) {
            $assembly = [System.Reflection.Emit.AssemblyBuilder]::DefineDynamicAssembly([System.Reflection.AssemblyName]::new('EstateTypes'), 'Run')
            $global:EstateModule = $assembly.DefineDynamicModule('EstateTypes')
            $global:EstateTypes = @{}
        }
        if (-not $global:EstateTypes.ContainsKey($TypeName)) {
            $builder = $global:EstateModule.DefineType($TypeName, 'Public, Class', [System.Exception])
            $constructor = $builder.DefineConstructor('Public', 'Standard', [type[]]@([string]))
            $il = $constructor.GetILGenerator()
            $il.Emit([System.Reflection.Emit.OpCodes]::Ldarg_0)
            $il.Emit([System.Reflection.Emit.OpCodes]::Ldarg_1)
            $il.Emit([System.Reflection.Emit.OpCodes]::Call, [System.Exception].GetConstructor([type[]]@([string])))
            $il.Emit([System.Reflection.Emit.OpCodes]::Ret)
            $global:EstateTypes[$TypeName] = $builder.CreateType()
        }
        $type = $global:EstateTypes[$TypeName]
    }
    $exception = $type.GetConstructor([type[]]@([string])).Invoke(@($Message))
    $exception.HResult = $HResult
    return $exception
}

# Asks the lab; a refusal becomes an error record of the calling stand-in.
function Invoke-Estate($Cmdlet, $Name, $Parameters) {
    $wire = @{}
    foreach ($key in $Parameters.Keys) {
        if ($key -notin 'ErrorAction', 'WarningAction', 'InformationAction', 'Verbose', 'Debug', 'Confirm') { $wire[$key] = ConvertTo-Estate $Parameters[$key] }
    }
    $question = ConvertTo-Json -InputObject @{ session = $env:LAB_SESSION; name = $Name; parameters = $wire } -Compress -Depth 8
    $socket = [System.Net.Sockets.Socket]::new('Unix', 'Stream', 'Unspecified')
    try {
        $socket.Connect([System.Net.Sockets.UnixDomainSocketEndPoint]::new($env:LAB_BRIDGE))
        $stream = [System.Net.Sockets.NetworkStream]::new($socket)
        $bytes = [System.Text.Encoding]::UTF8.GetBytes($question + "`n")
        $stream.Write($bytes, 0, $bytes.Length)
        $answer = [System.IO.StreamReader]::new($stream).ReadLine()
    } finally { $socket.Dispose() }
    $document = ConvertFrom-Json $answer
    if ($null -ne $document.error) {
        $exception = New-EstateException $document.error.type.Substring(1) $document.error.message.Substring(1) $document.error.hresult
        $record = [System.Management.Automation.ErrorRecord]::new($exception, $document.error.error_id.Substring(1), $document.error.category.Substring(1), $null)
        if ($document.error.terminating) { $Cmdlet.ThrowTerminatingError($record) }
        $Cmdlet.WriteError($record)
        return
    }
    $value = ConvertFrom-Estate $document.value
    if ($value -is [System.Collections.IList]) { foreach ($item in $value) { $item } } elseif ($null -ne $value) { $value }
}

if ($env:LAB_CLOCK_OFFSET) {
    function Get-Date { (& (Get-RealCmdlet Get-Date)).AddSeconds([double]::Parse($env:LAB_CLOCK_OFFSET, [cultureinfo]::InvariantCulture)) }
}

function Get-Service {
    [CmdletBinding()] param([string]$Name)
    Invoke-Estate $PSCmdlet 'Get-Service' $PSBoundParameters | ForEach-Object {
        $_.Status = @{ Stopped = 1; StartPending = 2; StopPending = 3; Running = 4 }[$_.Status]
        $_
    }
}

function Get-WinEvent {
    [CmdletBinding()] param([hashtable]$FilterHashtable, [int64]$MaxEvents, [string[]]$ListProvider, [string]$LogName, [string]$FilterXPath, [switch]$Oldest)
    if ($ListProvider) { return Invoke-Estate $PSCmdlet 'Get-WinEvent' @{ ListProvider = $ListProvider[0] } }
    if ($LogName) {
        $question = @{ MaxEvents = $MaxEvents; FilterXPath = $FilterXPath; Oldest = [bool]$Oldest }
        return Invoke-Estate $PSCmdlet 'Get-WinEvent' $question | ForEach-Object { $_.TimeCreated = $_.TimeCreated.ToLocalTime(); $_ }
    }
    $query = @{}
    foreach ($key in $FilterHashtable.Keys) { $query[$key] = $FilterHashtable[$key] }
    if ($MaxEvents) { $query['MaxEvents'] = $MaxEvents }
    Invoke-Estate $PSCmdlet 'Get-WinEvent' $query | ForEach-Object { $_.TimeCreated = $_.TimeCreated.ToLocalTime(); $_ }
}

function Test-Path {
    [CmdletBinding()] param([string]$LiteralPath)
    if ($LiteralPath -match '^(HKLM:|C:)\\') { return Invoke-Estate $PSCmdlet 'path_exists' @{ path = $LiteralPath } }
    & (Get-RealCmdlet Test-Path) @PSBoundParameters
}

function Get-ItemProperty {
    [CmdletBinding()] param([string]$LiteralPath, [string]$Name)
    $value = Invoke-Estate $PSCmdlet 'registry_value' @{ path = $LiteralPath; name = $Name }
    if ($null -ne $value) { return [pscustomobject]@{ $Name = $value } }
}

function Get-Item {
    [CmdletBinding()] param([string]$LiteralPath)
    $version = Invoke-Estate $PSCmdlet 'file_version' @{ path = $LiteralPath }
    if ($null -ne $version) { return [pscustomobject]@{ FullName = $LiteralPath; VersionInfo = [pscustomobject]@{ FileVersion = $version } } }
}

function Import-Module {
    [CmdletBinding()] param([string]$Name)
    if (-not (Invoke-Estate $PSCmdlet 'path_exists' @{ path = $Name })) {
        $exception = [System.IO.FileNotFoundException]::new("The specified module '$Name' was not loaded because no valid module file was found in any module directory.")
        $PSCmdlet.ThrowTerminatingError([System.Management.Automation.ErrorRecord]::new($exception, 'Modules_ModuleNotFound,Microsoft.PowerShell.Commands.ImportModuleCommand', 'ResourceUnavailable', $Name))
    }
    if ($Name -like '*\ADSyncDiagnostics.psm1') {
        & (Get-RealCmdlet Import-Module) -Name (Join-Path (Split-Path -Path $env:LAB_ADSYNC_MODULE) 'ADSyncDiagnostics.psm1') -Global -Force
        return
    }
    & (Get-RealCmdlet Import-Module) -Name $env:LAB_ADSYNC_MODULE -Global -Force
    foreach ($missing in @(Invoke-Estate $PSCmdlet 'missing_cmdlets' @{})) { if ($missing) { Remove-Item -LiteralPath "function:\$missing" } }
}

# What .NET knows on Windows alone. Classes of this run take the places of theirs in everything that is parsed from now on.
class EstateIdentity {
    $User = [pscustomobject]@{ Value = 'S-1-5-21-1004336348-1177238915-682003330-1104' }
    $Name = $env:LAB_USER
    static [object] GetCurrent() { return Add-EstateGroups ([EstateIdentity]::new()) }
}
# The groups of the token: a group of this server that is known by its name has it behind a prefix.
function Add-EstateGroups($Identity) {
    $Identity | Add-Member -PassThru -MemberType ScriptProperty -Name Groups -Value { @(Invoke-Estate $ExecutionContext 'own_groups' @{} | ForEach-Object { [pscustomobject]@{ Value = if ($_ -like 'S-1-*') { $_ } else { 'S-1-5-21-' + $_ } } }) }
}
class EstateEnvironment { static [string] $SystemDirectory = 'C:\Windows\System32' }
$accelerators = [psobject].Assembly.GetType('System.Management.Automation.TypeAccelerators')
# A runspace has no console: whatever is asked of it fails.
class EstateNoConsole { }
$null = $accelerators::Remove('System.Console')
if ($env:LAB_INSIDE_RUNSPACE) { $accelerators::Add('System.Console', [EstateNoConsole]) }
foreach ($pair in @('System.Security.Principal.WindowsIdentity', [EstateIdentity]), @('System.Environment', [EstateEnvironment])) {
    $null = $accelerators::Remove($pair[0])
    $accelerators::Add($pair[0], $pair[1])
}

function Get-Acl {
    [CmdletBinding()] param([string]$LiteralPath)
    $owner = Invoke-Estate $PSCmdlet 'folder_owner' @{ path = $LiteralPath }
    [pscustomobject]@{ EstateOwner = $owner } | Add-Member -PassThru -MemberType ScriptMethod -Name GetOwner -Value {
        param($Type) [pscustomobject]@{ Value = $this.EstateOwner }
    }
}

function New-EstateObject($Properties, $Methods) {
    $object = [pscustomobject]$Properties
    foreach ($name in $Methods.Keys) { Add-Member -InputObject $object -MemberType ScriptMethod -Name $name -Value $Methods[$name] }
    return $object
}

# A COM object of Windows.
$global:EstateComFile = Join-Path $PSScriptRoot 'schedule_service.ps1'
function New-ComStandIn($ProgId) {
    if ($ProgId -ne 'Schedule.Service') { throw [System.Runtime.InteropServices.COMException]::new("Retrieving the COM class factory for component with ProgID $ProgId failed.", -2147221164) }
    . $global:EstateComFile
    New-EstateScheduleService
}

function New-Object {
    [CmdletBinding(DefaultParameterSetName = 'Net')]
    param(
        [Parameter(Position = 0, ParameterSetName = 'Net')][string]$TypeName, [Parameter(Position = 1, ParameterSetName = 'Net')][object[]]$ArgumentList,
        [Parameter(Mandatory, ParameterSetName = 'Com')][string]$ComObject
    )
    if ($ComObject) { return New-ComStandIn $ComObject }
    if ($TypeName -eq 'System.Security.AccessControl.DirectorySecurity') {
        return New-EstateObject @{ EstateSddl = '' } @{ SetSecurityDescriptorSddlForm = { param($Sddl) $this.EstateSddl = $Sddl } }
    }
    if ($TypeName -eq 'System.IO.DirectoryInfo') {
        return New-EstateObject @{ FullName = $ArgumentList[0]; EstateCmdlet = $PSCmdlet } @{
            Create = { param($Security) Invoke-Estate $this.EstateCmdlet 'create_folder' @{ path = $this.FullName; sddl = $Security.EstateSddl } }
        }
    }
    if ($TypeName -eq 'System.Security.Principal.NTAccount') {
        return New-EstateObject @{ EstateName = $ArgumentList[0] } @{ Translate = { param($Type) if (-not $env:LAB_NO_GROUPS) { [pscustomobject]@{ Value = 'S-1-5-21-' + $this.EstateName } } else { throw [System.Security.Principal.IdentityNotMappedException]::new() } } }
    }
    if ($TypeName -like '*.ObjectModel.ConfigurationParameter') {
        return [pscustomobject]@{ Name = $ArgumentList[0]; InputType = [string]$ArgumentList[1]; Scope = [string]$ArgumentList[2]; Value = $null }
    }
    & (Get-RealCmdlet New-Object) @PSBoundParameters
}

function New-ScheduledTaskAction { [CmdletBinding()] param([string]$Execute, [string]$Argument) [pscustomobject]@{ Execute = $Execute; Argument = $Argument } }

function New-ScheduledTaskPrincipal {
    [CmdletBinding()] param([string]$UserId, [string]$LogonType, [string]$RunLevel)
    [pscustomobject]@{ UserId = $UserId; LogonType = $LogonType; RunLevel = $RunLevel }
}

function New-ScheduledTaskSettingsSet {
    [CmdletBinding()] param([switch]$AllowStartIfOnBatteries, [timespan]$ExecutionTimeLimit)
    [pscustomobject]@{ DisallowStartIfOnBatteries = -not $AllowStartIfOnBatteries; ExecutionTimeLimit = $ExecutionTimeLimit.TotalSeconds }
}

function Register-ScheduledTask {
    [CmdletBinding()] param([string]$TaskPath, [string]$TaskName, $Action, $Principal, $Settings, [string]$Description)
    Invoke-Estate $PSCmdlet 'Register-ScheduledTask' @{
        TaskPath = $TaskPath; TaskName = $TaskName; Execute = $Action.Execute; Argument = $Action.Argument
        UserId = $Principal.UserId; LogonType = $Principal.LogonType; RunLevel = $Principal.RunLevel
        Description = $Description; ExecutionTimeLimit = $Settings.ExecutionTimeLimit
    }
}

function Start-ScheduledTask { [CmdletBinding()] param([string]$TaskPath, [string]$TaskName) Invoke-Estate $PSCmdlet 'Start-ScheduledTask' $PSBoundParameters }

function Stop-ScheduledTask { [CmdletBinding()] param([string]$TaskPath, [string]$TaskName) Invoke-Estate $PSCmdlet 'Stop-ScheduledTask' $PSBoundParameters }

function Get-ScheduledTask {
    [CmdletBinding()] param([string]$TaskPath, [string]$TaskName)
    Invoke-Estate $PSCmdlet 'Get-ScheduledTask' $PSBoundParameters
}

function Get-ScheduledTaskInfo { [CmdletBinding()] param([string]$TaskPath, [string]$TaskName) Invoke-Estate $PSCmdlet 'Get-ScheduledTaskInfo' $PSBoundParameters }

function Unregister-ScheduledTask {
    [CmdletBinding(SupportsShouldProcess)] param([string]$TaskPath, [string]$TaskName)
    Invoke-Estate $PSCmdlet 'Unregister-ScheduledTask' $PSBoundParameters
}

# -- WMI

function ConvertTo-EstateQuestion($Bound, $ClassName) {
    $question = @{}
    foreach ($name in 'Namespace', 'Filter', 'Query') { if ($Bound.ContainsKey($name)) { $question[$name] = $Bound[$name] } }
    if ($ClassName) { $question['ClassName'] = $ClassName }
    return $question
}

function Get-EstateKey($Instance) {
    $key = @{}
    foreach ($name in 'Key', 'Guid', 'ProcessId') { if ($null -ne $Instance.PSObject.Properties[$name]) { $key[$name] = $Instance.$name; break } }
    return $key
}

function Get-CimInstance {
    [CmdletBinding()] param([Parameter(Position = 0)][string]$ClassName, [string]$Namespace, [string]$Filter, [string]$Query, [string[]]$Property, [int]$OperationTimeoutSec)
    Invoke-Estate $PSCmdlet 'cim_query' (ConvertTo-EstateQuestion $PSBoundParameters $ClassName)
}

function Invoke-CimMethod {
    [CmdletBinding()] param($InputObject, [string]$ClassName, [string]$Namespace, [Parameter(Mandatory)][string]$MethodName, [System.Collections.IDictionary]$Arguments, [int]$OperationTimeoutSec)
    $question = @{ MethodName = $MethodName; ClassName = $ClassName; Namespace = $Namespace; Arguments = @{} }
    if ($null -ne $InputObject) {
        $question['ClassName'] = $InputObject.'#class'
        $question['Namespace'] = $InputObject.'#namespace'
        $question['Key'] = Get-EstateKey $InputObject
    }
    if ($null -ne $Arguments) { foreach ($name in $Arguments.Keys) { $question['Arguments'][$name] = $Arguments[$name] } }
    Invoke-Estate $PSCmdlet 'cim_invoke' $question
}

# Servers of older engines have more of Windows, and less of PowerShell.
if ($env:LAB_STAND_INS) { . (Join-Path $PSScriptRoot 'prelude_fim.ps1') }
