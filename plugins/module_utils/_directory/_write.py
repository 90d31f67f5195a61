# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Does what was planned: accounts first, then what points from one to another. Private to the collection."""

from __future__ import annotations

import threading
from collections import defaultdict
from datetime import datetime
from functools import partial
from typing import Any, Callable, Sequence

from ._connection import Directory, DirectoryFailure, DirectoryRefusal
from ._lanes import do_all
from ._names import equals, parent_dn
from ._plan import Plan
from ._row import Row
from ._survey import Survey
from ._who import who_is

#: members that are put into a group by one operation
_MEMBERS = 200
#: Win32 ERROR_PASSWORD_RESTRICTION, in front of the words of every directory that refuses a password by its policy
_PASSWORD_RESTRICTION = "0000052D"
# LDAP result codes
_NO_SUCH_OBJECT, _INSUFFICIENT_ACCESS_RIGHTS = 32, 50


class Writer:
    """The writing half of a run. A failure of one account does not keep the others from theirs.

    Attributes:
        lost: why the connection ended before everything was done, or what was written could not be read back; else None.
        last_write: the controller's clock after the last write; None when nothing was written, or it could not be read.
    """

    def __init__(self, directory: Directory, survey: Survey) -> None:
        self._directory, self._survey = directory, survey
        self._rows = survey.rows
        #: held by whoever asks anew over the connection of the survey
        self._surveying = threading.Lock()
        self.lost: DirectoryFailure | None = None
        self.last_write: datetime | None = None

    @property
    def wrote(self) -> bool:
        """Whether anything was written."""
        return any(row.done for row in self._rows)

    def run(self) -> None:
        """Write, and read back what the next stage needs."""
        rows = [row for row in self._rows if row.plan is not None and row.plan.action != "unchanged"]
        ordered = self._managers_first(rows)
        do_all(
            self._directory,
            ordered,
            self._managers_before(ordered),
            lambda lane, row: self._attempt(row, partial(self._write_account, lane)),
        )
        for row in rows:
            if row.failure is None:
                self._attempt(row, self._write_manager)
        self._write_groups([row for row in rows if row.failure is None])
        if rows and self.lost is None:
            try:
                if self.wrote:
                    self.last_write = self._directory.current_time()
                self._read_back([row for row in rows if row.plan is not None and row.plan.new and row.done])
            except DirectoryRefusal as error:
                self.lost = DirectoryFailure("directory_denied", f"{error}.")
            except DirectoryFailure as error:
                self.lost = error

    def _attempt(self, row: Row, work: Callable[[Row, Plan], None]) -> None:
        if row.plan is None:
            return
        if self.lost is not None:
            row.failure = DirectoryFailure("unreachable", f"{row.account.key}: not done, because the connection had ended before.")
            return
        try:
            work(row, row.plan)
        except DirectoryRefusal as error:
            row.failure = refusal_of(row, error)
        except DirectoryFailure as error:
            self._lose(error, [row])

    def _lose(self, error: DirectoryFailure, rows: Sequence[Row]) -> None:
        """The connection has ended while something was done to these rows, which the controller may have carried out all the same."""
        self.lost = error
        for row in rows:
            row.unsure = True
            row.failure = DirectoryFailure(error.reason, f"{row.account.key}: whether it was done is not known. {error.message}")

    # -- accounts

    def _manager_row(self, row: Row) -> Row | None:
        """The row of this run that is to become the manager, when there is one."""
        number = row.plan.manager_row if row.plan else None
        return None if number is None else self._survey.references.rows[number]

    def _managers_first(self, rows: Sequence[Row]) -> list[Row]:
        """In the order of the batch, but managers before those whom they lead, so that their name is known by then."""
        ordered: dict[int, Row] = {}
        for row in rows:
            chain: list[Row] = []
            step: Row | None = row
            while step is not None and id(step) not in ordered and all(step is not other for other in chain):
                chain.append(step)
                step = self._manager_row(step)
            ordered.update((id(found), found) for found in reversed(chain))
        wanted = {id(row) for row in rows}
        return [row for key, row in ordered.items() if key in wanted]

    def _managers_before(self, ordered: Sequence[Row]) -> dict[int, Row]:
        """By the id of a row its manager's row, where that comes before it."""
        place = {id(row): number for number, row in enumerate(ordered)}
        led = [(row, self._manager_row(row)) for row in ordered]
        return {id(row): manager for row, manager in led if manager is not None and place.get(id(manager), len(ordered)) < place[id(row)]}

    def _write_account(self, lane: Directory, row: Row, plan: Plan) -> None:
        manager = self._manager_row(row)
        if manager is not None and manager.failure is None and (manager.done or manager.entry is not None) and _is_placed(manager):
            plan.manager, plan.manager_row = manager.dn, None
        if plan.new:
            try:
                self._create(lane, row, plan)
            except DirectoryRefusal as error:
                # Another run of the same table was quicker: the person is there now.
                with self._surveying:
                    if not (error.is_taken and self._is_there(row)):
                        raise
                if row.plan is not None and row.failure is None:
                    self._correct(lane, row, row.plan)
        else:
            self._correct(lane, row, plan)

    def _create(self, lane: Directory, row: Row, plan: Plan) -> None:
        attributes: dict[str, Any] = {
            "objectClass": ["top", "person", "organizationalPerson", "user"],
            "userAccountControl": [str(plan.control)],
            **plan.attributes,
        }
        if plan.manager:
            attributes["manager"] = [plan.manager]
        if plan.password:
            attributes["unicodePwd"] = [quoted(plan.password)]
        if plan.must_change:
            attributes["pwdLastSet"] = ["0"]
        lane.add(row.dn or "", attributes)
        row.done |= {*plan.attributes, *(["password"] if plan.password else []), *(["manager"] if plan.manager else [])}

    def _correct(self, lane: Directory, row: Row, plan: Plan) -> None:
        """All attributes in one step, then the place: a name that is taken then costs nothing but the name."""
        dn = row.dn or ""
        replace: dict[str, list[Any]] = dict(plan.attributes)
        if plan.manager is not None:
            replace["manager"] = [plan.manager] if plan.manager else []
        if plan.password:
            replace["unicodePwd"] = [quoted(plan.password)]
            if plan.must_change:
                replace["pwdLastSet"] = ["0"]
        if plan.control is not None:
            replace["userAccountControl"] = [str(plan.control)]
        if replace:
            lane.replace(dn, replace)
            later = {"distinguishedName", "groups"} | ({"manager"} if plan.manager_row is not None else set())
            row.done |= set(plan.changes) - later
        if plan.move:
            row.dn = lane.move(dn, *plan.move)
            row.done.add("distinguishedName")

    def _is_there(self, row: Row) -> bool:
        """Whether somebody with this user principal name is there now; then the row is planned anew for that account."""
        entry, faults = who_is(row.account, self._survey.look_up([row.account]))
        if entry is None or faults:
            return False
        self._survey.take(row, entry)
        self._survey.plan(row)
        self._survey.references.plan_groups(row)
        self._survey.references.plan_manager(row)
        if row.plan is None or row.faults or row.plan.takeover:
            row.faults.clear()
            row.failure = DirectoryFailure(
                "invalid_input",
                f"{row.account.key}: the account was made by somebody else in the meantime and is not as this row says; run the task again.",
            )
        return True

    # -- links

    def _write_manager(self, row: Row, plan: Plan) -> None:
        """For those who lead each other in a circle, or whose manager could not be made."""
        manager = self._manager_row(row)
        if manager is None:
            return
        if manager.entry is None and not manager.done:
            raise DirectoryRefusal(_NO_SUCH_OBJECT, f"the manager {manager.account.key} is not there, because that row failed")
        self._directory.replace(row.dn or "", {"manager": [manager.dn or ""]})
        row.done.add("manager")

    def _write_groups(self, rows: Sequence[Row]) -> None:
        joining: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            for group in row.plan.join if row.plan else []:
                joining[group].append(row)
        for group, members in joining.items():
            for start in range(0, len(members), _MEMBERS):
                self._join(group, [row for row in members[start : start + _MEMBERS] if row.failure is None])
        for row in rows:
            for group in row.plan.leave if row.plan else []:
                if row.failure is None:
                    self._attempt(row, partial(self._leave, group))

    def _join(self, group: str, members: Sequence[Row]) -> None:
        """Many at once; one by one where that is refused, because a single one may be the reason."""
        if len(members) > 1 and self.lost is None:
            try:
                self._directory.add_members(group, [row.dn or "" for row in members])
            except DirectoryRefusal:
                pass
            except DirectoryFailure as error:
                self._lose(error, members)
                return
            else:
                for row in members:
                    row.done.add("groups")
                return
        for row in members:
            self._attempt(row, partial(self._join_one, group))

    def _join_one(self, group: str, row: Row, _plan: Plan) -> None:
        if self._directory.add_member(group, row.dn or ""):
            row.done.add("groups")

    def _leave(self, group: str, row: Row, _plan: Plan) -> None:
        if self._directory.remove_member(group, row.dn or ""):
            row.done.add("groups")

    # -- afterwards

    def _read_back(self, rows: Sequence[Row]) -> None:
        """Identifiers and names of those who are new, as the directory writes them."""
        found = self._directory.search(
            [equals("userPrincipalName", row.account.upn or "") for row in rows],
            ["objectGUID", "objectSid", "mS-DS-ConsistencyGuid", "userPrincipalName", "sAMAccountName", "objectClass"],
        )
        by_upn = {(entry.text("userPrincipalName") or "").lower(): entry for entry in found}
        for row in rows:
            entry = by_upn.get((row.account.upn or "").lower())
            if entry is not None:
                row.entry, row.dn = entry, entry.dn


