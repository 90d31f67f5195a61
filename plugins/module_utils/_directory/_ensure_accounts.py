# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Make sure that accounts are in the directory as they are wished. Free of Ansible; private to the collection."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any, Callable, Mapping, Sequence

from .._failure import HybridIdentityError
from .._timestamps import format_utc
from ._accounts import Plan, carry_out, find_accounts, match, object_guid, place, plan_account, refusal_of, source_anchor
from ._connection import Directory, DirectoryFailure, DirectoryRefusal, Entry, child_dn, equals, parse_generalized_time
from ._desired import Wish, faults_in, read_wish

#: seconds that are let pass after a write: whenChanged is cut to seconds, and a cycle must begin visibly after it
_SETTLE = 2.0
#: below this difference (seconds) the clocks are taken as equal: both are told in whole seconds
_SAME_CLOCK = 2.0


def ensure_accounts(
    directory: Directory,
    users: Sequence[Mapping[str, Any]],
    *,
    default_ou: str | None,
    initial_password: str | None,
    always_password: bool,
    check_mode: bool,
) -> dict[str, Any]:
    """Create and correct accounts; the whole batch is checked before the first write.

    Returns:
        The result keys of ad_users.

    Raises:
        HybridIdentityError: invalid_input with `faults` (nothing was written), or the reason of failed items with all results.
    """
    batch = _Batch(directory, [read_wish(user, default_ou, initial_password) for user in users], always_password)
    faults = faults_in(batch.wishes) or batch.read()
    if faults:
        more = f" ({len(faults) - 1} more fault(s) in the result)" if len(faults) > 1 else ""
        raise HybridIdentityError("invalid_input", f"{faults[0]}{more} Nothing was written.", **{**batch.result(), "faults": faults})
    if not check_mode:
        batch.write()
    result = batch.result()
    first = next(iter(batch.failures.values()), None)
    if first is not None:
        raise DirectoryFailure(
            first.reason, f"{len(batch.failures)} of {len(batch.wishes)} accounts failed, first {first.message}", **result
        )
    if batch.lost is not None:
        raise DirectoryFailure(batch.lost.reason, f"Everything was written, but could not be read back: {batch.lost.message}", **result)
    return result


