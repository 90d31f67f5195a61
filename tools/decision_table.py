# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Writes docs/docsite/rst/guide_decisions.rst from the rows of the decision. Usage: run it from the checkout."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GUIDE = ROOT / "docs" / "docsite" / "rst" / "guide_decisions.rst"

HEAD = """..
  SPDX-License-Identifier: GPL-3.0-or-later
  SPDX-FileCopyrightText: hybrid.identity contributors

.. _ansible_collections.hybrid.identity.docsite.guide_decisions:

How dirsync_trigger decides
===========================

The task is a loop: it observes the engine, decides, and acts, until the decision is to stop. The decision is this table: the first
row that holds gives what is done. *Pending* means that there is a cycle whose end is of interest: one that the task has started, or
one of somebody else that covers what is to be carried and is awaited. This page is written by ``tools/decision_table.py``.

What is proven
--------------

Every statement comes from one proof, whatever way the task went:

* A cycle *covers* a moment if the import on every AD connector began at or after it, each was synchronised afterwards, an export to the
  cloud connector followed, none of its runs was kept from its work, and all of them have ended. Only the run history proves that.
* ``verified``: besides, every other part of a cycle is there, and it is known which AD connectors there are.
* ``finished``: it has ended; what it did is not known, or a part that carries nothing is not there. A warning says which.
* ``confirmed``: it was seen running, or only the time of the next start tells of it, with a warning.
* ``own`` is a cycle that began after this task's start was accepted. A cycle of somebody else counts only if the history shows it.

The rows
--------

.. list-table::
   :header-rows: 1
   :widths: 15 45 40

   * - row
     - when
     - then
"""


def guide() -> str:
    """The text of the page."""
    sys.path.insert(0, str(ROOT / ".view"))
    from ansible_collections.hybrid.identity.plugins.module_utils._sync._decide import ROWS

    return HEAD + "".join(f"   * - {row.name}\n     - {row.when}\n     - {row.then}\n" for row in ROWS)


if __name__ == "__main__":
    GUIDE.write_text(guide(), encoding="utf-8")
