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
  - What is not given stays as it is. Values that are derived or defaulted (display name, logon name, name, O(default_ou),
    O(initial_password)) are for new accounts; an account that exists gets another name, logon name or place only when that very
    option is given.
  - An option that is absent or null is not given. Empty text clears an attribute that has one value.
  - A person is known by the user principal name (O(users[].upn)), or by O(users[].identity).
  - Half-made accounts (no password was ever set) are completed. They get a password, are enabled, and
    C(PASSWD_NOTREQD) is taken off, unless O(users[].enabled=false). An account that has a password and is disabled was disabled
    on purpose and stays disabled. Somebody who has to change the password at the first logon is not taken for somebody without
    one, as long as C(replPropertyMetaData) can be read; where it is not clear, nothing is touched and a warning says so.
  - Privileged accounts are never enabled, moved, renamed, given a password, another user principal name or logon name. Privileged is
    whoever has C(adminCount=1), or is a member, through any nesting or by primary group, of a group that C(AdminSDHolder) protects.
  - Passwords are checked against the policy of the domain (minimum length, complexity) before anything is written. Fine-grained password
    policies are not looked at; where one is stricter, the directory refuses the password of that account.
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
        description:
          - The user principal name. It identifies the person, unless O(users[].identity) does; then it is what the account shall have.
          - One of the two is needed.
        type: str
      identity:
        description:
          - By what an account that exists is known instead, so that its user principal name can be changed safely. Its objectGUID,
            its security identifier, its distinguished name, or its employee number.
          - When no account or several have it, that is a fault. Nobody is ever created for it.
        type: str
      identity_type:
        description:
          - What O(users[].identity) is. When not given, its form tells; what has no such form is an employee number.
        type: str
        choices: [guid, sid, distinguished_name, employee_id]
      sam_account_name:
        description: The logon name, at most 20 characters. For new accounts derived from O(users[].upn) when not given. It cannot be cleared.
        type: str
      name:
        description:
          - The name of the object in its organizational unit. It cannot be cleared. One that is taken there is a fault.
          - For new accounts derived from the display name when not given. When that is taken, the next free form is
            C(Name (logon name)), then C(Name (2)) and so on; the display name stays what it is.
        type: str
      given_name:
        description: First name.
        type: str
      surname:
        description: Last name.
        type: str
      display_name:
        description: Display name. For new accounts first and last name when not given.
        type: str
      mail:
        description: Mail address.
        type: str
      proxy_addresses:
        description: All addresses with their prefix, for example V(SMTP:amy@corp.example). An empty list clears.
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
        description:
          - Employee number. When the account has another one, that is a fault which names both, because it is somebody else.
            When the account has none, it gets this one.
          - To correct a wrong number, clear it first.
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
        description:
          - The manager, by logon name, distinguished name or user principal name; may be in the same batch. Only a person can be one.
          - Empty text clears.
        type: str
      groups:
        description:
          - Groups by logon name (sAMAccountName), distinguished name or, when only one group has it, name.
          - A list adds, and takes the account out of nothing.
          - A dictionary takes C(add), C(remove) and C(set), as in M(microsoft.ad.user). C(set) says what shall remain; an empty list
            leaves nothing but the primary group. A key that is null or absent touches nothing.
          - A group that C(AdminSDHolder) protects, or that is nested into one, is a fault unless O(allow_privileged_groups=true).
        type: raw
      ou:
        description:
          - The organizational unit, as a distinguished name. An account that lies elsewhere is moved.
          - An account that exists does not need it.
        type: str
      password:
        description: The password of a new or half-made account. It goes before O(passwords).
        type: str
      password_must_change:
        description:
          - Whether the password that this run sets has to be changed at the first logon.
          - When not given, O(password_must_change) says so for the first password of an account; a later one (O(update_password=always))
            has not to be changed.
        type: bool
      enabled:
        description: Whether the account is enabled. When not given, new accounts are, and others stay as they are.
        type: bool
      attributes:
        description:
          - Further attributes by their LDAP names; text or lists of text. Empty text or an empty list clears, null touches nothing.
          - Attributes that hold passwords, and those that say what an account may do, are refused.
        type: dict
  default_ou:
    description:
      - The organizational unit of new accounts without O(users[].ou). Nobody who exists is moved for it.
    type: str
  initial_password:
    description:
      - The password of new and half-made accounts without one of their own.
      - Everybody who gets it knows everybody's. O(generate_passwords) gives each person another one.
    type: str
  passwords:
    description:
      - Passwords of new and half-made accounts, one per person. A dictionary from O(users[].upn) (or O(users[].identity) of an item without
        it) to the password, or the JSON text of such a dictionary. Names that no item of O(users) has are ignored.
    type: raw
  generate_passwords:
    description:
      - Whether each new or half-made account without a password of its own gets one that is generated here, on the controller.
      - Needs O(password_file) and a vault secret (C(--vault-id), C(--vault-password-file), C(--ask-vault-pass), or a vault credential of
        AWX). Without one nobody is created.
      - It cannot be used with O(initial_password) or O(update_password=always).
      - In check mode nothing is generated and nothing is written.
    type: bool
    default: false
  password_length:
    description:
      - How many characters generated passwords have.
    type: int
    default: 20
  password_alphabet:
    description:
      - The characters of which generated passwords consist. By default letters and digits that do not look like others, and C(.!?%).
      - Passwords have three of capital letters, small letters, digits and signs, as far as these are there.
    type: str
  password_file:
    description:
      - The file on the controller that gets the generated passwords. YAML with C(user principal name - password), encrypted with
        ansible-vault. C(ansible-vault view) opens it.
      - It is there, whole and safe on the disk, before the first account is written, and only its owner may read it. Its folder is made if
        needed.
      - A file is never overwritten, and never written through a link. Somebody whose password is in it already, because a run was
        interrupted, gets that one. Those who come later are in another file beside it, C(name-2.yml), C(name-3.yml) and so on.
      - A relative path is looked for in the working folder, then in the folder of the playbook.
    type: path
  password_vault_id:
    description:
      - The vault id whose secret encrypts O(password_file). The first secret that was given when this is not.
    type: str
  password_must_change:
    description:
      - Whether the first password of an account has to be changed at the first logon.
      - Entra ID takes such a password only if the tenant feature C(UserForcePasswordChangeOnLogonEnabled) is on; a warning says so.
    type: bool
    default: true
  update_password:
    description:
      - V(on_create) sets passwords of new and half-made accounts only. V(always) sets them on every run.
      - M(microsoft.ad.user) has V(always) as its default; here nobody's password is replaced unless that is asked for.
    type: str
    choices: [on_create, always]
    default: on_create
  allow_privileged_groups:
    description:
      - Whether O(users[].groups) may name groups that C(AdminSDHolder) protects, such as Domain Admins, or groups nested into them.
    type: bool
    default: false
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

