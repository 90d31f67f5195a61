# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Access tokens through msal: client secret, certificate or federated token. Private to the collection."""

from __future__ import annotations

import json
import re
import traceback
from typing import Any, Mapping, Optional
from urllib.parse import urlsplit

from .._printable import printable
from ._credentials import is_pkcs12, read_file
from ._failures import GraphFailure, sign_in_failure
from ._http import REQUESTS_IMPORT_ERROR, HttpClient, Reply, TooLong, is_broken_off, reason_of
from ._options import GraphOptions

GRAPH_IMPORT_ERROR: Optional[str] = REQUESTS_IMPORT_ERROR
GRAPH_LIBRARY = "requests" if REQUESTS_IMPORT_ERROR else ""
try:
    import requests
except ImportError:
    pass
try:
    import msal
except ImportError:
    GRAPH_IMPORT_ERROR, GRAPH_LIBRARY = traceback.format_exc(), "msal"

#: what msal needs of a token and of the description of an authority
_READ = ("access_token", "expires_in", "token_endpoint", "authorization_endpoint", "issuer", "tenant_discovery_endpoint")
#: what a bearer token may consist of (RFC 6750)
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")


class _Disturbed(Exception):
    """The sign-in service answered, but not as one; `reply` has its pause."""

    def __init__(self, why: str, reply: Reply) -> None:
        super().__init__(why)
        self.reply = reply


class SignInFault(GraphFailure):
    """A sign-in that failed; `headers` of the answer, where there was one, for its Retry-After."""

    headers: Mapping[str, str] = {}


class TokenSource:
    """Gets tokens for one application.

    Args:
        options: tenant and credential.
        http: what msal sends its requests with.
    """

    def __init__(self, options: GraphOptions, http: HttpClient) -> None:
        self._options = options
        self._http = http

    def token(self) -> str:
        """A new bearer token.

        Raises:
            SignInFault: `passing` where another try may succeed.
            HybridIdentityError: a credential file cannot be read any more.
        """
        options = self._options
        where = f"The sign-in service {options.authority_url}"
        try:
            # A new application every time: msal keeps answers, refusals too.
            application = msal.ConfidentialClientApplication(
                options.client_id,
                authority=f"{options.authority_url}/{options.tenant_id}",
                client_credential=self._credential(),
                http_client=_CheckedAnswers(self._http),
                # An authority of one's own is not in Microsoft's list of known ones.
                instance_discovery=False if options.own_authority else None,
            )
            answer = application.acquire_token_for_client(scopes=[f"{options.graph_url}/.default"])
        except _Disturbed as disturbance:
            passing = disturbance.reply.status_code >= 500 or disturbance.reply.status_code in (200, 429)
            fault = SignInFault("unreachable", f"{where} does not answer the sign-in properly: {disturbance}.", passing=passing)
            fault.headers = disturbance.reply.headers
            raise fault from None
        except requests.exceptions.SSLError as error:
            raise SignInFault("unreachable", f"The certificate of {options.authority_url} was not accepted: {reason_of(error)}.") from None
        except requests.exceptions.RequestException as error:
            words = "breaks its answer off" if is_broken_off(error) else "cannot be reached"
            raise SignInFault("unreachable", f"{where} {words}: {reason_of(error)}.", passing=True) from None
        except TooLong:
            raise SignInFault("unreachable", f"{where} sends an answer without end.", passing=True) from None
        except (ValueError, TypeError, KeyError) as error:  # a tenant that does not exist, a key that msal does not take
            words = printable(str(error)).partition(". ")[0].rstrip(".")  # msal goes on with advice that is not for this reader
            raise SignInFault("authentication_failed", f"Signing in to tenant {options.tenant_id} failed: {words}.") from None
        if "access_token" not in answer:
            refusal = sign_in_failure(answer, options.tenant_id, options.client_id)
            raise SignInFault(refusal.reason, refusal.message) from None
        return str(answer["access_token"])

    def _credential(self) -> Any:
        options = self._options
        if options.client_secret:
            return options.client_secret
        if options.federated_token_file:
            return {"client_assertion": self._federated_token}  # read anew for every sign-in: the platform renews the file
        path = str(options.certificate_path)
        if is_pkcs12(path):
            return {"private_key_pfx_path": path, "passphrase": options.certificate_password}
        pem = read_file("certificate_path", path).decode("utf-8", "replace")
        # msal does not take a password for a key that has none. Without a thumbprint it makes the SHA-256 assertion that Microsoft
        # recommends.
        return {"private_key": pem, "public_certificate": pem, "passphrase": options.certificate_password if "ENCRYPTED" in pem else None}

    def _federated_token(self) -> str:
        return read_file("federated_token_file", str(self._options.federated_token_file)).decode("utf-8", "replace").strip()


class _CheckedAnswers:
    """The session for msal: it passes on what a sign-in service says, and nothing else."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    def get(self, url: str, **options: Any) -> Reply:
        """As msal calls it."""
        return _checked(self._http.get(url, **options))

    def post(self, url: str, **options: Any) -> Reply:
        """As msal calls it."""
        return _checked(self._http.post(url, **options))

    def close(self) -> None:
        """As msal calls it."""


def _checked(reply: Reply) -> Reply:
    status = reply.status_code
    try:
        body = json.loads(reply.text)
    except (ValueError, RecursionError):
        body = None
    if status == 429 or status >= 500:
        raise _Disturbed(f"status {status}", reply)
    if not isinstance(body, dict):
        if status == 401:  # from whatever stands in the way: it does not accept us
            return Reply(status, json.dumps({"error": "invalid_client", "error_description": "status 401"}).encode(), {})
        raise _Disturbed(f"status {status}, and the body is no JSON object", reply)
    if status == 200:
        _check_success(body, reply)
        # Nothing else is read of a success, so that nothing else of it can be odd.
        known = {name: body[name] for name in _READ if name in body}
        return Reply(200, json.dumps({**known, "token_type": "Bearer"}).encode(), {})
    elif status >= 400 and not isinstance(body.get("error"), str):
        raise _Disturbed(f"status {status} without an error of a sign-in", reply)
    elif status < 400:
        raise _Disturbed(f"status {status}", reply)
    return reply


def _check_success(body: Mapping[str, Any], reply: Reply) -> None:
    """A token, the description of the authority, or of its cloud."""
    if "access_token" in body:
        token, life = body["access_token"], body.get("expires_in")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise _Disturbed("the token is none", reply)
        if isinstance(life, bool) or not (isinstance(life, int) or (isinstance(life, str) and life.isdigit() and len(life) < 10)):
            raise _Disturbed("the token has no lifetime", reply)
    elif "token_endpoint" in body:
        for name in ("token_endpoint", "authorization_endpoint"):
            if not _is_address(body.get(name)):
                raise _Disturbed(f"its description has no {name} with https", reply)
        if not isinstance(body.get("issuer"), str):
            raise _Disturbed("its description has no issuer", reply)
    elif not _is_address(body.get("tenant_discovery_endpoint")):
        raise _Disturbed("neither a token nor a description of it came", reply)


def _is_address(value: Any) -> bool:
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        return False
    return parts is not None and parts.scheme == "https" and bool(parts.hostname) and len(parts.path.split("/")) > 1
