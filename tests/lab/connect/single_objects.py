# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Invoke-ADSyncSingleObjectSync (module ADSyncDiagnostics, 1.6.4 and later).

The ten steps, the switches, the elevated session, the scheduler that has to be off, and five minutes after throttling are documented. How many
objects are too many (ten in five minutes), the error codes, the words, and how it refuses are assumptions; the shape is the resource type
provisioningObjectSummary of Microsoft Graph, to which the output is "similar".
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from .cycle import Engine
from .errors import Caller, CmdletError
from .record import ObjectRequest, ServerRecord

_STEPS = (
    ("Domain of the object (source)", "scoping"),
    ("Domain of the object (target)", "scoping"),
    ("Organizational unit of the object", "scoping"),
    ("Access to the object with the connector account", "import"),
    ("Type of the object", "scoping"),
    ("Group filter", "scoping"),
    ("Import from Active Directory", "import"),
    ("Import from Microsoft Entra ID", "import"),
    ("Synchronisation", "matching"),
    ("Export to Microsoft Entra ID", "export"),
)
_UNIT, _ACCESS, _EXPORT = 2, 3, 9


class SingleObjects:
    """Synchronises one object after the other; what was asked for stands in the record."""

    def __init__(self, engine: Engine, record: ServerRecord) -> None:
        self._engine, self._record, self._options = engine, record, engine.options

    def synchronise(self, caller: Caller, p: dict[str, Any]) -> str:
        """The cmdlet: its output is one JSON document."""
        dn = str(p["DistinguishedName"])
        request = ObjectRequest(time.time(), dn, bool(p.get("NoHtmlReport")), not self._options.enabled)
        with self._record.lock:
            self._record.objects.append(request)
        if caller.network_logon:  # assumption: what it reads first is kept from network logons
            raise _refusal("System.ServiceModel.EndpointNotFoundException", -2146233087, "There was no endpoint listening.")
        if self._options.enabled or self._engine.active:
            raise _refusal("System.InvalidOperationException", -2146233079, "Disable the scheduler before a single object is synchronised.")
        self._engine.stopping.wait(self._options.object_seconds)
        summary = self._summary(dn)
        request.result = str(summary["provisioningStatusInfo"]["status"])
        return json.dumps(summary, indent=2)

    def _summary(self, dn: str) -> dict[str, Any]:
        now = time.time()
        recent = [
            one for one in self._record.objects if one.result in ("success", "skipped") and now - one.at < self._options.throttle_seconds
        ]
        if len(recent) >= self._options.throttle_objects:
            return self._failed(dn, _EXPORT, "ThrottlingLimitExceeded", "Too many objects. Retry after 5 minutes.")
        fault = self._engine.faults.take("object_fails", lambda one: one.get("dn") in (None, dn))
        if fault:
            return self._failed(dn, int(fault.get("step", _EXPORT)), str(fault.get("code", "AttributeValueMustBeUnique")), "It is refused.")
        ous = self._options.synchronised_ous
        if ous and not any(dn.lower().endswith("," + ou.lower()) for ou in ous):
            return self._told(dn, _UNIT, "skipped", None)
        return self._carry(dn)

    def _carry(self, dn: str) -> dict[str, Any]:
        engine = self._engine
        if engine.directory is None:
            return self._told(dn, len(_STEPS), "success", None)
        found = [one for one in engine.directory.read_changes(None, True).objects if one.dn.casefold() == dn.casefold() and not one.deleted]
        if not found:
            return self._failed(dn, _ACCESS, "ObjectNotFound", "The object was not found.")
        with engine.lock:
            engine.store.stage(found[0])
            engine.store.synchronise(False)
            change = engine.store.pending.get(found[0].guid)
        if change is None:
            return self._told(dn, len(_STEPS), "skipped", None)
        error = engine.tenant.apply(change) if engine.tenant is not None else None
        if error is not None:
            return self._failed(dn, _EXPORT, error, "The cloud refuses it.")
        with engine.lock:
            engine.store.exported(found[0].guid)
        return self._told(dn, len(_STEPS), "success", None)

    def _failed(self, dn: str, step: int, code: str, words: str) -> dict[str, Any]:
        return self._told(dn, step, "failure", {"errorCode": code, "reason": words, "errorCategory": "failure", "recommendedAction": ""})

    @staticmethod
    def _told(dn: str, step: int, status: str, error: dict[str, Any] | None) -> dict[str, Any]:
        """A summary that ends at a step with a status; all steps before it went well."""
        names = [(name, kind, "success") for name, kind in _STEPS[:step]] + [(name, kind, status) for name, kind in _STEPS[step : step + 1]]
        steps = [
            {"name": name, "provisioningStepType": kind, "status": how, "description": f"{name}: {how}", "details": {"note": "ä" * 40}}
            for name, kind, how in names
        ]
        return {
            "id": str(uuid.uuid4()),
            "provisioningAction": "other",
            "sourceIdentity": {"id": dn, "identityType": "user", "displayName": dn.split(",", 1)[0][3:]},
            "provisioningSteps": steps,
            "modifiedProperties": [],
            "provisioningStatusInfo": {"status": status, "errorInformation": error},
        }


def _refusal(kind: str, hresult: int, words: str) -> CmdletError:
    return CmdletError(kind, hresult, "Invoke-ADSyncSingleObjectSync", "InvalidOperation", words)
