#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tell the state of a directory synchronisation server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dirsync_info
short_description: Tell the state of a directory synchronisation server
version_added: 0.1.0
author:
  - hybrid.identity contributors (@hybrid-identity)
description:
  - Reads engine, version and whether the cloud still accepts it, services, scheduler, staging mode, connectors, the last
    run of every profile, the last signs of the password synchronisation, what the account may do, and the clock difference.
  - Changes nothing. What is forbidden or broken is named in RV(problems), the rest is told all the same.
extends_documentation_fragment:
  - hybrid.identity.attributes
  - hybrid.identity.attributes.actiongroup_dirsync
  - hybrid.identity.attributes.action
  - hybrid.identity.connection
  - hybrid.identity.connection.engine
attributes:
  check_mode:
    support: full
    description: The module only reads.
  diff_mode:
    support: N/A
    description: The module only reads.
  idempotent:
    support: full
options:
  history_hours:
    description:
      - How far back to read runs and events, in hours.
    type: float
    default: 3.0
  password_sync:
    description:
      - Whether to tell the health of the password synchronisation for every AD connector (RV(password_sync)). That takes one more look at the
        engine, by a task of its own on the server that is removed again, and one at the event log. Without it RV(password_sync) has what the
        first look has seen anyway.
    type: bool
    default: true
seealso:
  - module: hybrid.identity.dirsync_trigger
"""

EXAMPLES = r"""
- name: Look at the sync server
  hybrid.identity.dirsync_info:
  register: sync_server

- name: Stop early when no cycle can be started there
  ansible.builtin.assert:
    that:
      - sync_server.blocked_by is none
      - sync_server.scheduler.staging is false
    fail_msg: "{{ sync_server.msg }}"

- name: Raise an alarm where passwords do not go up
  ansible.builtin.assert:
    that: item.health in ['healthy', none]
    fail_msg: "{{ item.name }}: {{ item.health }}, last sign {{ item.last_sign }}. {{ sync_server.problems.password_sync | default('') }}"
  loop: "{{ sync_server.password_sync.connectors | default([], true) }}"
  loop_control:
    label: "{{ item.name }}"

- name: From localhost
  hybrid.identity.dirsync_info:
    server: sync1.corp.example
    username: svc-sync@corp.example
    password: "{{ vault_sync_password }}"
  delegate_to: localhost
"""

RETURN = r"""
server:
  description: The server that was asked.
  returned: success
  type: str
engine:
  description: The engine that was found.
  returned: success
  type: str
  sample: connect
version:
  description: The version of the product, null if it could not be read.
  returned: success
  type: str
  sample: 2.6.92.0
support:
  description: Whether the cloud accepts the version - V(supported), V(refused) or V(unknown).
  returned: success
  type: str
services:
  description: The services of sync engines that exist there, each V(running), V(stopped), or null if it could not be read.
  returned: success
  type: dict
  sample: {ADSync: running}
scheduler:
  description:
    - The scheduler, null if it could not be read. Times are in UTC on this machine's clock, intervals in seconds.
    - The keys are the same on every engine, null where an engine has no such thing or where it cannot be read.
  returned: success
  type: dict
  contains:
    enabled:
      description: Whether cycles start by themselves.
      type: bool
    suspended:
      description: Whether a wizard or an upgrade holds it.
      type: bool
    staging:
      description: Whether the server is in staging mode.
      type: bool
    in_progress:
      description: Whether a cycle runs; null where the engine has no flag for it.
      type: bool
    busy_connectors:
      description: Names of the connectors that run at the moment.
      type: list
      elements: str
    next_start:
      description: When the next cycle starts by itself.
      type: str
    next_type:
      description: V(delta) or V(full).
      type: str
    interval:
      description: The interval in force.
      type: float
    allowed_interval:
      description: The shortest interval that Microsoft supports.
      type: float
connectors:
  description: The connectors, each with C(name), C(id), C(type), and C(directory) for AD connectors.
  returned: success
  type: list
  elements: dict
last_runs:
  description: The newest run of every profile of every connector, with C(result), times and C(counts).
  returned: success
  type: list
  elements: dict
password_sync:
  description:
    - The password synchronisation. What could not be read is null, and RV(problems) says why under C(password_sync); so it is on an engine whose
      password synchronisation cannot be looked at.
  returned: success
  type: dict
  contains:
    last_event:
      description: When it last gave a sign, from the event log.
      type: str
    heartbeat:
      description: When its last heartbeat was written (event 654), from the event log.
      type: str
    feature:
      description: Whether the tenant takes password hashes; null where that is not known, or with O(password_sync=false).
      type: bool
    connectors:
      description: The AD connectors; null with O(password_sync=false).
      type: list
      elements: dict
      contains:
        name:
          description: The name of the connector.
          type: str
        id:
          description: Its identifier.
          type: str
        enabled:
          description: Whether its channel is on; null where that could not be read.
          type: bool
        last_sign:
          description:
            - When it last gave a sign of life within the last three hours - a heartbeat, or passwords that were sent, which take its place. In UTC,
              on this machine's clock.
          type: str
        age:
          description: How many seconds ago that was.
          type: int
        health:
          description:
            - V(healthy); V(late) - no sign for more than 120 minutes, which is what Microsoft's own monitoring raises an alert for; V(dead) - none for
              more than three hours; V(unknown) - it cannot be told.
            - Null for a channel that is off and for a server in staging mode, where there is nothing to be expected.
          type: str
access:
  description: What the account can read - C(scheduler), C(events), C(services) as booleans, C(history) as V(direct), V(local) or null.
  returned: success
  type: dict
capabilities:
  description: What the engine can do.
  returned: success
  type: dict
blocked_by:
  description: The failure reason with which a start would be refused by the engine's own state, or null.
  returned: success
  type: str
problems:
  description: The parts that could not be read, and why.
  returned: success
  type: dict
clock_skew:
  description: How many seconds the clock of the sync server is ahead of this machine's, the middle of what the exchanges allow.
  returned: success
  type: float
clock_uncertainty:
  description: By how many seconds RV(clock_skew) may be wrong either way. Decisions use the safe end.
  returned: success
  type: float
failure_reason:
  description: A stable word for the reason of a failure, or null.
  returned: always
  type: str
msg:
  description: The most important thing, in one line.
  returned: always
  type: str
"""

from datetime import datetime
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._passwords._inform import inform
from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import RemoteShell
from ansible_collections.hybrid.identity.plugins.module_utils._sync._module import argument_spec, run
from ansible_collections.hybrid.identity.plugins.module_utils._sync._options import INFO_OPTIONS


def carry(shells: list[tuple[str, RemoteShell]], module: AnsibleModule, now: datetime) -> dict[str, Any]:
    """The procedure over the one server that was named."""
    if len(shells) != 1:
        raise HybridIdentityError("invalid_input", f"server names {len(shells)} servers, dirsync_info asks one at a time: loop over them.")
    name, shell = shells[0]
    return {"server": name, **inform(shell, module.params, now=now)}


def main() -> None:
    """Entry point."""
    run(AnsibleModule(argument_spec=argument_spec(INFO_OPTIONS), supports_check_mode=True), carry)


if __name__ == "__main__":
    main()
