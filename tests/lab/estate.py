# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The estate: sync server, Active Directory and Entra ID of one company, started together."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lab.certificates import Certificate, make_authority
from lab.clock import Clock
from lab.connect import ConnectServer
from lab.engines import SyncServer, make_server
from lab.powershell.runner import find_powershell
from lab.windows.host import WindowsHost
from lab.wsman import Faults, WsmanServer

DOMAIN = "LAB"
CLIENT_ID = "22222222-3333-4444-5555-666666666666"
CLIENT_SECRET = "Cl1ent-Secret-of-the-lab"

#: accounts on the sync server: (password, local groups)
ACCOUNTS: dict[str, tuple[str, frozenset[str]]] = {
    "svc-sync": ("Sync-Passw0rd.Lab1", frozenset({"ADSyncOperators", "MIISOperators", "EventLogReaders", "Administrators"})),
    "svc-password": (
        "Password-Passw0rd.Lab1",
        frozenset({"ADSyncAdmins", "ADSyncOperators", "MIISAdmins", "MIISOperators", "EventLogReaders", "Administrators"}),
    ),
    "svc-limited": ("Limited-Passw0rd.Lab1", frozenset({"ADSyncOperators", "MIISOperators"})),
    "svc-outsider": ("Outsider-Passw0rd.Lab1", frozenset()),
    "svc-noremoting": ("NoRemoting-Passw0rd.Lab1", frozenset({"ADSyncOperators"})),
}
REMOTING_DENIED = ("svc-noremoting",)


