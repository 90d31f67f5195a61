# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The stable failure reasons of the collection, one remedy each, and the one exception that carries them.

This is private to the collection: nothing here is meant to be imported from outside.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import Any, Iterator, Mapping

from ._printable import printable

#: reason -> what the operator does about it (one sentence, no secrets, no host names).
REMEDIES: dict[str, str] = {
    "unreachable": "Check the name, the port, the firewall and that the WinRM listener runs.",
    "authentication_failed": "Check the user name and the password, and that the account is neither locked nor expired.",
    "remoting_denied": "Add the account to Remote Management Users on the sync server, or use a local administrator.",
    "engine_access_denied": "Add the account to ADSyncOperators on the sync server and open a new logon.",
    "not_a_sync_server": "Point the task at the server that runs the sync engine.",
    "engine_unsupported": "Upgrade the sync engine: the cloud does not accept this version any more.",
    "service_stopped": "Find out why the service is stopped, start it, and run the task again.",
    "module_missing": "Repair the installation of the sync engine: its PowerShell module is not where it belongs.",
    "staging": "Point the task at the active server, or set O(on_staging=proceed) if only import and sync are wanted.",
    "no_active_server": "Take one of the servers out of staging mode in its configuration wizard.",
    "two_active_servers": "Put one of the servers into staging mode at once: two active servers fight over the tenant.",
    "scheduler_suspended": "Close the configuration wizard (look into disconnected sessions too) or let the upgrade end.",
    "scheduler_disabled": "Somebody switched the scheduler off: ask why, or set O(on_disabled=proceed).",
    "busy_timeout": "Something else keeps the engine busy: look at its operations, or raise O(wait_timeout).",
    "scheduler_missing": "Repair the installation of the sync engine; this collection registers no task of the product and writes no file of it anew.",
    "task_password_wanted": "Change the interval in the Task Scheduler of the sync server, where Windows asks for the password of the task's account.",
    "start_rejected": "Read the engine's own words in the result, and the Application event log of the sync server.",
    "not_confirmed": "Look at the Synchronization Service operations; run the task again when the engine is idle.",
    "wait_timeout": "The cycle goes on by itself: run the task again with the same O(since), or raise O(wait_timeout).",
    "cycle_failed": "Open the failed run in the Synchronization Service and repair its cause.",
    "object_errors": "Repair the objects named in the result, or set O(fail_on=stopped) if they are known and harmless.",
    "deletion_threshold": "Check that the pending deletions are wanted; nothing is exported until somebody decides.",
    "connector_credentials": "Give the connector account of that directory its new password.",
    "connector_unreachable": "Check the network and the domain controllers that this connector uses.",
    "cloud_sign_in_blocked": "Exempt the engine's cloud account from MFA and conditional access, or renew its credential.",
    "password_sync_disabled": "Enable password hash synchronisation in the configuration wizard.",
    "tenant_feature_off": "Enable the feature in the tenant.",
    "password_sync_failed": "Read the failed users in the result and the 6xx events on the sync server.",
    "channel_left_off": "Switch password synchronisation of the connectors that are named on at once.",
    "entra_connector_missing": "Run the configuration wizard: without an Entra connector nothing reaches the cloud.",
    "entra_connector_ambiguous": "Remove the Entra connector that is not used any more: it is not clear which one is meant.",
    "first_sync_unfinished": "Let the first full synchronisation of the directory come to its end, and run the task again.",
    "replication_denied": "Grant the connector account Replicating Directory Changes and Replicating Directory Changes All on the root of every domain.",
    "fips_blocked": "Exempt the sync engine from the FIPS policy (enforceFIPSPolicy in miiserver.exe.config) and restart the server.",
    "events_unavailable": "Let the account read the Application event log of the sync server, and see that it has the source Directory Synchronization.",
    "too_soon": "Wait until the minimum interval has passed, or lower O(min_interval).",
    "history_unavailable": "Give the account the right to register a scheduled task on the sync server, or rely on events.",
    "graph_denied": "Grant the application the permission that the result names, with admin consent.",
    "graph_throttled": "Run the task again later: Microsoft Graph asked for a pause longer than the time left.",
    "directory_denied": "Delegate to the account the right to create and change user accounts, and members of groups, in that place.",
    "user_not_in_scope": "Move the account into a synchronised organizational unit, or change the filter.",
    "graph_invalid": "Look for a proxy or a captive portal between this machine and Microsoft Graph, and run the task again.",
    "batch_refused": "Correct the rows that are named, and run the task again: nothing is wrong with this one.",
    "engine_error": "Look the type and the code up in the Application event log of the sync server; what they mean is not known to this collection.",
    "licence_refused": "Buy or free a seat, or correct the licence; the account itself is ready.",
    "upn_conflict": "Somebody else owns this user principal name or address in the tenant: settle who keeps it.",
    "invalid_input": "Correct the input.",
}


class HybridIdentityError(Exception):
    """A failure with a stable reason.

    Args:
        reason: a key of REMEDIES.
        message: one sentence: what was being done, to what, what came back. Never contains a secret.
        remedy: what to do, in one sentence, where more is known than REMEDIES says.
        details: result keys to return beside failure_reason and msg (JSON-able).
    """

    #: reason -> remedy, where a part of the collection knows a better one than REMEDIES
    REMEDIES_HERE: Mapping[str, str] = {}

    def __init__(self, reason: str, message: str, *, remedy: str | None = None, **details: Any) -> None:
        if reason not in REMEDIES:
            raise ValueError(f"unknown failure reason {reason!r}")
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.details = details
        self._remedy = remedy

    @property
    def remedy(self) -> str:
        """What to do, as plain text (the documentation markup is taken off)."""
        return self._remedy or self.REMEDIES_HERE.get(self.reason) or re.sub(r"O\(([^)]*)\)", r"\1", REMEDIES[self.reason])

    def as_result(self) -> dict[str, Any]:
        """The result keys for exit: failed, failure_reason, msg and the details."""
        return {**self.details, "failed": True, "failure_reason": self.reason, "msg": f"{printable(self.message, 2000)} {self.remedy}"}


@contextmanager
def told_with(known: Mapping[str, Any]) -> Iterator[None]:
    """A failure inside is told with the result keys that are known by then; its own go before them."""
    try:
        yield
    except HybridIdentityError as error:
        error.details = {**known, **error.details}
        raise
