# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The groups, managers and organizational units that rows name. Private to the collection."""

from __future__ import annotations

from collections import defaultdict
from typing import Iterable, Sequence

from ._connection import Directory, DirectoryRefusal
from ._names import Entry, equals, lies_below
from ._privileges import READ, privilege_of
from ._row import Row

_GROUP = ("objectClass", "sAMAccountName", "cn", *READ)
_PERSON = ("objectClass", "sAMAccountName", "userPrincipalName")


class References:
    """What the names of a batch stand for; each is looked for once, however many rows have it.

    Attributes:
        rows: those that have no fault of their own; managers in the batch are numbers in it. (The others are known by name alone.)
        groups, units: by the name as it was given, in lower case.
    """

    def __init__(self, directory: Directory, rows: Sequence[Row], unsound: Sequence[Row], allow_privileged_groups: bool) -> None:
        self._directory, self.rows, self._unsound = directory, rows, unsound
        self._allow_privileged = allow_privileged_groups
        self.groups: dict[str, Entry] = {}
        self.units: dict[str, Entry] = {}
        self._wrong: dict[str, str] = {}
        self._managers: dict[str, str] = {}
        self._managers_in_batch: dict[str, int] = {}

    def _read(self, dn: str, attributes: Sequence[str]) -> tuple[Entry | None, str]:
        """The object and, when there is none, in words why."""
        try:
            return self._directory.read(dn, attributes), "does not exist"
        except DirectoryRefusal as error:
            if not error.is_elsewhere:
                raise
            return None, "lies in another domain, which this domain controller does not hold"

    # -- organizational units

    def find_units(self) -> None:
        """Find where new accounts go and others are to be moved to; a fault for each row whose place is not there."""
        for row in self.rows:
            asked = row.account.new_ou if row.entry is None else row.account.ou
            if not asked:
                if row.entry is None:
                    row.fault("ou is missing, and there is no default_ou.")
                continue
            key = asked.lower()
            if key not in self.units and key not in self._wrong:
                entry, why = self._read(asked, ["objectClass"])
                if entry is None:
                    self._wrong[key] = why
                else:
                    self.units[key] = entry
            if key in self._wrong:
                row.fault(f"the organizational unit {asked!r} {self._wrong[key]}.")
            else:
                # In the directory's own spelling, so that a blank after a comma is no difference.
                row.parent = self.units[key].dn

    # -- groups

    def find_groups(self) -> None:
        """Find the groups; a fault for each row with a name that is none, stands for several or is protected."""
        names = {name.lower(): name for row in self.rows for name in (*row.account.groups.joined, *row.account.groups.remove)}
        by_dn = {key for key in names if "=" in key}
        wrong: dict[str, str] = {}
        for key in sorted(by_dn):
            entry, why = self._read(names[key], _GROUP)
            if entry is None:
                wrong[key] = f"the group {names[key]!r} {why}."
            elif not entry.is_a("group"):
                wrong[key] = f"{names[key]!r} is no group."
            else:
                self.groups[key] = entry
        others = sorted(set(names) - by_dn)
        filters = [f"(&(objectClass=group)(|{equals('sAMAccountName', key)}{equals('cn', key)}))" for key in others]
        by_sam, by_cn = _by(self._directory.search(filters, _GROUP) if filters else [], "sAMAccountName", "cn")
        for key in others:
            self._choose(names[key], by_sam.get(key) or by_cn.get(key) or [], wrong)
        asked = {name.lower() for row in self.rows for name in row.account.groups.joined}
        if not self._allow_privileged:
            wrong.update(self._protected(asked))
        for row in self.rows:
            for name in (*row.account.groups.joined, *row.account.groups.remove):
                if name.lower() in wrong:
                    row.fault(wrong[name.lower()])

    def _choose(self, name: str, found: list[Entry], wrong: dict[str, str]) -> None:
        if not found:
            wrong[name.lower()] = f"the group {name!r} does not exist."
        elif len(found) > 1:
            wrong[name.lower()] = f"the group {name!r} is one of several: {_listed(found)}; give the distinguished name."
        else:
            self.groups[name.lower()] = found[0]

    def _protected(self, asked: Iterable[str]) -> dict[str, str]:
        wrong = {}
        for key in sorted(asked):
            if key not in self.groups:
                continue
            group = self.groups[key]
            try:
                reason = privilege_of(self._directory, group)
            except DirectoryRefusal as error:
                wrong[key] = f"whether the group {group.dn} gives privileges cannot be told ({error})."
                continue
            if reason:
                wrong[key] = f"the group {group.dn} gives privileges ({reason}); allow_privileged_groups: true lets it be given."
        return wrong

    def plan_groups(self, row: Row) -> None:
        """Put into its plan which groups are joined and left. A primary group is no change: it is not in memberOf."""
        if row.plan is None:
            return
        change, held = row.account.groups, row.entry.texts("memberOf") if row.entry else []
        row.plan.held = held
        here = {dn.lower() for dn in held}
        primary = _primary_group(row.entry)
        joined = [self.groups[name.lower()] for name in change.joined]
        row.plan.join = _once(group.dn for group in joined if group.dn.lower() not in here and not _is_primary(group, primary))
        removed = [self.groups[name.lower()] for name in change.remove]
        for group in removed:
            if _is_primary(group, primary):
                row.fault(f"{group.dn} is the primary group of the account, which cannot be left.")
        row.plan.leave = _once(group.dn for group in removed if group.dn.lower() in here)
        if change.set is not None:
            wanted = {group.dn.lower() for group in joined}
            # A group of another domain is not in the hands of this controller.
            row.plan.leave = [dn for dn in held if dn.lower() not in wanted and lies_below(dn, self._directory.base_dn)]

    # -- managers

    def find_managers(self) -> None:
        """Find the managers; a fault for each row whose manager is nobody, no person or several."""
        names = {row.account.manager.lower(): row.account.manager for row in self.rows if row.account.manager}
        known = _by_name(self.rows)
        self._managers_in_batch = {key: known[key] for key in names if key in known}
        wrong: dict[str, str] = {}
        # Whoever is led by somebody whose own row is wrong has no fault by that.
        others = sorted(set(names) - set(self._managers_in_batch) - set(_by_name(self._unsound)))
        for key in (key for key in others if "=" in key):
            entry, why = self._read(names[key], _PERSON)
            self._take_manager(names[key], [entry] if entry else [], why, wrong)
        plain = [key for key in others if "=" not in key]
        filters = [equals("sAMAccountName", key) for key in plain] + [equals("userPrincipalName", key) for key in plain if "@" in key]
        by_sam, by_upn = _by(self._directory.search(filters, _PERSON) if filters else [], "sAMAccountName", "userPrincipalName")
        for key in plain:
            self._take_manager(names[key], by_sam.get(key) or by_upn.get(key) or [], "does not exist", wrong)
        for row in self.rows:
            if row.account.manager and row.account.manager.lower() in wrong:
                row.fault(wrong[row.account.manager.lower()])

    def _take_manager(self, name: str, entries: list[Entry], why: str, wrong: dict[str, str]) -> None:
        if len(entries) > 1:
            wrong[name.lower()] = f"the manager {name!r} is one of several: {_listed(entries)}; give the distinguished name."
        elif not entries:
            wrong[name.lower()] = f"the manager {name!r} {why}."
        elif not (entries[0].is_person or entries[0].is_a("contact")):
            wrong[name.lower()] = f"the manager {name!r} is no person, but {entries[0].dn}."
        else:
            self._managers[name.lower()] = entries[0].dn

    def plan_manager(self, row: Row) -> None:
        """Put into its plan who becomes the manager."""
        plan, key = row.plan, row.account.manager
        if plan is None or key is None:
            return
        before = row.entry.text("manager") if row.entry else None
        plan.manager_before = before
        number = self._managers_in_batch.get(key.lower())
        if number is None:
            dn = self._managers.get(key.lower(), "")
        else:
            manager = self.rows[number]
            moves = manager.plan is not None and manager.plan.move is not None
            dn = manager.entry.dn if manager.entry else ""
            if not dn or (moves and dn.lower() != (before or "").lower()):
                # Somebody who is new, or is being moved, is named when that is done.
                plan.manager_row = number
                return
        if (before or "").lower() != dn.lower():
            plan.manager = dn


