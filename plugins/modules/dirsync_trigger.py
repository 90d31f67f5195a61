#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ensure that a directory synchronisation has carried what was in Active Directory at a moment."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dirsync_trigger
short_description: Ensure that a directory synchronisation has carried what was in Active Directory at a moment
version_added: 0.1.0
author:
  - hybrid.identity contributors (@hybrid-identity)
description:
  - Makes sure that a synchronisation cycle whose import began at or after a moment (O(since)) has run on the sync server,
    and says what that cycle did.
  - If a cycle has covered the moment already, nothing is started and the result is C(changed=false).
  - A running cycle whose import began before the moment does not count. The task waits for its end and starts an own one.
  - The result says whose cycle it was (RV(sync.ownership)) and how sure that is (RV(sync.state), RV(evidence)).
extends_documentation_fragment:
  - hybrid.identity.attributes
  - hybrid.identity.attributes.actiongroup_dirsync
  - hybrid.identity.attributes.action
  - hybrid.identity.connection
  - hybrid.identity.connection.engine
  - hybrid.identity.wait
attributes:
  check_mode:
    support: full
    description: Reads everything, starts nothing, and predicts whether a cycle would be started, or objects be synchronised.
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - With a fixed O(since) or with O(max_age) a second run finds the moment covered and changes nothing.
      - Without both the moment is the start of the task itself, so every run asks for a new cycle.
      - With O(objects) every run synchronises them; where the engine finds nothing to do for any of them, nothing has changed.
options:
  type:
    description:
      - V(delta) carries changes. V(full) reads and evaluates everything again (Microsoft calls it Initial), which is
        needed after changes of scope and takes hours in large directories.
    type: str
    default: delta
    choices: [delta, full]
  since:
    description:
      - The moment whose directory state must have been carried, in ISO 8601 form and on this machine's clock, for example
        V(2026-11-24T09:30:00Z). Text without a zone is UTC.
      - The difference to the clock of the sync server is measured and taken into account.
      - Without O(since) and O(max_age) it is the moment at which the task began.
    type: str
  max_age:
    description:
      - Instead of O(since), how old (in seconds) the last covering cycle may be.
    type: int
  objects:
    description:
      - Distinguished names of single objects. Instead of a cycle, exactly these are synchronised from Active Directory to Entra ID, which takes
        seconds where a cycle takes minutes. They are added and updated, never deleted.
      - The engine has to be V(connect), 1.6.4 or later. Meanwhile its scheduler is off; afterwards it is as it was. A scheduler that was off
        already is refused, or stays off with O(on_disabled=proceed). A server in staging mode refuses.
      - The work runs in a task on the server that outlives the connection. Where that is cut, this task looks afterwards what became of the
        scheduler, and whatever dies, the next dirsync_trigger switches on what was left off.
      - Microsoft means it for single cases and throttles it. The task then waits five minutes, if O(wait_timeout) allows that; else what is left
        is RV(failure_reason=too_soon). For many people a cycle is the better way.
      - Excludes O(since), O(max_age), O(ticket), O(type=full) and O(wait=false). O(min_interval) is about cycles and does not count here.
    type: list
    elements: str
  ticket:
    description:
      - The key RV(ticket) of an earlier result, to follow that very start to its end and judge it. Nothing is started.
      - With O(wait=false) a first task starts cycles on many servers without holding a fork for each; a second one follows.
    type: dict
  min_interval:
    description:
      - Refuse to start a cycle when the last one began less than so many seconds ago (RV(failure_reason=too_soon)).
      - Microsoft gives no support for cycles more often than every 30 minutes, but the engine does not refuse them. V(0) switches the guard off.
    type: int
    default: 0
  fail_on:
    description:
      - Which results of the runs, or of O(objects), make the task fail. V(stopped) - a run could not do its work. V(errors) - also when
        single objects had errors. V(never) - results are only reported.
    type: str
    default: stopped
    choices: [stopped, errors, never]
  on_staging:
    description:
      - What to do on a server in staging mode, where a cycle imports and synchronises but exports nothing.
      - V(skip) passes the host over, so that a play over the group of all sync servers acts on the active one alone.
        Only where staging mode was really read.
    type: str
    default: refuse
    choices: [refuse, proceed, skip]
  on_disabled:
    description:
      - What to do when the scheduler is switched off. Somebody did that on purpose.
      - The scheduler itself is never touched.
    type: str
    default: refuse
    choices: [refuse, proceed]
  on_retired:
    description:
      - What to do on a version of the product that the cloud refuses by now (RV(support=refused)).
      - V(warn) goes on and says so. Success then needs the result of this cycle's export, from the run history or from its event.
      - V(refuse) fails before anything is started (RV(failure_reason=engine_unsupported)).
    type: str
    default: warn
    choices: [warn, refuse]
