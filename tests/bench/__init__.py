# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""How the collection stands against the plain way, as ratios with bars: `make bench`."""