def _is_placed(row: Row) -> bool:
    """Whether it is where it shall be, so that its distinguished name does not change any more."""
    return row.plan is None or row.plan.move is None or "distinguishedName" in row.done


def refusal_of(row: Row, error: DirectoryRefusal) -> DirectoryFailure:
    """What a refusal of one account means. The words of a password refusal are the server's own and hold no password."""
    key = row.account.key
    if _PASSWORD_RESTRICTION in error.words:
        return DirectoryFailure("invalid_input", f"{key}: the password was refused by the password policy of the domain.")
    said = f"LDAP result {error.code} ({error.words[:200]})"
    if error.is_passing:
        return DirectoryFailure("unreachable", f"{key}: the domain controller was too busy, with {said}; run the task again.")
    if error.is_elsewhere:
        return DirectoryFailure("invalid_input", f"{key}: the domain controller does not hold {parent_dn(row.dn or '')}, {said}.")
    reason = "directory_denied" if error.code == _INSUFFICIENT_ACCESS_RIGHTS else "invalid_input"
    return DirectoryFailure(reason, f"{key}: the directory refused it with {said}.")


def quoted(password: str) -> bytes:
    """A password as Active Directory takes it: in double quotes, UTF-16 little-endian."""
    return f'"{password}"'.encode("utf-16-le")
