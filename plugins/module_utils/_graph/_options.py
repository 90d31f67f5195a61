# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The options for Microsoft Graph: argument spec, environment variables, national clouds."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional
from urllib.parse import urlsplit

from .._failure import HybridIdentityError
from .._printable import printable, without_userinfo

#: name -> (sign-in authority, Graph root). Source: Microsoft Graph, "National cloud deployments".
CLOUDS = {
    "global": ("https://login.microsoftonline.com", "https://graph.microsoft.com"),
    "usgov": ("https://login.microsoftonline.us", "https://graph.microsoft.us"),
    "dod": ("https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
    "china": ("https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn"),
}

#: argument spec; the environment is read by read_graph_options, so that a credential of the task beats one of the environment
GRAPH_OPTIONS: dict[str, Any] = {
    "tenant_id": {"type": "str"},
    "client_id": {"type": "str"},
    "client_secret": {"type": "str", "no_log": True},
    "certificate_path": {"type": "path"},
    "certificate_password": {"type": "str", "no_log": True},
    "federated_token_file": {"type": "path", "no_log": False},
    "cloud": {"type": "str", "default": "global", "choices": list(CLOUDS)},
    "graph_url": {"type": "str"},
    "authority_url": {"type": "str"},
    "ca_cert": {"type": "path"},
}

# Both spellings: the Azure collection and AWX's Azure credential say AZURE_TENANT and AZURE_SECRET, Microsoft's SDKs the others.
_ENVIRONMENT = {
    "tenant_id": ("AZURE_TENANT", "AZURE_TENANT_ID"),
    "client_id": ("AZURE_CLIENT_ID",),
    "client_secret": ("AZURE_SECRET", "AZURE_CLIENT_SECRET"),
    "certificate_path": ("AZURE_X509_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PATH"),
    "certificate_password": ("AZURE_CLIENT_CERTIFICATE_PASSWORD",),
    "federated_token_file": ("AZURE_FEDERATED_TOKEN_FILE",),
    "ca_cert": ("HYBRID_IDENTITY_GRAPH_CA_CERT",),
}
#: a tenant is an id or a domain; it becomes a part of an address
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
_CREDENTIALS = ("client_secret", "certificate_path", "federated_token_file")


@dataclass(frozen=True)
class GraphOptions:
    """Where the tenant is and how to sign in; exactly one of the three credentials is set."""

    tenant_id: str
    client_id: str
    graph_url: str
    authority_url: str
    client_secret: Optional[str] = field(default=None, repr=False)
    certificate_path: Optional[str] = None
    certificate_password: Optional[str] = field(default=None, repr=False)
    federated_token_file: Optional[str] = None
    ca_cert: Optional[str] = None
    own_authority: bool = False


def are_given(params: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
    """Whether the task or the environment say which application of which tenant to use."""
    return bool(_value(params, environ, "tenant_id") and _value(params, environ, "client_id"))


def read_graph_options(params: Mapping[str, Any], environ: Mapping[str, str]) -> GraphOptions:
    """Read the options of GRAPH_OPTIONS.

    Args:
        params: of the task; empty text counts as not given (an unanswered question of an AWX survey).
        environ: environment variables.

    Raises:
        HybridIdentityError: invalid_input, when something is missing or an address is not safe.
    """
    tenant, client = _value(params, environ, "tenant_id"), _value(params, environ, "client_id")
    for name, value in (("tenant_id", tenant), ("client_id", client)):
        if not value:
            raise HybridIdentityError(
                "invalid_input", f"{name} is missing: neither the task nor {' nor '.join(_ENVIRONMENT[name])} gives one."
            )
    if not _TENANT.fullmatch(str(tenant)):
        raise HybridIdentityError("invalid_input", f"tenant_id '{printable(str(tenant), 80)}' is neither an id nor a domain.")
    if printable(str(client)) != client or " " in client:
        raise HybridIdentityError("invalid_input", f"client_id '{printable(str(client), 80)}' is not the id of an application.")
    own = [name for name in _CREDENTIALS if params.get(name)]
    if len(own) > 1:
        raise HybridIdentityError("invalid_input", f"Only one of {', '.join(own)} can be used.")
    chosen = own or [name for name in _CREDENTIALS if _value(params, environ, name)]
    if not chosen:
        raise HybridIdentityError(
            "invalid_input", "No credential for Microsoft Graph: give client_secret, certificate_path or federated_token_file."
        )
    authority, graph = CLOUDS[str(params.get("cloud") or "global")]
    return GraphOptions(
        tenant_id=str(tenant),
        client_id=str(client),
        graph_url=_root("graph_url", params) or graph,
        authority_url=_root("authority_url", params) or authority,
        certificate_password=_value(params, environ, "certificate_password") if chosen[0] == "certificate_path" else None,
        ca_cert=_value(params, environ, "ca_cert"),
        own_authority=bool(str(params.get("authority_url") or "").strip()),
        **{chosen[0]: _value(params, environ, chosen[0])},  # type: ignore[arg-type]  # the three are all Optional[str]
    )


def _value(params: Mapping[str, Any], environ: Mapping[str, str], name: str) -> Optional[str]:
    given = str(params.get(name) or "").strip()
    return given or next((environ[variable] for variable in _ENVIRONMENT.get(name, ()) if environ.get(variable)), None)


def _root(name: str, params: Mapping[str, Any]) -> str:
    """The address that an option gives, without the slash and without the version that people copy from the documentation.

    Tokens and secrets travel there, so nothing but https is taken.

    Raises:
        HybridIdentityError: invalid_input.
    """
    url = str(params.get(name) or "").strip()
    if not url:
        return ""
    shown = printable(without_userinfo(url))
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise HybridIdentityError("invalid_input", f"{name} '{shown}' is not an address.") from None
    if parts.scheme.lower() != "https":
        raise HybridIdentityError("invalid_input", f"{name} '{shown}' does not begin with https://, and a token must not travel in clear.")
    if "@" in parts.netloc:
        raise HybridIdentityError("invalid_input", f"{name} '{shown}' was given with a user name or a password, which have no place in it.")
    if not usable or parts.query or parts.fragment or printable(url, len(url)) != url or " " in url:
        raise HybridIdentityError("invalid_input", f"{name} '{shown}' is not an address of the form https://host.")
    root = url.rstrip("/")
    return root[: -len("/v1.0")] if root.endswith("/v1.0") else root
