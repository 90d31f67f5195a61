# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""How every Python module of the collection leaves. Private to the collection."""

from __future__ import annotations

from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule

from ._failure import HybridIdentityError


def leave(module: AnsibleModule, procedure: Callable[[], dict[str, Any]]) -> None:
    """Do the work and leave through exit_json or fail_json, with failure_reason and msg always there."""
    try:
        result = procedure()
    except HybridIdentityError as error:
        result = error.as_result()
    for warning in result.pop("warnings", []):
        module.warn(warning)
    if not module._diff:  # pylint: disable=protected-access  # there is no public way to ask
        result.pop("diff", None)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
