# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Prepares a home folder in which ansible-test can make its virtual environments from the package index that is set up here.

It would download pip's installer from a host of its own, and it hands no PIP_* variable on. So the installer is laid where it looks for
it, made of what this Python brings, and pip's settings as they are in force here go into a file of that home.

Usage: pip_for_ansible_test.py HOME
"""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
from pathlib import Path

import ansible_test

INSTALLER = """import subprocess
import sys

subprocess.check_call([sys.executable, "-m", "ensurepip"])
subprocess.check_call([sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "pip=={version}"])
"""


def write_installers(home: Path) -> None:
    """Write one installer for each pip version that this ansible-test may ask for."""
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    source = (Path(ansible_test.__file__).parent / "_internal" / "python_requirements.py").read_text(encoding="utf-8")
    for version in set(re.findall(r"\bpip='(\d+(?:\.\d+)+)'", source)):
        (cache / f"get_pip_{version.replace('.', '_')}.py").write_text(INSTALLER.format(version=version), encoding="utf-8")


def write_settings(home: Path, listed: str) -> None:
    """Write pip's settings.

    Args:
        listed: what `pip config list` says, lines such as `global.index-url='https://...'` and `:env:.cert='/...'`; variables come last.
    """
    settings = configparser.RawConfigParser()
    settings["global"] = {"quiet": "1"}
    for line in sorted(listed.splitlines(), key=lambda line: line.startswith(":env:")):
        name, value = line.split("=", 1)
        section, option = name.rsplit(".", 1)
        section = "global" if section == ":env:" else section
        if not settings.has_section(section):
            settings.add_section(section)
        settings.set(section, option, ast.literal_eval(value))
    path = home / ".config" / "pip" / "pip.conf"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)  # the address of an index may hold a password
    with path.open("w", encoding="utf-8") as file:
        settings.write(file)


def main() -> None:
    """Prepare the home that the command line names."""
    home = Path(sys.argv[1])
    write_installers(home)
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    write_settings(home, listed.stdout)


if __name__ == "__main__":
    main()
