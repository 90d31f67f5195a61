#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Create and correct accounts in Active Directory, many at once."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ad_users
short_description: Create and correct accounts in Active Directory, many at once
version_added: 0.1.0
author:
  - hybrid.identity contributors (@hybrid-identity)
description:
  - Creates user accounts over LDAP with TLS, or corrects those that exist, with password, manager and group membership.
  - The whole batch is checked before the first write. When anything is wrong with it, nothing is written.
  - Half-made accounts (disabled, and no password was ever set) are completed. A password that has to be changed at the first
    logon looks the same in the directory, so with O(users[].password_must_change) this takes O(users[].enabled=true) as well.
  - A person is known by the user principal name (O(users[].upn)).
  - Returns the moment that a directory synchronisation has to cover (RV(watermark)).
extends_documentation_fragment:
  - hybrid.identity.attributes
  - hybrid.identity.attributes.actiongroup_directory
  - hybrid.identity.directory
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Passwords are never part of it.
  idempotent:
    support: partial
    details:
      - With O(update_password=always) passwords are set on every run.
options:
  users:
    description:
      - The accounts.
    type: list
    elements: dict
    required: true
    suboptions:
      upn:
        description: The user principal name. It identifies the person.
        type: str
        required: true
      sam_account_name:
        description: The logon name, at most 20 characters. Derived from O(users[].upn) when not given.
        type: str
      name:
        description: The name of the object in its organizational unit. Derived from O(users[].display_name) for new accounts.
        type: str
      given_name:
        description: First name.
        type: str
      surname:
        description: Last name.
        type: str
      display_name:
        description: Display name. First and last name when not given.
        type: str
      mail:
        description: Mail address.
        type: str
      proxy_addresses:
        description: Addresses with their prefix, for example V(SMTP:amy@corp.example).
        type: list
        elements: str
      department:
        description: Department.
        type: str
      title:
        description: Job title.
        type: str
      company:
        description: Company.
        type: str
      employee_id:
        description: Employee number.
        type: str
      office:
        description: Office.
        type: str
      phone:
        description: Telephone number.
        type: str
      mobile:
        description: Mobile number.
        type: str
      manager:
        description: The manager, by logon name, user principal name or distinguished name; may be in the same batch.
        type: str
      groups:
        description: Groups by name or distinguished name. The account is added to them, and never taken out of others.
        type: list
        elements: str
      ou:
        description: The organizational unit, as a distinguished name. An account that lies elsewhere is moved.
        type: str
      password:
        description: The password of a new account.
        type: str
      password_must_change:
        description:
          - Whether the password has to be changed at the first logon.
          - Entra ID takes such a password only if the tenant feature C(UserForcePasswordChangeOnLogonEnabled) is on.
        type: bool
        default: false
      enabled:
        description: Whether the account is enabled. When not given, new accounts are, and others stay as they are.
        type: bool
      attributes:
        description: Further attributes by their LDAP names; text or lists of text.
        type: dict
  default_ou:
    description:
      - The organizational unit of new accounts without O(users[].ou).
    type: str
  initial_password:
    description:
      - The password of new accounts without O(users[].password).
    type: str
  update_password:
    description:
      - V(on_create) sets passwords of new accounts only. V(always) sets them on every run.
    type: str
    choices: [on_create, always]
    default: on_create
seealso:
  - module: hybrid.identity.dirsync_trigger
  - module: microsoft.ad.user
"""

EXAMPLES = r"""
- name: Two new colleagues
  hybrid.identity.ad_users:
    directory_server: dc1.corp.example
    username: svc-onboard@corp.example
    password: "{{ vault_directory_password }}"
    default_ou: OU=Staff,DC=corp,DC=example
    initial_password: "{{ vault_initial_password }}"
    users:
      - upn: amy.baker@corp.example
        given_name: Amy
        surname: Baker
        department: Sales
        groups:
          - GG-Sales
      - upn: bo.chen@corp.example
        given_name: Bo
        surname: Chen
        manager: amy.baker
  delegate_to: localhost
  register: accounts

- name: Carry exactly this to the cloud
  hybrid.identity.dirsync_trigger:
    since: "{{ accounts.watermark }}"
"""

RETURN = r"""
accounts:
  description: One item for each person, in the order of O(users).
  returned: when the directory could be asked
  type: list
  elements: dict
  contains:
    upn:
      description: The user principal name.
      type: str
    sam_account_name:
      description: The logon name.
      type: str
    distinguished_name:
      description: Where the account is; null when it is not there (yet).
      type: str
    object_guid:
      description: Its objectGUID.
      type: str
    source_anchor:
      description: The anchor by which Entra ID knows the person.
      type: str
    changed:
      description: Whether this account was changed, also when a later step failed.
      type: bool
    action:
      description: What was done - V(created), V(corrected), V(repaired), V(unchanged), V(failed).
      type: str
    changes:
      description: Names of what was changed.
      type: list
      elements: str
    failure_reason:
      description: The reason when it failed.
      type: str
    msg:
      description: One sentence when it failed.
      type: str
