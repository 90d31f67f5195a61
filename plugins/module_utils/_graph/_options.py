# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The options for Microsoft Graph: argument spec, environment variables, national clouds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Optional

from .._failure import HybridIdentityError

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
        HybridIdentityError: invalid_input, when something is missing.
    """
    tenant, client = _value(params, environ, "tenant_id"), _value(params, environ, "client_id")
    for name, value in (("tenant_id", tenant), ("client_id", client)):
        if not value:
            raise HybridIdentityError(
                "invalid_input", f"{name} is missing: neither the task nor {' nor '.join(_ENVIRONMENT[name])} gives one."
            )
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
        graph_url=_root(params.get("graph_url")) or graph,
        authority_url=_root(params.get("authority_url")) or authority,
        certificate_password=_value(params, environ, "certificate_password") if chosen[0] == "certificate_path" else None,
        ca_cert=_value(params, environ, "ca_cert"),
        own_authority=bool(params.get("authority_url")),
        **{chosen[0]: _value(params, environ, chosen[0])},  # type: ignore[arg-type]  # the three are all Optional[str]
    )


def _value(params: Mapping[str, Any], environ: Mapping[str, str], name: str) -> Optional[str]:
    given = str(params.get(name) or "").strip()
    return given or next((environ[variable] for variable in _ENVIRONMENT.get(name, ()) if environ.get(variable)), None)


def _root(url: Optional[str]) -> str:
    """Without the slash and without the version that people copy from the documentation."""
    root = str(url or "").strip().rstrip("/")
    return root[: -len("/v1.0")] if root.endswith("/v1.0") else root
