# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The verbs of WinRS: from a request message to the body of its answer."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable
from html import escape

from lab.wsman import soap
from lab.wsman.accounts import Accounts
from lab.wsman.shell import RemoteCommand, Shell, Shells

_ENVELOPE_OVERHEAD = 4096  # what an answer needs beside the output
_STATE = soap.SHELL + "/CommandState/"
_TERMINATE = soap.SHELL + "/signal/terminate"


class WinrsService:
    """Creates shells, runs commands in them and carries their streams."""

    def __init__(self, shells: Shells, accounts: Accounts) -> None:
        self._shells = shells
        self._accounts = accounts
        self._verbs: dict[str, Callable[[soap.Message, str], str]] = {
            "Create": self._create,
            "Command": self._command,
            "Send": self._send,
            "Receive": self._receive,
            "Signal": self._signal,
            "Delete": self._delete,
        }

    def serves(self, message: soap.Message) -> bool:
        """Whether the resource of a message is of this kind."""
        return message.resource.rstrip("/").lower() == soap.COMMAND_SHELL

    def answer(self, message: soap.Message, user: str) -> tuple[int, bytes]:
        """Do what the message asks for this principal. Returns HTTP status and envelope; a fault is an answer too (500)."""
        try:
            if message.verb not in self._verbs:
                raise soap.unsupported(message)
            return 200, soap.reply(message, self._verbs[message.verb](message, user))
        except soap.WsmanFault as fault:
            return 500, soap.fault(message.message_id, fault)

    def _shell(self, message: soap.Message, user: str) -> Shell:
        return self._shells.get(message.shell_id, self._accounts.canonical(user))

    def _running(self, message: soap.Message, user: str, element: str) -> tuple[Shell, str, RemoteCommand]:
        """Shell, identifier and command that the CommandId attribute of an element of the body names."""
        shell = self._shell(message, user)
        node = message.find(element)
        command_id = node.get("CommandId", "") if node is not None else ""
        return shell, command_id, self._shells.command(shell, command_id)

    def _create(self, message: soap.Message, user: str) -> str:
        if self._accounts.is_denied(user):
            raise soap.access_denied()
        environment = {node.get("Name", ""): node.text or "" for node in message.find_all("Variable")}
        codepage = message.options.get("WINRS_CODEPAGE", "")
        node = message.find("IdleTimeOut")
        idle = soap.seconds(node.text) if node is not None else None
        shell = self._shells.open(self._accounts.canonical(user), user, environment, int(codepage) if codepage.isdigit() else 437, idle)
        # pywinrm takes the first element with Name="ShellId".
        return (
            f"<x:ResourceCreated><a:Address>{soap.ADDRESSING}/role/anonymous</a:Address><a:ReferenceParameters>"
            f'<w:ResourceURI>{soap.COMMAND_SHELL}</w:ResourceURI><w:SelectorSet><w:Selector Name="ShellId">{shell.shell_id}</w:Selector>'
            f"</w:SelectorSet></a:ReferenceParameters></x:ResourceCreated><rsp:Shell><rsp:ShellId>{shell.shell_id}</rsp:ShellId>"
            f"<rsp:Owner>{escape(user)}</rsp:Owner><rsp:IdleTimeOut>PT{shell.idle_seconds:.3f}S</rsp:IdleTimeOut>"
            "<rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>"
        )

    def _command(self, message: soap.Message, user: str) -> str:
        shell = self._shell(message, user)
        parts = [node.text or "" for name in ("Command", "Arguments") for node in message.find_all(name)]
        console = message.options.get("WINRS_CONSOLEMODE_STDIN", "TRUE").upper() != "FALSE"
        command_id = self._shells.start(shell, " ".join(part for part in parts if part), console)
        return f"<rsp:CommandResponse><rsp:CommandId>{command_id}</rsp:CommandId></rsp:CommandResponse>"

    def _send(self, message: soap.Message, user: str) -> str:
        _shell, _command_id, command = self._running(message, user, "Stream")
        for node in message.find_all("Stream"):
            try:
                data = base64.b64decode(node.text or "")
            except binascii.Error:
                raise soap.WsmanFault(87, "The parameter is incorrect. ", sender=True) from None  # assumption: the code
            command.feed(data, node.get("End", "").lower() in ("true", "1"))
        return "<rsp:SendResponse/>"

    def _receive(self, message: soap.Message, user: str) -> str:
        shell, command_id, command = self._running(message, user, "DesiredStream")
        limit = max(1024, (message.max_envelope - _ENVELOPE_OVERHEAD) * 3 // 4)  # base64 makes four bytes of three
        shell.waiting += 1
        try:
            chunks, exit_code = command.receive(message.timeout, limit)
        finally:
            shell.waiting -= 1
            shell.used = time.monotonic()
        streams = "".join(
            f'<rsp:Stream Name="{name}" CommandId="{command_id}">{base64.b64encode(data).decode()}</rsp:Stream>' for name, data in chunks
        )
        if exit_code is None:
            state = f'<rsp:CommandState CommandId="{command_id}" State="{_STATE}Running"/>'
        else:
            ends = "".join(f'<rsp:Stream Name="{name}" CommandId="{command_id}" End="true"/>' for name in ("stdout", "stderr"))
            code = f"<rsp:ExitCode>{exit_code}</rsp:ExitCode>"
            state = f'{ends}<rsp:CommandState CommandId="{command_id}" State="{_STATE}Done">{code}</rsp:CommandState>'
        return f"<rsp:ReceiveResponse>{streams}{state}</rsp:ReceiveResponse>"

    def _signal(self, message: soap.Message, user: str) -> str:
        shell, command_id, command = self._running(message, user, "Signal")
        node = message.find("Code")
        code = (node.text or "").strip() if node is not None else ""
        # After ctrl_c the output and the exit code can still be received; terminate is the last word on a command.
        command.cancel(remove=code == _TERMINATE)
        if code == _TERMINATE:
            self._shells.forget(shell, command_id)
        return "<rsp:SignalResponse/>"

    def _delete(self, message: soap.Message, user: str) -> str:
        self._shells.close(self._shell(message, user))
        return ""


class Services:
    """What one listener offers, by the resource that a message names."""

    def __init__(self, *services: WinrsService) -> None:
        self._services = services

    def answer(self, message: soap.Message, user: str) -> tuple[int, bytes]:
        """See WinrsService.answer."""
        for service in self._services:
            if service.serves(message):
                return service.answer(message, user)
        return 500, soap.fault(message.message_id, soap.unsupported(message))
