# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""dirsync_info with the health of the password channels: one look at them, and what the event log holds of the last hours. Private to the collection."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Mapping, Sequence

from .._engines._contract import Engine, Probe
from .._engines._password_contract import ChannelLook, ChannelState, EventPage, PasswordDriver
from .._engines._password_drivers import driver_of
from .._remote._call import RemoteShell
from .._remote._failures import CALL_FAILURES, as_failure
from .._remote._local_route import LocalRouteClosed
from .._sync import _info
from ._health import DEAD, health_of, newest_sign
from ._journal import Forests, Journal

#: seconds of single calls
_LOOK_SECONDS, _PAGE_SECONDS = 60.0, 60.0
#: seconds in which a channel that is alive gives a sign, and a little more; then those after which it counts as dead
_WINDOWS = (35 * 60.0, DEAD + 300.0)


def inform(shell: RemoteShell, params: Mapping[str, Any], *, now: datetime) -> dict[str, Any]:
    """dirsync_info.

    Args:
        params: validated options. now: when the task began.

    Raises:
        HybridIdentityError: nothing could be told.
    """
    return _info.inform(shell, params, now=now, passwords=read_health if params["password_sync"] else None)


def read_health(shell: RemoteShell, engine: Engine, probe: Probe) -> tuple[dict[str, Any], str | None]:
    """The health of the password channels of an engine that has been recognised.

    Returns:
        `feature` and `connectors`, or nothing where neither the channels nor the log could be read; and why something is missing, in one sentence.
    """
    driver = driver_of(engine)
    if driver is None:
        return {}, f"the password synchronisation of the engine {engine.name} cannot be looked at by this release"
    look, problems = _look(driver, shell, probe)
    channels: Sequence[ChannelState] = look.channels if look is not None else _by_name(probe)
    try:
        journal, page = _read(driver, shell, probe, channels)
    except CALL_FAILURES as error:
        problems.append(f"the event log could not be read: {as_failure(error).message}")
        if look is None:
            return {}, _sentence(problems)
        rows = health_of(channels, None, look.at, look.lead, staging=look.staging)
        return {"feature": look.feature, "connectors": rows}, _sentence(problems)
    known: Journal | None = journal
    if page.source is False:
        problems.append("the server does not know the event source Directory Synchronization")
        known = None
    staging = look.staging if look is not None else probe.state.staging if probe.state is not None else None
    lead = probe.lead.narrowed(page.lead)
    rows = health_of(channels, known, page.at, lead, staging=staging)
    return {"feature": look.feature if look is not None else None, "connectors": rows}, _sentence(problems)


def _look(driver: PasswordDriver, shell: RemoteShell, probe: Probe) -> tuple[ChannelLook | None, list[str]]:
    if probe.blocker is not None:
        return None, [f"the channels could not be read: {probe.blocker.message}"]
    try:
        look = driver.look(shell, timeout=_LOOK_SECONDS, server_now=probe.at)
    except LocalRouteClosed as error:
        return None, [f"the channels could not be read: {error}"]
    except CALL_FAILURES as error:
        return None, [f"the channels could not be read: {as_failure(error).message}"]
    problems = [f"{one.name}: {one.problem}" for one in look.channels if one.problem]
    if look.feature is None:
        problems.append(f"whether the tenant takes password hashes is not known: {look.problems.get('feature', 'the engine does not say')}")
    return look, problems


def _by_name(probe: Probe) -> list[ChannelState]:
    return [ChannelState(one.name, one.identifier, None, False) for one in probe.connectors if one.on_directory]


def _read(driver: PasswordDriver, shell: RemoteShell, probe: Probe, channels: Sequence[ChannelState]) -> tuple[Journal, EventPage]:
    """What the log holds of the last half hour, which is enough where every channel is alive, else of the last hours."""
    for seconds in _WINDOWS:
        journal, page = _read_since(driver, shell, probe.at - timedelta(seconds=seconds), Forests.of(channels))
        if all(newest_sign(journal, one.identifier, alone=len(channels) == 1) is not None for one in channels):
            break
    return journal, page


def _read_since(driver: PasswordDriver, shell: RemoteShell, since: datetime, forests: Forests) -> tuple[Journal, EventPage]:
    journal, source = Journal(), None
    while True:
        page = driver.events(
            shell,
            after=journal.last,
            since=since,
            marks_only=False,
            seconds=0.0,
            timeout=_PAGE_SECONDS,
            check_source=source is None,
        )
        source = page.source if source is None else source
        journal = journal.with_page(page, forests)
        if not page.more:
            return journal, replace(page, source=source)


def _sentence(problems: Sequence[str]) -> str | None:
    return "; ".join(one.rstrip(".") for one in problems) + "." if problems else None
