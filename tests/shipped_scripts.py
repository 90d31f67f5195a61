# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Every piece of PowerShell that the collection ships, by name."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.hybrid.identity.plugins.module_utils._engines import (
    _aadsync_scheduler_scripts,
    _aadsync_scripts,
    _adsync_password_scripts,
    _connect_object_scripts,
    _connect_scheduler_scripts,
    _connect_scripts,
    _dirsync_password_scripts,
    _dirsync_scheduler_scripts,
    _dirsync_scripts,
    _windows_scripts,
)
from ansible_collections.hybrid.identity.plugins.module_utils._remote import _call, _lasting_script, _local_route_script

SCRIPTS = {
    "bootstrap": _call.BOOTSTRAP,
    "envelope": _call.ENVELOPE,
    "local_route": _local_route_script.LOCAL_ROUTE,
    "local_carried": _local_route_script.CARRIED_ALONG,
    "local_runner": _local_route_script.RUNNER,
    "survey": _windows_scripts.SURVEY_ALONE,
    "lasting": _lasting_script.LASTING,
    "lasting_runner": _lasting_script.LASTING_RUNNER,
    **{f"adsync_password_{name}": text for name, text in _adsync_password_scripts.SCRIPTS.items()},
    **{f"dirsync_password_{name}": text for name, text in _dirsync_password_scripts.SCRIPTS.items()},
    **{f"connect_{name}": text for name, text in _connect_scripts.SCRIPTS.items()},
    **{f"objects_{name}": text for name, text in _connect_object_scripts.SCRIPTS.items()},
    **{f"aadsync_{name}": text for name, text in _aadsync_scripts.SCRIPTS.items()},
    **{f"dirsync_{name}": text for name, text in _dirsync_scripts.SCRIPTS.items()},
    **{f"connect_scheduler_{name}": text for name, text in _connect_scheduler_scripts.SCRIPTS.items()},
    **{f"aadsync_scheduler_{name}": text for name, text in _aadsync_scheduler_scripts.SCRIPTS.items()},
    **{f"dirsync_scheduler_{name}": text for name, text in _dirsync_scheduler_scripts.SCRIPTS.items()},
}


def write_scripts(folder: Path) -> list[Path]:
    """Write each to a file of its own, for tools that read files."""
    files = []
    for name, text in SCRIPTS.items():
        file = folder / f"{name}.ps1"
        file.write_text(text, encoding="utf-8", newline="\n")
        files.append(file)
    return files
