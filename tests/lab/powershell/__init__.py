# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""PowerShell in the lab: the engine that runs the shipped scripts, and the stand-ins for what only Windows has."""
