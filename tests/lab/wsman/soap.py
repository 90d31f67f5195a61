# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""SOAP messages of WS-Management: reading requests, building answers and faults (WinRS part of MS-WSMV)."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from html import escape
from xml.etree import ElementTree

SOAP = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
WSMAN_FAULT = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
WMI_ERROR = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/MSFT_WmiError"
COMMAND_SHELL = SHELL + "/cmd"  # the resource of WinRS shells
POWERSHELL = "http://schemas.microsoft.com/powershell"  # the resources of runspaces begin with it, and it is the namespace of creationXml
FAULT_ACTION = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"

_VERBS = {
    TRANSFER + "/Create": "Create",
    TRANSFER + "/Delete": "Delete",
    SHELL + "/Command": "Command",
    SHELL + "/Send": "Send",
    SHELL + "/Receive": "Receive",
    SHELL + "/Signal": "Signal",
}
_REPLY_ACTIONS = {verb: action + "Response" for action, verb in _VERBS.items()}
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$")
_DEFAULT_TIMEOUT = 60.0  # MaxTimeoutms of a listener is 60000 unless changed
_DEFAULT_ENVELOPE = 153600


class BadMessage(Exception):
    """The body is not a SOAP envelope."""


class WsmanFault(Exception):
    """A fault to answer a request with.

    Args:
        code: code of the WSManFault element, or of the WMI error when `wmi` is set.
        text: the reason, as Windows words it.
        subcode: qualified name below s:Sender or s:Receiver.
        sender: whether the client is to blame.
    """

    def __init__(self, code: int, text: str, *, subcode: str = "w:InternalError", sender: bool = False, wmi: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.subcode = subcode
        self.sender = sender
        self.wmi = wmi


@dataclass(frozen=True)
class Message:
    """One request. `verb` is '' for an action this server does not know; `timeout` is OperationTimeout in seconds."""

    verb: str
    action: str
    message_id: str
    resource: str
    shell_id: str
    timeout: float
    max_envelope: int
    options: dict[str, str]
    body: ElementTree.Element

    def find(self, name: str) -> ElementTree.Element | None:
        """The first element of this name (namespace of the shell) in the body."""
        return self.body.find(f".//{{{SHELL}}}{name}")

    def find_all(self, name: str) -> list[ElementTree.Element]:
        """All elements of this name (namespace of the shell) in the body."""
        return self.body.findall(f".//{{{SHELL}}}{name}")


def seconds(duration: str | None) -> float:
    """An xs:duration (days and smaller) in seconds; a missing or odd one counts as the listener's default."""
    match = _DURATION.match((duration or "").strip())
    if not match:
        return _DEFAULT_TIMEOUT
    days, hours, minutes, secs = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + secs


def parse(data: bytes) -> Message:
    """Read an envelope. Raises BadMessage."""
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise BadMessage(str(error)) from None
    header, body = root.find(f"{{{SOAP}}}Header"), root.find(f"{{{SOAP}}}Body")
    if header is None or body is None:
        raise BadMessage("no SOAP header or body")

    def text(namespace: str, name: str) -> str:
        return (header.findtext(f"{{{namespace}}}{name}") or "").strip() if header is not None else ""

    selectors = {node.get("Name", ""): (node.text or "").strip() for node in header.iter(f"{{{WSMAN}}}Selector")}
    options = {node.get("Name", ""): (node.text or "").strip() for node in header.iter(f"{{{WSMAN}}}Option")}
    envelope = text(WSMAN, "MaxEnvelopeSize")
    action = text(ADDRESSING, "Action")
    return Message(
        verb=_VERBS.get(action, ""),
        action=action,
        message_id=text(ADDRESSING, "MessageID"),
        resource=text(WSMAN, "ResourceURI"),
        shell_id=selectors.get("ShellId", ""),
        timeout=seconds(text(WSMAN, "OperationTimeout") or None),
        max_envelope=int(envelope) if envelope.isdigit() else _DEFAULT_ENVELOPE,
        options=options,
        body=body,
    )


def _envelope(action: str, relates_to: str, body: str) -> bytes:
    relation = f"<a:RelatesTo>{escape(relates_to)}</a:RelatesTo>" if relates_to else ""
    return (
        f'<s:Envelope xml:lang="en-US" xmlns:s="{SOAP}" xmlns:a="{ADDRESSING}" xmlns:x="{TRANSFER}" xmlns:w="{WSMAN}" xmlns:rsp="{SHELL}">'
        f"<s:Header><a:Action>{action}</a:Action><a:MessageID>uuid:{str(uuid.uuid4()).upper()}</a:MessageID>"
        f"<a:To>{ADDRESSING}/role/anonymous</a:To>{relation}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def reply(message: Message, body: str) -> bytes:
    """The answer to a request; `body` is XML with the prefixes x, a, w and rsp."""
    return _envelope(_REPLY_ACTIONS[message.verb], message.message_id, body)


def fault(relates_to: str, error: WsmanFault) -> bytes:
    """The envelope of a fault (goes with HTTP status 500)."""
    text = escape(error.text)
    if error.wmi:
        detail = (
            f'<p:MSFT_WmiError b:IsCIM_Error="true" xmlns:p="{WMI_ERROR}" xmlns:b="http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd">'
            f"<p:error_Category>30</p:error_Category><p:error_Code>{error.code}</p:error_Code><p:error_Type>HRESULT</p:error_Type>"
            f"<p:error_WindowsErrorMessage>{text}</p:error_WindowsErrorMessage></p:MSFT_WmiError>"
        )
    else:
        detail = (
            f'<f:WSManFault xmlns:f="{WSMAN_FAULT}" Code="{error.code}" Machine="sync-server"><f:Message>{text}</f:Message></f:WSManFault>'
        )
    return _envelope(
        FAULT_ACTION,
        relates_to,
        f"<s:Fault><s:Code><s:Value>s:{'Sender' if error.sender else 'Receiver'}</s:Value>"
        f"<s:Subcode><s:Value>{error.subcode}</s:Value></s:Subcode></s:Code>"
        f'<s:Reason><s:Text xml:lang="en-US">{text}</s:Text></s:Reason><s:Detail>{detail}</s:Detail></s:Fault>',
    )


def timed_out() -> WsmanFault:
    """No answer within OperationTimeout; clients take it as 'ask again'."""
    text = "The WS-Management service cannot complete the operation within the time specified in OperationTimeout."
    return WsmanFault(2150858793, text + "  ", subcode="w:TimedOut")


def quota() -> WsmanFault:
    """Too many operations (0x803381A6); arrives as a WMI error."""
    text = (
        "The WS-Management service cannot process the request. The maximum number of concurrent operations for this user has been "
        "exceeded. Close existing operations for this user, or raise the quota for this user."
    )
    return WsmanFault(0x803381A6, text, wmi=True)


def busy() -> WsmanFault:
    """ERROR_BUSY."""
    return WsmanFault(170, "The requested resource is in use. ")


def access_denied() -> WsmanFault:
    """The user may sign in but not use remoting."""
    # assumption: code 5, s:Sender, w:AccessDenied with HTTP 500; no source says so for Create.
    return WsmanFault(5, "Access is denied. ", subcode="w:AccessDenied", sender=True)


def unknown_shell(shell_id: str) -> WsmanFault:
    """No such shell (any more)."""
    text = (
        f"The request for the Windows Remote Shell with ShellId {shell_id} failed because the shell was not found on the server. "
        "Possible causes are: the specified ShellId is incorrect or the shell no longer exists on the server. "
        "Provide the correct ShellId or create a new shell and retry the operation. "
    )
    return WsmanFault(2150858843, text, subcode="w:InvalidSelectors", sender=True)


def unknown_command(command_id: str) -> WsmanFault:
    """No such command (any more)."""
    # assumption: the code a real listener gives is not known; this one is the lab's choice.
    return WsmanFault(2150858995, f"The command with CommandId {command_id} was not found in the shell. ", sender=True)


def aborted() -> WsmanFault:
    """A Receive that waited while its command was terminated (ERROR_OPERATION_ABORTED)."""
    text = "The I/O operation has been aborted because of either a thread exit or an application request. "
    return WsmanFault(995, text)


def broken_pipe() -> WsmanFault:
    """Input after the end of input (ERROR_BROKEN_PIPE, seen in ansible/ansible issue 75227)."""
    return WsmanFault(109, "The pipe has been ended. ")


def unsupported(message: Message) -> WsmanFault:
    """An action or resource that this server does not offer."""
    # assumption: one code for both; clients only need a fault.
    text = f"The WS-Management service cannot process the request: {message.action} of {message.resource} is not available."
    return WsmanFault(2150858752, text, subcode="a:DestinationUnreachable", sender=True)
