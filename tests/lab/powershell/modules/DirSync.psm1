# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
#
# Stand-in for the commands of DirSync. Every function forwards to the simulated server.

function Invoke-DirSync($Cmdlet, $Bound) {
    if (-not $Bound.ContainsKey('ErrorAction')) { $ErrorActionPreference = $Cmdlet.GetVariableValue('ErrorActionPreference') }
    Invoke-Estate $Cmdlet $Cmdlet.MyInvocation.MyCommand.Name $Bound
}

function Start-OnlineCoexistenceSync { [CmdletBinding()] param([switch]$FullSync) Invoke-DirSync $PSCmdlet $PSBoundParameters }
function Set-FullPasswordSync { [CmdletBinding()] param() Invoke-DirSync $PSCmdlet $PSBoundParameters }

Export-ModuleMember -Function Start-OnlineCoexistenceSync, Set-FullPasswordSync
