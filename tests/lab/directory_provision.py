# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Makes a new domain with Samba's own Python API.

Run as a script by the interpreter that has the `samba` modules (the system's, never a venv's):
`/usr/bin/python3 -I directory_provision.py SMB.CONF ADDRESS < seed.json`. Needs no other module of the lab.
The API and not `samba-tool`: it is several times quicker and needs no root (it skips the file system's access lists).
"""

from __future__ import annotations

import json
import logging
import os
import pwd
import sys
from grp import getgrgid
from typing import Any


def provision(conf: str, address: str, seed: dict[str, Any]) -> None:
    """Create the domain described by `seed` (lab.directory_seed.seed) in the folders named by the configuration file."""
    import ldb  # type: ignore[import-not-found,unused-ignore]
    from samba.auth import system_session  # type: ignore[import-not-found,unused-ignore]
    from samba.dcerpc import security  # type: ignore[import-not-found,unused-ignore]
    from samba.dsdb import DS_DOMAIN_FUNCTION_2008_R2  # type: ignore[import-not-found,unused-ignore]
    from samba.param import LoadParm  # type: ignore[import-not-found,unused-ignore]
    from samba.provision import provision as make_domain  # type: ignore[import-not-found,unused-ignore]
    from samba.samdb import SamDB  # type: ignore[import-not-found,unused-ignore]
    from samba.sd_utils import SDUtils  # type: ignore[import-not-found,unused-ignore]

    parameters = LoadParm()
    parameters.load(conf)
    me, my_group = pwd.getpwuid(os.getuid()).pw_name, getgrgid(os.getgid()).gr_name
    make_domain(
        logging.getLogger("provision"),
        system_session(),
        smbconf=conf,
        lp=parameters,
        realm=seed["realm"],
        domain=seed["domain"],
        hostname=seed["host"],
        hostip=address,
        hostip6=None,
        adminpass=seed["admin_password"],
        serverrole="active directory domain controller",
        dns_backend="NONE",
        dom_for_fun_level=DS_DOMAIN_FUNCTION_2008_R2,
        skip_sysvolacl=True,
        root=me,
        nobody=me,
        users=my_group,
        batch_mode=True,
    )
    database = SamDB(url=parameters.private_path("sam.ldb"), lp=parameters, session_info=system_session())
    database.transaction_start()
    # A template may be kept for months: no password of the seeds expires in the meantime.
    database.set_maxPwdAge("-9223372036854775808")
    _modify(database, ldb, f"CN=Partitions,{database.get_config_basedn()}", "uPNSuffixes", seed["upn_suffixes"])
    for entry in seed["entries"]:
        values = dict(entry)
        if "unicodePwd" in values:
            values["unicodePwd"] = f'"{values["unicodePwd"]}"'.encode("utf-16-le")
        database.add(values)
    for group, members in seed["members"].items():
        _modify(database, ldb, group, "member", members)
    descriptors = SDUtils(database)
    for place, right, holder in seed["rights"]:
        entry = f"({right};{descriptors.get_object_sid(holder)})"
        descriptors.update_aces_in_dacl(place, add_aces=[entry], controls=[f"sd_flags:1:{security.SECINFO_DACL}", "show_deleted:1"])
    database.transaction_commit()


def _modify(database: Any, ldb: Any, dn: str, attribute: str, values: list[str]) -> None:
    message = ldb.Message(ldb.Dn(database, dn))
    message[attribute] = ldb.MessageElement(values, ldb.FLAG_MOD_ADD, attribute)
    database.modify(message)


if __name__ == "__main__":
    provision(sys.argv[1], sys.argv[2], json.load(sys.stdin))
