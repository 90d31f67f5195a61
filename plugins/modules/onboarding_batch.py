#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read a table of new colleagues and check it whole."""

from __future__ import annotations

DOCUMENTATION = r"""
module: onboarding_batch
short_description: Read a table of new colleagues and check it whole
version_added: 0.1.0
author:
  - hybrid.identity contributors (@hybrid-identity)
description:
  - Reads new colleagues from a CSV file, from CSV text or from a list, brings them into one form and checks everything, before
    anything is written anywhere.
  - All faults are reported at once, each in one sentence with its row and column.
  - The result has the form that M(hybrid.identity.ad_users) and M(hybrid.identity.entra_user) take. Only what a row says is
    in it, so that an account which exists keeps everything else.
  - It runs where the file is, usually on localhost.
extends_documentation_fragment:
  - hybrid.identity.attributes
  - hybrid.identity.attributes.actiongroup_graph
  - hybrid.identity.graph
attributes:
  action:
    description: Has an action plugin, which looks for relative paths on the controller; the module runs where the task does.
    support: full
  async:
    description: Supports being used with the C(async) keyword.
    support: none
  become:
    description: Is usable with C(become).
    support: none
  check_mode:
    support: full
    description: It never changes anything.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  src:
    description:
      - A CSV file. With a byte order mark it is read as that says, else as UTF-8, else as Windows-1252 with a warning.
      - A relative path is looked for in the working folder, then in the folder of the playbook.
      - Whether semicolons, commas or tabs separate the values is found out from the first row, which has the names of the
        columns, unless a line C(sep=;) says it. Values are quoted as in RFC 4180.
      - The columns are C(upn) (required), C(given_name), C(surname), C(display_name), C(name) (that of the object in Active
        Directory), C(sam_account_name), C(mail), C(department), C(title), C(company), C(employee_id), C(office), C(phone),
        C(mobile), C(manager), C(groups), C(ou), C(usage_location) and C(licenses), in any order.
      - Their usual names in English, German, French and Spanish are known too, such as C(Vorname), C(apellidos) and
        C(adresse e-mail); the onboarding guide has the list. Others can be named with O(columns).
      - Several C(groups) or C(licenses) are separated by C(|).
      - An empty cell means that nothing is said. A cell with O(clear) empties the attribute.
      - A column that is not known is a fault, so that no value gets lost through a slip of the pen. So is a row with more or
        fewer cells than there are columns.
    type: path
  csv_text:
    description:
      - Instead of O(src), the content of such a file, for example from the text area of a survey.
    type: str
  people:
    description:
      - Instead of O(src), the people as dictionaries, or as YAML or JSON text of such a list. The keys are those of the
        columns; C(groups) and C(licenses) may be lists, and C(groups) a dictionary as O(hybrid.identity.ad_users#module:users[].groups)
        takes it.
    type: raw
  columns:
    description:
      - Names of columns in the table, each with the column of this module that is meant, for example
        C(Pers.Nr.) with V(employee_id). They go before the names that are known.
    type: dict
    default: {}
  clear:
    description:
      - What a cell has in it to empty the attribute. V(-) if empty.
      - C(upn), C(sam_account_name), C(name) and C(ou) cannot be emptied. In C(groups), C(licenses) and C(usage_location) it
        keeps the default away; nobody is taken out of a group and no licence is taken away because of it.
    type: str
    default: "-"
  on_fault:
    description:
      - V(stop) - with a fault the task fails, and RV(accounts) and RV(cloud) are empty.
      - V(skip) - the task does not fail for a fault of a row, and RV(accounts) and RV(cloud) have the people without one. With a fault
        of the whole table they are empty.
    type: str
    choices: [stop, skip]
    default: stop
  ou:
    description:
      - The organizational unit that O(hybrid.identity.ad_users#module:default_ou) will have; it is only checked here.
    type: str
  groups:
    description:
      - Groups for everybody, beside those of the table.
    type: list
    elements: str
    default: []
  usage_location:
    description:
      - The country of people for whom the table names none, two letters as in ISO 3166.
    type: str
  licenses:
    description:
      - The licences of people for whom the table names none.
    type: list
    elements: str
    default: []
  verified_domains:
    description:
      - The domains that user principal names may have.
      - Without it they are read from the tenant, if O(tenant_id) and O(client_id) say which, together with the licences and
        their seats. Without both neither is checked, and a warning says so.
    type: list
    elements: str
  paths:
    description:
      - Names with paths of files that later tasks need on the same host. RV(paths) has the absolute ones.
    type: dict
    default: {}
  directory_servers:
    description:
      - Domain controllers, in the order of preference. RV(directory_server) is the first one that answers.
    type: list
    elements: str
    default: []
  directory_port:
    description:
      - The port on which O(directory_servers) are asked.
    type: int
    default: 636
seealso:
  - module: hybrid.identity.ad_users
  - module: hybrid.identity.entra_user
"""

