# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""How the simulated server is set up, and the faults that can be switched on by name."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

#: fault -> what it does; arm one with ConnectServer.arm(name, times=..., **details)
FAULTS = {
    "accepted_but_nothing_starts": "Start-ADSyncSyncCycle answers Success, and no cycle begins",
    "slow_start": "the cycle begins `seconds` after Start-ADSyncSyncCycle has answered",
    "run_result": "the runs of `profile` (on connectors of `kind` directory or cloud, or on `connector`) end with `result`",
    "export_error": "the object with `source_anchor` is refused by the cloud with `error`",
    "directory_unreachable": "imports from the directory end with no-start-connection",
    "credentials": "imports from the directory end with no-start-credentials",
    "cloud_sign_in": "runs on the Entra connector end with stopped-extension-dll-exception and event 115",
    "object_fails": "the single object (`dn`, or any) fails with `code` at `step` (counted from 0)",
    # The following strike at a place, see PLACES.
    "service_dies": "the service ends, `graceful` (default) or not, and comes back after `seconds`, if given; `moves_next_start`: it plans anew then",
    "com_error": "the cmdlet fails with a COMException of `hresult` (default 0x800706BA); moment after: it has had its effect all the same",
    "cmdlet_hangs": "the cmdlet does not return for `seconds`, or until its script is killed",
    "cycle_stopped": "somebody stops the cycle; `then_starts`: and starts one of their own",
    "interval_changed": "somebody changes the interval to `minutes` (default 45): the next start moves at once, without a cycle",
    "history_purged": "somebody clears the run history but for the `keep` newest runs (default 0)",
    "foreign_cycle": "a cycle of somebody else begins as soon as nothing runs, after `seconds` (default 0); `full`",
    "profiles_by_hand": "somebody runs `profiles` (default a Delta Import) on the first AD connector as soon as nothing runs, `each` seconds long",
    "clock_jumps": "the clock of the server is set `seconds` ahead (negative: back)",
    "connection": "the connection of whoever calls breaks: `fault` of lab.wsman.FAULTS with `verb` and so on, or `cut`, for `refuse` seconds",
    "script_killed": "the script that calls is killed: no `finally` runs",
    "event": "the event `id` of `provider` is written, at `level` (default 2, an error), with `words`",
}

#: where a fault of the second half of FAULTS strikes; `skip` places that fit are passed over first
PLACES = {
    "cmdlet": "at a call of this cmdlet (`*`: any cmdlet of the engine); `moment` before its effect (default) or after it",
    "phase": "at this phase of a cycle (0 is the first one; `end`: when the cycle has ended); `moment` before, within or after it (default)",
}


@dataclass
class ConnectOptions:
    """The set-up of the server; may be changed while it runs. Times are in seconds."""

    product_version: str = "2.6.92.0"
    cycle_seconds: float = 20.0
    synchronised_ous: tuple[str, ...] = ("OU=Staff,DC=lab,DC=test",)
    directory_connector: str = "lab.test"
    initial_domain: str = "lab.onmicrosoft.com"
    verified_domains: tuple[str, ...] = ("lab.example", "lab.onmicrosoft.com")
    staging: bool = False
    enabled: bool = True
    suspended: bool = False
    service_running: bool = True
    installed: bool = True
    module_present: bool = True
    has_scheduler: bool = True  # False: AAD Sync, before 1.1.105
    other_services: tuple[str, ...] = ()
    services_readable: bool = True
    language: str = "en"
    interval: timedelta = timedelta(minutes=30)
    scheduler_running: bool = True
    history_refuses_network_logon: bool = True
    connectors_refuse_network_logon: bool = False  # field reports contradict each other
    operators_may_set: bool = True  # Set-ADSyncScheduler; whether it takes ADSyncAdmins is not known
    settings_refuse_network_logon: bool = False  # Set-ADSyncScheduler; not known of any build
    settings_ignored: bool = False  # Set-ADSyncScheduler says yes and does nothing
    interval_takes_null: bool = True  # False: Set-ADSyncScheduler does not take null for the interval (assumption: one or the other)
    next_start_known: bool = True
    running_has_end_date: bool = True  # a minimum date, as field reports infer; else null
    date_kind: str = "utc"  # of StartDate, EndDate and the next start: utc, unspecified or local; the digits are UTC whatever it says
    flag_lag: float = 0.0  # seconds by which SyncCycleInProgress lags the start of a cycle (assumption: up to seconds)
    stopped_hresult: int = 0x800706BA  # what the cmdlets say while the service is away
    more_directories: tuple[str, ...] = ()  # further forests, each with an AD connector of this name; there is nothing to import from them
    wizard_registered: bool = True
    tasks_run: bool = True
    tasks_hang: bool = False  # they start, and run until somebody stops them
    folders_are_taken: bool = False  # whoever wants to make a folder finds that somebody else was faster
    deletion_threshold: int = 500
    computer: str = "SYNC1"
    # -- single objects
    object_seconds: float = 0.05  # that one takes
    throttle_objects: int = 10  # so many in `throttle_seconds` are done (assumption; five minutes are documented)
    throttle_seconds: float = 300.0
    # -- the password channel (lab.passwords)
    password_people: int = 3  # in each forest
    password_enabled: bool = True  # every channel, in the beginning
    password_seconds: float = 0.2  # a full password synchronisation of a forest
    password_start_delay: float = 0.05  # from switching on to its beginning
    password_new_delay: float = 0.2  # from the export of somebody new to the hash; really up to two minutes, the cycle of the channel
    password_new_outcome: str = "success"  # of somebody new (see lab.passwords.channels.Person)
    password_must_change_feature: bool = False  # ForcePasswordChangeOnLogOn: else a password to be changed at the next sign-in is kept back
    password_shape: str = "new"  # of event 657: new, old, bare (without Dn)
    password_marks: bool = True  # writes 617 to 623; else 656 and 657 are all that tells of a full synchronisation
    password_source: str = "Directory Synchronization"
    password_source_known: bool = True
    password_feature: bool | None = True  # of the tenant; None: cannot be asked
    password_flag_clears: bool = True  # assumption: the engine takes the flag away when it begins
    password_first_sync_done: bool = True
    password_failure: str = ""  # name of a failure (lab.passwords.FAILURES) of every full synchronisation
    password_switch_stuck: bool = False  # switching on says yes and does nothing
    password_cmdlets_over_network: bool = False
    password_set_needs_user: bool = False  # Set-ADSyncAADPasswordSyncConfiguration wants an interactive sign-in
    partition_states: bool = True  # has Get-ADSyncPartitionPasswordSyncState
    feature_by_connector: bool = False  # Get-ADSyncAADCompanyFeature wants the name of the connector, as old builds do
    custom_groups: bool = False  # set up with groups of other names
    cloud_connectors: int = 1
    missing_cmdlets: tuple[str, ...] = ()  # what the module of this build does not have (only with PowerShell)
    operators_may_write: bool = False  # whether Set- cmdlets need ADSyncAdmins is not known
    events_readable: bool = True  # False: for nobody
    event_messages_known: bool = True  # False: Message is empty, the words are in the properties

    def change(self, **changes: Any) -> None:
        """Set several at once. Raises AttributeError for a name that does not exist."""
        known = {field.name for field in fields(self)}
        for name, value in changes.items():
            if name not in known:
                raise AttributeError(f"the sync server has no option {name!r}; there are: {', '.join(sorted(known))}")
            setattr(self, name, tuple(value) if isinstance(getattr(self, name), tuple) else value)
