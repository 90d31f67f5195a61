#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ensure that synchronised people are in Entra ID, with usage location and licences."""

from __future__ import annotations

DOCUMENTATION = r"""
module: entra_user
short_description: Ensure that synchronised people are in Entra ID, with usage location and licences
version_added: 0.1.0
author:
  - hybrid.identity contributors (@hybrid-identity)
description:
  - Waits until each person is in Entra ID, found by the source anchor or by the user principal name, synchronised from
    Active Directory and with the wanted user principal name.
  - Then sets the usage location and assigns the licences that are missing. Licences that are held already, and everything
    else about the person, stay as they are. Nobody waits for somebody else.
  - People are looked up many at a time. Throttling by Microsoft Graph is honoured. Before anything is written two looks in
    a row have to agree, because reads are eventually consistent. After a licence was assigned a later read has to show
    it; it is never assigned a second time because a read lags.
  - What Microsoft Graph does not answer properly is never taken for an absence, neither of a person nor of a licence.
extends_documentation_fragment:
  - hybrid.identity.attributes
  - hybrid.identity.attributes.actiongroup_graph
  - hybrid.identity.graph
attributes:
  check_mode:
    support: full
    description: >-
      Reads and predicts. Nobody is awaited, and somebody who is not there yet is not a failure: what would be
      written later is predicted.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  users:
    description:
      - The people.
    type: list
    elements: dict
    required: true
    suboptions:
      upn:
        description:
          - The user principal name that the person has to have in Entra ID.
        type: str
        required: true
      source_anchor:
        description:
          - The source anchor of the person (C(onPremisesImmutableId)), base64 text.
          - Without it and without O(users[].object_guid) the person is looked up by O(users[].upn). An anchor is the surer
            way, because a name can belong to somebody else.
          - In check mode empty text says that the account is still to be created, so that whoever has the name is somebody
            else.
        type: str
      object_guid:
        description:
          - The C(objectGUID) of the account in Active Directory, from which the source anchor is computed. Right where
            C(ms-DS-ConsistencyGuid) is empty or has the same value, which is what the engines make of a new account.
        type: str
      usage_location:
        description:
          - The country of the person, two letters as in ISO 3166. Licences need one.
        type: str
      licenses:
        description:
          - The licences that the person has to have, by part number (V(SPE_E3)) or by id of the SKU.
        type: list
        elements: str
        default: []
  wait:
    description:
      - Whether to wait for people who are not there yet.
    type: bool
    default: true
  wait_timeout:
    description:
      - How long the task may take, in seconds; signing in, waiting for the people, writing and reading back together. The
        task ends at most 10 seconds later. Nothing is written when the time is over.
      - With O(wait=false) people who are not there are not awaited, but the time still holds for everything else.
    type: int
    default: 900
  wait_sleep:
    description:
      - The longest pause between two looks, in seconds. The second look comes after one second, the later ones more and
        more slowly.
    type: float
    default: 5.0
notes:
  - The application needs the permissions C(User.Read.All), C(User.ReadWrite.All) for O(users[].usage_location), and
    C(LicenseAssignment.ReadWrite.All) for O(users[].licenses).
  - Where Active Directory has a value in C(msExchUsageLocation), the synchronisation may set the usage location again.
seealso:
  - module: hybrid.identity.ad_users
  - module: hybrid.identity.dirsync_trigger
"""

EXAMPLES = r"""
- name: Everybody is in Entra ID and licensed
  hybrid.identity.entra_user:
    tenant_id: corp.example
    client_id: 0f0e0d0c-0b0a-4908-8706-050403020100
    client_secret: "{{ vault_graph_secret }}"
    users:
      - upn: anna.huber@corp.example
        object_guid: f7cc07d7-7c15-447d-876d-c01b0e5a9e38
        usage_location: DE
        licenses: [SPE_E3]

- name: Only wait, with the anchors that ad_users returned
  hybrid.identity.entra_user:
    users:
      - upn: "{{ accounts.accounts[0].upn }}"
        source_anchor: "{{ accounts.accounts[0].source_anchor }}"
    wait_timeout: 1800
"""

