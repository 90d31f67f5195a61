# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The cmdlets of the password channel, as the module ADSync has them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from lab.connect.errors import Caller, CmdletError, refusal

from .channels import Channel, Channels

_SUBTYPE = "Windows Azure Active Directory (Microsoft)"


class PasswordCmdlets:
    """Answers them; rights on the engine have been asked for before.

    Args:
        connectors: what Get-ADSyncConnector says without this module.
    """

    def __init__(self, channels: Channels, connectors: Callable[[Caller, dict[str, Any]], list[dict[str, Any]]]) -> None:
        self.channels, self._connectors = channels, connectors
        self._options = channels.options
        #: every switch that was asked for: (time.time(), user, connector, on)
        self.switched: list[tuple[float, str, str, bool]] = []
        #: every connector that was saved: (time.time(), user, connector, whether it had the flag)
        self.saved: list[tuple[float, str, str, bool]] = []

    def table(self) -> dict[str, Callable[[Caller, dict[str, Any]], Any]]:
        """Name of a cmdlet -> what answers it."""
        return {
            "Get-ADSyncConnector": self.get_connectors,
            "Add-ADSyncConnector": self.add_connector,
            "Get-ADSyncAADPasswordSyncConfiguration": self.get_configuration,
            "Set-ADSyncAADPasswordSyncConfiguration": self.set_configuration,
            "Get-ADSyncPartitionPasswordSyncState": self.partition_states,
            "Get-ADSyncAADCompanyFeature": self.company_feature,
            "Get-ADSyncCSObject": self.connector_space,
            "own_groups": self.own_groups,
        }

    def refuse_network_logon(self, caller: Caller, name: str) -> bool:
        """Whether this cmdlet lies behind the named pipe, which lets no network logon in."""
        behind = name in self.table() and name not in ("Get-ADSyncConnector", "own_groups")
        return behind and caller.network_logon and not self._options.password_cmdlets_over_network

    def own_groups(self, caller: Caller, p: dict[str, Any]) -> list[str]:
        """The local groups in the caller's token."""
        return sorted(caller.groups)

    def get_connectors(self, caller: Caller, p: dict[str, Any]) -> list[dict[str, Any]]:
        """Get-ADSyncConnector [-Name]; names are case sensitive."""
        found = []
        for one in self._connectors(caller, {}):
            channel = self.channels.of(one["Name"])
            parts = ",".join(f"DC={part}" for part in one["Name"].split("."))
            more = {
                "ConnectorTypeName": one["Type"],
                "GlobalParameters": [dict(parameter) for parameter in channel.parameters] if channel else [],
                "Partitions": [
                    {"DN": parts if channel else "default", "Name": one["Name"], "IsDomain": channel is not None, "Selected": True}
                ],
            }
            found.append({**one, **more})
        cloud = next(one for one in found if one["Subtype"] == _SUBTYPE)
        if self._options.cloud_connectors == 0:
            found.remove(cloud)
        if self._options.cloud_connectors > 1:
            found.append({**cloud, "Name": "other.onmicrosoft.com - AAD", "Identifier": uuid.uuid4()})
        if p.get("Name"):
            found = [one for one in found if one["Name"] == p["Name"]]
        return found

    def _channel(self, name: Any) -> Channel:
        channel = self.channels.of(str(name))
        if channel is None:
            raise CmdletError(
                "System.ArgumentException", -2147024809, f"no connector {name}", "WriteError", f"The connector {name} was not found."
            )
        return channel

    def _require_admin(self, caller: Caller) -> None:
        if not caller.is_in("ADSyncAdmins") and not self._options.operators_may_write:
            raise refusal("denied", self._options.language, self._options.computer)

    def add_connector(self, caller: Caller, p: dict[str, Any]) -> None:
        """Add-ADSyncConnector: despite its name it updates. The stored parameters become those of the object."""
        self._require_admin(caller)
        channel = self._channel(p["Name"])
        with self.channels.lock:
            channel.parameters = [dict(one) for one in p["GlobalParameters"]]
        self.saved.append((time.time(), caller.user, channel.name, channel.flag))

    def get_configuration(self, caller: Caller, p: dict[str, Any]) -> dict[str, Any]:
        """Get-ADSyncAADPasswordSyncConfiguration -SourceConnector."""
        channel = self._channel(p["SourceConnector"])
        cloud = next((one["Name"] for one in self.get_connectors(caller, {}) if one["Subtype"] == _SUBTYPE), "")
        return {"SourceConnector": channel.name, "TargetConnector": cloud, "Enabled": channel.enabled}

    def set_configuration(self, caller: Caller, p: dict[str, Any]) -> None:
        """Set-ADSyncAADPasswordSyncConfiguration -SourceConnector -TargetConnector -Enable."""
        self._require_admin(caller)
        channel = self._channel(p["SourceConnector"])
        if not any(one["Name"] == p["TargetConnector"] for one in self.get_connectors(caller, {})):
            raise CmdletError("System.ArgumentException", -2147024809, "no target", "WriteError", "The target connector was not found.")
        self.switched.append((time.time(), caller.user, channel.name, bool(p["Enable"])))
        if self._options.password_switch_stuck and p["Enable"]:
            return  # assumption: it may say yes and do nothing
        self.channels.switch(channel, bool(p["Enable"]))

    def partition_states(self, caller: Caller, p: dict[str, Any]) -> list[dict[str, Any]]:
        """Get-ADSyncPartitionPasswordSyncState; newer builds only."""
        if not self._options.partition_states:
            raise refusal("unknown", self._options.language, "Get-ADSyncPartitionPasswordSyncState")
        rows: list[dict[str, Any]] = []
        for channel in self.channels.all:
            succeeded = channel.cycle_succeeded
            rows.append(
                {
                    "ConnectorId": channel.identifier,
                    "DN": ",".join(f"DC={part}" for part in channel.name.split(".")),
                    "PasswordSyncLastSuccessfulCycleStartTimestamp": channel.success_began,
                    "PasswordSyncLastSuccessfulCycleEndTimestamp": channel.cycle_ended if succeeded else None,
                    "PasswordSyncLastCycleStartTimestamp": channel.cycle_began,
                    "PasswordSyncLastCycleEndTimestamp": channel.cycle_ended,
                    "PasswordSyncLastCycleStatus": "Successful" if succeeded else "Failed",
                }
            )
        return [*rows, {**dict.fromkeys(rows[0]), "ConnectorId": uuid.UUID(int=1), "DN": "default", "PasswordSyncLastCycleStatus": "None"}]

    def company_feature(self, caller: Caller, p: dict[str, Any]) -> dict[str, Any]:
        """Get-ADSyncAADCompanyFeature: what the tenant has switched on."""
        if self._options.password_feature is None:
            raise CmdletError("System.InvalidOperationException", -2146233079, "no tenant", "WriteError", "The tenant could not be asked.")
        return {
            "PasswordHashSync": self._options.password_feature,
            "ForcePasswordChangeOnLogOn": self._options.password_must_change_feature,
        }

    def connector_space(self, caller: Caller, p: dict[str, Any]) -> list[dict[str, Any]]:
        """Get-ADSyncCSObject -ConnectorName, by pages."""
        channel = self._channel(p["ConnectorName"])
        start, count = int(p.get("StartIndex") or 0), int(p.get("MaxResultCount") or 100)
        return [
            {
                "DistinguishedName": one.dn,
                "ObjectType": "user",
                "Attributes": [
                    {"Name": "userPrincipalName", "Values": [one.upn]},
                    {"Name": "sAMAccountName", "Values": [one.sam]},
                    {"Name": "cn", "Values": ["x"]},
                ],
            }
            for one in channel.people[start : start + count]
        ]
