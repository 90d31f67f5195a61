# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The verbs of runspaces: the same six as for command shells, but the fragments of another protocol travel in them (MS-PSRP over MS-WSMV)."""

from __future__ import annotations

import base64
import binascii
import time
import uuid
from html import escape

from lab.wsman import soap
from lab.wsman.accounts import Accounts
from lab.wsman.log import RequestLog
from lab.wsman.service import WinrsService
from lab.wsman.shell import RemoteCommand, Shell, Shells

from .pool import RunspacePool

_ENVELOPE_OVERHEAD = 4096
_STATE = soap.SHELL + "/CommandState/"


class PsrpService(WinrsService):
    """Opens runspace pools, runs pipelines in them and carries their messages."""

    def __init__(self, shells: Shells, accounts: Accounts, log: RequestLog) -> None:
        super().__init__(shells, accounts)
        self._log = log

    def serves(self, message: soap.Message) -> bool:
        """See WinrsService.serves."""
        return message.resource.lower().startswith(soap.POWERSHELL + "/")

    def _pool(self, shell: Shell) -> RunspacePool:
        if not isinstance(shell.runspaces, RunspacePool):
            raise soap.unknown_shell(shell.shell_id)
        return shell.runspaces

    def _create(self, message: soap.Message, user: str) -> str:
        if self._accounts.is_denied(user):
            raise soap.access_denied()
        creation = message.body.findtext(f".//{{{soap.POWERSHELL}}}creationXml") or ""
        node = message.find("Shell")
        shell_id = node.get("ShellId") if node is not None else None
        node = message.find("IdleTimeOut")
        idle = soap.seconds(node.text) if node is not None else None
        shell = self._shells.open(self._accounts.canonical(user), user, {}, 65001, idle, shell_id)
        shell.runspaces = RunspacePool(user, shell.lifetime, self._log, self._shells.begin)
        self._feed(shell.runspaces, creation, None)
        return (
            f"<x:ResourceCreated><a:Address>{soap.ADDRESSING}/role/anonymous</a:Address><a:ReferenceParameters>"
            f'<w:ResourceURI>{escape(message.resource)}</w:ResourceURI><w:SelectorSet><w:Selector Name="ShellId">{shell.shell_id}</w:Selector>'
            f"</w:SelectorSet></a:ReferenceParameters></x:ResourceCreated><rsp:Shell><rsp:ShellId>{shell.shell_id}</rsp:ShellId>"
            f"<rsp:ResourceUri>{escape(message.resource)}</rsp:ResourceUri><rsp:Owner>{escape(user)}</rsp:Owner>"
            f"<rsp:IdleTimeOut>PT{shell.idle_seconds:.3f}S</rsp:IdleTimeOut>"
            "<rsp:InputStreams>stdin pr</rsp:InputStreams><rsp:OutputStreams>stdout</rsp:OutputStreams></rsp:Shell>"
        )

    def _command(self, message: soap.Message, user: str) -> str:
        shell = self._shell(message, user)
        pool = self._pool(shell)
        node = message.find("CommandLine")
        chosen = node.get("CommandId", "") if node is not None else ""
        pipeline_id = uuid.UUID(chosen) if chosen else uuid.uuid4()
        command_id = self._shells.add(shell, pool.add(pipeline_id), str(pipeline_id))
        self._feed(pool, "".join(argument.text or "" for argument in message.find_all("Arguments")), pipeline_id)
        return f"<rsp:CommandResponse><rsp:CommandId>{command_id}</rsp:CommandId></rsp:CommandResponse>"

    def _send(self, message: soap.Message, user: str) -> str:
        shell = self._shell(message, user)
        for node in message.find_all("Stream"):
            command_id = node.get("CommandId", "")
            if command_id:
                self._shells.command(shell, command_id)
            self._feed(self._pool(shell), node.text or "", uuid.UUID(command_id) if command_id else None)
        return "<rsp:SendResponse/>"

    def _receive(self, message: soap.Message, user: str) -> str:
        shell = self._shell(message, user)
        node = message.find("DesiredStream")
        command_id = node.get("CommandId", "") if node is not None else ""
        source: RemoteCommand = self._shells.command(shell, command_id) if command_id else self._pool(shell).outbox
        limit = max(1024, (message.max_envelope - _ENVELOPE_OVERHEAD) * 3 // 4)
        shell.waiting += 1
        try:
            chunks, exit_code = source.receive(message.timeout, limit)
        finally:
            shell.waiting -= 1
            shell.used = time.monotonic()
        whose = f' CommandId="{command_id}"' if command_id else ""
        streams = "".join(f'<rsp:Stream Name="stdout"{whose}>{base64.b64encode(data).decode()}</rsp:Stream>' for _name, data in chunks)
        if not command_id:
            return f"<rsp:ReceiveResponse>{streams}</rsp:ReceiveResponse>"
        state = "Running" if exit_code is None else "Done"
        return f'<rsp:ReceiveResponse>{streams}<rsp:CommandState{whose} State="{_STATE}{state}"/></rsp:ReceiveResponse>'

    def _signal(self, message: soap.Message, user: str) -> str:
        # The one signal that there is stops the pipeline, or says that a finished one is of no more interest.
        shell, command_id, command = self._running(message, user, "Signal")
        command.cancel(remove=False)
        self._shells.forget(shell, command_id)
        return "<rsp:SignalResponse/>"

    @staticmethod
    def _feed(pool: RunspacePool, text: str, pipeline_id: uuid.UUID | None) -> None:
        try:
            pool.feed(base64.b64decode(text, validate=True), pipeline_id)
        except (binascii.Error, ValueError):
            raise soap.WsmanFault(87, "The parameter is incorrect. ", sender=True) from None  # assumption: the code
