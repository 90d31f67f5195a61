# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What a cycle of the FIM family consists of. Private to the collection."""

from __future__ import annotations

from ._contract import Step

#: import AD, import Entra, synchronise AD, synchronise Entra, export Entra, export AD (Microsoft, scheduler documentation)
SCHEDULER_CYCLE = (
    Step("import", on_directory=True, carries=True),
    Step("import", on_directory=False, carries=False),
    Step("synchronization", on_directory=True, carries=True),
    Step("synchronization", on_directory=False, carries=False),
    Step("export", on_directory=False, carries=True),
    Step("export", on_directory=True, carries=False),
)
#: DirSync writes to AD in hybrid set-ups only, and imports and synchronises the cloud's side first in one run. No source lists its profiles;
#: these are the steps without which nothing can have been carried, and the cloud's own import.
DIRSYNC_CYCLE = (
    Step("import", on_directory=True, carries=True),
    Step("import", on_directory=False, carries=False),
    Step("synchronization", on_directory=True, carries=True),
    Step("export", on_directory=False, carries=True),
)
