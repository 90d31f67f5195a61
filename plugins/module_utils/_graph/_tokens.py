# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Access tokens through msal: client secret, certificate or federated token."""

from __future__ import annotations

import traceback
from typing import Any, Optional, Union

from ._failures import GraphFailure, sign_in_failure
from ._options import GraphOptions

GRAPH_IMPORT_ERROR: Optional[str] = None
GRAPH_LIBRARY = ""
try:
    import requests
except ImportError:
    GRAPH_IMPORT_ERROR, GRAPH_LIBRARY = traceback.format_exc(), "requests"
try:
    import msal
except ImportError:
    GRAPH_IMPORT_ERROR, GRAPH_LIBRARY = traceback.format_exc(), "msal"

_TIMEOUT = (10, 30)


class HttpClient:
    """A session that trusts what the task says.

    The authorities are given with every request, because requests lets REQUESTS_CA_BUNDLE win over a session's own setting.
    """

    def __init__(self, ca_cert: Optional[str]) -> None:
        self._session = requests.Session()
        self._session.auth = _as_it_is  # else an entry of ~/.netrc would replace the bearer token
        self._verify: Union[str, bool] = ca_cert or True

    def request(self, method: str, url: str, **options: Any) -> Any:
        """See requests.Session.request. Redirects are not followed: Graph sends none, and a token must not travel."""
        timeout = options.pop("timeout", None) or _TIMEOUT
        return self._session.request(method, url, verify=self._verify, timeout=timeout, allow_redirects=False, **options)

    def get(self, url: str, **options: Any) -> Any:
        """As msal calls it."""
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> Any:
        """As msal calls it."""
        return self.request("POST", url, **options)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


class TokenSource:
    """Gets tokens for one application and keeps them while they are good.

    Args:
        options: tenant and credential.
        http: what msal sends its requests with.
    """

    def __init__(self, options: GraphOptions, http: HttpClient) -> None:
        self._options = options
        self._http = http
        self._application: Any = None

    def token(self, *, fresh: bool = False) -> str:
        """A bearer token. `fresh`: not one that was used before. Raises GraphFailure."""
        options = self._options
        try:
            if self._application is None or fresh:
                self._application = msal.ConfidentialClientApplication(
                    options.client_id,
                    authority=f"{options.authority_url}/{options.tenant_id}",
                    client_credential=self._credential(),
                    http_client=self._http,
                    # An authority of one's own is not in Microsoft's list of known ones.
                    instance_discovery=False if options.own_authority else None,
                )
            answer = self._application.acquire_token_for_client(scopes=[f"{options.graph_url}/.default"])
        except requests.exceptions.RequestException as error:
            raise GraphFailure(
                "unreachable", f"The sign-in service {options.authority_url} cannot be reached: {reason_of(error)}."
            ) from None
        except OSError as error:
            raise GraphFailure("invalid_input", f"The credential file {error.filename} cannot be read: {error.strerror}.") from None
        except (ValueError, TypeError) as error:  # a tenant that does not exist, a key that is none
            words = _short(error).partition(". ")[0]  # msal goes on with advice that is not for this reader
            raise GraphFailure("authentication_failed", f"Signing in to tenant {options.tenant_id} failed: {words}.") from None
        if "access_token" not in answer:
            raise sign_in_failure(answer, options.tenant_id, options.client_id)
        return str(answer["access_token"])

    def _credential(self) -> Any:
        options = self._options
        if options.client_secret:
            return options.client_secret
        if options.federated_token_file:
            return {"client_assertion": self._federated_token}  # read anew for every sign-in: the platform renews the file
        path = str(options.certificate_path)
        if path.lower().endswith((".pfx", ".p12")):
            return {"private_key_pfx_path": path, "passphrase": options.certificate_password}
        with open(path, encoding="utf-8") as file:
            pem = file.read()
        # Without a thumbprint msal makes the SHA-256 assertion that Microsoft recommends.
        return {"private_key": pem, "public_certificate": pem, "passphrase": options.certificate_password}

    def _federated_token(self) -> str:
        with open(str(self._options.federated_token_file), encoding="utf-8") as file:
            return file.read().strip()


def _as_it_is(request: Any) -> Any:
    return request


def reason_of(error: Exception) -> str:
    """The innermost reason of a connection error, in one line; without the address, which the sentence around it says."""
    inner: Any = error
    while (getattr(inner, "reason", None) is not None and isinstance(inner.reason, Exception)) or _first(inner) is not None:
        inner = inner.reason if isinstance(getattr(inner, "reason", None), Exception) else _first(inner)
    return _short(inner)


def _first(error: Any) -> Optional[Exception]:
    arguments = getattr(error, "args", ())
    return next((item for item in arguments if isinstance(item, Exception)), None)


def _short(error: Any) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return (text if len(text) <= 300 else text[:300] + "...").rstrip(".")