EXAMPLES = r"""
- name: Read the colleagues of this month
  hybrid.identity.onboarding_batch:
    src: colleagues.csv
    ou: OU=Staff,DC=corp,DC=example
    groups: [GG-AllStaff]
    usage_location: DE
    licenses: [SPE_E3]
    verified_domains: [corp.example]
  delegate_to: localhost
  register: batch

- name: One colleague, the domains are read from the tenant of the environment
  hybrid.identity.onboarding_batch:
    people:
      - given_name: Anna
        surname: Huber
        upn: anna.huber@corp.example
        groups: [GG-Sales]
    ou: OU=Staff,DC=corp,DC=example
"""

RETURN = r"""
people:
  description:
    - The people, normalised, one key per column, with defaults. What is not known is empty.
    - Beside them C(row), C(place) (how sentences call it), C(cleared) and C(defaulted) (names of columns).
    - With faults it is what could be read.
  returned: always
  type: list
  elements: dict
accounts:
  description: The people in the form of O(hybrid.identity.ad_users#module:users), with what their rows say and no more.
  returned: always
  type: list
  elements: dict
  sample:
    - upn: anna.huber@corp.example
      given_name: Anna
      surname: Huber
      groups: [GG-Sales, GG-AllStaff]
cloud:
  description: The people in the form of O(hybrid.identity.entra_user#module:users), without source anchors.
  returned: always
  type: list
  elements: dict
  sample:
    - upn: anna.huber@corp.example
      usage_location: DE
      licenses: [SPE_E3]
lookups:
  description:
    - C(accounts) and C(cloud) again, with everybody whose user principal name is usable and without the values that are faulty.
      With these the directory and the tenant can be asked in check mode, so that all faults are told in one round.
  returned: always
  type: dict
verified_domains:
  description: The domains that the suffixes were checked against; null when they could not be checked.
  returned: always
  type: list
  elements: str
seats:
  description: What the licences of the tenant may be called (in small letters), each with C(id), C(part_number) and C(free) seats; empty
    when they could not be read.
  returned: always
  type: dict
paths:
  description: The paths of O(paths), absolute.
  returned: always
  type: dict
directory_server:
  description: The first of O(directory_servers) that answers; with only one of them that one, unasked. Null without any.
  returned: always
  type: str
faults:
  description: Everything that is wrong, by row, then by stage.
  returned: always
  type: list
  elements: dict
  contains:
    row:
      description: The row as a spreadsheet counts (the header is row 1), or the place in the list. Null for a fault of the whole run.
      type: int
    upn:
      description: The user principal name in that row, as far as it could be read.
      type: str
    column:
      description: The column, or the option for V(options).
      type: str
    stage:
      description: Where it was found - V(options), V(table), V(directory), V(licences), V(cloud), V(sync).
      type: str
    failure_reason:
      description: The stable word for it.
      type: str
    msg:
      description: One sentence with the place.
      type: str
  sample:
    - row: 3
      upn: bo.chen@corp.local
      column: upn
      stage: table
      failure_reason: invalid_input
      msg: "row 3, column upn: the suffix 'corp.local' is not a verified domain of the tenant (verified: corp.example)."
failure_reason:
  description: V(invalid_input) for a table with faults, else the reason why the tenant could not be asked; null when there is none.
  returned: always
  type: str
msg:
  description: How many people there are, or the first fault.
  returned: always
  type: str
"""

import contextlib
import json
import os
from typing import Any, Optional

try:
    import yaml
except ImportError:  # PyYAML belongs to ansible-core; on another host it may be missing, and only YAML text needs it
    yaml = None  # type: ignore[assignment]

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError, told_with
from ansible_collections.hybrid.identity.plugins.module_utils._graph._module import open_client
from ansible_collections.hybrid.identity.plugins.module_utils._graph._options import GRAPH_OPTIONS, are_given
from ansible_collections.hybrid.identity.plugins.module_utils._graph._people import free_seats
from ansible_collections.hybrid.identity.plugins.module_utils._module_exit import ModuleLike, leave
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._columns import COLUMNS
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._faults import Fault
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._licences import check_licences, seats_of
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._people import Batch, Defaults, check
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._servers import first_that_answers
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._table import Table, read_csv, read_people, read_text

