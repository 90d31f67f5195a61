# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What dirsync_trigger does over given shells: find the engine and the active server, then ensure a cycle. Private to the collection."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Callable, Mapping, Sequence

from .._engines import ENGINES
from .._engines._contract import Engine, EngineState, OtherEngine, Probe, Survey
from .._engines._survey import not_here
from .._failure import HybridIdentityError, told_with
from .._remote._call import NoAnswer, RemoteShell
from .._remote._failures import failures_named
from ._act import ensure_cycle
from ._desired import DesiredCycle, history_seconds, local_reading
from ._left_off import bring_back
from ._objects import ensure_objects, require_objects
from ._options import read_desired
from ._preflight import choose_active
from ._report import blank_result, clock_keys


def trigger(
    shells: Sequence[tuple[str, RemoteShell]],
    params: Mapping[str, Any],
    *,
    now: datetime,
    check_mode: bool,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """dirsync_trigger over one shell, or over the one active server of several.

    Args:
        shells: (name of the server, shell to it).
        params: validated options. now: when the task began.

    Returns:
        The result keys. Raises HybridIdentityError with as many of them as are known.
    """
    known = {"server": shells[0][0] if len(shells) == 1 else None, **blank_result(now, params["type"])}
    with told_with(known):
        desired = read_desired(params, now, check_mode)
        known.update(blank_result(desired.since, params["type"]))
        (name, shell, engine, probe), unseen = find_active(shells, params["engine"], history_seconds(desired, now), local_reading(desired))
        known.update(server=name, engine=engine.name, version=probe.version, support=probe.support, **clock_keys(probe.lead))
        with failures_named():
            result = _ensure(name, engine, shell, probe, desired, lambda line: progress(f"{name}: {line}"))
        unknown = [f"Whether {other} is active too is not known: {error.message}" for other, error in unseen.items()]
        return {**known, **result, "warnings": [*unknown, *result["warnings"]]}


def _ensure(
    name: str, engine: Engine, shell: RemoteShell, probe: Probe, desired: DesiredCycle, progress: Callable[[str], None]
) -> dict[str, Any]:
    """The objects or the cycle, on the server that was found."""
    state = _state_of(probe)
    warnings: tuple[str, ...] = ()
    driver = require_objects(engine, probe.version, ENGINES) if desired.objects else engine.objects
    if state.enabled is False and driver is not None and not desired.check_mode:
        state, warnings = bring_back(driver, shell, state, progress)
    probe = replace(probe, warnings=(*probe.warnings, *warnings))
    if desired.objects and driver is not None:
        return ensure_objects(engine, driver, shell, probe, state, desired, progress)
    return ensure_cycle(name, engine, shell, probe, state, desired, progress)


def _state_of(probe: Probe) -> EngineState:
    """The look of the probe. Raises HybridIdentityError: why there is none."""
    if probe.state is None:
        raise probe.blocker or HybridIdentityError("engine_error", "The state of the sync engine could not be read, and nothing says why.")
    return probe.state


def find_active(
    shells: Sequence[tuple[str, RemoteShell]], engine: str, seconds: float, local: str = "never"
) -> tuple[tuple[str, RemoteShell, Engine, Probe], dict[str, HybridIdentityError]]:
    """The only server, whatever it is like, or the active one of several; and why the engines of others could not be looked at.

    engine, seconds, local: see find_engine.
    """
    if len(shells) == 1:
        name, shell = shells[0]
        with failures_named():
            return (name, shell, *find_engine(shell, engine, seconds, local)), {}
    found: list[tuple[str, RemoteShell, Engine, Probe]] = []
    unseen: dict[str, HybridIdentityError] = {}
    for name, shell in shells:
        try:
            with failures_named():
                driver, probe = find_engine(shell, engine, seconds, local)
            if probe.state is None and probe.blocker is not None:
                raise probe.blocker
            found.append((name, shell, driver, probe))
        except HybridIdentityError as error:
            unseen[name] = error
    return choose_active([(one, one[0], one[3]) for one in found], unseen), unseen


def find_engine(shell: RemoteShell, name: str, seconds: float, local: str = "never") -> tuple[Engine, Probe]:
    """The engine on the server behind a shell, and the look that recognised it.

    Args:
        name: auto, or the name of one engine.
        seconds: how far back the first look at the history reaches. local: see Engine.probe.

    The first engine looks what is installed, whatever that is; the others are asked only where they know it for theirs.

    Raises:
        HybridIdentityError: not_a_sync_server, with what the server has instead.
    """
    candidates = [engine for engine in ENGINES if name in ("auto", engine.name)]
    if not candidates:
        raise HybridIdentityError("invalid_input", f"There is no engine named {name!r}.")
    survey: Survey | None = None
    for engine in candidates:
        if survey is not None and not engine.recognises(survey):
            continue
        try:
            probe = engine.probe(shell, history_seconds=seconds, survey=survey, local=local)
            return probe.driver or engine, probe
        except OtherEngine as other:
            survey = other.survey
        except NoAnswer as error:
            # Another operating system, or a PowerShell that is too old or not allowed to run scripts.
            raise HybridIdentityError("not_a_sync_server", str(error), remedy=error.remedy) from error
    if survey is None:
        raise AssertionError("an engine that is asked without a survey makes one")
    raise not_here(survey, name, next((engine.name for engine in ENGINES if engine.recognises(survey)), None))
