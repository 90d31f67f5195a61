# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Reads what the directory has of a batch, finds what is wrong with it, and plans. Writes nothing. Private to the collection."""

from __future__ import annotations

from typing import Sequence

from ._connection import HANDFUL, Directory, DirectoryRefusal
from ._desired import DesiredAccount
from ._faults import contains_name, faults_in, sam_fault
from ._half_made import PasswordState, password_state
from ._names import Entry, child_dn, equals, parent_dn
from ._passwords import PasswordPolicy, PasswordRule
from ._plan import Plan, plan_account
from ._privileges import READ as PRIVILEGE
from ._privileges import privilege_of
from ._references import References
from ._replication import WRITTEN, attribute_number
from ._row import Row
from ._who import Index, claim_faults, filters_for_claims, filters_for_person, forms_of, identity_of, place_mark, who_is

_READ = (
    "objectClass", "objectGUID", "mS-DS-ConsistencyGuid", "userPrincipalName", "sAMAccountName", "cn", "employeeID", "userAccountControl", "displayName",
    "pwdLastSet", "manager", "memberOf", "mail", "proxyAddresses", "whenChanged", "replPropertyMetaData", *PRIVILEGE,
)  # fmt: skip
_LINK_TIMES = "msDS-ReplValueMetaData"
#: of everything that only may have what somebody is to get
_READ_OF_OTHERS = ("objectClass", "userPrincipalName", "sAMAccountName", "cn", "mail", "proxyAddresses")


