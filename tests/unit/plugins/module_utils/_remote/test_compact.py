# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What of a script does not travel."""

from __future__ import annotations

import re

import shipped_scripts

from ansible_collections.hybrid.identity.plugins.module_utils._remote._compact import compact


def test_what_only_people_read_does_not_travel() -> None:
    script = "param($p)\n\n# Why.\nif ($p) {\n    # How.\n    'a # b'  \n}\n"
    assert compact(script) == "param($p)\nif ($p) {\n'a # b'\n}\n"
    assert compact(compact(script)) == compact(script)


def test_no_shipped_script_has_text_that_goes_over_several_lines() -> None:
    """Text in a string would lose its indentation, and a comment over several lines its end."""
    for name, script in shipped_scripts.SCRIPTS.items():
        assert not re.search(r"@['\"]\s*$|<#|#>|`\s*$", script, re.MULTILINE), name
        for line in script.splitlines():
            assert len(re.findall(r"'", re.sub(r'"[^"]*"', "", line))) % 2 == 0, f"{name}: {line}"
