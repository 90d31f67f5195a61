# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The remote call: request, bootstrap, envelope, error objects.

A call is a command line that never changes, and one line on standard input: a JSON document, compressed, that carries
the envelope script, the script and its parameters. Nothing is ever formatted into script text. The answer is one line of JSON
between two random markers; whatever else is printed is noise. This is private to the collection.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import secrets
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Callable

from .._deadline import Deadline
from .._printable import printable
from ._clock import ClockLead
from ._compact import compact
from ._shape import Misshapen, Shape, anything, error_object, flag, list_of, optional, record, text, timestamp, whole
from ._transport import ConnectionBroken, Transport, TransportError

#: more than any answer has: sixty runs with their errors, and events, come to less than a tenth of it
MOST_CHARACTERS = 16 * 1024 * 1024

# On the command line stands only this: some connection plugins encode a command line a second time, and cmd.exe ends
# at 8191 characters. `$input` is the one way to read standard input that WinRM, PSRP and SSH have in common.
# The document is compressed because WinRM wraps every byte three times over. Windows PowerShell 3.0 is the least that will do (on old servers
# there is no more): a lower one says so and reads nothing. What follows `else` is no more than 2.0 can parse.
BOOTSTRAP = (
    '$v=$PSVersionTable.PSVersion;if($v.Major-lt3){"#PowerShell $v#"}else{'
    "$q=ConvertFrom-Json(New-Object IO.StreamReader(New-Object IO.Compression.GZipStream((New-Object IO.MemoryStream(,"
    "[Convert]::FromBase64String(@($input)-join''))),[IO.Compression.CompressionMode]0))).ReadToEnd();&([ScriptBlock]::Create($q.run))$q}"
)
#: what the bootstrap writes instead of an answer where PowerShell is too old for it
_TOO_OLD = re.compile(rb"#PowerShell (\d[\d.]{0,20})#")

# The words, their case and their order are what the winrm and psrp connection plugins recognise as an encoded command.
COMMAND_LINE = "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand " + base64.b64encode(
    BOOTSTRAP.encode("utf-16-le")
).decode("ascii")

# Strings travel behind one guard character, because PowerShell 7 turns strings that look like a date into a date.
# Everything that is not ASCII goes back as \uXXXX, so the code page of the server does not matter.
ENVELOPE = compact(r"""param($Request)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
function ConvertFrom-Guarded($Value) {
    if ($Value -is [string]) { return $Value.Substring(1) }
    if ($Value -is [System.Collections.IList]) { return , @(foreach ($item in $Value) { ConvertFrom-Guarded $item }) }
    if ($Value -is [System.Management.Automation.PSCustomObject]) {
        $table = @{}
        foreach ($property in $Value.PSObject.Properties) { $table[$property.Name] = ConvertFrom-Guarded $property.Value }
        return $table
    }
    return $Value
}
function ConvertTo-ErrorObject($Record) {
    $types = @()
    for ($exception = $Record.Exception; $null -ne $exception; $exception = $exception.InnerException) {
        $types += @{ type = $exception.GetType().FullName; hresult = [System.Runtime.InteropServices.Marshal]::GetHRForException($exception) }
    }
    return @{
        type = $types[0].type
        hresult = $types[-1].hresult
        causes = @($types)
        error_id = [string]$Record.FullyQualifiedErrorId
        category = $Record.CategoryInfo.Category.ToString()
        message = [string]$Record.Exception.Message
        script_stack = [string]$Record.ScriptStackTrace
    }
}
function Get-UtcText { return (Get-Date).ToUniversalTime().ToString('o') }
$watch = [System.Diagnostics.Stopwatch]::StartNew()
$warnings = @()
$answer = @{ ok = $true; data = $null; bits = 8 * [IntPtr]::Size }
try {
    $parameters = ConvertFrom-Guarded $Request.parameters
    foreach ($item in @(& ([ScriptBlock]::Create($Request.script)) $parameters 3>&1)) {
        if ($item -is [System.Management.Automation.WarningRecord]) { $warnings += [string]$item.Message } else { $answer.data = $item }
    }
} catch {
    $answer.ok = $false
    $answer.error = ConvertTo-ErrorObject $_
}
$answer.warnings = @($warnings)
$answer.duration_ms = [int64]$watch.ElapsedMilliseconds
$answer.server_utc = Get-UtcText
$text = ConvertTo-Json -InputObject $answer -Compress -Depth 9
$text = [regex]::Replace($text, '[^\x20-\x7e]', { param($match) '\u{0:x4}' -f [int][char]$match.Value })
$Request.marker + $text + $Request.marker
""")


