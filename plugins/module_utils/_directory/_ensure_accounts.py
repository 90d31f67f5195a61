# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Make sure that accounts are in the directory as they are desired. Free of Ansible; private to the collection."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Any, Mapping, Sequence

from .._failure import HybridIdentityError
from ._connection import Directory, DirectoryFailure, DirectoryRefusal
from ._desired import read_desired
from ._passwords import PasswordRule
from ._replication import WRITTEN, link_times
from ._result import result_of
from ._survey import Survey
from ._watermark import memberships_of, state_of, watermark
from ._write import Writer

#: seconds that are let pass after the watermark of a write, which lies up to a second ahead: the controller cuts times to seconds. A cycle
#: that starts then is covered for the next run too; dirsync_trigger allows for the differences of the clocks by itself.
_SETTLE = 0.0
#: the longest such pause (seconds), whatever the clocks say
_LONGEST_SETTLE = 10.0


def ensure_accounts(
    directory: Directory,
    users: Sequence[Mapping[str, Any]],
    *,
    default_ou: str | None,
    initial_password: str | None,
    always_password: bool,
    check_mode: bool,
    allow_privileged_groups: bool = False,
    passwords: Mapping[str, str] | None = None,
    password_rule: PasswordRule | None = None,
    must_change_new: bool = False,
) -> dict[str, Any]:
    """Create and correct accounts; the whole batch is checked before the first write.

    Args:
        directory: signed in.
        users: items of the option users.
        default_ou, initial_password: of new accounts that name none.
        always_password: whether those who have a password get this one.
        allow_privileged_groups: whether groups that AdminSDHolder protects may be given.
        passwords: of single people, by person_key.
        password_rule: by which the caller generates passwords of those who have none; in check mode they need not be there yet.
        must_change_new: whether first passwords have to be changed at the first logon.

    Returns:
        The result keys of ad_users.

    Raises:
        HybridIdentityError: invalid_input with `faults` (nothing was written), or the reason of failed items with all results.
        DirectoryRefusal: a question was not answered, before anything was written.
    """
    run = _Run(
        directory,
        Survey(
            directory,
            [
                read_desired(
                    user,
                    default_ou,
                    initial_password,
                    passwords=passwords,
                    are_generated=check_mode and password_rule is not None,
                    must_change_new=must_change_new,
                )
                for user in users
            ],
            always_password=always_password,
            allow_privileged_groups=allow_privileged_groups,
            password_rule=password_rule,
        ),
    )
    run.survey.run()
    faults = [fault for row in run.survey.rows for fault in row.faults]
    if faults:
        more = f" ({len(faults) - 1} more fault(s) in the result)" if len(faults) > 1 else ""
        raise HybridIdentityError("invalid_input", f"{faults[0]}{more} Nothing was written.", **run.result(predicted=True))
    run.read_memberships()
    if not check_mode:
        run.write()
    result = run.result(predicted=check_mode)
    failures = [row.failure for row in run.survey.rows if row.failure is not None]
    if failures:
        words = f"{len(failures)} of {len(run.survey.rows)} accounts failed, first {failures[0].message}"
        raise DirectoryFailure(failures[0].reason, words, **result)
    if run.writer.lost is not None:
        words = f"Everything was written, but could not be read back: {run.writer.lost.message}"
        raise DirectoryFailure(run.writer.lost.reason, words, **result)
    return result


class _Run:
    def __init__(self, directory: Directory, survey: Survey) -> None:
        self.directory, self.survey = directory, survey
        self.writer = Writer(directory, survey)
        self._memberships: list[datetime | None] = []

    def _states(self) -> list[tuple[datetime | None, bool]]:
        """When each account that is there was last changed in what a row can say, and whether that could be read."""
        numbers = self.survey.numbers
        return [
            state_of(row.entry, [numbers.get(name) for name in row.account.attributes if name not in WRITTEN])
            for row in self.survey.rows
            if row.entry is not None
        ]

    def read_memberships(self) -> None:
        """When those who are there were put into the groups that their rows name; a warning where times cannot be read."""
        unreadable = sum(not readable for _changed, readable in self._states())
        if unreadable:
            self.survey.warnings.append(
                f"The replication metadata of {unreadable} accounts cannot be read: whenChanged is taken, so a logon of one of them "
                "may start a synchronisation that was not needed."
            )
        named = {}
        for row in self.survey.rows:
            if row.entry is not None:
                change = row.account.groups
                named[row.entry.dn] = [self.survey.references.groups[name.lower()].dn for name in (*change.joined, *change.remove)]
        links = {}
        for group in sorted({group for groups in named.values() for group in groups}):
            try:
                entry = self.directory.read(group, ["msDS-ReplValueMetaData"])
            except DirectoryRefusal:
                continue  # not every controller tells it
            links[group.lower()] = link_times(entry.texts("msDS-ReplValueMetaData")) if entry else {}
        self._memberships = [memberships_of(dn, groups, links) for dn, groups in named.items()]

    def write(self) -> None:
        """Do what was planned, and let the timestamp of the last write pass."""
        self.writer.run()
        if self.writer.wrote and self.writer.lost is None:
            self._settle()

    def _watermark(self) -> datetime | None:
        """None, which is "now", when what was written last could not be read back, or the controller did not tell its clock."""
        if self.writer.lost is not None or (self.writer.wrote and self.writer.last_write is None):
            return None
        return watermark(
            [*(changed for changed, _readable in self._states()), *self._memberships, self.writer.last_write], self.directory.lead
        )

    def _settle(self) -> None:
        """So that a cycle which starts now begins after the last write in every clock."""
        passed = self._watermark()
        if passed is not None:
            wait = (passed - datetime.now(timezone.utc)).total_seconds() + _SETTLE
            time.sleep(min(max(wait, 0.0), _LONGEST_SETTLE))

    def result(self, *, predicted: bool) -> dict[str, Any]:
        """The result keys, whatever has happened so far."""
        return result_of(
            self.survey.rows,
            host_name=self.directory.host_name,
            lead=self.directory.lead,
            watermark=self._watermark(),
            predicted=predicted,
            warnings=self.survey.warnings,
        )
