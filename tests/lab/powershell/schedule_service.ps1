# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
#
# Stand-in for the COM object Schedule.Service. A failing method throws an exception that carries the HRESULT.
# assumption: PowerShell wraps it, as it does for methods of other objects.

function global:Invoke-EstateTask($Verb, $Question) {
    $command = [pscustomobject]@{}
    $command | Add-Member -MemberType ScriptMethod -Name WriteError -Value { throw $args[0].Exception }
    $command | Add-Member -MemberType ScriptMethod -Name ThrowTerminatingError -Value { throw $args[0].Exception }
    Invoke-Estate $command $Verb $Question
}

function global:Add-EstateMethods($Object, $Methods) {
    foreach ($name in $Methods.Keys) { $Object | Add-Member -MemberType ScriptMethod -Name $name -Value $Methods[$name] }
    return $Object
}

# A COM collection counts from one.
function global:New-EstateCollection($Items, $Methods) {
    $list = [System.Collections.ArrayList]::new()
    foreach ($item in $Items) { [void]$list.Add($item) }
    $collection = [pscustomobject]@{ '#items' = $list }
    $collection | Add-Member -MemberType ScriptProperty -Name Count -Value { $this.'#items'.Count }
    return Add-EstateMethods $collection (@{ Item = { param($Index) $this.'#items'[$Index - 1] }; GetEnumerator = { , $this.'#items'.GetEnumerator() } } + $Methods)
}

function global:New-EstateDefinition($Task) {
    $actions = @()
    if ($null -ne $Task) { $actions += [pscustomobject]@{ Type = 0; Path = $Task.Execute; Arguments = $Task.Arguments; WorkingDirectory = '' } }
    $triggers = @()
    if ($null -ne $Task -and $Task.Interval) { $triggers += [pscustomobject]@{ Type = 1; Enabled = $true; StartBoundary = '2015-01-01T00:00:00'; Repetition = [pscustomobject]@{ Interval = $Task.Interval; Duration = '' } } }
    return [pscustomobject]@{
        RegistrationInfo = [pscustomobject]@{ Description = [string]$Task.Description; Author = '' }
        Principal = [pscustomobject]@{ UserId = $Task.UserId; LogonType = $Task.LogonType; RunLevel = $Task.RunLevel }
        Settings = [pscustomobject]@{ Enabled = if ($null -eq $Task) { $true } else { $Task.Enabled }; Hidden = $false; AllowDemandStart = $true; ExecutionTimeLimit = 'PT72H'; MultipleInstances = 2; DisallowStartIfOnBatteries = $true; StopIfGoingOnBatteries = $true; StartWhenAvailable = $false; DeleteExpiredTaskAfter = '' }
        Actions = New-EstateCollection $actions @{ Create = { param($Kind) $one = [pscustomobject]@{ Type = $Kind; Path = ''; Arguments = ''; WorkingDirectory = '' }; [void]$this.'#items'.Add($one); $one } }
        Triggers = New-EstateCollection $triggers @{ Create = { param($Kind) $one = [pscustomobject]@{ Type = $Kind; Enabled = $true; StartBoundary = ''; EndBoundary = ''; Repetition = [pscustomobject]@{ Interval = ''; Duration = '' } }; [void]$this.'#items'.Add($one); $one } }
    }
}

function global:New-EstateTask($Task) {
    $object = [pscustomobject]@{ Name = $Task.Name; Path = $Task.Path; Definition = New-EstateDefinition $Task }
    # The task scheduler shows local times, and a date of its own where there is none.
    foreach ($name in 'LastRunTime', 'NextRunTime') { $object | Add-Member -MemberType NoteProperty -Name $name -Value $(if ($null -eq $Task.$name) { [datetime]'1899-12-30' } else { $Task.$name.ToLocalTime() }) }
    $object | Add-Member -MemberType ScriptProperty -Name LastTaskResult -Value { (Invoke-EstateTask 'task_get' @{ path = $this.Path }).LastTaskResult }
    $object | Add-Member -MemberType ScriptProperty -Name State -Value { (Invoke-EstateTask 'task_get' @{ path = $this.Path }).State }
    $object | Add-Member -MemberType ScriptProperty -Name Enabled -Value { (Invoke-EstateTask 'task_get' @{ path = $this.Path }).Enabled } -SecondValue { param($Value) Invoke-EstateTask 'task_enable' @{ path = $this.Path; enabled = [bool]$Value } }
    return Add-EstateMethods $object @{ Run = { Invoke-EstateTask 'task_run' @{ path = $this.Path } }; Stop = { Invoke-EstateTask 'task_stop' @{ path = $this.Path } } }
}

function global:Join-EstatePath($Folder, $Name) { if ($Name.StartsWith('\')) { $Name } else { $Folder.TrimEnd('\') + '\' + $Name } }

function global:New-EstateFolder($Path) {
    $folder = [pscustomobject]@{ Path = $Path; Name = $Path.Split('\')[-1] }
    return Add-EstateMethods $folder @{
        GetTask = { param($Name) New-EstateTask (Invoke-EstateTask 'task_get' @{ path = Join-EstatePath $this.Path $Name }) }
        GetFolders = { param($Flags) New-EstateCollection @() @{} }
        GetTasks = { param($Flags) New-EstateCollection @(Invoke-EstateTask 'task_list' @{ path = $this.Path } | ForEach-Object { New-EstateTask $_ }) @{} }
        CreateFolder = { param($Name) $path = Join-EstatePath $this.Path $Name; Invoke-EstateTask 'task_folder_make' @{ path = $path }; New-EstateFolder $path }
        DeleteFolder = { param($Name, $Flags) Invoke-EstateTask 'task_folder_remove' @{ path = Join-EstatePath $this.Path $Name } }
        DeleteTask = { param($Name, $Flags) Invoke-EstateTask 'task_delete' @{ path = Join-EstatePath $this.Path $Name } }
        RegisterTaskDefinition = {
            param($Name, $Definition, $Flags, $User, $Password, $LogonType)
            $action = $Definition.Actions.Item(1)
            $interval = if ($Definition.Triggers.Count) { $Definition.Triggers.Item(1).Repetition.Interval } else { '' }
            $start = if ($Definition.Triggers.Count -and $Definition.Triggers.Item(1).Enabled) { $Definition.Triggers.Item(1).StartBoundary } else { '' }
            $user = if ($User) { $User } else { $Definition.Principal.UserId }
            $question = @{
                path = Join-EstatePath $this.Path $Name; flags = $Flags; execute = $action.Path; arguments = $action.Arguments; interval = $interval
                user = $user; password = $Password; logon_type = $LogonType; run_level = $Definition.Principal.RunLevel; enabled = $Definition.Settings.Enabled
                description = $Definition.RegistrationInfo.Description; limit = $Definition.Settings.ExecutionTimeLimit; start = $start
            }
            New-EstateTask (Invoke-EstateTask 'task_register' $question)
        }
    }
}

function global:New-EstateScheduleService {
    $service = [pscustomobject]@{ Connected = $false }
    return Add-EstateMethods $service @{
        Connect = { $this.Connected = $true }
        GetFolder = { param($Path) if ($Path -ne '\' -and $null -eq (Invoke-EstateTask 'task_folder' @{ path = $Path })) { throw [System.IO.FileNotFoundException]::new('The system cannot find the file specified.') }; New-EstateFolder $Path }
        NewTask = { param($Flags) New-EstateDefinition $null }
    }
}
