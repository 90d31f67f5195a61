# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Password synchronisation: options, observe, decide, act, and one proof. Private to the collection."""
