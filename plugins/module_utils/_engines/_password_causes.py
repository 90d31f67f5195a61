# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Why the password channel failed: told from numbers and codes in the engine's texts, never from their words alone. Pure; private to the collection.

Source of numbers and remedies: Microsoft's support articles 2855271, 2867278, 2962509, 2848640 and "RPC errors affecting Microsoft Entra Connect".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_RPC = re.compile(r"RPC\s+Error\s+(\d{3,5})\b", re.IGNORECASE)
_CODE = re.compile(r"Error\s+Code\s*:\s*(\d{1,5})\b", re.IGNORECASE)
#: .NET types that stand in the engine's texts in every language
_CREDENTIALS = ("AuthenticationException", "InvalidCredentialException")

_UPGRADE = "Upgrade the sync engine: this is a fault of an old build."
#: RPC error -> (failure reason or None, remedy)
_RPC_CAUSES: dict[int, tuple[str | None, str]] = {
    8453: ("replication_denied", "Grant the connector account Replicating Directory Changes and Replicating Directory Changes All on the root of the domain."),
    1722: ("connector_unreachable", "Open port 135 and the dynamic RPC ports from the sync server to the domain controllers, and check that they run."),
    8333: (None, "Check the health of the directory: an object that was to be read is gone."),
    8439: (None, "Replace domain controllers with Windows Server 2003, or upgrade the sync engine."),
    8456: (None, "Allow replication on the domain controller again (repadmin /options), or name preferred domain controllers."),
    8593: (None, _UPGRADE),
}  # fmt: skip
#: other RPC errors of a domain controller that cannot be reached
_UNREACHABLE = (1723, 1726, 1727, 1753, 1818, 1825)
_CODE_CAUSES: dict[int, tuple[str | None, str]] = {
    90: ("tenant_feature_off", "Enable password hash synchronisation for the tenant: run the configuration wizard, or Set-ADSyncAADPasswordSyncState."),
    81: (None, "Wait: the cloud is busy, and the engine tries again by itself."),
}  # fmt: skip


@dataclass(frozen=True)
class Cause:
    """Why something failed. reason: a failure reason, or None; code: what it was told by; remedy: what to do, or None."""

    reason: str | None
    code: str | None
    remedy: str | None = None
    passing: bool = False


def cause_of(event_id: int, text: str) -> Cause:
    """The cause of a failure event."""
    if event_id == 613:
        return Cause("first_sync_unfinished", "613", "Let the first full synchronisation of the directory come to its end.")
    if event_id == 667:
        return Cause("fips_blocked", "667", 'Add <enforceFIPSPolicy enabled="false" /> to miiserver.exe.config and restart the server.')
    rpc = _RPC.search(text)
    if rpc:
        number = int(rpc.group(1))
        if number in _RPC_CAUSES:
            return Cause(_RPC_CAUSES[number][0], f"RPC {number}", _RPC_CAUSES[number][1])
        if number in _UNREACHABLE:
            return Cause("connector_unreachable", f"RPC {number}", _RPC_CAUSES[1722][1])
        return Cause(None, f"RPC {number}")
    code = _CODE.search(text)
    if code:
        number = int(code.group(1))
        if number in _CODE_CAUSES:
            return Cause(_CODE_CAUSES[number][0], f"error code {number}", _CODE_CAUSES[number][1], passing=number == 81)
        return Cause(None, f"error code {number}")
    if any(word in text for word in _CREDENTIALS):
        return Cause("connector_credentials", "AuthenticationException", "Give the connector account of that directory its new password.")
    if event_id in (655, 0, 6900) and "user name or password is incorrect" in text.lower():
        return Cause(
            "cloud_sign_in_blocked", "credentials", "Renew the credential of the engine's cloud account: run the configuration wizard."
        )
    if "Not a valid Win32 FileTime" in text or "System.ArgumentOutOfRangeException" in text or "System.ArgumentException" in text:
        return Cause(None, "ArgumentException", _UPGRADE)
    return Cause(None, None)
