# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Whether an account that exists was ever given a password. Pure; private to the collection."""

from __future__ import annotations

from enum import Enum

from ._names import Entry
from ._replication import SUPPLEMENTAL_CREDENTIALS, change_times

DISABLED, PASSWD_NOTREQD, NORMAL_ACCOUNT = 0x2, 0x20, 0x200


class PasswordState(Enum):
    """What the directory says about a password."""

    SET = "set"
    NEVER_SET = "never set"
    UNKNOWN = "unknown"


def password_state(entry: Entry) -> PasswordState:
    """Whether a password was ever set.

    pwdLastSet is 0 both for an account without one and for somebody who has to change it at the first logon. The replication metadata
    tell them apart: supplementalCredentials are written with every password and never without. Where they cannot be read,
    PASSWD_NOTREQD decides: without that flag Active Directory enables nobody who has no password (MS-ADTS 3.1.1.5.3.2).
    """
    if entry.number("pwdLastSet") > 0:
        return PasswordState.SET
    times = change_times(entry.raw("replPropertyMetaData"))
    if times is not None:
        return PasswordState.SET if SUPPLEMENTAL_CREDENTIALS in times else PasswordState.NEVER_SET
    control = entry.number("userAccountControl", NORMAL_ACCOUNT)
    if control & PASSWD_NOTREQD:
        return PasswordState.NEVER_SET
    return PasswordState.UNKNOWN if control & DISABLED else PasswordState.SET