- name: A password for each, in a file that only the vault secret opens
  hybrid.identity.ad_users:
    directory_server: dc1.corp.example
    username: svc-onboard@corp.example
    password: "{{ vault_directory_password }}"
    default_ou: OU=Staff,DC=corp,DC=example
    generate_passwords: true
    password_file: /srv/onboarding/passwords-{{ now().strftime('%Y-%m') }}.yml
    password_vault_id: onboarding
    users:
      - upn: cy.dent@corp.example
        given_name: Cy
        surname: Dent
  delegate_to: localhost

- name: Somebody married, moved to another team, and has no mobile any more
  hybrid.identity.ad_users:
    directory_server: dc1.corp.example
    username: svc-onboard@corp.example
    password: "{{ vault_directory_password }}"
    users:
      - identity: "1017"  # the employee number
        upn: amy.young@corp.example
        surname: Young
        display_name: Amy Young
        mobile: ""  # clears it; what is not named stays as it is
        groups:
          add: [GG-Marketing]
          remove: [GG-Sales]
  delegate_to: localhost

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
    sid:
      description: Its security identifier (objectSid).
      type: str
      sample: S-1-5-21-1004336348-1177238915-682003330-1104
    enabled:
      description: Whether the account is enabled; null where that is not known.
      type: bool
    source_anchor:
      description: The anchor by which Entra ID knows the person.
      type: str
    changed:
      description: Whether this account was changed, also when a later step failed; or may have been, where no answer came.
      type: bool
    action:
      description: What was done - V(created), V(corrected), V(repaired), V(unchanged), V(failed), V(refused). In check mode what would be done.
        V(refused) is every row of a batch in which something is wrong; nothing was written.
      type: str
    changes:
      description: Names of what was changed; of a row that failed, what of it was done before.
      type: list
      elements: str
    faults:
      description: Everything that is wrong with this row, one sentence each.
      type: list
      elements: str
    failure_reason:
      description: The reason when it failed or was refused; V(batch_refused) when nothing is wrong with this row, but with others.
      type: str
    msg:
      description: What went wrong when it failed or was refused.
      type: str
