# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""HTTPS through requests: bounded answers, no redirects, no credentials of the environment. Private to the collection."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Union

from .._printable import printable, without_userinfo

REQUESTS_IMPORT_ERROR: Optional[str] = None
try:
    import requests
    from requests.adapters import HTTPAdapter
except ImportError:
    REQUESTS_IMPORT_ERROR = traceback.format_exc()

#: of one read from the socket; how long a whole answer may take is for the caller (see _flight)
_TIMEOUT = (10, 30)
#: the most that is read of one answer, unpacked
MOST_BYTES = 16 * 1024 * 1024


class TooLong(Exception):
    """An answer that is longer than any of Microsoft Graph."""


@dataclass(frozen=True)
class Reply:
    """An answer as it came. The names are those of requests, which is what msal reads."""

    status_code: int
    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode("utf-8", "replace")

    def raise_for_status(self) -> None:
        """As msal calls it, for a status that was to be handled before."""
        if self.status_code >= 400:
            raise requests.exceptions.HTTPError(f"status {self.status_code}")


class HttpClient:
    """A session that trusts what the task says.

    The authorities are given with every request, because requests lets REQUESTS_CA_BUNDLE win over a session's own setting.
    """

    def __init__(self, ca_cert: Optional[str]) -> None:
        self._session = requests.Session()
        self._session.mount("https://", HTTPAdapter(pool_connections=4, pool_maxsize=8))
        self._session.auth = _as_it_is  # else an entry of ~/.netrc would replace the bearer token
        self._verify: Union[str, bool] = ca_cert or True

    def request(self, method: str, url: str, **options: Any) -> Reply:
        """See requests.Session.request. Redirects are not followed: Graph sends none, and a token must not travel.

        Raises:
            requests.exceptions.RequestException, TooLong.
        """
        timeout = options.pop("timeout", None) or _TIMEOUT
        response = self._session.request(method, url, verify=self._verify, timeout=timeout, allow_redirects=False, stream=True, **options)
        try:
            content = bytearray()
            for chunk in response.iter_content(65536):
                content += chunk
                if len(content) > MOST_BYTES:
                    raise TooLong
        finally:
            response.close()
        return Reply(response.status_code, bytes(content), dict(response.headers))

    def get(self, url: str, **options: Any) -> Reply:
        """As msal calls it."""
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> Reply:
        """As msal calls it."""
        return self.request("POST", url, **options)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def was_sent(error: Exception) -> bool:
    """Whether a request may have reached its server, although it ended in this error."""
    never = (
        requests.exceptions.ConnectTimeout,
        requests.exceptions.SSLError,
        requests.exceptions.ProxyError,
        requests.exceptions.InvalidURL,
    )
    return not isinstance(error, never) and type(innermost(error)).__name__ not in (
        "ConnectionRefusedError",
        "gaierror",
        "NewConnectionError",
    )


def is_broken_off(error: Exception) -> bool:
    """Whether an answer had begun, and its body is not whole or not what its headers say."""
    return isinstance(error, (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError))


def reason_of(error: Exception) -> str:
    """The innermost reason of a connection error, in one line; without the address, which the sentence around it says."""
    inner = innermost(error)
    return printable(without_userinfo(str(inner)) or type(inner).__name__).rstrip(".")


def innermost(error: Any) -> Any:
    """The exception at the bottom of those that requests and urllib3 wrap around each other."""
    while True:
        inner = getattr(error, "reason", None)
        if not isinstance(inner, Exception):
            inner = next((item for item in getattr(error, "args", ()) if isinstance(item, Exception)), None)
        if inner is None:
            return error
        error = inner


def _as_it_is(request: Any) -> Any:
    return request