def _by_name(rows: Sequence[Row]) -> dict[str, int]:
    """The numbers of the rows, by everything that other rows may name them by."""
    known: dict[str, int] = {}
    for number, row in enumerate(rows):
        held = [row.entry.dn, row.entry.text("sAMAccountName"), row.entry.text("userPrincipalName")] if row.entry else []
        new_sam = row.account.new_sam if row.entry is None else None
        for mark in (row.account.upn, row.account.sam, new_sam, row.dn, *held):
            if mark:
                known.setdefault(mark.lower(), number)
    return known


def _primary_group(entry: Entry | None) -> str:
    """The security identifier of the primary group; only its end for an account that is new (513, Domain Users)."""
    if entry is None or not entry.sid:
        return "-513"
    return f"{entry.sid.rpartition('-')[0]}-{entry.text('primaryGroupID') or 513}"


def _is_primary(group: Entry, primary: str) -> bool:
    sid = group.sid or ""
    return sid == primary or (primary == "-513" and sid.startswith("S-1-5-21-") and sid.endswith(primary))


def _by(entries: Iterable[Entry], *attributes: str) -> list[dict[str, list[Entry]]]:
    """The entries by each of the attributes, in lower case."""
    tables: list[dict[str, list[Entry]]] = [defaultdict(list) for _attribute in attributes]
    for entry in entries:
        for attribute, table in zip(attributes, tables):
            if text := entry.text(attribute):
                table[text.lower()].append(entry)
    return tables


def _once(names: Iterable[str]) -> list[str]:
    return list({name.lower(): name for name in names}.values())


def _listed(entries: Iterable[Entry]) -> str:
    return ", ".join(sorted(entry.dn for entry in entries))