summary:
  description: How many accounts were V(created), V(corrected), V(repaired), V(unchanged), V(failed), V(refused).
  returned: when the directory could be asked
  type: dict
watermark:
  description:
    - The moment whose directory state a synchronisation has to carry, in UTC on this machine's clock.
    - It is the latest of the controller's own clock after the last write of this run, of the change times in
      C(replPropertyMetaData) of what this module can write (passwords and logons aside), and, where the controller tells them
      (C(msDS-ReplValueMetaData)), of the memberships that the rows name. Where the metadata cannot be read it is C(whenChanged),
      and a warning says so.
  returned: when the directory could be asked
  type: str
  sample: "2026-11-24T09:30:01.000Z"
password_files:
  description: The files on the controller that hold the generated passwords of people in this batch; none in check mode.
  returned: with O(generate_passwords)
  type: list
  elements: str
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
    DirectoryFailure,
    DirectoryRefusal,
)
from ansible_collections.hybrid.identity.plugins.module_utils._directory._desired import IDENTITY_TYPES
from ansible_collections.hybrid.identity.plugins.module_utils._directory._ensure_accounts import ensure_accounts
from ansible_collections.hybrid.identity.plugins.module_utils._directory._mask import Mask, without_secrets
from ansible_collections.hybrid.identity.plugins.module_utils._directory._options import DirectoryOptions, hidden_in
from ansible_collections.hybrid.identity.plugins.module_utils._directory._passwords import ALPHABET, LENGTH, PasswordRule, read_passwords
from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._module_exit import ModuleLike, leave

USER_OPTIONS: dict[str, Any] = {
    "upn": {"type": "str"},
    "identity": {"type": "str"},
    "identity_type": {"type": "str", "choices": list(IDENTITY_TYPES)},
    **{
        name: {"type": "str"}
        for name in (
            "sam_account_name", "name", "given_name", "surname", "display_name", "mail", "department", "title", "company", "employee_id", "office",
            "phone", "mobile", "manager", "ou",
        )
    },
    "proxy_addresses": {"type": "list", "elements": "str"},
    "groups": {"type": "raw"},
    "password": {"type": "str", "no_log": True},
    "password_must_change": {"type": "bool", "no_log": False},
    "enabled": {"type": "bool"},
    "attributes": {"type": "dict"},
}  # fmt: skip

