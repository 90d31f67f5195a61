# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""How a connection plugin is set up, as far as messages and warnings need it. Private to the collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.hybrid.identity.plugins.module_utils._remote._causes import Settings


@dataclass(frozen=True)
class Described:
    """settings: words for messages. warnings: what the operator should know. plain_address: (host, port) where http is spoken, else None.

    connects_each_time: there is no connection before a call, so a call that does not end may have been one that could not begin.
    """

    settings: Settings
    warnings: tuple[str, ...]
    plain_address: tuple[str, int] | None
    connects_each_time: bool = False


def describe(connection: Any, label: str) -> Described:
    """Read the options of a connection plugin; one that cannot be asked is described by its name alone.

    Args:
        connection: the plugin, connected or not. label: what the server is called in messages.
    """
    kind = str(getattr(connection, "transport", ""))
    if kind == "winrm":
        return _describe_winrm(connection, label)
    if kind == "psrp":
        return _describe_psrp(connection, label)
    if kind == "ssh":
        return _describe_ssh(connection, label)
    return Described(_settings(connection, label, "the certificate options of this connection", "http", "https"), (), None)


def _describe_ssh(connection: Any, label: str) -> Described:
    warnings = []
    if _option(connection, "host_key_checking") is False:
        warnings.append(
            f"The host key of {label} is not checked, so another machine can stand in for it: set ansible_host_key_checking to true."
        )
    settings = _settings(connection, label, "ansible_ssh_common_args", "ansible_port to that of sshd", "ansible_port to that of sshd")
    return Described(settings, tuple(warnings), None, connects_each_time=True)


def _describe_winrm(connection: Any, label: str) -> Described:
    port = _number(_option(connection, "port"))
    # The plugin's own rule: without a scheme the port decides.
    scheme = _option(connection, "scheme") or ("http" if port == 5985 else "https")
    authentication = _option(connection, "transport") or []
    if isinstance(authentication, str):
        authentication = [authentication]
    extras = _option(connection, "_extras") or {}
    ways = {str(one) for one in authentication if one}
    # Without one the plugin takes Kerberos for user@domain, and basic for the rest.
    basic = bool(ways & {"basic", "plaintext", "ssl"}) if ways else "@" not in str(_option(connection, "remote_user") or "")
    warnings = []
    if scheme == "http" and basic:
        warnings.append(_in_clear(label, "ansible_winrm_scheme: https, or another ansible_winrm_transport"))
    elif scheme == "http" and str(extras.get("ansible_winrm_message_encryption")) == "never":
        warnings.append(
            f"Messages to {label} go over the network as they are (http without encryption): leave ansible_winrm_message_encryption out."
        )
    if scheme == "https" and str(extras.get("ansible_winrm_server_cert_validation")) == "ignore":
        warnings.append(_unchecked(label, "ansible_winrm_ca_trust_path"))
    settings = _settings(
        connection,
        label,
        "ansible_winrm_ca_trust_path",
        "ansible_winrm_scheme to http (ansible_port is 5985 as a rule)",
        "ansible_winrm_scheme to https (ansible_port is 5986 as a rule)",
    )
    return Described(settings, tuple(warnings), _address(connection, port) if scheme == "http" else None)


def _describe_psrp(connection: Any, label: str) -> Described:
    port = _number(_option(connection, "port"))
    protocol = _option(connection, "protocol") or ("http" if port == 5985 else "https")
    warnings = []
    if protocol == "http" and _option(connection, "auth") == "basic":
        warnings.append(_in_clear(label, "ansible_psrp_protocol: https, or another ansible_psrp_auth"))
    elif protocol == "http" and _option(connection, "message_encryption") == "never":
        warnings.append(
            f"Messages to {label} go over the network as they are (http without encryption): leave ansible_psrp_message_encryption out."
        )
    if protocol == "https" and _option(connection, "cert_validation") == "ignore":
        warnings.append(_unchecked(label, "ansible_psrp_ca_cert"))
    settings = _settings(
        connection,
        label,
        "ansible_psrp_ca_cert",
        "ansible_psrp_protocol to http (ansible_port is 5985 as a rule)",
        "ansible_psrp_protocol to https (ansible_port is 5986 as a rule)",
    )
    return Described(settings, tuple(warnings), _address(connection, port or 5985) if protocol == "http" else None)


def _settings(connection: Any, label: str, trust: str, plain: str, secure: str) -> Settings:
    user = _option(connection, "remote_user")
    return Settings(
        where=label,
        account=str(user) if user else "this account",
        trust=trust,
        plain=plain,
        secure=secure,
        credentials="ansible_user and ansible_password",
    )


def _in_clear(label: str, instead: str) -> str:
    return f"The password for {label} goes over the network as it is (basic over http): set {instead}."


def _unchecked(label: str, instead: str) -> str:
    return f"The certificate of {label} is not checked, so another machine can stand in for it: set {instead} instead."


def _option(connection: Any, name: str) -> Any:
    """An option's value; None where the plugin does not know it."""
    try:
        return connection.get_option(name)
    except Exception:  # plugins raise whatever they like for an option that they do not have
        return None


def _number(value: Any) -> int | None:
    return int(value) if str(value or "").isdigit() else None


def _address(connection: Any, port: int | None) -> tuple[str, int] | None:
    host = _option(connection, "remote_addr")
    return (str(host), port) if host and port else None
