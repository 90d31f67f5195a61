# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Servers of the older engines for the tests of the lab."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fim_servers import MakeServer, OneUser, Tenant

from lab.clock import Clock
from lab.engines import make_server


@pytest.fixture
def make() -> Iterator[MakeServer]:
    """Starts servers by the name of their engine, and stops them after the test."""
    servers: list[Any] = []

    def start(name: str, **settings: Any) -> Any:
        server = make_server(name, Clock(), OneUser(), Tenant(), {"cycle_seconds": 0.4, **settings})
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()