OPTIONS: dict[str, Any] = {
    "directory_server": {"type": "str", "required": True, "fallback": (env_fallback, ["HYBRID_IDENTITY_DIRECTORY_SERVER"])},
    "port": {"type": "int"},
    "start_tls": {"type": "bool", "default": False},
    "username": {"type": "str", "required": True, "fallback": (env_fallback, ["HYBRID_IDENTITY_DIRECTORY_USERNAME"])},
    "password": {"type": "str", "required": True, "no_log": True, "fallback": (env_fallback, ["HYBRID_IDENTITY_DIRECTORY_PASSWORD"])},
    "ca_cert": {"type": "path", "fallback": (env_fallback, ["HYBRID_IDENTITY_DIRECTORY_CA_CERT"])},
    "validate_certs": {"type": "bool", "default": True},
    "server_name": {"type": "str"},
    "timeout": {"type": "int", "default": 15},
    "users": {"type": "list", "elements": "dict", "required": True, "options": USER_OPTIONS},
    "default_ou": {"type": "str"},
    "initial_password": {"type": "str", "no_log": True},
    "passwords": {"type": "raw", "no_log": True},
    "generate_passwords": {"type": "bool", "default": False, "no_log": False},
    "password_length": {"type": "int", "default": LENGTH, "no_log": False},
    "password_alphabet": {"type": "str", "no_log": False},
    "password_file": {"type": "path", "no_log": False},
    "password_vault_id": {"type": "str", "no_log": False},
    "password_must_change": {"type": "bool", "default": True, "no_log": False},
    "update_password": {"type": "str", "default": "on_create", "choices": ["on_create", "always"], "no_log": False},
    "allow_privileged_groups": {"type": "bool", "default": False},
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
        start_tls=params["start_tls"],
    )
    try:
        passwords, rule = read_passwords(params["passwords"]), password_rule(params)
        if passwords is None:
            raise HybridIdentityError(
                "invalid_input", "passwords is no dictionary from user principal names to passwords, nor the JSON text of one."
            )
        with Directory(options) as directory:
            result = ensure_accounts(
                directory,
                params["users"],
                default_ou=params["default_ou"],
                initial_password=params["initial_password"],
                always_password=params["update_password"] == "always",
                check_mode=check_mode,
                allow_privileged_groups=params["allow_privileged_groups"],
                passwords=passwords,
                password_rule=rule,
                must_change_new=params["password_must_change"] is not False,
            )
    except DirectoryRefusal as error:
        result = unanswered(options, error).as_result()
    except HybridIdentityError as error:
        result = error.as_result()
    return {**result, "warnings": options.warnings + result.get("warnings", [])}


def password_rule(params: dict[str, Any]) -> PasswordRule | None:
    """How passwords are generated, None when they are not. Raises HybridIdentityError (invalid_input)."""
    if not params["generate_passwords"]:
        return None
    rule = PasswordRule(params["password_length"] or LENGTH, params["password_alphabet"] or ALPHABET)
    fault = rule.fault()
    if params["initial_password"]:
        fault = (
            "generate_passwords gives each person another password, and initial_password everybody the same: only one of them is possible."
        )
    elif params["update_password"] == "always":
        fault = "generate_passwords with update_password: always would give everybody another password on every run."
    elif not params["password_file"]:
        fault = "generate_passwords needs password_file: nobody would ever know the passwords."
    if fault:
        raise HybridIdentityError("invalid_input", fault)
    return rule


def unanswered(options: DirectoryOptions, error: DirectoryRefusal) -> HybridIdentityError:
    """A question that was not answered; nothing was written yet."""
    if error.is_passing:
        return DirectoryFailure("unreachable", f"{options.where} was too busy to answer a question: {error}. Nothing was written.")
    if error.is_elsewhere:
        return DirectoryFailure(
            "invalid_input", f"{options.where} does not hold what a distinguished name stands for: {error}. Nothing was written."
        )
    return DirectoryFailure("directory_denied", f"{options.where} refused to answer a question: {error}. Nothing was written.")


def main() -> None:
    """Entry point."""
    work(AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True))


def work(module: ModuleLike) -> None:
    """Everything once the arguments are read."""
    module.no_log_values.update(secret for secret in hidden_in(module.params["directory_server"]) if secret)
    if LDAP3_IMPORT_ERROR is not None:
        module.fail_json(msg=missing_required_lib("ldap3"), exception=LDAP3_IMPORT_ERROR)
    leave(module, lambda: covered(module, carry(module.params, module.check_mode)))


def covered(module: ModuleLike, result: dict[str, Any]) -> dict[str, Any]:
    """The result without secrets. The module's own way of masking takes each secret through each text, which is quadratic in people."""
    passwords = module.params["passwords"]
    own = {user["password"] for user in module.params["users"] if user.get("password")}
    own |= set((read_passwords(passwords) or {}).values()) | ({passwords} if isinstance(passwords, str) else set())
    result = Mask([*module.no_log_values, *own]).value(result)
    result["invocation"] = {"module_args": without_secrets(module.params, OPTIONS)}
    module.no_log_values -= own
    return result


if __name__ == "__main__":
    main()
