# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The timestamp whose directory state a synchronisation has to carry: after every write, and after nothing else. Pure; private to the collection."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Iterable, Mapping, Sequence

from ._names import Entry, parse_generalized_time
from ._replication import WRITTEN, change_times, latest, link_times

#: below this difference (seconds) the clocks are taken as equal: both are told in whole seconds
_SAME_CLOCK = 2.0


def state_of(entry: Entry, numbers: Iterable[int | None]) -> tuple[datetime | None, bool]:
    """When the account was last changed in what ad_users writes, on the controller's clock; and whether that was readable.

    Args:
        entry: as read, with replPropertyMetaData and, where the controller tells them, msDS-ReplValueMetaData and whenChanged.
        numbers: of further attributes that the row names, None for one whose number is not known.

    whenChanged is the answer where the metadata are not: it moves with logons and password changes as well.
    """
    times = change_times(entry.raw("replPropertyMetaData"))
    wanted = list(numbers)
    if times is None or None in wanted:
        return parse_generalized_time(entry.text("whenChanged") or ""), False
    links = link_times(entry.texts("msDS-ReplValueMetaData"))
    own = [latest(times, [*WRITTEN.values(), *(number for number in wanted if number is not None)])]
    own += [changed for (attribute, _dn), changed in links.items() if attribute == "manager"]
    return max((changed for changed in own if changed is not None), default=None), True


def memberships_of(dn: str, groups: Sequence[str], links: Mapping[str, Mapping[tuple[str, str], datetime]]) -> datetime | None:
    """When the account was last put into one of these groups or taken out of it. links: link_times of a group, by its name in lower case."""
    times = [links[group.lower()].get(("member", dn.lower())) for group in groups if group.lower() in links]
    return max((changed for changed in times if changed is not None), default=None)


def watermark(times: Iterable[datetime | None], lead: float) -> datetime | None:
    """The latest of the times on this machine's clock, a second later because the controller cuts to seconds; None without any.

    Args:
        lead: seconds that the controller's clock is ahead.
    """
    known = [changed for changed in times if changed is not None]
    if not known:
        return None
    return max(known) + timedelta(seconds=1 - (lead if abs(lead) > _SAME_CLOCK else 0.0))
