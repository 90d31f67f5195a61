# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The envelope of a remote call where no PowerShell is found: a fake stands in for the script, the rest is the same."""

from __future__ import annotations

import base64
import gzip
import json
import secrets
import time
from datetime import datetime, timedelta, timezone
from typing import Any, Callable

from lab.clock import Clock, last_digit
from lab.connect import CmdletError

Fake = Callable[[dict[str, Any]], Any]


def unguard(value: Any) -> Any:
    """Take the guard character off every string of a parameter tree."""
    if isinstance(value, str):
        return value[1:]
    if isinstance(value, list):
        return [unguard(item) for item in value]
    if isinstance(value, dict):
        return {key: unguard(item) for key, item in value.items()}
    return value


def round_trip(moment: datetime) -> str:
    """A moment as .NET's round-trip format writes it: seven digits of a second, the last one as in the bridge to PowerShell."""
    return moment.astimezone(timezone.utc).replace(tzinfo=None).isoformat(timespec="microseconds") + f"{last_digit(moment)}Z"


def round_trip_or_none(moment: datetime | None) -> str | None:
    """The same for a moment that may be missing; what lies before all calendars is .NET's MinValue."""
    return None if moment is None else round_trip(moment)


def parse_round_trip(text: str) -> datetime:
    """The moment of a round-trip text in UTC."""
    return datetime.strptime(text[:26], "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=timezone.utc)


def error_object(error: CmdletError) -> dict[str, Any]:
    """What ConvertTo-ErrorObject makes of an error record."""
    return {
        "type": error.type,
        "hresult": error.hresult,
        "causes": [{"type": error.type, "hresult": error.hresult}],
        "error_id": error.error_id,
        "category": error.category,
        "message": error.message,
        "script_stack": "",
    }


def read_request(line: bytes) -> dict[str, Any]:
    """The request document of one line of standard input. Raises ValueError when it is none."""
    document = json.loads(gzip.decompress(base64.b64decode(line.strip(), validate=True)))
    if not isinstance(document, dict):
        raise ValueError("the request is not a JSON object")
    return document


def answer_request(document: dict[str, Any], fake: Fake, clock: Clock) -> str:
    """Run a fake as the envelope runs its script; the answer between its markers."""
    began = time.monotonic()
    answer: dict[str, Any] = {"ok": True, "data": None, "bits": 64, "warnings": []}
    try:
        answer["data"] = fake(unguard(document["parameters"]))
    except CmdletError as error:
        answer.update(ok=False, error=error_object(error))
    answer["duration_ms"] = int((time.monotonic() - began) * 1000)
    answer["server_utc"] = round_trip(clock.now())
    return str(document["marker"]) + json.dumps(answer, ensure_ascii=True, separators=(",", ":")) + str(document["marker"])


def carried_call(document: dict[str, Any], errand: dict[str, Any], parameters: dict[str, Any], clock: Clock) -> dict[str, Any]:
    """What the local route is asked for by a call that carries an errand along: its name and the bound for left-overs come from the server."""
    guarded = {key: "~" + value if isinstance(value, str) else value for key, value in parameters.items()}
    request = {"run": document["run"], "script": errand["script"], "parameters": guarded, "marker": errand["marker"]}
    now, left = clock.now(), min(errand["seconds"], 60)
    return {
        "name": f"{now:%Y%m%d%H%M%S}-{errand['tag']}{secrets.token_hex(2)}",
        "tag": errand["tag"],
        "leftover": f"{now - timedelta(hours=1):%Y%m%d%H%M%S}",
        "earlier": [],
        "request": json.dumps(request),
        "seconds": max(left - min(10, left / 2), 1),
    }