class RemoteError(Exception):
    """The script ended with an error on the server. Told apart by type, HRESULT and error id, never by words.

    Attributes:
        type: full .NET type name of the outermost exception. causes: [{type, hresult}], outermost first.
        hresult: signed 32 bit number of the innermost exception. error_id, category: as PowerShell has them.
    """

    def __init__(self, error: dict[str, Any]) -> None:
        self.type = str(error.get("type") or "")
        self.hresult = int(error.get("hresult") or 0)
        self.causes: list[dict[str, Any]] = list(error.get("causes") or [])
        self.error_id = str(error.get("error_id") or "")
        self.category = str(error.get("category") or "")
        self.script_stack = str(error.get("script_stack") or "")
        self.message = str(error.get("message") or "")
        super().__init__(self.sentence())

    def has_type(self, name: str) -> bool:
        """Whether the exception or one of its causes is of this full .NET type."""
        return any(cause["type"] == name for cause in self.causes) or self.type == name

    def has_hresult(self, *numbers: int) -> bool:
        """Whether the exception or one of its causes carries one of these HRESULTs (signed 32 bit)."""
        return any(cause["hresult"] in numbers for cause in self.causes) or self.hresult in numbers

    def sentence(self) -> str:
        """The server's own words with the marks by which they can be looked up; never used to decide anything."""
        words = printable(self.message).rstrip(".") or "no message"
        return f"{words} [{printable(self.type, 100)}, 0x{self.hresult & 0xFFFFFFFF:08X}]"


class NoAnswer(TransportError):
    """The remote process ended without an answer between the markers."""


class PowerShellTooOld(NoAnswer):
    """The server has a Windows PowerShell below 3.0: nothing has run."""

    def __init__(self, version: str) -> None:
        super().__init__(
            f"Windows PowerShell on the server is {version}, and 3.0 is the least that can be driven.",
            remedy="Install Windows Management Framework 3.0 or later on it (5.1 where the system takes it).",
        )


class AnswerError(Exception):
    """There is an answer, and it is not what the script promises: whether the script did its work is not known."""


class CannotTravel(ValueError):
    """A parameter value that cannot be sent to a script."""


@dataclass(frozen=True)
class Answer:
    """What a script returned, with what the envelope knows about the call.

    data is what the shape of the script made of it. server_utc is the server's clock at the end of the call, lead what the
    call tells of it; bits is 64 or 32, of the process that ran it.
    """

    data: Any
    server_utc: datetime
    lead: ClockLead
    bits: int
    warnings: list[str] = field(default_factory=list)


def guard(value: Any) -> Any:
    """Put the guard character before every string of a parameter tree.

    Raises:
        CannotTravel: a lone surrogate is not a character in any encoding, or a type is foreign.
    """
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise CannotTravel(f"the character at position {error.start} is half of a surrogate pair") from error
        return "~" + value
    if isinstance(value, (list, tuple)):
        return [guard(item) for item in value]
    if isinstance(value, dict):
        return {str(key): guard(item) for key, item in value.items()}
    raise CannotTravel(f"a {type(value).__name__} cannot be a parameter of a remote script")


def request_line(script: str, parameters: dict[str, Any], marker: str) -> bytes:
    """The one line of ASCII that goes to standard input: the request document, compressed."""
    return base64.b64encode(gzip.compress(request_document(script, parameters, marker).encode("ascii"), mtime=0)) + b"\n"


def request_document(script: str, parameters: dict[str, Any], marker: str) -> str:
    """The request as JSON: the envelope, the script, its guarded parameters, and the marker of the answer."""
    document = {"run": ENVELOPE, "script": script, "parameters": guard(parameters), "marker": marker}
    return json.dumps(document, ensure_ascii=True, separators=(",", ":"))


_ENVELOPE_SHAPE = record(
    ok=flag, data=anything, error=optional(error_object), server_utc=timestamp, duration_ms=whole, bits=whole, warnings=list_of(text)
)


def read_envelope(stdout: bytes, marker: str) -> dict[str, Any] | None:
    """The JSON document between the last two markers, or None when there is none.

    Raises:
        AnswerError: there is something between the markers that is no answer.
    """
    text_between = stdout.decode("ascii", errors="replace").replace("\r", "").replace("\n", "").rsplit(marker, 2)
    if len(text_between) != 3:
        return None
    if len(text_between[1]) > MOST_CHARACTERS:
        raise AnswerError(f"the answer has {len(text_between[1])} characters, which is more than any script returns")
    try:
        document = json.loads(text_between[1], parse_constant=_no_number)
        checked: dict[str, Any] = _ENVELOPE_SHAPE(document, "the answer")
    except Misshapen as error:
        raise AnswerError(str(error)) from None
    except (ValueError, RecursionError):
        raise AnswerError("the answer is no JSON document") from None
    if not checked["ok"] and checked["error"] is None:
        raise AnswerError("the answer tells of an error and does not say which")
    return checked


