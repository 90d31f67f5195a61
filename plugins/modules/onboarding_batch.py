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
  - Reads new colleagues from a CSV file or from a list, brings them into one form and checks everything, before anything
    is written anywhere.
  - All faults are reported at once, each in one sentence with its row and column.
  - The result has the form that M(hybrid.identity.ad_users) and M(hybrid.identity.entra_user) take.
  - It runs where the file is, usually on localhost.
extends_documentation_fragment:
  - hybrid.identity.attributes
  - hybrid.identity.attributes.actiongroup_graph
  - hybrid.identity.graph
attributes:
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
      - A CSV file, UTF-8 with or without a byte order mark. Whether semicolons, commas or tabs separate the values is
        found out from the first row, which has the names of the columns. Values are quoted as in RFC 4180.
      - The columns are C(upn) (required), C(given_name), C(surname), C(display_name), C(sam_account_name), C(mail),
        C(department), C(title), C(company), C(employee_id), C(office), C(phone), C(mobile), C(manager), C(groups), C(ou),
        C(usage_location) and C(licenses), in any order.
      - Several C(groups) or C(licenses) are separated by C(|).
      - A column that is not known is a fault, so that no value gets lost through a slip of the pen.
    type: path
  people:
    description:
      - Instead of O(src), the people as dictionaries. The keys are those of the columns; C(groups) and C(licenses) may be lists.
    type: list
    elements: dict
  ou:
    description:
      - The organizational unit of people for whom the table names none.
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
      - Without it they are read from the tenant, if O(tenant_id) and O(client_id) say which. Without both the suffixes
        are not checked, and a warning says so.
    type: list
    elements: str
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
    - The people, normalised, one key per column, and C(name) (the name of the object) and C(proxy_addresses). What is not known is empty.
    - With faults it is what could be read.
  returned: always
  type: list
  elements: dict
accounts:
  description: The people in the form of O(hybrid.identity.ad_users#module:users). Empty without a valid batch.
  returned: always
  type: list
  elements: dict
  sample:
    - upn: anna.huber@corp.example
      sam_account_name: anna.huber
      name: Anna Huber
      given_name: Anna
      surname: Huber
      display_name: Anna Huber
      groups: [GG-Sales, GG-AllStaff]
      ou: OU=Staff,DC=corp,DC=example
cloud:
  description: The people in the form of O(hybrid.identity.entra_user#module:users), without source anchors. Empty without a valid batch.
  returned: always
  type: list
  elements: dict
  sample:
    - upn: anna.huber@corp.example
      usage_location: DE
      licenses: [SPE_E3]
verified_domains:
  description: The domains that the suffixes were checked against; null when they could not be checked.
  returned: always
  type: list
  elements: str
faults:
  description: Everything that is wrong, one sentence each.
  returned: always
  type: list
  elements: str
  sample:
    - "row 3, column upn: the suffix 'corp.local' is not a verified domain of the tenant (verified: corp.example)."
failure_reason:
  description: V(invalid_input) for a table with faults, else the reason why the tenant could not be asked; null when there is none.
  returned: always
  type: str
msg:
  description: How many people there are, or the first fault.
  returned: always
  type: str
"""

import os
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._graph._module import open_client
from ansible_collections.hybrid.identity.plugins.module_utils._graph._options import GRAPH_OPTIONS, are_given
from ansible_collections.hybrid.identity.plugins.module_utils._module_exit import leave
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._people import Batch, Defaults, check
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._table import Table, read_csv, read_people

ARGUMENT_SPEC: dict[str, Any] = {
    **GRAPH_OPTIONS,
    "src": {"type": "path"},
    "people": {"type": "list", "elements": "dict"},
    "ou": {"type": "str"},
    "groups": {"type": "list", "elements": "str", "default": []},
    "usage_location": {"type": "str"},
    "licenses": {"type": "list", "elements": "str", "default": []},
    "verified_domains": {"type": "list", "elements": "str"},
}
_GRAPH_TIMEOUT = 120


def read_table(params: dict[str, Any]) -> Table:
    """Read the file or the list. Raises HybridIdentityError when there is no such file."""
    if not params["src"]:
        return read_people(params["people"])
    try:
        with open(params["src"], "rb") as file:
            return read_csv(file.read(), os.path.basename(params["src"]))
    except OSError as error:
        raise HybridIdentityError("invalid_input", f"The table {params['src']} cannot be read: {error.strerror}.") from None


def read_domains(module: AnsibleModule) -> Optional[list[str]]:
    """The verified domains: as given, else of the tenant, else None. Raises HybridIdentityError."""
    given = [domain for domain in module.params["verified_domains"] or [] if domain.strip()]
    if given:
        return given
    if not are_given(module.params, os.environ):
        return None
    client = open_client(module, _GRAPH_TIMEOUT)
    try:
        path = "/organization?$select=id,verifiedDomains"
        organizations = client.read(path, "reading the verified domains", "Organization.Read.All or User.Read.All")
    finally:
        client.close()
    return [str(domain["name"]) for organization in organizations for domain in organization.get("verifiedDomains") or []]


def read_batch(module: AnsibleModule) -> dict[str, Any]:
    """The result of the module. Raises HybridIdentityError."""
    params = module.params
    table = read_table(params)
    domains = read_domains(module)
    defaults = Defaults(params["ou"] or "", params["groups"], params["usage_location"] or "", params["licenses"])
    batch = check(table.records, defaults, domains)
    return outcome(table, batch, domains)


def outcome(table: Table, batch: Batch, domains: Optional[list[str]]) -> dict[str, Any]:
    """The result for what was read and checked."""
    faults = table.faults + batch.faults
    result: dict[str, Any] = {
        "changed": False,
        "people": batch.people,
        "accounts": [] if faults else batch.accounts(),
        "cloud": [] if faults else batch.cloud(),
        "verified_domains": domains,
        "faults": faults,
        "failure_reason": None,
        "msg": f"{len(batch.people)} people, no fault.",
    }
    if domains is None:
        result["warnings"] = ["The suffixes of the user principal names were not checked: neither verified_domains nor a tenant is given."]
    if faults:
        more = f" (And {len(faults) - 1} more, see faults.)" if len(faults) > 1 else ""
        result.update(failed=True, failure_reason="invalid_input", msg=faults[0] + more)
    return result


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        mutually_exclusive=[("src", "people")],
        required_one_of=[("src", "people")],
        supports_check_mode=True,
    )
    leave(module, lambda: {"people": [], "accounts": [], "cloud": [], "verified_domains": None, "faults": [], **read_batch(module)})


if __name__ == "__main__":
    main()
