# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The token endpoint, as far as application tokens go: client secret or client assertion."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import threading
import time
import uuid
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class TokenError(Exception):
    """An OAuth error answer."""

    def __init__(self, status: int, error: str, number: int, text: str) -> None:
        super().__init__(f"AADSTS{number}")
        self.status, self.error, self.number, self.text = status, error, number, text

    def body(self) -> dict[str, Any]:
        """The JSON object of the answer."""
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
        description = f"AADSTS{self.number}: {self.text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {now}"
        return {
            "error": self.error,
            "error_description": description,
            "error_codes": [self.number],
            "timestamp": now,
            "trace_id": trace,
            "correlation_id": correlation,
        }


class TokenService:
    """Issues and checks bearer tokens.

    Args:
        tenant_id: the only tenant there is.
        applications: client id to secret.
    """

    def __init__(self, tenant_id: str, applications: Mapping[str, str]) -> None:
        self.tenant_id = tenant_id
        self.lifetime = 3599
        self._secrets = dict(applications)
        self._permissions: dict[str, frozenset[str] | None] = {}
        self._tokens: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def set_permissions(self, client_id: str, permissions: Collection[str] | None) -> None:
        """Grant an application exactly these application permissions (None: all, as at the start)."""
        with self._lock:
            self._permissions[client_id] = None if permissions is None else frozenset(permissions)

    def metadata(self, root: str, tenant: str) -> dict[str, Any]:
        """The OpenID configuration. Raises TokenError for another tenant."""
        self._require_tenant(tenant)
        base = f"{root}/{self.tenant_id}"
        return {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "response_types_supported": ["code", "id_token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        }

    def issue(self, tenant: str, form: Mapping[str, str]) -> dict[str, Any]:
        """Answer a token request. Raises TokenError."""
        self._require_tenant(tenant)
        if form.get("grant_type") != "client_credentials":
            raise TokenError(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
        client = form.get("client_id", "")
        if client not in self._secrets:
            raise TokenError(400, "unauthorized_client", 700016, f"Application with identifier '{client}' was not found in the directory.")
        if not form.get("scope", "").endswith("/.default"):
            raise TokenError(400, "invalid_scope", 1002012, "The provided value for scope is not valid, it must end with /.default.")
        self._authenticate(client, form)
        token = f"lab.{secrets.token_urlsafe(48)}"
        with self._lock:
            self._tokens[token] = (client, time.monotonic() + self.lifetime)
        return {"token_type": "Bearer", "expires_in": self.lifetime, "ext_expires_in": self.lifetime, "access_token": token}

    def client_of(self, authorization: str) -> str | None:
        """The application of an Authorization header; None when there is no token, or it is unknown or expired."""
        scheme, _unused, token = authorization.partition(" ")
        with self._lock:
            client, until = self._tokens.get(token, ("", 0.0))
        return client if scheme.lower() == "bearer" and time.monotonic() < until else None

    def may(self, client: str, accepted: Collection[str]) -> bool:
        """Whether the application has one of the accepted permissions."""
        with self._lock:
            granted = self._permissions.get(client)
        return granted is None or not granted.isdisjoint(accepted)

    def expire(self) -> None:
        """End all tokens."""
        with self._lock:
            self._tokens.clear()

    def _require_tenant(self, tenant: str) -> None:
        if tenant.lower() != self.tenant_id.lower():
            raise TokenError(400, "invalid_tenant", 90002, f"Tenant '{tenant}' not found.")

    def _authenticate(self, client: str, form: Mapping[str, str]) -> None:
        if form.get("client_assertion_type") == _ASSERTION_TYPE:
            if not _is_assertion(form.get("client_assertion", ""), client):
                raise TokenError(401, "invalid_client", 50027, "JWT token is invalid or malformed.")
        elif "client_secret" not in form:
            text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
            raise TokenError(401, "invalid_client", 7000218, text)
        elif not hmac.compare_digest(form["client_secret"].encode(), self._secrets[client].encode()):
            raise TokenError(401, "invalid_client", 7000215, f"Invalid client secret provided for app '{client}'.")


def _is_assertion(assertion: str, client: str) -> bool:
    """By shape only: no certificates are registered here. A foreign issuer is a federated identity."""
    try:
        parts = assertion.split(".")
        header, claims = (json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in parts[:2])
        own = claims["iss"] == client
        return (
            len(parts) == 3
            and bool(parts[2])
            and header["alg"] in ("PS256", "RS256")
            and bool(claims["aud"])
            and (claims["sub"] == client if own else bool(claims["sub"]))
            and float(claims["exp"]) > time.time()
        )
    except (ValueError, KeyError, TypeError):
        return False
