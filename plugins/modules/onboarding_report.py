#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: onboarding_report
short_description: Report how far each new colleague has come
version_added: 0.1.0
author:
  - hybrid.identity contributors (@hybrid-identity)
description:
  - Puts the results of the stages together - account, synchronisation, Entra ID, licence - and says of each person how far
    it went, and why not further.
  - Shows a table on the screen and, with O(report_directory), writes a JSON and a CSV file. None of them has a secret.
  - Stages that were not reached are simply left out.
extends_documentation_fragment:
  - hybrid.identity.attributes
  - hybrid.identity.attributes.actiongroup_all
  - hybrid.identity.attributes.action
attributes:
  check_mode:
    support: full
    description: The report is made in check mode too, files included; it says that it is a prediction.
  diff_mode:
    support: none
  idempotent:
    support: full
    details:
      - A report changes nothing that is managed, so RV(ignore:changed) is always V(false), although each run writes files of its own.
options:
  people:
    description:
      - The people, RV(hybrid.identity.onboarding_batch#module:people).
    type: list
    elements: dict
    required: true
  accounts:
    description:
      - What became of the accounts, RV(hybrid.identity.ad_users#module:accounts).
    type: list
    elements: dict
    default: []
  sync:
    description:
      - The whole result of M(hybrid.identity.dirsync_trigger).
    type: dict
    default: {}
  cloud:
    description:
      - What became of the people in Entra ID, RV(hybrid.identity.entra_user#module:users).
    type: list
    elements: dict
    default: []
  report_directory:
    description:
      - The directory on the controller for the files, which is created if needed. Without it none are written.
      - The files are called C(onboarding-YYYYMMDDTHHMMSSZ.json) and C(.csv), with the time in UTC.
    type: path
seealso:
  - module: hybrid.identity.onboarding_batch
"""

EXAMPLES = r"""
- name: Who arrived, and when
  hybrid.identity.onboarding_report:
    people: "{{ batch.people }}"
    accounts: "{{ accounts.accounts | default([]) }}"
    sync: "{{ sync | default({}) }}"
    cloud: "{{ cloud.users | default([]) }}"
    report_directory: reports
"""

RETURN = r"""
people:
  description: One verdict per person.
  returned: success
  type: list
  elements: dict
  contains:
    person:
      description: The display name.
      type: str
    upn:
      description: The user principal name.
      type: str
    id:
      description: The object id in Entra ID.
      type: str
    account:
      description: What M(hybrid.identity.ad_users) did, or V(not reached).
      type: str
    sync:
      description: V(carried) - by a cycle of this run. V(covered) - by an earlier one. V(predicted), V(failed) or V(not reached).
      type: str
    cloud:
      description: V(ready), V(missing), V(conflict), V(failed), V(expected) (in check mode) or V(not reached).
      type: str
    licence:
      description: V(assigned), V(held), V(missing), V(none) (none was asked for), V(expected) (in check mode) or V(not reached).
      type: str
    arrived:
      description: Whether the person is in Entra ID with everything that was asked for.
      type: bool
    arrived_at:
      description: When the person was first seen in Entra ID.
      type: str
    failure_reason:
      description: The stable word for the reason of the first stage that is missing.
      type: str
    reason:
      description: The same as a sentence.
      type: str
summary:
  description: How many people there are, how many arrived, how many are missing, and for how many an account was created.
  returned: success
  type: dict
  sample: {people: 12, arrived: 12, missing: 0, created: 12}
files:
  description: The files that were written.
  returned: success
  type: list
  elements: str
  sample: [reports/onboarding-20261124T093210Z.json, reports/onboarding-20261124T093210Z.csv]
failure_reason:
  description: V(invalid_input) when the files cannot be written, else null.
  returned: always
  type: str
msg:
  description: How many arrived, in one line.
  returned: always
  type: str
"""