ARGUMENT_SPEC: dict[str, Any] = {
    **GRAPH_OPTIONS,
    "src": {"type": "path"},
    "csv_text": {"type": "str"},
    "people": {"type": "raw"},
    "columns": {"type": "dict", "default": {}},
    "clear": {"type": "str", "default": "-"},
    "on_fault": {"type": "str", "default": "stop", "choices": ["stop", "skip"]},
    "ou": {"type": "str"},
    "groups": {"type": "list", "elements": "str", "default": []},
    "usage_location": {"type": "str"},
    "licenses": {"type": "list", "elements": "str", "default": []},
    "verified_domains": {"type": "list", "elements": "str"},
    "paths": {"type": "dict", "default": {}},
    "directory_servers": {"type": "list", "elements": "str", "default": []},
    "directory_port": {"type": "int", "default": 636},
}
SOURCES = ("src", "csv_text", "people")
_GRAPH_TIMEOUT = 120
_NOT_CHECKED = "The suffixes of the user principal names were not checked: neither verified_domains nor a tenant is given."


def read_table(params: dict[str, Any]) -> Table:
    """Read the file, the text or the list. Raises HybridIdentityError when there is none."""
    own = {str(name): str(column) for name, column in params["columns"].items()}
    strange = sorted(set(own.values()) - set(COLUMNS))
    if strange:
        raise HybridIdentityError("invalid_input", f"columns: {strange[0]!r} is not a column; there are {', '.join(COLUMNS)}.")
    given = [name for name in SOURCES if params[name]]
    if len(given) != 1:
        many = f"{' and '.join(given)} are given" if given else "there is none"
        raise HybridIdentityError("invalid_input", f"The table comes from one of {', '.join(SOURCES)}, and {many}.")
    if params["csv_text"]:
        return read_text(params["csv_text"], "The text", own)
    if params["people"]:
        return read_people(_people(params["people"]), own)
    try:
        with open(params["src"], "rb") as file:
            return read_csv(file.read(), os.path.basename(params["src"]), own)
    except OSError as error:
        raise HybridIdentityError(
            "invalid_input", f"The table {os.path.abspath(params['src'])} cannot be read: {error.strerror}."
        ) from None


def _people(given: Any) -> list[Any]:
    """The list, also where it came as text. Raises HybridIdentityError."""
    if isinstance(given, str):
        given = _parse(given)
    if isinstance(given, dict):
        given = [given]
    if not isinstance(given, list):
        raise HybridIdentityError("invalid_input", "people is not a list of dictionaries, nor YAML or JSON text of one.")
    return given


def _parse(text: str) -> Any:
    with contextlib.suppress(ValueError):
        return json.loads(text)
    if yaml is None:
        raise HybridIdentityError("invalid_input", "people is text that is not JSON, and for YAML the library PyYAML is missing.")
    try:
        # All scalars stay text: an employee number 00123 is no number, and neither is a telephone number.
        return _without_nulls(yaml.load(text, Loader=yaml.BaseLoader))  # BaseLoader makes nothing but text, lists and dictionaries
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" (line {mark.line + 1})" if mark else ""
        raise HybridIdentityError("invalid_input", f"people is text that is neither YAML nor JSON{place}.") from None


def _without_nulls(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items()}
    return None if value in ("~", "null") else value


class Tenant:
    """What the tenant says about itself; everything is unknown where it was not asked."""

    def __init__(self) -> None:
        self.domains: Optional[list[str]] = None
        self.seats: dict[str, dict[str, Any]] = {}
        self.warnings: list[str] = []
        self.fault: Optional[Fault] = None

    def read(self, module: ModuleLike) -> None:
        """The verified domains as given, else of the tenant, and the seats of its licences. Raises HybridIdentityError."""
        given = [domain for domain in module.params["verified_domains"] or [] if domain.strip()]
        self.domains = given or None
        if given or not are_given(module.params, os.environ):
            if not given:
                self.warnings.append(_NOT_CHECKED)
            return
        client = open_client(module, _GRAPH_TIMEOUT)
        try:
            path = "/organization?$select=id,verifiedDomains"
            organizations = client.read(path, "reading the verified domains", "Organization.Read.All or User.Read.All")
            self.domains = [str(domain["name"]) for one in organizations for domain in one.get("verifiedDomains") or []]
            try:
                skus = client.read("/subscribedSkus", "reading the subscriptions", "LicenseAssignment.Read.All")
                self.seats = seats_of(skus, free_seats(skus))
            except HybridIdentityError as error:
                if error.reason != "graph_denied":
                    raise
                self.warnings.append(f"The licences and their free seats were not checked: {error.message}")
        finally:
            client.close()


