# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What the password channel writes into the event log. Ids are Microsoft's; texts without a source are marked."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Protocol

_TRACKING = "Tracking ID: 4f7c8d2e-0b1f-4f1a-8f4f-1f0f7a1f9d11 Server Name: MOPREMPROD."
_DRS = "Details: \r\nMicrosoft.Online.PasswordSynchronization.SynchronizationManagerException: {0}Recovery task failed. ---> "
_RPC = "Microsoft.Online.PasswordSynchronization.DirectoryReplicationServices.DrsException: RPC Error {0} : {1}"


def _domain(inner: str, *, old: bool = False) -> str:
    head = (
        "Password synchronization failed for domain: {forest}."
        if old
        else "Password hash synchronization failed for domain: {forest}, domain controller hostname: <not available>, "
        "domain controller IP address: <not available>."
    )
    return f"{head}\r\n{_DRS.format('')}{inner}"


#: name -> (event id, level, text); the text may name the {forest}. Words of 613, 616, 621, 666 and 667: assumption.
FAILURES: dict[str, tuple[int, int, str]] = {
    "replication_denied": (
        611,
        2,
        _domain(_RPC.format(8453, "Replication access was denied. There was an error calling _IDL_DRSGetNCChanges.")),
    ),
    "replication_denied_old": (611, 4, _domain(_RPC.format(8453, "Replication access was denied."), old=True)),
    "rpc_unavailable": (
        611,
        2,
        _domain(_RPC.format(1722, "The RPC server is unavailable. Error creating the RPC binding handle")),
    ),
    "object_not_found": (611, 2, _domain(_RPC.format(8333, "Directory object not found."))),
    "bad_replication_name": (
        611,
        2,
        _domain(_RPC.format(8439, "The distinguished name specified for this replication operation is invalid."), old=True),
    ),
    "replication_rejected": (611, 2, _domain(_RPC.format(8456, "The source server is currently rejecting replication requests."))),
    "replication_epochs": (
        611,
        2,
        _domain(_RPC.format(8593, "The replication operation failed because of different replication epochs."), old=True),
    ),
    "win32_file_time": (611, 2, _domain("System.ArgumentOutOfRangeException: Not a valid Win32 FileTime.", old=True)),
    "same_key": (611, 2, _domain("System.ArgumentException: An item with the same key has already been added.", old=True)),
    "directory_credentials": (
        611,
        4,
        _domain(
            "Unable to open connection to domain: {forest}. Error: An exception occurred while attempting to locate a domain controller "
            "System.Security.Authentication.AuthenticationException: The user name or password is incorrect.",
            old=True,
        ),
    ),
    "tenant_off": (
        652,
        2,
        "Failed credential provisioning batch. Error: Microsoft.Online.Coexistence.ProvisionException: An error occurred. Error Code: 90. "
        "Error Description: Password Synchronization has not been activated for this company. " + _TRACKING,
    ),
    "cloud_busy": (
        652,
        2,
        "Failed credential provisioning batch. Error: Microsoft.Online.Coexistence.ProvisionRetryException : An error occurred. Error Code: 81. "
        "Error Description: Windows Azure Active Directory is currently busy. This operation will be retried automatically. " + _TRACKING,
    ),
    "ping_tenant_off": (
        655,
        2,
        "Failed credential provisioning ping. Error: Microsoft.Online.Coexistence.ProvisionException: An error occurred. Error Code: 90. "
        "Error Description: Password Synchronization has not been activated for this company. " + _TRACKING,
    ),
    "cloud_credentials": (
        655,
        2,
        "Failed credential provisioning ping. Error: Microsoft.Online.Coexistence.ProvisionException: The user name or password is incorrect. "
        "Verify your user name, and then type your password again.",
    ),
    "first_sync_unfinished": (613, 4, "Password sync will not start until a full directory sync has completed. Forest: {forest}"),
    "preferred_controller": (616, 2, "A connection to the preferred domain controllers of {forest} could not be made."),
    "full_failed": (621, 2, "An attempt at a full password synchronization failed for forest: {forest}"),
    "deadlock": (666, 2, "Password hash synchronization failed for domain: {forest}. A deadlock occurred in the database."),
    "fips": (667, 2, "The MD5 decryption key could not be generated: {forest}"),
}

#: events 601 to 623 that tell how far it is; words of all but 622, 623 and 650 to 654: assumption
TEXTS = {
    601: "The password synchronization manager is starting for forest: {forest}",
    602: "The password synchronization manager is stopping for forest: {forest}",
    605: "Password changes were put on the retry queue.",
    609: "The password synchronization manager has stopped for forest: {forest}",
    617: "Full password hash synchronization started for forest: {forest}",
    618: "Full password hash synchronization started for domain: {domain}",
    619: "Full password hash synchronization is in progress for domain: {domain}. {count} objects.",
    622: "Full password hash synchronization completed for domain: {domain}",
    623: "Full password hash synchronization completed for forest: {forest}",
    650: "Provision credentials batch start. Count: {count}",
    651: "Provision credentials batch end. Count: {count}",
    653: "Provision credentials ping start.",
    654: "Provision credentials ping end. TrackingID : 4f7c8d2e-0b1f-4f1a-8f4f-1f0f7a1f9d11",
}

#: what a server without the message file of the source puts around a text (German: words of our own)
_DECORATION = {
    "en": "The description for Event ID {id} from source {source} cannot be found. The following information was included with the event: \r\n\r\n",
    "de": "Die Beschreibung für Ereignis-ID {id} aus der Quelle {source} wurde nicht gefunden. Folgende Informationen wurden mit dem Ereignis "
    "gespeichert: \r\n\r\n",
}


def decorated(text: str, event_id: int, source: str, language: str) -> str:
    """A text as a server in another language shows it."""
    return _DECORATION[language].format(id=event_id, source=source) + text + "\r\n"


class Named(Protocol):
    """Whose password it is."""

    dn: str
    anchor: str


def forest_info(forest: str, connector: uuid.UUID) -> str:
    """The tail of newer builds."""
    return (
        f"\r\n\r\n<forest-info>\r\n  <partition-name>{forest.upper()}</partition-name>\r\n"
        f"  <connector-id>{str(connector).upper()}</connector-id>\r\n</forest-info>"
    )


def requests_text(people: Sequence[Named]) -> str:
    """Event 656."""
    lines = (f"Password Change Request - Anchor : {one.anchor}, Dn : {one.dn}, Change Date : 05/01/2013 16:34:08" for one in people)
    return "\r\n".join(lines)


def results_text(people: Sequence[tuple[Named, bool, bool]], shape: str) -> str:
    """Event 657 about (person, succeeded, must change), as builds of a shape write it: new, old, bare (without Dn)."""
    lines = []
    for person, succeeded, must_change in people:
        where = "" if shape == "bare" else f"Dn : {person.dn}, "
        flag = f"PwdChangeOnLogon={must_change}, " if shape == "new" else ""
        failed = "failed, Extended Error : " if shape == "bare" else "Failed."
        lines.append(f"Password Change Result - Anchor : {person.anchor}, {where}{flag}Result : {'Success.' if succeeded else failed}")
    return "\r\n".join(lines)


def retry_text(people: Sequence[Named]) -> str:
    """Event 0, in Microsoft's own grammar."""
    return "The following password changes failed to synchronized and have scheduled for retry.\r\n" + "\r\n".join(
        f"DN = {one.dn}" for one in people
    )
