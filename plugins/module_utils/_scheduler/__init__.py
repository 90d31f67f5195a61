# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The scheduler of an engine: options, one table of decisions, act, report. Private to the collection."""
