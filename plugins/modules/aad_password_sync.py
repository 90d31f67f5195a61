#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Force a full password hash synchronisation and prove it, or switch it on and off."""

from __future__ import annotations

DOCUMENTATION = r"""
module: aad_password_sync
short_description: Force a full password hash synchronisation and prove it, or switch it on and off
version_added: 0.1.0
author:
  - hybrid.identity contributors (@hybrid-identity)
description:
  - With O(state=synced) makes sure that a full password hash synchronisation of every AD connector (forest) has begun late enough, forces one
    where none has, by Microsoft's own recipe, and tells from the events of the engine what became of it, for every forest and for people by name.
  - Microsoft says to run it once. A second run within O(min_interval) finds it done and changes nothing.
  - While it is forced, the channel of a forest is off for a moment. Off and on run in a task of their own on the sync server, which no lost
    connection ends, and a second task, the guardian, is written before and switches on what was on if everything else dies.
  - On DirSync it is armed, and the service FIMSynchronizationService is restarted, with the one that depends on it. There is no channel that could
    be read or switched there, so O(state=enabled) and O(state=disabled) fail with C(engine_unsupported).
  - With O(observe_only=true) forces nothing and changes nothing - the ordinary channel carries passwords by itself, and the events of the engine
    tell what became of those of O(users).
  - With O(state=enabled) and O(state=disabled) switches the channels of AD connectors. The tenant's own switch is never touched.
  - The ordinary channel carries every changed password within two minutes by itself. This module is for the time after a repair, after Entra
    Domain Services was set up, or when it is not known what was sent.
extends_documentation_fragment:
  - hybrid.identity.attributes
  - hybrid.identity.attributes.actiongroup_dirsync
  - hybrid.identity.attributes.action
  - hybrid.identity.connection
  - hybrid.identity.connection.engine
attributes:
  check_mode:
    support: full
    description:
      - Reads everything, refuses what the real run would refuse, changes nothing, and predicts what would be done for each connector. To read
        them, a task of its own is created on the server and removed again.
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - Without O(since) and O(max_age) a full synchronisation that began within O(min_interval) is enough, whoever started it.
      - With O(force=true) and without O(since) every run forces a new one.
options:
  state:
    description:
      - V(synced) - a full password synchronisation of every named connector has begun late enough, and has ended.
      - V(enabled), V(disabled) - the channel of every named connector is on or off. Enabling sends the passwords of everybody in scope.
    type: str
    default: synced
    choices: [synced, enabled, disabled]
  connectors:
    description:
      - Names of AD connectors (forests), whatever their case. A name that is no AD connector is refused, and the answer lists those that are.
      - Without it, every AD connector.
    type: list
    elements: str
  users:
    description:
      - People whose own result is told in RV(people), at most 5000. A distinguished name, a source anchor (base64), a user principal name or an
        account name. The last two are looked for in the connector space, which takes a while in a large directory. On DirSync they are refused.
      - Who cannot be found, or is ambiguous, is refused before anything is changed.
    type: list
    elements: str
  since:
    description:
      - The synchronisation has to have begun at or after this moment, in ISO 8601 form and on this machine's clock. Text without a zone is UTC.
      - The difference to the clock of the sync server is measured and taken into account.
    type: str
  max_age:
    description:
      - Instead of O(since), how many seconds ago it may have begun.
    type: int
  min_interval:
    description:
      - How far apart, in seconds, two full password synchronisations of a forest have to lie. Without O(since) and O(max_age) one that began
        within it is enough. With them, a later one is refused while the last one lies within it (RV(failure_reason=too_soon)).
    type: int
    default: 86400
  force:
    description:
      - Do not mind O(min_interval). Nothing else is skipped.
    type: bool
    default: false
  observe_only:
    description:
      - Force nothing. The results of O(users) since O(since) are looked for in the event log, and awaited as O(wait) and O(wait_timeout) say; the
        engine sends new and changed passwords every two minutes by itself.
      - O(users) are distinguished names or source anchors, and O(since) or O(max_age) is needed. All that the account needs is to read the
        Application event log (C(Event Log Readers)); the channels are not looked at, so RV(connectors) is empty.
      - Waiting ends early where nothing can be expected - the service is away, the server is in staging mode, the engine has written a failure that
        does not pass by itself, or there was no sign of life for three hours. A warning says so.
    type: bool
    default: false
  wait:
    description:
      - Whether to wait for the end. Without waiting the task ends when every forest was seen to begin; a later task with the same O(since) follows it.
    type: bool
    default: true
  wait_timeout:
    description:
      - How long to wait, in seconds, everything included. What was started goes on when the time is over.
      - Once a channel may have been switched off, looking and switching it on may take 120 seconds more.
    type: int
    default: 3600
  wait_sleep:
    description:
      - Seconds between two looks at the event log. At most 10 seconds.
    type: float
    default: 1.0
  quiet_period:
    description:
      - On engines that do not write when a full synchronisation begins and ends, how many seconds without traffic count as its end. Also for how
        long a failure that may pass is given time to pass. More than the two minutes of the engine's own cycle.
    type: int
    default: 150
  fail_on:
    description:
      - Which results make the task fail. V(failed_connectors) - a forest failed. V(failed_named) - also when somebody in O(users) has no new
        password. V(failed_users) - also when anybody has none. V(never) - results are only reported.
      - V(failed_named) where O(users) is given, else V(failed_connectors).
    type: str
    choices: [failed_users, failed_named, failed_connectors, never]
notes:
  - The account has to be a member of C(ADSyncAdmins) and a local administrator of the sync server, with a new logon after it was added.
  - What is proven rests on the Application event log of the sync server. Enlarge it in large directories, so that it does not roll over meanwhile.
  - Passwords that were changed in the cloud are overwritten. With Entra Domain Services and the cloud password policy, C(PasswordPolicies) of all
    synchronised people are cleared.
seealso:
  - module: hybrid.identity.dirsync_info
  - module: hybrid.identity.dirsync_trigger
  - name: Troubleshoot password hash synchronization
    description: Microsoft's own recipe and list of events.
    link: https://learn.microsoft.com/entra/identity/hybrid/connect/tshoot-connect-password-hash-synchronization
"""