def default_cache() -> Path:
    """Where certificates and the directory's template are kept between runs."""
    named = os.environ.get("HYBRID_IDENTITY_LAB_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hybrid-identity-lab"


@dataclass
class EstateOptions:
    """What to start. Times are in seconds; powershell: a path, `none` for fakes, empty to look for one.

    engine: a name of lab.engines.ENGINES; connect: options of its server. ssh: the sync server listens for ssh, too.
    kerberos: the directory hands out tickets, and this process becomes a member of its realm (see lab.kerberos).
    seats: of every subscription, None for the usual ones.
    """

    cache: Path = field(default_factory=default_cache)
    directory: bool = True
    tenant: bool = True
    directory_address: str = "127.0.0.53"
    powershell: str = ""
    cycle_seconds: float = 20.0
    clock_offset: float = 0.0
    culture: str = "en-US"
    codepage: int = 437
    language: str = "en"
    process_start: float = 0.0
    coverage: str | None = None
    connect: dict[str, Any] = field(default_factory=dict)
    engine: str = "connect"
    ssh: bool = False
    kerberos: bool = False
    seats: int | None = None


class Estate:
    """Everything of one company. start() returns when it is ready; stop() leaves nothing behind."""

    def __init__(self, options: EstateOptions | None = None) -> None:
        self.options = options or EstateOptions()
        self._stack = contextlib.ExitStack()
        self.faults = Faults()
        self.directory: Any = None
        self.tenant: Any = None
        self.ssh: Any = None
        self.sync: SyncServer
        self.host: WindowsHost
        self.wsman: WsmanServer
        self.authority_path = ""

    def __enter__(self) -> Estate:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything; what has been started is stopped again when a part fails."""
        with contextlib.ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()

    def _start(self, stack: contextlib.ExitStack) -> None:
        options = self.options
        options.cache.mkdir(parents=True, exist_ok=True)
        authority = make_authority(options.cache / "authority")
        certificate = authority.issue(["sync1.lab.test", "localhost", "login.lab.test"], ["127.0.0.1"], options.cache / "server")
        self.authority_path = str(authority.certificate_path)
        passwords = {name: account[0] for name, account in ACCOUNTS.items()}
        if options.directory or options.kerberos:
            from lab.directory import SambaDirectory

            self.directory = SambaDirectory(options.cache / "directory", authority, options.directory_address, kerberos=options.kerberos)
            self.directory.start()
            stack.callback(self.directory.stop)
            if options.kerberos:
                from lab import kerberos

                stack.enter_context(kerberos.realm(self.directory.configuration, self.directory.address, passwords))
        if options.tenant:
            from lab.entra import DEFAULT_SKUS, EntraServer

            skus = DEFAULT_SKUS if options.seats is None else tuple(replace(sku, seats=options.seats) for sku in DEFAULT_SKUS)
            self.tenant = EntraServer(certificate=certificate, applications={CLIENT_ID: CLIENT_SECRET}, skus=skus)
            self.tenant.start()
            stack.callback(self.tenant.stop)
        clock = Clock(options.clock_offset)
        settings = {"cycle_seconds": options.cycle_seconds, "language": options.language, **options.connect}
        reader = self.directory.connector_reader() if options.directory else None
        self.sync = make_server(options.engine, clock, reader, self.tenant, settings)
        stack.callback(self.sync.stop)
        groups = {name: account[1] for name, account in ACCOUNTS.items()}
        powershell = None if options.powershell == "none" else (options.powershell or find_powershell())
        self.host = WindowsHost(
            self.sync,
            clock,
            groups,
            powershell=powershell,
            culture=options.culture,
            codepage=options.codepage,
            process_start=options.process_start,
            coverage=options.coverage,
        )
        stack.callback(self.host.stop)
        self.host.start()
        self.wsman = WsmanServer(
            self.host.evaluate,
            passwords,
            certificate=certificate,
            faults=self.faults,
            domain=DOMAIN,
            remoting_denied=REMOTING_DENIED,
            certificate_users={f"{name}@lab.test": name for name in ACCOUNTS},
        )
        self.wsman.start()
        stack.callback(self.wsman.stop)
        if options.ssh:
            from lab.ssh import SshServer, make_keys

            keys = make_keys(options.cache / "ssh")
            self.ssh = SshServer(self.host.evaluate, passwords, keys, faults=self.faults, domain=DOMAIN, ssh_denied=REMOTING_DENIED)
            self.ssh.start()
            stack.callback(self.ssh.stop)
        if isinstance(self.sync, ConnectServer):
            self.sync.break_connection = self._break_connection

    def stop(self) -> None:
        """Stop everything, the newest part first."""
        self._stack.close()

    def _break_connection(self, name: str, details: dict[str, Any]) -> None:
        if name == "cut":
            for listener in (self.wsman, self.ssh):
                if listener is not None:
                    listener.cut_connections(float(details.get("refuse", 0.0)))
        else:
            self.faults.arm(name, **details)

    # -- what is left

    def left_behind(self) -> dict[str, Any]:
        """What a task must not leave on the sync server.

        Scheduled tasks, processes of tasks that were removed while they ran, folders of the Task Scheduler, folders in TEMP, open shells.
        """
        return {
            "tasks": self.sync.windows.task_names(),
            "orphans": list(self.sync.windows.orphans),
            "task_folders": self.sync.windows.task_folders(),
            "folders": sorted(path.name for path in Path(self.host.temp).glob("hybrid.identity*")),
            "shells": self.wsman.open_shells,
        }

    # -- how to reach it

    def connection_variables(self, *, user: str = "svc-sync", transport: str = "ntlm", tls: bool = False) -> dict[str, Any]:
        """Inventory variables of the sync server for Ansible's winrm connection plugin."""
        variables: dict[str, Any] = {
            "ansible_connection": "winrm",
            "ansible_host": "127.0.0.1",
            "ansible_port": self.wsman.https_port if tls else self.wsman.http_port,
            "ansible_winrm_scheme": "https" if tls else "http",
            "ansible_winrm_transport": transport,
            "ansible_user": user,
            "ansible_password": ACCOUNTS[user][0],
        }
        if tls:
            variables["ansible_winrm_ca_trust_path"] = self.authority_path
        return variables

    def client_certificate(self, user: str) -> Certificate:
        """A client's certificate for user@lab.test; the listener knows those of its accounts."""
        folder = self.options.cache / "clients"
        return make_authority(self.options.cache / "authority").issue([], [], folder / user, user=f"{user}@lab.test")

    def server_options(self, *, user: str = "svc-sync", tls: bool = False, authentication: str = "ntlm") -> dict[str, Any]:
        """Options of the dirsync modules for the transport from localhost."""
        options: dict[str, Any] = {
            "server": "127.0.0.1",
            "port": self.wsman.https_port if tls else self.wsman.http_port,
            "use_tls": tls,
            "authentication": authentication,
            "username": user,
            "password": ACCOUNTS[user][0],
        }
        if tls:
            options["ca_cert"] = self.authority_path
        return options

    def onboarding_variables(self) -> dict[str, Any]:
        """Variables of the role onboarding for this estate."""
        variables: dict[str, Any] = {"onboarding_sync_server": "sync1.lab.test"}
        if self.directory is not None:
            variables.update(
                onboarding_directory_server=self.directory.address,
                onboarding_directory_server_name=self.directory.host_name,
                onboarding_directory_username=self.directory.onboard_user,
                onboarding_directory_password=self.directory.onboard_password,
                onboarding_directory_ca_cert=self.authority_path,
                onboarding_ou="OU=Staff,DC=lab,DC=test",
            )
        if self.tenant is not None:
            variables.update(
                onboarding_tenant_id=self.tenant.tenant_id,
                onboarding_client_id=CLIENT_ID,
                onboarding_client_secret=CLIENT_SECRET,
                onboarding_graph_url=self.tenant.url,
                onboarding_authority_url=self.tenant.url,
                onboarding_graph_ca_cert=self.authority_path,
                onboarding_usage_location="DE",
                onboarding_licenses=["SPE_E3"],
            )
        return variables

    def inventory(self) -> dict[str, Any]:
        """The inventory, as a YAML inventory file holds it."""
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, **self.onboarding_variables()}
        return {
            "all": {"hosts": {"localhost": local}},
            "sync_servers": {"hosts": {"sync1.lab.test": self.connection_variables()}},
        }