def read_batch(module: ModuleLike) -> dict[str, Any]:
    """The result of the module. Raises HybridIdentityError."""
    params = module.params
    table = read_table(params)
    tenant = Tenant()
    try:
        tenant.read(module)
    except HybridIdentityError as error:  # the faults of the table are told beside it
        tenant.fault = Fault("cloud", error.as_result()["msg"], reason=error.reason)
    licences = [licence for licence in params["licenses"] if licence.strip()]
    defaults = Defaults(params["ou"] or "", params["groups"], params["usage_location"] or "", licences, params["clear"] or "-")
    batch = check(table.records, defaults, tenant.domains)
    batch.run_faults += [fault for fault in table.faults if fault.stops_the_run] + ([tenant.fault] if tenant.fault else [])
    unread = [fault for fault in table.faults if not fault.stops_the_run]
    if tenant.seats:
        check_licences(batch, licences, tenant.seats)
    server, silent = _choose_server(params)
    if silent and not server:
        batch.run_faults.append(_no_server(silent))
    elif silent:
        tenant.warnings.append(f"{server} is used, because others did not answer: {'; '.join(silent)}.")
    result = outcome(table, batch, unread, params["on_fault"])
    result.update(verified_domains=tenant.domains, seats=tenant.seats, paths=params["paths"], directory_server=server)
    result["warnings"] = [*table.warnings, *tenant.warnings]
    return result


def _choose_server(params: dict[str, Any]) -> tuple[Optional[str], list[str]]:
    servers = [server.strip() for server in params["directory_servers"] if server.strip()]
    if len(servers) < 2:
        return (servers or [None])[0], []
    return first_that_answers(servers, params["directory_port"])


def _no_server(silent: list[str]) -> Fault:
    return Fault(
        "directory", f"None of the domain controllers answers: {'; '.join(silent)}.", column="directory_servers", reason="unreachable"
    )


def outcome(table: Table, batch: Batch, unread: list[Fault], on_fault: str) -> dict[str, Any]:
    """The result for what was read and checked; `unread` are the faults of rows that could not even be read."""
    faults = sorted([*batch.faults, *unread], key=lambda fault: (fault.row is not None, fault.row or 0))
    stopped = bool(faults) and (on_fault == "stop" or any(fault.stops_the_run for fault in faults))
    people = [person.result() for person in batch.people]
    people += [_unread(fault) for fault in unread]
    fine = [] if stopped else batch.faultless()
    result: dict[str, Any] = {
        "changed": False,
        "people": sorted(people, key=lambda person: person["row"]),
        "accounts": [person.account(batch.defaults) for person in fine],
        "cloud": [person.cloud() for person in fine],
        "lookups": batch.lookups(),
        "faults": [fault.as_result() for fault in faults],
        "failure_reason": None,
        "msg": f"{len(people)} people, no fault.",
    }
    if faults:
        more = f" (And {len(faults) - 1} more, see faults.)" if len(faults) > 1 else ""
        result["msg"] = faults[0].msg + more
    if stopped:
        result.update(failed=True, failure_reason=faults[0].reason)
    return result


def _unread(fault: Fault) -> dict[str, Any]:
    """Somebody whose row has not the form of one: there is a name at most."""
    blank: dict[str, Any] = {column: [] if column in ("groups", "licenses") else "" for column in COLUMNS}
    return {**blank, "upn": fault.upn, "row": fault.row, "place": f"row {fault.row}", "cleared": [], "defaulted": []}


def carry(module: ModuleLike) -> dict[str, Any]:
    """The result with all of its keys. Raises HybridIdentityError, which has them too."""
    blank: dict[str, Any] = {
        "people": [],
        "accounts": [],
        "cloud": [],
        "lookups": {"accounts": [], "cloud": []},
        "verified_domains": None,
        "seats": {},
        "paths": {},
        "directory_server": None,
        "faults": [],
    }
    with told_with(blank):
        return {**blank, **read_batch(module)}


def main() -> None:
    """Entry point."""
    work(AnsibleModule(argument_spec=ARGUMENT_SPEC, mutually_exclusive=[SOURCES], supports_check_mode=True))


def work(module: ModuleLike) -> None:
    """Everything once the arguments are read."""
    leave(module, lambda: carry(module))


if __name__ == "__main__":
    main()