def _no_number(name: str) -> None:
    raise Misshapen(f"the answer holds {name}, which is no number")


def open_envelope(envelope: dict[str, Any], shape: Shape, lead: ClockLead) -> Answer:
    """The answer that an envelope holds.

    Raises:
        RemoteError: the script failed.
        AnswerError: what it returned is not of the shape.
    """
    if not envelope["ok"]:
        raise RemoteError(envelope["error"])
    try:
        data = shape(envelope["data"], "the answer")
    except Misshapen as error:
        raise AnswerError(str(error)) from None
    except RecursionError:
        raise AnswerError("the answer is nested too deeply") from None
    return Answer(data, envelope["server_utc"].at, lead, envelope["bits"], envelope["warnings"])


def measure_lead(envelope: dict[str, Any], asked: float, answered: float) -> ClockLead:
    """What the clocks allow after an exchange; asked and answered are this machine's monotonic clock in seconds."""
    now = time.time()
    ago = time.monotonic()
    return ClockLead.measured(
        envelope["server_utc"].at.timestamp(), now - (ago - asked), now - (ago - answered), max(envelope["duration_ms"], 0) / 1000
    )


class RemoteShell:
    """Calls scripts on the sync server over a transport.

    Args:
        transport: carries the calls; it is closed with this object.
        deadline: bounds every call, whatever else is allowed to it.
        trace: gets one line a call for the highest verbosity; never parameters, never output of a failed call's request.

    Attributes:
        tag: what the names of everything that its calls leave on the server for a moment have in common, and nobody else's have.
    """

    #: pauses in seconds before the repetitions of a call that is safe to repeat
    RETRY_PAUSES = (1.0, 3.0, 6.0)
    #: seconds by which a call may outlast the deadline, so that a script that ends with it can still be heard
    GRACE = 2.0

    def __init__(self, transport: Transport, deadline: Deadline, trace: Callable[[str], None] | None = None) -> None:
        self._transport = transport
        self.deadline = deadline
        self.tag = secrets.token_hex(4)
        self._trace = trace or (lambda line: None)

    def call(self, name: str, script: str, parameters: dict[str, Any], *, shape: Shape, timeout: float, repeatable: bool) -> Answer:
        """Run one script.

        Args:
            name: what the call is called in traces.
            script: the text; begins with a param block that takes one hashtable.
            parameters: plain values; the script sees them as a hashtable.
            shape: what the script promises to return.
            timeout: seconds for each try; the deadline may leave less.
            repeatable: whether running it twice does no harm; only then is a broken connection tried again.

        Raises:
            RemoteError: the script failed on the server.
            AnswerError: its answer is not what it promises.
            TransportError: the call could not be carried (after the tries that were allowed); PowerShellTooOld among them.
            CannotTravel: a parameter cannot be sent.
        """
        pauses = list(self.RETRY_PAUSES) if repeatable else []
        while True:
            try:
                return self._once(name, script, parameters, shape, timeout)
            except PowerShellTooOld:
                raise
            except (ConnectionBroken, NoAnswer) as error:
                if not pauses or self.deadline.left() <= pauses[0]:
                    raise
                pause = pauses.pop(0)
                self._trace(f"{name}: {error} Trying again in {pause:g} s.")
                time.sleep(pause)

    def _once(self, name: str, script: str, parameters: dict[str, Any], shape: Shape, timeout: float) -> Answer:
        marker = "#" + secrets.token_hex(8) + "#"
        line = request_line(script, parameters, marker)
        asked = time.monotonic()
        output = self._transport.execute(COMMAND_LINE, line, min(timeout, self.deadline.left() + self.GRACE))
        answered = time.monotonic()
        self._trace(
            f"{name}: {answered - asked:.2f} s, sent {len(line)} bytes, received {len(output.stdout)} bytes, exit code {output.exit_code}."
        )
        envelope = read_envelope(output.stdout, marker)
        if envelope is None:
            too_old = _TOO_OLD.search(output.stdout)
            if too_old is not None:
                raise PowerShellTooOld(too_old.group(1).decode("ascii"))
            # Standard error may hold anything, also what was sent: it is counted here and not repeated.
            raise NoAnswer(
                f"The call {name!r} came back without an answer (exit code {output.exit_code}, {len(output.stdout)} bytes of output, "
                f"{len(output.stderr)} bytes of errors): Windows PowerShell did not run the script."
            )
        return open_envelope(envelope, shape, measure_lead(envelope, asked, answered))

    def close(self) -> None:
        """Close the transport. Never raises."""
        self._transport.close()