EXAMPLES = r"""
- name: Send every password once, and prove it
  hybrid.identity.aad_password_sync:
  register: passwords

- name: Show what became of it
  ansible.builtin.debug:
    msg: "{{ item.name }} {{ item.state }}: {{ item.users.succeeded }} of {{ item.users.requested }} people"
  loop: "{{ passwords.connectors }}"
  loop_control:
    label: "{{ item.name }}"

- name: These two people have to be in it
  hybrid.identity.aad_password_sync:
    users:
      - amy.pond@corp.example
      - CN=Rory Williams,OU=Staff,DC=corp,DC=example

- name: Start it for one forest, and do something else meanwhile
  hybrid.identity.aad_password_sync:
    connectors: [corp.example]
    since: "{{ started }}"
    wait: false
  vars:
    started: "2026-11-24T09:30:00Z"

- name: Follow it to its end
  hybrid.identity.aad_password_sync:
    connectors: [corp.example]
    since: "2026-11-24T09:30:00Z"

- name: Has the cloud taken the passwords of two new people? Nothing is forced
  hybrid.identity.aad_password_sync:
    observe_only: true
    users:
      - 1pWVvcEE9U+ZYlPTbvyQ5Q==
      - CN=Rory Williams,OU=Staff,DC=corp,DC=example
    since: "2026-11-24T09:30:00Z"
    wait_timeout: 150
    fail_on: never
  register: seen

- name: Password hash synchronisation is on, from localhost
  hybrid.identity.aad_password_sync:
    state: enabled
    server: sync1.corp.example
    username: svc-sync@corp.example
    password: "{{ vault_sync_password }}"
  delegate_to: localhost
"""