class Survey:
    """The reading half of a run.

    Attributes:
        rows: in the order of the batch.
        references: the groups, managers and places that rows name.
        numbers: of the free attributes in replication metadata, None where it is not known.
        warnings: sentences.
    """

    def __init__(
        self,
        directory: Directory,
        accounts: Sequence[DesiredAccount],
        *,
        always_password: bool,
        allow_privileged_groups: bool,
        password_rule: PasswordRule | None = None,
    ) -> None:
        self._directory, self._always_password, self._rule = directory, always_password, password_rule
        self.rows = [Row(account, faults=faults) for account, faults in zip(accounts, faults_in(accounts))]
        #: with a fault of its own a row is not looked up: what would be asked is not what is meant
        self._sound = [row for row in self.rows if not row.faults]
        self.references = References(directory, self._sound, [row for row in self.rows if row.faults], allow_privileged_groups)
        self.numbers: dict[str, int | None] = {}
        self.warnings: list[str] = []
        free = {name for row in self._sound for name in row.account.attributes}
        with_manager = any(account.manager is not None for account in accounts)
        self.attributes = sorted({*_READ, *free} | ({_LINK_TIMES} if with_manager else set()))

    def run(self) -> None:
        """Read, find faults and plan. Raises DirectoryFailure and DirectoryRefusal: then nothing is known."""
        self._know_attributes()
        self._find_people()
        self.references.find_units()
        self._choose_places()
        self.references.find_groups()
        self.references.find_managers()
        for row in self._sound:
            if not row.faults:
                self.plan(row)
        for row in self._sound:
            if not row.faults:
                self.references.plan_groups(row)
                self.references.plan_manager(row)
        self._protect_the_privileged()
        self._check_passwords()

    # -- who is who

    def look_up(self, accounts: Sequence[DesiredAccount]) -> Index:
        """Everybody whom the accounts mean, and whoever has their employee numbers."""
        index = Index()
        for start in range(0, len(accounts), HANDFUL):
            handful = accounts[start : start + HANDFUL]
            filters = ["(|" + "".join(found) + ")" for account in handful if (found := filters_for_person(account))]
            index.add(self._search(filters))
        for account in accounts:
            if identity_of(account)[0] == "distinguished_name":
                entry = self._directory.read(account.identity or "", self.attributes)
                if entry is not None:
                    index.add([entry])
                    index.alias("distinguished_name", identity_of(account)[1], entry)
        return index

    def _search(self, filters: Sequence[str]) -> list[Entry]:
        try:
            return self._directory.search(filters, self.attributes)
        except DirectoryRefusal as error:
            if error.is_passing or _LINK_TIMES not in self.attributes:
                raise
            # The times of links are a help where a controller tells them, and no reason to fail where it does not.
            self.attributes.remove(_LINK_TIMES)
            return self._directory.search(filters, self.attributes)

    def _find_people(self) -> None:
        index = self.look_up([row.account for row in self._sound])
        meant: dict[str, str] = {}
        for row in self._sound:
            row.entry, sentences = who_is(row.account, index)
            for sentence in sentences:
                row.fault(sentence)
            if row.entry is not None:
                row.dn = row.entry.dn
                first = meant.setdefault(row.entry.dn.lower(), row.account.key)
                if first != row.account.key:
                    row.fault(f"the account {row.entry.dn} is asked for twice in this batch, also for {first}.")

    def _meet_others(self, rows: Sequence[Row]) -> None:
        """Somebody else, perhaps another run of the same table, made these accounts after they were looked for."""
        index = self.look_up([row.account for row in rows])
        for row in rows:
            entry, sentences = who_is(row.account, index)
            for sentence in sentences:
                row.fault(sentence)
            if entry is not None:
                self.take(row, entry)

    @staticmethod
    def take(row: Row, entry: Entry) -> None:
        """From now on the row means an account that is there: it keeps the place and the name that it has, unless they are given."""
        row.entry, row.dn = entry, entry.dn
        row.name = row.account.name
        row.parent = row.parent if row.account.ou else None

    # -- places and names

    def _choose_places(self) -> None:
        """Who has what somebody is to get, and which names are free; a name that is only derived gives way."""
        for row in self._sound:
            row.name = row.account.new_name if row.entry is None else row.account.name
        filters = []
        for row in self._sound:
            if found := filters_for_claims(row.account, row.entry, _wanted_name(row)):
                filters.append("(|" + "".join(found) + ")")
        index = Index(self._directory.search(filters, _READ_OF_OTHERS) if filters else [])
        self._meet_others([row for row in self._sound if row.entry is None and index.find("upn", (row.account.upn or "").lower())])
        sams: dict[str, str] = {}
        places: dict[str, str] = {}
        for row in self._sound:
            for sentence in claim_faults(row.account, row.entry, index):
                row.fault(sentence)
            self._check_sam(row, sams)
        for row in self._sound:
            if (row.account.name or row.entry is not None) and (name := _wanted_name(row)):
                self._claim_place(row, name, index, places)
        for row in self._sound:
            if row.entry is None and row.parent and row.account.name is None:
                for form in forms_of(row.account.new_name, row.account.new_sam):
                    mark = place_mark(form, row.parent)
                    if mark not in places and not index.find("place", mark):
                        break
                row.name = form
                places[mark] = row.account.key
            if row.entry is None and row.parent and row.name:
                row.dn = child_dn(row.name, row.parent)

    def _claim_place(self, row: Row, name: str, index: Index, places: dict[str, str]) -> None:
        parent = row.parent or (parent_dn(row.entry.dn) if row.entry else "")
        mark = place_mark(name, parent)
        if row.entry is not None and mark == place_mark(row.entry.text("cn") or "", parent_dn(row.entry.dn)):
            return
        for other in index.others("place", mark, row.entry):
            row.fault(f"the name {name!r} is taken in that place, by {other.dn}; give another name.")
        first = places.setdefault(mark, row.account.key)
        if first != row.account.key:
            row.fault(f"the name {name!r} in the same ou is asked for twice in this batch, also for {first}.")

    def _check_sam(self, row: Row, sams: dict[str, str]) -> None:
        if row.entry is not None and row.account.sam is None:
            return
        sam = row.account.sam or row.account.new_sam
        if fault := sam_fault(sam):
            row.fault(f"{fault}.")
        first = sams.setdefault(sam.lower(), row.account.key)
        if first != row.account.key:
            row.fault(f"the sam_account_name {sam!r} is asked for twice in this batch, also for {first}.")

    # -- what has to be done

    def plan(self, row: Row) -> None:
        """Plan one account, groups and manager aside; faults for a password that is missing or cannot be."""
        account, entry = row.account, row.entry
        state = password_state(entry) if entry else PasswordState.NEVER_SET
        row.plan = plan_account(account, entry, state, name=row.name, parent=row.parent, always_password=self._always_password)
        if row.plan.doubtful:
            self.warnings.append(
                f"{account.key}: whether {row.dn} was ever given a password cannot be read, so it was neither completed nor enabled."
            )
        if entry and entry.text("userAccountControl") is None and row.plan.control is not None:
            row.fault(f"userAccountControl of {row.dn} cannot be read, so it is neither enabled nor disabled.")
        if (row.plan.new or row.plan.half_made) and not (account.password or row.plan.awaits_password):
            what = "is new and has no password" if row.plan.new else "is half-made (nobody ever gave it a password)"
            row.fault(f"the account {what}, and there is none for it: not in password, passwords or initial_password.")
        sam = account.sam or (entry.text("sAMAccountName") if entry else None) or account.new_sam
        if row.plan.password and contains_name(row.plan.password, sam) and not account.sam:
            row.fault("the password contains the sam_account_name, which Active Directory refuses.")

    def _protect_the_privileged(self) -> None:
        for row in self._sound:
            if row.entry is None or row.plan is None or not row.plan.takeover:
                continue
            what = " and not ".join(row.plan.takeover)
            try:
                reason = privilege_of(self._directory, row.entry)
            except DirectoryRefusal as error:
                row.fault(f"whether {row.dn} is privileged cannot be told ({error}), so it is not {what}.")
                continue
            if reason:
                row.fault(f"{row.dn} is privileged ({reason}), so it is not {what}; do that by hand.")

    def _check_passwords(self) -> None:
        """A fault for each password that the domain would refuse; a warning where passwords have to be changed at the first logon."""
        given = [(row, row.plan) for row in self._sound if row.plan is not None and (row.plan.password or row.plan.awaits_password)]
        if not given:
            return
        policy = PasswordPolicy.of(self._directory.read(self._directory.base_dn, ["minPwdLength", "pwdProperties"]))
        for row, plan in given:
            if fault := self._refused_by(policy, row, plan):
                row.fault(fault)
        temporary = sum(plan.must_change for _row, plan in given)
        if temporary:
            self.warnings.append(
                f"{temporary} accounts get a password that has to be changed at the first logon. Entra ID takes such a password only if the "
                "tenant feature UserForcePasswordChangeOnLogonEnabled is on; password_must_change: false gives passwords that stay."
            )

    def _refused_by(self, policy: PasswordPolicy, row: Row, plan: Plan) -> str | None:
        if plan.password is None:
            return policy.fault_of_rule(self._rule) if self._rule else None
        account, entry = row.account, row.entry
        sam = account.sam or (entry.text("sAMAccountName") if entry else None) or account.new_sam
        display_name = (plan.attributes.get("displayName") or [(entry.text("displayName") if entry else None) or ""])[0]
        return policy.fault(plan.password, sam, display_name)

    def _know_attributes(self) -> None:
        """The numbers of the free attributes, and a fault for each that the schema does not have."""
        names = sorted({name for row in self._sound for name in row.account.attributes} - set(WRITTEN))
        if not names or not self._directory.schema_dn:
            return
        filters = [equals("lDAPDisplayName", name) for name in names]
        found = self._directory.search(filters, ["lDAPDisplayName", "attributeID", "msDS-IntId"], base=self._directory.schema_dn)
        known: dict[str, Entry] = {(entry.text("lDAPDisplayName") or "").lower(): entry for entry in found}
        for name in names:
            entry = known.get(name.lower())
            own = entry.number("msDS-IntId") if entry else 0
            self.numbers[name] = (own & 0xFFFFFFFF or attribute_number(entry.text("attributeID") or "")) if entry else None
        for row in self._sound:
            for name in row.account.attributes:
                if name in names and name.lower() not in known:
                    row.fault(f"the directory has no attribute {name!r}.")


def _wanted_name(row: Row) -> str | None:
    """The name that has to be free in the place of the account; None when it stays where it is."""
    if row.entry is None or row.account.name:
        return row.name
    return row.entry.text("cn") if row.parent and row.parent.lower() != parent_dn(row.entry.dn).lower() else None
