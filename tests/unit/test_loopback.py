# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Every test process has a loopback network of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from loopback import claim_network, own_address


def test_two_holders_never_share_a_network_and_a_free_one_is_taken_again(tmp_path: Path) -> None:
    first, holder = claim_network(tmp_path)
    second, other = claim_network(tmp_path)
    assert first != second
    os.close(holder)
    third, again = claim_network(tmp_path)
    assert third == first
    os.close(other)
    os.close(again)


def test_none_left_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loopback._NETWORKS", ["127.77.1"])
    _network, holder = claim_network(tmp_path)
    with pytest.raises(RuntimeError, match="is held by a test run"):
        claim_network(tmp_path)
    os.close(holder)


def test_the_addresses_of_a_process_are_of_one_network() -> None:
    assert own_address(5).rpartition(".")[0] == own_address(6).rpartition(".")[0]
    assert own_address(5).startswith("127.77.") and own_address(5).endswith(".5")
