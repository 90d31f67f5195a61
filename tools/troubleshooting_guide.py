# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Writes docs/docsite/rst/guide_troubleshooting.rst from the failure reasons of the collection. Usage: run it from the checkout."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GUIDE = ROOT / "docs" / "docsite" / "rst" / "guide_troubleshooting.rst"

HEAD = """..
  SPDX-License-Identifier: GPL-3.0-or-later
  SPDX-FileCopyrightText: hybrid.identity contributors

.. _ansible_collections.hybrid.identity.docsite.guide_troubleshooting:

Troubleshooting
===============

Every failure has a ``failure_reason`` from this list and one sentence in ``msg``. The words are stable: playbooks may decide by them.
This page is written by ``tools/troubleshooting_guide.py``.

.. list-table::
   :header-rows: 1
   :widths: 25 75

   * - failure_reason
     - what to do
"""


def guide() -> str:
    """The text of the page."""
    sys.path.insert(0, str(ROOT / ".view"))
    from ansible_collections.hybrid.identity.plugins.module_utils._failure import REMEDIES

    rows = []
    for reason, remedy in REMEDIES.items():
        words = re.sub(r"O\(([^)]*)\)", r"``\1``", remedy)
        rows.append(f"   * - ``{reason}``\n     - {words}\n")
    return HEAD + "".join(rows)


if __name__ == "__main__":
    GUIDE.write_text(guide(), encoding="utf-8")
