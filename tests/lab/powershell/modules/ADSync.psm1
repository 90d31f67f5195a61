# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
#
# Stand-in for the module ADSync of Entra Connect Sync. Every function forwards to the simulated server; a function in a
# module does not see its caller's error preference, the real cmdlets do, so it is fetched.

function Invoke-ADSync($Cmdlet, $Bound) {
    if (-not $Bound.ContainsKey('ErrorAction')) { $ErrorActionPreference = $Cmdlet.GetVariableValue('ErrorActionPreference') }
    Invoke-Estate $Cmdlet $Cmdlet.MyInvocation.MyCommand.Name $Bound
}

function Get-ADSyncScheduler { [CmdletBinding()] param() Invoke-ADSync $PSCmdlet $PSBoundParameters }
function Set-ADSyncScheduler {
    [CmdletBinding()] param($CustomizedSyncCycleInterval, [bool]$SyncCycleEnabled, [string]$NextSyncCyclePolicyType, [switch]$Force)
    Invoke-ADSync $PSCmdlet $PSBoundParameters
}
function Get-ADSyncConnector { [CmdletBinding()] param([string]$Name, [guid]$Identifier) Invoke-ADSync $PSCmdlet $PSBoundParameters | ForEach-Object { Add-ADSyncParameters $_ } }

# GlobalParameters is a keyed collection: Remove takes a name, and a second item of a name is refused.
function Add-ADSyncParameters($Connector) {
    $list = [System.Collections.ArrayList]::new()
    foreach ($one in @($Connector.GlobalParameters)) { if ($null -ne $one) { [void]$list.Add($one) } }
    Add-Member -InputObject $list -MemberType ScriptMethod -Name Remove -Force -Value {
        param($Name)
        $found = @($this | Where-Object { $_.Name -eq $Name })
        foreach ($one in $found) { $this.RemoveAt($this.IndexOf($one)) }
        return $found.Count -gt 0
    }
    Add-Member -InputObject $list -MemberType ScriptMethod -Name Add -Force -Value {
        param($Parameter)
        if (@($this | Where-Object { $_.Name -eq $Parameter.Name }).Count) { throw [System.ArgumentException]::new('An item with the same key has already been added.') }
        $this.Insert($this.Count, $Parameter)
    }
    $Connector.GlobalParameters = $list
    return $Connector
}

function Add-ADSyncConnector {
    [CmdletBinding()] param([Parameter(Mandatory, Position = 0)]$Connector)
    $question = @{ Name = [string]$Connector.Name; GlobalParameters = @($Connector.GlobalParameters | ForEach-Object { @{ Name = [string]$_.Name; Value = [string]$_.Value } }) }
    if ($PSBoundParameters.ContainsKey('ErrorAction')) { $question['ErrorAction'] = $PSBoundParameters['ErrorAction'] }
    Invoke-ADSync $PSCmdlet $question
    return $Connector
}

function Get-ADSyncAADPasswordSyncConfiguration { [CmdletBinding()] param([Parameter(Mandatory)][string]$SourceConnector) Invoke-ADSync $PSCmdlet $PSBoundParameters }
if ($env:LAB_SET_NEEDS_USER) {
    function Set-ADSyncAADPasswordSyncConfiguration {
        [CmdletBinding()] param([Parameter(Mandatory)][string]$SourceConnector, [Parameter(Mandatory)][string]$TargetConnector, [Parameter(Mandatory)][bool]$Enable, [Parameter(Mandatory)][string]$AADUsername)
        Invoke-ADSync $PSCmdlet $PSBoundParameters
    }
} else {
    function Set-ADSyncAADPasswordSyncConfiguration {
        [CmdletBinding()] param([Parameter(Mandatory)][string]$SourceConnector, [Parameter(Mandatory)][string]$TargetConnector, [Parameter(Mandatory)][bool]$Enable)
        Invoke-ADSync $PSCmdlet $PSBoundParameters
    }
}
function Get-ADSyncPartitionPasswordSyncState { [CmdletBinding()] param() Invoke-ADSync $PSCmdlet $PSBoundParameters }
if ($env:LAB_FEATURE_BY_CONNECTOR) {
    function Get-ADSyncAADCompanyFeature { [CmdletBinding()] param([Parameter(Mandatory)][string]$ConnectorName) Invoke-ADSync $PSCmdlet $PSBoundParameters }
} else {
    function Get-ADSyncAADCompanyFeature { [CmdletBinding()] param() Invoke-ADSync $PSCmdlet $PSBoundParameters }
}
function Get-ADSyncGlobalSettings { [CmdletBinding()] param() Invoke-ADSync $PSCmdlet $PSBoundParameters }
function Get-ADSyncCSObject {
    [CmdletBinding()] param([string]$ConnectorName, [string]$DistinguishedName, [int]$StartIndex, [int]$MaxResultCount)
    Invoke-ADSync $PSCmdlet $PSBoundParameters
}
function Get-ADSyncConnectorRunStatus { [CmdletBinding()] param([string]$ConnectorName) Invoke-ADSync $PSCmdlet $PSBoundParameters }
function Get-ADSyncRunProfileResult {
    [CmdletBinding()] param([guid]$RunHistoryId, [guid]$ConnectorId, [guid]$RunProfileId, [int]$RunNumber, [int]$NumberRequested, [switch]$RunStepDetails, [int]$StepNumber)
    Invoke-ADSync $PSCmdlet $PSBoundParameters
}

function Start-ADSyncSyncCycle {
    [CmdletBinding()] param([Parameter(Position = 0)][ValidateSet('Unspecified', 'Delta', 'Initial')][string]$PolicyType, [Parameter(Position = 1)][bool]$InteractiveMode)
    Invoke-ADSync $PSCmdlet $PSBoundParameters
}

Export-ModuleMember -Function Get-ADSync?*, Set-ADSync?*, Start-ADSync?*, Add-ADSyncConnector