summary:
  description: How many accounts were V(created), V(corrected), V(repaired), V(unchanged), V(failed).
  returned: when the directory could be asked
  type: dict
watermark:
  description: The moment whose directory state a synchronisation has to carry, in UTC on this machine's clock.
  returned: when the directory could be asked
  type: str
  sample: "2026-11-24T09:30:01.000Z"
domain_controller:
  description: The domain controller that was used.
  returned: when the directory could be asked
  type: str
clock_skew:
  description: How many seconds the clock of the domain controller is ahead of this machine's.
  returned: when the directory could be asked
  type: float
faults:
  description: Everything that is wrong with the batch, one sentence each.
  returned: when the directory could be asked
  type: list
  elements: str
failure_reason:
  description: A stable word for the reason of a failure, or null.
  returned: always
  type: str
msg:
  description: What happened, in one line.
  returned: always
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule, env_fallback, missing_required_lib

from ansible_collections.hybrid.identity.plugins.module_utils._directory._connection import (
    LDAP3_IMPORT_ERROR,
    Directory,
    DirectoryOptions,
    DirectoryRefusal,
)
from ansible_collections.hybrid.identity.plugins.module_utils._directory._ensure_accounts import ensure_accounts
from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._module_exit import leave

USER_OPTIONS: dict[str, Any] = {
    "upn": {"type": "str", "required": True},
    **{
        name: {"type": "str"}
        for name in (
            "sam_account_name", "name", "given_name", "surname", "display_name", "mail", "department", "title", "company", "employee_id", "office",
            "phone", "mobile", "manager", "ou",
        )
    },
    "proxy_addresses": {"type": "list", "elements": "str"},
    "groups": {"type": "list", "elements": "str"},
    "password": {"type": "str", "no_log": True},
    "password_must_change": {"type": "bool", "default": False, "no_log": False},
    "enabled": {"type": "bool"},
    "attributes": {"type": "dict"},
}  # fmt: skip

OPTIONS: dict[str, Any] = {
    "directory_server": {"type": "str", "required": True, "fallback": (env_fallback, ["HYBRID_IDENTITY_DIRECTORY_SERVER"])},
    "port": {"type": "int", "default": 636},
    "username": {"type": "str", "required": True, "fallback": (env_fallback, ["HYBRID_IDENTITY_DIRECTORY_USERNAME"])},
    "password": {"type": "str", "required": True, "no_log": True, "fallback": (env_fallback, ["HYBRID_IDENTITY_DIRECTORY_PASSWORD"])},
    "ca_cert": {"type": "path", "fallback": (env_fallback, ["HYBRID_IDENTITY_DIRECTORY_CA_CERT"])},
    "validate_certs": {"type": "bool", "default": True},
    "server_name": {"type": "str"},
    "timeout": {"type": "int", "default": 15},
    "users": {"type": "list", "elements": "dict", "required": True, "options": USER_OPTIONS},
    "default_ou": {"type": "str"},
    "initial_password": {"type": "str", "no_log": True},
    "update_password": {"type": "str", "default": "on_create", "choices": ["on_create", "always"], "no_log": False},
}


def carry(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Connect and do the work; a failure comes back as its result."""
    options = DirectoryOptions(
        server=params["directory_server"],
        username=params["username"],
        password=params["password"],
        port=params["port"],
        ca_cert=params["ca_cert"],
        validate_certs=params["validate_certs"],
        server_name=params["server_name"],
        timeout=params["timeout"],
    )
    try:
        with Directory(options) as directory:
            return ensure_accounts(
                directory,
                params["users"],
                default_ou=params["default_ou"],
                initial_password=params["initial_password"],
                always_password=params["update_password"] == "always",
                check_mode=check_mode,
            )
    except DirectoryRefusal as error:
        return HybridIdentityError("directory_denied", f"{options.server} refused to answer a question: {error}.").as_result()
    except HybridIdentityError as error:
        return error.as_result()


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    if LDAP3_IMPORT_ERROR is not None:
        module.fail_json(msg=missing_required_lib("ldap3"), exception=LDAP3_IMPORT_ERROR)
    leave(module, lambda: carry(module.params, module.check_mode))


if __name__ == "__main__":
    main()
