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
  - Puts the results of the stages together - account, synchronisation, Entra ID, licence, password - and says of each person
    how far it went, why not further, and what to do.
  - Says of the run itself when it was, which domain controller and sync server were used, whose cycle it was and on what evidence,
    and at which stage it ended if it ended early.
  - Shows a table on the screen and, with O(report_directory), writes a JSON and a CSV file. None of them has a secret.
  - Stages that were not reached are simply left out.
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
      - The people, RV(hybrid.identity.onboarding_check#module:people) or RV(hybrid.identity.onboarding_batch#module:people).
    type: list
    elements: dict
    required: true
  accounts:
    description:
      - What became of the accounts, RV(hybrid.identity.ad_users#module:accounts).
    type: list
    elements: dict
    default: []
  directory:
    description:
      - The whole result of M(hybrid.identity.ad_users), for the domain controller and the watermark; for the accounts too, where
        O(accounts) is empty.
    type: dict
    default: {}
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
  faults:
    description:
      - What was wrong before the first write, RV(hybrid.identity.onboarding_check#module:faults).
    type: list
    elements: dict
    default: []
  failure:
    description:
      - What ended the run early, with C(stage), C(failure_reason) and C(msg). It is the reason of those who came no further.
    type: dict
    default: {}
  passwords:
    description:
      - The whole result of M(hybrid.identity.aad_password_sync) with O(hybrid.identity.aad_password_sync#module:observe_only=true), asked with the
        source anchors of the people. Empty where nobody asked for their passwords.
    type: dict
    default: {}
  new_people:
    description:
      - User principal names of those who came into Entra ID with this run. Their passwords are expected; of the others an engine sends nothing new.
    type: list
    elements: str
    default: []
  passwords_required:
    description:
      - Whether somebody new whose password was not seen to be taken by the cloud has not arrived. One that was refused counts in any case.
    type: bool
    default: false
  started_at:
    description:
      - When the run began, in UTC (ISO 8601). The time of the report if empty.
    type: str
  report_directory:
    description:
      - The directory on the controller for the files, which is created if needed. Without it none are written.
      - A relative path is looked for in the working folder, then in the folder of the playbook; where it is in neither, it is made in
        the working folder.
      - The files are called C(onboarding-YYYYMMDDTHHMMSSZ-xxxxxx.json) and C(.csv), with the time in UTC and random letters, so that no
        run writes over the files of another. Each appears when it is complete.
    type: path
  csv_separator:
    description:
      - What separates the cells in the CSV file. Spreadsheets in countries with a decimal comma expect a semicolon.
      - Every cell is quoted, and what a spreadsheet would take for a formula gets an apostrophe before it.
    type: str
    default: ","
seealso:
  - module: hybrid.identity.onboarding_batch
"""

EXAMPLES = r"""
- name: Who arrived, and when
  hybrid.identity.onboarding_report:
    people: "{{ batch.people }}"
    directory: "{{ accounts | default({}) }}"
    sync: "{{ sync | default({}) }}"
    cloud: "{{ cloud.users | default([]) }}"
    passwords: "{{ seen_passwords | default({}) }}"
    new_people: "{{ batch.people | map(attribute='upn') }}"
    report_directory: reports
"""

RETURN = r"""
people:
  description: One verdict per person.
  returned: success
  type: list
  elements: dict
  contains:
    row:
      description: The row in the table, or the place in the list.
      type: int
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
      description:
        - What M(hybrid.identity.ad_users) did; in check mode V(to create), V(to correct) or V(to repair). V(refused) - nothing was
          written for this row. V(not reached).
      type: str
    sync:
      description:
        - V(carried) - a cycle of this run covered the last change of the accounts, and the person was seen in Entra ID after it.
        - V(covered) - the same by an earlier cycle. V(cycle ran) - a cycle covered the last change, but the person was not seen after it.
        - V(predicted) (in check mode), V(failed) or V(not reached).
      type: str
    cloud:
      description: V(ready), V(missing), V(conflict), V(failed), V(expected) (in check mode) or V(not reached).
      type: str
    licence:
      description: V(assigned), V(held), V(missing), V(none) (none was asked for), V(expected) (in check mode) or V(not reached).
      type: str
    password:
      description:
        - V(succeeded) - the cloud has taken the password, as the events of the sync server say. V(pending) - it was not seen to, yet.
        - V(failed) - the cloud did not take it. V(unknown) - it cannot be told, for example because the event log cannot be read.
        - V(not looked for) or V(not reached).
      type: str
    password_reason:
      description: Why it is not V(succeeded), as a sentence; empty where there is nothing to say.
      type: str
    arrived:
      description:
        - Whether the person is in Entra ID with everything that was asked for, and nothing is known that keeps them from signing in. A disabled
          account has not arrived, nor has somebody whose password the cloud refused.
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
    what_to_do:
      description: What to do about it.
      type: str
run:
  description: The run itself; what is not known is null.
  returned: success
  type: dict
  sample:
    started_at: "2026-11-24T09:30:00Z"
    started_at_local: "2026-11-24T10:30:00+01:00"
    written_at: "2026-11-24T09:32:10Z"
    check_mode: false
    domain_controller: dc1.corp.example
    watermark: "2026-11-24T09:30:04.000Z"
    sync_server: sync1.corp.example
    engine: connect
    engine_version: 2.6.92.0
    cycle: {type: delta, ownership: own, state: verified, since: "2026-11-24T09:30:04.000Z", started_at: "2026-11-24T09:30:07.000Z",
            finished_at: "2026-11-24T09:31:01.000Z", duration: 54.0}
    evidence: [scheduler, run_history]
    failed_stage: null
    failure_reason: null
    failure: null
summary:
  description:
    - How many people there are, how many arrived, how many are missing, how many of these were refused, and for how many an account was
      created (in check mode, would be).
  returned: success
  type: dict
  sample: {people: 12, arrived: 12, missing: 0, refused: 0, created: 12}
files:
  description: The files that were written.
  returned: success
  type: list
  elements: str
  sample: [/srv/reports/onboarding-20261124T093210Z-5f0c1a.json, /srv/reports/onboarding-20261124T093210Z-5f0c1a.csv]
failure_reason:
  description: V(invalid_input) when the files cannot be written, else null.
  returned: always
  type: str
msg:
  description: How many arrived, in one line.
  returned: always
  type: str
"""
