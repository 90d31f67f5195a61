# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Full password synchronisations as the event log shows them. Pure; private to the collection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Iterable, Mapping

from .._engines._password_causes import Cause
from ._journal import Mark

#: what shows that a forest works again after a failure
HEALING = ("full_began", "domain_ended", "full_ended", "batch_ended", "heartbeat", "results")
#: what shows that a full synchronisation goes on in spite of a failure; passwords are sent without one as well
_GOES_ON = ("progress", "domain_began", "domain_ended", "full_ended")
#: reasons that do not pass by themselves
LASTING = (
    "replication_denied",
    "first_sync_unfinished",
    "fips_blocked",
    "tenant_feature_off",
    "cloud_sign_in_blocked",
    "connector_credentials",
)


@dataclass(frozen=True)
class Full:
    """One full synchronisation of a forest.

    ended: None while it runs. broken: the agent was stopped or started meanwhile, so it did not come to its end. failed: the engine says so.
    stuck: a failure is the last that was heard of it.
    domains: name or text -> ended.
    """

    record: int
    started: datetime
    ended: datetime | None = None
    broken: bool = False
    failed: bool = False
    stuck: bool = False
    domains: Mapping[str, bool] | None = None

    @property
    def running(self) -> bool:
        """Whether it may still come to its end."""
        return self.ended is None and self.counts

    @property
    def counts(self) -> bool:
        """Whether it is one that has ended, or will."""
        return not self.broken and not self.failed and not self.stuck


def fulls_of(marks: Iterable[Mark], places: Iterable[str] = ()) -> list[Full]:
    """The full synchronisations of one connector, oldest first.

    Args:
        marks: of this connector, oldest first. places: names of its domains, in lower case.
    """
    found: list[Full] = []
    known = tuple(places)
    for mark in marks:
        sign = mark.sign
        if sign.kind == "full_began":
            if found and found[-1].running:
                found[-1] = replace(found[-1], broken=True)
            found.append(Full(sign.record, sign.at, domains={}))
        elif found and (found[-1].running or found[-1].stuck):
            if sign.kind == "failed":
                found[-1] = replace(found[-1], stuck=True)
            elif sign.kind in _GOES_ON:
                found[-1] = replace(found[-1], stuck=False)
            if sign.kind == "full_ended":
                found[-1] = replace(found[-1], ended=sign.at)
            elif sign.kind == "full_failed":
                found[-1] = replace(found[-1], failed=True)
            elif sign.kind in ("agent_starting", "agent_stopping", "agent_stopped"):
                found[-1] = replace(found[-1], broken=True)
            elif sign.kind in ("domain_began", "domain_ended"):
                names = [name for name in known if name in sign.names] or ["domain"]
                domains = dict(found[-1].domains or {})
                domains.update(dict.fromkeys(names, sign.kind == "domain_ended"))
                found[-1] = replace(found[-1], domains=domains)
    return found


@dataclass(frozen=True)
class Trouble:
    """The newest failure that nothing has healed since."""

    at: datetime
    id: int
    cause: Cause
    words: str

    @property
    def lasts(self) -> bool:
        """Whether it will not pass by itself."""
        return self.cause.reason in LASTING or self.id in (607, 621)


def trouble_of(marks: Iterable[Mark], connector: str) -> Trouble | None:
    """The newest failure of a connector after which no sign of health came. A tenant that takes no hashes heals by nothing but a batch or a ping."""
    worst: Trouble | None = None
    for mark in marks:
        sign = mark.sign
        if sign.cause is not None and not sign.cause.passing:
            everybody = sign.cause.reason in ("tenant_feature_off", "cloud_sign_in_blocked")
            if mark.connector == connector or (mark.connector is None and everybody):
                worst = Trouble(sign.at, sign.id, sign.cause, sign.words)
        elif sign.kind in HEALING and worst is not None:
            mine = mark.connector == connector
            if worst.cause.reason == "tenant_feature_off":
                mine = (mine or mark.connector is None) and sign.kind in ("heartbeat", "results")
            if mine:
                worst = None
    return worst
