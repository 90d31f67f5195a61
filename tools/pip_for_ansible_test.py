# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Lays pip's installer where ansible-test looks for it, made of what this Python brings: no download from elsewhere than PyPI.

Usage: pip_for_ansible_test.py HOME
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import ansible_test

INSTALLER = """import subprocess
import sys

subprocess.check_call([sys.executable, "-m", "ensurepip"])
subprocess.check_call([sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "pip=={version}"])
"""


def main() -> None:
    """Write one installer for each pip version that this ansible-test may ask for."""
    cache = Path(sys.argv[1]) / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    source = (Path(ansible_test.__file__).parent / "_internal" / "python_requirements.py").read_text(encoding="utf-8")
    for version in set(re.findall(r"\bpip='(\d+(?:\.\d+)+)'", source)):
        (cache / f"get_pip_{version.replace('.', '_')}.py").write_text(INSTALLER.format(version=version), encoding="utf-8")


if __name__ == "__main__":
    main()
