# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""A tenant for the tests of the Graph client and of the modules that use it."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._deadline import Deadline
from ansible_collections.hybrid.identity.plugins.module_utils._graph._client import GraphClient
from ansible_collections.hybrid.identity.plugins.module_utils._graph._options import read_graph_options
from lab.certificates import Certificate, make_authority
from lab.entra import EntraServer, Sku
from lab.synchronisation import ExportedUser

SECRET = "a-secret-that-must-not-show"
SKUS = (Sku("SPE_E3", "05e9a617-0261-4cee-bb44-138d3ef5d965", 3), Sku("FEW", "f30db892-07e9-47e9-837c-80727f46fd3d", 1))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Of the tenant's server."""
    folder: Path = tmp_path_factory.mktemp("authority")
    return make_authority(folder).issue(["localhost"], ["127.0.0.1"], folder / "server")


class Cloud:
    """A tenant and a client for it. Pauses take no time; they are listed in `pauses`."""

    def __init__(self, certificate: Certificate) -> None:
        self.server = EntraServer(certificate=certificate, applications={"app": SECRET}, skus=SKUS)
        self.certificate = certificate
        self.pauses: list[float] = []
        self.now = 1000.0
        self.on_pause: list[Any] = []

    def options(self, **changes: Any) -> dict[str, Any]:
        """Options of the modules."""
        return {
            "tenant_id": self.server.tenant_id,
            "client_id": "app",
            "client_secret": SECRET,
            "graph_url": self.server.url,
            "authority_url": self.server.url,
            "ca_cert": str(self.certificate.authority_path),
            **changes,
        }

    def client(self, timeout: float = 300, **changes: Any) -> GraphClient:
        """A client with a clock of its own."""
        return GraphClient(read_graph_options(self.options(**changes), {}), Deadline(timeout, self.clock), sleep=self.sleep)

    def clock(self) -> float:
        """The time of the client."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the time of the client pass, and let happen what was planned for the next pause."""
        self.pauses.append(seconds)
        self.now += seconds
        if self.on_pause:
            self.on_pause.pop(0)()

    def arrive(self, name: str, **attributes: Any) -> str:
        """Somebody is exported by the engine; returns the source anchor."""
        anchor = base64.b64encode(uuid.uuid5(uuid.NAMESPACE_DNS, name).bytes_le).decode()
        self.server.apply(ExportedUser("add", anchor, {"userPrincipalName": f"{name}@lab.example", "displayName": name, **attributes}))
        return anchor

    def user(self, name: str) -> dict[str, Any]:
        """The user as the tenant has it."""
        return next(user for user in self.server.users() if user["displayName"] == name)


@pytest.fixture
def cloud(certificate: Certificate) -> Iterator[Cloud]:
    """A running tenant."""
    cloud = Cloud(certificate)
    cloud.server.start()
    yield cloud
    cloud.server.stop()