seealso:
  - module: hybrid.identity.dirsync_info
  - name: Microsoft Entra Connect Sync scheduler
    description: The scheduler of the engine, in Microsoft's words.
    link: https://learn.microsoft.com/entra/identity/hybrid/connect/how-to-connect-sync-feature-scheduler
"""

EXAMPLES = r"""
- name: Carry what is in Active Directory now, over the connection of the inventory
  hybrid.identity.dirsync_trigger:
  register: sync

- name: Show whose cycle it was and what it did
  ansible.builtin.debug:
    msg: "{{ sync.sync.ownership }} cycle, {{ sync.sync.state }}: {{ sync.changes.export }}"

- name: Be content with any cycle of the last ten minutes
  hybrid.identity.dirsync_trigger:
    max_age: 600

- name: From localhost, with the active one of two servers
  hybrid.identity.dirsync_trigger:
    server:
      - sync1.corp.example
      - sync2.corp.example
    username: svc-sync@corp.example
    password: "{{ vault_sync_password }}"
    authentication: kerberos
  delegate_to: localhost

- name: Start cycles on many servers without waiting
  hybrid.identity.dirsync_trigger:
    wait: false
  register: started

- name: Follow them to their end
  hybrid.identity.dirsync_trigger:
    ticket: "{{ started.ticket }}"

- name: One new colleague, without waiting for a cycle
  hybrid.identity.dirsync_trigger:
    objects:
      - CN=Amy Example,OU=Staff,DC=corp,DC=example

- name: After a change of scope, and object errors count
  hybrid.identity.dirsync_trigger:
    type: full
    fail_on: errors
    wait_timeout: 14400
"""

RETURN = r"""
server:
  description: The server that was used.
  returned: success
  type: str
  sample: sync1.corp.example
engine:
  description: The engine that was found.
  returned: when the engine could be asked
  type: str
  sample: connect
version:
  description: The version of the product, if it could be read.
  returned: when the engine could be asked
  type: str
  sample: 2.6.92.0
support:
  description:
    - Whether the cloud takes this version, by this machine's clock - V(supported), V(refused), or V(unknown) where the version could not be read.
    - DirSync and AAD Sync are refused since 1 April 2021, Azure AD Connect 1.x since 1 October 2023, Entra Connect Sync below 2.5.79.0 since 1 October 2026.
  returned: when the engine could be asked
  type: str
  sample: supported
sync:
  description: The cycle that covers the moment. Times are in UTC, on this machine's clock.
  returned: when the engine could be asked
  type: dict
  contains:
    type:
      description: V(delta) or V(full), as asked for; V(full) also where the server makes a full cycle of the next one by itself.
      type: str
    since:
      description: The moment that had to be covered.
      type: str
    ownership:
      description:
        - Whose cycle it was. V(own) - started by this task. V(foreign) - by somebody else.
        - V(unconfirmed) - it cannot be told, because the connection was lost during the start, or because the engine does not say
          whether it took a start.
      type: str
    state:
      description:
        - How far it is known to have come. V(started) - the engine accepted the start. V(confirmed) - it was seen running.
        - V(finished) - it has ended. V(verified) - its results were read and judged.
        - An engine without a flag for running cycles has ended one when its runs have ended and it has been idle for five seconds.
      type: str
    requested_at:
      description: When the start was asked for.
      type: str
    started_at:
      description: When the cycle began.
      type: str
    finished_at:
      description: When the cycle ended.
      type: str
    duration:
      description: Seconds between the two.
      type: float
  sample:
    type: delta
    since: "2026-11-24T09:30:00.000Z"
    ownership: own
    state: verified
    requested_at: "2026-11-24T09:30:01.120Z"
    started_at: "2026-11-24T09:30:01.350Z"
    finished_at: "2026-11-24T09:30:41.070Z"
    duration: 39.72
