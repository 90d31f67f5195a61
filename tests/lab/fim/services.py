# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The services of the sync server, with those that depend on them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lab.connect import Caller

from .options import FimOptions
from .texts import fim_refusal


@dataclass
class Service:
    """One service. image: the command line in the registry; depends_on: services that must run for it."""

    name: str
    display: str
    image: str
    account: str = "LocalSystem"
    depends_on: tuple[str, ...] = ()
    status: str = "Running"
    start_mode: str = "Auto"
    hooks: dict[str, Callable[[], None]] = field(default_factory=dict)


class Services:
    """The service control manager. Only administrators change services; looking may be kept from a network logon."""

    def __init__(self, options: FimOptions) -> None:
        self._options = options
        self._lock = threading.RLock()
        self._services: dict[str, Service] = {}

    def add(self, service: Service) -> None:
        """Install a service."""
        self._services[service.name.lower()] = service

    def get(self, name: str) -> Service | None:
        """A service by its name, or None."""
        found = self._services.get(name.lower())
        if found is None and name.lower() in {other.lower() for other in self._options.other_services}:
            return Service(name, name, "C:\\other.exe")
        return found

    def names(self) -> list[str]:
        """Every installed service."""
        return [service.name for service in self._services.values()] + list(self._options.other_services)

    def is_running(self, name: str) -> bool:
        """Whether the service runs."""
        service = self.get(name)
        return service is not None and service.status == "Running"

    def dependents(self, name: str) -> list[Service]:
        """The services that depend on this one."""
        return [service for service in self._services.values() if name.lower() in [other.lower() for other in service.depends_on]]

    def set_status(self, name: str, status: str) -> None:
        """A service stops or starts, and what hangs on that happens."""
        service = self._services[name.lower()]
        if service.status == status:
            return
        service.status = status
        service.hooks.get("stopped" if status == "Stopped" else "started", lambda: None)()

    # -- cmdlets

    def get_service(self, caller: Caller, p: dict[str, Any]) -> list[dict[str, Any]]:
        """Get-Service -Name. ServiceController had no StartType before .NET 4.6.1, so it is not shown."""
        service = self._find(p)
        if not self._options.services_readable and not caller.is_in("Administrators"):
            raise fim_refusal("no_task_right", self._options.language)
        return [self._shown(service)]

    def start_service(self, caller: Caller, p: dict[str, Any]) -> None:
        """Start-Service -Name; what it depends on is started as well."""
        service = self._find(p)
        self._require_right(caller, service)
        self._start(service)

    def stop_service(self, caller: Caller, p: dict[str, Any]) -> None:
        """Stop-Service -Name [-Force]."""
        service = self._find(p)
        self._require_right(caller, service)
        self._stop(service, bool(p.get("Force")))

    def restart_service(self, caller: Caller, p: dict[str, Any]) -> None:
        """Restart-Service -Name [-Force]. Field reports contradict each other on whether dependents come back."""
        service = self._find(p)
        self._require_right(caller, service)
        stopped = self._stop(service, bool(p.get("Force")))
        self._start(service)
        if self._options.dependent_comes_back:
            for dependent in stopped:
                self._start(dependent)

    def as_wmi(self) -> list[dict[str, Any]]:
        """Win32_Service."""
        return [
            {
                "Name": service.name,
                "DisplayName": service.display,
                "State": service.status,
                "StartMode": service.start_mode,
                "PathName": service.image,
                "StartName": service.account,
                "AcceptStop": service.status == "Running" and service.name not in self._options.unstoppable_services,
            }
            for service in self._services.values()
        ]

    def _find(self, p: dict[str, Any]) -> Service:
        service = self.get(str(p["Name"]))
        if service is None:
            raise fim_refusal("no_service", self._options.language, str(p["Name"]))
        return service

    def _require_right(self, caller: Caller, service: Service) -> None:
        if not caller.is_in("Administrators"):
            raise fim_refusal("cannot_open_service", self._options.language, service.name, service.display)

    def _stop(self, service: Service, force: bool) -> list[Service]:
        with self._lock:
            running = [one for one in self.dependents(service.name) if one.status == "Running"]
            if running and not force:
                raise fim_refusal("has_dependents", self._options.language, service.name, service.display)
            for one in [*running, service]:
                if one.name in self._options.unstoppable_services:
                    raise fim_refusal("cannot_open_service", self._options.language, one.name, one.display)
                one.status = "StopPending"
                time.sleep(self._options.service_seconds)
                self.set_status(one.name, "Stopped")
            return running

    def _start(self, service: Service) -> None:
        with self._lock:
            if service.status == "Running":
                return
            if service.start_mode == "Disabled" or service.name in self._options.failing_services:
                raise fim_refusal("cannot_start_service", self._options.language, service.name, service.display)
            for name in service.depends_on:
                needed = self.get(name)
                if needed is not None:
                    self._start(needed)
            service.status = "StartPending"
            time.sleep(self._options.service_seconds)
            self.set_status(service.name, "Running")

    def _shown(self, service: Service) -> dict[str, Any]:
        return {
            "Name": service.name,
            "ServiceName": service.name,
            "DisplayName": service.display,
            "Status": service.status,
            "DependentServices": [{"Name": one.name, "Status": one.status} for one in self.dependents(service.name)],
            "ServicesDependedOn": [{"Name": name} for name in service.depends_on],
        }
