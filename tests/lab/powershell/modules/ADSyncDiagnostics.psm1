# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
#
# Stand-in for the module ADSyncDiagnostics of Entra Connect Sync (see ADSync.psm1).

function Invoke-ADSyncSingleObjectSync {
    [CmdletBinding()] param([Parameter(Mandatory)][string]$DistinguishedName, [switch]$StagingMode, [switch]$NoHtmlReport)
    if (-not $PSBoundParameters.ContainsKey('ErrorAction')) { $ErrorActionPreference = $PSCmdlet.GetVariableValue('ErrorActionPreference') }
    Invoke-Estate $PSCmdlet 'Invoke-ADSyncSingleObjectSync' $PSBoundParameters
}

Export-ModuleMember -Function Invoke-ADSyncSingleObjectSync
