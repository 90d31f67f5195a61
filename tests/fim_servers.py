# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What tests of the simulated older engines share: callers, a small directory and tenant, and questions by WMI."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest

from lab.connect import Caller, CmdletError
from lab.synchronisation import Changes, DirectoryObject, ExportedUser

FIM, SCHEDULER = "FIMSynchronizationService", "MSOnlineSyncScheduler"
ADMINISTRATOR = Caller("LAB\\svc-sync", True, frozenset({"Administrators", "ADSyncOperators", "MIISOperators"}))
OPERATOR = Caller("LAB\\svc-limited", True, frozenset({"ADSyncOperators", "MIISOperators"}))
OUTSIDER = Caller("LAB\\svc-outsider", True, frozenset())
NAMESPACE = "root\\MicrosoftIdentityIntegrationServer"
EXE = '"C:\\Program Files\\Microsoft Azure AD Sync\\Bin\\DirectorySyncClientCmd.exe"'
TASK = "\\Azure AD Sync Scheduler"
MakeServer = Callable[..., Any]


class OneUser:
    """A directory that always has the same user."""

    def read_changes(self, cookie: bytes | None, full: bool) -> Changes:
        attributes = {
            "objectClass": [b"user"],
            "sAMAccountName": [b"amy"],
            "userPrincipalName": [b"amy@lab.example"],
            "displayName": [b"Amy"],
        }
        guid = uuid.UUID("f7cc07d7-7c15-447d-876d-c01b0e5a9e38")
        return Changes(b"1", [DirectoryObject(guid, "CN=Amy,OU=Staff,DC=lab,DC=test", False, attributes)] if cookie is None or full else [])


class Tenant:
    """Takes everything, and remembers it."""

    def __init__(self) -> None:
        self.changes: list[ExportedUser] = []

    def apply(self, change: ExportedUser) -> str | None:
        self.changes.append(change)
        return None


def runs(server: Any, caller: Caller = ADMINISTRATOR, condition: str = "") -> list[dict[str, Any]]:
    return list(server.call(caller, "cim_query", {"Namespace": NAMESPACE, "ClassName": "MIIS_RunHistory", "Filter": condition}))


def details(server: Any, run: dict[str, Any]) -> ElementTree.Element:
    question = {"Namespace": NAMESPACE, "ClassName": "MIIS_RunHistory", "MethodName": "RunDetails", "Key": {"Key": run["Key"]}}
    text = server.call(ADMINISTRATOR, "cim_invoke", question)["ReturnValue"]
    assert text.startswith('<?xml version="1.0" encoding="utf-16"?>')
    return ElementTree.fromstring(text)


def profiles(server: Any) -> list[str]:
    """Oldest first."""
    return [run["RunProfile"] for run in reversed(runs(server))]


def refused(server: Any, caller: Caller, name: str, parameters: dict[str, Any]) -> CmdletError:
    with pytest.raises(CmdletError) as caught:
        server.call(caller, name, parameters)
    return caught.value


def exe(server: Any, word: str = "", caller: Caller = ADMINISTRATOR) -> int:
    question = {"ClassName": "Win32_Process", "MethodName": "Create", "Arguments": {"CommandLine": f"{EXE} {word}".strip()}}
    return int(server.call(caller, "cim_invoke", question)["ReturnValue"])