objects:
  description: What came of each of the single objects (O(objects)), in their order; empty where a cycle was asked for.
  returned: when the engine could be asked
  type: list
  elements: dict
  contains:
    dn:
      description: The distinguished name.
      type: str
    result:
      description: The engine's own word - V(success), V(warning), V(failure) or V(skipped) (nothing to do); null where it is not known.
      type: str
    steps:
      description: What the engine did, each with C(name), C(type), C(status) and C(description).
      type: list
      elements: dict
    failure_reason:
      description:
        - A stable word for the reason of a failure, else null. V(user_not_in_scope) where the object is filtered, V(too_soon) where the engine
          throttled it, V(invalid_input) where it is not in the directory any more, V(object_errors) for what else the engine refuses.
      type: str
runs:
  description: The runs of the cycle, oldest first; empty where the run history could not be read.
  returned: when the engine could be asked
  type: list
  elements: dict
  contains:
    connector:
      description: The connector.
      type: str
    profile:
      description: The run profile.
      type: str
    number:
      description: The number of the run on this connector.
      type: int
    result:
      description: The engine's own result string.
      type: str
      sample: success
    started_at:
      description: When the run began.
      type: str
    finished_at:
      description: When the run ended.
      type: str
    counts:
      description: Objects that were added, updated, deleted, and failed.
      type: dict
    errors:
      description: Objects with errors, each with C(dn), C(type) and C(message).
      type: list
      elements: dict
changes:
  description: What the cycle changed, summed over the connectors - C(import) and C(export), each with C(add), C(update), C(delete) and C(failed).
  returned: when the engine could be asked
  type: dict
  sample:
    import: {add: 12, update: 0, delete: 0, failed: 0}
    export: {add: 12, update: 0, delete: 0, failed: 0}
evidence:
  description:
    - Where the statements come from - V(scheduler), V(process), V(events), V(run_history) (the module's cmdlet), V(wmi) (the provider of older engines),
      V(single_object) (the engine's own summary of an object).
  returned: when the engine could be asked
  type: list
  elements: str
clock_skew:
  description: How many seconds the clock of the sync server is ahead of this machine's, the middle of what the exchanges allow.
  returned: when the engine could be asked
  type: float
clock_uncertainty:
  description: By how many seconds RV(clock_skew) may be wrong either way. Decisions use the safe end.
  returned: when the engine could be asked
  type: float
ticket:
  description: Plain data by which a later task follows this start, see O(ticket); null where none was sent.
  returned: when the engine could be asked
  type: dict
skip_reason:
  description: V(staging) where the host was passed over (O(on_staging=skip)), else null.
  returned: always
  type: str
failure_reason:
  description: A stable word for the reason of a failure; V(none) as null when there is none.
  returned: always
  type: str
  sample: staging
msg:
  description: What happened, in one line.
  returned: always
  type: str
"""

from datetime import datetime
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import RemoteShell
from ansible_collections.hybrid.identity.plugins.module_utils._sync._module import argument_spec, run
from ansible_collections.hybrid.identity.plugins.module_utils._sync._options import TRIGGER_EXCLUSIVE, TRIGGER_OPTIONS
from ansible_collections.hybrid.identity.plugins.module_utils._sync._trigger import trigger


def carry(shells: list[tuple[str, RemoteShell]], module: AnsibleModule, now: datetime) -> dict[str, Any]:
    """The procedure over the servers that were named; a module cannot show progress, so it goes to the debug log."""
    return trigger(shells, module.params, now=now, check_mode=module.check_mode, progress=module.debug)


def main() -> None:
    """Entry point."""
    run(AnsibleModule(argument_spec=argument_spec(TRIGGER_OPTIONS), mutually_exclusive=TRIGGER_EXCLUSIVE, supports_check_mode=True), carry)


if __name__ == "__main__":
    main()