class _Batch:
    def __init__(self, directory: Directory, wishes: list[Wish], always_password: bool) -> None:
        self.directory, self.wishes, self.always_password = directory, wishes, always_password
        self.entries: dict[str, Entry | None] = {}
        self.plans: dict[str, Plan] = {}
        self.failures: dict[str, DirectoryFailure] = {}
        #: whose account was changed in any way, and the end of the connection, if it came too early
        self.written: set[str] = set()
        self.lost: DirectoryFailure | None = None
        self.groups: dict[str, Entry] = {}
        self.managers: dict[str, str] = {}
        self.joins: dict[str, list[str]] = {}
        self.manager_changes: dict[str, str] = {}

    # -- reading

    def read(self) -> list[str]:
        """Read what is there and plan; sentences on what is wrong."""
        faults = [*self._missing_ous(), *self._missing_groups()]
        found = find_accounts(self.directory, self.wishes)
        for wish in self.wishes:
            entry, held = match(wish, found)
            faults += held
            self.entries[wish.upn] = entry
            self.plans[wish.upn] = plan_account(wish, entry, always_password=self.always_password)
            if not wish.password and (entry is None or self.plans[wish.upn].action == "repaired"):
                faults.append(f"{wish.upn}: the account is new and has no password, and there is no initial_password.")
        faults += self._missing_managers()
        if not faults:
            self._plan_links()
        return faults

    def _missing_ous(self) -> list[str]:
        found = {ou: self.directory.read(ou, ["objectClass"]) for ou in {wish.ou for wish in self.wishes}}
        missing = [f"{wish.upn}: the organizational unit {wish.ou!r} does not exist." for wish in self.wishes if found[wish.ou] is None]
        # From here on in the directory's own spelling, so that a blank after a comma is no difference.
        self.wishes = [replace(wish, ou=entry.dn) if (entry := found[wish.ou]) else wish for wish in self.wishes]
        return missing

    def _missing_groups(self) -> list[str]:
        names = {group for wish in self.wishes for group in wish.groups}
        by_dn = {name for name in names if "=" in name}
        for name in by_dn:
            entry = self.directory.read(name, ["objectClass"])
            if entry is not None:
                self.groups[name] = entry
        filters = [f"(&(objectClass=group)(|{equals('sAMAccountName', name)}{equals('cn', name)}))" for name in names - by_dn]
        for entry in self.directory.search(filters, ["sAMAccountName", "cn"]) if filters else []:
            for name in names - by_dn:
                if name.lower() in ((entry.text("sAMAccountName") or "").lower(), (entry.text("cn") or "").lower()):
                    self.groups[name] = entry
        return [
            f"{wish.upn}: the group {group!r} does not exist." for wish in self.wishes for group in wish.groups if group not in self.groups
        ]

    def _missing_managers(self) -> list[str]:
        names = {wish.manager for wish in self.wishes if wish.manager}
        for wish in self.wishes:  # somebody of the batch may be the manager of others
            entry = self.entries[wish.upn]
            # The directory escapes names in its own way, so its text is taken where there is one.
            dn = entry.dn if entry is not None and not self.plans[wish.upn].move else child_dn(*place(wish, entry))
            self.managers.update({name: dn for name in names if name.lower() in (wish.upn.lower(), wish.sam.lower(), dn.lower())})
        unknown = sorted(names - set(self.managers))
        for name in unknown:
            filters = (
                [equals("distinguishedName", name)] if "=" in name else [equals("userPrincipalName", name), equals("sAMAccountName", name)]
            )
            for entry in self.directory.search(filters, ["sAMAccountName"]):
                self.managers[name] = entry.dn
        return [
            f"{wish.upn}: the manager {wish.manager!r} does not exist."
            for wish in self.wishes
            if wish.manager and wish.manager not in self.managers
        ]

    def _plan_links(self) -> None:
        for wish in self.wishes:
            entry = self.entries[wish.upn]
            held = {dn.lower() for dn in entry.texts("memberOf")} if entry else set()
            self.joins[wish.upn] = [group for group in wish.groups if self.groups[group].dn.lower() not in held]
            if wish.manager and ((entry.text("manager") if entry else None) or "").lower() != self.managers[wish.manager].lower():
                self.manager_changes[wish.upn] = self.managers[wish.manager]
            plan = self.plans[wish.upn]
            if plan.action == "unchanged" and (self.joins[wish.upn] or wish.upn in self.manager_changes):
                plan.action = "corrected"

    # -- writing

    def write(self) -> None:
        """Accounts first, then what points from one to another. A failure of one does not keep the others from theirs."""
        wishes = [wish for wish in self.wishes if self.plans[wish.upn].action != "unchanged"]
        names: dict[str, str] = {}
        for wish in wishes:
            self._attempt(wish, partial(self._write_account, wish, names))
        for wish in wishes:
            if wish.upn not in self.failures:
                self._attempt(wish, partial(self._write_links, wish, names[wish.upn]))
        if wishes and self.lost is None:
            try:
                self._read_back()
            except DirectoryRefusal as error:
                self.lost = DirectoryFailure("directory_denied", f"{error}.")
            except DirectoryFailure as error:
                self.lost = error
            self._settle()

    def _attempt(self, wish: Wish, work: Callable[[], None]) -> None:
        if self.lost is not None:
            self.failures[wish.upn] = DirectoryFailure("unreachable", f"{wish.upn}: not done, because the connection had ended before.")
            return
        try:
            work()
        except DirectoryRefusal as error:
            self.failures[wish.upn] = refusal_of(wish, error)
        except DirectoryFailure as error:
            self.lost = error
            self.failures[wish.upn] = DirectoryFailure(error.reason, f"{wish.upn}: whether it was done is not known. {error.message}")

    def _write_account(self, wish: Wish, names: dict[str, str]) -> None:
        plan = self.plans[wish.upn]
        names[wish.upn] = carry_out(self.directory, wish, self.entries[wish.upn], plan)
        if plan.add or plan.changes:
            self.written.add(wish.upn)

    def _write_links(self, wish: Wish, dn: str) -> None:
        if wish.upn in self.manager_changes:
            self.directory.replace(dn, {"manager": [self.manager_changes[wish.upn]]})
            self.written.add(wish.upn)
        for group in self.joins[wish.upn]:
            self.directory.add_member(self.groups[group].dn, dn)
            self.written.add(wish.upn)

    def _read_back(self) -> None:
        found = find_accounts(self.directory, self.wishes)
        for wish in self.wishes:
            entry, _held = match(wish, found)
            self.entries[wish.upn] = entry or self.entries[wish.upn]

    def _settle(self) -> None:
        """Let the moment of the last write pass, so that a cycle which starts now begins after it in every clock."""
        watermark = self._watermark()
        if watermark is not None:
            wait = (watermark - datetime.now(timezone.utc)).total_seconds() + _SETTLE
            time.sleep(min(max(wait, 0.0), 10.0))

    # -- telling

    def _watermark(self) -> datetime | None:
        """The moment whose directory state has to be carried, on this machine's clock: after the newest change of these accounts."""
        if self.lost is not None:
            return None  # what was written last could not be read back
        moments = [parse_generalized_time(entry.text("whenChanged") or "") for entry in self.entries.values() if entry is not None]
        known = [moment for moment in moments if moment is not None]
        if not known:
            return None
        lead = self.directory.lead if abs(self.directory.lead) > _SAME_CLOCK else 0.0
        return max(known) + timedelta(seconds=1 - lead)

    def result(self) -> dict[str, Any]:
        """The result keys of ad_users, whatever has happened so far."""
        accounts = [self._item(wish) for wish in self.wishes]
        summary = {
            action: sum(item["action"] == action for item in accounts)
            for action in ("created", "corrected", "repaired", "unchanged", "failed")
        }
        changed = [item for item in accounts if item["changed"]]
        watermark = self._watermark()
        words = ", ".join(f"{number} {action}" for action, number in summary.items() if number) or "nothing to do"
        return {
            "changed": bool(changed),
            "accounts": accounts,
            "summary": summary,
            "watermark": format_utc(min(watermark, datetime.now(timezone.utc)) if watermark else datetime.now(timezone.utc)),
            "domain_controller": self.directory.host_name,
            "clock_skew": round(self.directory.lead, 1),
            "faults": [],
            "failure_reason": None,
            "msg": f"{len(accounts)} accounts: {words}.",
            "diff": self._diff(),
        }

    def _item(self, wish: Wish) -> dict[str, Any]:
        plan, entry = self.plans.get(wish.upn), self.entries.get(wish.upn)
        failure = self.failures.get(wish.upn)
        action = "failed" if failure else (plan.action if plan else "unchanged")
        changed = wish.upn in self.written or action in ("created", "corrected", "repaired")
        changes = (
            (plan.changes if plan else [])
            + (["manager"] if wish.upn in self.manager_changes else [])
            + (["groups"] if self.joins.get(wish.upn) else [])
        )
        return {
            "upn": wish.upn,
            "sam_account_name": wish.sam,
            "distinguished_name": entry.dn if entry else None,
            "object_guid": object_guid(entry) if entry else None,
            "source_anchor": source_anchor(entry) if entry else None,
            "changed": changed,
            "action": action,
            "changes": sorted(changes) if action != "unchanged" else [],
            "failure_reason": failure.reason if failure else None,
            "msg": failure.message if failure else "",
        }

    def _diff(self) -> dict[str, Any]:
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        for wish in self.wishes:
            plan = self.plans.get(wish.upn)
            if plan is None or plan.action == "unchanged":
                continue
            before[wish.upn] = None if plan.action == "created" else dict(plan.before)
            after[wish.upn] = {name: plan.replace[name] for name in sorted(plan.replace)}
            if self.joins.get(wish.upn):
                after[wish.upn]["groups"] = list(self.joins[wish.upn])
            if wish.upn in self.manager_changes:
                after[wish.upn]["manager"] = self.manager_changes[wish.upn]
        return {"before": before, "after": after}
