# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What has to be done to one account. Pure; private to the collection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ._desired import DesiredAccount
from ._half_made import DISABLED, NORMAL_ACCOUNT, PASSWD_NOTREQD, PasswordState
from ._names import Entry, parent_dn
from ._who import gained_sam, gained_upn


@dataclass
class Plan:
    """What has to be done to one account; nothing, when `changes` is empty and it is not new.

    Attributes:
        attributes: new values by attribute name; an empty list clears. before: the old values of the same.
        control, control_before: userAccountControl; control None is "stays".
        awaits_password: it gets a password that is still to be generated.
        move: name and parent of the place that it gets; None is "stays".
        half_made: nobody ever gave it a password, and that is made up for.
        doubtful: whether it is half-made cannot be told, so it is left alone.
        manager: the distinguished name of the manager, empty text for none, None is "stays".
        manager_row: instead of it the number of the row that becomes the manager in this run.
        join, leave: distinguished names of groups. held: those that it is in.
    """

    new: bool
    attributes: dict[str, list[str]] = field(default_factory=dict)
    before: dict[str, list[str]] = field(default_factory=dict)
    password: str | None = field(default=None, repr=False)
    awaits_password: bool = False
    must_change: bool = False
    control: int | None = None
    control_before: int = NORMAL_ACCOUNT
    move: tuple[str, str] | None = None
    half_made: bool = False
    doubtful: bool = False
    manager: str | None = None
    manager_row: int | None = None
    manager_before: str | None = None
    join: list[str] = field(default_factory=list)
    leave: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)

    @property
    def enables(self) -> bool:
        """Whether an account that is disabled is enabled."""
        return not self.new and self.control is not None and bool(self.control_before & DISABLED) and not self.control & DISABLED

    @property
    def changes(self) -> list[str]:
        """Names of what changes, sorted."""
        names = set(self.attributes)
        names |= {"password"} if self.password or self.awaits_password else set()
        if self.control is not None and not self.new:
            changed = self.control ^ self.control_before
            names |= ({"enabled"} if changed & DISABLED else set()) | ({"passwd_notreqd"} if changed & PASSWD_NOTREQD else set())
        names |= {"distinguishedName"} if self.move else set()
        names |= {"manager"} if self.manager is not None or self.manager_row is not None else set()
        names |= {"groups"} if self.join or self.leave else set()
        return sorted(names)

    @property
    def action(self) -> str:
        """created, repaired, corrected or unchanged."""
        if self.new:
            return "created"
        if not self.changes:
            return "unchanged"
        return "repaired" if self.half_made else "corrected"

    @property
    def takeover(self) -> list[str]:
        """What of it would give somebody else hold of a privileged account, or take it away from where it belongs, in words."""
        if self.new:
            return []
        words = {
            "enabled": self.enables,
            "given a password": bool(self.password) or self.awaits_password,
            "moved or renamed": self.move is not None,
            "given another user principal name": "userPrincipalName" in self.attributes,
            "given another logon name": "sAMAccountName" in self.attributes,
        }
        return [word for word, is_so in words.items() if is_so]


def plan_account(
    account: DesiredAccount, entry: Entry | None, state: PasswordState, *, name: str | None, parent: str | None, always_password: bool
) -> Plan:
    """What has to be done, groups and manager aside.

    Args:
        account, entry: what is desired and what is there.
        state: whether the account that is there was ever given a password.
        name, parent: of its place, as far as given or (for a new account) chosen; None is "stays".
        always_password: whether those who have a password get this one.
    """
    if entry is None:
        return Plan(
            new=True,
            attributes={"sAMAccountName": [account.new_sam], "userPrincipalName": [account.upn or ""], **account.new_attributes},
            password=account.password,
            awaits_password=account.is_generated and not account.password,
            must_change=_must_change(account, first=True),
            control=NORMAL_ACCOUNT | (DISABLED if account.enabled is False else 0),
            move=None,
        )
    half_made = state is PasswordState.NEVER_SET and account.enabled is not False
    password = account.password if half_made or always_password else None
    wanted = _wanted(account, entry)
    before = entry.number("userAccountControl", NORMAL_ACCOUNT)
    control = _control(before, account.enabled, half_made)
    return Plan(
        new=False,
        attributes=wanted,
        before={attribute: entry.texts(attribute) for attribute in wanted},
        password=password,
        awaits_password=half_made and account.is_generated and not account.password,
        must_change=_must_change(account, first=half_made),
        control=control if control != before else None,
        control_before=before,
        move=_move(entry, name, parent),
        half_made=half_made,
        doubtful=state is PasswordState.UNKNOWN and account.enabled is None,
    )


def _must_change(account: DesiredAccount, *, first: bool) -> bool:
    """Whether the password has to be changed at the first logon. first: it is the first that the account gets."""
    return bool(account.must_change_new and first) if account.must_change is None else account.must_change


def _wanted(account: DesiredAccount, entry: Entry) -> dict[str, list[str]]:
    wanted = dict(account.attributes)
    if upn := gained_upn(account, entry):
        wanted["userPrincipalName"] = [upn]
    if sam := gained_sam(account, entry):
        wanted["sAMAccountName"] = [sam]
    return {name: list(values) for name, values in wanted.items() if sorted(entry.texts(name)) != sorted(values)}


def _control(control: int, enabled: bool | None, half_made: bool) -> int:
    if enabled is False:
        return control | DISABLED
    if half_made or (enabled and control & DISABLED):
        # Nobody whom we enable may be without a password.
        return control & ~DISABLED & ~PASSWD_NOTREQD
    return control


def _move(entry: Entry, name: str | None, parent: str | None) -> tuple[str, str] | None:
    here = (entry.text("cn") or "", parent_dn(entry.dn))
    there = (name or here[0], parent or here[1])
    return there if (there[0].lower(), there[1].lower()) != (here[0].lower(), here[1].lower()) else None


def describe(plan: Plan, entry: Entry | None, dn: str | None) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Before and after of one account, for the diff, without anything that is or was a password. dn: where a new one is or will be."""
    after: dict[str, Any] = {name: list(values) for name, values in plan.attributes.items()}
    before: dict[str, Any] = dict(plan.before)
    if plan.new:
        after.update(distinguishedName=dn, ou=parent_dn(dn or ""), enabled=not (plan.control or 0) & DISABLED)
    elif plan.move and entry is not None:
        before.update(distinguishedName=entry.dn, ou=parent_dn(entry.dn))
        after.update(distinguishedName=dn, ou=plan.move[1])
    if "enabled" in plan.changes:
        before["enabled"], after["enabled"] = not plan.enables, plan.enables
    if "passwd_notreqd" in plan.changes:
        before["passwd_notreqd"], after["passwd_notreqd"] = True, False
    if plan.join or plan.leave:
        left = {group.lower() for group in plan.leave}
        before["groups"] = sorted(plan.held)
        after["groups"] = sorted([group for group in plan.held if group.lower() not in left] + plan.join)
    if plan.manager is not None:
        before["manager"], after["manager"] = plan.manager_before, plan.manager or None
    return (None if plan.new else before), after
