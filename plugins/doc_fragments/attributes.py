# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Attributes that modules of the collection state their support for."""

from __future__ import annotations


class ModuleDocFragment:
    """Modules say the support, this says what is meant."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
  idempotent:
    description: When run twice in a row outside check mode with the same options, the second run reports no change.
"""

    ACTIONGROUP_ALL = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/hybrid.identity.all) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - hybrid.identity.all
"""

    ACTIONGROUP_DIRSYNC = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/hybrid.identity.dirsync) in C(module_defaults) to set the options of the connection to the sync server.
    support: full
    membership:
      - hybrid.identity.all
      - hybrid.identity.dirsync
"""

    ACTIONGROUP_DIRECTORY = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/hybrid.identity.directory) in C(module_defaults) to set the options of the connection to Active Directory.
    support: full
    membership:
      - hybrid.identity.all
      - hybrid.identity.directory
"""

    ACTIONGROUP_GRAPH = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/hybrid.identity.graph) in C(module_defaults) to set the options of the connection to Microsoft Graph.
    support: full
    membership:
      - hybrid.identity.all
      - hybrid.identity.graph
"""

    ACTION = r"""
options: {}
attributes:
  action:
    description: Has an action plugin that works over the connection of the task (winrm, psrp, ssh).
    support: full
  async:
    description: Supports being used with the C(async) keyword.
    support: none
  become:
    description: Is usable with C(become).
    support: none
    details:
      - The connection plugins do not apply C(become) to commands on Windows, so it is refused there. Connect as the account that shall do the work.
"""
