#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: onboarding_check
short_description: Say who of a batch goes on, after everything was looked at
version_added: 0.1.0
author:
  - hybrid.identity contributors (@hybrid-identity)
description:
  - Puts together what was found before the first write - by M(hybrid.identity.onboarding_batch) in the table, by
    M(hybrid.identity.ad_users) and M(hybrid.identity.entra_user) in check mode in the directory and in the tenant, and by
    M(hybrid.identity.dirsync_trigger) in check mode on the sync server - and tells all faults together.
  - Counts the free seats of the licences against those who do not hold them yet.
  - Changes and asks nothing itself.
extends_documentation_fragment:
  - hybrid.identity.attributes
  - hybrid.identity.attributes.actiongroup_all
attributes:
  action:
    description: Has an action plugin that runs on the controller, whatever the connection of the task is.
    support: full
  async:
    description: Supports being used with the C(async) keyword.
    support: none
  become:
    description: Is usable with C(become).
    support: none
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  batch:
    description:
      - The whole result of M(hybrid.identity.onboarding_batch).
    type: dict
    required: true
  directory:
    description:
      - The whole result of M(hybrid.identity.ad_users) in check mode, asked with RV(hybrid.identity.onboarding_batch#module:lookups).
    type: dict
    default: {}
  cloud:
    description:
      - The whole result of M(hybrid.identity.entra_user) in check mode, asked with RV(hybrid.identity.onboarding_batch#module:lookups).
    type: dict
    default: {}
  sync:
    description:
      - The whole result of M(hybrid.identity.dirsync_trigger) in check mode.
    type: dict
    default: {}
  on_fault:
    description:
      - V(stop) - nobody goes on when anything is wrong.
      - V(skip) - rows with a fault are left out, and rows whose manager would be new in such a row. A fault of the whole run
        stops everybody nevertheless.
    type: str
    choices: [stop, skip]
    default: stop
  report_directory:
    description:
      - The directory that will be given to M(hybrid.identity.onboarding_report); one that cannot be written is a fault.
    type: path
seealso:
  - module: hybrid.identity.onboarding_batch
  - module: hybrid.identity.onboarding_report
"""

EXAMPLES = r"""
- name: Who goes on
  hybrid.identity.onboarding_check:
    batch: "{{ batch }}"
    directory: "{{ accounts_in_check_mode }}"
    cloud: "{{ people_in_check_mode }}"
    sync: "{{ cycle_in_check_mode }}"
    on_fault: skip
  register: checked
"""

RETURN = r"""
faults:
  description: Everything that is wrong, by row, then by stage, as RV(hybrid.identity.onboarding_batch#module:faults).
  returned: always
  type: list
  elements: dict
people:
  description:
    - The people of O(batch), each with C(refused), which is null for those who go on. For the others it has C(failure_reason) and
      C(msg), those of their own faults or V(batch_refused).
  returned: always
  type: list
  elements: dict
accounts:
  description: Those who go on, in the form of O(hybrid.identity.ad_users#module:users). New accounts get their mail address as an address.
  returned: always
  type: list
  elements: dict
cloud:
  description: Those who go on, in the form of O(hybrid.identity.entra_user#module:users), without source anchors.
  returned: always
  type: list
  elements: dict
run_accounts:
  description: Whether there is something to write in the directory; otherwise the look at it is the result already.
  returned: always
  type: bool
run_sync:
  description: Whether a cycle has to be ensured; otherwise the look has found it covered.
  returned: always
  type: bool
run_cloud:
  description: Whether people have to be awaited or written; otherwise the look has found everybody ready.
  returned: always
  type: bool
failure_reason:
  description: A stable word for the reason for which nobody goes on, or null.
  returned: always
  type: str
msg:
  description: How many go on, or the first fault.
  returned: always
  type: str
"""
