# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""New colleagues: reading them, checking them, judging how far they have come. Pure; private to the collection."""
