# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""How every Python module of the collection leaves. Private to the collection."""

from __future__ import annotations

from typing import Any, Callable, NoReturn, Protocol

from ._failure import HybridIdentityError


class ModuleLike(Protocol):
    """What our modules ask of AnsibleModule, which is one of these.

    Attributes:
        params: the validated options.
        check_mode: whether nothing may be changed.
        no_log_values: texts that are taken out of the result.
    """

    params: dict[str, Any]
    check_mode: bool
    no_log_values: set[str]
    _diff: bool

    def warn(self, warning: str) -> None:
        """Show a warning with the result."""

    def debug(self, msg: str) -> None:
        """Tell something to whoever looks for a fault."""

    def exit_json(self, **result: Any) -> NoReturn:
        """Leave."""

    def fail_json(self, msg: str, **result: Any) -> NoReturn:
        """Leave with a failure."""


def leave(module: ModuleLike, procedure: Callable[[], dict[str, Any]]) -> None:
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