RETURN = r"""
server:
  description: The server that was used; V(none) as null where none of several could be chosen.
  returned: always
  type: str
  sample: sync1.corp.example
engine:
  description: The engine that was found.
  returned: always
  type: str
  sample: connect
version:
  description: The version of the product, if it could be read.
  returned: always
  type: str
  sample: 2.6.92.0
connectors:
  description: The AD connectors that were meant, in the engine's own spelling. Times are in UTC, on this machine's clock.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The name of the connector.
      type: str
    id:
      description: Its identifier.
      type: str
    enabled_before:
      description: Whether its channel was on when the task began. Null on DirSync, which does not tell; the same for the flag.
      type: bool
    enabled:
      description: Whether it is on, as it was last read.
      type: bool
    flag_before:
      description: Whether the flag that asks for a full synchronisation was set when the task began.
      type: bool
    flag_after:
      description: Whether it is set, as it was last read. Whether an engine takes it away by itself is not documented.
      type: bool
    ownership:
      description:
        - Whose synchronisation it was. V(own) - forced by this task. V(foreign) - not by this one. V(unconfirmed) - the answer was lost.
      type: str
    requested_at:
      description: When it was forced.
      type: str
    started_at:
      description: When it began.
      type: str
    finished_at:
      description: When it ended.
      type: str
    state:
      description:
        - V(requested) - it was forced. V(started) - the engine says that it began. V(confirmed) - passwords were sent, and then nothing more, on an
          engine that says no more. V(finished) - the engine says that it has read every password. V(verified) - and that the cycle succeeded.
        - V(failed), V(not_confirmed) - it failed, or the events do not show its end. V(none) as null where none is known.
      type: str
    domains:
      description: Its domains, each with C(name) and C(finished).
      type: list
      elements: dict
    users:
      description:
        - People that were C(requested), C(succeeded), C(failed), C(retrying) and C(pending). C(incomplete) says that events were lost.
      type: dict
    failures:
      description: The first 50 people with a failure, each with C(dn), C(source_anchor), C(result), C(cause) and C(remedy).
      type: list
      elements: dict
    error:
      description: Why the forest failed - C(id) of the event, C(code), C(text) and C(remedy).
      type: dict
  sample:
    - name: corp.example
      id: a9de824d-50db-512a-bce9-3ff9f12f7283
      enabled_before: true
      enabled: true
      flag_before: false
      flag_after: false
      ownership: own
      requested_at: "2026-11-24T09:30:01.120Z"
      started_at: "2026-11-24T09:30:03.350Z"
      finished_at: "2026-11-24T09:36:41.070Z"
      state: verified
      domains: [{name: corp.example, finished: true}]
      users: {requested: 4120, succeeded: 4118, failed: 2, retrying: 0, pending: 0, incomplete: false}
      failures: []
      error:
people:
  description:
    - Everybody in O(users), each with C(asked), C(dn), C(source_anchor), C(connector), C(result), C(reason) and C(at).
    - C(result) is V(succeeded), V(failed), V(retrying), V(pending) or V(not_seen); with O(observe_only=true) also V(unknown), where the event log does
      not reach back to O(since).
    - A password that has to be changed at the next sign-in is held back only of somebody who was in Entra ID before, so it is a reason for nobody
      else.
  returned: always
  type: list
  elements: dict
left_off:
  description: Connectors whose channel was on and may be off now. Anything here is a failure (RV(failure_reason=channel_left_off)) and wants somebody at once.
  returned: always
  type: list
  elements: str
evidence:
  description: Where the statements come from - V(channels), V(events), V(partition_state).
  returned: always
  type: list
  elements: str
clock_skew:
  description: How many seconds the clock of the sync server is ahead of this machine's.
  returned: always
  type: float
clock_uncertainty:
  description: By how many seconds RV(clock_skew) may be wrong either way.
  returned: always
  type: float
failure_reason:
  description: A stable word for the reason of a failure; V(none) as null when there is none.
  returned: always
  type: str
  sample: replication_denied
msg:
  description: What happened, in one line.
  returned: always
  type: str
"""

from datetime import datetime
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hybrid.identity.plugins.module_utils._passwords._options import PASSWORD_EXCLUSIVE, PASSWORD_OPTIONS
from ansible_collections.hybrid.identity.plugins.module_utils._passwords._synchronise import synchronise
from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import RemoteShell
from ansible_collections.hybrid.identity.plugins.module_utils._sync._module import argument_spec, run


def carry(shells: list[tuple[str, RemoteShell]], module: AnsibleModule, now: datetime) -> dict[str, Any]:
    """The procedure over the servers that were named; a module cannot show progress, so it goes to the debug log."""
    return synchronise(shells, module.params, now=now, check_mode=module.check_mode, progress=module.debug)


def main() -> None:
    """Entry point."""
    run(
        AnsibleModule(argument_spec=argument_spec(PASSWORD_OPTIONS), mutually_exclusive=PASSWORD_EXCLUSIVE, supports_check_mode=True), carry
    )


if __name__ == "__main__":
    main()
