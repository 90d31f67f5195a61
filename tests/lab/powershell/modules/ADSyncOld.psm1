# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
#
# Stand-in for the module ADSync of older builds: whoever imports it takes the commands that the build has.

function Invoke-ADSync($Cmdlet, $Bound) {
    if (-not $Bound.ContainsKey('ErrorAction')) { $ErrorActionPreference = $Cmdlet.GetVariableValue('ErrorActionPreference') }
    Invoke-Estate $Cmdlet $Cmdlet.MyInvocation.MyCommand.Name $Bound
}

function Get-ADSyncScheduler { [CmdletBinding()] param() Invoke-ADSync $PSCmdlet $PSBoundParameters }
function Set-ADSyncScheduler {
    [CmdletBinding()] param($CustomizedSyncCycleInterval, [bool]$SyncCycleEnabled, [string]$NextSyncCyclePolicyType, [switch]$Force)
    Invoke-ADSync $PSCmdlet $PSBoundParameters
}
function Get-ADSyncConnector { [CmdletBinding()] param([string]$Name, [guid]$Identifier) Invoke-ADSync $PSCmdlet $PSBoundParameters }
function Get-ADSyncConnectorRunStatus { [CmdletBinding()] param([string]$ConnectorName) Invoke-ADSync $PSCmdlet $PSBoundParameters }
function Get-ADSyncGlobalSettings { [CmdletBinding()] param() Invoke-ADSync $PSCmdlet $PSBoundParameters }
function Get-ADSyncRunProfileResult {
    [CmdletBinding()] param([guid]$RunHistoryId, [guid]$ConnectorId, [guid]$RunProfileId, [int]$RunNumber, [int]$NumberRequested, [switch]$RunStepDetails, [int]$StepNumber)
    Invoke-ADSync $PSCmdlet $PSBoundParameters
}
function Invoke-ADSyncRunProfile { [CmdletBinding()] param([string]$ConnectorName, [string]$RunProfileName) Invoke-ADSync $PSCmdlet $PSBoundParameters }
function Start-ADSyncSyncCycle {
    [CmdletBinding()] param([Parameter(Position = 0)][ValidateSet('Unspecified', 'Delta', 'Initial')][string]$PolicyType, [Parameter(Position = 1)][bool]$InteractiveMode)
    Invoke-ADSync $PSCmdlet $PSBoundParameters
}
function Stop-ADSyncSyncCycle { [CmdletBinding()] param() Invoke-ADSync $PSCmdlet $PSBoundParameters }

Export-ModuleMember -Function *-ADSync?*
