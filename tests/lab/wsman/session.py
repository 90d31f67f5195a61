# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""From HTTP request to HTTP answer on one connection: authentication, sealing, armed faults, then the service."""

from __future__ import annotations

import dataclasses
import random
import threading
from collections.abc import Collection

from lab.wsman import soap
from lab.wsman.accounts import Accounts
from lab.wsman.authentication import ConnectionAuthentication
from lab.wsman.faults import Fault, Faults
from lab.wsman.http import Request, Response
from lab.wsman.log import RequestLog
from lab.wsman.sealing import BadSeal, content_type, is_sealed, seal, unseal
from lab.wsman.service import Services

_SOAP_FAULTS = {"operation_timeout": soap.timed_out, "quota": soap.quota, "busy": soap.busy}


class Session:
    """What one TCP connection remembers, and how it answers.

    Args:
        service: does the work.
        accounts: who may sign in.
        faults: what to do wrong.
        log: counters.
        stopping: set when the server ends (a hanging answer gives up).
        binding: channel binding data on TLS.
        client: the account that the certificate of a client stands for; '' without one.
        offers: the kinds of authentication that are switched on; None = all.
    """

    def __init__(
        self,
        service: Services,
        accounts: Accounts,
        faults: Faults,
        log: RequestLog,
        stopping: threading.Event,
        binding: bytes | None,
        client: str = "",
        offers: Collection[str] | None = None,
    ) -> None:
        self._service = service
        self._faults = faults
        self._log = log
        self._stopping = stopping
        self._authentication = ConnectionAuthentication(accounts, binding, client, offers)

    def respond(self, request: Request) -> Response:
        """The answer to one request of this connection."""
        if request.path.partition("?")[0].rstrip("/").lower() != "/wsman":
            return Response(404)
        if request.method != "POST":
            return Response(405)
        sealed = is_sealed(request.headers.get("content-type", ""))
        authorization = request.headers.get("authorization")
        if sealed and authorization is None and self._authentication.context is None:
            # Sealed for another connection: a real listener says 400 here, and ansible-core counts on it.
            return Response(400)
        verdict = self._authentication.judge(authorization)
        if not verdict.user or not request.body:
            self._log.count(auth=1)
            fault = self._faults.take("auth")
            broken = self._strike(fault, "", False) if fault and fault.name not in ("truncated", "garbage", "slow") else None
            return broken or Response(200 if verdict.user else 401, headers=verdict.headers)
        if sealed and self._authentication.context is None:  # Basic, or a handshake that has not ended
            return Response(400)
        response = self._answer(request.body, verdict.user, sealed)
        response.headers += verdict.headers
        return response

    def _answer(self, body: bytes, user: str, sealed: bool) -> Response:
        context = self._authentication.context
        if sealed and context is not None:
            try:
                body = unseal(context, self._authentication.scheme, body)
            except BadSeal:
                return Response(400, close=True)
        try:
            message = soap.parse(body)
        except soap.BadMessage:
            return Response(400)
        self._log.count(**{message.verb: 1})
        fault = self._faults.take(message.verb)
        broken = None
        if fault and not fault.after:
            broken = self._strike(fault, message.message_id, sealed)
            if broken:
                return broken
        status, envelope = self._service.answer(message, user)
        late = None if fault else self._faults.take(message.verb, pending=True)
        fault = dataclasses.replace(late, after=True) if late else fault
        if fault and fault.name in ("truncated", "garbage", "slow"):
            return self._spoil(fault, self._envelope(status, envelope, sealed))
        if fault and fault.after:
            broken = self._strike(fault, message.message_id, sealed)
        return broken or self._envelope(status, envelope, sealed)

    def _envelope(self, status: int, envelope: bytes, sealed: bool) -> Response:
        context = self._authentication.context
        if sealed and context is not None:
            scheme = self._authentication.scheme
            return Response(status, seal(context, scheme, envelope), content_type(scheme, envelope))
        return Response(status, envelope)

    @staticmethod
    def _spoil(fault: Fault, response: Response) -> Response:
        """An answer to work that has been done, so that the client cannot read it, or not for long."""
        if fault.name == "garbage":
            response.body = random.Random(len(response.body)).randbytes(len(response.body))
        elif fault.name == "slow":
            response.pace = fault.seconds
        else:
            response.cut = 0.6
        return response

    def _strike(self, fault: Fault, message_id: str, sealed: bool) -> Response | None:
        """Misbehave. None: the request is to be answered as usual (a hang, when it is over)."""
        if fault.name == "hang":
            return Response(503, drop=True) if self._stopping.wait(fault.seconds) else None
        if fault.name == "close_connection":
            return Response(503, drop=True)
        if fault.name.startswith("http_"):
            return Response(int(fault.name[5:]))
        if fault.name == "redirect":
            return Response(307, headers=[("Location", fault.location)])
        if fault.name == "html":
            return Response(200, b"<!DOCTYPE html><html><body>Sign in to the network</body></html>", "text/html")
        if fault.name == "unauthorized":
            return Response(401, headers=self._authentication.refuse().headers)
        return self._envelope(500, soap.fault(message_id, _SOAP_FAULTS[fault.name]()), sealed)
