#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Set the scheduler of a directory synchronisation engine."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dirsync_scheduler
short_description: Set the scheduler of a directory synchronisation engine
version_added: 0.1.0
author:
  - hybrid.identity contributors (@hybrid-identity)
description:
  - Switches the scheduler of the sync engine on or off, sets its interval, and says of which type its next cycle is.
  - What is not given stays as it is. Staging mode and a suspended scheduler are never touched.
  - On the engine C(connect) these are the settings of C(Set-ADSyncScheduler). On C(aadsync) they are the switch and the interval of the
    scheduled task C(Azure AD Sync Scheduler), which is changed and never registered anew. On C(dirsync) and C(dirsync_legacy) it is the interval in the
    configuration file of the scheduler service, where every other byte stays; the service is restarted, when no cycle runs.
extends_documentation_fragment:
  - hybrid.identity.attributes
  - hybrid.identity.attributes.actiongroup_dirsync
  - hybrid.identity.attributes.action
  - hybrid.identity.connection
  - hybrid.identity.connection.engine
attributes:
  check_mode:
    support: full
    description: Reads the settings, changes nothing, and predicts them.
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - The engine takes O(next_type=full) back when it begins that cycle, so a later run sets it again.
options:
  enabled:
    description:
      - Whether the engine starts cycles by itself.
      - DirSync has no such switch (RV(failure_reason=invalid_input)).
    type: bool
  interval:
    description:
      - Seconds between two cycles that the engine starts by itself. V(0) is the default of the engine, which is 30 minutes on C(connect) and
        three hours on the older ones.
      - On C(connect) an interval below the one that the cloud allows is refused, because the engine would take and ignore it. Before build 1.1.281
        another interval counts from the next cycle on.
      - On the older engines at least 300.
      - Where the scheduled task of C(aadsync) runs with a stored password, Windows takes another interval only with that password, and the task
        fails (RV(failure_reason=task_password_wanted)).
    type: int
  next_type:
    description:
      - The type of the next cycle that the engine starts by itself (Microsoft calls V(full) Initial).
      - Only C(connect) has this setting.
    type: str
    choices: [delta, full]
  wait_timeout:
    description:
      - How long to wait, in seconds, everything included. It takes long only on DirSync, where a change waits for the end of a running cycle.
    type: int
    default: 1800
seealso:
  - module: hybrid.identity.dirsync_info
  - module: hybrid.identity.dirsync_trigger
  - name: Microsoft Entra Connect Sync scheduler
    description: The scheduler of the engine, in Microsoft's words.
    link: https://learn.microsoft.com/entra/identity/hybrid/connect/how-to-connect-sync-feature-scheduler
notes:
  - The engine C(connect) keeps these settings in the cloud, and a server in staging mode shares them with the active one (Microsoft).
  - On C(connect) the account has to be a member of C(ADSyncAdmins). What the engine refuses to a network logon is done in a one-shot task, which
    takes a local administrator. On the older engines it has to be a local administrator.
"""

EXAMPLES = r"""
- name: Keep the engine from starting cycles while the forest is being changed
  hybrid.identity.dirsync_scheduler:
    enabled: false

- name: A cycle every hour, and the next one a full one
  hybrid.identity.dirsync_scheduler:
    enabled: true
    interval: 3600
    next_type: full

- name: Back to the default interval, from localhost
  hybrid.identity.dirsync_scheduler:
    server: sync1.corp.example
    username: svc-sync@corp.example
    password: "{{ vault_sync_password }}"
    interval: 0
  delegate_to: localhost
"""

RETURN = r"""
server:
  description: The server that was used.
  returned: always
  type: str
  sample: sync1.corp.example
engine:
  description: The engine that was found, null where it could not be asked.
  returned: always
  type: str
  sample: connect
version:
  description: The version of the product, null where it could not be read.
  returned: always
  type: str
  sample: 2.6.92.0
scheduler:
  description:
    - The settings C(before) and C(after) the task, each null where they could not be read. In check mode C(after) is a prediction.
    - The keys are the same on every engine, null where an engine has no such thing. Intervals are in seconds.
  returned: always
  type: dict
  contains:
    before:
      description: The settings before the task.
      type: dict
      contains: &settings
        enabled:
          description: Whether cycles start by themselves.
          type: bool
        interval:
          description: The interval that is set, or the default.
          type: float
        effective_interval:
          description: The interval in force.
          type: float
        allowed_interval:
          description: The shortest interval that the cloud allows.
          type: float
        next_type:
          description: V(delta) or V(full).
          type: str
        suspended:
          description: Whether a wizard or an upgrade holds the scheduler.
          type: bool
        staging:
          description: Whether the server is in staging mode.
          type: bool
    after:
      description: The settings after the task.
      type: dict
      contains: *settings
  sample:
    before: {enabled: true, interval: 1800.0, effective_interval: 1800.0, allowed_interval: 1800.0, next_type: delta, suspended: false, staging: false}
    after: {enabled: true, interval: 3600.0, effective_interval: 3600.0, allowed_interval: 1800.0, next_type: full, suspended: false, staging: false}
failure_reason:
  description: A stable word for the reason of a failure; V(none) as null when there is none.
  returned: always
  type: str
  sample: invalid_input
msg:
  description: What was set, in one line.
  returned: always
  type: str
"""

from datetime import datetime
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import RemoteShell
from ansible_collections.hybrid.identity.plugins.module_utils._scheduler._options import SCHEDULER_OPTIONS
from ansible_collections.hybrid.identity.plugins.module_utils._scheduler._schedule import schedule
from ansible_collections.hybrid.identity.plugins.module_utils._sync._module import argument_spec, run


def carry(shells: list[tuple[str, RemoteShell]], module: AnsibleModule, now: datetime) -> dict[str, Any]:
    """The procedure over the server that was named; a module cannot show progress, so it goes to the debug log."""
    return schedule(shells, module.params, now=now, check_mode=module.check_mode, progress=module.debug)


def main() -> None:
    """Entry point."""
    run(AnsibleModule(argument_spec=argument_spec(SCHEDULER_OPTIONS), supports_check_mode=True), carry)


if __name__ == "__main__":
    main()
