# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The campaign: a synchronisation task against a sync server that misbehaves in every way known, judged by what really happened there."""
