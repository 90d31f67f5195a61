# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Gives a running domain the accounts of the sync server, and the server its keys.

Run as a script by the interpreter that has the `samba` modules: `/usr/bin/python3 -I kerberos_provision.py SMB.CONF KEYTAB < request.json`
with {"accounts": {name: password}, "realm": ..., "services": {account: [service principal, ...]}, "base": distinguished name}.
Needs no other module of the lab.
"""

from __future__ import annotations

import json
import secrets
import sys
from typing import Any

_ENABLED_PASSWORD_NEVER_EXPIRES = "66048"
_AES = "24"


def provide(conf: str, keytab: str, request: dict[str, Any]) -> None:
    """Add the accounts and write the keytab."""
    import samba.dckeytab  # type: ignore[import-not-found,unused-ignore]  # noqa: F401  # gives Net its export_keytab
    from samba.auth import system_session  # type: ignore[import-not-found,unused-ignore]
    from samba.net import Net  # type: ignore[import-not-found,unused-ignore]
    from samba.param import LoadParm  # type: ignore[import-not-found,unused-ignore]
    from samba.samdb import SamDB  # type: ignore[import-not-found,unused-ignore]

    parameters = LoadParm()
    parameters.load(conf)
    database = SamDB(url=parameters.private_path("sam.ldb"), lp=parameters, session_info=system_session())
    suffix = request["realm"].lower()
    database.transaction_start()
    for name, password in request["accounts"].items():
        database.add(_account(request["base"], name, password) | {"userPrincipalName": f"{name}@{suffix}"})
    for name, principals in request["services"].items():
        service = _account(request["base"], name, "Lab-" + secrets.token_hex(16) + "-Passw0rd")
        database.add(service | {"servicePrincipalName": principals, "msDS-SupportedEncryptionTypes": _AES})
    database.transaction_commit()
    for principals in request["services"].values():
        for principal in principals:
            Net(None, parameters).export_keytab(keytab=keytab, principal=principal)


def _account(base: str, name: str, password: str) -> dict[str, Any]:
    return {
        "dn": f"CN={name},{base}",
        "objectClass": "user",
        "sAMAccountName": name,
        "unicodePwd": f'"{password}"'.encode("utf-16-le"),
        "userAccountControl": _ENABLED_PASSWORD_NEVER_EXPIRES,
    }


if __name__ == "__main__":
    provide(sys.argv[1], sys.argv[2], json.load(sys.stdin))