RETURN = r"""
users:
  description: The people, in the order of O(users).
  returned: when people could be looked up
  type: list
  elements: dict
  contains:
    upn:
      description: The wanted user principal name.
      type: str
    id:
      description: The object id in Entra ID.
      type: str
    source_anchor:
      description: The source anchor.
      type: str
    state:
      description:
        - V(ready) - there, with everything that was asked for. V(missing) - not there when the time was over.
        - V(conflict) - there or kept away, because somebody else owns the name or an address. V(failed) - a write was
          refused, could not be confirmed, or Microsoft Graph could not tell where the person stands.
      type: str
    changed:
      description: Whether something was changed for this person, or may have been where no answer came.
      type: bool
    changes:
      description: What was changed (C(usage_location), C(licenses)), each with C(before) and C(after).
      type: dict
    usage_location:
      description: The usage location that was asked for, else the one the person has.
      type: str
    licenses:
      description: The licences that were asked for.
      type: list
      elements: str
    arrived_at:
      description:
        - When the person was first seen, in UTC. For somebody who was there at the first look it is the time at which
          Entra ID created the user.
      type: str
    synced_at:
      description: When Entra ID last took a change of this person from the synchronisation.
      type: str
    failure_reason:
      description: A stable word for the reason of a failure.
      type: str
    msg:
      description: One sentence.
      type: str
  sample:
    - upn: anna.huber@corp.example
      id: 87d349ed-44d7-43e1-9a83-5f2406dee5bd
      source_anchor: 1wfM9xV8fUSHbcAbDlqeOA==
      state: ready
      changed: true
      changes:
        usage_location: {before: null, after: DE}
        licenses: {before: [], after: [SPE_E3]}
      usage_location: DE
      licenses: [SPE_E3]
      arrived_at: "2026-11-24T09:31:10Z"
      synced_at: "2026-11-24T09:31:02Z"
      failure_reason: null
      msg: anna.huber@corp.example is ready.
summary:
  description: How many people are C(ready), C(missing), C(conflict), C(failed), and how many were C(changed).
  returned: when people could be looked up
  type: dict
  sample: {ready: 12, missing: 0, conflict: 0, failed: 0, changed: 12}
failure_reason:
  description: A stable word for the reason of a failure, that of the first person who has one; null when there is none.
  returned: always
  type: str
  sample: wait_timeout
msg:
  description: What happened, in one line.
  returned: always
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hybrid.identity.plugins.module_utils._deadline import Deadline
from ansible_collections.hybrid.identity.plugins.module_utils._graph._client import GraphClient
from ansible_collections.hybrid.identity.plugins.module_utils._graph._ensure_cloud_users import CLOSING_TIME, CloudUsers
from ansible_collections.hybrid.identity.plugins.module_utils._graph._module import open_client
from ansible_collections.hybrid.identity.plugins.module_utils._graph._options import GRAPH_OPTIONS
from ansible_collections.hybrid.identity.plugins.module_utils._module_exit import ModuleLike, leave

ARGUMENT_SPEC: dict[str, Any] = {
    **GRAPH_OPTIONS,
    "users": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "upn": {"type": "str", "required": True},
            "source_anchor": {"type": "str"},
            "object_guid": {"type": "str"},
            "usage_location": {"type": "str"},
            "licenses": {"type": "list", "elements": "str", "default": []},
        },
    },
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 900},
    "wait_sleep": {"type": "float", "default": 5.0},
}


def ensure(client: GraphClient, deadline: Deadline, module: ModuleLike) -> dict[str, Any]:
    """The procedure with the options of the task."""
    params = module.params
    procedure = CloudUsers(
        client,
        deadline,
        check_mode=module.check_mode,
        wait=params["wait"],
        wait_sleep=params["wait_sleep"],
        progress=module.debug,
    )
    try:
        return procedure.ensure(params["users"])
    finally:
        client.close()


def main() -> None:
    """Entry point."""
    work(AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True))


def work(module: ModuleLike) -> None:
    """Everything once the arguments are read."""
    seconds = max(module.params["wait_timeout"], 0)
    deadline = Deadline(seconds)
    leave(module, lambda: ensure(open_client(module, seconds + CLOSING_TIME), deadline, module))


if __name__ == "__main__":
    main()
