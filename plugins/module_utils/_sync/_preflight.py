# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Whether a cycle may be started at all. Pure decisions; private to the collection."""

from __future__ import annotations

from typing import Mapping, Sequence, TypeVar

from .._engines._contract import EngineState, Probe
from .._failure import HybridIdentityError

Candidate = TypeVar("Candidate")


def require_ready(probe: Probe, state: EngineState, *, on_staging: str, on_disabled: str, on_retired: str) -> HybridIdentityError | None:
    """What forbids a start.

    Args:
        state: the newest look. on_staging: refuse, proceed or skip. on_disabled: refuse or proceed. on_retired: refuse or warn.

    Returns:
        What blocks the engine itself, or engine_unsupported, scheduler_suspended, staging or scheduler_disabled; None when nothing does.
    """
    if probe.blocker is not None:
        return probe.blocker
    if probe.support == "refused" and on_retired == "refuse":
        return HybridIdentityError("engine_unsupported", probe.support_note)
    if state.suspended:
        return HybridIdentityError("scheduler_suspended", "The scheduler is suspended: a configuration wizard is open or an upgrade runs.")
    if state.staging and on_staging != "proceed":
        return HybridIdentityError("staging", "This server is in staging mode: a cycle there exports nothing.")
    if state.enabled is False and on_disabled != "proceed":
        return HybridIdentityError("scheduler_disabled", "The scheduler of the sync engine is switched off.")
    return None


def choose_active(candidates: Sequence[tuple[Candidate, str, Probe]], unseen: Mapping[str, HybridIdentityError]) -> Candidate:
    """The one active server among several. A server that is down does not keep the active one from being used.

    Args:
        candidates: (what stands for the server, its name, its probe).
        unseen: servers whose engine could not be looked at, and why.

    Raises:
        HybridIdentityError: no_active_server or two_active_servers; the reason of an unseen server when none of the others is active.
    """
    active = [(candidate, name) for candidate, name, probe in candidates if probe.state is not None and not probe.state.staging]
    if len(active) == 1:
        return active[0][0]
    if len(active) > 1:
        raise HybridIdentityError("two_active_servers", f"More than one sync server is active: {', '.join(name for item, name in active)}.")
    if unseen:
        raise next(iter(unseen.values()))
    raise HybridIdentityError(
        "no_active_server", f"None of the sync servers is active ({', '.join(name for item, name, probe in candidates)})."
    )
