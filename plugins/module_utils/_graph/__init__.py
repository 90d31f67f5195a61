# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""A thin client for Microsoft Graph: sign-in, requests with patience, batches. Private to the collection."""
