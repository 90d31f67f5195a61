# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""One way to create accounts, in a process of its own: `python -m bench.contestant ours|script` with a task as JSON on standard input.

Answers with what it took, as JSON: seconds, CPU seconds of this process, LDAP operations (sign-ins aside), and what came out.
"""

from __future__ import annotations

import json
import ssl
import sys
import time
from collections import Counter
from typing import Any

import ldap3

from ansible_collections.hybrid.identity.plugins.module_utils._directory import _ensure_accounts
from ansible_collections.hybrid.identity.plugins.modules.ad_users import OPTIONS, USER_OPTIONS, carry

_operations: Counter[str] = Counter()


def _count(name: str) -> None:
    plain = getattr(ldap3.Connection, name)

    def counted(self: Any, *arguments: Any, **options: Any) -> Any:
        _operations[name] += 1
        return plain(self, *arguments, **options)

    setattr(ldap3.Connection, name, counted)


def ours(task: dict[str, Any]) -> str:
    """ad_users, without the pause in which the clock of the controller passes the last write."""
    _ensure_accounts._SETTLE = -60.0
    blank = {name: option.get("default") for name, option in USER_OPTIONS.items()}
    params = {name: option.get("default") for name, option in OPTIONS.items()}
    params.update(task["connection"], default_ou=task["ou"], initial_password=task["password"], password_must_change=False)
    params["users"] = [{**blank, **person} for person in task["people"]]
    result = carry(params, False)
    return str(result["msg"]) + (" failed" if result.get("failed") else "")


def script(task: dict[str, Any]) -> str:
    """What a careful person writes with ldap3: one complete add for each, one after the other."""
    where = task["connection"]
    tls = ldap3.Tls(
        validate=ssl.CERT_REQUIRED, ca_certs_file=where["ca_cert"], valid_names=[where["server_name"]], sni=where["server_name"]
    )
    server = ldap3.Server(where["directory_server"], port=where["port"], use_ssl=True, tls=tls, get_info=ldap3.NONE)
    connection = ldap3.Connection(server, where["username"], where["password"], auto_bind=True, check_names=False)
    made = 0
    for person in task["people"]:
        attributes = {
            "objectClass": ["top", "person", "organizationalPerson", "user"],
            "sAMAccountName": person["sam_account_name"],
            "userPrincipalName": person["upn"],
            "displayName": person["display_name"],
            "givenName": person["given_name"],
            "sn": person["surname"],
            "department": person["department"],
            "userAccountControl": "512",
            "unicodePwd": f'"{task["password"]}"'.encode("utf-16-le"),
        }
        made += connection.add(f"CN={person['display_name']},{task['ou']}", attributes=attributes)
    connection.unbind()
    return f"{made} made"


def main() -> None:
    """Do it."""
    task = json.load(sys.stdin)
    for name in ("search", "add", "modify", "modify_dn", "delete"):
        _count(name)
    began, cpu = time.perf_counter(), time.process_time()
    told = {"ours": ours, "script": script}[sys.argv[1]](task)
    took = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}
    json.dump({**took, "operations": sum(_operations.values()), "told": told}, sys.stdout)


if __name__ == "__main__":
    main()
